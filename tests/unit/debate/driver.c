#include "driver.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- configurations ---- */

static struct debate_agent make_agent(const char *prefix, int i) {
  char name[32];
  snprintf(name, sizeof name, "%s-%d", prefix, i + 1);
  return (struct debate_agent){.name = strdup(name),
                               .type = strdup("scripted"),
                               .provider = strdup("acme"),
                               .model = strdup("acme-1"),
                               .role = strdup(""),
                               .weight_ppm = PPM};
}

struct debate_config driver_config(int n) {
  struct debate_config c = {.task = strdup("Which one is it?"),
                            .mode = MODE_DEBATE,
                            .rule = RULE_MAJORITY,
                            .topology = TOPOLOGY_ALL,
                            .rounds = 2,
                            .threshold_ppm = 600000,
                            .quorum = n / 2 + 1 > 2 ? n / 2 + 1 : 2,
                            .deadline_ms = 900000,
                            .turn_timeout_ms = 60000,
                            .budget_usd_micro = -1,
                            .budget_tokens = -1,
                            .max_output_tokens = 1000,
                            .context_bytes = 100000,
                            .seed = 42,
                            .nonce = "00112233445566778899aabbccddeeff",
                            .member_count = n,
                            .engine_version = 1,
                            .rules_version = 1,
                            .prompts_version = 1};
  for (int i = 0; i < n; i++) c.members[i] = make_agent("agent", i);
  return c;
}

struct debate_config driver_judged(int n, int judges) {
  struct debate_config c = driver_config(n);
  c.rule = RULE_JUDGE;
  c.judge_count = judges;
  for (int i = 0; i < judges; i++) c.judges[i] = make_agent("judge", i);
  return c;
}

/* ---- the log ---- */

static void append_one(struct driver *r, struct draft *draft) {
  if (r->count > 5000) fail_msg("the debate does not end");
  if (r->count == r->cap) {
    r->cap = r->cap ? 2 * r->cap : 64;
    r->lines = realloc(r->lines, r->cap * sizeof *r->lines);
    assert_non_null(r->lines);
  }
  struct driver_line *l = &r->lines[r->count++];
  l->bytes = draft_text(draft);
  l->agent = draft->agent ? strdup(draft->agent) : NULL;
  l->data = json_incref(draft_data(draft));
  if (!l->bytes) fail_msg("%s has no canonical form", event_kind_name(draft->kind));
  l->line = (struct check_line){.seq = r->count,
                                .type = event_kind_name(draft->kind),
                                .ts_ms = r->now_ms,
                                .round = draft->round,
                                .agent = l->agent,
                                .data = bytes_of(l->bytes)};
  memset(l->line.salt, (int)(r->count & 0xff), sizeof l->line.salt);
  struct check_line *c = &l->line;
  chain_digest(c->salt, c->data, c->digest);
  chain_extend(r->head, c->seq, c->type, c->ts_ms, c->round, c->agent, c->digest, c->hash);
  memcpy(r->head, c->hash, sizeof r->head);
  struct event ev = {c->seq, draft->kind, c->ts_ms, c->round, c->agent, draft->data};
  struct error err = {0};
  if (debate_apply(r->d, &ev, &err)) fail_msg("the fold refuses: %s", err.message);
}

void driver_append(struct driver *r, struct drafts *drafts) {
  r->now_ms += 10;
  for (size_t i = 0; i < drafts->count; i++) append_one(r, &drafts->items[i]);
  drafts_done(drafts);
}

/* ---- the script ---- */

