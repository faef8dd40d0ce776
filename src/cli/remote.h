/* An Aragora server as the command line sees it: JSON requests over HTTP, blocking. The token of
 * ARAGORA_API_TOKEN, or API_TOKEN in the configuration file, goes along. Main thread.
 */
#ifndef ARAGORA_CLI_REMOTE_H
#define ARAGORA_CLI_REMOTE_H

#include "base/json.h"
#include "base/options.h"

#include <curl/curl.h>

struct remote {
  char *base; /* "http://localhost:8080", no slash at its end */
  struct curl_slist *headers;
};

/* The server that the flag, else ARAGORA_API_URL, names; NULL when neither does. */
const char *remote_url(const char *flag);

enum remote_use {
  REMOTE_ALWAYS,   /* the command can do nothing but ask a server */
  REMOTE_IF_NAMED, /* --server or ARAGORA_API_URL makes it do so */
};

/* The settings of a command that may ask a server. One that does goes on without a configuration
 * file that this user may not read, and says so; any other stops. As options_load. */
MUST_CHECK enum status remote_load_options(struct options *o, enum remote_use use, int argc,
                                           char **argv, struct error *err);

/* Appends the address of this machine's own server, where it listens by its environment. */
void remote_append_own_url(struct buffer *url, const struct options *options);

/* With the token of the options, whatever set it. STATUS_INVALID for what is no http or https
 * address. */
MUST_CHECK enum status remote_open(const char *url, const struct options *options,
                                   struct remote *ret_remote, struct error *err);
void remote_close(struct remote *remote);

/* The JSON body of a 2xx answer; body NULL = GET. STATUS_UNAVAILABLE when the server cannot be
 * reached, else what its status says, with the server's own words. */
MUST_CHECK enum status remote_call(const struct remote *remote, const char *path,
                                   const json_t *body, int64_t timeout_ms, json_t **ret_answer,
                                   struct error *err);

/* The same for DELETE. */
MUST_CHECK enum status remote_delete(const struct remote *remote, const char *path,
                                     const json_t *body, int64_t timeout_ms, json_t **ret_answer,
                                     struct error *err);

/* Any answer, whatever its status and type: "GET" or "HEAD". STATUS_UNAVAILABLE when the server
 * cannot be reached. */
MUST_CHECK enum status remote_ask(const struct remote *remote, const char *method, const char *path,
                                  int64_t timeout_ms, long *ret_http_status,
                                  struct buffer *ret_body, struct error *err);

/* POST /api/debates with an Idempotency-Key of its own. When the connection breaks before the
 * answer is there, the debate may have started or not: it is asked again with the same key, until
 * the server is back, at most for a while, or until Ctrl-C. */
MUST_CHECK enum status remote_start(const struct remote *remote, const json_t *body,
                                    int64_t timeout_ms, json_t **ret_answer, struct error *err);

/* The body of a 2xx answer piece by piece, as long as something comes; false ends it. */
typedef bool remote_piece_fn(void *ctx, struct bytes piece);
/* STATUS_CANCELLED when `take` ended it, STATUS_UNAVAILABLE when the server cannot be reached or
 * the body broke off, else as remote_call. */
MUST_CHECK enum status remote_fetch(const struct remote *remote, const char *path,
                                    remote_piece_fn *take, void *ctx, struct error *err);

/* Fills *err for an answer that is not 2xx. */
enum status remote_refusal(const struct remote *remote, long http_status, struct bytes body,
                           struct error *err);
/* As output_error, but what cannot be reached is CLI_NETWORK. */
int remote_error(const struct error *err);

#endif
