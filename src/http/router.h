/* The table of routes as a tree of path segments. Built once, then read by every HTTP thread. */
#ifndef ARAGORA_HTTP_ROUTER_H
#define ARAGORA_HTTP_ROUTER_H

#include "base/bytes.h"

enum {
  ROUTER_SEGMENTS_MAX = 12, /* a longer path matches nothing */
  ROUTER_PARAMS_MAX = 4,
  ROUTER_ALLOW_SIZE = 80,
};

struct router;

/* What a path matched: the rows behind it by method, and the values of its {name} segments. */
struct router_match {
  const struct router_node *node;
  size_t param_count;
  struct bytes param_names[ROUTER_PARAMS_MAX];
  struct bytes params[ROUTER_PARAMS_MAX]; /* into the path */
};

MUST_CHECK enum status router_create(struct router **ret_router, struct error *err);
void router_destroy(struct router *router);

/* `row` is what a match gives back, never NULL. STATUS_CONFLICT on a second row for the same method
 * and path, STATUS_INVALID on a path that cannot be one. */
MUST_CHECK enum status router_add(struct router *router, const char *method, const char *path,
                                  const void *row, struct error *err);

/* Finds the rows of a decoded path; a literal segment wins over a {name}. */
bool router_match(const struct router *router, struct bytes path, struct router_match *ret_match);

/* The row of `method`, HEAD being answered by GET; NULL when the path has other methods only. */
const void *router_row(const struct router_match *match, const char *method);
/* "GET, HEAD, POST, OPTIONS": the value of an Allow header. */
void router_allow(const struct router_match *match, char out[ROUTER_ALLOW_SIZE]);

#endif
