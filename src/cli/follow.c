#include "cli/follow.h"

#include "base/clock.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/page.h"
#include "cli/terminal.h"
#include "cli/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
  BLOCK_MAX = 64 << 20,
  TICK_MS = 250,
  PAST_SILENCE_MS = 400, /* a server's history comes at once; then its live part would begin */
  PAUSE_MAX_MS = 3000,   /* the longest pause of a replay */
};

struct follow {
  const struct follow_options *options;
  struct render *render;
  struct buffer block, frame;
  struct buffer shown, line; /* the status line that stands on the terminal, and the next */
  bool status_line, status_colour;
  bool phase_lines; /* no terminal, but nothing else tells how far it is */
  int64_t first_ts_ms, last_ts_ms;
  struct follow_result result;
};

/* ---- the status line ---- */

static void hide_status(struct follow *f) {
  if (!f->status_line) return;
  if (f->shown.len) bytes_write(BYTES_LITERAL("\r\x1b[K"), STDERR_FILENO);
  buffer_clear(&f->shown);
}

static void show_status(struct follow *f) {
  if (!f->status_line || f->result.end != RENDER_OPEN) return;
  buffer_clear(&f->line);
  int64_t elapsed = f->first_ts_ms ? clock_wall_ms(&clock_system) - f->first_ts_ms : 0;
  render_append_waiting(f->render, elapsed > 0 ? elapsed : 0, &f->line);
  if (f->line.overflow || bytes_equal(buffer_bytes(&f->line), buffer_bytes(&f->shown))) return;
  hide_status(f);
  buffer_append_bytes(&f->shown, buffer_bytes(&f->line));
  if (f->status_colour) bytes_write(BYTES_LITERAL("\x1b[2m"), STDERR_FILENO);
  bytes_write(buffer_bytes(&f->shown), STDERR_FILENO);
  if (f->status_colour) bytes_write(BYTES_LITERAL("\x1b[0m"), STDERR_FILENO);
}

/* ---- frames ---- */

static int64_t time_of(const json_t *frame) {
  double seconds = json_number_value(json_object_get(frame, "ts"));
  return seconds > 0 && seconds < 1e11 ? (int64_t)(seconds * 1000) : 0;
}

/* Waits as long as the debate did, as fast as asked. */
static void pace(struct follow *f, int64_t ts_ms) {
  int64_t pause_ms = f->last_ts_ms ? ts_ms - f->last_ts_ms : 0;
  f->last_ts_ms = ts_ms;
  if (f->options->speed <= 0 || pause_ms <= 0) return;
  double scaled = (double)pause_ms / f->options->speed;
  if (interrupt_wait(-1, scaled < PAUSE_MAX_MS ? (int)scaled : PAUSE_MAX_MS))
    f->result.interrupted = true;
}

static void write_phase(struct follow *f, const json_t *frame) {
  const char *type = json_get_text(frame, "type", "");
  if (!f->phase_lines || strcmp(type, "attempt_start") != 0) return;
  buffer_clear(&f->line);
  render_append_phase(f->render, &f->line);
  if (bytes_equal(buffer_bytes(&f->line), buffer_bytes(&f->shown))) return;
  buffer_clear(&f->shown);
  buffer_append_bytes(&f->shown, buffer_bytes(&f->line));
  buffer_append_char(&f->line, '\n');
  bytes_write(buffer_bytes(&f->line), STDERR_FILENO);
}

/* Nobody reads what a debate costs: it is cancelled, and read to its end all the same, so that it
 * is not left to be resumed. */
static void reader_gone(struct follow *f) {
  f->result.broken = true;
  if (f->options->cancel) f->options->cancel(f->options->ctx);
}

