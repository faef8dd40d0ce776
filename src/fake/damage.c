#include "fake/damage.h"

#include "base/utf8.h"
#include "fake/gzip_bomb.h"

#include <time.h>

enum {
  COMMENT_MS = 100,
  DRIP_MS = 100,
  TEN_HOURS_S = 10 * 3600,
  DATE_AHEAD_S = 2,
  LONG_LINE_BYTES = 1024 * 1024,
  ENDLESS_BYTES = 16 * 1024, /* of one write */
  BOMB_BYTES = 8 * 1024 * 1024,
};

/* ---- the text ---- */

static const char prose[] =
    "On balance I would go ahead, though I am not certain. The main reason is that the cost of "
    "trying is small, and what is learnt stays useful either way. I may be wrong about this.";
static const char garbage[] = "<<<%% 0xdeadbeef {\"answer\": [unclosed, 'quoted': nope,,}";

struct bytes damage_text(const struct fault *fault, struct bytes text, struct buffer *scratch) {
  switch (fault->kind) {
    case FAULT_REFUSAL:
    case FAULT_EMPTY_CONTENT: return (struct bytes){text.ptr, 0};
    case FAULT_TRUNCATED: return (struct bytes){text.ptr, utf8_prefix(text, text.len / 2)};
    case FAULT_PROSE: return bytes_of(prose);
    case FAULT_GARBAGE: return bytes_of(garbage);
    case FAULT_FENCED:
      buffer_clear(scratch);
      buffer_append_text(scratch, "Here is my answer:\n\n```json\n");
      buffer_append_bytes(scratch, text);
      buffer_append_text(scratch, "\n```\nI hope this helps.\n");
      return buffer_bytes(scratch);
    default: return text;
  }
}

/* ---- the worded answer ---- */

/* A place near the middle: between two records, or anywhere in a body that has none. */
static size_t middle(const struct outbound *o, bool records) {
  size_t at = 0;
  if (!records) return o->body.len / 2;
  while (at < o->body.len / 2) at = outbound_record_end(o, at);
  return at;
}

static void shorten(struct outbound *o, size_t len) {
  o->declared = o->body.len;
  o->body.len = len;
}

static void break_off(struct outbound *o, bool records, enum outbound_end end) {
  shorten(o, middle(o, records));
  o->unfinished = true;
  o->end = end;
}

static void put_error_mid(const struct vendor *vendor, bool records, uint64_t number,
                          const char *words, struct outbound *o) {
  struct vendor_error e = {
      .status = vendor == &vendor_anthropic ? 529 : 503, .text = words, .number = number};
  o->body.len = records ? middle(o, true) : 0;
  if (records)
    vendor->error_record(&e, &o->body);
  else
    vendor->error(&e, &o->body);
}

static void repeat_for_ever(const struct fault *fault, bool records, struct outbound *o) {
  o->end = OUTBOUND_REPEAT;
  o->chunked = true;
  if (fault->kind == FAULT_COMMENTS) {
    o->body.len = 0;
    o->again_ms = COMMENT_MS;
    buffer_append_text(&o->again, records && !o->lines ? ": keep-alive\n\n" : "\n");
    return;
  }
  size_t last = 0, end = 0;
  size_t half = o->body.len / 2;
  while (records && end < half) {
    last = end;
    end = outbound_record_end(o, end);
  }
  struct bytes record =
      records ? (struct bytes){o->body.ptr + last, end - last} : BYTES_LITERAL("and so on ");
  while (record.len && o->again.len < ENDLESS_BYTES && !o->again.overflow)
    buffer_append_bytes(&o->again, record);
  o->body.len = records ? end : half;
}

