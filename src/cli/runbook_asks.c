/* The checks that ask the server. */
#include "cli/runbook.h"
#include "cli/text.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { CALL_MS = 30000, ANSWER_MAX = 16 << 20, SHAKE_MS = 5000, REPLY_SIZE = 1024 };

/* Behind a token of the server's, or on one that asks for none, there is no user to show. */
static bool has_no_user(long http_status, const json_t *body, const char *path) {
  const char *words = json_get_text(body, "error", "");
  return strcmp(path, "/api/auth/me") == 0 &&
         ((http_status == 401 && strcmp(words, "Not authenticated") == 0) ||
          (http_status == 404 && strcmp(words, "User not found") == 0));
}

/* 501 is an answer: what it names is not part of this server, which the runbook says too. */
static enum runbook_result refused(long http_status, const json_t *body, const char *path,
                                   char *why) {
  FREE_LATER char *words = text_clean(bytes_of(json_get_text(body, "error", "")));
  bool left_out = http_status == 501 || has_no_user(http_status, body, path);
  snprintf(why, RUNBOOK_WHY_SIZE, "GET %.100s answers %ld%s%.128s%s", path, http_status,
           words && *words ? ": " : "", words ? words : "",
           http_status == 401 ? " (ARAGORA_API_TOKEN)" : "");
  return left_out ? RUNBOOK_SKIPPED : RUNBOOK_FAILS;
}

enum runbook_result runbook_check_json(const struct runbook *book,
                                       const struct runbook_check *check, char *why) {
  BUFFER_LATER struct buffer text;
  JSON_LATER json_t *body = NULL;
  struct error err = {0};
  long http_status = 0;
  buffer_init(&text, ANSWER_MAX);
  if (remote_ask(book->remote, "GET", check->target, CALL_MS, &http_status, &text, &err)) {
    snprintf(why, RUNBOOK_WHY_SIZE, "%s", err.message);
    return RUNBOOK_FAILS;
  }
  if (json_parse(buffer_bytes(&text), &body, NULL)) body = NULL;
  if (http_status != 200) return refused(http_status, body, check->target, why);
  if (!body) {
    snprintf(why, RUNBOOK_WHY_SIZE, "GET %s gives no JSON", check->target);
    return RUNBOOK_FAILS;
  }
  return runbook_fields_hold(body, check->expect, why) ? RUNBOOK_HOLDS : RUNBOOK_FAILS;
}

enum runbook_result runbook_check_head(const struct runbook *book,
                                       const struct runbook_check *check, char *why) {
  BUFFER_LATER struct buffer text;
  struct error err = {0};
  long http_status = 0;
  buffer_init(&text, ANSWER_MAX);
  if (remote_ask(book->remote, "HEAD", check->target, CALL_MS, &http_status, &text, &err))
    snprintf(why, RUNBOOK_WHY_SIZE, "%s", err.message);
  else if (http_status != 200 || text.len)
    snprintf(why, RUNBOOK_WHY_SIZE, "HEAD %s answers %ld%s", check->target, http_status,
             text.len ? " with a body" : "");
  else
    return RUNBOOK_HOLDS;
  return RUNBOOK_FAILS;
}

/* ---- the WebSocket's handshake (RFC 6455, 4.1) ---- */

static bool wait_for(CURL *curl, short events) {
  curl_socket_t fd = CURL_SOCKET_BAD;
  if (curl_easy_getinfo(curl, CURLINFO_ACTIVESOCKET, &fd) || fd == CURL_SOCKET_BAD) return false;
  struct pollfd p = {.fd = fd, .events = events};
  return poll(&p, 1, SHAKE_MS) == 1;
}

static bool send_all(CURL *curl, struct bytes data) {
  while (data.len) {
    size_t sent = 0;
    CURLcode code = curl_easy_send(curl, data.ptr, data.len, &sent);
    if (code == CURLE_AGAIN ? !wait_for(curl, POLLOUT) : code != CURLE_OK) return false;
    data = (struct bytes){data.ptr + sent, data.len - sent};
  }
  return true;
}

