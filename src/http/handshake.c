#include "http/handshake.h"

#include <openssl/evp.h>
#include <sodium.h>

enum { HANDSHAKE_KEY_LEN = 24, HANDSHAKE_KEY_BYTES = 16 };

bool handshake_list_has(const char *list, const char *token) {
  while (list && *list) {
    list += strspn(list, " \t,");
    size_t n = strcspn(list, ",");
    size_t bare = n;
    while (bare > 0 && (list[bare - 1] == ' ' || list[bare - 1] == '\t')) bare--;
    if (bytes_equal_nocase((struct bytes){list, bare}, bytes_of(token))) return true; /* public */
    list += n;
  }
  return false;
}

bool handshake_accept(const char *key, char out[HANDSHAKE_ACCEPT_SIZE]) {
  static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455 section 1.3 */
  unsigned char nonce[HANDSHAKE_KEY_BYTES];
  size_t nonce_len = 0;
  if (!key || strlen(key) != HANDSHAKE_KEY_LEN ||
      sodium_base642bin(nonce, sizeof nonce, key, HANDSHAKE_KEY_LEN, NULL, &nonce_len, NULL,
                        sodium_base64_VARIANT_ORIGINAL) != 0 ||
      nonce_len != sizeof nonce) {
    return false;
  }
  char text[HANDSHAKE_KEY_LEN + sizeof guid];
  memcpy(text, key, HANDSHAKE_KEY_LEN);
  memcpy(text + HANDSHAKE_KEY_LEN, guid, sizeof guid);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned digest_len = 0;
  if (!EVP_Digest(text, sizeof text - 1, digest, &digest_len, EVP_sha1(), NULL)) return false;
  sodium_bin2base64(out, HANDSHAKE_ACCEPT_SIZE, digest, digest_len, sodium_base64_VARIANT_ORIGINAL);
  return true;
}
