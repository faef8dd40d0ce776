#include "http/router.h"

#include <stdlib.h>

enum { ROUTER_METHODS = 6 };
static const char *const router_methods[ROUTER_METHODS] = {"GET",   "POST",   "PUT",
                                                           "PATCH", "DELETE", "OPTIONS"};

struct router_node {
  struct router_node *next;  /* sibling */
  struct router_node *first; /* literal children */
  struct router_node *any;   /* the {name} child */
  struct bytes name;         /* the literal, or the name of the parameter; the row's memory */
  const void *rows[ROUTER_METHODS];
};

struct router {
  struct router_node root;
};

enum status router_create(struct router **ret_router, struct error *err) {
  struct router *router = calloc(1, sizeof *router);
  if (!router) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  *ret_router = router;
  return STATUS_OK;
}

static void router_free_children(struct router_node *node) {
  while (node->first) {
    struct router_node *child = node->first;
    node->first = child->next;
    router_free_children(child);
    free(child);
  }
  if (node->any) router_free_children(node->any);
  free(node->any);
}

void router_destroy(struct router *router) {
  if (!router) return;
  router_free_children(&router->root);
  free(router);
}

/* Cuts the first segment, without its slash, off a path that begins with one. */
static struct bytes router_cut(struct bytes *path) {
  const char *from = path->ptr + 1;
  size_t rest = path->len - 1;
  const char *slash = rest > 0 ? memchr(from, '/', rest) : NULL;
  size_t len = slash ? (size_t)(slash - from) : rest;
  *path = (struct bytes){from + len, rest - len};
  return (struct bytes){from, len};
}

static int router_method_index(const char *method) {
  for (int i = 0; i < ROUTER_METHODS; i++) {
    if (strcmp(router_methods[i], method) == 0) return i;
  }
  return -1;
}

static struct router_node *router_child(struct router_node *node, struct bytes segment) {
  bool any = segment.len > 2 && segment.ptr[0] == '{' && segment.ptr[segment.len - 1] == '}';
  struct router_node *child = any ? node->any : node->first;
  while (!any && child && !bytes_equal(child->name, segment)) child = child->next;
  if (child) return child;
  child = calloc(1, sizeof *child);
  if (!child) return NULL;
  child->name = any ? (struct bytes){segment.ptr + 1, segment.len - 2} : segment;
  if (any) {
    node->any = child;
  } else {
    child->next = node->first;
    node->first = child;
  }
  return child;
}

enum status router_add(struct router *router, const char *method, const char *path, const void *row,
                       struct error *err) {
  int at = router_method_index(method);
  struct bytes rest = bytes_of(path);
  if (at < 0 || rest.len == 0 || rest.ptr[0] != '/') {
    return error_set(err, STATUS_INVALID, "route", "%s %s is no route", method, path);
  }
  struct router_node *node = &router->root;
  while (rest.len > 0) {
    node = router_child(node, router_cut(&rest));
    if (!node) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  }
  if (node->rows[at]) {
    return error_set(err, STATUS_CONFLICT, "route", "%s %s is in the table twice", method, path);
  }
  node->rows[at] = row;
  return STATUS_OK;
}

static bool router_has_row(const struct router_node *node) {
  for (int i = 0; i < ROUTER_METHODS; i++) {
    if (node->rows[i]) return true;
  }
  return false;
}

/* Recursion as deep as the path has segments, which is bounded. */
static bool router_walk(const struct router_node *node, struct bytes path, size_t depth,
                        struct router_match *m) {
  if (path.len == 0) {
    m->node = node;
    return router_has_row(node);
  }
  if (depth == ROUTER_SEGMENTS_MAX) return false;
  struct bytes segment = router_cut(&path);
  for (const struct router_node *child = node->first; child; child = child->next) {
    if (bytes_equal(child->name, segment)) {
      if (router_walk(child, path, depth + 1, m)) return true;
      break;
    }
  }
  if (!node->any || segment.len == 0 || m->param_count == ROUTER_PARAMS_MAX) return false;
  m->param_names[m->param_count] = node->any->name;
  m->params[m->param_count++] = segment;
  if (router_walk(node->any, path, depth + 1, m)) return true;
  m->param_count--;
  return false;
}

bool router_match(const struct router *router, struct bytes path, struct router_match *ret_match) {
  struct router_match m = {0};
  if (path.len == 0 || path.ptr[0] != '/' || !router_walk(&router->root, path, 0, &m)) return false;
  *ret_match = m;
  return true;
}

const void *router_row(const struct router_match *match, const char *method) {
  int at = router_method_index(strcmp(method, "HEAD") == 0 ? "GET" : method);
  return at < 0 ? NULL : match->node->rows[at];
}

void router_allow(const struct router_match *match, char out[ROUTER_ALLOW_SIZE]) {
  struct buffer b;
  buffer_init(&b, ROUTER_ALLOW_SIZE - 1);
  for (int i = 0; i < ROUTER_METHODS - 1; i++) {
    if (!match->node->rows[i]) continue;
    buffer_append_text(&b, router_methods[i]);
    buffer_append_text(&b, i == 0 ? ", HEAD, " : ", ");
  }
  buffer_append_text(&b, "OPTIONS");
  memcpy(out, b.ptr ? b.ptr : "", b.len + 1);
  buffer_done(&b);
}
