#include "provider/ask.h"

#include "provider/fallback.h"
#include "provider/handle.h"
#include "provider/leg.h"

#include <stdio.h>
#include <stdlib.h>

enum { WORDS_MAX = 320 };

enum ask_state {
  ASK_STEPPING,  /* ours: at the gate in a turn of its own, at once or after a delay */
  ASK_QUEUED,    /* the gate's, until it lets it go */
  ASK_SHORT,     /* the budgets': it waits until others have settled, then steps again */
  ASK_WAITING,   /* the owner's: it makes the attempt durable, then calls ask_proceed */
  ASK_RUNNING,   /* the attempts': the first one, or where that has failed its hedge */
  ASK_UNSENT,    /* ours: it could not be sent, and ends in a turn of its own */
  ASK_ENDING,    /* ops.done is running; freed when it returns */
  ASK_CANCELLED, /* by the owner, within a callback of ours, which frees it */
};

/* A second one beside a first that takes longer than its model's answers do. */
struct hedge {
  struct leg leg;
  bool let_go;             /* by the gate */
  enum status unsent;      /* why it could not be sent */
  struct loop_timer *step; /* until that is told */
};

struct ask {
  enum ask_state state;
  struct provider *provider;
  struct ask_spec spec;         /* its texts are borrowed; of the binding that is asked now */
  struct agent_binding binding; /* of a fallback; spec.binding points here then */
  struct fallback fallback;
  const struct ask_ops *ops;
  void *ctx;
  struct loop_timer *step;  /* of STEPPING and UNSENT */
  struct loop_timer *total; /* the turn's deadline */
  int64_t deadline_ms, entered_ms;
  struct service *service;   /* of the binding that is asked now; NULL for demo agents */
  struct service_wait trial; /* of STEPPING: the end of another's trial cuts the delay short */
  struct leg first;
  struct hedge *hedge;     /* or NULL; of RUNNING */
  struct loop_timer *slow; /* of RUNNING: when a hedge is sent */
  int number;              /* attempts so far */
  int here;                /* at this binding */
  bool fell_back, shown;
  bool expired; /* the turn's deadline ended the attempt */
  bool telling; /* a callback of the owner runs, after which we go on */
  enum status unsent;
  char *words; /* of the last failure, or NULL: thousands wait that never had one */
};

/* ---- the end of an ask ---- */

static int64_t now_ms(const struct ask *ask) {
  return (int64_t)loop_now_ms(ask->provider->loop);
}

static int64_t left_ms(const struct ask *ask) {
  return ask->deadline_ms - now_ms(ask);
}

/* Neither planned nor under way any more. */
static void hedge_drop(struct ask *ask) {
  loop_timer_cancel(ask->slow);
  ask->slow = NULL;
  if (!ask->hedge) return;
  loop_timer_cancel(ask->hedge->step);
  leg_stop(&ask->hedge->leg);
  free(ask->hedge);
  ask->hedge = NULL;
}

/* Stops everything that could call back. */
static void stop(struct ask *ask) {
  loop_timer_cancel(ask->step);
  loop_timer_cancel(ask->total);
  ask->step = ask->total = NULL;
  service_wait_cancel(&ask->trial);
  leg_stop(&ask->first);
  hedge_drop(ask);
}

static void ask_free(struct ask *ask) {
  free(ask->words);
  free(ask);
}

static void finish(struct ask *ask, const struct ask_result *result) {
  stop(ask);
  ask->state = ASK_ENDING;
  ask->ops->done(ask->ctx, result);
  ask_free(ask);
}

/* Over without an answer of a provider's: how it ends is ours to say. What was announced was never
 * sent. */
