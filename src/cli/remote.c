#include "cli/remote.h"

#include "base/id.h"
#include "base/options_load.h"
#include "cli/command.h"
#include "cli/config_check.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/text.h"
#include "io/libcurl.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum {
  BODY_MAX = 256 << 20,
  REFUSAL_MAX = 65536,
  CONNECT_MS = 5000,
  SILENCE_MAX_S = 60,
  RETRIES = 30, /* of a start whose answer was lost: about what a server takes to be back */
  RETRY_WAIT_MS = 1000,
  LIMITED_MAX_S = 300, /* that a call waits for a limit on requests, all in all */
};

const char *remote_url(const char *flag) {
  if (flag) return flag;
  const char *variable = getenv("ARAGORA_API_URL");
  return variable && *variable ? variable : NULL;
}

enum status remote_load_options(struct options *o, enum remote_use use, int argc, char **argv,
                                struct error *err) {
  bool asks = use == REMOTE_ALWAYS || remote_url(options_flag_value("--server", argc, argv));
  if (!asks) return options_load(o, argc, argv, err);
  enum status s = options_load_readable(o, argc, argv, err);
  if (!s) config_tell_unread(o);
  return s;
}

void remote_append_own_url(struct buffer *url, const struct options *options) {
  const char *host = options->host;
  bool any = !host || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
  bool six = !any && strchr(host, ':');
  buffer_printf(url, "http://%s%s%s:%lld", six ? "[" : "", any ? "127.0.0.1" : host, six ? "]" : "",
                (long long)options->port);
}

static bool add_header(struct remote *r, const char *line) {
  struct curl_slist *more = curl_slist_append(r->headers, line);
  if (more) r->headers = more;
  return more != NULL;
}

enum status remote_open(const char *url, const struct options *options, struct remote *ret_remote,
                        struct error *err) {
  struct remote r = {0};
  if (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0)
    return error_set(err, STATUS_INVALID, "--server",
                     "--server must begin with http:// or https://, not \"%.128s\"", url);
  enum status status = libcurl_load(err);
  if (status) return status;
  BUFFER_LATER struct buffer bearer;
  buffer_init(&bearer, 16384);
  if (options->api_token) buffer_printf(&bearer, "Authorization: Bearer %s", options->api_token);
  r.base = strdup(url);
  bool ok = r.base && !bearer.overflow && add_header(&r, "Content-Type: application/json") &&
            (!bearer.len || add_header(&r, bearer.ptr));
  if (!ok) {
    remote_close(&r);
    return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  }
  for (size_t len = strlen(r.base); len && r.base[len - 1] == '/'; len--) r.base[len - 1] = 0;
  *ret_remote = r;
  return STATUS_OK;
}

void remote_close(struct remote *r) {
  curl_slist_free_all(r->headers);
  free(r->base);
  *r = (struct remote){0};
}

int remote_error(const struct error *err) {
  int code = output_error(err);
  return err->status == STATUS_UNAVAILABLE ? CLI_NETWORK : code;
}

static enum status status_of(long http_status) {
  switch (http_status) {
    case 400:
    case 422: return STATUS_INVALID;
    case 401:
    case 403: return STATUS_DENIED;
    case 404:
    case 410: return STATUS_NOT_FOUND;
    case 409: return STATUS_CONFLICT;
    case 413: return STATUS_TOO_LARGE;
    case 429:
    case 503: return STATUS_FULL;
    case 507: return STATUS_NO_SPACE;
    default: return STATUS_INTERNAL;
  }
}

enum status remote_refusal(const struct remote *r, long http_status, struct bytes body,
                           struct error *err) {
  JSON_LATER json_t *answer = NULL;
  if (json_parse(body, &answer, NULL)) answer = NULL;
  FREE_LATER char *message = text_clean(bytes_of(json_get_text(answer, "error", "")));
  FREE_LATER char *field = text_clean(bytes_of(json_get_text(answer, "field", "")));
  if (message && *message)
    return error_set(err, status_of(http_status), field && *field ? field : NULL, "%.300s",
                     message);
  return error_set(err, status_of(http_status), NULL, "%s answers with HTTP %ld", r->base,
                   http_status);
}

static size_t take_body(char *data, size_t size, size_t count, void *ctx) {
  return buffer_append(ctx, data, size * count) ? size * count : 0;
}

