#include "base/log.h"
#include "debate/attempt_note.h"
#include "debate/view.h"
#include "runner/internal.h"

#include <sodium.h>
#include <stdlib.h>
#include <utlist.h>

enum {
  APPEND_RETRY_MS = 50,
  FRAME_MAX_BYTES = 64 * 1024 * 1024,
  SCRATCH_KEPT_BYTES = 256 * 1024,
  ON_STACK = 16, /* events of one delivery handed over without an allocation */
};

/* ---- life ---- */

static void delivery_free(struct delivery *delivery) {
  for (size_t i = 0; i < delivery->count; i++) {
    free(delivery->events[i].data);
    frame_unref(delivery->frames[i]);
  }
  for (size_t day = 0; day < delivery->spending_count; day++) {
    struct delivery_usage *usage = &delivery->usage[day];
    for (size_t i = 0; i < usage->count; i++) free((char *)usage->rows[i].provider);
    free(usage->rows);
  }
  free(delivery->events);
  free(delivery->frames);
  free(delivery);
}

/* It leaves the runner's list, and its live, which may be freed. */
static void retire(struct delivery *delivery) {
  struct live *live = delivery->live;
  struct runner *runner = live->runner;
  DL_DELETE(runner->deliveries, delivery);
  delivery_free(delivery);
  live_unref(live);
  runner_delivery_done(runner);
}

static void on_turn_end(void *arg) {
  delivery_submit(arg);
}

struct delivery *delivery_gather(struct live *live) {
  if (live->gathering) return live->gathering;
  struct delivery *delivery = calloc(1, sizeof *delivery);
  if (!delivery) return NULL;
  delivery->live = live;
  delivery->number = ++live->delivered;
  delivery->status = STATUS_UNAVAILABLE; /* until the store says otherwise */
  live->refs++;
  live->gathering = delivery;
  DL_APPEND(live->runner->deliveries, delivery);
  loop_defer(live->runner->loop, &live->submit, on_turn_end, live);
  return delivery;
}

struct delivery *delivery_tell(struct delivery *delivery, live_committed_fn *committed, void *ctx) {
  struct live *live = delivery->live;
  if (committed && delivery->committed) {
    delivery_submit(live);
    delivery = delivery_gather(live);
  }
  if (committed && delivery) {
    delivery->committed = committed;
    delivery->ctx = ctx;
  }
  return delivery;
}

/* Nothing is gathered any more: what it was is the caller's. */
static struct delivery *end_gathering(struct live *live) {
  struct delivery *delivery = live->gathering;
  live->gathering = NULL;
  loop_defer_cancel(live->runner->loop, &live->submit);
  return delivery;
}

void delivery_drop(struct live *live) {
  struct delivery *delivery = end_gathering(live);
  if (delivery) retire(delivery);
}

static bool reserve(struct delivery *delivery) {
  if (delivery->count < delivery->cap) return true;
  size_t cap = delivery->cap ? delivery->cap * 2 : 4;
  struct sealed *events = realloc(delivery->events, cap * sizeof *events);
  if (events) delivery->events = events;
  struct frame **frames = realloc(delivery->frames, cap * sizeof(struct frame *));
  if (frames) delivery->frames = frames;
  if (!events || !frames) return false;
  delivery->cap = cap;
  return true;
}

/* ---- sealing ---- */

/* The agent's name as the configuration owns it, or NULL. */
static const char *own_name(const struct live *live, const char *agent) {
  const struct debate_config *c = &live->debate->config;
  for (int i = 0; agent && i < c->member_count; i++)
    if (strcmp(c->members[i].name, agent) == 0) return c->members[i].name;
  for (int i = 0; agent && i < c->judge_count; i++)
    if (strcmp(c->judges[i].name, agent) == 0) return c->judges[i].name;
  return NULL;
}

uint64_t delivery_count_agent(struct live *live, const char *agent) {
  const char *name = own_name(live, agent);
  if (!name) return 0;
  for (size_t i = 0; i < sizeof live->counts / sizeof *live->counts; i++) {
    struct agent_count *c = &live->counts[i];
    if (!c->name) c->name = name;
    if (strcmp(c->name, name) == 0) return ++c->count;
  }
  return 0;
}

