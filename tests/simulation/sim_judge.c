/* What must never be, looked for in prompts and finished logs. Uses no code of the engine but the
 * JSON reader and the layout of a prompt, so that a fault there is not repeated here. */
#include "sim.h"

#include <stdio.h>

static int count_of(const char *text, const char *what) {
  int count = 0;
  for (const char *p = strstr(text, what); p; p = strstr(p + 1, what)) count++;
  return count;
}

void sim_judge_prompt(const struct debate *d, int turn, const struct prompt *p, char out[400]) {
  const struct turn *t = &d->turns[turn];
  const char *nonce = d->config.nonce;
  char open[64];
  char close[64];
  out[0] = '\0';
  snprintf(open, sizeof open, "<<<<< %s\n", nonce);
  snprintf(close, sizeof close, "\n>>>>> %s\n", nonce);
  int opened = count_of(p->text, open);
  int closed = count_of(p->text, close);
  int mentions = count_of(p->text, nonce);
  if (opened != closed || mentions != opened + closed)
    snprintf(out, 400, "turn %d: %d fences opened, %d closed, nonce %d times", turn, opened, closed,
             mentions);
  if (strstr(p->system, nonce) || strstr(p->prefix, nonce))
    snprintf(out, 400, "turn %d: the nonce stands in the stable part", turn);
  /* Own words may be in a repair prompt; of others no name may be seen anywhere. */
  for (int i = 0; i < d->config.member_count; i++) {
    const char *name = d->config.members[i].name;
    bool own = t->kind != TURN_JUDGMENT && i == t->member;
    if (!own && (strstr(p->text, name) || strstr(p->prefix, name) || strstr(p->system, name)))
      snprintf(out, 400, "turn %d: names %s", turn, name);
  }
  if (t->kind != TURN_JUDGMENT && t->kind != TURN_PROPOSAL && !d->members[t->member].valid)
    snprintf(out, 400, "turn %d: asks an agent that has no valid proposal", turn);
}

enum { JUDGED_TURNS_MAX = 512 };

struct judged_turn { /* read off the log */
  char id[TURN_ID_SIZE];
  bool unknown; /* a death cut its last attempt */
  bool unread;  /* it has a whole reply that did not parse */
  bool ended;   /* its content or its failure is in the log */
};

struct facts {                            /* read off the log */
  char answers[DEBATE_MEMBERS_MAX][4096]; /* text and key as last logged */
  int n, quorum;
  const json_t *agents;
  int proposals, votes, positions, attempts_open;
  int first[DEBATE_MEMBERS_MAX]; /* first choices of each position */
  const char *rule;
  bool fact, ended, consensus, error, reached;
  const char *basis, *status;
  struct judged_turn turns[JUDGED_TURNS_MAX];
  int turn_count, unknowns, resumed;
};

static struct judged_turn *turn_of(struct facts *f, const json_t *data) {
  const char *id = json_get_text(data, "turn", "");
  for (int i = 0; i < f->turn_count; i++)
    if (strcmp(f->turns[i].id, id) == 0) return &f->turns[i];
  if (f->turn_count == JUDGED_TURNS_MAX) return NULL;
  struct judged_turn *turn = &f->turns[f->turn_count++];
  snprintf(turn->id, sizeof turn->id, "%s", id);
  return turn;
}

/* A result that is on disk is not asked for again; one that did not parse is asked to be mended. */
static void judge_asking(struct facts *f, const struct sim_line *l, const json_t *data,
                         char out[400]) {
  unsigned long long seq = l->line.seq;
  struct judged_turn *turn = turn_of(f, data);
  if (f->fact) snprintf(out, 400, "event %llu: an attempt after the debate was stopped", seq);
  f->attempts_open++;
  if (!turn) return;
  if (turn->ended)
    snprintf(out, 400, "event %llu: turn %s is asked again, and its result is on disk", seq,
             turn->id);
  if (turn->unread != json_get_bool(data, "repair", false))
    snprintf(out, 400, "event %llu: turn %s: a repair without a bad reply, or none with one", seq,
             turn->id);
  f->resumed += turn->unknown;
  turn->unknown = false;
}

