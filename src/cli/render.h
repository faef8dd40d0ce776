/* A debate as a page of text: its frames in, in the order of the log, and blocks of a terminal's
 * lines out. The same for a debate that runs, for one of the archive and for one on a server.
 *
 * Blocks are whole: an answer when it is in, the critiques of a round under the agents they are
 * about once all are in, ballots once it is known what they chose between, and the verdict last.
 * Pure; one owner at a time.
 */
#ifndef ARAGORA_CLI_RENDER_H
#define ARAGORA_CLI_RENDER_H

#include "base/json.h"

struct render_options {
  int width;
  bool colour;
  bool verdict_only; /* nothing but the box at the end */
  bool verbose;      /* attempts with their tokens and times, key claims */
};

struct render;

struct render *render_create(const struct render_options *options); /* NULL: memory is short */
void render_destroy(struct render *r);

/* Appends what the frame adds to the page, often nothing. Frames without a seq and kinds of later
 * versions are ignored. STATUS_NOMEM; STATUS_TOO_LARGE when `out` is full. */
MUST_CHECK enum status render_frame(struct render *r, const json_t *frame, struct buffer *out);

/* One line for the time of waiting, without a newline: step, who is still asked, elapsed time. */
void render_append_waiting(const struct render *r, int64_t elapsed_ms, struct buffer *out);
/* "round 1, critique": the step alone. */
void render_append_phase(const struct render *r, struct buffer *out);

/* How it ended, for the exit code. */
enum render_end {
  RENDER_OPEN,         /* no debate_end yet */
  RENDER_REACHED,      /* a consensus */
  RENDER_UNDECIDED,    /* an answer or several, no consensus */
  RENDER_CANCELLED,    /* cancelled */
  RENDER_FAILED,       /* no answer */
  RENDER_FAILED_ROUTE, /* no answer, and every cause is that a provider could not be reached */
};
enum render_end render_end(const struct render *r);

#endif
