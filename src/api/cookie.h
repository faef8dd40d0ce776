/* The session cookie: an access token that a browser sends by itself, and what is asked of requests
 * that come with it, since a page of somebody else's may have caused them. Any thread.
 */
#ifndef ARAGORA_API_COOKIE_H
#define ARAGORA_API_COOKIE_H

#include "http/server.h"

#define COOKIE_NAME "aragora_session"
enum { COOKIE_VALUE_SIZE = 2048, COOKIE_HEADER_SIZE = COOKIE_VALUE_SIZE + 128 };

/* The value of our cookie in a Cookie header (RFC 6265 section 4.2.1). False when it has none, an
 * empty one, one that is too long, or two. */
bool cookie_find(const char *cookies, char ret_value[COOKIE_VALUE_SIZE]);

/* A Set-Cookie header that a page gets which logs in: HttpOnly, SameSite=Strict, and Secure where
 * the request came by TLS. An empty value takes it away. False for a request that no page of this
 * very server sent, and for a value that does not fit: then there is none. */
bool cookie_make_header(const struct http_request *request, const char *value, int64_t max_age_s,
                        char ret_header[COOKIE_HEADER_SIZE]);

/* The headers of an answer that brings an access token, or takes it away ("", 0): a page's cookie,
 * where the request came from one, and that nobody stores it. For http_respond. */
struct cookie_headers {
  char cookie[COOKIE_HEADER_SIZE];
  const char *lines[3];
};
void cookie_fill_headers(const struct http_request *request, const char *value, int64_t max_age_s,
                         struct cookie_headers *ret_headers);

/* Whether a request whose credential is the cookie may be served: one that changes something, or
 * opens a WebSocket, must come from a page of this server or of an origin that is listed by name,
 * and what changes something must say that it is JSON. Else it has answered, 403 or 415. */
bool cookie_serves(struct http_request *request, void *app);

#endif
