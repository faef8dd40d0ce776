/* `aragora ask`: a debate from a question to its verdict, in this process or on a server. */
#include "base/id.h"
#include "base/log.h"
#include "base/options_view.h"
#include "cli/archive.h"
#include "cli/arguments.h"
#include "cli/dry_run.h"
#include "cli/engine.h"
#include "cli/follow.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/process.h"
#include "cli/question.h"
#include "cli/remote.h"
#include "cli/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { CALL_MS = 30000, TELL_MAX = 1 << 20, LATER_MAX = 1 << 16 };

struct ask_values {
  struct question question;
  const char *server;
  bool dry_run, json, jsonl, quiet, verbose, no_colour, require_consensus;
};

#define AT(field) offsetof(struct ask_values, field)
const struct flag ask_flags[] = {
    {"--agents", 'a', FLAG_TEXT, AT(question.agents), 0, 0, "LIST",
     "panel, as type or type:role: \"anthropic-api,openai-api:sceptic\""},
    {"--rounds", 'r', FLAG_COUNT, AT(question.rounds), 0, 1000, "N",
     "rounds of critique and revision; 0 = vote on the first answers"},
    {"--consensus", 'c', FLAG_TEXT, AT(question.consensus), 0, 0,
     "majority|supermajority|unanimous|weighted|judge|none|any", "how it is decided"},
    {"--threshold", 0, FLAG_SHARE, AT(question.threshold), 0, 1, "X",
     "share that must agree, 0.5 to 1"},
    {"--mode", 0, FLAG_TEXT, AT(question.mode), 0, 0, "debate|vote|self_consistency|single",
     "what is done"},
    {"--topology", 0, FLAG_TEXT, AT(question.topology), 0, 0, "NAME",
     "who criticises whom: all, ring, star, random"},
    {"--context", 0, FLAG_TEXT, AT(question.context), 0, 0, "TEXT",
     "material for the agents: a text, @file, or - for standard input"},
    {"--seed", 0, FLAG_TEXT, AT(question.seed), 0, 0, "N",
     "fixes shuffles and labels, to repeat a debate"},
    {"--budget-usd", 0, FLAG_NUMBER, AT(question.budget_usd), 0, 1000000, "X",
     "most that the debate may cost"},
    {"--budget-tokens", 0, FLAG_COUNT, AT(question.budget_tokens), 1, 1000000000000, "N",
     "most tokens that the debate may take"},
    {"--allow-unknown-price", 0, FLAG_SWITCH, AT(question.allow_unknown_price), 0, 0, NULL,
     "with --budget-usd: let calls pass whose price nobody knows"},
    {"--deadline", 0, FLAG_COUNT, AT(question.deadline_s), 0, 1000000, "SECONDS",
     "time after which the best answer so far is taken"},
    {"--demo", 0, FLAG_SWITCH, AT(question.demo), 0, 0, NULL,
     "scripted demo agents: no key, no cost, no meaning"},
    {"--dry-run", 0, FLAG_SWITCH, AT(dry_run), 0, 0, NULL,
     "start nothing: print the calls, tokens and money it would take"},
    {"--server", 0, FLAG_TEXT, AT(server), 0, 0, "URL",
     "run it on a server instead of here [ARAGORA_API_URL]"},
    {"--json", 0, FLAG_SWITCH, AT(json), 0, 0, NULL, "print the debate as one JSON object"},
    {"--jsonl", 0, FLAG_SWITCH, AT(jsonl), 0, 0, NULL,
     "print every event as it comes, one JSON object a line"},
    {"--quiet", 'q', FLAG_SWITCH, AT(quiet), 0, 0, NULL, "print the verdict alone"},
    {"--verbose", 'v', FLAG_SWITCH, AT(verbose), 0, 0, NULL,
     "print attempts, tokens, times and key claims too"},
    {"--no-color", 0, FLAG_SWITCH, AT(no_colour), 0, 0, NULL, "no colours [NO_COLOR]"},
    {"--require-consensus", 0, FLAG_SWITCH, AT(require_consensus), 0, 0, NULL,
     "exit with 7 when no consensus was reached"},
    {0},
};

