/* What an agent replied, read strictly, or leniently after one repair attempt; never guessed.
 *
 * A strict reading accepts one JSON object of the turn's schema, alone or in one code fence. The
 * lenient reading also accepts such an object within other text and the labelled lines that the
 * repair prompt offers ("ANSWER: ...", "RANKING: B > A"). Where several are there, they must say
 * the same: a reply that quotes another one and then gives its own leaves open which is meant.
 * Anything else is malformed: plain prose, an apology or an error text never becomes an answer.
 * Takes time linear in the text. Pure; any thread.
 */
#ifndef ARAGORA_DEBATE_REPLY_H
#define ARAGORA_DEBATE_REPLY_H

#include "debate/prompt.h"

enum { REPLY_CLAIMS_MAX = 12, REPLY_TEXT_MAX = 256 * 1024, REPLY_KEY_MAX = 64 };
enum { SCORE_CORRECTNESS, SCORE_COMPLETENESS, SCORE_EVIDENCE, SCORE_RISK, SCORE_COUNT };
extern const char *const score_names[SCORE_COUNT + 1];

struct reply_form { /* what was asked */
  enum turn_kind kind;
  int labels; /* responses shown */
  int items;  /* items shown */
};

struct reply_item {
  int label; /* index of the response that it is about */
  char *claim, *problem, *why, *fix;
  int64_t severity_ppm;
};

struct reply_verdict { /* one item answered */
  int item;            /* index */
  bool accept;
  char *reason;
};

struct reply {
  enum turn_kind kind;
  bool lenient; /* took the lenient reading */
  /* proposal, revision; judgment uses `answer` for its reason */
  char *answer; /* non-empty after trimming; clean UTF-8 */
  char *key;    /* normalised, "" = none */
  char *claims[REPLY_CLAIMS_MAX];
  int claim_count;
  int64_t confidence_ppm; /* -1 = not stated; 85 is read as 0.85, 8 is refused */
  /* revision */
  bool changed; /* says `changed`; otherwise `held` */
  struct reply_verdict *verdicts;
  int verdict_count;
  /* critique; items beyond DEBATE_ITEMS_MAX a label are dropped and counted */
  struct reply_item *reply_items;
  int reply_item_count;
  int dropped_items;
  /* ballot: every label exactly once, best first */
  int ranking[DEBATE_MEMBERS_MAX];
  int ranking_count;
  /* judgment */
  int choice; /* label */
  int64_t scores_ppm[DEBATE_MEMBERS_MAX][SCORE_COUNT];
};

void reply_done(struct reply *reply);

/* STATUS_INVALID says in *err what is wrong, in words that can be shown to the agent. A critique
 * whose items name labels that were not shown loses those items; a ballot or judgment that names
 * one is invalid as a whole. A revision that says `changed` must bring an answer; one that says
 * `held` need not. An item that is answered twice keeps the first; unknown items are ignored. */
MUST_CHECK enum status reply_parse(const struct reply_form *form, struct bytes text, bool lenient,
                                   struct reply *ret_reply, struct error *err);

/* The normal form of an answer key: lower case except for a unit behind a number and the name of a
 * function, inner space folded, marks only where they mean nothing: "Yes." = "yes", "Option B" =
 * "b", "1,000.0" = "1000", "long-term" = "long term"; "n!", "B-D", "5 MW" and "O(n)" stay. "" for
 * what is too long to be a key or says nothing ("none", "n/a"). Writes at most REPLY_KEY_MAX bytes
 * and a NUL.
 */
void reply_normalise_key(struct bytes text, char out[REPLY_KEY_MAX + 1]);

/* "Response A" and the like: index of the label, or -1. Accepts "A", "Response A", any case. */
int reply_label_index(struct bytes text, int labels);

#endif
