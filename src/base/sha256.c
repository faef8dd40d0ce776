/* OpenSSL 3 would have this done through EVP, whose context is allocated, so that a hash could fail
 * for want of memory. The state of the older functions stands on the stack. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "base/sha256.h"

#include <openssl/sha.h>

_Static_assert(SHA256_SIZE == SHA256_DIGEST_LENGTH, "the size of a hash");

void sha256_of_parts(const struct bytes *parts, size_t count, uint8_t ret_hash[SHA256_SIZE]) {
  SHA256_CTX sha;
  SHA256_Init(&sha);
  for (size_t i = 0; i < count; i++)
    if (parts[i].len) SHA256_Update(&sha, parts[i].ptr, parts[i].len);
  SHA256_Final(ret_hash, &sha);
}

_Static_assert(sizeof(SHA256_CTX) <= sizeof(struct sha256_stream), "room for the state");

void sha256_start(struct sha256_stream *stream) {
  SHA256_Init((SHA256_CTX *)stream->opaque);
}

void sha256_add(struct sha256_stream *stream, struct bytes data) {
  if (data.len) SHA256_Update((SHA256_CTX *)stream->opaque, data.ptr, data.len);
}

void sha256_finish(struct sha256_stream *stream, uint8_t ret_hash[SHA256_SIZE]) {
  SHA256_Final(ret_hash, (SHA256_CTX *)stream->opaque);
}