static struct frame *make_frame(struct live *live, const struct event *event,
                                const struct attempt_note *note) {
  struct buffer *scratch = &live->runner->scratch;
  if (!scratch->max) buffer_init(scratch, FRAME_MAX_BYTES);
  buffer_clear(scratch);
  uint64_t agent_seq = delivery_count_agent(live, event->agent);
  enum status s = note ? view_note_frame(live->row.id, event, note, agent_seq, scratch)
                       : view_frame(live->row.id, event, agent_seq, scratch);
  if (s) return NULL;
  bool end = event->kind == EVENT_DEBATE_END;
  struct frame *frame =
      frame_create(buffer_bytes(scratch), event->seq, end || event->kind == EVENT_ERROR, end);
  if (scratch->cap > SCRATCH_KEPT_BYTES) buffer_done(scratch);
  return frame;
}

/* Many at a time, stretched from one seed: a draw from the system takes a call for each 256 bytes.
 */
static void draw_salts(struct runner *runner) {
  uint8_t seed[randombytes_SEEDBYTES];
  randombytes_buf(seed, sizeof seed);
  randombytes_buf_deterministic(runner->salts, sizeof runner->salts, seed);
  sodium_memzero(seed, sizeof seed);
}

static void draw_salt(struct runner *runner, uint8_t salt[CHAIN_SALT_SIZE]) {
  if (runner->salts_left == 0) {
    draw_salts(runner);
    runner->salts_left = RUNNER_SALTS;
  }
  uint8_t *drawn = runner->salts[--runner->salts_left];
  memcpy(salt, drawn, CHAIN_SALT_SIZE);
  sodium_memzero(drawn, CHAIN_SALT_SIZE);
}

static void extend_chain(struct live *live, struct store_event *e) {
  draw_salt(live->runner, e->salt);
  chain_digest(e->salt, e->data, e->digest);
  chain_extend(live->head, e->seq, e->type, e->ts_ms, e->round, e->agent, e->digest, e->hash);
  memcpy(live->head, e->hash, sizeof live->head);
}

static enum status fold(struct live *live, const struct event *event,
                        const struct attempt_note *note) {
  struct error err = {0};
  enum status s = note ? debate_apply_note(live->debate, event, note, &err)
                       : debate_apply(live->debate, event, &err);
  if (!s) return s;
  struct log_context context = live_log_context(live);
  log_error("runner", &context, "event=%s error=\"%s\"", event_kind_name(event->kind), err.message);
  return s;
}

/* The wall clock's as it was at the first event of this process, and the monotonic clock's from
 * there on: a debate's running time is a difference of times in its log, and nobody who sets the
 * clock shall lengthen it. */
static int64_t log_now_ms(struct live *live) {
  const struct clock *clock = live->runner->clock;
  int64_t last_ms = live->debate->last_ms;
  int64_t mono_ms = clock_mono_us(clock) / 1000;
  if (!live->log_clock_ms) {
    int64_t wall_ms = clock_wall_ms(clock);
    live->log_clock_ms = (wall_ms > last_ms ? wall_ms : last_ms) - mono_ms;
  }
  return live->log_clock_ms + mono_ms;
}

static struct store_spending *spending_of(struct delivery *delivery, int64_t day) {
  const struct store_debate *row = &delivery->live->row;
  for (size_t i = 0; i < delivery->spending_count; i++)
    if (delivery->spending[i].day == day) return &delivery->spending[i];
  /* Attempts last ten minutes at most, so that a third day is a clock that jumps: nothing is lost.
   */
  if (delivery->spending_count == DELIVERY_DAYS) return &delivery->spending[0];
  struct store_spending *spending = &delivery->spending[delivery->spending_count++];
  *spending = (struct store_spending){
      .tenant_id = row->tenant_id, .owner_id = row->owner_id, .key_id = row->key_id, .day = day};
  return spending;
}

/* The day's row of the provider and the model, whose texts are copied; NULL without memory. */
static struct store_usage *usage_of(struct delivery *delivery, int64_t day, const char *provider,
                                    const char *model) {
  struct store_spending *spending = spending_of(delivery, day);
  struct delivery_usage *usage = &delivery->usage[spending - delivery->spending];
  for (size_t i = 0; i < usage->count; i++)
    if (strcmp(usage->rows[i].model, model) == 0 && strcmp(usage->rows[i].provider, provider) == 0)
      return &usage->rows[i];
  if (usage->count == usage->cap) {
    size_t cap = usage->cap ? usage->cap * 2 : 4;
    struct store_usage *rows = realloc(usage->rows, cap * sizeof *rows);
    if (!rows) return NULL;
    spending->usage = usage->rows = rows;
    usage->cap = cap;
  }
  size_t len = strlen(provider) + 1, more = strlen(model) + 1;
  char *texts = malloc(len + more);
  if (!texts) return NULL;
  memcpy(texts, provider, len);
  memcpy(texts + len, model, more);
  usage->rows[usage->count] = (struct store_usage){.provider = texts, .model = texts + len};
  spending->usage_count = usage->count + 1;
  return &usage->rows[usage->count++];
}