static const struct command *self(void) {
  return command_find("ask");
}

static struct follow_options follow_options_of(const struct ask_values *v) {
  return (struct follow_options){.form = v->json    ? FOLLOW_SILENT
                                         : v->jsonl ? FOLLOW_FRAMES
                                                    : FOLLOW_PAGE,
                                 .quiet = v->quiet,
                                 .verbose = v->verbose,
                                 .no_colour = v->no_colour};
}

static int exit_of(const struct ask_values *v, const struct follow_result *result) {
  if (result->interrupted) return CLI_INTERRUPTED;
  if (result->broken) return CLI_ERROR;
  switch (result->end) {
    case RENDER_REACHED: return CLI_OK;
    case RENDER_UNDECIDED: return v->require_consensus ? CLI_NO_CONSENSUS : CLI_OK;
    case RENDER_CANCELLED:
    case RENDER_FAILED: return CLI_ERROR;
    case RENDER_FAILED_ROUTE: return CLI_NETWORK;
    case RENDER_OPEN: break;
  }
  fprintf(stderr, "aragora: the debate goes on, but its events stopped coming\n");
  return CLI_ERROR;
}

/* A refused question is wrong usage: the field's flag is named. */
static int refused(const struct error *err) {
  if (err->status != STATUS_INVALID) return remote_error(err);
  const char *flag = err->field[0] ? question_flag_of(err->field) : "";
  bool named = *flag && !strstr(err->message, flag);
  return arguments_wrong(self(), "%s%s%s", named ? flag : "", named ? ": " : "", err->message);
}

/* With --json a failure is told by the object too, but whoever pipes it reads standard error. */
static void tell_failure(const struct ask_values *v, const json_t *debate) {
  const char *message = json_get_text(debate, "error", NULL);
  const json_t *cause;
  size_t i;
  BUFFER_LATER struct buffer out;
  buffer_init(&out, TELL_MAX);
  if (!message || v->quiet) return;
  buffer_printf(&out, "aragora: %s\n", message);
  json_array_foreach(json_object_get(debate, "causes"), i, cause)
      buffer_printf(&out, "  %s: %s %s\n", json_get_text(cause, "agent", "?"),
                    json_get_text(cause, "outcome", "?"), json_get_text(cause, "detail", ""));
  FREE_LATER char *clean = text_clean(buffer_bytes(&out));
  bytes_write(bytes_of(clean), STDERR_FILENO);
}

/* So that it can be looked at when this command, or the connection, is gone. */
static void tell_id(const struct ask_values *v, const char *id) {
  FREE_LATER char *clean = text_clean(bytes_of(id)); /* a server's word */
  if (!v->quiet && clean) fprintf(stderr, "debate %s\n", clean);
}

/* "aragora debates show ID", with the flags by which it is found again. */
static void append_later(const struct ask_values *v, const struct options *o, const char *id,
                         struct buffer *out) {
  static const char *const places[] = {"--data-dir", "--db-path", "--elo-path"};
  FREE_LATER char *clean = text_clean(bytes_of(id));
  buffer_printf(out, "aragora debates show %s", clean ? clean : "");
  if (v->server) buffer_printf(out, " --server %s", v->server);
  for (size_t i = 0; !v->server && i < sizeof places / sizeof *places; i++) {
    const struct option *row = options_find(bytes_of(places[i]));
    if (options_source(o, row).origin != OPTION_FLAG) continue;
    buffer_printf(out, " %s ", places[i]);
    options_view_append(o, row, out);
  }
}

/* ---- on a server ---- */

struct remote_debate {
  struct remote *remote;
  const struct options *options;
  const char *id;
};

