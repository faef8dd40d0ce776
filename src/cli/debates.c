/* `aragora debates`: what was debated, here or on a server. */
#include "base/clock.h"
#include "base/figure.h"
#include "base/id.h"
#include "base/log.h"
#include "cli/archive.h"
#include "cli/engine.h"
#include "cli/follow.h"
#include "cli/interrupt.h"
#include "cli/invocation.h"
#include "cli/output.h"
#include "cli/page.h"
#include "cli/remote.h"
#include "cli/terminal.h"
#include "cli/text.h"
#include "ops/debate_row.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { CALL_MS = 30000, TABLE_MAX = 4 << 20, LIST_DEFAULT = 20 };
enum { ID_COLUMNS = 26, WHEN_COLUMNS = 11, OUTCOME_COLUMNS = 13 };

struct debates_values {
  const char *server, *status, *reason;
  int64_t limit;
  bool json, jsonl, quiet, verbose, no_colour;
};

#define AT(field) offsetof(struct debates_values, field)
const struct flag debates_flags[] = {
    {"--server", 0, FLAG_TEXT, AT(server), 0, 0, "URL",
     "of a server instead of the databases here [ARAGORA_API_URL]"},
    {"--limit", 'n', FLAG_COUNT, AT(limit), 1, 100, "N", "list: how many, newest first (20)"},
    {"--status", 0, FLAG_TEXT, AT(status), 0, 0, "pending|running|completed|failed|cancelled",
     "list: only those"},
    {"--reason", 0, FLAG_TEXT, AT(reason), 0, 0, "TEXT", "delete: why, for the tombstone"},
    {"--json", 0, FLAG_SWITCH, AT(json), 0, 0, NULL, "print one JSON object"},
    {"--jsonl", 0, FLAG_SWITCH, AT(jsonl), 0, 0, NULL,
     "show, watch: print every event, one JSON object a line"},
    {"--quiet", 'q', FLAG_SWITCH, AT(quiet), 0, 0, NULL, "show, watch: the verdict alone"},
    {"--verbose", 'v', FLAG_SWITCH, AT(verbose), 0, 0, NULL,
     "show, watch: attempts, tokens, times and key claims too"},
    {"--no-color", 0, FLAG_SWITCH, AT(no_colour), 0, 0, NULL, "no colours [NO_COLOR]"},
    {0},
};

static const struct command *self(void) {
  return command_find("debates");
}

/* ---- the list ---- */

static int64_t age_of(const json_t *row) {
  struct tm tm = {0};
  const char *created = json_get_text(row, "created_at", "");
  if (!strptime(created, "%Y-%m-%dT%H:%M:%S", &tm)) return -1;
  int64_t age = clock_wall_ms(&clock_system) - (int64_t)timegm(&tm) * 1000;
  return age > 0 ? age : 0;
}

static int style_of(const char *outcome) {
  if (strcmp(outcome, "consensus") == 0 || strcmp(outcome, "fast_path") == 0) return PAGE_GOOD;
  if (strcmp(outcome, "failed") == 0) return PAGE_BAD;
  if (strcmp(outcome, "running") == 0 || strcmp(outcome, "pending") == 0) return PAGE_BOLD;
  return PAGE_WARN;
}

static void list_row(struct page *p, size_t question_columns, const json_t *row) {
  BUFFER_LATER struct buffer when;
  buffer_init(&when, 64);
  int64_t age = age_of(row);
  if (age >= 0) figure_append_ago(&when, age);
  const char *outcome = json_get_text(row, "outcome", json_get_text(row, "status", "?"));
  page_cell(p, PAGE_DIM, json_get_text(row, "id", "?"), ID_COLUMNS, false);
  page_cell(p, PAGE_PLAIN, when.ptr ? when.ptr : "", WHEN_COLUMNS, false);
  page_cell(p, style_of(outcome), outcome, OUTCOME_COLUMNS, false);
  page_cell(p, PAGE_PLAIN, json_get_text(row, "task", ""), question_columns, true);
  page_newline(p);
}