static int64_t known(int64_t amount) {
  return amount > 0 ? amount : 0;
}

/* Books what an event says was used: that a debate began, or that an attempt ended. What a branch
 * took over from another log holds neither. A turn counts with its first attempt. */
static enum status book_usage(struct delivery *delivery, const struct event *event,
                              const struct attempt_note *note) {
  int64_t day = event->ts_ms / BUDGET_DAY_MS;
  bool begins = event->kind == EVENT_DEBATE_START;
  if (!begins && (event->kind != EVENT_ATTEMPT_END || !note)) return STATUS_OK;
  const char *provider = begins || !note->provider ? "" : note->provider;
  const char *model = begins || !note->model ? "" : note->model;
  struct store_usage *row = usage_of(delivery, day, provider, model);
  if (!row) return STATUS_NOMEM;
  row->debates += begins;
  if (begins) return STATUS_OK;
  row->turns += note->number == 1;
  row->calls++;
  row->tokens += known(note->tokens);
  row->tokens_in += known(note->input) + known(note->cache_read) + known(note->cache_write);
  row->tokens_out += known(note->output);
  row->usd_micro += known(note->cost_usd_micro);
  row->unpriced += note->cost_usd_micro < 0;
  return STATUS_OK;
}

static enum status seal(struct delivery *delivery, const struct draft *draft) {
  struct live *live = delivery->live;
  if (!reserve(delivery)) return STATUS_NOMEM;
  FREE_LATER char *data = draft_text(draft);
  if (!data) return STATUS_NOMEM;
  struct event event = {.seq = live->debate->last_seq + 1,
                        .kind = draft->kind,
                        .ts_ms = log_now_ms(live),
                        .round = draft->round,
                        .agent = draft->agent,
                        .data = draft->data};
  enum status s = fold(live, &event, draft->note);
  if (s) return s;
  struct frame *frame = make_frame(live, &event, draft->note);
  if (!frame) return STATUS_NOMEM;
  struct sealed *sealed = &delivery->events[delivery->count];
  *sealed = (struct sealed){.event = {.seq = event.seq,
                                      .type = event_kind_name(event.kind),
                                      .ts_ms = event.ts_ms,
                                      .round = event.round,
                                      .agent = own_name(live, event.agent),
                                      .data = bytes_of(data)}};
  extend_chain(live, &sealed->event);
  sealed->data = data;
  data = NULL;
  delivery->frames[delivery->count++] = frame;
  story_tell(live, &event, draft->note);
  if (event.kind == EVENT_DEBATE_END) delivery->ends = true;
  return book_usage(delivery, &event, draft->note);
}

/* The drafts of one call are one fact: half of them would say something else. */
enum status delivery_seal(struct delivery *delivery, struct drafts *drafts) {
  size_t before = delivery->count;
  enum status s = STATUS_OK;
  for (size_t i = 0; i < drafts->count && !s; i++) s = seal(delivery, &drafts->items[i]);
  drafts_done(drafts);
  while (s && delivery->count > before) {
    free(delivery->events[--delivery->count].data);
    frame_unref(delivery->frames[delivery->count]);
  }
  return s;
}

void delivery_book(struct delivery *delivery, int64_t day, const struct ledger_amounts *before,
                   const struct ledger_amounts *now) {
  static const struct ledger_amounts nothing = {0};
  struct store_spending *spending = spending_of(delivery, day);
  if (!before) before = &nothing;
  spending->tokens += now->tokens - before->tokens;
  spending->usd_micro += now->usd_micro > 0 ? now->usd_micro : 0;
  spending->usd_micro -= before->usd_micro > 0 ? before->usd_micro : 0;
  spending->unpriced += (now->usd_micro < 0) - (before->usd_micro < 0);
}

/* ---- after the commit ---- */

/* The delivery is on disk, its frames are with the subscribers; or the store refused it for good.
 */
static void on_through(void *arg) {
  struct delivery *delivery = arg;
  struct live *live = delivery->live;
  if (delivery->untold) runner_has_to_tell(live->runner);
  if (delivery->committed) delivery->committed(delivery->ctx, delivery->status);
  if (delivery->status)
    live_give_up(live, delivery->status, "the store refused an append");
  else
    asking_proceed(live, delivery->number);
  if (delivery->ends && !delivery->status && !live->broken) runner_live_ended(live->runner, live);
  retire(delivery);
}