static void put_long_line(bool records, struct outbound *o) {
  BUFFER_LATER struct buffer line;
  buffer_init(&line, LONG_LINE_BYTES + 256);
  if (records) buffer_append_text(&line, o->lines ? "" : "data: ");
  if (records) buffer_append_text(&line, "{\"type\":\"ping\",\"padding\":\"");
  if (!buffer_reserve(&line, LONG_LINE_BYTES)) {
    o->body.overflow = true;
    return;
  }
  memset(line.ptr + line.len, records ? 'x' : ' ', LONG_LINE_BYTES);
  line.len += LONG_LINE_BYTES;
  if (records) buffer_append_text(&line, o->lines ? "\"}\n" : "\"}\n\n");
  outbound_insert(o, records ? middle(o, true) : 0, buffer_bytes(&line));
}

static void put_malformed(bool records, struct outbound *o) {
  struct bytes broken =
      o->lines ? BYTES_LITERAL("{\"broken\":\n") : BYTES_LITERAL("data: {\"broken\":\n\n");
  if (records)
    outbound_insert(o, middle(o, true), broken);
  else if (o->body.len)
    o->body.len--;
}

static void cut_in_character(bool records, struct outbound *o) {
  o->body.len = middle(o, records);
  if (records) buffer_append_text(&o->body, o->lines ? "{\"x\":\"" : "data: {\"x\":\"");
  buffer_append_text(&o->body, "\xe2\x82"); /* the first two bytes of a euro sign */
}

/* Lines of a stream ended by `end`, with or without the space after a field's name. */
static void rewrite_lines(struct outbound *o, const char *end, bool space) {
  struct buffer out;
  buffer_init(&out, o->body.max);
  bool at_start = true;
  for (size_t i = 0; i < o->body.len; i++) {
    char c = o->body.ptr[i];
    struct bytes rest = {o->body.ptr + i, o->body.len - i};
    size_t name = rest.len > 6 && memcmp(rest.ptr, "data: ", 6) == 0    ? 5
                  : rest.len > 7 && memcmp(rest.ptr, "event: ", 7) == 0 ? 6
                                                                        : 0;
    if (at_start && !space && name) {
      buffer_append(&out, rest.ptr, name);
      i += name;
      at_start = false;
      continue;
    }
    at_start = c == '\n';
    if (c == '\n')
      buffer_append_text(&out, end);
    else
      buffer_append_char(&out, c);
  }
  if (out.overflow) o->body.overflow = true;
  struct buffer swap = o->body;
  o->body = out;
  o->body.overflow |= swap.overflow;
  buffer_done(&swap);
}

static void put_before(struct outbound *o, struct bytes text, int times) {
  while (times--) outbound_insert(o, 0, text);
}

void damage_answer(const struct fault *fault, const struct vendor *vendor, bool records,
                   uint64_t number, const char *words, struct outbound *o) {
  bool events = records && !o->lines;
  switch (fault->kind) {
    case FAULT_ERROR_MID: put_error_mid(vendor, records, number, words, o); break;
    case FAULT_CUT: break_off(o, records, OUTBOUND_CLOSE); break;
    case FAULT_RESET_TEXT: break_off(o, records, OUTBOUND_RESET); break;
    case FAULT_STALL_TEXT: break_off(o, records, OUTBOUND_HOLD); break;
    case FAULT_CUT_CLEAN: o->body.len = middle(o, records); break;
    case FAULT_CUT_CHAR: cut_in_character(records, o); break;
    case FAULT_COMMENTS:
    case FAULT_ENDLESS: repeat_for_ever(fault, records, o); break;
    case FAULT_COMMENTS_FIRST:
      put_before(o, events ? BYTES_LITERAL(": PROCESSING\n\n") : BYTES_LITERAL("\n"), 3);
      break;
    case FAULT_BLANK_LINES: put_before(o, BYTES_LITERAL("\n"), 4); break;
    case FAULT_DRIP: o->write_max = 1, o->write_ms = DRIP_MS; break;
    case FAULT_LINE_1MB: put_long_line(records, o); break;
    case FAULT_MALFORMED_EVENT: put_malformed(records, o); break;
    case FAULT_CRLF: rewrite_lines(o, "\r\n", true); break;
    case FAULT_CR:
      if (events) rewrite_lines(o, "\r", true);
      break;
    case FAULT_NO_SPACE: rewrite_lines(o, "\n", false); break;
    case FAULT_UTF8_SPLIT: o->write_max = 1; break;
    default: break; /* done by damage_text or by the vendor */
  }
}