static struct ask_result result_of_ours(const struct ask *ask, enum outcome outcome,
                                        const char *words) {
  return (struct ask_result){
      .attempt = ask->number,
      .outcome = outcome,
      .provider = ask->spec.binding->provider,
      .model = ask->spec.binding->model,
      .detail = words,
      .request_id = "",
      .usage = {-1, -1, -1, -1, -1},
      .cost_usd_micro = -1,
      .ttft_ms = -1,
      .latency_ms = now_ms(ask) - ask->entered_ms,
      .retry_after_ms = -1,
      .fallback = ask->fell_back,
      .next = "",
      .unsent = true,
  };
}

static void finish_ourselves(struct ask *ask, enum outcome outcome, const char *words) {
  const struct ask_result result = result_of_ours(ask, outcome, words);
  finish(ask, &result);
}

/* ---- what follows a failure ---- */

static void on_step(void *arg);

static void step_later(struct ask *ask, int64_t delay_ms) {
  ask->state = ASK_STEPPING;
  ask->step = loop_timer_start(ask->provider->loop, (uint64_t)delay_ms, on_step, ask);
}

/* A budget in money may be closed to calls whose price nobody knows. */
static bool needs_price(const struct ask *ask) {
  return ask->spec.budget && budget_refuses_unknown_price(ask->spec.budget);
}

static void fall_back(struct ask *ask, bool openrouter) {
  ask->binding = openrouter ? fallback_take_openrouter(&ask->fallback)
                            : fallback_take_next(&ask->fallback, needs_price(ask));
  ask->spec.binding = &ask->binding;
  ask->fell_back = true;
  ask->here = 0;
}

static struct retry_decision decide(struct ask *ask, enum outcome outcome, int status_code,
                                    int64_t retry_after_ms, enum retry_advice advice) {
  const struct retry_facts facts = {
      .outcome = outcome,
      .status_code = status_code,
      .retry_after_ms = retry_after_ms,
      .advice = advice,
      .attempts = ask->here,
      .max_retries = ask->provider->options.max_retries,
      .left_ms = left_ms(ask),
      .openrouter = fallback_has_openrouter(&ask->fallback, ask->spec.binding, needs_price(ask)),
      .chain = fallback_has_next(&ask->fallback, needs_price(ask)),
  };
  return retry_decide(&facts, &ask->provider->chance);
}

/* What follows the failure of an attempt, or the refusal of one, for who reads the server's log. */
static void log_detour(const struct ask *ask, const struct agent_binding *from, enum outcome why,
                       const struct retry_decision *decision) {
  const struct agent_binding *to = ask->spec.binding;
  const char *turn = ask->spec.turn ? ask->spec.turn : "-";
  if (decision->action == RETRY_OPENROUTER || decision->action == RETRY_CHAIN)
    log_info("provider", &ask->spec.log,
             "agent=%s turn=%s fallback=%s outcome=%s provider=%s model=%s reason=\"%s\"",
             from->type, turn, retry_action_name(decision->action), outcome_name(why), to->provider,
             to->model, decision->reason);
  else
    log_info("provider", &ask->spec.log,
             "agent=%s turn=%s retry=%s outcome=%s delay_ms=%lld reason=\"%s\"", from->type, turn,
             retry_action_name(decision->action), outcome_name(why), (long long)decision->delay_ms,
             decision->reason);
}

/* Anything but giving up. */
static void follow(struct ask *ask, enum outcome why, const struct retry_decision *decision) {
  struct agent_binding from = *ask->spec.binding;
  if (decision->action == RETRY_OPENROUTER || decision->action == RETRY_CHAIN)
    fall_back(ask, decision->action == RETRY_OPENROUTER);
  log_detour(ask, &from, why, decision);
  step_later(ask, decision->delay_ms);
}

/* ---- an attempt ---- */

static void on_rates(void *ctx, const struct rate_headers *h) {
  struct leg *leg = ctx;
  const struct pacing_rates rates = {
      {h->requests.limit, h->requests.remaining, h->requests.reset_ms},
      {h->tokens.limit, h->tokens.remaining, h->tokens.reset_ms},
  };
  if (rates.requests.limit > 0 || rates.tokens.limit > 0) service_note_rates(&leg->call, &rates);
}

