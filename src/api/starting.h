/* One request that starts a debate, whichever path it came by, until its answer.
 *
 * With an Idempotency-Key the same request may be sent again: it gets the debate that the first one
 * started. The key is looked up on the pool, with the start_keys holding off everybody else who
 * brings it until the debate, and the key with it, is on disk.
 */
#ifndef ARAGORA_API_STARTING_H
#define ARAGORA_API_STARTING_H

#include "api/start_keys.h"
#include "api/state.h"
#include "ops/loaded_debate.h"

struct starting;

/* A way to start a debate. */
struct starting_kind {
  /* Reads the body, fills in what `task` and `more` are made of, and asks the runner, with
   * starting_key and starting_done; or gives up with starting_fail. On the pool where there is a
   * key, else in the handler's thread. */
  void (*begin)(struct starting *s);
  /* A new object of what the answer has beside what every start's has; NULL = nothing. */
  json_t *(*more)(const struct starting *s, const char *id);
  /* Fills in for `more` what of an earlier start is only in the log; NULL = nothing. Pool thread.
   */
  enum status (*recall)(struct starting *s, const struct loaded_debate *debate, struct error *err);
};

struct starting {
  struct start_waiter waiter; /* first: what waits is found again by it */
  struct http_request *request;
  struct api *api;
  const struct starting_kind *kind;
  const char *of;             /* the debate that it is asked of, as the path has it; NULL = none */
  const char *const *headers; /* of every answer; NULL = none */
  json_t *body;
  char *task;                 /* of the debate; owned, as the next */
  char *parent_id;            /* NULL = it comes from no other debate */
  int messages;               /* that a fork takes over */
  struct store_start_key key; /* text owned; NULL = none was sent */
  struct start_entry *entry;  /* of the first one with this key */
};

/* Takes the reference of the body, and answers the request at some time. `of` and `headers` live as
 * long as the request. Any thread. */
void starting_run(struct http_request *request, struct api *api, const struct starting_kind *kind,
                  const char *of, json_t *body, const char *const *headers);

/* For the runner; NULL = it came without one. */
const struct store_start_key *starting_key(const struct starting *s);
/* A runner_started_fn; the starting is its ctx, and gone after that. */
void starting_done(void *ctx, enum status status, const struct error *err,
                   const struct runner_started *started);
/* Answers with the failure; gone after that. `err` may be NULL. */
void starting_fail(struct starting *s, enum status status, const struct error *err);

#endif
