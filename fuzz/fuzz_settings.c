/* The two files that an operator writes: every step takes something, lines only grow, names lie in
 * the text. The first byte chooses the file. */
#include "base/config_file.h"
#include "base/env_file.h"

#include <stdlib.h>

static void require(bool holds) {
  if (!holds) abort();
}

static void read_env(struct bytes text) {
  struct env_file f = {.rest = text};
  int line = 0;
  buffer_init(&f.value, 256);
  for (size_t left = text.len + 1; env_file_next(&f, NULL) != STATUS_NOT_FOUND; line = f.line) {
    require(f.rest.len < left && f.line > line);
    left = f.rest.len;
  }
  buffer_done(&f.value);
}

static void read_config(struct bytes text) {
  struct config_file f = {.rest = text};
  enum status s;
  int line = 0;
  while ((s = config_file_next(&f, NULL)) != STATUS_NOT_FOUND) {
    require(f.line > line);
    line = f.line;
    if (s) continue;
    require(f.name.len && f.name.ptr >= text.ptr);
    require(!f.value.len || f.value.ptr + f.value.len <= text.ptr + text.len);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (!size) return 0;
  char *copy = malloc(size); /* of exactly this size: a read beyond it is seen */
  if (!copy) abort();
  memcpy(copy, data + 1, size - 1);
  struct bytes text = {copy, size - 1};
  if (data[0] & 1)
    read_env(text);
  else
    read_config(text);
  free(copy);
  return 0;
}
