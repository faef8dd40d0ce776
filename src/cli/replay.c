/* `aragora replay`: a debate again from its log, and whether the log is what it was. */
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/options_load.h"
#include "cli/archive.h"
#include "cli/arguments.h"
#include "cli/engine.h"
#include "cli/follow.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/text.h"
#include "ops/proof.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct replay_values {
  double speed; /* -1 = not given */
  bool check, json, quiet, verbose, no_colour;
};

#define AT(field) offsetof(struct replay_values, field)
const struct flag replay_flags[] = {
    {"--check", 0, FLAG_SWITCH, AT(check), 0, 0, NULL,
     "verify hash chain and canonical form, and let the engine decide again; of a file, too"},
    {"--speed", 's', FLAG_NUMBER, AT(speed), 0, 100000, "X",
     "pace: 1 as it was (on a terminal), 4 faster, 0 at once"},
    {"--json", 0, FLAG_SWITCH, AT(json), 0, 0, NULL, "with --check: the result as JSON"},
    {"--quiet", 'q', FLAG_SWITCH, AT(quiet), 0, 0, NULL, "the verdict alone"},
    {"--verbose", 'v', FLAG_SWITCH, AT(verbose), 0, 0, NULL,
     "attempts, tokens, times and key claims too"},
    {"--no-color", 0, FLAG_SWITCH, AT(no_colour), 0, 0, NULL, "no colours [NO_COLOR]"},
    {0},
};

static const struct command *self(void) {
  return command_find("replay");
}

/* ---- --check ---- */

static json_t *check_json(const struct check_result *r, const char *id) {
  json_t *bad = r->ok ? json_null() : json_integer((json_int_t)r->bad_seq);
  return json_pack("{s:o, s:b, s:I, s:o, s:o, s:b, s:b, s:b, s:s, s:o}", "debate_id",
                   json_text_or_null(id), "ok", r->ok, "events", (json_int_t)r->events, "bad_seq",
                   bad, "problem", json_text_or_null(r->ok ? NULL : r->problem), "ended", r->ended,
                   "deleted", r->deleted, "unsupported", r->unsupported, "head_hash", r->head_hash,
                   "state_hash", json_text_or_null(*r->state_hash ? r->state_hash : NULL));
}

static void print_tombstone(const struct store_tombstone *t) {
  char at[CLOCK_ISO_SIZE];
  clock_format_iso(t->deleted_ms, at);
  FREE_LATER char *by = text_clean(bytes_of(t->deleted_by));
  FREE_LATER char *reason = text_clean(bytes_of(t->reason));
  printf("deleted at %s by %s%s%s\n", at, by ? by : "", t->reason[0] ? ": " : "",
         reason ? reason : "");
}

static void print_check(const struct check_result *r) {
  unsigned long long events = (unsigned long long)r->events;
  if (!r->ok) {
    FREE_LATER char *problem = text_clean(bytes_of(r->problem));
    printf("wrong: event %llu: %s\n", (unsigned long long)r->bad_seq, problem ? problem : "");
  } else if (r->deleted) {
    printf("ok: %llu events, head %s, content deleted: the chain holds, nothing can be refolded\n",
           events, r->head_hash);
  } else if (r->unsupported) {
    printf("ok: %llu events, head %s, written by a newer version: the chain holds\n", events,
           r->head_hash);
  } else {
    printf("ok: %llu events, head %s, state %s%s\n", events, r->head_hash, r->state_hash,
           r->ended ? "" : " (not ended yet)");
  }
}

static int check(const struct replay_values *v, const struct archive *archive) {
  const struct check_result *r = &archive->result;
  JSON_LATER json_t *object = v->json ? check_json(r, archive->row.id) : NULL;
  bool ok = true;
  if (object) {
    ok = output_json(STDOUT_FILENO, object);
  } else {
    print_check(r);
    if (archive->tombstone.debate_id) print_tombstone(&archive->tombstone);
  }
  if (!ok) return CLI_ERROR;
  return r->ok ? CLI_OK : CLI_CHECK_FAILED;
}

/* ---- --check of a file, which needs no database ---- */

struct file_check {
  const struct replay_values *values;
  uint64_t debates, wrong;
  struct check_result last;
  bool failed; /* standard output does */
};