/* What a death cut is booked at what had been reserved for it. */
static void judge_attempt_end(struct facts *f, const struct sim_line *l, const json_t *data,
                              char out[400]) {
  struct judged_turn *turn = turn_of(f, data);
  int64_t number = json_get_int(data, "attempt", 0);
  f->attempts_open--;
  if (!turn) return;
  if (json_get_text(data, "reply", NULL)) turn->unread = true;
  if (strcmp(json_get_text(data, "outcome", ""), "unknown") != 0) return;
  f->unknowns++;
  turn->unknown = true;
  if (json_get_int(data, "tokens", -1) != SIM_RESERVED_TOKENS(number) ||
      json_get_int(data, "cost_usd_micro", -1) != SIM_RESERVED_USD_MICRO(number))
    snprintf(out, 400, "event %llu: an unknown attempt is not booked at its reserve",
             (unsigned long long)l->line.seq);
}

static void judge_turn_end(struct facts *f, const json_t *data) {
  struct judged_turn *turn = turn_of(f, data);
  if (turn) turn->ended = true;
}

static int agent_place(const struct facts *f, const char *name) {
  size_t i;
  json_t *agent;
  json_array_foreach(f->agents, i, agent) {
    if (name && strcmp(json_get_text(agent, "name", ""), name) == 0) return (int)i;
  }
  return -1;
}

static void judge_message(struct facts *f, const struct sim_line *l, const json_t *data,
                          char out[400]) {
  const char *answer = json_get_text(data, "answer", "");
  char want[64];
  if (strcmp(json_get_text(data, "kind", ""), "judgment") == 0) return;
  snprintf(want, sizeof want, SIM_ANSWER_MARK "#%d,", agent_place(f, l->agent));
  if (strstr(answer, SIM_ERROR_MARK))
    snprintf(out, 400, "event %llu: an error text is an answer", (unsigned long long)l->line.seq);
  else if (!strstr(answer, want))
    snprintf(out, 400, "event %llu: an answer that %s never gave", (unsigned long long)l->line.seq,
             l->agent);
  /* What is held stays byte for byte. */
  int place = agent_place(f, l->agent);
  char now[sizeof f->answers[0]];
  snprintf(now, sizeof now, "%s|%s", answer, json_get_text(data, "answer_key", ""));
  bool held = strcmp(json_get_text(data, "stance", ""), "held") == 0;
  if (place >= 0 && held && strcmp(now, f->answers[place]) != 0)
    snprintf(out, 400, "event %llu: a held answer is not the old one",
             (unsigned long long)l->line.seq);
  if (place >= 0) snprintf(f->answers[place], sizeof now, "%s", now);
}

/* Each honest item says whom it is about: it must sit with that agent. */
static void judge_critique(const struct facts *f, const struct sim_line *l, const json_t *data,
                           char out[400]) {
  const char *target = json_get_text(data, "target", "");
  char want[64];
  snprintf(want, sizeof want, "about #%d", agent_place(f, target));
  if (l->agent && strcmp(l->agent, target) == 0)
    snprintf(out, 400, "event %llu: an agent criticises itself", (unsigned long long)l->line.seq);
  size_t i;
  json_t *item;
  json_array_foreach(json_object_get(data, "items"), i, item) {
    if (strcmp(json_get_text(item, "claim", ""), want) != 0)
      snprintf(out, 400, "event %llu: an item \"%s\" sits with %s", (unsigned long long)l->line.seq,
               json_get_text(item, "claim", ""), target);
  }
}

static void judge_vote(struct facts *f, const struct sim_line *l, const json_t *data,
                       char out[400]) {
  const json_t *ranking = json_object_get(data, "ranking");
  int k = (int)json_array_size(ranking);
  unsigned seen = 0;
  for (int i = 0; i < k; i++) {
    const char *p = json_string_value(json_array_get(ranking, (size_t)i));
    if (p && p[0] == 'p') seen |= 1u << (p[1] - '0');
  }
  if (f->positions && f->positions != k)
    snprintf(out, 400, "event %llu: ballots of different sizes", (unsigned long long)l->line.seq);
  if (seen != (1u << k) - 1)
    snprintf(out, 400, "event %llu: not every position exactly once",
             (unsigned long long)l->line.seq);
  f->positions = k;
  f->votes++;
  const char *best = json_string_value(json_array_get(ranking, 0));
  if (best && best[0] == 'p') f->first[best[1] - '0']++;
}

/* Every agent of these debates weighs the same, so heads can be counted. */
static bool enough_heads(const struct facts *f, const char *winner) {
  int first = winner && winner[0] == 'p' ? f->first[winner[1] - '0'] : 0;
  if (strcmp(f->rule, "majority") == 0) return 2 * first > f->votes;
  if (strcmp(f->rule, "supermajority") == 0) return 3 * first >= 2 * f->n;
  if (strcmp(f->rule, "unanimous") == 0) return first == f->n;
  return true;
}