static void cancel_remote(void *ctx) {
  struct remote_debate *d = ctx;
  struct error err;
  JSON_LATER json_t *answer = NULL;
  JSON_LATER json_t *body = json_pack("{s:s}", "reason", "interrupted");
  BUFFER_LATER struct buffer path;
  buffer_init(&path, 1024);
  buffer_printf(&path, "/api/debates/%s/cancel", d->id);
  if (remote_call(d->remote, path.ptr, body, CALL_MS, &answer, &err)) remote_error(&err);
}

static int show_remote_object(const struct ask_values *v, const struct remote_debate *d) {
  struct error err = {0};
  JSON_LATER json_t *debate = NULL;
  BUFFER_LATER struct buffer path;
  buffer_init(&path, 1024);
  buffer_printf(&path, "/api/debates/%s", d->id);
  if (remote_call(d->remote, path.ptr, NULL, CALL_MS, &debate, &err)) return remote_error(&err);
  tell_failure(v, debate);
  return output_json(STDOUT_FILENO, debate) ? CLI_OK : CLI_ERROR;
}

static int follow_remote(const struct ask_values *v, struct remote_debate *d) {
  struct error err = {0};
  struct feed *feed = NULL;
  struct follow_result result = {.end = RENDER_OPEN};
  struct follow_options options = follow_options_of(v);
  BUFFER_LATER struct buffer later;
  buffer_init(&later, LATER_MAX);
  append_later(v, d->options, d->id, &later);
  tell_id(v, d->id);
  options.later = later.ptr;
  options.cancel = cancel_remote;
  options.ctx = d;
  if (feed_open_remote(d->remote, d->id, &feed, &err)) return remote_error(&err);
  enum status s = follow_run(feed, &options, &result, &err);
  feed->close(feed);
  if (s) return remote_error(&err);
  int code = v->json ? show_remote_object(v, d) : CLI_OK;
  return code ? code : exit_of(v, &result);
}

/* A server of an earlier version takes no notice of the field. */
static int undo_start(struct remote *remote, const json_t *started) {
  struct error err = {0};
  char path[200];
  const char *id = json_get_text(started, "debate_id", "");
  JSON_LATER json_t *nothing = json_object();
  JSON_LATER json_t *answer = NULL;
  snprintf(path, sizeof path, "/api/debates/%s/cancel", id);
  bool undone = *id && !remote_call(remote, path, nothing, CALL_MS, &answer, &err);
  error_set(&err, STATUS_CONFLICT, NULL,
            "the server does not know dry runs and started the debate %s%s", id,
            undone ? ", which was cancelled" : "; cancelling it failed");
  return output_error(&err);
}

static int dry_run_remote(const struct ask_values *v, const struct options *o, const char *url,
                          json_t *body) {
  struct error err = {0};
  struct remote remote;
  JSON_LATER json_t *estimate = NULL;
  if (json_object_set_new(body, "dry_run", json_true())) return CLI_ERROR;
  if (remote_open(url, o, &remote, &err)) return remote_error(&err);
  int code;
  if (remote_call(&remote, "/api/debates", body, CALL_MS, &estimate, &err))
    code = refused(&err);
  else if (!json_get_bool(estimate, "dry_run", false))
    code = undo_start(&remote, estimate);
  else
    code = dry_run_show(estimate, v->json);
  remote_close(&remote);
  return code;
}

static int ask_remote(const struct ask_values *v, const struct options *o, const char *url,
                      const json_t *body) {
  struct error err = {0};
  struct remote remote;
  JSON_LATER json_t *answer = NULL;
  if (remote_open(url, o, &remote, &err)) return remote_error(&err);
  int code;
  if (remote_start(&remote, body, CALL_MS, &answer, &err)) {
    code = refused(&err);
  } else {
    struct remote_debate debate = {&remote, o, json_get_text(answer, "debate_id", "")};
    code = follow_remote(v, &debate);
  }
  remote_close(&remote);
  return code;
}

