#include "cli/exposure.h"

#include "store/inspect.h"
#include "store/users.h"

#include <arpa/inet.h>

bool exposure_is_loopback(const char *host) {
  struct in_addr four;
  struct in6_addr six;
  if (strcmp(host, "localhost") == 0) return true;
  if (inet_pton(AF_INET, host, &four) == 1) return (ntohl(four.s_addr) >> 24) == 127;
  return inet_pton(AF_INET6, host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

/* A database that is not there yet, or cannot be read, has none: what is wrong with it is for who
 * opens it to say. */
static bool has_users(const struct options *o) {
  struct inspect *inspect;
  struct error err;
  bool has = false;
  if (!o->db_path ||
      inspect_open_live(o->db_path, DATABASE_MEMORY, o->db_timeout_s * 1000, &inspect, &err))
    return false;
  enum status s = inspect_has_users(inspect, &has, &err);
  inspect_close(inspect);
  return !s && has;
}

enum status exposure_check(const struct options *o, struct error *err) {
  if (!o->host || exposure_is_loopback(o->host) || o->api_token || o->jwt_secret ||
      o->allow_unauthenticated || has_users(o))
    return STATUS_OK;
  return error_set(err, STATUS_DENIED, NULL,
                   "--host %s is reachable from outside: set ARAGORA_API_TOKEN or "
                   "ARAGORA_JWT_SECRET, make a user "
                   "(aragora user create), or say --allow-unauthenticated",
                   o->host);
}