static int print_list(const struct debates_values *v, const json_t *list) {
  if (v->json) return output_json(STDOUT_FILENO, list) ? CLI_OK : CLI_ERROR;
  struct terminal t = terminal_look(STDOUT_FILENO, v->no_colour);
  BUFFER_LATER struct buffer out;
  buffer_init(&out, TABLE_MAX);
  struct page p = {&out, (size_t)t.width, t.colour};
  const json_t *rows = json_object_get(list, "debates");
  size_t taken = ID_COLUMNS + WHEN_COLUMNS + OUTCOME_COLUMNS + 6;
  size_t question = p.width > taken + 16 ? p.width - taken : 16;
  if (json_array_size(rows) == 0) {
    fprintf(stderr, "No debates yet. Try: aragora ask --demo \"Tabs or spaces?\"\n");
    return CLI_OK;
  }
  page_cell(&p, PAGE_BOLD, "ID", ID_COLUMNS, false);
  page_cell(&p, PAGE_BOLD, "STARTED", WHEN_COLUMNS, false);
  page_cell(&p, PAGE_BOLD, "OUTCOME", OUTCOME_COLUMNS, false);
  page_cell(&p, PAGE_BOLD, "QUESTION", question, true);
  page_newline(&p);
  const json_t *row;
  size_t i;
  json_array_foreach(rows, i, row) list_row(&p, question, row);
  int64_t total = json_get_int(list, "total", 0);
  bool ok = output_buffer(STDOUT_FILENO, &out);
  if (ok && total > (int64_t)i)
    fprintf(stderr, "%zu of %lld; --limit shows more.\n", i, (long long)total);
  return ok ? CLI_OK : CLI_ERROR;
}

static json_t *list_json(const struct store_debate *rows, size_t count, int64_t total) {
  json_t *debates = json_array();
  for (size_t i = 0; i < count; i++) json_array_append_new(debates, debate_row_object(&rows[i]));
  return json_pack("{s:o, s:I, s:I}", "debates", debates, "count", (json_int_t)count, "total",
                   (json_int_t)total);
}

static int list_here(const struct debates_values *v, struct store *store) {
  const struct principal who = PRINCIPAL_LOCAL;
  struct store_list_query query = {
      .status = v->status, .limit = (size_t)v->limit, .before_created_ms = -1};
  struct store_debate *rows = NULL;
  size_t count = 0;
  int64_t total = 0;
  struct error err = {0};
  if (store_list_debates(store, &who, &query, &rows, &count, &total, &err))
    return output_error(&err);
  JSON_LATER json_t *list = list_json(rows, count, total);
  store_list_free(rows, count);
  return print_list(v, list);
}

static int list_there(const struct debates_values *v, struct remote *remote) {
  struct error err = {0};
  JSON_LATER json_t *list = NULL;
  BUFFER_LATER struct buffer path;
  buffer_init(&path, 4096);
  buffer_printf(&path, "/api/debates?limit=%lld", (long long)v->limit);
  if (v->status) buffer_printf(&path, "&status=%s", v->status);
  if (remote_call(remote, path.ptr, NULL, CALL_MS, &list, &err)) return remote_error(&err);
  return print_list(v, list);
}

/* ---- one debate ---- */

static int follow(const struct debates_values *v, struct feed *feed, bool watch,
                  enum render_end *ret_end) {
  struct error err = {0};
  struct follow_result result = {.end = RENDER_OPEN};
  struct follow_options options = {.form = v->json    ? FOLLOW_SILENT
                                           : v->jsonl ? FOLLOW_FRAMES
                                                      : FOLLOW_PAGE,
                                   .quiet = v->quiet,
                                   .verbose = v->verbose,
                                   .no_colour = v->no_colour,
                                   .past = !watch};
  enum status s = follow_run(feed, &options, &result, &err);
  feed->close(feed);
  if (s) return remote_error(&err);
  *ret_end = result.end;
  if (result.interrupted) return CLI_INTERRUPTED;
  return result.broken ? CLI_ERROR : CLI_OK;
}

