#include "debate/standing.h"

#include "debate/outward.h"

static bool leads(const struct decide_position *a, const struct decide_position *b) {
  int more = __builtin_popcount(a->holders) - __builtin_popcount(b->holders);
  return more > 0 || (more == 0 && a->since < b->since);
}

void standing_now(const struct debate *d, struct standing *ret_standing) {
  struct standing s = {.leader = -1};
  debate_positions(d, &s.positions);
  for (int p = 0; p < s.positions.count; p++)
    if (s.leader < 0 || leads(&s.positions.of[p], &s.positions.of[s.leader])) s.leader = p;
  if (s.leader >= 0) s.holders = __builtin_popcount(s.positions.of[s.leader].holders);
  *ret_standing = s;
}

static int64_t share_ppm(const struct debate *d, int holders) {
  return holders > 0 ? (int64_t)holders * PPM / d->config.member_count : -1;
}

int64_t standing_share_ppm(const struct debate *d, const struct standing *s) {
  return share_ppm(d, s->holders);
}

int standing_converged_in(const struct debate *d, const struct standing *s) {
  if (s->positions.count != 1 || s->holders < 2) return -1;
  int round = 0;
  for (int i = 0; i < d->config.member_count; i++)
    if (s->positions.of[0].holders >> i & 1 && d->members[i].key_since > round)
      round = d->members[i].key_since;
  return round;
}

/* ---- by round ---- */

/* Each member's key after a round, out of its messages; NULL = no valid proposal. */
struct keys {
  const char *of[DEBATE_MEMBERS_MAX];
};

static int member_named(const struct debate *d, const char *name) {
  for (int i = 0; name && i < d->config.member_count; i++)
    if (strcmp(d->config.members[i].name, name) == 0) return i;
  return -1;
}

static void hear(const struct debate *d, int round, struct keys *keys) {
  for (size_t i = 0; i < d->history_count; i++) {
    const struct event *ev = &d->history[i];
    if (ev->kind != EVENT_AGENT_MESSAGE || ev->round != round) continue;
    if (strcmp(json_get_text(ev->data, "kind", ""), "judgment") == 0) continue;
    int member = member_named(d, ev->agent);
    if (member >= 0) keys->of[member] = json_get_text(ev->data, "answer_key", "");
  }
}

/* How many positions the keys make, an empty one being its own, and how many hold the largest. */
static int count_positions(const struct debate *d, const struct keys *keys, int *ret_largest) {
  int count = 0;
  *ret_largest = 0;
  for (int i = 0; i < d->config.member_count; i++) {
    if (!keys->of[i]) continue;
    int same = 1;
    bool seen = false;
    for (int j = 0; *keys->of[i] && j < d->config.member_count; j++) {
      if (j == i || !keys->of[j] || strcmp(keys->of[i], keys->of[j]) != 0) continue;
      if (j < i) seen = true;
      same++;
    }
    count += !seen;
    if (same > *ret_largest) *ret_largest = same;
  }
  return count;
}

int standing_at_first(const struct debate *d) {
  struct keys keys = {{NULL}};
  int largest;
  for (int i = 0; i < d->config.member_count; i++)
    if (d->members[i].valid) keys.of[i] = d->members[i].first_key;
  return count_positions(d, &keys, &largest);
}

static int changes_in(const struct debate *d, int round) {
  int count = 0;
  for (int i = 0; i < d->trajectory_count; i++)
    count += d->trajectory[i].round == round && d->trajectory[i].stance == STANCE_CHANGED;
  return count;
}

static json_t *round_object(struct maker *m, const struct debate *d, int round, int positions,
                            int largest) {
  json_t *out = json_object();
  maker_put(m, out, "round", json_integer(round));
  maker_put(m, out, "positions", json_integer(positions));
  maker_put(m, out, "share", outward_millionths(share_ppm(d, largest)));
  maker_put(m, out, "changed", json_integer(changes_in(d, round)));
  return out;
}

json_t *standing_rounds(struct maker *m, const struct debate *d) {
  json_t *out = json_array();
  struct keys keys = {{NULL}};
  struct standing now;
  standing_now(d, &now);
  if (now.positions.count == 0 || d->phase == PHASE_PROPOSE) return out;
  for (int round = 0; round < d->round; round++) {
    int largest;
    hear(d, round, &keys);
    int positions = count_positions(d, &keys, &largest);
    maker_add(m, out, round_object(m, d, round, positions, largest));
  }
  if (d->phase == PHASE_CRITIQUE || d->phase == PHASE_REVISE) return out;
  maker_add(m, out, round_object(m, d, d->round, now.positions.count, now.holders));
  return out;
}

/* ---- texts ---- */

static void add_text(struct maker *m, json_t *out, const struct debate *d, const struct standing *s,
                     int position) {
  maker_add(m, out, json_text(bytes_of(d->members[s->positions.speaker[position]].text)));
}

json_t *standing_shared_texts(struct maker *m, const struct debate *d, const struct standing *s) {
  json_t *out = json_array();
  for (int p = 0; p < s->positions.count; p++)
    if (__builtin_popcount(s->positions.of[p].holders) > 1) add_text(m, out, d, s, p);
  return out;
}

json_t *standing_other_texts(struct maker *m, const struct debate *d, const struct standing *s) {
  json_t *out = json_array();
  for (int p = 0; p < s->positions.count; p++)
    if (p != s->leader) add_text(m, out, d, s, p);
  return out;
}
