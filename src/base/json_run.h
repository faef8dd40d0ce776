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

/* Whether a byte of text stands for itself. */
static inline bool json_run_has(unsigned char c) {
  return c >= 0x20 && c != '"' && c != '\\';
}

/* Of fewer than eight bytes. Out of line, so that its word in memory, which the compiler guards, is
 * not the callers' price. */
size_t json_run_tail(const char *p, size_t len, bool ascii);

static inline size_t json_run_length(const char *p, const char *end, bool ascii) {
  const char *start = p;
  for (; end - p >= 8; p += 8) {
    uint64_t w;
    memcpy(&w, p, sizeof w);
    uint64_t ends = json_run_ends(le64toh(w), ascii);
    if (ends) return (size_t)(p - start) + (size_t)__builtin_ctzll(ends) / 8;
  }
  return (size_t)(p - start) + json_run_tail(p, (size_t)(end - p), ascii);
}

/* Length of the run at `p`: of any text, or of ASCII alone. */
static inline size_t json_run_of_text(const char *p, const char *end) {
  return json_run_length(p, end, false);
}

static inline size_t json_run_of_ascii(const char *p, const char *end) {
  return json_run_length(p, end, true);
}

#endif