/* The nth entry for a turn, or the default. */
static void script_answer(const struct driver *r, const struct turn *t, int nth, char out[128]) {
  static const char letters[] = "pcrvj";
  static const char *const defaults[] = {"a", "none", "held", "", "a"};
  char key[16];
  int n = snprintf(key, sizeof key, "%d%c%d ", t->round, letters[t->kind], t->member + 1);
  snprintf(out, 128, "%s", defaults[t->kind]);
  for (const char *at = r->script; at && *at;) {
    while (*at == ' ' || *at == ';') at++;
    size_t length = strcspn(at, ";");
    if (strncmp(at, key, (size_t)n) == 0) {
      assert_true(length - (size_t)n < 128);
      snprintf(out, 128, "%.*s", (int)(length - (size_t)n), at + n);
      if (nth-- == 0) return;
    }
    at += length;
  }
}

static void put_answer(struct buffer *b, const struct turn *t, const char *answer) {
  bool keyless = answer[0] == '=';
  buffer_printf(b, "\"answer\":\"%s%s\",\"answer_key\":\"%s\",\"key_claims\":[\"because\"],",
                keyless ? "" : "the answer is ", answer + keyless, keyless ? "" : answer);
  buffer_printf(b, "\"confidence\":0.%d", 5 + t->member % 5);
}

static void put_items(struct buffer *b, const struct debate *d, const struct turn *t,
                      const char *answer) {
  int labels[DEBATE_MEMBERS_MAX];
  int count = topology_labels(d, t, labels);
  buffer_append_text(b, "\"items\":[");
  bool first = true;
  for (const char *at = answer; isdigit((unsigned char)*at);) {
    char *end;
    int target = (int)strtol(at, &end, 10) - 1;
    double severity = strtod(end + 1, &end);
    at = *end == ',' ? end + 1 : end;
    for (int i = 0; i < count; i++) {
      if (labels[i] != target) continue;
      buffer_printf(b,
                    "%s{\"target\":\"Response %c\",\"claim\":\"of agent-%d\",\"problem\":\"wrong\","
                    "\"severity\":%.2f,\"why\":\"so\",\"fix\":\"this\"}",
                    first ? "" : ",", 'A' + i, target + 1, severity);
      first = false;
    }
  }
  buffer_append_char(b, ']');
}

static void put_revision(struct buffer *b, const struct debate *d, const struct turn *t,
                         const char *answer) {
  int open[PROMPT_ITEMS_MAX];
  int count = topology_open_items(d, t->member, open);
  bool reject = strncmp(answer, "reject ", 7) == 0;
  if (reject || strncmp(answer, "accept ", 7) == 0) answer += 7;
  bool changed = strncmp(answer, "changed ", 8) == 0;
  buffer_printf(b, "\"stance\":\"%s\",", changed ? "changed" : "held");
  put_answer(b, t, changed ? answer + 8 : "z");
  buffer_append_text(b, ",\"responses\":[");
  for (int i = 0; i < count; i++)
    buffer_printf(b, "%s{\"item\":\"Item %d\",\"verdict\":\"%s\",\"reason\":\"r\"}", i ? "," : "",
                  i + 1, reject ? "reject" : "accept");
  buffer_append_char(b, ']');
}

static int label_of(const int *labels, int count, int position) {
  for (int i = 0; i < count; i++)
    if (labels[i] == position) return i;
  fail_msg("position %d has no label", position);
  return -1;
}

static void put_ranking(struct buffer *b, const struct debate *d, const struct turn *t,
                        const char *answer) {
  int labels[DEBATE_MEMBERS_MAX];
  int count = topology_labels(d, t, labels);
  struct positions p;
  char order[DEBATE_MEMBERS_MAX + 1] = "";
  debate_positions(d, &p);
  if (!*answer) {
    int n = 0;
    order[n++] = (char)('a' + p.of_member[t->member]);
    for (int i = 0; i < p.count; i++)
      if (i != p.of_member[t->member]) order[n++] = (char)('a' + i);
    answer = order;
  }
  buffer_append_text(b, "\"ranking\":[");
  for (int i = 0; answer[i]; i++)
    buffer_printf(b, "%s\"Response %c\"", i ? "," : "",
                  'A' + label_of(labels, count, answer[i] - 'a'));
  buffer_append_text(b, "],\"confidence\":0.7,\"reason\":\"r\"");
}

