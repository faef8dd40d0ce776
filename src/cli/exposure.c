#include "cli/exposure.h"

#include <arpa/inet.h>

bool exposure_is_loopback(const char *host) {
  struct in_addr four;
  struct in6_addr six;
  if (strcmp(host, "localhost") == 0) return true;
  if (inet_pton(AF_INET, host, &four) == 1) return (ntohl(four.s_addr) >> 24) == 127;
  return inet_pton(AF_INET6, host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

enum status exposure_check(const struct options *o, struct error *err) {
  if (!o->host || exposure_is_loopback(o->host) || o->api_token || o->jwt_secret ||
      o->allow_unauthenticated)
    return STATUS_OK;
  return error_set(
      err, STATUS_DENIED, NULL,
      "--host %s is reachable from outside: set ARAGORA_API_TOKEN or ARAGORA_JWT_SECRET, or say "
      "--allow-unauthenticated",
      o->host);
}
