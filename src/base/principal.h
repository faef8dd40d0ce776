/* On whose behalf a read or a write happens. Every function of the store that touches a user's
 * things takes one, so that a forgotten ownership check does not compile.
 *
 * While no credential is configured there is one principal, PRINCIPAL_LOCAL, who owns everything.
 * Who may do what is not decided here: auth/permission.h.
 */
#ifndef ARAGORA_BASE_PRINCIPAL_H
#define ARAGORA_BASE_PRINCIPAL_H

#include <stdbool.h>

struct principal {
  const char *tenant_id; /* never NULL */
  const char *owner_id;  /* never NULL */
  bool all_owners;       /* may see every owner's things within the tenant */
  bool system;           /* the process itself: resume, retention; sees every tenant */
  const char *key_id;    /* the API key it came by, on whose account it is booked; NULL = none */
};

#define PRINCIPAL_LOCAL  ((struct principal){"local", "local", true, false, NULL})
#define PRINCIPAL_SYSTEM ((struct principal){"local", "local", true, true, NULL})

#endif