static void put_judgment(struct buffer *b, const struct debate *d, const struct turn *t,
                         const char *answer) {
  int labels[DEBATE_MEMBERS_MAX];
  int count = topology_labels(d, t, labels);
  buffer_append_text(b, "\"scores\":[");
  for (int i = 0; i < count; i++)
    buffer_printf(b,
                  "%s{\"response\":\"Response %c\",\"correctness\":0.5,\"completeness\":0.6,"
                  "\"evidence\":0.7,\"risk\":0.1}",
                  i ? "," : "", 'A' + i);
  buffer_printf(b, "],\"verdict\":\"Response %c\",\"reason\":\"it is better\"",
                'A' + label_of(labels, count, answer[0] - 'a'));
}

static char *write_reply(const struct debate *d, const struct turn *t, const char *answer) {
  struct buffer b;
  bool within = *answer == '&';
  answer += within;
  if (*answer == '?') return strdup("I am sorry, I cannot say.");
  buffer_init(&b, 1 << 20);
  if (within) buffer_append_text(&b, "Here it is: ");
  buffer_append_char(&b, '{');
  switch (t->kind) {
    case TURN_PROPOSAL: put_answer(&b, t, answer); break;
    case TURN_CRITIQUE: put_items(&b, d, t, answer); break;
    case TURN_REVISION: put_revision(&b, d, t, answer); break;
    case TURN_BALLOT: put_ranking(&b, d, t, answer); break;
    case TURN_JUDGMENT: put_judgment(&b, d, t, answer); break;
  }
  buffer_append_char(&b, '}');
  return buffer_steal(&b);
}

/* ---- asking and answering ---- */

static struct driver_flight *flight_of(struct driver *r, int turn) {
  for (int i = 0; i < DEBATE_MEMBERS_MAX; i++)
    if (r->flights[i].used && r->flights[i].turn == turn) return &r->flights[i];
  return NULL;
}

static void ask(struct driver *r, int turn) {
  const struct turn *t = &r->d->turns[turn];
  struct prompt prompt;
  struct drafts drafts = {0};
  assert_int_equal(debate_prompt(r->d, turn, &prompt), STATUS_OK);
  prompt_done(&prompt);
  struct driver_flight *f = r->flights;
  while (f->used) f++;
  *f = (struct driver_flight){.used = true, .turn = turn};
  script_answer(r, t, r->asked[t->kind][t->round][t->member]++, f->answer);
  const struct debate_agent *agent = debate_turn_agent(r->d, t);
  struct attempt_begin begin = {agent->provider,       agent->model, 1000,
                                r->reserved_usd_micro, false,        0};
  assert_int_equal(debate_begin_attempt(r->d, turn, &begin, &drafts), STATUS_OK);
  driver_append(r, &drafts);
}

static struct attempt_result plain_result(const struct driver *r) {
  return (struct attempt_result){.final = true,
                                 .provider = "acme",
                                 .model = "acme-1",
                                 .detail = "",
                                 .request_id = "req",
                                 .input = 100,
                                 .cache_read = 20,
                                 .cache_write = -1,
                                 .output = 50,
                                 .reasoning = 10,
                                 .booked_tokens = 170,
                                 .booked_usd_micro = r->cost_usd_micro,
                                 .ttft_ms = 3,
                                 .latency_ms = 7};
}

/* Refused with a status: it costs nothing, where there is a price at all. What is cancelled is
 * booked at its reserve. */
static void fail_result(const struct driver *r, struct attempt_result *result,
                        const char *outcome) {
  result->outcome = outcome_parse(outcome);
  result->detail = "the provider's own words";
  result->upstream_status = 503;
  result->input = result->cache_read = result->output = result->reasoning = -1;
  bool cancelled = result->outcome == OUTCOME_CANCELLED;
  result->booked_tokens = cancelled ? 1000 : 0;
  result->booked_usd_micro = cancelled || r->reserved_usd_micro < 0 ? r->reserved_usd_micro : 0;
}

