/* A request target, its path and its query, the opening handshake's texts and the guard's, on any
 * bytes: what is decoded is valid UTF-8 without controls and never longer than it came. */
#include "base/utf8.h"
#include "http/guard.h"
#include "http/handshake.h"
#include "http/query.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_path(struct bytes path) {
  char *out = malloc(path.len + 1);
  if (!out) abort();
  if (query_decode_path(path, out)) {
    struct bytes decoded = bytes_of(out);
    if (decoded.len > path.len || !utf8_valid(decoded)) abort();
    for (size_t i = 0; i < decoded.len; i++) {
      if ((unsigned char)out[i] < 0x20) abort();
    }
  }
  free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct bytes target = {(const char *)data, size}, path, query;
  if (query_split_target(target, &path, &query)) {
    check_path(path);
    char *value = query_find(query, "q");
    if (value && (strlen(value) > query.len || !utf8_valid(bytes_of(value)))) abort();
    free(value);
  }
  FREE_LATER char *text = bytes_dup(target);
  char accept[HANDSHAKE_ACCEPT_SIZE];
  if (!text) abort();
  handshake_accept(text, accept);
  handshake_list_has(text, "upgrade");
  guard_host_is_local(text);
  guard_origin_is_local(text);
  return 0;
}
