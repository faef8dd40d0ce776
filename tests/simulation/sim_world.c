#include "sim.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

enum { PURPOSE_CONFIG = 201, PURPOSE_ORDER = 202, PURPOSE_FACTS = 203, PURPOSE_KILLS = 204 };
enum { FLIGHTS_MAX = 2 * DEBATE_MEMBERS_MAX, EVENTS_MAX = 4000 };

struct flight { /* an attempt under way */
  bool used;
  bool hedge;
  int turn;
  int attempt; /* its number */
  int64_t arrives_ms;
  struct sim_reply reply;
};

struct world {
  const struct sim_options *o;
  struct sim_run *run;
  struct debate *d;
  uint8_t head[CHAIN_HASH_SIZE];
  int64_t now_ms;
  int64_t fact_at_ms; /* -1 = none */
  enum event_kind fact;
  struct prng order, kills;
  struct flight flights[FLIGHTS_MAX];
  size_t dead_until; /* the next kill, in events */
  int die_next;      /* the boundary of the next death; 0 = none */
  bool dead;         /* nothing is written or sent until die_and_resume */
};

static void problem(struct world *w, const char *what, const char *detail) {
  if (!w->run->problem[0]) snprintf(w->run->problem, sizeof w->run->problem, "%s%s", what, detail);
}

/* ---- the configuration, from the seed ---- */

static char *text(const char *s) {
  return bytes_dup(bytes_of(s));
}

static void make_agent(struct debate_agent *a, int i, const char *prefix) {
  char name[32];
  snprintf(name, sizeof name, "%s-%d", prefix, i);
  a->name = text(name);
  a->type = text("scripted-type");
  a->provider = text("acme-cloud");
  a->model = text("acme-large-3");
  a->role = text("");
  a->weight_ppm = PPM;
}

static struct debate_config make_config(const struct sim_options *o) {
  struct prng g = prng_for(o->seed, PURPOSE_CONFIG, 0, 0);
  struct debate_config c = {.engine_version = ENGINE_VERSION,
                            .rules_version = RULES_VERSION,
                            .prompts_version = PROMPTS_VERSION};
  static const enum mode modes[] = {MODE_DEBATE, MODE_DEBATE,           MODE_DEBATE, MODE_DEBATE,
                                    MODE_VOTE,   MODE_SELF_CONSISTENCY, MODE_SINGLE};
  c.mode = modes[prng_below(&g, 7)];
  int n = 2 + (int)prng_below(&g, 5);
  if (c.mode == MODE_SINGLE) n = 1;
  if (c.mode == MODE_SELF_CONSISTENCY) n = 3 + (int)prng_below(&g, 5);
  c.rule = (enum rule)prng_below(&g, RULE_COUNT);
  c.topology = (enum topology)prng_below(&g, TOPOLOGY_COUNT);
  c.rounds = c.mode == MODE_DEBATE ? (int)prng_below(&g, 4) : 0;
  c.threshold_ppm = 500000 + 100000 * (int64_t)prng_below(&g, 6);
  c.fast_path = prng_below(&g, 2);
  c.quorum = n > 1 ? n / 2 + 1 : 1;
  if (c.quorum < 2 && n > 1) c.quorum = 2;
  if (c.mode == MODE_SINGLE || c.mode == MODE_SELF_CONSISTENCY) c.quorum = 1;
  c.deadline_ms = 900000;
  c.turn_timeout_ms = 60000;
  c.budget_usd_micro = c.budget_tokens = -1;
  c.max_output_tokens = 4096;
  c.context_bytes = 20000;
  c.seed = o->seed;
  snprintf(c.nonce, sizeof c.nonce, "%016llx%016llx", (unsigned long long)prng_next(&g),
           (unsigned long long)prng_next(&g));
  c.task = text("Should the small team adopt it?");
  c.member_count = n;
  for (int i = 0; i < n; i++) make_agent(&c.members[i], i, "zeta");
  if (c.rule == RULE_JUDGE && n > 2) {
    c.judge_count = 1 + (int)prng_below(&g, 3);
    for (int i = 0; i < c.judge_count; i++) make_agent(&c.judges[i], i, "omega");
  }
  return c;
}

/* ---- the log: seal, fold, keep ---- */

static bool grow_log(struct sim_log *log) {
  if (log->count < log->cap) return true;
  size_t cap = log->cap ? log->cap * 2 : 64;
  struct sim_line *grown = realloc(log->lines, cap * sizeof *grown);
  if (!grown) return false;
  log->lines = grown;
  log->cap = cap;
  return true;
}