/* Of a hedge nothing is shown until it has won: two answers at once would be none. */
static void on_token(void *ctx, struct bytes text) {
  const struct leg *leg = ctx;
  struct ask *ask = leg->ask;
  if (leg != &ask->first) return;
  ask->shown = true;
  ask->ops->token(ask->ctx, leg->number, text); /* last: the owner may cancel in it */
}

/* What the attempt says of the service. Of one that the turn's deadline cut short of half a turn's
 * time it says nothing. */
static void leave_service(struct leg *leg, const struct ask_result *r) {
  const struct ask *ask = leg->ask;
  struct breaker_report report = {breaker_verdict_of(r->outcome), r->retry_after_ms, r->detail};
  if (ask->expired && r->outcome == OUTCOME_TIMEOUT && r->latency_ms < ask->spec.timeout_ms / 2)
    report.verdict = BREAKER_NEUTRAL;
  if (r->unsent && r->outcome == OUTCOME_TIMEOUT)
    report.verdict = BREAKER_NEUTRAL; /* it stood in our own queue */
  struct pacing_result result = {PACING_OTHER, -1};
  if (r->outcome == OUTCOME_OK) result.end = PACING_SUCCEEDED;
  if (r->outcome == OUTCOME_RATE_LIMITED || r->outcome == OUTCOME_OVERLOADED)
    result.end = PACING_THROTTLED; /* the time that a vendor names is kept by the breaker: who
                                      cannot wait so long must not stand in the gate's queue */
  /* A hedge that wins stands for an answer that took at least since the first was sent: with its
   * own time instead, what is slow would sink with every hedge. */
  bool instead = leg != &ask->first && ask->first.attempt;
  if (ask->service && r->outcome == OUTCOME_OK)
    service_note_answer(ask->service, instead ? now_ms(ask) - ask->first.sent_ms : r->latency_ms);
  else if (ask->service)
    service_note_error(ask->service, outcome_name(r->outcome), r->detail);
  service_leave(&leg->call, &report, &result);
}

/* Tells the owner of an attempt that another follows. False when the owner cancelled meanwhile. */
static bool tell_attempt_end(struct ask *ask, const struct ask_result *r) {
  bool first = r->attempt == ask->first.number;
  ask->telling = true;
  if (first && ask->shown) ask->ops->token_reset(ask->ctx, r->attempt);
  if (first) {
    ask->first.owed = (struct ledger_amounts){0};
    ask->first.open = ask->shown = false;
  }
  if (ask->state != ASK_CANCELLED) ask->ops->attempt_end(ask->ctx, r);
  ask->telling = false;
  if (ask->state != ASK_CANCELLED) return true;
  ask_free(ask);
  return false;
}

/* The other attempt under way, or NULL. */
static struct leg *other_of(const struct leg *leg) {
  struct ask *ask = leg->ask;
  struct leg *hedge = ask->hedge ? &ask->hedge->leg : NULL;
  struct leg *other = leg == &ask->first ? hedge : &ask->first;
  return other && other->open ? other : NULL;
}

/* The end of the other attempt, which is not needed any more. */
static struct ask_result cut(struct leg *other) {
  struct ask_result r =
      result_of_ours(other->ask, OUTCOME_CANCELLED, "the other attempt was first");
  r.attempt = other->number;
  r.unsent = attempt_unsent(other->attempt);
  r.latency_ms = other->attempt ? now_ms(other->ask) - other->sent_ms : 0;
  r.booked = leg_cut(other);
  other->open = false;
  return r;
}

/* It failed, and the turn's other attempt decides. */
static void leave_to_other(struct leg *leg, struct ask_result *r) {
  struct ask *ask = leg->ask;
  struct hedge *gone = leg == &ask->first ? NULL : ask->hedge;
  r->next = "the other attempt runs on";
  if (gone) ask->hedge = NULL;
  tell_attempt_end(ask, r);
  free(gone);
}

