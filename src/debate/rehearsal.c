#include "debate/rehearsal.h"

#include "debate/topology.h"

#include <stdlib.h>

enum { REPLY_MAX = 16 << 20 };

/* Around the context in a prompt: its heading and the lines of its fence. Quoting it in every
 * rehearsed prompt would cost what a debate costs, and it is the same in all of them. */
enum { CONTEXT_FRAME_BYTES = 170 };

struct rehearsal {
  const struct rehearsal_script *script;
  struct debate *debate;
  size_t context_bytes; /* that every prompt has on top */
  rehearsal_call_fn *each;
  void *ctx;
};

/* ---- made-up replies ---- */

/* Words and not one long one: scrubbing them must cost what it costs in earnest. */
static void put_filler(struct buffer *out, size_t bytes) {
  static const char words[] = "every answer says as much as this one does and not a word more ";
  for (size_t left = bytes ? bytes : 1; left;) {
    size_t n = left < sizeof words - 1 ? left : sizeof words - 1;
    buffer_append(out, words, n);
    left -= n;
  }
}

static bool is_last_round(const struct rehearsal *r, const struct turn *t) {
  return t->round >= r->script->rounds;
}

/* A position has another key in every round: a change is what makes a debate go on. */
static void put_answer(struct buffer *out, const struct rehearsal *r, const struct turn *t) {
  const struct rehearsal_script *s = r->script;
  bool one = s->agree && (s->early || is_last_round(r, t));
  int position = one ? 0 : t->member % (s->positions > 0 ? s->positions : 1);
  buffer_append_text(out, "\"answer\":\"");
  put_filler(out, s->answer_bytes[t->member]);
  buffer_printf(out,
                "\",\"answer_key\":\"k%d%c\",\"key_claims\":[\"one\",\"two\"],\"confidence\":0.5",
                position, 'a' + t->round);
}

static void put_critique(struct buffer *out, const struct rehearsal *r, int labels) {
  size_t part = r->script->item_bytes / 4;
  bool first = true;
  buffer_append_text(out, "{\"items\":[");
  for (int i = 0; i < labels * r->script->items; i++) {
    static const char *const fields[] = {"claim", "problem", "why", "fix"};
    buffer_printf(out, "%s{\"target\":\"Response %c\",\"severity\":0.6", first ? "" : ",",
                  'A' + i % labels);
    for (size_t f = 0; f < sizeof fields / sizeof *fields; f++) {
      buffer_printf(out, ",\"%s\":\"", fields[f]);
      put_filler(out, part);
      buffer_append_char(out, '"');
    }
    buffer_append_char(out, '}');
    first = false;
  }
  buffer_append_text(out, "]}");
}

static void put_revision(struct buffer *out, const struct rehearsal *r, const struct turn *t,
                         int items) {
  buffer_append_text(out, "{\"stance\":\"changed\",");
  put_answer(out, r, t);
  buffer_append_text(out, ",\"responses\":[");
  for (int i = 0; i < items; i++)
    buffer_printf(out, "%s{\"item\":\"Item %d\",\"verdict\":\"accept\",\"reason\":\"r\"}",
                  i ? "," : "", i + 1);
  buffer_append_text(out, "]}");
}

static void put_ballot(struct buffer *out, int labels) {
  buffer_append_text(out, "{\"ranking\":[");
  for (int i = 0; i < labels; i++) buffer_printf(out, "%s\"Response %c\"", i ? "," : "", 'A' + i);
  buffer_append_text(out, "],\"confidence\":0.7,\"reason\":\"r\"}");
}

static void put_judgment(struct buffer *out, int labels) {
  buffer_append_text(out, "{\"scores\":[");
  for (int i = 0; i < labels; i++)
    buffer_printf(out,
                  "%s{\"response\":\"Response %c\",\"correctness\":0.5,\"completeness\":0.5,"
                  "\"evidence\":0.5,\"risk\":0.5}",
                  i ? "," : "", 'A' + i);
  buffer_append_text(out, "],\"verdict\":\"Response A\",\"reason\":\"r\"}");
}

static int open_items(const struct rehearsal *r, const struct turn *t) {
  int items[PROMPT_ITEMS_MAX];
  return topology_open_items(r->debate, t->member, items);
}

static void put_reply(struct buffer *out, const struct rehearsal *r, const struct turn *t,
                      int labels) {
  switch (t->kind) {
    case TURN_PROPOSAL:
      buffer_append_char(out, '{');
      put_answer(out, r, t);
      buffer_append_char(out, '}');
      break;
    case TURN_CRITIQUE: put_critique(out, r, labels); break;
    case TURN_REVISION: put_revision(out, r, t, open_items(r, t)); break;
    case TURN_BALLOT: put_ballot(out, labels); break;
    case TURN_JUDGMENT: put_judgment(out, labels); break;
  }
}