static void append(struct world *w, struct draft *draft) {
  struct error err = {0};
  struct event ev = {
      w->d->last_seq + 1, draft->kind,  w->now_ms > w->d->last_ms ? w->now_ms : w->d->last_ms,
      draft->round,       draft->agent, draft_data(draft)};
  char *data = draft_text(draft);
  if (!data || !grow_log(&w->run->log)) abort();
  struct sim_line *l = &w->run->log.lines[w->run->log.count];
  *l = (struct sim_line){.data = data, .type = event_kind_name(ev.kind)};
  l->agent = ev.agent ? text(ev.agent) : NULL;
  struct check_line *c = &l->line;
  *c = (struct check_line){.seq = ev.seq,
                           .type = l->type,
                           .ts_ms = ev.ts_ms,
                           .round = ev.round,
                           .agent = l->agent,
                           .data = bytes_of(data)};
  memset(c->salt, (int)(ev.seq & 0xff),
         sizeof c->salt); /* salts are outside what the seed decides */
  chain_digest(c->salt, c->data, c->digest);
  chain_extend(w->head, c->seq, c->type, c->ts_ms, c->round, c->agent, c->digest, c->hash);
  memcpy(w->head, c->hash, sizeof w->head);
  w->run->log.count++;
  if (debate_apply(w->d, &ev, &err)) problem(w, "the fold refuses its own event: ", err.message);
  if (w->o->verbose)
    printf("%4llu %8lld %-16s %-8s %.160s\n", (unsigned long long)ev.seq, (long long)ev.ts_ms,
           l->type, ev.agent ? ev.agent : "-", data);
  if (w->run->log.count > EVENTS_MAX) problem(w, "the debate does not end", "");
}

static bool is_spared(const struct world *w);

/* A place where the process may die. A death that would fail a turn waits for the next one. */
static void pass_boundary(struct world *w) {
  int here = ++w->run->boundaries;
  if (!w->die_next || here < w->die_next || is_spared(w)) return;
  w->dead = true;
  w->die_next = w->run->kills == 0 && w->o->die_again ? here + w->o->die_again : 0;
}

/* One transaction: all of it or nothing. */
static void append_all(struct world *w, struct drafts *drafts) {
  if (!w->dead) pass_boundary(w);
  for (size_t i = 0; i < drafts->count && !w->dead && !w->run->problem[0]; i++)
    append(w, &drafts->items[i]);
  drafts_done(drafts);
  if (!w->dead) pass_boundary(w);
}

/* ---- death and resurrection ---- */

static void forget_flights(struct world *w) {
  for (int i = 0; i < FLIGHTS_MAX; i++) {
    free(w->flights[i].reply.text);
    w->flights[i] = (struct flight){0};
  }
}

/* The chain as the log has it, from nothing but the log; its head goes on from there. */
static void check_chain(struct world *w) {
  uint8_t digest[CHAIN_HASH_SIZE];
  memset(w->head, 0, sizeof w->head);
  for (size_t i = 0; i < w->run->log.count; i++) {
    const struct check_line *c = &w->run->log.lines[i].line;
    chain_digest(c->salt, c->data, digest);
    chain_extend(w->head, c->seq, c->type, c->ts_ms, c->round, c->agent, digest, w->head);
    if (memcmp(w->head, c->hash, sizeof w->head) != 0)
      problem(w, "the chain does not hold at ", c->type);
  }
}

/* Only the log survives. */
static void die_and_resume(struct world *w) {
  struct error err = {0};
  struct drafts drafts = {0};
  forget_flights(w);
  w->dead = false;
  check_chain(w);
  debate_destroy(w->d);
  w->d = debate_create(false);
  for (size_t i = 0; i < w->run->log.count; i++) {
    const struct check_line *c = &w->run->log.lines[i].line;
    json_t *data = NULL;
    if (json_parse(c->data, &data, &err))
      problem(w, "a stored event does not parse: ", err.message);
    struct event ev = {c->seq, event_kind_parse(c->type), c->ts_ms, c->round, c->agent, data};
    if (debate_apply(w->d, &ev, &err)) problem(w, "the log does not refold: ", err.message);
    json_decref(data);
  }
  w->run->kills++;
  w->now_ms += 5000;
  if (w->d->phase == PHASE_ENDED || w->d->phase == PHASE_NEW) return;
  int64_t elapsed = w->d->elapsed_ms + w->d->last_ms - w->d->elapsed_from_ms;
  enum status s = debate_close_unknown(w->d, &drafts);
  if (!s)
    s = drafts_add(&drafts, EVENT_RESUMED, -1, NULL,
                   json_pack("{s:I}", "elapsed_ms", (json_int_t)elapsed));
  if (s) abort();
  append_all(w, &drafts);
}

