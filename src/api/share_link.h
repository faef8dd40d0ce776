/* The link to a debate, /api/shared/TOKEN: whoever has it reads that debate, and nothing else.
 *
 * The token is a credential in a path. It is shown once, when the link is made; kept is its SHA-256
 * (store/shares.h). Unknown, revoked and expired are one answer.
 */
#ifndef ARAGORA_API_SHARE_LINK_H
#define ARAGORA_API_SHARE_LINK_H

#include "api/state.h"
#include "base/sha256.h"

enum { SHARE_TOKEN_SIZE = 33 }; /* 192 random bits as base64url, and the NUL */

/* A new token, and what is kept of it. */
void share_link_make(char ret_token[SHARE_TOKEN_SIZE], uint8_t ret_hash[SHA256_SIZE]);

/* The token in the request's path; NULL when its route has none. */
const char *share_link_token(const struct http_request *request);

/* Who comes by the token: the owner of the debate, for reading that alone. STATUS_NOT_FOUND, and
 * those of a read. Blocks. */
MUST_CHECK enum status share_link_identify(struct api *api, const char *token,
                                           struct identity *ret_identity, struct error *err);

/* True when the request did not come by a link, or the link is still good. A stream that was
 * entered in live_callers asks before it is sent; blocks. */
bool share_link_stands(const struct http_request *request, struct api *api);

/* 404, for every link that is none. */
void share_link_refuse(struct http_request *request);

#endif
