/* What the fake provider counts, and how it tells: GET /_fake/stats. Loop thread. */
#ifndef ARAGORA_FAKE_TALLY_H
#define ARAGORA_FAKE_TALLY_H

#include "fake/fault.h"
#include "fake/question.h"

enum { TALLY_STATUS_MAX = 600, TALLY_OTHER = QUESTION_FORMATS, TALLY_FAULTS_MAX = 96 };

struct tally {
  /* By format; the last row is what is no model's path. Status 0 = no head was sent. */
  uint64_t answers[QUESTION_FORMATS + 1][TALLY_STATUS_MAX];
  uint64_t faults[TALLY_FAULTS_MAX]; /* by row of fault_table */
  uint64_t requests, bad_requests, bytes_sent;
  uint64_t accepted, refused, closed_early;
  uint64_t open, open_peak;
};

/* The request itself was counted when it came. */
void tally_answer(struct tally *tally, int format, int status, const struct fault *fault);
/* Appends the counts as a JSON object, `rules` being those of the script. */
void tally_append_json(const struct tally *tally, int rules, struct buffer *out);

#endif