static void deliver(struct driver *r, struct driver_flight *f) {
  struct attempt_result result = plain_result(r);
  struct drafts drafts = {0};
  const char *answer = f->answer;
  char *text = NULL;
  if (*answer == '!' || *answer == '~') {
    result.final = *answer == '!';
    fail_result(r, &result, answer + 1);
  } else {
    for (; *answer == '^' || *answer == '@'; answer++) {
      if (*answer == '^') result.truncated = true;
      if (*answer == '@') {
        result.fallback = true;
        result.provider = "other";
        result.model = "other-2";
      }
    }
    text = write_reply(r->d, &r->d->turns[f->turn], answer);
    result.text = bytes_of(text);
  }
  assert_int_equal(debate_answer(r->d, f->turn, &result, &drafts), STATUS_OK);
  free(text);
  *f = (struct driver_flight){0};
  driver_append(r, &drafts);
}

static bool deliver_next(struct driver *r) {
  struct driver_flight *next = NULL;
  for (int i = 0; i < DEBATE_MEMBERS_MAX; i++) {
    struct driver_flight *f = &r->flights[i];
    if (!f->used) continue;
    if (!next || (r->backwards ? f->turn > next->turn : f->turn < next->turn)) next = f;
  }
  if (next) deliver(r, next);
  return next != NULL;
}

bool driver_step(struct driver *r) {
  struct commands commands;
  bool asked = false;
  assert_int_equal(debate_next(r->d, &commands), STATUS_OK);
  if (commands.append.count) {
    driver_append(r, &commands.append);
    return true;
  }
  for (int i = 0; i < commands.ask_count; i++) {
    if (flight_of(r, commands.asks[i])) continue;
    ask(r, commands.asks[i]);
    asked = true;
  }
  if (asked || deliver_next(r)) return true;
  if (r->d->phase != PHASE_ENDED) fail_msg("stuck in phase %s", phase_names[r->d->phase]);
  return false;
}

/* ---- a debate's life ---- */

void driver_begin(struct driver *r, struct debate_config *config, const char *script) {
  struct drafts drafts = {0};
  *r = (struct driver){.d = debate_create(false),
                       .now_ms = 1700000000000,
                       .script = script,
                       .reserved_usd_micro = 900,
                       .cost_usd_micro = 300};
  json_t *data = debate_config_to_json(config);
  debate_config_done(config);
  assert_int_equal(drafts_add(&drafts, EVENT_DEBATE_START, -1, NULL, data), STATUS_OK);
  driver_append(r, &drafts);
}

void driver_done(struct driver *r) {
  for (size_t i = 0; i < r->count; i++) {
    free(r->lines[i].bytes);
    free(r->lines[i].agent);
    json_decref(r->lines[i].data);
  }
  free(r->lines);
  debate_destroy(r->d);
  *r = (struct driver){0};
}

bool driver_run_to(struct driver *r, enum phase phase) {
  while (r->d->phase != phase)
    if (!driver_step(r)) return false;
  return true;
}

void driver_run(struct driver *r) {
  struct check_result result;
  while (driver_step(r)) {
  }
  driver_check(r, &result);
  assert_true(result.ended);
}

void driver_play(struct driver *r, struct debate_config *config, const char *script) {
  driver_begin(r, config, script);
  driver_run(r);
}

void driver_fact(struct driver *r, enum event_kind kind, bool late) {
  struct drafts drafts = {0};
  json_t *data = debate_fact_data("for a reason");
  assert_int_equal(drafts_add(&drafts, kind, -1, NULL, data), STATUS_OK);
  driver_append(r, &drafts);
  for (int i = 0; i < DEBATE_MEMBERS_MAX && r->d->fact; i++) {
    struct driver_flight *f = &r->flights[i];
    if (!f->used) continue;
    if (!late) snprintf(f->answer, sizeof f->answer, "!cancelled");
    deliver(r, f);
  }
}

