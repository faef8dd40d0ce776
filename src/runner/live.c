#include "runner/live.h"

#include "base/log.h"
#include "base/metrics.h"
#include "debate/result.h"
#include "runner/internal.h"

#include <stdlib.h>

struct log_context live_log_context(const struct live *live) {
  return (struct log_context){live->request_id, live->row.id};
}

/* ---- life ---- */

static enum status copy_text(char **field, const char *text) {
  return text ? bytes_replace(field, bytes_of(text)) : STATUS_OK;
}

static enum status copy_row(const struct store_debate *row, struct store_debate *out) {
  *out = *row;
  out->id = out->tenant_id = out->owner_id = out->slug = out->task = NULL;
  out->agents = out->metadata = out->status = out->outcome = out->consensus = out->key_id = NULL;
  enum status s = copy_text(&out->id, row->id);
  if (!s) s = copy_text(&out->tenant_id, row->tenant_id);
  if (!s) s = copy_text(&out->owner_id, row->owner_id);
  if (!s) s = copy_text(&out->slug, row->slug);
  if (!s) s = copy_text(&out->task, row->task);
  if (!s) s = copy_text(&out->agents, row->agents);
  if (!s) s = copy_text(&out->metadata, row->metadata);
  if (!s) s = copy_text(&out->status, row->status);
  if (!s) s = copy_text(&out->outcome, row->outcome);
  if (!s) s = copy_text(&out->consensus, row->consensus);
  if (!s) s = copy_text(&out->key_id, row->key_id);
  return s;
}

enum status live_create(struct runner *runner, const struct store_debate *row,
                        struct live **ret_live) {
  struct live *live = calloc(1, sizeof *live);
  if (!live) return STATUS_NOMEM;
  live->runner = runner;
  live->refs = 1;
  live->debate = debate_create(false);
  enum status s = copy_row(row, &live->row);
  if (s || !live->debate) {
    live_unref(live);
    return STATUS_NOMEM;
  }
  *ret_live = live;
  return STATUS_OK;
}

void live_take_request_id(struct live *live, char *request_id) {
  free(live->request_id);
  live->request_id = request_id;
}

/* Its own account begins with what its log has booked. */
static enum status open_budget(struct live *live) {
  const struct debate *d = live->debate;
  const struct principal who = {
      .tenant_id = live->row.tenant_id, .owner_id = live->row.owner_id, .key_id = live->row.key_id};
  const struct ledger_caps caps = {d->config.budget_tokens, d->config.budget_usd_micro,
                                   d->config.allow_unknown_price};
  const struct ledger_amounts spent = {d->committed_tokens, d->committed_usd_micro};
  return budget_open(provider_budgets(live->runner->provider), live->row.id, &who, &caps, &spent,
                     &live->budget);
}

/* The configuration is known: room for the turns of its largest step. */
static enum status make_seats(struct live *live) {
  const struct debate_config *c = &live->debate->config;
  live->asking_count = c->member_count > c->judge_count ? c->member_count : c->judge_count;
  live->askings = calloc((size_t)live->asking_count, sizeof *live->askings);
  return live->askings ? open_budget(live) : STATUS_NOMEM;
}

void live_cut_askings(struct live *live) {
  for (int i = 0; live->askings && i < live->asking_count; i++) {
    struct asking *asking = &live->askings[i];
    if (asking->ask) ask_cancel(asking->ask);
    asking_clear(asking);
  }
}

void live_ref(struct live *live) {
  live->refs++;
}

void live_unref(struct live *live) {
  if (!live || --live->refs > 0) return;
  live_cut_askings(live);
  budget_close(&live->budget);
  loop_timer_cancel(live->deadline);
  loop_timer_cancel(live->held_timer);
  /* After the last delivery, so that what was committed is seen before the end of the stream. */
  if (live->opened) hub_close_debate(live->runner->hub, live->row.id);
  debate_destroy(live->debate);
  store_debate_done(&live->row);
  free(live->request_id);
  free(live->askings);
  free(live);
}