static void say_running(const struct debates_values *v, enum render_end end, const char *id) {
  if (end == RENDER_OPEN && !v->quiet)
    fprintf(stderr, "It has not ended yet; follow it with: aragora debates watch %s\n", id);
}

static int object_here(struct store *store, const char *id) {
  struct error err = {0};
  struct archive archive;
  if (archive_read(store, id, &archive, &err)) return output_error(&err);
  JSON_LATER json_t *debate = archive_view(&archive);
  archive_done(&archive);
  return debate && output_json(STDOUT_FILENO, debate) ? CLI_OK : CLI_ERROR;
}

static int one_here(const struct debates_values *v, struct store *store, const char *name,
                    bool watch) {
  const struct principal who = PRINCIPAL_LOCAL;
  struct error err = {0};
  struct store_debate row;
  struct feed *feed = NULL;
  enum render_end end = RENDER_OPEN;
  if (store_get_debate(store, &who, name, &row, &err)) {
    if (err.status == STATUS_NOT_FOUND || !err.message[0])
      error_set(&err, STATUS_NOT_FOUND, NULL, "there is no debate \"%.128s\"", name);
    return output_error(&err);
  }
  int code = CLI_OK;
  if (watch || !v->json) {
    if (feed_open_store(store, row.id, watch, &feed, &err))
      code = output_error(&err);
    else
      code = follow(v, feed, watch, &end);
    if (!watch && !code) say_running(v, end, row.id);
  }
  if (!code && v->json) code = object_here(store, row.id);
  store_debate_done(&row);
  return code;
}

static int one_there(const struct debates_values *v, struct remote *remote, const char *name,
                     bool watch) {
  struct error err = {0};
  struct feed *feed = NULL;
  JSON_LATER json_t *debate = NULL;
  BUFFER_LATER struct buffer path;
  enum render_end end = RENDER_OPEN;
  buffer_init(&path, 4096);
  buffer_printf(&path, "/api/debates/%s", name);
  if (remote_call(remote, path.ptr, NULL, CALL_MS, &debate, &err)) return remote_error(&err);
  const char *id = json_get_text(debate, "id", name);
  int code = CLI_OK;
  if (watch || !v->json) {
    if (feed_open_remote(remote, id, &feed, &err)) return remote_error(&err);
    code = follow(v, feed, watch, &end);
    if (!watch && !code) say_running(v, end, id);
  }
  if (code || !v->json) return code;
  JSON_LATER json_t *now = NULL;
  if (remote_call(remote, path.ptr, NULL, CALL_MS, &now, &err)) return remote_error(&err);
  return output_json(STDOUT_FILENO, now) ? CLI_OK : CLI_ERROR;
}

/* ---- deleting ---- */

static int delete_there(const struct debates_values *v, struct remote *remote, const char *name) {
  struct error err = {0};
  JSON_LATER json_t *answer = NULL;
  JSON_LATER json_t *body = v->reason ? json_pack("{s:s}", "reason", v->reason) : NULL;
  BUFFER_LATER struct buffer path;
  buffer_init(&path, 4096);
  buffer_printf(&path, "/api/debates/%s", name);
  enum status s = v->reason && !body
                      ? error_set(&err, STATUS_INVALID, "--reason", "is no UTF-8 text")
                      : remote_delete(remote, path.ptr, body, CALL_MS, &answer, &err);
  if (s) return remote_error(&err);
  if (v->json) return output_json(STDOUT_FILENO, answer) ? CLI_OK : CLI_ERROR;
  printf("Deleted %s: its words are gone, the chain of its log stays.\n",
         json_get_text(answer, "id", name));
  return CLI_OK;
}

/* ---- sharing ---- */