static int things_of(const struct rehearsal *r, const struct turn *t, int labels) {
  switch (t->kind) {
    case TURN_CRITIQUE: return labels * r->script->items;
    case TURN_REVISION: return open_items(r, t);
    case TURN_BALLOT:
    case TURN_JUDGMENT: return labels;
    case TURN_PROPOSAL: break;
  }
  return 0;
}

/* ---- the engine's loop, as the runner plays it ---- */

/* Takes the drafts. */
static enum status append(struct rehearsal *r, struct drafts *drafts) {
  struct error err;
  enum status s = STATUS_OK;
  for (size_t i = 0; i < drafts->count && !s; i++) {
    const struct draft *d = &drafts->items[i];
    struct event event = {r->debate->last_seq + 1, d->kind, 0, d->round, d->agent, d->data};
    s = d->note ? debate_apply_note(r->debate, &event, d->note, &err)
                : debate_apply(r->debate, &event, &err);
  }
  drafts_done(drafts);
  return s == STATUS_CORRUPT ? STATUS_INVALID : s;
}

static enum status begin(struct rehearsal *r, const struct debate_config *config) {
  struct drafts drafts = {0};
  enum status s = drafts_add(&drafts, EVENT_DEBATE_START, -1, NULL, debate_config_to_json(config));
  return s ? s : append(r, &drafts);
}

static enum status tell_call(struct rehearsal *r, int turn, int labels) {
  const struct turn *t = &r->debate->turns[turn];
  struct prompt prompt;
  enum status s = debate_prompt(r->debate, turn, &prompt);
  if (s) return s;
  struct rehearsal_call call = {.kind = t->kind,
                                .agent = debate_turn_agent(r->debate, t),
                                .member = t->member,
                                .repair = t->bad_reply != NULL,
                                .things = things_of(r, t, labels)};
  call.prompt_bytes =
      strlen(prompt.system) + strlen(prompt.prefix) + strlen(prompt.text) + r->context_bytes;
  prompt_done(&prompt);
  r->each(r->ctx, &call);
  return STATUS_OK;
}

static enum status answer(struct rehearsal *r, int turn, int labels) {
  const struct turn *t = &r->debate->turns[turn];
  BUFFER_LATER struct buffer reply;
  struct drafts drafts = {0};
  buffer_init(&reply, REPLY_MAX);
  if (r->script->repair && !t->bad_reply)
    put_filler(&reply, r->script->bad_reply_bytes);
  else
    put_reply(&reply, r, t, labels);
  if (reply.overflow) return STATUS_NOMEM;
  struct attempt_result result = {.outcome = OUTCOME_OK,
                                  .final = true,
                                  .text = buffer_bytes(&reply),
                                  .provider = "",
                                  .model = "",
                                  .detail = "",
                                  .request_id = "",
                                  .booked_usd_micro = -1};
  enum status s = debate_answer(r->debate, turn, &result, &drafts);
  return s ? s : append(r, &drafts);
}

static enum status ask(struct rehearsal *r, int turn) {
  int labels[DEBATE_MEMBERS_MAX];
  struct drafts drafts = {0};
  struct attempt_begin attempt = {.provider = "", .model = "", .reserved_usd_micro = -1};
  int count = topology_labels(r->debate, &r->debate->turns[turn], labels);
  enum status s = tell_call(r, turn, count);
  if (!s) s = debate_begin_attempt(r->debate, turn, &attempt, &drafts);
  if (!s) s = append(r, &drafts);
  return s ? s : answer(r, turn, count);
}

static enum status play(struct rehearsal *r) {
  enum status s = STATUS_OK;
  while (!s && r->debate->phase != PHASE_ENDED) {
    struct commands commands;
    s = debate_next(r->debate, &commands);
    if (s) break;
    if (commands.append.count)
      s = append(r, &commands.append);
    else if (!commands.ask_count)
      s = STATUS_INVALID; /* nothing to do and no end: no course of a debate is so */
    for (int i = 0; i < commands.ask_count && !s; i++) s = ask(r, commands.asks[i]);
    commands_done(&commands);
  }
  return s;
}

enum status rehearse_debate(const struct debate_config *config,
                            const struct rehearsal_script *script, rehearsal_call_fn *each,
                            void *ctx) {
  struct debate_config course = *config; /* borrows the texts */
  struct rehearsal r = {.script = script, .each = each, .ctx = ctx};
  if (config->context && *config->context)
    r.context_bytes = strlen(config->context) + CONTEXT_FRAME_BYTES;
  course.context = NULL;
  course.rounds = script->rounds;
  /* What a caller may spend cuts no rehearsal short. */
  course.budget_usd_micro = course.budget_tokens = -1;
  r.debate = debate_create(false);
  enum status s = r.debate ? begin(&r, &course) : STATUS_NOMEM;
  if (!s) s = play(&r);
  debate_destroy(r.debate);
  return s;
}