const char *live_id(const struct live *live) {
  return live->row.id;
}

struct runner *live_runner(const struct live *live) {
  return live->runner;
}

const struct debate *live_debate(const struct live *live) {
  return live->debate;
}

struct live *live_next(const struct live *live) {
  return live->next;
}

void live_set_next(struct live *live, struct live *next) {
  live->next = next;
}

/* ---- the loop of ask and append ---- */

static void finish_row(struct live *live) {
  const struct debate *d = live->debate;
  struct store_debate *row = &live->row;
  free(row->status);
  free(row->outcome);
  row->status = bytes_dup(bytes_of(debate_status(d)));
  row->outcome = debate_outcome(d) ? bytes_dup(bytes_of(debate_outcome(d))) : NULL;
  row->completed_ms = d->ended_ms;
  row->duration_ms = json_get_int(d->end, "elapsed_ms", -1);
  row->rounds_used = d->round;
  row->confidence_ppm = json_get_int(d->consensus, "share_ppm", -1);
  row->cost_usd_micro = d->cost_usd_micro;
  row->consensus_reached = json_get_bool(d->consensus, "reached", false);
  row->degraded = json_get_bool(d->end, "degraded", false);
  const char *outcome = row->outcome ? row->outcome : "";
  bool failed = row->status && strcmp(row->status, "failed") == 0;
  bool cancelled = row->status && strcmp(row->status, "cancelled") == 0;
  metric_add(failed      ? METRIC_DEBATES_FAILED
             : cancelled ? METRIC_DEBATES_CANCELLED
                         : METRIC_DEBATES_COMPLETED,
             NULL, 1);
  if (!cancelled)
    metric_add(failed ? METRIC_DEBATES_FAILED_TOTAL : METRIC_DEBATES_COMPLETED_TOTAL, NULL, 1);
  if (row->consensus_reached)
    metric_add(METRIC_CONSENSUS_REACHED, (const char *const[]){row->consensus}, 1);
  metric_set(METRIC_LAST_DEBATE, NULL, row->completed_ms / 1000);
  metric_observe_us(METRIC_DEBATE_DURATION, (const char *const[]){outcome},
                    row->duration_ms * 1000);
  story_end(live);
}

/* A fact ended the debate: the sockets close now. */
static enum status cut_all(struct live *live, struct delivery *delivery) {
  enum status s = STATUS_OK;
  for (int i = 0; i < live->asking_count && !s; i++)
    if (live->askings[i].state != ASKING_FREE) s = asking_cut(&live->askings[i], delivery);
  return s;
}

/* One command of the engine. *ret_idle when there was nothing to do. */
static enum status step(struct live *live, struct delivery *delivery, bool *ret_idle) {
  struct commands commands;
  size_t before = delivery->count;
  enum status s = debate_next(live->debate, &commands);
  if (s) return s;
  if (commands.append.count) {
    s = delivery_seal(delivery, &commands.append);
  } else if (commands.cut) {
    s = cut_all(live, delivery);
  } else {
    for (int i = 0; i < commands.ask_count && !s; i++)
      if (!asking_is_asked(live, commands.asks[i]))
        s = asking_start(live, delivery, commands.asks[i]);
  }
  commands_done(&commands);
  *ret_idle =
      delivery->count == before; /* a turn that failed at once may have completed its step */
  return s;
}

static void end(struct live *live, struct delivery *delivery) {
  live->state = LIVE_ENDED;
  /* A debate whose agents all failed at once ends with its first append. */
  if (delivery->change != STORE_ROW_INSERT) delivery->change = STORE_ROW_UPDATE;
  finish_row(live);
  loop_timer_cancel(live->deadline);
  live->deadline = NULL;
}