/* ---- here ---- */

struct local_debate {
  struct engine *engine;
  pthread_mutex_t lock;
  pthread_cond_t answered;
  bool done;
  enum status status;
  struct error err;
  char id[ID_DEBATE_MAX + 1];
  bool demo;
};

static void started(void *ctx, enum status status, const struct error *err,
                    const struct runner_started *what) {
  struct local_debate *d = ctx;
  pthread_mutex_lock(&d->lock);
  d->status = status;
  if (err) d->err = *err;
  if (what) {
    snprintf(d->id, sizeof d->id, "%s", what->id);
    d->demo = what->demo;
  }
  d->done = true;
  pthread_cond_signal(&d->answered);
  pthread_mutex_unlock(&d->lock);
}

static void cancelled(void *ctx, enum status status) {
  (void)ctx;
  (void)status; /* it shows in the log, or the debate was over */
}

static void cancel_local(void *ctx) {
  struct local_debate *d = ctx;
  const struct principal who = PRINCIPAL_LOCAL;
  runner_cancel(d->engine->runner, &who, d->id, "interrupted", cancelled, NULL);
}

/* CLI_NO_KEY, having said which variable to set, when an agent that was named cannot be asked. */
static int check_keys(const struct engine *e, const struct debate_spec *spec) {
  for (int i = 0; i < spec->agent_count; i++) {
    const char *name = spec->agents[i];
    struct bytes type = {name, strcspn(name, ":")};
    const struct agent_binding *b = agents_find(e->agents, type);
    if (!b || b->available) continue;
    fprintf(stderr, "aragora ask: %s needs an API key: set %s, or try --demo\n", b->type,
            b->key_variable ? b->key_variable : "its variable");
    return CLI_NO_KEY;
  }
  if (spec->agent_count || e->options.default_agents) return CLI_OK;
  const struct agent_binding *panel[DEBATE_AGENTS_MAX];
  bool demo = false;
  agents_default_panel(e->agents, panel, DEBATE_AGENTS_MAX, &demo);
  if (!demo) return CLI_OK;
  bool refuse = strcmp(e->options.env, "production") == 0;
  fprintf(stderr,
          "aragora ask: no API key is set%s\n"
          "             (ANTHROPIC_API_KEY, OPENAI_API_KEY or another provider's)\n",
          refuse ? "" : ": demo agents answer, which means nothing");
  return refuse ? CLI_NO_KEY : CLI_OK;
}

static enum status start_local(struct local_debate *d, struct debate_spec *spec,
                               struct error *err) {
  const struct principal who = PRINCIPAL_LOCAL;
  runner_start(d->engine->runner, &who, spec, NULL, NULL, started, d);
  pthread_mutex_lock(&d->lock);
  while (!d->done) pthread_cond_wait(&d->answered, &d->lock);
  pthread_mutex_unlock(&d->lock);
  if (d->status) *err = d->err;
  if (d->status) err->status = d->status;
  return d->status;
}

static int show_local_object(const struct ask_values *v, const struct local_debate *d) {
  struct error err = {0};
  struct archive archive;
  if (archive_read(d->engine->store, d->id, &archive, &err)) return output_error(&err);
  JSON_LATER json_t *debate = archive_view(&archive);
  archive_done(&archive);
  tell_failure(v, debate);
  return debate && output_json(STDOUT_FILENO, debate) ? CLI_OK : CLI_ERROR;
}

static int follow_local(const struct ask_values *v, struct local_debate *d) {
  struct error err = {0};
  struct feed *feed = NULL;
  struct follow_result result = {.end = RENDER_OPEN};
  struct follow_options options = follow_options_of(v);
  BUFFER_LATER struct buffer later;
  buffer_init(&later, LATER_MAX);
  append_later(v, &d->engine->options, d->id, &later);
  tell_id(v, d->id);
  options.later = later.ptr;
  options.cancel = cancel_local;
  options.ctx = d;
  if (feed_open_hub(d->engine->hub, d->engine->store, d->id, &feed, &err))
    return output_error(&err);
  enum status s = follow_run(feed, &options, &result, &err);
  feed->close(feed);
  if (s) return output_error(&err);
  int code = v->json ? show_local_object(v, d) : CLI_OK;
  return code ? code : exit_of(v, &result);
}