/* Writer thread, after the commit: the only place where events become visible. */
static void on_stored(void *ctx, enum status status) {
  struct delivery *delivery = ctx;
  struct runner *runner = delivery->live->runner;
  delivery->status = status;
  if (!status && delivery->count) {
    delivery->untold =
        hub_publish(runner->hub, delivery->live->row.id, delivery->frames, delivery->count);
    memset(delivery->frames, 0, delivery->count * sizeof(struct frame *));
  }
  if (delivery->ends && !status) hub_close_debate(runner->hub, delivery->live->row.id);
  loop_post(runner->loop, on_through, delivery);
}

/* ---- handing over ---- */

static enum status hand_over(struct delivery *delivery) {
  struct live *live = delivery->live;
  struct store_event few[ON_STACK];
  FREE_LATER struct store_event *many = NULL;
  if (delivery->count > ON_STACK) {
    many = malloc(delivery->count * sizeof *many);
    if (!many) return STATUS_NOMEM;
  }
  struct store_event *all = many ? many : few;
  for (size_t i = 0; i < delivery->count; i++) all[i] = delivery->events[i].event;
  if (delivery->key || delivery->origin)
    return store_append_start(live->runner->store, live->row.id, all, delivery->count, &live->row,
                              delivery->key, delivery->origin, delivery->spending,
                              delivery->spending_count, on_stored, delivery);
  return store_append(live->runner->store, live->row.id, all, delivery->count, delivery->change,
                      &live->row, delivery->spending, delivery->spending_count, on_stored,
                      delivery);
}

/* Later it may be taken; anything else is for good. */
static bool refused_for_now(enum status status) {
  return status == STATUS_FULL || status == STATUS_NOMEM;
}

/* Without the store, and in a turn of its own: the caller may still look at it. */
static void pass(struct delivery *delivery, enum status status) {
  delivery->status = status;
  loop_post(delivery->live->runner->loop, on_through, delivery);
}

static void retry_held(void *arg);

static void hold(struct delivery *delivery) {
  struct live *live = delivery->live;
  delivery->held = true;
  if (live->held_last)
    live->held_last->held_next = delivery;
  else
    live->held_first = delivery;
  live->held_last = delivery;
  if (!live->held_timer)
    live->held_timer = loop_timer_start(live->runner->loop, APPEND_RETRY_MS, retry_held, live);
}

static struct delivery *pop_held(struct live *live) {
  struct delivery *delivery = live->held_first;
  live->held_first = delivery->held_next;
  if (!live->held_first) live->held_last = NULL;
  delivery->held = false;
  return delivery;
}

static void retry_held(void *arg) {
  struct live *live = arg;
  live->held_timer = NULL;
  while (live->held_first) {
    enum status s = hand_over(live->held_first);
    if (refused_for_now(s)) {
      live->held_timer = loop_timer_start(live->runner->loop, APPEND_RETRY_MS, retry_held, live);
      return;
    }
    struct delivery *delivery = pop_held(live);
    if (s) pass(delivery, s);
  }
}

void delivery_submit(struct live *live) {
  struct delivery *delivery = end_gathering(live);
  if (!delivery) return;
  if (delivery->count == 0 && delivery->change == STORE_ROW_NONE) {
    pass(delivery, STATUS_OK);
    return;
  }
  enum status s = live->held_first ? STATUS_FULL : hand_over(delivery);
  if (refused_for_now(s))
    hold(delivery);
  else if (s)
    pass(delivery, s);
}

/* ---- the end of the process ---- */

static void flush_live(struct live *live) {
  delivery_submit(live);
  loop_timer_cancel(live->held_timer);
  live->held_timer = NULL;
  enum status s = STATUS_OK;
  while (live->held_first) {
    if (!s) s = hand_over(live->held_first);
    struct delivery *delivery = pop_held(live);
    if (s) pass(delivery, STATUS_UNAVAILABLE);
  }
}

void delivery_flush(struct runner *runner) {
  struct delivery *d, *next;
  DL_FOREACH_SAFE(runner->deliveries, d, next) flush_live(d->live);
}

void delivery_abandon_all(struct runner *runner) {
  struct delivery *d, *next;
  DL_FOREACH_SAFE(runner->deliveries, d, next) {
    if (d->live->gathering == d) end_gathering(d->live);
    if (d->committed) d->committed(d->ctx, d->status);
    retire(d);
  }
}
