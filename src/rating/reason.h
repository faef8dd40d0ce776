/* Why a debate rates nobody. */
#ifndef ARAGORA_RATING_REASON_H
#define ARAGORA_RATING_REASON_H

enum rating_reason {
  RATING_DONE,              /* it does */
  RATING_UNDECIDED,         /* it failed, or was stopped before a decision */
  RATING_FAST_PATH,         /* all first answers agreed */
  RATING_JUDGE,             /* a judge decided: nobody ranked anything */
  RATING_NO_VOTE,           /* it asks for no ballots: one position left, `none`, one agent */
  RATING_TOO_FEW_POSITIONS, /* fewer than three */
  RATING_NO_QUORUM,         /* too few ballots */
  RATING_NO_PAIRS,          /* nobody to compare: one identity, other leagues, fallbacks */
  RATING_DELETED,           /* its content went before it was rated */
  RATING_UNREADABLE,        /* its log is damaged, too large, or of a later version */
  RATING_REASONS
};

/* "", "undecided", "fast_path", ...: labels of metrics, and what the database holds. */
extern const char *const rating_reason_names[RATING_REASONS];

#endif
