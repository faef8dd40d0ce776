#include "fake/inbound.h"

#include <ctype.h>
#include <strings.h>

struct reading {
  struct inbound *r;
  int hosts, lengths;
  size_t length;
  int status; /* of a refusal, 0 = none */
};

static bool refuse(struct reading *reading, int status) {
  reading->status = status;
  return false;
}

static bool is_token(struct bytes text) { /* RFC 9110, 5.6.2 */
  for (size_t i = 0; i < text.len; i++)
    if (!isalnum((unsigned char)text.ptr[i]) &&
        (!text.ptr[i] || !strchr("!#$%&'*+-.^_`|~", text.ptr[i])))
      return false;
  return text.len > 0;
}

static bool has_word(struct bytes list, const char *word) {
  size_t n = strlen(word);
  for (size_t i = 0; i + n <= list.len; i++)
    if (strncasecmp(list.ptr + i, word, n) == 0) return true;
  return false;
}

static struct bytes trimmed(struct bytes text) {
  while (text.len && (*text.ptr == ' ' || *text.ptr == '\t')) text.ptr++, text.len--;
  while (text.len && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t')) text.len--;
  return text;
}

static bool read_request_line(struct reading *reading, struct bytes line) {
  struct inbound *r = reading->r;
  const char *first = memchr(line.ptr, ' ', line.len);
  const char *last = memrchr(line.ptr, ' ', line.len);
  if (!first || first == last) return refuse(reading, 400);
  r->method = (struct bytes){line.ptr, (size_t)(first - line.ptr)};
  struct bytes target = {first + 1, (size_t)(last - first - 1)};
  struct bytes version = {last + 1, (size_t)(line.ptr + line.len - last - 1)};
  if (!is_token(r->method) || !target.len || *target.ptr != '/') return refuse(reading, 400);
  for (size_t i = 0; i < target.len; i++)
    if ((unsigned char)target.ptr[i] <= ' ' || target.ptr[i] == 0x7f) return refuse(reading, 400);
  r->old = bytes_equal(version, BYTES_LITERAL("HTTP/1.0"));
  if (!r->old && !bytes_equal(version, BYTES_LITERAL("HTTP/1.1"))) return refuse(reading, 505);
  r->close = r->old;
  const char *question = memchr(target.ptr, '?', target.len);
  r->path = (struct bytes){target.ptr, question ? (size_t)(question - target.ptr) : target.len};
  if (question)
    r->query = (struct bytes){question + 1, (size_t)(target.ptr + target.len - question - 1)};
  return true;
}

static bool read_length(struct reading *reading, struct bytes value) {
  size_t length = 0;
  if (!value.len || reading->lengths++) return refuse(reading, 400);
  for (size_t i = 0; i < value.len; i++) {
    if (!isdigit((unsigned char)value.ptr[i])) return refuse(reading, 400);
    length = length * 10 + (size_t)(value.ptr[i] - '0');
    if (length > INBOUND_BODY_MAX) return refuse(reading, 413);
  }
  reading->length = length;
  return true;
}

static bool read_header(struct reading *reading, struct bytes line) {
  struct inbound *r = reading->r;
  const char *colon = memchr(line.ptr, ':', line.len);
  if (!colon) return refuse(reading, 400);
  struct bytes name = {line.ptr, (size_t)(colon - line.ptr)};
  struct bytes value = trimmed((struct bytes){colon + 1, line.len - name.len - 1});
  if (!is_token(name)) return refuse(reading, 400); /* a folded line begins with a space */
  for (size_t i = 0; i < value.len; i++)
    if ((unsigned char)value.ptr[i] < ' ' && value.ptr[i] != '\t') return refuse(reading, 400);
  if (bytes_equal_nocase(name, BYTES_LITERAL("content-length"))) return read_length(reading, value);
  if (bytes_equal_nocase(name, BYTES_LITERAL("transfer-encoding"))) return refuse(reading, 501);
  if (bytes_equal_nocase(name, BYTES_LITERAL("host"))) {
    reading->hosts++;
  } else if (bytes_equal_nocase(name, BYTES_LITERAL("connection"))) {
    if (has_word(value, "close")) r->close = true;
    if (r->old && has_word(value, "keep-alive")) r->close = false;
  } else if (bytes_equal_nocase(name, BYTES_LITERAL("expect"))) {
    r->expects_continue = bytes_equal_nocase(value, BYTES_LITERAL("100-continue"));
  } else if (bytes_equal_nocase(name, BYTES_LITERAL("x-fake-fault"))) {
    r->fault = value;
  } else if (bytes_equal_nocase(name, BYTES_LITERAL("x-api-key")) ||
             bytes_equal_nocase(name, BYTES_LITERAL("x-goog-api-key"))) {
    r->key = value;
  } else if (bytes_equal_nocase(name, BYTES_LITERAL("authorization"))) {
    const struct bytes scheme = BYTES_LITERAL("Bearer ");
    bool bearer = value.len > scheme.len && strncasecmp(value.ptr, scheme.ptr, scheme.len) == 0;
    if (bearer) r->key = (struct bytes){value.ptr + scheme.len, value.len - scheme.len};
  }
  return true;
}

static bool read_head(struct reading *reading, struct bytes head) {
  const char *p = head.ptr;
  const char *end = head.ptr + head.len;
  for (int lines = 0; p < end; lines++) {
    const char *line_end = memmem(p, (size_t)(end - p), "\r\n", 2);
    if (!line_end || lines > INBOUND_HEADERS_MAX) return refuse(reading, line_end ? 431 : 400);
    struct bytes line = {p, (size_t)(line_end - p)};
    p = line_end + 2;
    if (!(lines ? read_header(reading, line) : read_request_line(reading, line))) return false;
  }
  /* RFC 9112, 3.2: exactly one Host in HTTP/1.1. */
  if (reading->hosts > 1 || (!reading->hosts && !reading->r->old)) return refuse(reading, 400);
  return true;
}

enum inbound_result inbound_parse(struct bytes data, struct inbound *ret_request, int *ret_status) {
  struct inbound r = {0};
  struct reading reading = {.r = &r};
  size_t looked = data.len < INBOUND_HEAD_MAX ? data.len : INBOUND_HEAD_MAX;
  const char *end = looked ? memmem(data.ptr, looked, "\r\n\r\n", 4) : NULL;
  *ret_request = r;
  if (!end) {
    /* A line that ends in a bare LF will never become a head. */
    const char *lf = looked ? memchr(data.ptr, '\n', looked) : NULL;
    *ret_status = looked == INBOUND_HEAD_MAX ? 431 : 400;
    bool bad = looked == INBOUND_HEAD_MAX || (lf && (lf == data.ptr || lf[-1] != '\r'));
    return bad ? INBOUND_BAD : INBOUND_MORE;
  }
  if (!read_head(&reading, (struct bytes){data.ptr, (size_t)(end - data.ptr) + 2})) {
    *ret_status = reading.status;
    return INBOUND_BAD;
  }
  r.head_bytes = (size_t)(end - data.ptr) + 4;
  r.total_bytes = r.head_bytes + reading.length;
  bool whole = data.len >= r.total_bytes;
  if (whole) r.body = (struct bytes){data.ptr + r.head_bytes, reading.length};
  *ret_request = r;
  return whole ? INBOUND_WHOLE : INBOUND_MORE;
}
