#include "ops/rated_debate.h"

#include "base/json.h"
#include "base/utf8.h"
#include "debate/result.h"
#include "ops/stored_event.h"

#include <stdio.h>

_Static_assert((int)STORE_PLAYERS_MAX == (int)GAME_SEATS_MAX, "a row for each player");
_Static_assert((int)STORE_ELO_START_MILLI == (int)ELO_START_MILLI, "one start");

/* ---- from the folded log to a game ---- */

/* Whether the turn whose text the member holds at the end was answered by somebody else. */
static bool is_substituted(const struct debate *d, int member) {
  char turn[TURN_ID_SIZE];
  int round = d->members[member].text_since;
  snprintf(turn, sizeof turn, "%d.%s.%s", round,
           turn_kind_names[round ? TURN_REVISION : TURN_PROPOSAL], d->config.members[member].name);
  return debate_fallback(d, turn) != NULL;
}

static int position_of(const struct decide_input *in, int member) {
  for (int p = 0; p < in->k; p++)
    if (in->positions[p].holders >> member & 1) return p;
  return -1;
}

static struct game_seat make_seat(const struct debate_agent *a, bool rated, int position) {
  return (struct game_seat){a->provider, a->model, a->type, a->demo, rated, position};
}

/* A panel of one provider and model, as one key often makes it, rates nobody whatever it says. */
static bool has_rivals(const struct debate *d) {
  struct game_input input = {0};
  if (d->config.member_count > GAME_SEATS_MAX) return true;
  input.seat_count = d->config.member_count;
  for (int i = 0; i < input.seat_count; i++)
    input.seats[i] = make_seat(&d->config.members[i], true, -1);
  return game_has_rivals(&input);
}

static enum rating_reason make_game(const struct debate *d, const struct decide_input *in,
                                    struct game *ret_game) {
  struct game_input input = {
      .seat_count = in->n, .position_count = in->k, .ballot_count = in->ballot_count};
  for (int i = 0; i < in->n; i++)
    input.seats[i] = make_seat(&d->config.members[i], !is_substituted(d, i), position_of(in, i));
  for (int b = 0; b < in->ballot_count; b++) {
    input.ballots[b].voter = in->ballots[b].voter;
    for (int place = 0; place < in->k; place++)
      input.ballots[b].ranking[place] = in->ballots[b].ranking[place];
  }
  return game_make(&input, ret_game);
}

static enum rating_reason rate_vote(const struct debate *d, const struct decide_input *in,
                                    struct game *ret_game) {
  enum { POSITIONS_MIN = 3 };
  if (in->k < POSITIONS_MIN) return RATING_TOO_FEW_POSITIONS;
  if (in->ballot_count < in->quorum) return RATING_NO_QUORUM;
  return make_game(d, in, ret_game);
}

enum rating_reason rated_debate_game(const struct debate *d, struct game *ret_game) {
  struct decide_input in;
  *ret_game = (struct game){0};
  if (!has_rivals(d)) return RATING_NO_PAIRS;
  if (d->phase != PHASE_ENDED || d->error || d->fact) return RATING_UNDECIDED;
  if (d->stop_reason == STOP_AGREEMENT) return RATING_FAST_PATH;
  if (d->config.member_count > GAME_SEATS_MAX) return RATING_NO_VOTE;
  result_input(d, &in);
  switch (in.basis) {
    case DECIDE_BY_VOTE: return rate_vote(d, &in, ret_game);
    case DECIDE_BY_JUDGE: return RATING_JUDGE;
    case DECIDE_BY_HOLDERS: return RATING_TOO_FEW_POSITIONS;
    case DECIDE_BEST_SO_FAR: return RATING_UNDECIDED;
    case DECIDE_BY_SAMPLES:
    case DECIDE_NOTHING:
    default: return RATING_NO_VOTE;
  }
}

/* ---- the domain ---- */

static bool is_domain(const char *text) {
  size_t len = strlen(text);
  if (len == 0 || len > RATED_DOMAIN_MAX) return false;
  for (const char *c = text; *c; c++)
    if ((unsigned char)*c < ' ' || *c == 0x7f) return false;
  return true;
}

void rated_debate_domain(const char *metadata, char out[RATED_DOMAIN_MAX + 1]) {
  json_t *object = NULL;
  const char *domain = NULL;
  if (metadata && !json_parse(bytes_of(metadata), &object, NULL))
    domain = json_string_value(json_object_get(object, "domain"));
  snprintf(out, RATED_DOMAIN_MAX + 1, "%s",
           domain && is_domain(domain) ? domain : RATED_DOMAIN_OTHER);
  json_decref(object);
}

/* ---- from the store ---- */

/* As far as it matters: of most logs that rate nobody the first event, which names the panel, is
 * enough. */
static enum status fold(void *ctx, const struct event *event, const struct store_event *stored,
                        struct error *err) {
  struct debate *debate = ctx;
  (void)stored;
  enum status s = debate_apply(debate, event, err);
  return s || has_rivals(debate) ? s : STATUS_CANCELLED;
}