static int share_there(const struct debates_values *v, struct remote *remote, const char *name,
                       bool share) {
  struct error err = {0};
  JSON_LATER json_t *answer = NULL;
  JSON_LATER json_t *body = json_object();
  BUFFER_LATER struct buffer path;
  buffer_init(&path, 4096);
  buffer_printf(&path, "/api/debates/%s/share", name);
  enum status s = share ? remote_call(remote, path.ptr, body, CALL_MS, &answer, &err)
                        : remote_delete(remote, path.ptr, NULL, CALL_MS, &answer, &err);
  if (s) return remote_error(&err);
  if (v->json) return output_json(STDOUT_FILENO, answer) ? CLI_OK : CLI_ERROR;
  printf("%s\n", share ? json_get_text(answer, "path", "") : json_get_text(answer, "message", ""));
  if (share) fprintf(stderr, "%s\n", json_get_text(answer, "message", ""));
  return CLI_OK;
}

/* ---- the command ---- */

enum action {
  ACTION_LIST,
  ACTION_SHOW,
  ACTION_WATCH,
  ACTION_DELETE,
  ACTION_SHARE,
  ACTION_UNSHARE,
  ACTION_NONE
};

/* A server that runs is the one who writes its database. */
static bool is_of_a_server(enum action action) {
  return action >= ACTION_DELETE;
}

static enum action action_of(const struct arguments *a) {
  static const char *const names[] = {"list", "show", "watch", "delete", "share", "unshare"};
  if (a->count == 0) return ACTION_LIST;
  for (int i = 0; i < ACTION_NONE; i++)
    if (strcmp(a->positional[0], names[i]) == 0) return (enum action)i;
  return ACTION_NONE;
}

static int run_there(const struct debates_values *v, enum action action, const char *id,
                     const struct options *options, const char *url) {
  struct error err = {0};
  struct remote remote;
  if (remote_open(url, options, &remote, &err)) return remote_error(&err);
  int code = action == ACTION_LIST     ? list_there(v, &remote)
             : action == ACTION_DELETE ? delete_there(v, &remote, id)
             : is_of_a_server(action)  ? share_there(v, &remote, id, action == ACTION_SHARE)
                                       : one_there(v, &remote, id, action == ACTION_WATCH);
  remote_close(&remote);
  return code;
}

static int run_here(const struct debates_values *v, enum action action, const char *id,
                    struct options *options) {
  struct error err = {0};
  struct engine engine;
  if (log_open(LOG_LEVEL_ERROR, NULL, true, &err)) return output_error(&err);
  int code;
  if (engine_open_archive(&engine, options, &err))
    code = output_error(&err);
  else
    code = action == ACTION_LIST ? list_here(v, engine.store)
                                 : one_here(v, engine.store, id, action == ACTION_WATCH);
  engine_close(&engine);
  return code;
}

static int run(const void *values, const struct arguments *a, struct options *options) {
  const struct debates_values *v = values;
  enum action action = action_of(a);
  const char *url = remote_url(v->server);
  const char *id = a->count > 1 ? a->positional[1] : NULL;
  if (action == ACTION_NONE)
    return arguments_wrong(
        self(), "there is no \"%.64s\" here; list, show, watch, delete, share or unshare",
        a->positional[0]);
  if (action != ACTION_LIST && a->count != 2)
    return arguments_wrong(self(), "%s needs the id of one debate", a->positional[0]);
  if (action == ACTION_LIST && a->count > 1) return arguments_wrong(self(), "list takes no id");
  if (id && !id_valid(bytes_of(id), ID_DEBATE_MAX))
    return arguments_wrong(self(), "\"%.64s\" is no id of a debate", id);
  if (v->status && !id_valid(bytes_of(v->status), 32))
    return arguments_wrong(self(), "\"%.64s\" is no status", v->status);
  if (is_of_a_server(action) && !url)
    return arguments_wrong(self(), "%s needs --server: the server that has the database",
                           a->positional[0]);
  if (action == ACTION_WATCH) interrupt_catch(2);
  return url ? run_there(v, action, id, options, url) : run_here(v, action, id, options);
}

int cli_debates(int argc, char **argv) {
  struct debates_values v = {.limit = LIST_DEFAULT};
  return invocation_ask(self(), REMOTE_IF_NAMED, argc, argv, &v, run);
}
