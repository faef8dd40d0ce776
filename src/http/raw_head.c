#include "http/raw_head.h"

enum { RAW_HEAD_LINE_END = 2 /* CRLF */ };

void raw_head_begin(struct raw_head *h, const char *method, struct bytes target,
                    const char *version) {
  h->broken = method + strlen(method) + 1 != target.ptr || target.ptr + target.len + 1 != version;
  h->next = version + strlen(version) + RAW_HEAD_LINE_END;
}

/* Blanks may stand around a value, nothing else. */
static bool raw_head_is_blank(const char *from, const char *to) {
  for (; from < to; from++) {
    if (*from != ' ' && *from != '\t') return false;
  }
  return true;
}

void raw_head_field(struct raw_head *h, struct bytes name, struct bytes value) {
  const char *after_colon = name.ptr + name.len + 1;
  if (h->broken || name.ptr != h->next || value.ptr < after_colon ||
      !raw_head_is_blank(after_colon, value.ptr)) {
    h->broken = true;
    return;
  }
  h->next = value.ptr + value.len + RAW_HEAD_LINE_END;
}

bool raw_head_end(const struct raw_head *h, const char *end) {
  return !h->broken && h->next + RAW_HEAD_LINE_END == end;
}