static bool print_named(const char *debate_id, const struct check_result *r) {
  FREE_LATER char *id = text_clean(bytes_of(debate_id ? debate_id : "?"));
  printf("%.128s: ", id ? id : "?");
  print_check(r);
  return true;
}

static bool take_result(void *ctx, const char *debate_id, const struct check_result *r) {
  struct file_check *f = ctx;
  f->debates++;
  f->wrong += !r->ok;
  f->last = *r;
  if (f->values->json) {
    JSON_LATER json_t *object = check_json(r, debate_id);
    f->failed = !object || !output_json(STDOUT_FILENO, object);
  } else if (!r->ok) {
    print_named(debate_id, r);
  }
  return !f->failed;
}

static int check_file(const struct replay_values *v, const char *path) {
  struct error err = {0};
  struct file_check f = {.values = v};
  enum status s = strcmp(path, "-") == 0
                      ? proof_read_file(stdin, "standard input", take_result, &f, &err)
                      : proof_read_path(path, take_result, &f, &err);
  if (s) {
    int code = output_error(&err);
    return s == STATUS_CORRUPT ? CLI_CHECK_FAILED : code;
  }
  if (f.failed) return CLI_ERROR;
  if (!v->json && f.debates == 1 && !f.wrong) print_check(&f.last);
  if (!v->json && f.debates != 1)
    printf("%s: %llu debates, %llu wrong\n", f.wrong ? "wrong" : "ok",
           (unsigned long long)f.debates, (unsigned long long)f.wrong);
  return f.wrong ? CLI_CHECK_FAILED : CLI_OK;
}

/* An id has neither; a file in this directory is ./NAME. */
static bool is_file(const char *name) {
  return strcmp(name, "-") == 0 || !id_valid(bytes_of(name), ID_DEBATE_MAX);
}

/* ---- playing ---- */

static int play(const struct replay_values *v, struct store *store, const char *id) {
  struct error err = {0};
  struct feed *feed = NULL;
  struct follow_result result = {.end = RENDER_OPEN};
  double pace = isatty(STDOUT_FILENO) ? 1 : 0;
  struct follow_options options = {.quiet = v->quiet,
                                   .verbose = v->verbose,
                                   .no_colour = v->no_colour,
                                   .past = true,
                                   .speed = v->speed >= 0 ? v->speed : pace};
  interrupt_catch(2);
  if (feed_open_store(store, id, false, &feed, &err)) return output_error(&err);
  enum status s = follow_run(feed, &options, &result, &err);
  feed->close(feed);
  if (s) return output_error(&err);
  if (result.interrupted) return CLI_INTERRUPTED;
  return result.broken ? CLI_ERROR : CLI_OK;
}

static int run(const struct replay_values *v, const char *name, struct options *options) {
  struct error err = {0};
  struct engine engine;
  struct archive archive;
  if (log_open(LOG_LEVEL_ERROR, NULL, true, &err)) return output_error(&err);
  enum status s = engine_open_archive(&engine, options, &err);
  if (!s) s = archive_read(engine.store, name, &archive, &err);
  int code = s ? output_error(&err) : CLI_OK;
  if (!s) {
    code = v->check || archive.tombstone.debate_id ? check(v, &archive)
                                                   : play(v, engine.store, archive.row.id);
    archive_done(&archive);
  }
  engine_close(&engine);
  return code;
}

int cli_replay(int argc, char **argv) {
  struct replay_values v = {.speed = -1};
  struct arguments arguments;
  struct options options;
  struct error err = {0};
  if (options_load(&options, argc, argv, &err)) return output_error(&err);
  int code = CLI_USAGE;
  if (arguments_read(self(), argc, argv, &v, &options, &arguments)) {
    const char *name = arguments.count == 1 ? arguments.positional[0] : NULL;
    if (name && is_file(name) && !v.check)
      arguments_wrong(self(), "a file is only checked: --check");
    else if (name)
      code = is_file(name) ? check_file(&v, name) : run(&v, name, &options);
    else
      arguments_wrong(self(), "which debate? Its id or slug; \"aragora debates list\" shows them");
  }
  options_done(&options);
  return code;
}