void live_advance(struct live *live, struct delivery *delivery) {
  enum status s = STATUS_OK;
  bool idle = live->state == LIVE_QUEUED || live->broken;
  while (!s && !idle && !delivery->ends) s = step(live, delivery, &idle);
  if (!s && delivery->ends) end(live, delivery);
  /* What was sealed before an error stands: it was folded and must reach the disk. */
  if (s) live_give_up(live, s, "the debate could not go on");
}

void live_give_up(struct live *live, enum status status, const char *why) {
  if (live->broken) return;
  live->broken = true;
  live->state = LIVE_ENDED;
  struct log_context context = live_log_context(live);
  /* A plan that is used up is its owner's affair, and he has been told. */
  if (status == STATUS_QUOTA)
    log_info("runner", &context, "debate=refused status=%s", status_name(status));
  else
    log_error("runner", &context, "debate=stopped status=%s error=\"%s\"", status_name(status),
              why);
  live_cut_askings(live);
  loop_timer_cancel(live->deadline);
  live->deadline = NULL;
  runner_live_ended(live->runner, live);
}

void live_leave(struct live *live) {
  live->broken = true;
  live->state = LIVE_ENDED;
  live_cut_askings(live);
  loop_timer_cancel(live->deadline);
  live->deadline = NULL;
}

/* ---- facts and the deadline ---- */

/* What the last process left open is closed, and the log says that it goes on. */
static enum status resume_log(struct live *live, struct delivery *delivery) {
  struct debate *d = live->debate;
  struct drafts drafts = {0};
  int64_t elapsed = d->elapsed_ms + d->last_ms - d->elapsed_from_ms;
  enum status s = debate_close_unknown(d, &drafts);
  if (!s)
    s = drafts_add(&drafts, EVENT_RESUMED, -1, NULL,
                   json_pack("{s:I}", "elapsed_ms", (json_int_t)elapsed));
  if (!s) s = delivery_seal(delivery, &drafts);
  drafts_done(&drafts);
  return s;
}

enum status live_fact(struct live *live, enum event_kind kind, const char *reason,
                      live_committed_fn *committed, void *ctx) {
  if (live->state == LIVE_ENDED) return STATUS_CONFLICT;
  struct delivery *delivery = delivery_gather(live);
  struct drafts drafts = {0};
  enum status s = delivery ? STATUS_OK : STATUS_NOMEM;
  if (!s && live->held) s = resume_log(live, delivery);
  if (!s) s = drafts_add(&drafts, kind, -1, NULL, debate_fact_data(reason));
  if (!s) s = delivery_seal(delivery, &drafts);
  if (!s) s = cut_all(live, delivery);
  if (!s && !(delivery = delivery_tell(delivery, committed, ctx))) s = STATUS_NOMEM;
  if (s) {
    drafts_done(&drafts);
    live_give_up(live, s, "a fact could not be noted");
    return s;
  }
  /* A queued debate ends without ever having been admitted. */
  if (live->state == LIVE_QUEUED) live->state = LIVE_RUNNING;
  live_advance(live, delivery);
  return STATUS_OK;
}

static void on_deadline(void *arg) {
  struct live *live = arg;
  live->deadline = NULL;
  /* Ended, or given up with its reason in the server's log: nothing is left to do here. */
  enum status s = live_fact(live, EVENT_DEADLINE_REACHED, NULL, NULL, NULL);
  (void)s;
}

/* By the monotonic clock: one that is set forward ends no debate, one that is set back gives none
 * more time. */
int64_t live_elapsed_ms(const struct live *live) {
  int64_t since_us = clock_mono_us(live->runner->clock) - live->since_us;
  return live->debate->elapsed_ms + since_us / 1000;
}

static void watch_deadline(struct live *live) {
  live->since_us = clock_mono_us(live->runner->clock);
  int64_t left = live->debate->config.deadline_ms - live_elapsed_ms(live);
  live->deadline =
      loop_timer_start(live->runner->loop, left > 0 ? (uint64_t)left : 0, on_deadline, live);
}

