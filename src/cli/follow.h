/* Shows a feed: blocks on standard output as the debate goes on, and while one waits a status line
 * on standard error. Main thread.
 */
#ifndef ARAGORA_CLI_FOLLOW_H
#define ARAGORA_CLI_FOLLOW_H

#include "cli/feed.h"
#include "cli/render.h"

enum follow_form {
  FOLLOW_PAGE,   /* blocks for people */
  FOLLOW_FRAMES, /* --jsonl: a frame a line */
  FOLLOW_SILENT, /* --json: the caller prints the debate afterwards */
};

struct follow_options {
  enum follow_form form;
  bool quiet; /* only the verdict; nothing on standard error */
  bool verbose;
  bool no_colour;
  bool past;         /* the debate is history: no status line, ends where the log ends now */
  double speed;      /* frames come at this multiple of their own pace; 0 = at once */
  const char *later; /* with `cancel`: the command that shows the debate afterwards */
  /* Called once, at the first Ctrl-C; the feed is read on until the debate has ended. NULL: the
   * first one ends the reading. */
  void (*cancel)(void *ctx);
  void *ctx;
};

struct follow_result {
  enum render_end end;
  bool interrupted;
  bool broken; /* standard output's reader went away */
};

MUST_CHECK enum status follow_run(struct feed *feed, const struct follow_options *options,
                                  struct follow_result *ret_result, struct error *err);

#endif