/* The turn is over, and the other attempt is cut. */
static void finish_beside(struct leg *other, const struct ask_result *r) {
  struct ask *ask = other->ask;
  const struct ask_result beside = cut(other);
  struct ask_result last = *r;
  last.beside = &beside;
  finish(ask, &last);
}

static void leg_over(struct leg *leg, struct ask_result *r, enum retry_advice advice) {
  struct ask *ask = leg->ask;
  struct leg *other = other_of(leg);
  r->attempt = leg->number;
  r->fallback = ask->fell_back;
  r->next = "";
  leg_settle(leg, r);
  if (leg->call.service) leave_service(leg, r);
  if (other && r->outcome != OUTCOME_OK && !ask->expired) {
    leave_to_other(leg, r);
    return;
  }
  if (other) {
    finish_beside(other, r);
    return;
  }
  struct retry_decision next = {.action = RETRY_GIVE_UP};
  if (r->outcome != OUTCOME_OK)
    next = decide(ask, r->outcome, r->upstream_status, r->retry_after_ms, advice);
  if (next.action == RETRY_GIVE_UP) {
    finish(ask, r);
    return;
  }
  r->next = retry_action_name(next.action);
  free(ask->words);
  ask->words = strdup(r->detail);
  enum outcome why = r->outcome;
  if (!tell_attempt_end(ask, r)) return;
  hedge_drop(ask);
  follow(ask, why, &next);
}

static void on_attempt_done(void *ctx, const struct ask_result *result, enum retry_advice advice) {
  struct leg *leg = ctx;
  struct ask_result r = *result;
  leg->attempt = NULL; /* freed when this returns */
  leg_over(leg, &r, advice);
}

static const struct attempt_ops attempt_ops = {on_rates, on_token, on_attempt_done};

/* It never left: no word on the service, and no second try, since the reason is ours. */
static struct ask_result result_of_unsent(const struct ask *ask, enum status why) {
  if (why == STATUS_FULL)
    return result_of_ours(ask, OUTCOME_OVERLOADED, "the request could not be sent: too many wait");
  if (why == STATUS_NOMEM) return result_of_ours(ask, OUTCOME_UNAVAILABLE, "out of memory");
  if (why == STATUS_IO)
    return result_of_ours(ask, OUTCOME_UNAVAILABLE,
                          "this server cannot load libcurl; its log says why");
  return result_of_ours(ask, OUTCOME_INVALID_REQUEST,
                        "the request could not be made: too large, or the agent has no address");
}

static void on_unsent(void *arg) {
  struct ask *ask = arg;
  ask->step = NULL;
  const struct ask_result r = result_of_unsent(ask, ask->unsent);
  finish(ask, &r);
}

static void on_hedge_unsent(void *arg) {
  struct hedge *hedge = arg;
  hedge->step = NULL;
  struct ask_result r = result_of_unsent(hedge->leg.ask, hedge->unsent);
  service_withdraw(&hedge->leg.call); /* the reason is ours */
  leg_over(&hedge->leg, &r, RETRY_ADVICE_NO);
}

static enum status leg_send(struct leg *leg) {
  struct ask *ask = leg->ask;
  int64_t left = left_ms(ask);
  enum status s = attempt_start(ask->provider->loop, ask->provider->http, &ask->provider->limits,
                                &ask->spec, left > 1 ? left : 1, &attempt_ops, leg, &leg->attempt);
  if (s) return s;
  leg->owed = leg->bound;
  leg->sent_ms = now_ms(ask);
  return STATUS_OK;
}

static void send_hedge(struct hedge *hedge) {
  struct loop *loop = hedge->leg.ask->provider->loop;
  hedge->unsent = leg_send(&hedge->leg);
  if (hedge->unsent) hedge->step = loop_timer_start(loop, 0, on_hedge_unsent, hedge);
}

static void plan_hedge(struct ask *ask);