static enum status answer_of(const struct remote *r, CURL *curl, CURLcode code, const char *detail,
                             struct buffer *body, json_t **ret_answer, struct error *err) {
  long http_status = 0;
  if (code == CURLE_OK) curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &http_status);
  if (code != CURLE_OK)
    return error_set(err, STATUS_UNAVAILABLE, NULL, "cannot reach %s: %s", r->base,
                     *detail ? detail : curl_easy_strerror(code));
  if (http_status < 200 || http_status > 299)
    return remote_refusal(r, http_status, buffer_bytes(body), err);
  if (json_parse(buffer_bytes(body), ret_answer, err))
    return error_set(err, STATUS_CORRUPT, NULL, "%s does not answer with JSON; is it Aragora?",
                     r->base);
  return STATUS_OK;
}

enum status remote_ask(const struct remote *r, const char *method, const char *path,
                       int64_t timeout_ms, long *ret_http_status, struct buffer *ret_body,
                       struct error *err) {
  BUFFER_LATER struct buffer url;
  char detail[CURL_ERROR_SIZE] = "";
  buffer_init(&url, 16384);
  buffer_printf(&url, "%s%s", r->base, path);
  CURL *curl = curl_easy_init();
  if (!curl || url.overflow) {
    curl_easy_cleanup(curl);
    return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  }
  curl_easy_setopt(curl, CURLOPT_URL, url.ptr);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, r->headers);
  curl_easy_setopt(curl, CURLOPT_NOBODY, strcmp(method, "HEAD") == 0 ? 1L : 0L);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, ret_body);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  CURLcode code = curl_easy_perform(curl);
  if (code == CURLE_OK) curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, ret_http_status);
  curl_easy_cleanup(curl);
  if (code == CURLE_OK) return STATUS_OK;
  return error_set(err, STATUS_UNAVAILABLE, NULL, "cannot reach %s: %s", r->base,
                   *detail ? detail : curl_easy_strerror(code));
}

struct call {
  const char *method; /* NULL = what the body asks for */
  const char *path;
  const json_t *body;               /* NULL = none */
  const struct curl_slist *headers; /* NULL = the remote's */
  int64_t timeout_ms;
};

struct outcome {
  bool broke;            /* the request may have arrived, but its answer did not */
  int64_t retry_after_s; /* refused by a limit on requests, which says so; else 0 */
};

static struct outcome outcome_of(CURL *curl, CURLcode code) {
  long http_status = 0;
  curl_off_t wait_s = 0;
  if (code == CURLE_OK) curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &http_status);
  if (http_status == 429) curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &wait_s);
  return (struct outcome){
      .broke = code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR ||
               code == CURLE_PARTIAL_FILE,
      .retry_after_s = wait_s,
  };
}

static enum status perform_once(const struct remote *r, const struct call *call,
                                json_t **ret_answer, struct outcome *ret_outcome,
                                struct error *err) {
  BUFFER_LATER struct buffer url, answer;
  char detail[CURL_ERROR_SIZE] = "";
  buffer_init(&url, 16384);
  buffer_init(&answer, BODY_MAX);
  buffer_printf(&url, "%s%s", r->base, call->path);
  FREE_LATER char *text = call->body ? json_dumps(call->body, JSON_COMPACT) : NULL;
  CURL *curl = curl_easy_init();
  if (!curl || url.overflow || (call->body && !text)) {
    curl_easy_cleanup(curl);
    return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  }
  curl_easy_setopt(curl, CURLOPT_URL, url.ptr);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, call->headers ? call->headers : r->headers);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)call->timeout_ms);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  if (text) {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, text);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)strlen(text));
  }
  if (call->method) curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, call->method);
  CURLcode code = curl_easy_perform(curl);
  *ret_outcome = outcome_of(curl, code);
  enum status s = answer_of(r, curl, code, detail, &answer, ret_answer, err);
  curl_easy_cleanup(curl);
  return s;
}

/* One request; where a limit on requests refuses it, again when the server says. *ret_broke: it may
 * have arrived, but its answer did not. */
static enum status perform(const struct remote *r, const struct call *call, json_t **ret_answer,
                           bool *ret_broke, struct error *err) {
  struct outcome outcome = {0};
  enum status s;
  for (int64_t left_s = LIMITED_MAX_S;; left_s -= outcome.retry_after_s) {
    s = perform_once(r, call, ret_answer, &outcome, err);
    *ret_broke = outcome.broke;
    if (outcome.retry_after_s <= 0 || outcome.retry_after_s > left_s) break;
    if (interrupt_wait(-1, (int)outcome.retry_after_s * 1000)) break;
  }
  return s;
}

enum status remote_call(const struct remote *r, const char *path, const json_t *body,
                        int64_t timeout_ms, json_t **ret_answer, struct error *err) {
  struct call call = {.path = path, .body = body, .timeout_ms = timeout_ms};
  bool broke;
  return perform(r, &call, ret_answer, &broke, err);
}

