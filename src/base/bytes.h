/* Bytes with a length, and a growing buffer with a hard maximum.
 *
 * `struct bytes` borrows; `struct buffer` owns. Nothing here depends on a NUL, but a buffer always
 * keeps one after its last byte so that what it holds can be handed to C text functions.
 * Not thread-safe; one owner at a time.
 */
#ifndef ARAGORA_BASE_BYTES_H
#define ARAGORA_BASE_BYTES_H

#include "base/status.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
  const char *ptr; /* may be NULL when len is 0 */
  size_t len;
};

#define BYTES_LITERAL(text) ((struct bytes){(text), sizeof(text) - 1})

static inline struct bytes bytes_of(const char *text) {
  return (struct bytes){text, text ? strlen(text) : 0};
}

static inline bool bytes_equal(struct bytes a, struct bytes b) {
  return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* As bytes_equal, but ASCII letters of either case are the same. `b` holds no NUL. */
bool bytes_equal_nocase(struct bytes a, struct bytes b);

/* To a descriptor, all of them; false with errno when they cannot be written. Blocks. */
bool bytes_write(struct bytes b, int fd);

/* A blank of a line: one, a tab, or the carriage return before a line's end. */
static inline bool bytes_is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}
/* Without those at both ends. */
struct bytes bytes_trimmed(struct bytes text);

static inline bool bytes_ends_with(struct bytes text, struct bytes end) {
  return text.len >= end.len &&
         bytes_equal((struct bytes){text.ptr + (text.len - end.len), end.len}, end);
}

/* What stands before the first `mark` in `text`; all of it when there is none. */
struct bytes bytes_until(struct bytes text, struct bytes mark);

/* The value of a hexadecimal digit of either case; -1 for any other character. */
int bytes_hex_value(char digit);

/* Lower-case hexadecimal of `len` bytes into `out`, which holds 2 * len + 1. */
void bytes_to_hex(const uint8_t *in, size_t len, char *out);

/* The inverse: exactly 2 * len hexadecimal digits of `text` into `out`. False on anything else. */
bool bytes_from_hex(struct bytes text, uint8_t *out, size_t len);

enum { BYTES_INT_SIZE = 21 };
/* `value` in decimal digits, NUL-terminated, and how many bytes that is. */
size_t bytes_from_int(int64_t value, char out[BYTES_INT_SIZE]);

struct buffer {
  char *ptr;     /* NULL until the first append */
  size_t len;    /* bytes in use */
  size_t cap;    /* bytes allocated, the closing NUL included */
  size_t max;    /* appending beyond this many bytes fails */
  bool overflow; /* an append failed (max or memory); sticky, later appends fail too */
};

/* An empty buffer that may grow to `max_bytes`. Allocates nothing. */
void buffer_init(struct buffer *b, size_t max_bytes);
void buffer_done(struct buffer *b);
/* Empties it and forgets an overflow; keeps the memory. */
void buffer_clear(struct buffer *b);

/* Each append answers false, sets `overflow` and changes nothing else when the maximum would be
 * passed or memory is short. A row of appends may be checked once, at the end, by `overflow`. */
bool buffer_reserve(struct buffer *b, size_t more);

/* Inline where there is room already, which is nearly always: documents are written in many small
 * appends, and the length of a literal is known to the compiler. */
static inline bool buffer_append(struct buffer *b, const void *data, size_t len) {
  /* cap is 0, and ptr NULL, or more than len */
  bool room = b->ptr && !b->overflow && len < b->cap - b->len;
  if (!room && !buffer_reserve(b, len)) return false;
  if (len) memcpy(b->ptr + b->len, data, len);
  b->len += len;
  b->ptr[b->len] = '\0';
  return true;
}

static inline bool buffer_append_bytes(struct buffer *b, struct bytes data) {
  return buffer_append(b, data.ptr, data.len);
}

static inline bool buffer_append_text(struct buffer *b, const char *text) {
  return buffer_append(b, text, strlen(text));
}

static inline bool buffer_append_char(struct buffer *b, char c) {
  return buffer_append(b, &c, 1);
}

bool buffer_printf(struct buffer *b, const char *format, ...) PRINTF_LIKE(2, 3);
bool buffer_vprintf(struct buffer *b, const char *format, va_list args) PRINTF_LIKE(2, 0);
bool buffer_append_int(struct buffer *b, int64_t value);
/* A JSON string with its quotes, escaped as RFC 8785 section 3.2.2.2 asks (shortest form, lower
 * case \u00xx). The input must be valid UTF-8; other bytes pass through. */
bool buffer_append_json_string(struct buffer *b, struct bytes text);

/* Removes the first n bytes (n <= len). */
void buffer_consume(struct buffer *b, size_t n);
/* The contents, NUL-terminated, now the caller's to free(); the buffer is empty again.
 * NULL on overflow. An empty buffer gives an allocated "". */
char *buffer_steal(struct buffer *b);

static inline struct bytes buffer_bytes(const struct buffer *b) {
  return (struct bytes){b->ptr, b->len};
}

/* A NUL-terminated copy of `data` for free(); NULL when memory is short. */
char *bytes_dup(struct bytes data);
/* Frees *text (NULL is fine) and puts such a copy of `data` there. STATUS_NOMEM changes nothing. */
MUST_CHECK enum status bytes_replace(char **text, struct bytes data);

/* Cleanup attributes: `FREE_LATER char *x = ...;` and `BUFFER_LATER struct buffer b;` */
void cleanup_free(void *pointer_to_pointer);
void cleanup_buffer(struct buffer *b);
#define FREE_LATER   __attribute__((cleanup(cleanup_free)))
#define BUFFER_LATER __attribute__((cleanup(cleanup_buffer)))

#endif