/* Takes the spec in every case. */
static int debate_here(const struct ask_values *v, struct engine *e, struct debate_spec *spec) {
  struct error err = {0};
  int code = check_keys(e, spec);
  if (code || engine_start(e, &err) || engine_follow(e, &err)) {
    debate_spec_done(spec);
    engine_stop(e, NULL);
    return code ? code : output_error(&err);
  }
  struct local_debate d = {
      .engine = e, .lock = PTHREAD_MUTEX_INITIALIZER, .answered = PTHREAD_COND_INITIALIZER};
  code = start_local(&d, spec, &err) ? refused(&err) : follow_local(v, &d);
  engine_stop(e, NULL);
  return code;
}

static int dry_run_here(const struct ask_values *v, struct options *options, const json_t *body) {
  struct error err = {0};
  JSON_LATER json_t *estimate = NULL;
  if (log_open(LOG_LEVEL_ERROR, NULL, true, &err)) return output_error(&err);
  if (dry_run_make(options, body, &estimate, &err)) return refused(&err);
  return dry_run_show(estimate, v->json);
}

static int ask_here(const struct ask_values *v, struct options *options, const json_t *body) {
  struct error err = {0};
  struct debate_spec spec;
  struct debate_spec_limits limits = {options->max_question_chars, options->max_context_bytes};
  enum log_level level = v->verbose ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR;
  if (log_open(level, NULL, true, &err)) return output_error(&err);
  /* Before the store: a question that cannot be asked leaves no database behind. */
  if (debate_spec_parse(body, &limits, &spec, &err)) return refused(&err);
  /* The archive is a server's: the next one sees that somebody wrote, and begins a new chain. */
  options->archive = false;
  struct engine engine;
  enum status s = engine_open(&engine, options, &err);
  int code = CLI_ERROR;
  if (s) {
    output_error(&err);
    debate_spec_done(&spec);
  } else {
    code = debate_here(v, &engine, &spec);
  }
  engine_close(&engine);
  return code;
}

int cli_ask(int argc, char **argv) {
  struct ask_values v = {
      .question = {.rounds = -1, .threshold = -1, .budget_usd = -1, .deadline_s = -1}};
  struct arguments arguments;
  struct options options;
  struct error err = {0};
  JSON_LATER json_t *body = NULL;
  if (remote_load_options(&options, REMOTE_IF_NAMED, argc, argv, &err)) return output_error(&err);
  int code = CLI_USAGE;
  if (!arguments_read(self(), argc, argv, &v, &options, &arguments)) {
    /* said already */
  } else if (arguments.count != 1) {
    arguments_wrong(self(), arguments.count ? "one question only; is it in quotation marks?"
                                            : "what is the question?");
  } else if (v.json && v.jsonl) {
    arguments_wrong(self(), "--json and --jsonl exclude each other");
  } else if (v.dry_run && v.jsonl) {
    arguments_wrong(self(), "--dry-run has no events to print: use --json");
  } else {
    if (options.allow_core_dumps) process_allow_dumps();
    interrupt_catch(2);
    v.question.text = arguments.positional[0];
    const char *url = remote_url(v.server);
    if (question_body(&v.question, &body, &err))
      code = refused(&err);
    else if (v.dry_run)
      code = url ? dry_run_remote(&v, &options, url, body) : dry_run_here(&v, &options, body);
    else
      code = url ? ask_remote(&v, &options, url, body) : ask_here(&v, &options, body);
  }
  options_done(&options);
  return code;
}
