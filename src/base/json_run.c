#include "base/json_run.h"

size_t json_run_tail(const char *p, size_t len, bool ascii) {
  uint64_t w = 0; /* zeros behind the last byte end the run as any control does */
  if (len) memcpy(&w, p, len);
  return (size_t)__builtin_ctzll(json_run_ends(le64toh(w), ascii)) / 8;
}
