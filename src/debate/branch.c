#include "debate/branch.h"

#include "debate/maker.h"

#include <stdlib.h>

struct branch {
  int round;     /* the last one that is taken over */
  int completed; /* the last round that was completed, as far as was read; -1 = none */
  bool over;     /* nothing more is read */
  struct debate *debate;
  json_t *start; /* data of debate_start */
  struct drafts inherited;
  char hash[65]; /* of the last event that is inherited */
};

struct branch *branch_create(int round) {
  struct branch *b = calloc(1, sizeof *b);
  if (!b) return NULL;
  b->round = round;
  b->completed = -1;
  b->debate = debate_create(false);
  if (b->debate) return b;
  free(b);
  return NULL;
}

void branch_destroy(struct branch *b) {
  if (!b) return;
  debate_destroy(b->debate);
  json_decref(b->start);
  drafts_done(&b->inherited);
  free(b);
}

/* The engine goes on from a round by itself with one of these two; a fact cuts it short, and where
 * too few answered there is nothing to go on from. */
static bool ends_round(enum event_kind kind) {
  return kind == EVENT_ROUND_START || kind == EVENT_STOP;
}

static bool cuts_short(enum event_kind kind) {
  return kind == EVENT_CANCEL_REQUESTED || kind == EVENT_DEADLINE_REACHED ||
         kind == EVENT_BUDGET_EXHAUSTED || kind == EVENT_ERROR;
}

static bool is_inherited(enum event_kind kind) {
  return kind == EVENT_ROUND_START || kind == EVENT_AGENT_MESSAGE || kind == EVENT_CRITIQUE ||
         kind == EVENT_AGENT_ERROR;
}

/* The engine's own event stays as the engine says it, byte for byte. That a fallback answered
 * stands in the attempt's end, which is left out: it goes with what was said. */
static json_t *inherited_data(const struct debate *d, const struct event *ev) {
  json_t *data = json_deep_copy(ev->data);
  if (ev->kind == EVENT_ROUND_START) return data;
  struct maker m = {false};
  const struct degradation *fallback = debate_fallback(d, json_get_text(ev->data, "turn", ""));
  maker_put(&m, data, "inherited", json_true());
  if (fallback) maker_put(&m, data, "fallback_detail", json_text(bytes_of(fallback->detail)));
  return maker_done(&m, data);
}

/* As the configuration spells and owns it. */
static const char *agent_name(const struct debate_config *c, const char *name) {
  for (int i = 0; name && i < c->member_count; i++)
    if (strcmp(c->members[i].name, name) == 0) return c->members[i].name;
  return NULL;
}

enum status branch_feed(struct branch *b, const struct event *ev, const uint8_t hash[32],
                        struct error *err) {
  if (b->over) return STATUS_OK;
  if (ends_round(ev->kind)) b->completed = b->debate->round;
  b->over = cuts_short(ev->kind) || (ends_round(ev->kind) && b->completed == b->round) ||
            ev->kind == EVENT_STOP;
  if (b->over) return STATUS_OK;
  enum status s = debate_apply(b->debate, ev, err);
  if (!s && ev->kind == EVENT_DEBATE_START) b->start = json_incref(ev->data);
  if (s || !is_inherited(ev->kind)) return s;
  bytes_to_hex(hash, 32, b->hash);
  return drafts_add(&b->inherited, ev->kind, ev->round, agent_name(&b->debate->config, ev->agent),
                    inherited_data(b->debate, ev));
}

enum status branch_take(struct branch *b, const char *parent_id, struct debate_config *ret_config,
                        struct drafts *ret_inherited, struct error *err) {
  if (b->completed < 0)
    return error_set(err, STATUS_CONFLICT, "branch_point", "no round of the debate is complete");
  if (b->completed != b->round)
    return error_set(err, STATUS_CONFLICT, "branch_point",
                     "branch_point must be 0 to %d, the last round that is complete", b->completed);
  struct debate_config config;
  enum status s = debate_config_from_json(b->start, &config, err);
  if (s) return s;
  s = bytes_replace(&config.parent_id, bytes_of(parent_id));
  if (s) {
    debate_config_done(&config);
    return s;
  }
  config.branch_point = b->round;
  config.inherited = (int)b->inherited.count;
  memcpy(config.parent_hash, b->hash, sizeof config.parent_hash);
  for (size_t i = 0; i < b->inherited.count; i++)
    b->inherited.items[i].agent = agent_name(&config, b->inherited.items[i].agent);
  *ret_config = config;
  *ret_inherited = b->inherited;
  b->inherited = (struct drafts){0};
  return STATUS_OK;
}
