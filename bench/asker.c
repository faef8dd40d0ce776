#include "asker.h"

#include <stdio.h>
#include <stdlib.h>

enum { TELL_AFTER_MS = 20, SYSTEM_BYTES = 600, PREFIX_BYTES = 700, PROMPT_BYTES = 2000 };

/* One ask after the other, as of one debate. */
struct place {
  struct asker *asker;
  struct ask *ask;
  char debate_id[32];
  struct budget budget;
  bool shown;
  struct frame_source source;
  struct loop_task drain;
};

struct asker {
  struct loop *loop;
  struct provider *provider;
  struct ask_spec question;
  struct hub *hub;
  struct loop_timer *tell;
  long to_start, running;
  struct asker_counts counts;
  size_t at_once;
  struct place places[];
};

static void must(bool ok, const char *what) {
  if (ok) return;
  fprintf(stderr, "asker: %s failed\n", what);
  exit(1);
}

/* ---- the question ---- */

static const char schema[] =
    "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"answer\",\"points\","
    "\"confidence\"],\"properties\":{\"answer\":{\"type\":\"string\"},\"points\":{\"type\":"
    "\"array\",\"items\":{\"type\":\"string\"}},\"confidence\":{\"type\":\"number\"}}}";

/* Lines of prose, quotes and line ends among them as in a real prompt. */
static struct bytes prose(char *room, size_t len) {
  static const char line[] = "The \"team\" would keep one service, and split it when it hurts.\n";
  for (size_t i = 0; i < len; i++) room[i] = line[i % (sizeof line - 1)];
  return (struct bytes){room, len};
}

struct ask_spec asker_question(const struct agent_binding *binding) {
  static char system[SYSTEM_BYTES], prefix[PREFIX_BYTES], prompt[PROMPT_BYTES];
  return (struct ask_spec){.binding = binding,
                           .debate_key = 1,
                           .agent = "alpha",
                           .system = prose(system, sizeof system),
                           .prefix = prose(prefix, sizeof prefix),
                           .prompt = prose(prompt, sizeof prompt),
                           .schema_name = "proposal",
                           .schema = bytes_of(schema),
                           .max_output_tokens = 2000,
                           .timeout_ms = 60000};
}

/* ---- live words, as the runner sends them (src/runner/asking.c) ---- */

static void tell_tokens(void *arg) {
  struct asker *asker = arg;
  asker->tell = NULL;
  hub_tell_gathered(asker->hub);
}

static void tell_soon(struct asker *asker) {
  if (!asker->tell) asker->tell = loop_timer_start(asker->loop, TELL_AFTER_MS, tell_tokens, asker);
}

static struct hub_token token_of(int attempt) {
  return (struct hub_token){"r1.proposal.alpha", "alpha", "proposal", 1, attempt};
}

static void show(struct place *place, int attempt, struct bytes text) {
  struct hub *hub = place->asker->hub;
  struct hub_token token = token_of(attempt);
  if (!place->shown) hub_token_start(hub, place->debate_id, &token);
  place->shown = true;
  hub_token_delta(hub, place->debate_id, &token, text);
  tell_soon(place->asker);
}

static void withdraw(struct place *place, int attempt) {
  struct hub_token token = token_of(attempt);
  if (place->shown) hub_token_reset(place->asker->hub, place->debate_id, &token, "failed");
  place->shown = false;
  tell_soon(place->asker);
}

static void close_words(struct place *place, const struct ask_result *r) {
  char usage[160];
  struct hub_token token = token_of(r->attempt);
  int n = snprintf(usage, sizeof usage,
                   "{\"tokens_in\":%lld,\"tokens_out\":%lld,\"ttft_ms\":%lld,\"latency_ms\":%lld}",
                   (long long)r->usage.input, (long long)r->usage.output, (long long)r->ttft_ms,
                   (long long)r->latency_ms);
  hub_token_end(place->asker->hub, place->debate_id, &token, (struct bytes){usage, (size_t)n});
  place->shown = false;
  tell_soon(place->asker);
}

/* ---- the subscriber ---- */

static void drain(void *arg) {
  struct place *place = arg;
  struct frame *frame;
  while (place->source.ops->poll(place->source.source, &frame) == FRAME_READY) {
    place->asker->counts.frames++;
    frame_unref(frame);
  }
}

