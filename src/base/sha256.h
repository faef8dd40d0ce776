/* SHA-256 (FIPS 180-4) of bytes that lie in several places.
 *
 * By OpenSSL, which uses the processor's own instructions where libsodium does not: each event of a
 * log is hashed twice on the loop's thread. Cannot fail, allocates nothing; any thread.
 */
#ifndef ARAGORA_BASE_SHA256_H
#define ARAGORA_BASE_SHA256_H

#include "base/bytes.h"

enum { SHA256_SIZE = 32 };

/* The hash of `parts`, one after the other. */
void sha256_of_parts(const struct bytes *parts, size_t count, uint8_t ret_hash[SHA256_SIZE]);

static inline void sha256_of(struct bytes data, uint8_t ret_hash[SHA256_SIZE]) {
  sha256_of_parts(&data, 1, ret_hash);
}

/* The same of bytes that come one after the other: start, add each, finish once. Nothing to free.
 */
struct sha256_stream {
  uint64_t opaque[16];
};
void sha256_start(struct sha256_stream *stream);
void sha256_add(struct sha256_stream *stream, struct bytes data);
void sha256_finish(struct sha256_stream *stream, uint8_t ret_hash[SHA256_SIZE]);

#endif
