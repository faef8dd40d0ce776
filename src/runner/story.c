/* A debate in the server's log. Its id stands on every line, so that one grep gives the whole story
 * in order: accepted, started, each attempt, votes, the decision, the end. */
#include "base/log.h"
#include "debate/attempt_note.h"
#include "runner/internal.h"

#include <inttypes.h>
#include <stdio.h>

enum { NUMBER_SIZE = 24 };

/* A count that nobody knows is no number. */
static const char *known(char text[NUMBER_SIZE], int64_t n) {
  snprintf(text, NUMBER_SIZE, n < 0 ? "unknown" : "%" PRId64, n);
  return text;
}

void story_begin(const struct live *live) {
  const struct log_context context = live_log_context(live);
  const struct debate_config *c = &live->debate->config;
  log_info("runner", &context, "debate=started agents=%d rounds=%d deadline_ms=%" PRId64,
           c->member_count, c->rounds, c->deadline_ms);
}

void story_end(const struct live *live) {
  const struct log_context context = live_log_context(live);
  const struct debate *d = live->debate;
  const struct store_debate *row = &live->row;
  log_info("runner", &context,
           "debate=%s outcome=%s rounds=%d attempts=%d tokens_in=%" PRId64 " tokens_out=%" PRId64
           " duration_ms=%" PRId64 " degraded=%s",
           row->status ? row->status : "", row->outcome ? row->outcome : "", d->round, d->attempts,
           d->tokens_in, d->tokens_out, row->duration_ms, row->degraded ? "yes" : "no");
}

/* Everything that went in, from the cache or not; -1 = the vendor said nothing. */
static int64_t tokens_in(const struct ask_usage *u) {
  if (u->input < 0 && u->cache_read < 0 && u->cache_write < 0) return -1;
  return (u->input > 0 ? u->input : 0) + (u->cache_read > 0 ? u->cache_read : 0) +
         (u->cache_write > 0 ? u->cache_write : 0);
}

void story_attempt(const struct asking *asking, const struct ask_result *r) {
  const struct log_context context = live_log_context(asking->live);
  char in[NUMBER_SIZE], out[NUMBER_SIZE], ttft[NUMBER_SIZE];
  struct log_quoted detail;
  bool ok = r->outcome == OUTCOME_OK;
  bool cut = r->outcome == OUTCOME_CANCELLED;
  const char *limited = r->outcome == OUTCOME_RATE_LIMITED ? " rate_limit" : "";
  log_line(
      ok || cut ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, "runner", &context,
      "agent=%s turn=%s attempt=%d provider=%s model=%s outcome=%s status=%d latency_ms=%" PRId64
      " ttft_ms=%s tokens_in=%s tokens_out=%s%s%s%s",
      asking->binding.type, asking->turn_id, r->attempt, r->provider, r->model,
      outcome_name(r->outcome), r->upstream_status, r->latency_ms, known(ttft, r->ttft_ms),
      known(in, tokens_in(&r->usage)), known(out, r->usage.output), limited,
      ok ? "" : " detail=", ok ? "" : log_quote(&detail, r->detail));
}

/* ---- what else its log says ---- */

static void tell_decision(const struct log_context *context, const json_t *data) {
  char share[NUMBER_SIZE];
  log_info("runner", context,
           "decision=%s rule=%s basis=%s winner=%s share_ppm=%s strength=%s positions=%zu",
           json_get_bool(data, "reached", false) ? "consensus" : "none",
           json_get_text(data, "rule", "-"), json_get_text(data, "basis", "-"),
           json_get_text(data, "winner", "none"), known(share, json_get_int(data, "share_ppm", -1)),
           json_get_text(data, "strength", "-"),
           json_array_size(json_object_get(data, "positions")));
}

static void tell_vote(const struct log_context *context, const struct event *event) {
  const json_t *ranking = json_object_get(event->data, "ranking");
  const char *first = json_string_value(json_array_get(ranking, 0));
  char sure[NUMBER_SIZE];
  log_info("runner", context, "vote agent=%s choice=%s own=%s confidence_ppm=%s",
           event->agent ? event->agent : "-", first ? first : "none",
           json_get_text(event->data, "own", "-"),
           known(sure, json_get_int(event->data, "confidence_ppm", -1)));
}

static void tell_failed_turn(const struct log_context *context, const struct event *event) {
  struct log_quoted detail;
  log_warning("runner", context,
              "turn=failed agent=%s of=%s outcome=%s attempts=%" PRId64 " detail=%s",
              event->agent ? event->agent : "-", json_get_text(event->data, "turn", "-"),
              json_get_text(event->data, "outcome", "-"), json_get_int(event->data, "attempts", 0),
              log_quote(&detail, json_get_text(event->data, "detail", "")));
}

static void tell_fact(const struct log_context *context, const struct event *event) {
  struct log_quoted reason;
  log_info("runner", context, "fact=%s reason=%s", event_kind_name(event->kind),
           log_quote(&reason, json_get_text(event->data, "reason", "")));
}

static void tell_asked(const struct log_context *context, const struct event *event,
                       const struct attempt_note *note) {
  log_debug("runner", context, "asked agent=%s turn=%s attempt=%" PRId64 " provider=%s model=%s",
            event->agent ? event->agent : "-", note->turn, note->number, note->provider,
            note->model);
}

/* `note` is the event's data in place of a tree, or NULL. */
void story_tell(const struct live *live, const struct event *event,
                const struct attempt_note *note) {
  const struct log_context context = live_log_context(live);
  const json_t *data = event->data;
  struct log_quoted text;
  switch (event->kind) {
    case EVENT_ROUND_START:
      log_info("runner", &context, "round=%d phase=%s", event->round,
               json_get_text(data, "phase", "-"));
      return;
    case EVENT_ATTEMPT_START:
      if (note) tell_asked(&context, event, note);
      return;
    case EVENT_VOTE: tell_vote(&context, event); return;
    case EVENT_AGENT_ERROR: tell_failed_turn(&context, event); return;
    case EVENT_STOP:
      log_info("runner", &context, "stop=%s round=%d", json_get_text(data, "reason", "-"),
               event->round);
      return;
    case EVENT_CONSENSUS: tell_decision(&context, data); return;
    case EVENT_ERROR: /* the debate's, as a failed turn is the agent's; the server is well */
      log_warning("runner", &context, "code=%s error=%s", json_get_text(data, "code", "-"),
                  log_quote(&text, json_get_text(data, "message", "")));
      return;
    case EVENT_RESUMED:
      log_info("runner", &context, "debate=resumed elapsed_ms=%" PRId64,
               json_get_int(data, "elapsed_ms", 0));
      return;
    case EVENT_CANCEL_REQUESTED:
    case EVENT_DEADLINE_REACHED:
    case EVENT_BUDGET_EXHAUSTED: tell_fact(&context, event); return;
    case EVENT_DEBATE_START:
    case EVENT_ATTEMPT_END:
    case EVENT_AGENT_MESSAGE:
    case EVENT_CRITIQUE:
    case EVENT_DEBATE_END:
    case EVENT_UNKNOWN: return;
  }
}
