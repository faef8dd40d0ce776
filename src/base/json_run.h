/* Runs of bytes that stand for themselves within a JSON string, found eight bytes at a time: the
 * writer of strings (bytes.c) and the scanner (json_scan.c) spend most of their time in them.
 */
#ifndef ARAGORA_BASE_JSON_RUN_H
#define ARAGORA_BASE_JSON_RUN_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The top bit of each byte of `w` that ends a run: a control, a quote, a backslash (RFC 8259
 * section 7), and where `ascii`, all beyond it. There may be false ones, but only above a true one
 * (a borrow), so that 0 means none and the lowest is true. */
static inline uint64_t json_run_ends(uint64_t w, bool ascii) {
  const uint64_t ones = UINT64_C(0x0101010101010101);
  const uint64_t tops = UINT64_C(0x8080808080808080);
  uint64_t quote = w ^ (ones * '"');
  uint64_t slash = w ^ (ones * '\\');
  uint64_t ends = (w - ones * 0x20) | (quote - ones) | (slash - ones);
  return (ascii ? ends | w : ends & ~w) & tops;
}

static inline size_t json_run_length(const char *p, const char *end, bool ascii) {
  const char *start = p;
  for (;;) {
    uint64_t w = 0; /* zeros behind the last bytes end the run as any control does */
    size_t left = (size_t)(end - p);
    if (left >= sizeof w)
      memcpy(&w, p, sizeof w);
    else if (left)
      memcpy(&w, p, left);
    uint64_t ends = json_run_ends(le64toh(w), ascii);
    if (ends) return (size_t)(p - start) + (size_t)__builtin_ctzll(ends) / 8;
    p += sizeof w;
  }
}

/* Length of the run at `p`: of any text, or of ASCII alone. */
static inline size_t json_run_of_text(const char *p, const char *end) {
  return json_run_length(p, end, false);
}

static inline size_t json_run_of_ascii(const char *p, const char *end) {
  return json_run_length(p, end, true);
}

#endif