void ask_proceed(struct ask *ask, int attempt) {
  if (ask->hedge && ask->hedge->leg.number == attempt) {
    send_hedge(ask->hedge);
    return;
  }
  if (ask->state != ASK_WAITING) return;
  ask->state = ASK_RUNNING;
  ask->unsent = leg_send(&ask->first);
  if (!ask->unsent) {
    plan_hedge(ask);
    return;
  }
  /* Called within a callback of ours, so the end comes in a turn of its own. */
  ask->state = ASK_UNSENT;
  ask->step = loop_timer_start(ask->provider->loop, 0, on_unsent, ask);
}

/* It need not wait any longer: through the gate again, since it left it meanwhile. */
static void on_budget(void *ctx) {
  step_later(ctx, 0);
}

/* Over unless it waits. False in both cases. */
static bool not_held(struct ask *ask, enum budget_answer answer, const char *words) {
  if (answer == BUDGET_WAITING) {
    service_withdraw(&ask->first.call); /* others are not to wait for it at the gate */
    ask->state = ASK_SHORT;
    return false;
  }
  enum outcome outcome = answer == BUDGET_FAILED ? OUTCOME_UNAVAILABLE : OUTCOME_BUDGET;
  struct ask_result result = result_of_ours(ask, outcome, words);
  result.exhausted = answer == BUDGET_EXHAUSTED;
  finish(ask, &result);
  return false;
}

/* True when the attempt's bound is reserved. */
static bool claim(struct ask *ask) {
  char words[BUDGET_WORDS_SIZE];
  struct leg *leg = &ask->first;
  leg->bound = attempt_bound(&ask->spec);
  if (!ask->spec.budget || leg->claim.state == CLAIM_HELD) return true;
  leg->claim.go = on_budget;
  leg->claim.ctx = ask;
  enum budget_answer answer =
      budget_claim(ask->spec.budget, &leg->claim, leg->bound.tokens, leg->bound.usd_micro, words);
  return answer == BUDGET_HELD || not_held(ask, answer, words);
}

static void leg_announce(struct leg *leg) {
  struct ask *ask = leg->ask;
  const struct ask_spec *spec = &ask->spec;
  leg->number = ++ask->number;
  leg->open = true;
  const struct ask_attempt attempt = {
      .number = leg->number,
      .hedge = leg != &ask->first,
      .prompt_bytes = (int64_t)(spec->system.len + spec->prefix.len + spec->prompt.len),
      .provider = spec->binding->provider,
      .model = spec->binding->model,
      .reserved_tokens = leg->bound.tokens,
      .reserved_usd_micro = leg->bound.usd_micro,
      .day = leg->claim.day,
  };
  ask->ops->attempt_start(ask->ctx, &attempt); /* last: the owner may cancel in it */
}

static void announce(struct ask *ask) {
  if (!claim(ask)) return;
  ask->here++;
  ask->state = ASK_WAITING;
  leg_announce(&ask->first);
}

/* Four bytes a token is what vendors count, near enough for pacing. */
static int64_t pacing_tokens(const struct ask_spec *spec) {
  return (int64_t)(spec->system.len + spec->prefix.len + spec->prompt.len) / 4 +
         spec->max_output_tokens;
}

/* ---- a hedge (J. Dean, L. A. Barroso, "The Tail at Scale", CACM 56, 2013) ---- */

static void on_hedge_go(void *ctx) {
  struct hedge *hedge = ctx;
  hedge->let_go = true;
}

static void on_hedge_budget(void *ctx) {
  (void)ctx; /* it does not wait */
}

