#include "base/env_file.h"

#include <ctype.h>

static char take(struct env_file *f) {
  char c = *f->rest.ptr++;
  f->rest.len--;
  if (c == '\n') f->next_line++;
  return c;
}

static void skip_line(struct env_file *f) {
  while (f->rest.len && take(f) != '\n') continue;
}

static bool is_name(struct bytes name) {
  if (!name.len || isdigit((unsigned char)name.ptr[0])) return false;
  for (size_t i = 0; i < name.len; i++)
    if (!isalnum((unsigned char)name.ptr[i]) && name.ptr[i] != '_') return false;
  return true;
}

/* Behind its opening mark, up to and with the closing one. False when there is none. */
static bool read_quoted(struct env_file *f, char mark) {
  while (f->rest.len) {
    char c = take(f);
    if (c == mark) return true;
    bool escapes = c == '\\' && mark == '"' && f->rest.len;
    if (escapes && strchr("\"\\`$\n", *f->rest.ptr)) {
      c = take(f);
      if (c == '\n') continue;
    }
    buffer_append_char(&f->value, c);
  }
  return false;
}

/* Up to the end of the line. Blanks behind the last other character are not kept, but for those
 * that a backslash made ordinary. */
static void read_plain(struct env_file *f) {
  size_t end = f->value.len;
  while (f->rest.len) {
    char c = take(f);
    if (c == '\n') break;
    bool escaped = c == '\\' && f->rest.len;
    if (escaped) {
      c = take(f);
      if (c == '\n') continue;
    }
    buffer_append_char(&f->value, c);
    if (escaped || !bytes_is_blank(c)) end = f->value.len;
  }
  if (f->value.overflow) return;
  f->value.len = end;
  if (f->value.ptr) f->value.ptr[end] = '\0';
}

/* Quoted pieces follow each other, blanks between them are nothing; what is not quoted goes to the
 * end of the line, quotation marks in it included. */
static bool read_value(struct env_file *f) {
  while (f->rest.len) {
    char c = *f->rest.ptr;
    if (c == '\n') {
      take(f);
      return true;
    }
    if (bytes_is_blank(c)) {
      take(f);
    } else if (c == '\'' || c == '"') {
      take(f);
      if (!read_quoted(f, c)) return false;
    } else {
      read_plain(f);
      return true;
    }
  }
  return true;
}

static enum status read_assignment(struct env_file *f, size_t name_len, struct error *err) {
  f->name = bytes_trimmed((struct bytes){f->rest.ptr, name_len});
  f->rest.ptr += name_len + 1;
  f->rest.len -= name_len + 1;
  if (!is_name(f->name)) {
    skip_line(f);
    return error_set(err, STATUS_INVALID, NULL,
                     "what stands before \"=\" is no name of a variable; letters, digits and \"_\" "
                     "make one");
  }
  buffer_clear(&f->value);
  if (!read_value(f)) return error_set(err, STATUS_INVALID, NULL, "a quotation mark is not closed");
  if (f->value.overflow)
    return error_set(err, STATUS_TOO_LARGE, NULL, "the value is longer than %zu bytes",
                     f->value.max);
  return STATUS_OK;
}

enum status env_file_next(struct env_file *f, struct error *err) {
  while (f->rest.len) {
    f->line = f->next_line + 1;
    if (bytes_is_blank(*f->rest.ptr) || *f->rest.ptr == '\n') {
      take(f);
      continue;
    }
    const char *end = memchr(f->rest.ptr, '\n', f->rest.len);
    size_t len = end ? (size_t)(end - f->rest.ptr) : f->rest.len;
    const char *sign = memchr(f->rest.ptr, '=', len);
    if (*f->rest.ptr == '#' || *f->rest.ptr == ';' || !sign)
      skip_line(f);
    else
      return read_assignment(f, (size_t)(sign - f->rest.ptr), err);
  }
  return STATUS_NOT_FOUND;
}
