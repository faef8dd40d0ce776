#include "auth/api_key.h"

#include <sodium.h>

enum { MARK_CHARS = 4, CHECK_CHARS = 6, CHECKED_CHARS = API_KEY_CHARS - CHECK_CHARS };

static const char mark[] = "ara_";
static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
enum { BASE = sizeof digits - 1 };

/* The CRC-32 of zlib and of RFC 1952 section 8, bit by bit: 41 bytes need no table. */
static uint32_t crc32_of(const char *text, size_t len) {
  uint32_t crc = 0xFFFFFFFFU;
  for (size_t i = 0; i < len; i++) {
    crc ^= (uint8_t)text[i];
    for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (0xEDB88320U & (0U - (crc & 1U)));
  }
  return ~crc;
}

/* The most significant digit first. */
static void put_check(const char *key, char check[CHECK_CHARS]) {
  uint32_t crc = crc32_of(key, CHECKED_CHARS);
  for (int i = CHECK_CHARS; i-- > 0; crc /= BASE) check[i] = digits[crc % BASE];
}

void api_key_make(char ret_key[API_KEY_SIZE]) {
  memcpy(ret_key, mark, MARK_CHARS);
  for (int i = MARK_CHARS; i < CHECKED_CHARS; i++) ret_key[i] = digits[randombytes_uniform(BASE)];
  put_check(ret_key, ret_key + CHECKED_CHARS);
  ret_key[API_KEY_CHARS] = '\0';
}

bool api_key_claims(struct bytes text) {
  return text.len >= MARK_CHARS && memcmp(text.ptr, mark, MARK_CHARS) == 0;
}

static bool is_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool api_key_parse(struct bytes text, char ret_prefix[API_KEY_PREFIX_SIZE],
                   uint8_t ret_hash[SHA256_SIZE]) {
  char check[CHECK_CHARS];
  if (text.len != API_KEY_CHARS || !api_key_claims(text)) return false;
  for (size_t i = MARK_CHARS; i < text.len; i++)
    if (!is_digit(text.ptr[i])) return false;
  put_check(text.ptr, check);
  if (memcmp(check, text.ptr + CHECKED_CHARS, CHECK_CHARS) != 0) return false;
  memcpy(ret_prefix, text.ptr, API_KEY_PREFIX_CHARS);
  ret_prefix[API_KEY_PREFIX_CHARS] = '\0';
  sha256_of(text, ret_hash);
  return true;
}