/* The fifth attempt of a turn that a crash cuts fails it. Only a hostile debate has that happen:
 * the others must come out the same with and without deaths. */
static bool is_spared(const struct world *w) {
  for (int i = w->d->step_first; i < w->d->turn_count; i++) {
    const struct turn *t = &w->d->turns[i];
    if (t->attempt_open && t->unknowns + 1 >= TURN_UNKNOWN_MAX) return w->o->mood != SIM_HOSTILE;
  }
  return false;
}

static bool must_die(struct world *w) {
  if (is_spared(w)) return false;
  if (w->o->kill_at >= 0 && w->run->kills == 0 && w->run->log.count >= (size_t)w->o->kill_at)
    return true;
  if (!w->o->kills || w->run->log.count < w->dead_until) return false;
  w->dead_until = w->run->log.count + 4 + prng_below(&w->kills, 30);
  return true;
}

/* ---- asking and answering ---- */

/* The flight of a turn beside `other`, which may be NULL. */
static struct flight *flight_of(struct world *w, int turn, const struct flight *other) {
  for (int i = 0; i < FLIGHTS_MAX; i++) {
    struct flight *f = &w->flights[i];
    if (f->used && f->turn == turn && f != other) return f;
  }
  return NULL;
}

/* What was asked, for comparison with the same debate in another order. */
static void note_prompt(struct sim_run *run, const struct debate *d, const struct turn *t,
                        const struct prompt *p) {
  struct buffer b;
  uint8_t hash[CHAIN_HASH_SIZE];
  char hex[2 * CHAIN_HASH_SIZE + 1];
  char id[TURN_ID_SIZE];
  buffer_init(&b, 1 << 26);
  buffer_printf(&b, "%s\n%s\n%s\n%s", p->system, p->prefix, p->text, p->schema);
  crypto_hash_sha256(hash, (const unsigned char *)b.ptr, b.len);
  buffer_done(&b);
  bytes_to_hex(hash, sizeof hash, hex);
  debate_turn_id(d, t, id);
  if (run->asked_count == run->asked_cap) {
    run->asked_cap = run->asked_cap ? 2 * run->asked_cap : 64;
    run->asked = realloc(run->asked, run->asked_cap * sizeof *run->asked);
    if (!run->asked) abort();
  }
  buffer_init(&b, 1024);
  buffer_printf(&b, "asked %s %s", id, hex);
  run->asked[run->asked_count++] = buffer_steal(&b);
}

static void ask(struct world *w, int turn, bool hedge) {
  struct prompt prompt;
  struct drafts drafts = {0};
  const struct turn *t = &w->d->turns[turn];
  if (debate_prompt(w->d, turn, &prompt)) abort();
  w->run->prompts++;
  note_prompt(w->run, w->d, t, &prompt);
  char wrong[400];
  sim_judge_prompt(w->d, turn, &prompt, wrong);
  if (wrong[0]) problem(w, wrong, "");
  struct flight *f = NULL;
  for (int i = 0; i < FLIGHTS_MAX && !f; i++)
    if (!w->flights[i].used) f = &w->flights[i];
  if (!f) abort();
  /* The same throw after a crash as before it: only a repair is a new one. */
  int asked = t->bad_reply ? 1 : 0;
  int attempt = t->attempts + 1;
  struct sim_reply reply = sim_reply_make(w->o, w->d, turn, asked, &prompt);
  int64_t takes_ms = 1 + prng_below(&w->order, 20000);
  prompt_done(&prompt);
  struct attempt_begin begin = {"acme-cloud",
                                "acme-large-3",
                                SIM_RESERVED_TOKENS(attempt),
                                SIM_RESERVED_USD_MICRO(attempt),
                                hedge,
                                0};
  if (debate_begin_attempt(w->d, turn, &begin, &drafts)) abort();
  append_all(w, &drafts);
  if (w->dead) {
    w->run->unsent += w->d->turns[turn].attempts == attempt;
    free(reply.text);
    return;
  }
  w->run->sent++;
  *f = (struct flight){true, hedge, turn, attempt, w->now_ms + takes_ms, reply};
  pass_boundary(w);
}

