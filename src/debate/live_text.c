#include "debate/live_text.h"

static void put_code(struct buffer *out, unsigned code) {
  bool surrogate = code >= 0xd800 && code <= 0xdfff;
  bool control = code < 0x20 && code != '\n' && code != '\t';
  if (surrogate || control || code == 0x7f) code = 0xfffd;
  if (code < 0x80) {
    buffer_append_char(out, (char)code);
  } else if (code < 0x800) {
    buffer_append_char(out, (char)(0xc0 | code >> 6));
    buffer_append_char(out, (char)(0x80 | (code & 0x3f)));
  } else if (code < 0x10000) {
    buffer_append_char(out, (char)(0xe0 | code >> 12));
    buffer_append_char(out, (char)(0x80 | (code >> 6 & 0x3f)));
    buffer_append_char(out, (char)(0x80 | (code & 0x3f)));
  } else {
    buffer_append_char(out, (char)(0xf0 | code >> 18));
    buffer_append_char(out, (char)(0x80 | (code >> 12 & 0x3f)));
    buffer_append_char(out, (char)(0x80 | (code >> 6 & 0x3f)));
    buffer_append_char(out, (char)(0x80 | (code & 0x3f)));
  }
}

/* RFC 8259 section 7: characters beyond the basic plane come as two escapes. */
static void put_escape(struct live_text *t, unsigned code, struct buffer *out) {
  bool low = code >= 0xdc00 && code <= 0xdfff;
  unsigned high = t->high;
  t->high = 0;
  if (high && low) {
    put_code(out, 0x10000 + ((high - 0xd800) << 10) + (code - 0xdc00));
    return;
  }
  if (high) put_code(out, high);
  if (code >= 0xd800 && code <= 0xdbff)
    t->high = code;
  else
    put_code(out, code);
}

static void put_plain(struct live_text *t, char c, struct buffer *out) {
  if (t->high) put_code(out, t->high);
  t->high = 0;
  buffer_append_char(out, c);
}

static unsigned escape_value(char c) {
  switch (c) {
    case 'n': return '\n';
    case 't': return '\t';
    case 'r': return '\r';
    case 'b': return '\b';
    case 'f': return '\f';
    default: return (unsigned char)c;
  }
}

/* One byte within the answer. */
static void feed_answer(struct live_text *t, char c, struct buffer *out) {
  if (t->hex_left) {
    int digit = bytes_hex_value(c);
    t->code = t->code << 4 | (unsigned)(digit < 0 ? 0 : digit);
    if (--t->hex_left == 0) put_escape(t, t->code, out);
  } else if (t->escaped) {
    t->escaped = false;
    if (c == 'u') {
      t->hex_left = 4;
      t->code = 0;
    } else {
      put_escape(t, escape_value(c), out);
    }
  } else if (c == '\\') {
    t->escaped = true;
  } else if (c == '"') {
    if (t->high) put_code(out, t->high);
    t->high = 0;
    t->state = LIVE_TEXT_DONE;
  } else {
    put_plain(t, c, out);
  }
}

static void feed_string(struct live_text *t, char c) {
  if (t->escaped) {
    t->escaped = false;
  } else if (c == '\\') {
    t->escaped = true;
  } else if (c == '"') {
    t->state = LIVE_TEXT_INSIDE;
    t->answer_next = t->key && t->name_len == 6 && memcmp(t->name, "answer", 6) == 0;
    return;
  }
  if (t->name_len < sizeof t->name) t->name[t->name_len++] = c;
}

static void feed_inside(struct live_text *t, char c) {
  switch (c) {
    case '"':
      t->state = t->answer_next && t->depth == 1 ? LIVE_TEXT_ANSWER : LIVE_TEXT_STRING;
      t->answer_next = false;
      t->name_len = 0;
      break;
    case '{':
    case '[': t->depth++; break;
    case '}':
    case ']': t->depth--; break;
    case ',':
      t->key = t->depth == 1;
      t->answer_next = false;
      break;
    case ':': t->key = false; break;
    default: break;
  }
}

void live_text_feed(struct live_text *t, struct bytes piece, struct buffer *out) {
  for (size_t i = 0; i < piece.len; i++) {
    char c = piece.ptr[i];
    switch (t->state) {
      case LIVE_TEXT_OUTSIDE:
        if (c != '{') break;
        t->state = LIVE_TEXT_INSIDE;
        t->depth = 1;
        t->key = true;
        break;
      case LIVE_TEXT_INSIDE: feed_inside(t, c); break;
      case LIVE_TEXT_STRING: feed_string(t, c); break;
      case LIVE_TEXT_ANSWER: feed_answer(t, c, out); break;
      case LIVE_TEXT_DONE: return;
    }
  }
}
