#include "base/config_file.h"

static struct bytes take_line(struct config_file *f) {
  const char *end = memchr(f->rest.ptr, '\n', f->rest.len);
  struct bytes line = {f->rest.ptr, end ? (size_t)(end - f->rest.ptr) : f->rest.len};
  size_t used = line.len + (end != NULL);
  f->rest.ptr += used;
  f->rest.len -= used;
  f->line++;
  return bytes_trimmed(line);
}

/* What stands behind a value may only be a comment. */
static bool is_comment(struct bytes rest) {
  rest = bytes_trimmed(rest);
  return !rest.len || *rest.ptr == '#';
}

static enum status read_quoted(struct config_file *f, struct bytes text, struct error *err) {
  const char *close = memchr(text.ptr + 1, *text.ptr, text.len - 1);
  if (!close) return error_set(err, STATUS_INVALID, NULL, "a quotation mark is not closed");
  struct bytes rest = {close + 1, (size_t)(text.ptr + text.len - close - 1)};
  if (!is_comment(rest))
    return error_set(err, STATUS_INVALID, NULL,
                     "only a comment may follow the closing quotation mark");
  f->value = (struct bytes){text.ptr + 1, (size_t)(close - text.ptr - 1)};
  return STATUS_OK;
}

/* Up to a "#" behind a blank: one inside a word belongs to the value. */
static struct bytes without_comment(struct bytes text) {
  for (size_t i = 0; i < text.len; i++)
    if (text.ptr[i] == '#' && (i == 0 || bytes_is_blank(text.ptr[i - 1]))) text.len = i;
  return bytes_trimmed(text);
}

static enum status read_setting(struct config_file *f, struct bytes line, struct error *err) {
  const char *sign = memchr(line.ptr, '=', line.len);
  if (!sign) return error_set(err, STATUS_INVALID, NULL, "a line is NAME = value, or a # comment");
  f->name = bytes_trimmed((struct bytes){line.ptr, (size_t)(sign - line.ptr)});
  struct bytes value =
      bytes_trimmed((struct bytes){sign + 1, (size_t)(line.ptr + line.len - sign - 1)});
  if (!f->name.len) return error_set(err, STATUS_INVALID, NULL, "a name is missing before \"=\"");
  if (value.len && (*value.ptr == '"' || *value.ptr == '\'')) return read_quoted(f, value, err);
  f->value = without_comment(value);
  return STATUS_OK;
}

enum status config_file_next(struct config_file *f, struct error *err) {
  while (f->rest.len) {
    struct bytes line = take_line(f);
    if (!line.len || *line.ptr == '#') continue;
    return read_setting(f, line, err);
  }
  return STATUS_NOT_FOUND;
}