static void judge_consensus(struct facts *f, const json_t *data, char out[400]) {
  f->consensus = true;
  f->reached = json_get_bool(data, "reached", false);
  f->basis = json_get_text(data, "basis", "");
  const char *conclusion = json_get_text(data, "conclusion", "");
  bool voted = strcmp(f->basis, "vote") == 0;
  if (f->reached && f->fact) snprintf(out, 400, "a decision after the debate was stopped");
  if (f->reached && f->proposals < f->quorum)
    snprintf(out, 400, "a decision from %d proposals, the quorum is %d", f->proposals, f->quorum);
  if (f->reached && voted && f->votes < f->quorum)
    snprintf(out, 400, "a decision from %d ballots, the quorum is %d", f->votes, f->quorum);
  if (f->reached && !strstr(conclusion, SIM_ANSWER_MARK))
    snprintf(out, 400, "the conclusion is nobody's answer");
  if (f->reached && voted && !enough_heads(f, json_get_text(data, "winner", NULL)))
    snprintf(out, 400, "a decision that its ballots do not carry");
  if (voted && f->positions &&
      (int)json_array_size(json_object_get(data, "positions")) != f->positions)
    snprintf(out, 400, "the ballots ranked other positions than were decided on");
}

static void judge_line(struct facts *f, const struct sim_line *l, const json_t *data,
                       char out[400]) {
  const char *type = l->type;
  unsigned long long seq = l->line.seq;
  if (f->ended) snprintf(out, 400, "event %llu: after the end", seq);
  if (strcmp(type, "debate_start") == 0) {
    f->agents = json_object_get(data, "agents");
    f->n = (int)json_array_size(f->agents);
    f->quorum = (int)json_get_int(data, "quorum", 0);
    f->rule = json_get_text(data, "consensus", "");
  } else if (strcmp(type, "attempt_start") == 0) {
    judge_asking(f, l, data, out);
  } else if (strcmp(type, "attempt_end") == 0) {
    judge_attempt_end(f, l, data, out);
  } else if (strcmp(type, "agent_message") == 0) {
    if (f->fact) snprintf(out, 400, "event %llu: a late answer was used", seq);
    f->proposals += strcmp(json_get_text(data, "kind", ""), "proposal") == 0;
    judge_turn_end(f, data);
    judge_message(f, l, data, out);
  } else if (strcmp(type, "critique") == 0) {
    judge_turn_end(f, data);
    judge_critique(f, l, data, out);
  } else if (strcmp(type, "vote") == 0) {
    judge_turn_end(f, data);
    judge_vote(f, l, data, out);
  } else if (strcmp(type, "agent_error") == 0) {
    judge_turn_end(f, data);
  } else if (strcmp(type, "consensus") == 0) {
    judge_consensus(f, data, out);
  } else if (strcmp(type, "error") == 0) {
    f->error = true;
  } else if (strcmp(type, "debate_end") == 0) {
    f->ended = true;
    if (f->attempts_open) snprintf(out, 400, "%d attempts have no end", f->attempts_open);
    bool failed = strcmp(json_get_text(data, "status", ""), "failed") == 0;
    if (strcmp(json_get_text(data, "outcome", ""), "fast_path") == 0 && f->proposals != f->n)
      snprintf(out, 400, "the fast path without everybody's answer");
    if (failed != f->error) snprintf(out, 400, "error and the status failed do not go together");
    if (!failed && !f->consensus && f->proposals >= f->quorum)
      snprintf(out, 400, "past the proposals, and no consensus event");
  } else if (strcmp(type, "cancel_requested") == 0 || strcmp(type, "deadline_reached") == 0 ||
             strcmp(type, "budget_exhausted") == 0) {
    if (!f->consensus && !f->error) f->fact = true;
  }
}

void sim_judge_log(const struct sim_log *log, struct sim_counts *ret_counts, char out[400]) {
  static struct facts f;
  f = (struct facts){0};
  json_t *first = NULL;
  out[0] = '\0';
  for (size_t i = 0; i < log->count && !out[0]; i++) {
    json_t *data = json_loads(log->lines[i].data, 0, NULL);
    if (i == 0) first = json_incref(data);
    judge_line(&f, &log->lines[i], data, out);
    json_decref(data);
  }
  json_decref(first);
  if (!out[0] && !f.ended) snprintf(out, 400, "the log has no end");
  *ret_counts = (struct sim_counts){f.unknowns, f.resumed};
}
