/* The text of an API key: `ara_`, a public id, a secret, a checksum.
 *
 *     ara_ 8 characters 29 characters 6 characters     all of [0-9A-Za-z]
 *          public id    secret        CRC-32 of what stands before, in base 62
 *
 * The first 12 characters are its prefix, which lists may show and which never changes. The secret
 * has 172 random bits, so that a plain SHA-256 keeps it. The checksum tells a mistyped or cut key
 * without asking anybody, and lets a scanner of leaked texts know one from a coincidence; it keeps
 * nothing secret. Pure; any thread.
 */
#ifndef ARAGORA_AUTH_API_KEY_H
#define ARAGORA_AUTH_API_KEY_H

#include "base/bytes.h"
#include "base/sha256.h"

enum {
  API_KEY_PREFIX_CHARS = 12,
  API_KEY_PREFIX_SIZE, /* with its NUL */
  API_KEY_CHARS = 47,
  API_KEY_SIZE, /* with its NUL */
};

/* A new key, from the system's random numbers. The caller wipes it when it was shown. */
void api_key_make(char ret_key[API_KEY_SIZE]);

/* Begins as a key does: whatever follows, it is meant to be one and nothing else. */
bool api_key_claims(struct bytes text);
/* Has the form of a key and the checksum that belongs to it; then its prefix and its hash. */
bool api_key_parse(struct bytes text, char ret_prefix[API_KEY_PREFIX_SIZE],
                   uint8_t ret_hash[SHA256_SIZE]);

#endif
