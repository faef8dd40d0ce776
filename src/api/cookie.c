#include "api/cookie.h"

#include "api/reply.h"
#include "api/state.h"

#include <stdio.h>
#include <strings.h>

/* ---- the header ---- */

bool cookie_find(const char *cookies, char ret_value[COOKIE_VALUE_SIZE]) {
  static const char name[] = COOKIE_NAME "=";
  bool found = false;
  for (const char *at = cookies; *at;) {
    at += strspn(at, " \t;");
    size_t len = strcspn(at, ";");
    if (strncmp(at, name, sizeof name - 1) == 0) {
      size_t size = len - (sizeof name - 1);
      /* Two are one that a page of a sibling host has planted beside ours. */
      if (found || size == 0 || size >= COOKIE_VALUE_SIZE) return false;
      memcpy(ret_value, at + sizeof name - 1, size);
      ret_value[size] = '\0';
      found = true;
    }
    at += len;
  }
  return found;
}

static bool header_is(const struct http_request *request, const char *name, const char *value) {
  const char *has = http_request_header(request, name);
  return has && strcasecmp(has, value) == 0;
}

bool cookie_make_header(const struct http_request *request, const char *value, int64_t max_age_s,
                        char ret_header[COOKIE_HEADER_SIZE]) {
  if (!header_is(request, "Sec-Fetch-Site", "same-origin")) return false;
  if (strlen(value) >= COOKIE_VALUE_SIZE) return false;
  bool tls = header_is(request, "X-Forwarded-Proto", "https");
  snprintf(ret_header, COOKIE_HEADER_SIZE,
           "Set-Cookie: " COOKIE_NAME "=%s; Path=/; Max-Age=%lld; HttpOnly; SameSite=Strict%s",
           value, (long long)max_age_s, tls ? "; Secure" : "");
  return true;
}

void cookie_fill_headers(const struct http_request *request, const char *value, int64_t max_age_s,
                         struct cookie_headers *ret_headers) {
  bool page = cookie_make_header(request, value, max_age_s, ret_headers->cookie);
  ret_headers->lines[0] = "Cache-Control: no-store";
  ret_headers->lines[1] = page ? ret_headers->cookie : NULL;
  ret_headers->lines[2] = NULL;
}

/* ---- requests that come with it ---- */

static bool is_listed(const char *list, const char *origin) {
  for (const char *at = list; at && *at;) {
    size_t len = strcspn(at, ",");
    if (bytes_equal(bytes_trimmed((struct bytes){at, len}), bytes_of(origin))) return true;
    at += len + (at[len] == ',');
  }
  return false;
}

/* Our own host, by either scheme, or one that is named: "*" names nobody. */
static bool is_ours(const struct http_request *request, const struct api *api, const char *origin) {
  const char *host = http_request_header(request, "Host");
  size_t scheme = strncasecmp(origin, "https://", 8) == 0  ? 8
                  : strncasecmp(origin, "http://", 7) == 0 ? 7
                                                           : 0;
  if (scheme && host && strcasecmp(origin + scheme, host) == 0) return true;
  return strcmp(origin, "*") != 0 && is_listed(api->parts.options->allowed_origins, origin);
}

/* A browser says where a request comes from, in one of the two; who says neither is none, and has
 * no business with a cookie. */
static bool is_from_our_page(const struct http_request *request, const struct api *api) {
  const char *origin = http_request_header(request, "Origin");
  if (origin) return is_ours(request, api, origin);
  return header_is(request, "Sec-Fetch-Site", "same-origin");
}

static bool is_safe(const char *method) {
  return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

static bool says_json(const struct http_request *request) {
  static const char json[] = "application/json";
  const char *type = http_request_header(request, "Content-Type");
  if (!type || strncasecmp(type, json, sizeof json - 1) != 0) return false;
  const char *rest = type + sizeof json - 1;
  rest += strspn(rest, " \t");
  return *rest == '\0' || *rest == ';';
}

bool cookie_serves(struct http_request *request, void *app) {
  bool changes = !is_safe(http_request_method(request));
  if (!changes && !http_request_is_websocket(request)) return true;
  if (!is_from_our_page(request, app)) {
    reply_error(request, 403, "FORBIDDEN", "Origin not allowed", NULL);
    return false;
  }
  if (changes && !says_json(request)) {
    reply_error(request, 415, "UNSUPPORTED_MEDIA_TYPE",
                "With a session cookie, Content-Type must be application/json", NULL);
    return false;
  }
  return true;
}