/* What a first attempt would wait for, a hedge does without. */
static bool hedge_may_go(struct hedge *hedge) {
  struct leg *leg = &hedge->leg;
  const struct ask *ask = leg->ask;
  char words[BUDGET_WORDS_SIZE];
  leg->call.go = on_hedge_go;
  leg->call.ctx = hedge;
  leg->call.log = &ask->spec.log;
  leg->claim.go = on_hedge_budget;
  leg->bound = attempt_bound(&ask->spec);
  if (service_enter(ask->service, &leg->call, ask->spec.debate_key, pacing_tokens(&ask->spec)))
    return false;
  if (!hedge->let_go || service_admit(&leg->call).answer != BREAKER_ADMITTED) return false;
  return !ask->spec.budget || budget_claim(ask->spec.budget, &leg->claim, leg->bound.tokens,
                                           leg->bound.usd_micro, words) == BUDGET_HELD;
}

static void on_slow(void *arg) {
  struct ask *ask = arg;
  ask->slow = NULL;
  if (attempt_is_whole(ask->first.attempt)) return;
  struct hedge *hedge = calloc(1, sizeof *hedge);
  if (!hedge) return;
  hedge->leg.ask = ask;
  ask->hedge = hedge;
  if (hedge_may_go(hedge))
    leg_announce(&hedge->leg);
  else
    hedge_drop(ask);
}

/* One of twenty answers is slower than that. */
static void plan_hedge(struct ask *ask) {
  if (!ask->provider->options.hedge || !ask->service) return;
  int64_t p95_ms = latency_p95_ms(&ask->service->latency);
  if (p95_ms < 0 || p95_ms >= left_ms(ask)) return;
  ask->slow =
      loop_timer_start(ask->provider->loop, p95_ms > 0 ? (uint64_t)p95_ms : 1, on_slow, ask);
}

/* ---- the way to an attempt ---- */

/* Among others that do the same: each goes on in a turn of its own, and the breaker sees to it that
 * there is one trial at a time. */
static void on_trial_end(void *ctx) {
  struct ask *ask = ctx;
  loop_timer_cancel(ask->step);
  step_later(ask, 0);
}

static void await_trial(struct ask *ask) {
  ask->trial.go = on_trial_end;
  ask->trial.ctx = ask;
  service_await_trial(ask->service, &ask->trial);
}

/* The breaker lets nothing through: as after an attempt that failed so, but that there was none. */
static void refused(struct ask *ask, const struct breaker_admission *a) {
  const struct agent_binding *b = ask->spec.binding;
  service_withdraw(&ask->first.call);
  budget_release(&ask->first.claim); /* held since it waited for it */
  bool cooling = a->answer == BREAKER_REFUSED_COOLING;
  enum outcome outcome = cooling ? OUTCOME_RATE_LIMITED : OUTCOME_UNAVAILABLE;
  /* An open breaker is not waited for; the end of a trial is. */
  bool open = a->answer == BREAKER_REFUSED_OPEN;
  struct retry_decision next =
      decide(ask, outcome, 0, a->wait_ms, open ? RETRY_ADVICE_NO : RETRY_ADVICE_NONE);
  log_info("provider", &ask->spec.log, "agent=%s turn=%s breaker=%s wait_ms=%lld", b->type,
           ask->spec.turn ? ask->spec.turn : "-",
           cooling                              ? "cooling"
           : a->answer == BREAKER_REFUSED_TRIAL ? "half_open"
                                                : "open",
           (long long)a->wait_ms);
  if (next.action != RETRY_GIVE_UP) {
    follow(ask, outcome, &next);
    if (a->answer == BREAKER_REFUSED_TRIAL && next.action == RETRY_WAIT) await_trial(ask);
    return;
  }
  char words[WORDS_MAX];
  snprintf(words, sizeof words, "%s of %s/%s: it may be asked again in %lld s",
           cooling ? "rate limit" : "circuit breaker open: too many failures", b->provider,
           b->model, (long long)((a->wait_ms + 999) / 1000));
  finish_ourselves(ask, outcome, words);
}

static void on_go(void *ctx) {
  struct ask *ask = ctx;
  struct breaker_admission a = service_admit(&ask->first.call);
  if (a.answer == BREAKER_ADMITTED || a.answer == BREAKER_TRIAL)
    announce(ask);
  else
    refused(ask, &a);
}

