#include "debate/topology.h"

#include "base/prng.h"

/* Purposes of the seed's sequences; part of the log's meaning, never renumbered. */
enum { PURPOSE_TARGETS = 1, PURPOSE_LABELS = 2, PURPOSE_DIFFERING = 3 };

static int valid_members(const struct debate *d, int ret_members[DEBATE_MEMBERS_MAX]) {
  int count = 0;
  for (int i = 0; i < d->config.member_count; i++)
    if (d->members[i].valid) ret_members[count++] = i;
  return count;
}

static uint32_t random_targets(const struct debate *d, const int *valid, int count, int critic,
                               int round) {
  int others[DEBATE_MEMBERS_MAX];
  int n = 0;
  for (int i = 0; i < count; i++)
    if (valid[i] != critic) others[n++] = valid[i];
  struct prng g = prng_for(d->config.seed, PURPOSE_TARGETS, (uint64_t)round, (uint64_t)critic);
  prng_shuffle(&g, others, (size_t)n);
  int half = n / 2 > 1 ? n / 2 : 1;
  uint32_t targets = 0;
  for (int i = 0; i < half && i < n; i++) targets |= 1u << others[i];
  return targets;
}

uint32_t topology_targets(const struct debate *d, int critic, int round) {
  int valid[DEBATE_MEMBERS_MAX];
  int count = valid_members(d, valid);
  int place = -1;
  uint32_t everyone = 0;
  for (int i = 0; i < count; i++) {
    if (valid[i] == critic) place = i;
    everyone |= 1u << valid[i];
  }
  if (place < 0 || count < 2) return 0;
  uint32_t self = 1u << critic;
  switch (d->config.topology) {
    case TOPOLOGY_RING:
      return (1u << valid[(place + 1) % count] | 1u << valid[(place + count - 1) % count]) & ~self;
    case TOPOLOGY_STAR: return place == 0 ? everyone & ~self : 1u << valid[0];
    case TOPOLOGY_RANDOM: return random_targets(d, valid, count, critic, round);
    case TOPOLOGY_ALL:
    default: return everyone & ~self;
  }
}

/* At most two members of other positions than `member`'s own, one a position: that a position has
 * many holders is not shown, since the size of a majority is not evidence. */
static int differing_members(const struct debate *d, int member, int round, int *ret_members) {
  struct positions positions;
  debate_positions(d, &positions);
  int others[DEBATE_MEMBERS_MAX];
  int n = 0;
  for (int p = 0; p < positions.count; p++)
    if (p != positions.of_member[member]) others[n++] = positions.speaker[p];
  struct prng g = prng_for(d->config.seed, PURPOSE_DIFFERING, (uint64_t)round, (uint64_t)member);
  prng_shuffle(&g, others, (size_t)n);
  int count = n < 2 ? n : 2;
  for (int i = 0; i < count; i++) ret_members[i] = others[i];
  return count;
}

int topology_labels(const struct debate *d, const struct turn *turn,
                    int ret_labels[DEBATE_MEMBERS_MAX]) {
  int count = 0;
  struct positions positions;
  switch (turn->kind) {
    case TURN_PROPOSAL: return 0;
    case TURN_CRITIQUE: {
      uint32_t targets = topology_targets(d, turn->member, turn->round);
      for (int i = 0; i < d->config.member_count; i++)
        if (targets >> i & 1) ret_labels[count++] = i;
      break;
    }
    case TURN_REVISION: count = differing_members(d, turn->member, turn->round, ret_labels); break;
    case TURN_BALLOT:
    case TURN_JUDGMENT:
      debate_positions(d, &positions);
      for (int p = 0; p < positions.count; p++) ret_labels[count++] = p;
      break;
  }
  uint64_t step = (uint64_t)turn->round << 8 | (uint64_t)turn->kind;
  struct prng g = prng_for(d->config.seed, PURPOSE_LABELS, step, (uint64_t)turn->member);
  prng_shuffle(&g, ret_labels, (size_t)count);
  return count;
}

int topology_open_items(const struct debate *d, int member, int ret_items[PROMPT_ITEMS_MAX]) {
  int count = 0;
  for (int i = 0; i < d->item_count && count < PROMPT_ITEMS_MAX; i++)
    if (d->items[i].target == member && d->items[i].state == ITEM_OPEN) ret_items[count++] = i;
  return count;
}
