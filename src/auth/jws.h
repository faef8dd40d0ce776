/* Texts with a MAC in the compact form of RFC 7515 (section 7.1): HS256 and no other algorithm.
 *
 * The MAC is checked before anything is parsed, so that the parser sees only what one of our keys
 * has signed, and never with a key or an algorithm that the text names (RFC 8725, sections 3.1 and
 * 3.2). base64url is strict: no padding, no other character, no unused bits that are set (RFC 7515,
 * section 2; RFC 4648, section 3.5). Pure; any thread; allocates nothing.
 */
#ifndef ARAGORA_AUTH_JWS_H
#define ARAGORA_AUTH_JWS_H

#include "base/bytes.h"

#include <sodium.h>

enum {
  JWS_TEXT_MAX = 2048,  /* bytes of a whole text; a longer one is refused unread */
  JWS_MEMBERS_MAX = 24, /* of an object */
};

/* A key as HMAC wants it, so that its two blocks are hashed once. */
struct jws_key {
  crypto_auth_hmacsha256_state state;
};
void jws_key_init(struct jws_key *key, struct bytes secret);
void jws_key_done(struct jws_key *key); /* wipes it */

struct jws {
  bool plain; /* the header names the algorithm, perhaps the type "JWT", nothing else */
  size_t payload_len;
  char payload[JWS_TEXT_MAX]; /* decoded; any bytes */
};

/* False for what is not such a text, has a header that is no JSON object with just one plain
 * "alg":"HS256", has "crit" (extensions that must be understood; there are none) or "b64" in it, or
 * was not signed with the key; *ret_jws is undefined then. Other members of the header are ignored:
 * nothing is ever looked up by them. */
bool jws_open(struct bytes text, const struct jws_key *key, struct jws *ret_jws);

/* Appends the compact form of the payload, with a header that is `plain`. False when `out` has no
 * room. */
bool jws_append(struct buffer *out, const struct jws_key *key, struct bytes payload);

/* Keys of an object that were met, to notice one that comes twice. */
struct jws_members {
  size_t count;
  struct bytes keys[JWS_MEMBERS_MAX];
};
struct json_scan;
/* Notes the member that the scanner has just read. False when its key came before, is written with
 * escapes (two parsers might read it differently), or there are too many. */
bool jws_members_note(struct jws_members *members, const struct json_scan *scan);

#endif