/* ---- instead of an answer ---- */

static void append_retry(const struct fault *fault, int64_t wall_s, struct outbound *o) {
  static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  time_t then = wall_s + DATE_AHEAD_S;
  struct tm tm;
  switch (fault->retry) {
    case RETRY_NOT_SAID: break;
    case RETRY_1_S: buffer_append_text(&o->headers, "retry-after: 1\r\n"); break;
    case RETRY_250_MS: buffer_append_text(&o->headers, "retry-after-ms: 250\r\n"); break;
    case RETRY_10_H: buffer_printf(&o->headers, "retry-after: %d\r\n", TEN_HOURS_S); break;
    case RETRY_DATE: /* RFC 9110, 5.6.7; not strftime, which knows locales */
      gmtime_r(&then, &tm);
      buffer_printf(&o->headers, "retry-after: %s, %02d %s %d %02d:%02d:%02d GMT\r\n",
                    days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour,
                    tm.tm_min, tm.tm_sec);
      break;
  }
}

static void answer_error(const struct fault *fault, const struct vendor *vendor, uint64_t number,
                         int64_t wall_s, const char *words, struct outbound *o) {
  struct vendor_error e = {
      .status = fault->status, .quota = fault->quota, .text = words, .number = number};
  if (fault->retry == RETRY_1_S) e.retry_s = 1;
  if (fault->retry == RETRY_10_H) e.retry_s = TEN_HOURS_S;
  o->content_type = "application/json";
  append_retry(fault, wall_s, o);
  vendor->error(&e, &o->body);
}

static void answer_page(struct outbound *o) {
  o->content_type = "text/html; charset=utf-8";
  buffer_printf(&o->body,
                "<!DOCTYPE html>\n<html><head><title>%d</title></head>\n"
                "<body><h1>%s</h1><hr><p>fake-proxy/1.0</p></body></html>\n",
                o->status, o->status == 200 ? "Welcome" : "Bad Gateway");
}

static void answer_error_200(const struct vendor *vendor, uint64_t number, const char *words,
                             struct outbound *o) {
  struct vendor_error e = {.status = 503, .text = words, .number = number};
  o->content_type = vendor->stream_type;
  o->chunked = true;
  vendor->error_record(&e, &o->body);
}

static void answer_bomb(struct outbound *o) {
  o->content_type = "application/json";
  buffer_append_text(&o->headers, "content-encoding: gzip\r\n");
  o->chunked = true;
  o->record_rate = 0; /* it has no records */
  gzip_bomb_append(&o->body, BOMB_BYTES);
}

bool damage_instead(const struct fault *fault, const struct vendor *vendor, uint64_t number,
                    int64_t wall_s, const char *words, struct outbound *o) {
  o->status = fault->status;
  switch (fault->kind) {
    case FAULT_STATUS: answer_error(fault, vendor, number, wall_s, words, o); return true;
    case FAULT_HTML: answer_page(o); return true;
    case FAULT_EMPTY_BODY: o->content_type = "application/json"; return true;
    case FAULT_REDIRECT:
      buffer_append_text(&o->headers, "location: http://127.0.0.2:9/elsewhere\r\n");
      return true;
    case FAULT_ERROR_200: answer_error_200(vendor, number, words, o); return true;
    case FAULT_GZIP_BOMB: answer_bomb(o); return true;
    case FAULT_RESET:
    case FAULT_STALL_HEAD:
      o->silent = true;
      o->end = fault->kind == FAULT_RESET ? OUTBOUND_RESET : OUTBOUND_HOLD;
      return true;
    default: return false;
  }
}