static enum status show_frame(struct follow *f, struct error *err) {
  JSON_LATER json_t *frame = NULL;
  if (json_parse(buffer_bytes(&f->frame), &frame, err)) return err->status;
  bool logged = json_get_int(frame, "seq", 0) > 0;
  int64_t ts_ms = time_of(frame);
  if (!logged) return STATUS_OK; /* tokens and notices: blocks are shown whole */
  pace(f, ts_ms);
  if (!f->first_ts_ms) f->first_ts_ms = ts_ms;
  if (render_frame(f->render, frame, &f->block))
    return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  f->result.end = render_end(f->render);
  write_phase(f, frame);
  if (f->options->form == FOLLOW_FRAMES) {
    buffer_clear(&f->block);
    buffer_append_bytes(&f->block, buffer_bytes(&f->frame));
    buffer_append_char(&f->block, '\n');
  }
  if (f->options->form == FOLLOW_SILENT) buffer_clear(&f->block);
  if (f->block.len) hide_status(f);
  if (f->result.broken) buffer_clear(&f->block);
  if (f->block.len && !output_buffer(STDOUT_FILENO, &f->block)) reader_gone(f);
  return STATUS_OK;
}

/* ---- the loop ---- */

/* What was printed stands; frames that are missing come once the server is back. */
static void say_lost(struct follow *f, const struct error *err) {
  if (f->options->quiet) return;
  hide_status(f);
  FREE_LATER char *words = text_clean(bytes_of(err->message));
  fprintf(stderr, "%s; trying again\n", words ? words : "");
}

/* False when the reading is to end. */
static bool interrupted(struct follow *f) {
  bool first = !f->result.interrupted;
  f->result.interrupted = true;
  interrupt_take();
  if (!f->options->cancel) return false;
  if (!first) return true;
  hide_status(f);
  if (!f->options->quiet)
    fprintf(stderr, "Cancelling; Ctrl-C again leaves at once. What was said stays: %s\n",
            f->options->later);
  f->options->cancel(f->options->ctx);
  return true;
}

static enum status read_feed(struct follow *f, struct feed *feed, struct error *err) {
  int64_t heard_us = 0;
  while (!f->result.broken || f->options->cancel) {
    enum status s = STATUS_OK;
    switch (feed->next(feed, TICK_MS, &f->frame, err)) {
      case FEED_FRAME:
        s = show_frame(f, err);
        heard_us = clock_mono_us(&clock_system);
        break;
      case FEED_NOTHING:
        if (f->options->past && f->first_ts_ms &&
            clock_mono_us(&clock_system) - heard_us > PAST_SILENCE_MS * 1000)
          return STATUS_OK;
        break;
      case FEED_LOST: say_lost(f, err); break;
      case FEED_INTERRUPTED:
        if (!interrupted(f)) return STATUS_OK;
        break;
      case FEED_END: return STATUS_OK;
      case FEED_FAILED: return err->status;
    }
    if (s) return s;
    if (f->result.interrupted && !f->options->cancel) return STATUS_OK;
    show_status(f);
  }
  return STATUS_OK;
}

enum status follow_run(struct feed *feed, const struct follow_options *options,
                       struct follow_result *ret_result, struct error *err) {
  struct terminal out = terminal_look(STDOUT_FILENO, options->no_colour);
  struct terminal status = terminal_look(STDERR_FILENO, options->no_colour);
  const char *term = getenv("TERM");
  bool can_clear = status.tty && !(term && strcmp(term, "dumb") == 0);
  struct render_options render = {out.width, out.colour, options->quiet, options->verbose};
  struct follow f = {.options = options, .render = render_create(&render)};
  if (!f.render) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  f.status_colour = status.colour;
  f.status_line = can_clear && !options->quiet && !options->past && options->speed <= 0;
  f.phase_lines = !f.status_line && !options->quiet && options->form == FOLLOW_SILENT;
  buffer_init(&f.block, BLOCK_MAX);
  buffer_init(&f.frame, FEED_FRAME_MAX);
  buffer_init(&f.shown, 4096);
  buffer_init(&f.line, 4096);
  enum status s = read_feed(&f, feed, err);
  hide_status(&f);
  *ret_result = f.result;
  render_destroy(f.render);
  buffer_done(&f.block);
  buffer_done(&f.frame);
  buffer_done(&f.shown);
  buffer_done(&f.line);
  return s;
}
