#include "base/id.h"

#include <sodium.h>

void id_generate(char out[ID_SIZE]) {
  static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
  uint8_t raw[17] = {0};
  randombytes_buf(raw, 16);
  for (int i = 0; i < ID_SIZE - 1; i++) {
    int bit = i * 5;
    unsigned pair = (unsigned)raw[bit / 8] << 8 | raw[bit / 8 + 1];
    out[i] = digits[pair >> (11 - bit % 8) & 31];
  }
  out[ID_SIZE - 1] = '\0';
}

bool id_valid(struct bytes text, size_t max) {
  if (text.len < 1 || text.len > max) return false;
  for (size_t i = 0; i < text.len; i++) {
    char c = text.ptr[i];
    bool ok = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '-';
    if (!ok) return false;
  }
  return true;
}
