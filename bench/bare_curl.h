/* libcurl's multi interface on the loop, and nothing else: what a call costs before anything of
 * ours is added. One request is sent again and again over connections that are kept; each body is
 * collected and forgotten. The sockets are watched as src/io/http_client.c watches them, so that
 * the difference is not one of system calls. Loop thread.
 */
#ifndef ARAGORA_BENCH_BARE_CURL_H
#define ARAGORA_BENCH_BARE_CURL_H

#include "io/loop.h"
#include "provider/wire.h"

struct bare_curl;

/* The request is borrowed. Ends the process when it cannot. */
struct bare_curl *bare_curl_create(struct loop *loop, const struct wire_request *request,
                                   size_t at_once);
void bare_curl_destroy(struct bare_curl *bare);

/* Runs the loop until `calls` have been answered with 200, else ends the process. */
void bare_curl_run(struct bare_curl *bare, long calls);

/* The body that came last. */
struct bytes bare_curl_body(const struct bare_curl *bare);

#endif
