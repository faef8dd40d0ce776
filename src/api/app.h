/* The API: everything that its handlers reach, and the table of its routes.
 *
 * The owner (`aragora server`) makes the parts, then this, then the HTTP server with the tables
 * below and this as `app`, and tells it the server. Handlers run on HTTP threads, on the pool and
 * on the loop; what they share here is immutable or has its own lock.
 */
#ifndef ARAGORA_API_APP_H
#define ARAGORA_API_APP_H

#include "auth/accounts.h"
#include "auth/audit.h"
#include "auth/auth.h"
#include "auth/key_ring.h"
#include "base/options.h"
#include "http/server.h"
#include "hub/hub.h"
#include "ops/janitor.h"
#include "ops/rater.h"
#include "provider/agents.h"
#include "provider/provider.h"
#include "runner/jobs.h"
#include "runner/runner.h"
#include "store/store.h"

struct api;

struct api_parts { /* borrowed; they outlive the API */
  struct loop *loop;
  struct pool *pool;
  struct store *store;
  struct hub *hub;
  struct runner *runner;
  struct provider *provider;
  const struct agent_table *agents; /* at the start; handlers ask api_agents */
  const struct options *options;
  struct janitor *janitor;
  struct jobs *jobs;
  struct audit *audit; /* NULL = acts are not noted */
  struct auth *auth;
  struct key_ring *keys;
  struct accounts *accounts;
};

/* STATUS_NOMEM. */
MUST_CHECK enum status api_create(const struct api_parts *parts, struct api **ret_api,
                                  struct error *err);
/* After the HTTP server was destroyed and the pool and the loop have stopped. NULL is fine. */
void api_destroy(struct api *api);
/* A new table, for the requests from here on; both must live as long as the API. One thread at a
 * time. STATUS_NOMEM: the former one stays. */
MUST_CHECK enum status api_use_agents(struct api *api, const struct agent_table *agents);
/* A rater_match_fn; `ctx` is struct api: what is cached of ratings is made anew, and who watches
 * the debate is told, once it has been rated. */
void api_on_match(void *ctx, const struct store_match *match);
/* Before http_server_start. For the counts of WebSockets in health. */
void api_set_server(struct api *api, const struct http_server *server);
/* Once there is one; it lives until no request is answered any more. For the warnings of health. */
void api_set_rater(struct api *api, const struct rater *rater);

/* --profile-memory: from the ready server to its last work; the second notes what grew, once no
 * request is answered any more and while everything is still there. */
MUST_CHECK enum status api_profile_memory(struct api *api, struct error *err);
void api_end_profile(struct api *api); /* NULL, and one without a profile, are fine */

extern const struct http_route api_routes[];
extern const size_t api_route_count;
extern const struct http_ws_route api_ws_routes[];
extern const size_t api_ws_route_count;
extern const struct http_ws_ops api_ws_ops;
extern const struct http_gate api_gate;
/* What stands before a link's token in a path: secret_after of struct http_options. */
#define API_SECRET_AFTER "/shared/"

#endif