static void deliver(struct world *w, struct flight *f, enum outcome cut) {
  struct drafts drafts = {0};
  struct flight *other = flight_of(w, f->turn, f);
  enum outcome outcome = cut ? cut : f->reply.outcome;
  /* The first whole answer ends the race; after a failure the other one runs on. */
  bool wins = outcome == OUTCOME_OK && !cut && !w->d->fact;
  if (other && wins) deliver(w, other, OUTCOME_CANCELLED);
  struct attempt_result r = {.attempt = f->attempt,
                             .outcome = outcome,
                             .final = wins || !other,
                             .truncated = f->reply.truncated,
                             .text = bytes_of(cut ? "" : f->reply.text),
                             .provider = "acme-cloud",
                             .model = "acme-large-3",
                             .detail = SIM_ERROR_MARK,
                             .request_id = "req",
                             .input = 100,
                             .cache_read = -1,
                             .cache_write = -1,
                             .output = 50,
                             .reasoning = -1,
                             .booked_tokens = 150,
                             .booked_usd_micro = 15,
                             .ttft_ms = 1,
                             .latency_ms = 2};
  if (debate_answer(w->d, f->turn, &r, &drafts)) abort();
  for (size_t i = 0; i < drafts.count && f->reply.garbage; i++) {
    enum event_kind kind = drafts.items[i].kind;
    if (kind == EVENT_AGENT_MESSAGE || kind == EVENT_CRITIQUE || kind == EVENT_VOTE)
      problem(w, "garbage was taken for a reply: ", f->reply.text);
  }
  free(f->reply.text);
  *f = (struct flight){0};
  append_all(w, &drafts);
}

/* Cuts one of them; death may come between two. */
static void cut_a_flight(struct world *w) {
  struct flight *f = NULL;
  for (int i = 0; i < FLIGHTS_MAX && !f; i++)
    if (w->flights[i].used) f = &w->flights[i];
  if (!f) {
    problem(w, "nothing is left to cut and the debate has not ended", "");
    return;
  }
  /* Some answers are in before the cut reaches them: recorded, booked, never used. */
  bool late = prng_below(&w->order, 2);
  deliver(w, f, late ? OUTCOME_OK : OUTCOME_CANCELLED);
}

/* A second attempt beside one that has none, now and then. */
static bool hedge(struct world *w, const struct flight *f) {
  if (f->hedge || flight_of(w, f->turn, f) || prng_below(&w->order, 6)) return false;
  ask(w, f->turn, true);
  return true;
}

static struct flight *first_to_arrive(struct world *w) {
  struct flight *first = NULL;
  for (int i = 0; i < FLIGHTS_MAX; i++) {
    struct flight *f = &w->flights[i];
    if (f->used && (!first || f->arrives_ms < first->arrives_ms)) first = f;
  }
  return first;
}

static void note_fact(struct world *w) {
  struct drafts drafts = {0};
  if (drafts_add(&drafts, w->fact, -1, NULL, debate_fact_data(NULL))) abort();
  append_all(w, &drafts);
  w->fact_at_ms = -1;
}

/* Lets the next thing happen. */
static void wait(struct world *w) {
  struct flight *f = first_to_arrive(w);
  if (!f) {
    problem(w, "nothing is under way and the debate has not ended", "");
    return;
  }
  if (w->fact_at_ms >= 0 && w->fact_at_ms <= f->arrives_ms) {
    w->now_ms = w->fact_at_ms;
    note_fact(w);
    return;
  }
  if (!w->d->fact && hedge(w, f)) return;
  w->now_ms = f->arrives_ms;
  deliver(w, f, OUTCOME_OK);
}

static void step(struct world *w) {
  struct commands commands;
  if (debate_next(w->d, &commands)) abort();
  bool asked = false;
  if (commands.append.count) {
    append_all(w, &commands.append);
    return;
  }
  if (commands.cut) {
    cut_a_flight(w);
    return;
  }
  for (int i = 0; i < commands.ask_count && !w->run->problem[0]; i++) {
    if (flight_of(w, commands.asks[i], NULL)) continue;
    ask(w, commands.asks[i], false);
    asked = true;
    if (w->dead || must_die(w)) {
      die_and_resume(w);
      return;
    }
  }
  if (!asked) wait(w);
}