static void on_step(void *arg) {
  struct ask *ask = arg;
  const struct ask_spec *spec = &ask->spec;
  ask->step = NULL;
  service_wait_cancel(&ask->trial);
  ask->service = services_of(&ask->provider->services, spec->binding);
  if (spec->binding->wire == WIRE_DEMO) {
    announce(ask);
    return;
  }
  ask->state = ASK_QUEUED;
  struct service_call *call = &ask->first.call;
  call->go = on_go;
  call->ctx = ask;
  call->log = &ask->spec.log;
  enum status s = ask->service
                      ? service_enter(ask->service, call, spec->debate_key, pacing_tokens(spec))
                      : STATUS_FULL;
  if (s) finish_ourselves(ask, OUTCOME_OVERLOADED, "too many calls wait for this provider");
}

/* The first attempt, or the hedge that was left; one whose start is not durable yet never leaves.
 */
static void expire(struct ask *ask) {
  ask->expired = true;
  struct attempt *attempt = ask->first.attempt;
  struct attempt *hedge = ask->hedge ? ask->hedge->leg.attempt : NULL;
  if (!attempt || (attempt_is_whole(hedge) && !attempt_is_whole(attempt))) attempt = hedge;
  if (attempt)
    attempt_expire(attempt);
  else
    finish_ourselves(ask, OUTCOME_TIMEOUT, "the time was over before the second attempt left");
}

static void on_total(void *arg) {
  struct ask *ask = arg;
  ask->total = NULL;
  char words[WORDS_MAX + 80];
  switch (ask->state) {
    case ASK_RUNNING: expire(ask); return;
    case ASK_WAITING:
    case ASK_UNSENT:
      snprintf(words, sizeof words, "not finished after %lld ms", (long long)ask->spec.timeout_ms);
      break;
    case ASK_QUEUED:
      snprintf(words, sizeof words, "waited for its turn at %s until the time was over",
               ask->spec.binding->provider);
      break;
    case ASK_SHORT:
      snprintf(words, sizeof words,
               "waited until the time was over for others to leave enough of "
               "the %s budget",
               budget_scope_name(ask->first.claim.scope));
      break;
    case ASK_STEPPING:
      snprintf(words, sizeof words, "no time left for another attempt; the last: %s",
               ask->words ? ask->words : "");
      break;
    case ASK_ENDING:
    case ASK_CANCELLED: return;
  }
  finish_ourselves(ask, OUTCOME_TIMEOUT, words);
}

enum status ask_start(struct provider *provider, const struct ask_spec *spec,
                      const struct ask_ops *ops, void *ctx, struct ask **ret_ask,
                      struct error *err) {
  struct ask *ask = calloc(1, sizeof *ask);
  if (!ask) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  ask->provider = provider;
  ask->spec = *spec;
  ask->fallback = fallback_of(provider->roster->agents, spec->binding);
  ask->ops = ops;
  ask->ctx = ctx;
  ask->first.ask = ask;
  ask->entered_ms = now_ms(ask);
  int64_t timeout_ms = spec->timeout_ms > 0 ? spec->timeout_ms : 1;
  ask->deadline_ms = ask->entered_ms + timeout_ms;
  ask->total = loop_timer_start(provider->loop, (uint64_t)timeout_ms, on_total, ask);
  step_later(ask, 0);
  *ret_ask = ask;
  return STATUS_OK;
}

struct ask_owed ask_cancel(struct ask *ask) {
  struct ask_owed owed = {0};
  if (ask->state == ASK_ENDING) return owed; /* it is freed anyway */
  bool first = ask->first.open;
  owed.open = leg_cut(&ask->first);
  if (ask->hedge) owed.hedge = leg_cut(&ask->hedge->leg);
  if (!first) owed.open = owed.hedge;
  stop(ask);
  if (ask->telling)
    ask->state = ASK_CANCELLED;
  else
    ask_free(ask);
  return owed;
}