/* ---- beginnings ---- */

static enum status open_in_hub(struct live *live, uint64_t next_seq) {
  enum status s = hub_open_debate(live->runner->hub, live->row.id, next_seq);
  live->opened = s == STATUS_OK;
  return s;
}

/* What a list shows of a debate that has not ended. */
static enum status show_status(struct live *live, struct delivery *delivery, const char *status) {
  if (live->row.status && strcmp(live->row.status, status) == 0) return STATUS_OK;
  enum status s = bytes_replace(&live->row.status, bytes_of(status));
  if (!s && delivery->change != STORE_ROW_INSERT) delivery->change = STORE_ROW_UPDATE;
  return s;
}

enum status live_begin(struct live *live, const struct live_start *start,
                       live_committed_fn *committed, void *ctx) {
  struct delivery *delivery = delivery_gather(live);
  struct drafts drafts = {0};
  enum status s = delivery ? open_in_hub(live, 1) : STATUS_NOMEM;
  if (!s)
    s = drafts_add(&drafts, EVENT_DEBATE_START, -1, NULL, debate_config_to_json(start->config));
  if (!s) s = delivery_seal(delivery, &drafts);
  if (!s && start->inherited->count) s = delivery_seal(delivery, start->inherited);
  if (!s) s = make_seats(live);
  if (s) {
    drafts_done(&drafts);
    delivery_drop(live);
    return s;
  }
  live->state = start->queued ? LIVE_QUEUED : LIVE_RUNNING;
  delivery->change = STORE_ROW_INSERT;
  delivery->key = start->key;
  delivery->origin = start->origin;
  delivery->committed = committed;
  delivery->ctx = ctx;
  watch_deadline(live);
  if (!start->queued) story_begin(live);
  live_advance(live, delivery);
  return STATUS_OK;
}

void live_admit(struct live *live) {
  if (live->state != LIVE_QUEUED) return; /* a fact ended it while it waited */
  struct delivery *delivery = delivery_gather(live);
  live->state = LIVE_RUNNING;
  story_begin(live);
  if (!delivery || show_status(live, delivery, "running")) {
    live_give_up(live, STATUS_NOMEM, "no memory to begin");
    return;
  }
  live_advance(live, delivery);
}

enum status live_restore(struct live *live, const struct store_event *stored, struct error *err) {
  json_t *data = NULL;
  enum status s = json_parse(stored->data, &data, err);
  if (s) return s;
  struct event event = {stored->seq,   event_kind_parse(stored->type),
                        stored->ts_ms, stored->round,
                        stored->agent, data};
  s = debate_apply(live->debate, &event, err);
  json_decref(data);
  if (s) return s;
  delivery_count_agent(live, stored->agent);
  memcpy(live->head, stored->hash, sizeof live->head);
  if (live->debate->unsupported)
    return error_set(err, STATUS_UNSUPPORTED, NULL, "the log was written by a newer version");
  return STATUS_OK;
}

void live_take_up(struct live *live, bool queued) {
  struct delivery *delivery = delivery_gather(live);
  live->state = queued ? LIVE_QUEUED : LIVE_RUNNING;
  enum status s = delivery ? make_seats(live) : STATUS_NOMEM;
  if (!s) s = open_in_hub(live, live->debate->last_seq + 1);
  if (!s) s = show_status(live, delivery, queued ? "pending" : "running");
  if (!s && !live->held) s = resume_log(live, delivery);
  if (s)
    live_give_up(live, s, "the debate could not be resumed");
  else if (!live->held)
    watch_deadline(live);
}

void live_go_on(struct live *live) {
  if (live->state != LIVE_RUNNING || live->broken) return;
  struct delivery *delivery = delivery_gather(live);
  if (delivery)
    live_advance(live, delivery);
  else
    live_give_up(live, STATUS_NOMEM, "no memory to go on");
}