enum status remote_delete(const struct remote *r, const char *path, const json_t *body,
                          int64_t timeout_ms, json_t **ret_answer, struct error *err) {
  struct call call = {.method = "DELETE", .path = path, .body = body, .timeout_ms = timeout_ms};
  bool broke;
  return perform(r, &call, ret_answer, &broke, err);
}

/* The remote's headers and one more; NULL when memory is short. */
static struct curl_slist *with_header(const struct remote *r, const char *line) {
  struct curl_slist *all = NULL;
  for (const struct curl_slist *h = r->headers; h || line; h = h ? h->next : NULL) {
    struct curl_slist *more = curl_slist_append(all, h ? h->data : line);
    if (!more) {
      curl_slist_free_all(all);
      return NULL;
    }
    all = more;
    if (!h) line = NULL;
  }
  return all;
}

enum status remote_start(const struct remote *r, const json_t *body, int64_t timeout_ms,
                         json_t **ret_answer, struct error *err) {
  char line[ID_SIZE + 32], key[ID_SIZE];
  id_generate(key);
  snprintf(line, sizeof line, "Idempotency-Key: %s", key);
  struct curl_slist *headers = with_header(r, line);
  if (!headers) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  struct call call = {
      .path = "/api/debates", .body = body, .headers = headers, .timeout_ms = timeout_ms};
  bool broke = false, again = false;
  enum status s;
  for (int left = RETRIES;; left--) {
    s = perform(r, &call, ret_answer, &broke, err);
    again = s == STATUS_UNAVAILABLE && (again || broke) && left > 0;
    if (!again || interrupt_wait(-1, RETRY_WAIT_MS)) break;
  }
  curl_slist_free_all(headers);
  return s;
}

struct fetching {
  CURL *curl;
  struct buffer refusal;
  remote_piece_fn *take;
  void *ctx;
  bool ended; /* by the taker */
};

static size_t take_piece(char *data, size_t size, size_t count, void *ctx) {
  struct fetching *f = ctx;
  struct bytes piece = {data, size * count};
  long http_status = 0;
  curl_easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, &http_status);
  if (http_status < 200 || http_status > 299)
    return buffer_append_bytes(&f->refusal, piece) ? piece.len : 0;
  f->ended = !f->take(f->ctx, piece);
  return f->ended ? 0 : piece.len;
}

static enum status fetched(const struct remote *r, struct fetching *f, CURLcode code,
                           const char *detail, struct error *err) {
  long http_status = 0;
  curl_easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, &http_status);
  if (f->ended) return error_set(err, STATUS_CANCELLED, NULL, "ended");
  if (http_status && (http_status < 200 || http_status > 299))
    return remote_refusal(r, http_status, buffer_bytes(&f->refusal), err);
  if (code == CURLE_OK) return STATUS_OK;
  return error_set(err, STATUS_UNAVAILABLE, NULL, "%s %s: %s",
                   http_status ? "the answer broke off:" : "cannot reach", r->base,
                   *detail ? detail : curl_easy_strerror(code));
}

enum status remote_fetch(const struct remote *r, const char *path, remote_piece_fn *take, void *ctx,
                         struct error *err) {
  BUFFER_LATER struct buffer url;
  char detail[CURL_ERROR_SIZE] = "";
  buffer_init(&url, 16384);
  buffer_printf(&url, "%s%s", r->base, path);
  struct fetching f = {.curl = curl_easy_init(), .take = take, .ctx = ctx};
  if (!f.curl || url.overflow) {
    curl_easy_cleanup(f.curl);
    return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  }
  buffer_init(&f.refusal, REFUSAL_MAX);
  curl_easy_setopt(f.curl, CURLOPT_URL, url.ptr);
  curl_easy_setopt(f.curl, CURLOPT_HTTPHEADER, r->headers);
  curl_easy_setopt(f.curl, CURLOPT_WRITEFUNCTION, take_piece);
  curl_easy_setopt(f.curl, CURLOPT_WRITEDATA, &f);
  curl_easy_setopt(f.curl, CURLOPT_ERRORBUFFER, detail);
  curl_easy_setopt(f.curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
  curl_easy_setopt(f.curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(f.curl, CURLOPT_LOW_SPEED_TIME, (long)SILENCE_MAX_S);
  curl_easy_setopt(f.curl, CURLOPT_NOSIGNAL, 1L);
  enum status s = fetched(r, &f, curl_easy_perform(f.curl), detail, err);
  curl_easy_cleanup(f.curl);
  buffer_done(&f.refusal);
  return s;
}