static enum status fold_log(struct store *store, struct rated_debate *r, struct error *err) {
  r->debate = debate_create(false);
  if (!r->debate) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  return stored_event_each(store, &PRINCIPAL_SYSTEM, r->id, fold, r->debate, err);
}

/* What the row says already, so that the log need not be read; RATING_DONE = it has to be. */
static enum rating_reason reason_of_row(const struct store_debate *row) {
  const char *outcome = row->outcome ? row->outcome : "";
  if (strcmp(outcome, "fast_path") == 0) return RATING_FAST_PATH;
  bool decided = strcmp(outcome, "consensus") == 0 || strcmp(outcome, "no_consensus") == 0;
  return decided ? RATING_DONE : RATING_UNDECIDED;
}

/* A log that will not get better. */
static bool is_of_the_log(enum status status) {
  return status == STATUS_CORRUPT || status == STATUS_TOO_LARGE || status == STATUS_UNSUPPORTED;
}

static void take_game(struct rated_debate *r) {
  struct store_match *m = &r->match;
  m->player_count = r->game.player_count;
  m->pair_count = r->game.pair_count;
  for (int i = 0; i < m->player_count; i++) {
    const struct game_player *p = &r->game.players[i];
    m->players[i].who = (struct store_contender){p->provider, p->model, p->type, p->demo};
    m->players[i].result = p->result;
  }
  for (int i = 0; i < m->pair_count; i++) {
    const struct game_pair *p = &r->game.pairs[i];
    m->pairs[i] = (struct store_pair){p->a, p->b, p->won_a, p->won_b, p->agreed};
  }
}

static enum status read_live(struct store *store, struct rated_debate *r, struct error *err) {
  struct store_match *m = &r->match;
  m->tenant_id = r->row.tenant_id;
  m->owner_id = r->row.owner_id;
  m->ended_ms = r->row.completed_ms;
  rated_debate_domain(r->row.metadata, r->domain);
  enum rating_reason reason = reason_of_row(&r->row);
  enum status s = reason == RATING_DONE ? fold_log(store, r, err) : STATUS_OK;
  if (is_of_the_log(s))
    reason = RATING_UNREADABLE;
  else if (s)
    return s;
  else if (reason == RATING_DONE)
    reason = rated_debate_game(r->debate, &r->game);
  m->reason = rating_reason_names[reason];
  if (reason == RATING_DONE) take_game(r);
  return STATUS_OK;
}

static enum status read_deleted(struct store *store, struct rated_debate *r, struct error *err) {
  struct store_match *m = &r->match;
  enum status s = store_get_tombstone(store, &PRINCIPAL_SYSTEM, r->id, &r->tombstone, err);
  if (s && s != STATUS_NOT_FOUND) return s;
  m->tenant_id = s ? "local" : r->tombstone.tenant_id;
  m->owner_id = s ? "local" : r->tombstone.owner_id;
  m->ended_ms = s ? 0 : r->tombstone.deleted_ms;
  m->reason = rating_reason_names[RATING_DELETED];
  snprintf(r->domain, sizeof r->domain, "%s", RATED_DOMAIN_OTHER);
  return STATUS_OK;
}

enum status rated_debate_read(struct store *store, const struct store_ended *ended,
                              struct rated_debate *ret_rated, struct error *err) {
  struct rated_debate *r = ret_rated;
  *r = (struct rated_debate){.match = {.number = ended->number}};
  snprintf(r->id, sizeof r->id, "%s", ended->debate_id);
  r->match.debate_id = r->id;
  r->match.domain = r->domain;
  enum status s = store_get_debate(store, &PRINCIPAL_SYSTEM, r->id, &r->row, err);
  bool other = !s && strcmp(r->row.id, r->id) != 0; /* found by its slug */
  if (s == STATUS_NOT_FOUND || other)
    s = read_deleted(store, r, err);
  else if (!s)
    s = read_live(store, r, err);
  if (s) rated_debate_done(r);
  return s;
}

void rated_debate_done(struct rated_debate *r) {
  store_debate_done(&r->row);
  store_tombstone_done(&r->tombstone);
  debate_destroy(r->debate);
  *r = (struct rated_debate){0};
}

/* ---- the arithmetic, between two rooms that do not know each other ---- */

void rated_debate_rate(void *ctx, struct store_match *match) {
  struct game game = {.player_count = match->player_count, .pair_count = match->pair_count};
  (void)ctx;
  for (int i = 0; i < game.pair_count; i++) {
    const struct store_pair *p = &match->pairs[i];
    game.pairs[i] = (struct game_pair){p->a, p->b, p->won_a, p->won_b, p->agreed};
  }
  for (int track = 0; track < STORE_TRACKS; track++) {
    int64_t before[GAME_SEATS_MAX] = {0}, change[GAME_SEATS_MAX];
    for (int i = 0; i < game.player_count; i++) before[i] = match->players[i].before_milli[track];
    game_rate(&game, before, change);
    for (int i = 0; i < game.player_count; i++) match->players[i].change_milli[track] = change[i];
  }
}
