#include "scripted.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const int64_t first_ms = 1764000000123; /* 2025-11-24T16:00:00.123Z */

static void add(struct scripted *s, enum event_kind kind, int round, const char *agent,
                json_t *data) {
  struct error err = {0};
  if (s->count == s->cap) {
    s->cap = s->cap ? s->cap * 2 : 64;
    s->events = realloc(s->events, s->cap * sizeof *s->events);
    assert_non_null(s->events);
  }
  struct event event = {s->count + 1, kind,  first_ms + 1000 * (int64_t)s->count,
                        round,        agent, json_incref(data)};
  s->events[s->count++] = event;
  if (debate_apply(s->debate, &event, &err)) fail_msg("%s", err.message);
}

static void add_all(struct scripted *s, struct drafts *drafts) {
  for (size_t i = 0; i < drafts->count; i++)
    add(s, drafts->items[i].kind, drafts->items[i].round, drafts->items[i].agent,
        draft_data(&drafts->items[i]));
  drafts_done(drafts);
}

static void answer(struct scripted *s, int turn, scripted_reply_fn *reply) {
  struct drafts drafts = {0};
  struct attempt_begin begin = {"demo", "demo-1", 1000, 0, false, 0};
  assert_int_equal(debate_begin_attempt(s->debate, turn, &begin, &drafts), STATUS_OK);
  add_all(s, &drafts);
  const char *text = reply(s->debate->turns[turn].kind, s->debate->turns[turn].member);
  struct attempt_result result = {.outcome = text ? OUTCOME_OK : OUTCOME_OVERLOADED,
                                  .final = true,
                                  .text = bytes_of(text),
                                  .provider = "demo",
                                  .model = "demo-1",
                                  .detail = text ? "" : "try later",
                                  .request_id = "",
                                  .upstream_status = text ? 200 : 529,
                                  .input = text ? 100 : -1,
                                  .cache_read = -1,
                                  .cache_write = -1,
                                  .output = text ? 20 : -1,
                                  .reasoning = -1,
                                  .booked_tokens = text ? 120 : 0,
                                  .booked_usd_micro = 1500,
                                  .ttft_ms = 12,
                                  .latency_ms = 34};
  assert_int_equal(debate_answer(s->debate, turn, &result, &drafts), STATUS_OK);
  add_all(s, &drafts);
}

static json_t *start_data(enum rule rule) {
  static const char *const names[] = {"a", "b", "c"};
  struct debate_config c = {.task = "What is six times seven?",
                            .mode = MODE_DEBATE,
                            .rule = rule,
                            .topology = TOPOLOGY_ALL,
                            .rounds = 1,
                            .threshold_ppm = 600000,
                            .quorum = 2,
                            .deadline_ms = 900000,
                            .turn_timeout_ms = 60000,
                            .budget_usd_micro = -1,
                            .budget_tokens = -1,
                            .max_output_tokens = 4096,
                            .context_bytes = 100000,
                            .seed = 7,
                            .nonce = "00112233445566778899aabbccddeeff",
                            .demo = true,
                            .member_count = 3,
                            .engine_version = ENGINE_VERSION,
                            .rules_version = RULES_VERSION,
                            .prompts_version = PROMPTS_VERSION};
  for (int i = 0; i < 3; i++)
    c.members[i] = (struct debate_agent){.name = (char *)names[i],
                                         .type = "demo",
                                         .provider = "demo",
                                         .model = "demo-1",
                                         .role = "",
                                         .weight_ppm = PPM,
                                         .demo = true};
  return debate_config_to_json(&c);
}

struct scripted *scripted_run(scripted_reply_fn *reply, enum rule rule) {
  struct scripted *s = calloc(1, sizeof *s);
  assert_non_null(s);
  s->debate = debate_create(true);
  assert_non_null(s->debate);
  json_t *start = start_data(rule);
  add(s, EVENT_DEBATE_START, -1, NULL, start);
  json_decref(start);
  while (s->debate->phase != PHASE_ENDED) {
    struct commands commands = {0};
    assert_int_equal(debate_next(s->debate, &commands), STATUS_OK);
    add_all(s, &commands.append);
    for (int i = 0; i < commands.ask_count; i++) answer(s, commands.asks[i], reply);
    commands_done(&commands);
  }
  return s;
}

void scripted_free(struct scripted *s) {
  for (size_t i = 0; i < s->count; i++) json_decref(s->events[i].data);
  free(s->events);
  debate_destroy(s->debate);
  free(s);
}

const struct event *scripted_event(const struct scripted *s, enum event_kind kind, size_t n) {
  for (size_t i = 0; i < s->count; i++)
    if (s->events[i].kind == kind && n-- == 0) return &s->events[i];
  fail_msg("no such event: %s", event_kind_name(kind));
  return NULL;
}

const char *scripted_two_positions(enum turn_kind kind, int member) {
  switch (kind) {
    case TURN_PROPOSAL:
      return member == 0 ? "{\"answer\":\"It is 42.\",\"answer_key\":\"42\",\"key_claims\":"
                           "[\"6*7=42\"],\"confidence\":0.9}"
                         : "{\"answer\":\"It is 41.\",\"answer_key\":\"41\",\"key_claims\":[],"
                           "\"confidence\":0.5}";
    case TURN_CRITIQUE:
      return "{\"items\":[{\"target\":\"Response A\",\"claim\":\"the product\",\"problem\":"
             "\"miscounted\",\"severity\":0.75,\"why\":\"seven sixes\",\"fix\":\"count again\"}]}";
    case TURN_REVISION:
      return member == 1 ? "{\"stance\":\"changed\",\"answer\":\"It is 42 after all.\","
                           "\"answer_key\":\"42\",\"key_claims\":[],\"confidence\":0.8,"
                           "\"responses\":[{\"item\":\"Item 1\",\"verdict\":\"accept\","
                           "\"reason\":\"true\"}]}"
                         : "{\"stance\":\"held\",\"answer\":\"\",\"answer_key\":\"\","
                           "\"key_claims\":[],\"confidence\":0.7,\"responses\":[{\"item\":"
                           "\"Item 1\",\"verdict\":\"reject\",\"reason\":\"no\"}]}";
    case TURN_BALLOT:
      return "{\"ranking\":[\"Response A\",\"Response B\"],\"confidence\":0.6,\"reason\":\"\"}";
    case TURN_JUDGMENT:
    default: return NULL;
  }
}
