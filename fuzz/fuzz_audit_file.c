/* What `aragora audit verify FILE --log LOG` reads, both of unknown origin: each line is a row, or
 * refused with a reason; whatever the rows say, the walk ends, and each fault that it names can be
 * told. */
#include "ops/audit_file.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
  if (!holds) abort();
}

static void tell_faults(const struct audit_walk *walk) {
  for (size_t i = 0; i < walk->fault_count && i < AUDIT_FAULTS_MAX; i++) {
    struct buffer text;
    buffer_init(&text, 512);
    audit_fault_describe(&walk->faults[i], &text);
    require(text.len > 0);
    buffer_done(&text);
  }
}

typedef bool line_fn(void *ctx, struct bytes line);

/* Each line in memory of exactly its size, so that a read beyond it is seen. */
static void each_line(const uint8_t *data, size_t size, line_fn *each, void *ctx) {
  struct bytes rest = {(const char *)data, size};
  bool more = true;
  while (more && rest.len) {
    const char *end = memchr(rest.ptr, '\n', rest.len);
    size_t len = end ? (size_t)(end - rest.ptr) : rest.len;
    size_t used = len + (end != NULL);
    char *copy = malloc(len ? len : 1);
    require(copy != NULL);
    memcpy(copy, rest.ptr, len);
    more = each(ctx, (struct bytes){copy, len});
    free(copy);
    rest = (struct bytes){rest.ptr + used, rest.len - used};
  }
}

static bool take_anchor(void *ctx, struct bytes line) {
  require(audit_anchors_take_line(ctx, line));
  return true;
}

static bool take_row(void *ctx, struct bytes line) {
  struct error err = {0};
  enum status s = audit_file_walk(ctx, line, &err);
  require(!s || err.message[0]);
  return !s;
}

/* The same lines are both. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct audit_anchors anchors = {0};
  each_line(data, size, take_anchor, &anchors);
  audit_anchors_sort(&anchors);
  struct audit_walk walk = {.anchors = anchors.marks, .anchor_count = anchors.count};
  each_line(data, size, take_row, &walk);
  bool whole = audit_walk_end(&walk);
  require(whole == (walk.fault_count == 0));
  tell_faults(&walk);
  free(anchors.marks);
  return 0;
}
