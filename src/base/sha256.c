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