/* The head of the answer, or as much of it as fits. */
static bool receive_head(CURL *curl, char reply[REPLY_SIZE]) {
  size_t len = 0;
  reply[0] = '\0';
  while (len < REPLY_SIZE - 1 && !strstr(reply, "\r\n\r\n")) {
    size_t got = 0;
    CURLcode code = curl_easy_recv(curl, reply + len, REPLY_SIZE - 1 - len, &got);
    if (code == CURLE_AGAIN ? !wait_for(curl, POLLIN) : code != CURLE_OK || !got) return len > 0;
    len += got;
    reply[len] = '\0';
  }
  return true;
}

static bool shake(CURL *curl, const struct remote *remote, const char *host, int64_t port,
                  char *why) {
  BUFFER_LATER struct buffer request;
  char reply[REPLY_SIZE];
  buffer_init(&request, 16384);
  buffer_printf(&request,
                "GET / HTTP/1.1\r\nHost: %s:%lld\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
                host, (long long)port);
  for (const struct curl_slist *h = remote->headers; h; h = h->next)
    if (strncmp(h->data, "Authorization:", 14) == 0) buffer_printf(&request, "%s\r\n", h->data);
  buffer_append_text(&request, "\r\n");
  /* The answer to that very key, of the RFC's own example. */
  if (!request.overflow && send_all(curl, buffer_bytes(&request)) && receive_head(curl, reply) &&
      strncmp(reply, "HTTP/1.1 101 ", 13) == 0 && strstr(reply, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))
    return true;
  snprintf(why, RUNBOOK_WHY_SIZE, "port %lld takes no WebSocket: %.*s", (long long)port,
           (int)strcspn(reply, "\r\n"), reply);
  return false;
}

static char *host_of(const struct remote *remote) {
  CURLU *url = curl_url();
  char *part = NULL, *host = NULL;
  if (url && !curl_url_set(url, CURLUPART_URL, remote->base, 0) &&
      !curl_url_get(url, CURLUPART_HOST, &part, 0))
    host = strdup(part);
  curl_free(part);
  curl_url_cleanup(url);
  return host;
}

/* The server's own: the token goes along, and not in the clear where that one is https. */
static const char *scheme_of(const struct remote *remote) {
  return strncasecmp(remote->base, "https://", 8) == 0 ? "https" : "http";
}

/* The server's second port: 0 = it has none, -1 = nobody says which, and another's must not get the
 * token. */
static int64_t ws_port_of(const struct runbook *book) {
  const json_t *told = runbook_setting(book, "ws_port");
  if (json_is_integer(told)) return json_integer_value(told);
  return runbook_is_set(book, "ws_port") ? book->options->ws_port : -1;
}

enum runbook_result runbook_check_websocket(const struct runbook *book, char *why) {
  FREE_LATER char *host = host_of(book->remote);
  BUFFER_LATER struct buffer url;
  char detail[CURL_ERROR_SIZE] = "";
  int64_t port = ws_port_of(book);
  buffer_init(&url, 4096);
  if (port <= 0) {
    snprintf(why, RUNBOOK_WHY_SIZE, "%s",
             port ? "the server does not say which port that is: name it with --ws-port"
                  : "no second port is configured (ARAGORA_WS_PORT)");
    return RUNBOOK_SKIPPED;
  }
  buffer_printf(&url, "%s://%s:%lld", scheme_of(book->remote), host ? host : "", (long long)port);
  CURL *curl = curl_easy_init();
  if (!curl || url.overflow) {
    curl_easy_cleanup(curl);
    snprintf(why, RUNBOOK_WHY_SIZE, "out of memory");
    return RUNBOOK_FAILS;
  }
  curl_easy_setopt(curl, CURLOPT_URL, url.ptr);
  curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, 1L);
  curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)SHAKE_MS);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  bool connected = curl_easy_perform(curl) == CURLE_OK;
  if (!connected) snprintf(why, RUNBOOK_WHY_SIZE, "port %lld: %.200s", (long long)port, detail);
  bool ok = connected && shake(curl, book->remote, host, port, why);
  curl_easy_cleanup(curl);
  return ok ? RUNBOOK_HOLDS : RUNBOOK_FAILS;
}
