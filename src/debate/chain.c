#include "debate/chain.h"

/* The maximum is far above what a name needs; a head that did not fit must never verify. */
enum { HEAD_MAX = 1 << 20, HEAD_USUAL = 250 };

/* The hash of one of the chain's fixed values and a text. */
static void hash_behind(const uint8_t *fixed, size_t size, struct bytes text,
                        uint8_t ret_hash[CHAIN_HASH_SIZE]) {
  const struct bytes parts[] = {{(const char *)fixed, size}, text};
  sha256_of_parts(parts, 2, ret_hash);
}

void chain_digest(const uint8_t salt[CHAIN_SALT_SIZE], struct bytes canonical_data,
                  uint8_t ret_digest[CHAIN_HASH_SIZE]) {
  hash_behind(salt, CHAIN_SALT_SIZE, canonical_data, ret_digest);
}

void chain_extend(const uint8_t previous[CHAIN_HASH_SIZE], uint64_t seq, const char *type,
                  int64_t ts_ms, int round, const char *agent,
                  const uint8_t digest[CHAIN_HASH_SIZE], uint8_t ret_hash[CHAIN_HASH_SIZE]) {
  char hex[2 * CHAIN_HASH_SIZE + 1];
  bytes_to_hex(digest, CHAIN_HASH_SIZE, hex);
  BUFFER_LATER struct buffer head;
  buffer_init(&head, HEAD_MAX);
  buffer_reserve(&head, HEAD_USUAL);
  buffer_append_text(&head, "{\"agent\":");
  if (agent)
    buffer_append_json_string(&head, bytes_of(agent));
  else
    buffer_append_text(&head, "null");
  buffer_append_text(&head, ",\"data_digest\":\"");
  buffer_append_text(&head, hex);
  buffer_append_text(&head, "\",\"round\":");
  if (round >= 0)
    buffer_append_int(&head, round);
  else
    buffer_append_text(&head, "null");
  buffer_append_text(&head, ",\"seq\":");
  buffer_append_int(&head, (int64_t)seq);
  buffer_append_text(&head, ",\"ts\":");
  buffer_append_int(&head, ts_ms);
  buffer_append_text(&head, ",\"type\":");
  buffer_append_json_string(&head, bytes_of(type));
  buffer_append_char(&head, '}');
  if (head.overflow) {
    memset(ret_hash, 0, CHAIN_HASH_SIZE);
    return;
  }
  hash_behind(previous, CHAIN_HASH_SIZE, buffer_bytes(&head), ret_hash);
}