/* Until it is on disk nobody was told that there is a debate: it is started again. */
static void begin(struct world *w) {
  struct drafts drafts = {0};
  struct debate_config c = make_config(w->o);
  if (drafts_add(&drafts, EVENT_DEBATE_START, -1, NULL, debate_config_to_json(&c))) abort();
  debate_config_done(&c);
  append_all(w, &drafts);
  struct prng g = prng_for(w->o->seed, PURPOSE_FACTS, 0, 0);
  w->fact_at_ms = -1;
  if (w->o->mood == SIM_HOSTILE && prng_below(&g, 4) == 0) {
    static const enum event_kind facts[] = {EVENT_CANCEL_REQUESTED, EVENT_DEADLINE_REACHED,
                                            EVENT_BUDGET_EXHAUSTED};
    w->fact = facts[prng_below(&g, 3)];
    w->fact_at_ms = w->now_ms + prng_below(&g, 120000);
  }
}

static int compare_texts(const void *a, const void *b) {
  const char *const *x = a;
  const char *const *y = b;
  return strcmp(*x, *y);
}

/* All that was asked, said, voted and decided, sorted: what no order of arrival may change. */
static void keep_result(struct world *w) {
  const struct sim_log *log = &w->run->log;
  const struct sim_run *run = w->run;
  const char **texts = calloc(log->count + run->asked_count + 1, sizeof *texts);
  struct buffer out;
  size_t n = 0;
  buffer_init(&out, 1 << 26);
  if (!texts) abort();
  for (size_t i = 0; i < log->count; i++) {
    const char *type = log->lines[i].type;
    bool content = strcmp(type, "agent_message") == 0 || strcmp(type, "critique") == 0 ||
                   strcmp(type, "vote") == 0 || strcmp(type, "consensus") == 0;
    if (content) texts[n++] = log->lines[i].data;
    w->run->decided = w->run->decided || strcmp(type, "consensus") == 0;
  }
  for (size_t i = 0; i < run->asked_count; i++) texts[n++] = run->asked[i];
  qsort(texts, n, sizeof *texts, compare_texts);
  /* A turn that a death cut is asked again, in the same words. */
  for (size_t i = 0; i < n; i++)
    if (i == 0 || strcmp(texts[i - 1], texts[i]) != 0) buffer_printf(&out, "%s\n", texts[i]);
  w->run->content = buffer_steal(&out);
  free(texts);
  bytes_to_hex(w->head, sizeof w->head, w->run->head_hash);
}

/* The log must refold to the state that was lived. */
static void check_refold(struct world *w) {
  struct check *check = check_create();
  struct check_result result;
  for (size_t i = 0; i < w->run->log.count; i++)
    if (!check_feed(check, &w->run->log.lines[i].line)) break;
  check_finish(check, &result);
  check_destroy(check);
  char lived[2 * CHAIN_HASH_SIZE + 1];
  if (!check_state_hash(w->d, lived)) abort();
  if (!result.ok) problem(w, "the log does not check: ", result.problem);
  if (result.ok && strcmp(lived, result.state_hash) != 0)
    problem(w, "the refolded state is not the one that was lived", "");
}

void sim_play(const struct sim_options *o, struct sim_run *ret_run) {
  *ret_run = (struct sim_run){0};
  struct world w = {.o = o, .run = ret_run, .d = debate_create(false), .now_ms = 1000000};
  w.order = prng_for(o->order_seed, PURPOSE_ORDER, 0, 0);
  w.kills = prng_for(o->order_seed, PURPOSE_KILLS, 0, 0);
  w.dead_until = 4;
  w.die_next = o->die_at;
  if (!w.d) abort();
  while (!ret_run->problem[0] && (w.dead || w.d->phase != PHASE_ENDED)) {
    if (w.dead || must_die(&w))
      die_and_resume(&w);
    else if (w.d->phase == PHASE_NEW)
      begin(&w);
    else
      step(&w);
  }
  if (!ret_run->problem[0]) check_refold(&w);
  if (!ret_run->problem[0]) sim_judge_log(&ret_run->log, &ret_run->counts, ret_run->problem);
  if (!ret_run->problem[0] && w.d->attempts != ret_run->sent + ret_run->unsent)
    problem(&w, "requests left that the log does not know, or the other way round", "");
  keep_result(&w);
  forget_flights(&w);
  debate_destroy(w.d);
}

void sim_run_done(struct sim_run *run) {
  for (size_t i = 0; i < run->log.count; i++) {
    free(run->log.lines[i].data);
    free(run->log.lines[i].agent);
  }
  free(run->log.lines);
  for (size_t i = 0; i < run->asked_count; i++) free(run->asked[i]);
  free(run->asked);
  free(run->content);
  *run = (struct sim_run){0};
}
