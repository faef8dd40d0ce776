/* Events: the immutable lines of a debate's log, and nothing else decides.
 *
 * Every event is {seq, type, ts, round, agent, data}; seq counts from 1, ts is Unix milliseconds
 * and never decreases, data holds integers and texts only (canonical form, base/json.h). The shapes
 * of data, by kind, stand in docs/internals/log.md. Pure; any thread.
 */
#ifndef ARAGORA_DEBATE_EVENT_H
#define ARAGORA_DEBATE_EVENT_H

#include "base/json.h"

enum event_kind {
  EVENT_DEBATE_START,
  EVENT_ROUND_START,
  EVENT_ATTEMPT_START,
  EVENT_ATTEMPT_END,
  EVENT_AGENT_MESSAGE, /* proposal, revision, judgment */
  EVENT_CRITIQUE,      /* one critic's items for one target */
  EVENT_VOTE,
  EVENT_AGENT_ERROR, /* a turn that failed */
  EVENT_STOP,        /* no further rounds, and why */
  EVENT_CONSENSUS,   /* the decision, reached or not */
  EVENT_ERROR,       /* right before debate_end when the status is failed, and only then */
  EVENT_DEBATE_END,
  EVENT_RESUMED,          /* fact: the process came back */
  EVENT_CANCEL_REQUESTED, /* fact */
  EVENT_DEADLINE_REACHED, /* fact */
  EVENT_BUDGET_EXHAUSTED, /* fact */
  EVENT_UNKNOWN,          /* a kind of a later version: readable, not resumable */
};

enum { LOG_VERSION = 1, ENGINE_VERSION = 1, RULES_VERSION = 1, PROMPTS_VERSION = 1 };

/* "debate_start"; EVENT_UNKNOWN gives "unknown". */
const char *event_kind_name(enum event_kind kind);
enum event_kind event_kind_parse(const char *name);

/* An event in memory. Borrows agent and data. */
struct event {
  uint64_t seq;
  enum event_kind kind;
  int64_t ts_ms;
  int round;         /* -1 = none */
  const char *agent; /* NULL = none */
  json_t *data;      /* an object, never NULL; an empty one when the content was deleted */
};

/* An event that is still to be appended: the runner gives it seq, ts, salt and hash. */
struct draft {
  enum event_kind kind;
  int round;
  const char *agent; /* borrowed from the debate's configuration, or NULL */
  json_t *data;      /* owned; NULL where there is a note, until draft_data makes it of that */
  struct attempt_note *note; /* owned: data of attempt_start and attempt_end, or NULL */
};

struct drafts {
  struct draft *items;
  size_t count, cap;
};

/* Takes the reference of data in every case. */
MUST_CHECK enum status drafts_add(struct drafts *drafts, enum event_kind kind, int round,
                                  const char *agent, json_t *data);
/* The same of an attempt; takes the note in every case, which may be NULL for want of memory. */
MUST_CHECK enum status drafts_add_note(struct drafts *drafts, enum event_kind kind, int round,
                                       const char *agent, struct attempt_note *note);
void drafts_done(struct drafts *drafts);
/* The canonical form of its data, for free(), or NULL. */
char *draft_text(const struct draft *draft);
/* Its data, which stays the draft's; NULL when memory is short. */
json_t *draft_data(struct draft *draft);

#endif
