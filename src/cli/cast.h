/* Who takes part in a debate, as its debate_start frame says: names, colours, models. */
#ifndef ARAGORA_CLI_CAST_H
#define ARAGORA_CLI_CAST_H

#include "base/json.h"

enum { CAST_MAX = 32 }; /* a frame of a foreign server may name more; they get no colour */

struct cast_member {
  char *name; /* clean */
  char *model;
  char *provider;
  bool demo;
};

struct cast {
  struct cast_member members[CAST_MAX];
  int count; /* panel, in its order; then judges that are not of it */
  int panel;
  size_t columns; /* of the longest name, within bounds */
};

void cast_done(struct cast *cast);
/* From the data of a debate_start frame. STATUS_NOMEM. */
MUST_CHECK enum status cast_read(struct cast *cast, const json_t *data);
/* Place of the name, or -1. */
int cast_find(const struct cast *cast, const char *name);
/* The page_style of an agent. */
int cast_style(const struct cast *cast, const char *name);

#endif
