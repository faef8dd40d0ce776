#include "api/dry_run.h"

#include "api/estimate_body.h"
#include "api/reply.h"

#include <stdatomic.h>
#include <stdlib.h>

/* The largest takes a core for seconds; the pool's other threads are for those who read. */
enum { DRY_RUNS_MAX = 2 };
static atomic_int under_way;

struct dry_run { /* from the request to the answer */
  struct http_request *request;
  struct api *api;
  const char *const *headers;
  struct debate_spec spec;
};

static void dry_run_free(struct dry_run *run) {
  atomic_fetch_sub(&under_way, 1);
  debate_spec_done(&run->spec);
  free(run);
}

/* Pool thread. */
static void answer(void *arg) {
  struct dry_run *run = arg;
  const struct api_parts *parts = &run->api->parts;
  struct principal who = api_principal(run->request);
  struct debate_config config;
  struct estimate estimate;
  struct error err = {0};
  enum status s = estimate_request(api_agents(run->api), parts->options, parts->store, &who,
                                   &run->spec, &config, &estimate, &err);
  if (s) {
    reply_failure(run->request, s, &err, run->headers);
  } else {
    reply_json(run->request, 200,
               estimate_body(&config, &estimate, 1 + parts->options->max_retries), run->headers);
    debate_config_done(&config);
  }
  dry_run_free(run);
}

void dry_run_answer(struct http_request *request, struct api *api, struct debate_spec *spec,
                    const char *const *headers) {
  struct error err = {0};
  bool room = atomic_fetch_add(&under_way, 1) < DRY_RUNS_MAX;
  struct dry_run *run = room ? malloc(sizeof *run) : NULL;
  if (!run) {
    atomic_fetch_sub(&under_way, 1);
    debate_spec_done(spec);
    enum status why = error_set(&err, room ? STATUS_NOMEM : STATUS_FULL, NULL,
                                room ? "out of memory" : "other estimates are made: try again");
    reply_failure(request, why, &err, headers);
    return;
  }
  *run = (struct dry_run){request, api, headers, *spec};
  debate_spec_init(spec);
  enum status s = pool_submit(api->parts.pool, answer, run);
  if (!s) return;
  error_set(&err, s, NULL, "the server is busy: try again");
  reply_failure(request, s, &err, headers);
  dry_run_free(run);
}

enum status dry_run_refuse(const json_t *body, struct error *err) {
  const json_t *value = json_object_get(body, "dry_run");
  if (!value || json_is_null(value) || json_is_false(value)) return STATUS_OK;
  return error_set(err, STATUS_INVALID, "dry_run",
                   "dry_run is for one start, POST /api/debates, alone");
}
