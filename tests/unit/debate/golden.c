#include "golden.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void read_line(json_t *line, const char *canonical, struct check_line *ret) {
  const char *salt = json_get_text(line, "salt", "");
  const char *digest = json_get_text(line, "data_digest", "");
  const char *hash = json_get_text(line, "hash", "");
  *ret = (struct check_line){.seq = (uint64_t)json_get_int(line, "seq", 0),
                             .type = json_get_text(line, "type", ""),
                             .ts_ms = json_get_int(line, "ts", -1),
                             .round = (int)json_get_int(line, "round", -1),
                             .agent = json_get_text(line, "agent", NULL),
                             .data = bytes_of(canonical)};
  assert_true(bytes_from_hex(bytes_of(salt), ret->salt, sizeof ret->salt));
  assert_true(bytes_from_hex(bytes_of(digest), ret->digest, sizeof ret->digest));
  assert_true(bytes_from_hex(bytes_of(hash), ret->hash, sizeof ret->hash));
}

void golden_refold(const char *path, struct check *check) {
  FILE *file = fopen(path, "r");
  if (!file) fail_msg("%s: %s", path, strerror(errno));
  char *text = NULL;
  size_t cap = 0;
  while (getline(&text, &cap, file) > 0) {
    JSON_LATER json_t *line = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(line);
    FREE_LATER char *data = json_canonical_dup(json_object_get(line, "data"));
    assert_non_null(data);
    struct check_line l;
    read_line(line, data, &l);
    if (!check_feed(check, &l)) break;
  }
  free(text);
  fclose(file);
}