void driver_crash(struct driver *r) {
  struct drafts drafts = {0};
  struct error err = {0};
  debate_destroy(r->d);
  r->d = debate_create(false);
  for (size_t i = 0; i < r->count; i++) {
    const struct check_line *c = &r->lines[i].line;
    struct event ev = {c->seq,   event_kind_parse(c->type), c->ts_ms, c->round,
                       c->agent, r->lines[i].data};
    if (debate_apply(r->d, &ev, &err)) fail_msg("the log does not refold: %s", err.message);
  }
  memset(r->flights, 0, sizeof r->flights);
  if (r->d->phase == PHASE_ENDED) return;
  /* The same answers again: only a repair, and a retry, is another throw of the script. */
  memset(r->asked, 0, sizeof r->asked);
  int64_t elapsed = r->d->elapsed_ms + r->d->last_ms - r->d->elapsed_from_ms;
  assert_int_equal(debate_close_unknown(r->d, &drafts), STATUS_OK);
  assert_int_equal(drafts_add(&drafts, EVENT_RESUMED, -1, NULL,
                              json_pack("{s:I}", "elapsed_ms", (json_int_t)elapsed)),
                   STATUS_OK);
  for (int i = r->d->step_first; i < r->d->turn_count; i++) {
    const struct turn *t = &r->d->turns[i];
    int open = t->attempt_open ? 1 : 0;
    r->asked[t->kind][t->round][t->member] = t->attempts - t->unknowns - open;
  }
  r->now_ms += 60000; /* the time that it was down */
  driver_append(r, &drafts);
}

void driver_check(const struct driver *r, struct check_result *ret_result) {
  struct check *check = check_create();
  assert_non_null(check);
  for (size_t i = 0; i < r->count && check_feed(check, &r->lines[i].line); i++) {
  }
  check_finish(check, ret_result);
  check_destroy(check);
  if (!ret_result->ok)
    fail_msg("event %llu: %s", (unsigned long long)ret_result->bad_seq, ret_result->problem);
  char lived[2 * CHAIN_HASH_SIZE + 1];
  assert_true(check_state_hash(r->d, lived));
  assert_string_equal(lived, ret_result->state_hash);
}

/* ---- looking at it ---- */

const json_t *driver_event(const struct driver *r, const char *type, int nth) {
  for (size_t i = 0; i < r->count; i++)
    if (strcmp(r->lines[i].line.type, type) == 0 && nth-- == 0) return r->lines[i].data;
  return NULL;
}

int driver_events(const struct driver *r, const char *type) {
  int count = 0;
  while (driver_event(r, type, count)) count++;
  return count;
}

void driver_expect(const struct driver *r, const char *type, const char *json) {
  int count = driver_events(r, type);
  if (!count) fail_msg("there is no event %s", type);
  const json_t *data = driver_event(r, type, count - 1);
  json_error_t why;
  json_t *want = json_loads(json, 0, &why);
  if (!want) fail_msg("%s in %s", why.text, json);
  const char *key;
  json_t *value;
  json_object_foreach(want, key, value) {
    const json_t *have = json_object_get(data, key);
    if (have && json_equal(value, have)) continue;
    char *text = have ? json_dumps(have, JSON_ENCODE_ANY) : NULL;
    char *wanted = json_dumps(value, JSON_ENCODE_ANY);
    print_error("%s of %s is %s, not %s\n", key, type, text ? text : "absent", wanted);
    free(text);
    free(wanted);
    fail();
  }
  json_decref(want);
}

void driver_expect_types(const struct driver *r, const char *types) {
  struct buffer b;
  buffer_init(&b, 1 << 16);
  for (size_t i = 0; i < r->count; i++) {
    const char *type = r->lines[i].line.type;
    if (strncmp(type, "attempt_", 8) != 0) buffer_printf(&b, "%s%s", b.len ? " " : "", type);
  }
  assert_string_equal(b.ptr, types);
  buffer_done(&b);
}
