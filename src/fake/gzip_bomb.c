/* Sources: RFC 1952 (the head) and RFC 1951, 3.2.6 (fixed Huffman codes). After one literal zero
 * everything is the match "258 bytes, 1 back": length code 285, eight bits 11000101, and distance
 * code 0, five bits 00000. Thirteen bits a match, so eight matches are thirteen bytes that repeat.
 */
#include "fake/gzip_bomb.h"

struct bits {
  struct buffer *out;
  unsigned char byte;
  int used;
};

static void put_bit(struct bits *b, int bit) {
  b->byte = (unsigned char)(b->byte | bit << b->used);
  if (++b->used < 8) return;
  buffer_append_char(b->out, (char)b->byte);
  b->byte = 0;
  b->used = 0;
}

/* Huffman codes go most significant bit first, unlike all else in a stream. */
static void put_code(struct bits *b, const char *code) {
  for (; *code; code++) put_bit(b, *code == '1');
}

void gzip_bomb_append(struct buffer *out, size_t bytes) {
  static const char match[] = "1100010100000";
  struct bits b = {.out = out};
  buffer_append(out, "\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
  put_code(&b, "110");      /* the last block (1), of fixed codes (01, least bit first) */
  put_code(&b, "00110000"); /* literal 0 */
  for (int i = 0; i < 8; i++) put_code(&b, match);
  /* From here on the bits have come round to the same place within a byte. */
  size_t start = out->len;
  for (int i = 0; i < 8; i++) put_code(&b, match);
  size_t period = out->len - start;
  while (out->len < bytes && period && buffer_reserve(out, period)) {
    memcpy(out->ptr + out->len, out->ptr + start, period);
    out->len += period;
    if (period < 64 * 1024) period *= 2;
  }
}