static void on_wake(void *arg) {
  struct place *place = arg;
  loop_defer(place->asker->loop, &place->drain, drain, place);
}

static void no_history(void *ctx, struct hub_subscription *subscription, uint64_t after) {
  hub_history_feed(subscription, NULL, 0, false, false);
}

static void subscribe(struct place *place) {
  struct hub_subscription *subscription;
  struct hub *hub = place->asker->hub;
  must(hub_open_debate(hub, place->debate_id, 1) == STATUS_OK, "hub_open_debate");
  must(hub_subscribe(hub, place->debate_id, 0, false, no_history, NULL, place, &subscription) ==
           STATUS_OK,
       "hub_subscribe");
  place->source = hub_source(subscription);
  place->source.ops->set_wake(place->source.source, on_wake, place);
  drain(place);
}

static void unsubscribe(struct place *place) {
  place->source.ops->close(place->source.source);
  loop_defer_cancel(place->asker->loop, &place->drain);
  hub_close_debate(place->asker->hub, place->debate_id);
}

/* ---- asking ---- */

static void start(struct place *place);

static void on_attempt_start(void *ctx, const struct ask_attempt *attempt) {
  struct place *place = ctx;
  place->asker->counts.attempts++;
  ask_proceed(place->ask, attempt->number);
}

static void on_token(void *ctx, int attempt, struct bytes text) {
  struct place *place = ctx;
  if (place->asker->hub) show(place, attempt, text);
}

static void on_token_reset(void *ctx, int attempt) {
  struct place *place = ctx;
  if (place->asker->hub) withdraw(place, attempt);
}

static void on_attempt_end(void *ctx, const struct ask_result *result) {
  struct place *place = ctx;
  place->asker->counts.failed[result->outcome]++;
}

static void on_done(void *ctx, const struct ask_result *result) {
  struct place *place = ctx;
  struct asker *asker = place->asker;
  asker->counts.done[result->outcome]++;
  if (place->shown) close_words(place, result);
  asker->running--;
  if (asker->to_start > 0)
    start(place);
  else if (!asker->running)
    loop_stop(asker->loop);
}

static const struct ask_ops ops = {on_attempt_start, on_token, on_token_reset, on_attempt_end,
                                   on_done};

static void start(struct place *place) {
  struct asker *asker = place->asker;
  asker->to_start--;
  asker->running++;
  struct ask_spec question = asker->question;
  question.debate_key = (uintptr_t)place;
  question.budget = &place->budget;
  must(ask_start(asker->provider, &question, &ops, place, &place->ask, NULL) == STATUS_OK,
       "ask_start");
}

static void open_debate(struct place *place, struct asker *asker, size_t number) {
  const struct ledger_caps caps = {INT64_MAX, -1, .allow_unknown_price = true};
  const struct ledger_amounts spent = {0};
  place->asker = asker;
  snprintf(place->debate_id, sizeof place->debate_id, "5f3a1c%02zx-should-a-team-split", number);
  must(budget_open(provider_budgets(asker->provider), place->debate_id, &PRINCIPAL_LOCAL, &caps,
                   &spent, &place->budget) == STATUS_OK,
       "budget_open");
  if (asker->hub) subscribe(place);
}

struct asker *asker_create(struct loop *loop, struct provider *provider,
                           const struct agent_binding *binding, struct hub *hub, size_t at_once) {
  struct asker *asker = calloc(1, sizeof *asker + at_once * sizeof asker->places[0]);
  must(asker, "calloc");
  asker->loop = loop;
  asker->provider = provider;
  asker->question = asker_question(binding);
  asker->hub = hub;
  asker->at_once = at_once;
  for (size_t i = 0; i < at_once; i++) open_debate(&asker->places[i], asker, i);
  return asker;
}

void asker_destroy(struct asker *asker) {
  loop_timer_cancel(asker->tell);
  for (size_t i = 0; i < asker->at_once; i++) {
    if (asker->hub) unsubscribe(&asker->places[i]);
    budget_close(&asker->places[i].budget);
  }
  free(asker);
}

void asker_run(struct asker *asker, long asks) {
  asker->to_start = asks;
  for (size_t i = 0; i < asker->at_once && asker->to_start > 0; i++) start(&asker->places[i]);
  loop_run(asker->loop);
}

const struct asker_counts *asker_counts(const struct asker *asker) {
  return &asker->counts;
}
