/* `aragora runbook check`: what of the runbook holds on a live server, a line each. */
#include "cli/runbook.h"

#include "cli/invocation.h"
#include "cli/output.h"
#include "cli/page.h"
#include "cli/terminal.h"
#include "cli/text.h"
#include "http/guard.h"
#include "provider/agents_builtin.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { CALL_MS = 30000, METRICS_MAX = 16 << 20, PAGE_MAX = 1 << 20 };

struct runbook_values {
  const char *server;
  bool json, no_colour;
};

#define AT(field) offsetof(struct runbook_values, field)
const struct flag runbook_flags[] = {
    {"--server", 0, FLAG_TEXT, AT(server), 0, 0, "URL",
     "the server [ARAGORA_API_URL]; default this machine at ARAGORA_PORT or 8080"},
    {"--json", 0, FLAG_SWITCH, AT(json), 0, 0, NULL, "print one JSON object"},
    {"--no-color", 0, FLAG_SWITCH, AT(no_colour), 0, 0, NULL, "no colours [NO_COLOR]"},
    {0},
};

static const struct command *self(void) {
  return command_find("runbook");
}

/* ---- the server's settings ---- */

static enum option_origin origin_of(const struct runbook *book, const char *name) {
  return options_source(book->options, options_find(bytes_of(name))).origin;
}

const json_t *runbook_setting(const struct runbook *book, const char *name) {
  const json_t *settings = json_object_get(book->config, "settings");
  if (origin_of(book, name) == OPTION_FLAG) return NULL;
  return json_object_get(json_object_get(settings, name), "value");
}

bool runbook_is_set(const struct runbook *book, const char *name) {
  return origin_of(book, name) != OPTION_DEFAULT;
}

/* ---- checking ---- */

static bool reads_variable(const char *name) {
  for (size_t i = 0; i < option_table_size; i++)
    if (option_table[i].variable && strcmp(option_table[i].variable, name) == 0) return true;
  for (size_t i = 0; i < agents_builtin_count; i++)
    for (int n = 0; n < 2; n++) {
      const char *key = agents_builtin[i].key_variables[n];
      if (key && strcmp(key, name) == 0) return true;
    }
  return false;
}

static enum runbook_result known(bool is, const char *what, const char *name, char *why) {
  if (is) return RUNBOOK_HOLDS;
  snprintf(why, RUNBOOK_WHY_SIZE, "this program has no %s %s", what, name);
  return RUNBOOK_FAILS;
}

enum runbook_result runbook_run(const struct runbook *book, const struct runbook_check *check,
                                char why[RUNBOOK_WHY_SIZE]) {
  why[0] = '\0';
  switch (check->kind) {
    case RUNBOOK_JSON: return runbook_check_json(book, check, why);
    case RUNBOOK_HEAD: return runbook_check_head(book, check, why);
    case RUNBOOK_METRIC: return runbook_check_metric(book, check, why);
    case RUNBOOK_ALERT: return runbook_check_alert(book, check, why);
    case RUNBOOK_WEBSOCKET: return runbook_check_websocket(book, why);
    case RUNBOOK_DATABASE: return runbook_check_database(book, check, why);
    case RUNBOOK_LOG: return runbook_check_log(book, check, why);
    case RUNBOOK_FILE: return runbook_check_file(check, why);
    case RUNBOOK_PROGRAM: return runbook_check_program(check, why);
    case RUNBOOK_PROCESS: return runbook_check_process(book, check, why);
    case RUNBOOK_VARIABLE:
      return known(reads_variable(check->target), "variable", check->target, why);
    case RUNBOOK_COMMAND:
      return known(command_find(check->target) != NULL, "command", check->target, why);
    case RUNBOOK_LEFT_OUT: break;
  }
  snprintf(why, RUNBOOK_WHY_SIZE, "%s", check->expect);
  return RUNBOOK_SKIPPED;
}

/* ---- showing ---- */

static const char *const result_names[] = {"ok", "FAIL", "skip"};

struct report {
  const struct runbook_values *values;
  size_t counts[RUNBOOK_SKIPPED + 1];
  json_t *list;
  struct page page;
};

static void show_line(struct report *r, const struct runbook_check *check,
                      enum runbook_result result, const char *why) {
  static const int styles[] = {PAGE_GOOD, PAGE_BAD, PAGE_DIM};
  BUFFER_LATER struct buffer line;
  char lead[16];
  buffer_init(&line, 4096);
  snprintf(lead, sizeof lead, "%-5s ", result_names[result]);
  buffer_printf(&line, "%s: %s%s%s", check->section, check->name, *why ? ": " : "", why);
  FREE_LATER char *clean = text_clean(buffer_bytes(&line));
  page_styled(&r->page, styles[result], bytes_of(lead));
  buffer_append_text(r->page.out, clean ? clean : "");
  page_newline(&r->page);
}

static void show(struct report *r, const struct runbook_check *check, enum runbook_result result,
                 const char *why) {
  static const char *const words[] = {"ok", "fail", "skip"};
  r->counts[result]++;
  if (!r->values->json) {
    show_line(r, check, result, why);
    return;
  }
  json_array_append_new(r->list, json_pack("{s:s, s:s, s:s, s:o}", "section", check->section,
                                           "check", check->name, "status", words[result], "message",
                                           *why ? json_text(bytes_of(why)) : json_null()));
}

static int finish(struct report *r) {
  bool ok = r->counts[RUNBOOK_FAILS] == 0, written;
  if (r->values->json) {
    JSON_LATER json_t *body = json_pack("{s:b, s:I, s:I, s:I, s:O}", "ok", ok, "held",
                                        (json_int_t)r->counts[RUNBOOK_HOLDS], "failed",
                                        (json_int_t)r->counts[RUNBOOK_FAILS], "skipped",
                                        (json_int_t)r->counts[RUNBOOK_SKIPPED], "checks", r->list);
    written = body && output_json(STDOUT_FILENO, body);
  } else {
    buffer_printf(r->page.out, "%zu hold, %zu fail, %zu skipped\n", r->counts[RUNBOOK_HOLDS],
                  r->counts[RUNBOOK_FAILS], r->counts[RUNBOOK_SKIPPED]);
    written = output_buffer(STDOUT_FILENO, r->page.out);
  }
  if (!written) return CLI_ERROR;
  return ok ? CLI_OK : CLI_CHECK_FAILED;
}

/* ---- the command ---- */

/* Whether the server is this machine's, so that its files can be looked at. */
static bool is_local(const char *url) {
  const char *at = strstr(url, "://");
  char host[64];
  at = at ? at + 3 : url;
  size_t len = strcspn(at, "/?#");
  if (len >= sizeof host) return false;
  memcpy(host, at, len);
  host[len] = '\0';
  return guard_host_is_local(host);
}

/* For free(); NULL when the server gives none. */
static char *read_metrics(const struct remote *remote, struct error *err, enum status *ret_status) {
  struct buffer text;
  long http_status = 0;
  buffer_init(&text, METRICS_MAX);
  *ret_status = remote_ask(remote, "GET", "/api/metrics", CALL_MS, &http_status, &text, err);
  if (!*ret_status && http_status == 200 && text.len) return text.ptr;
  buffer_done(&text);
  return NULL;
}

static int check_all(const struct runbook_values *v, struct runbook *book) {
  struct terminal t = terminal_look(STDOUT_FILENO, v->no_colour);
  BUFFER_LATER struct buffer out;
  JSON_LATER json_t *list = json_array();
  char why[RUNBOOK_WHY_SIZE];
  buffer_init(&out, PAGE_MAX);
  struct report r = {v, {0}, list, {&out, (size_t)t.width, t.colour}};
  for (size_t i = 0; i < runbook_table_size; i++) {
    enum runbook_result result = runbook_run(book, &runbook_table[i], why);
    show(&r, &runbook_table[i], result, why);
  }
  return finish(&r);
}

static int run(const struct runbook_values *v, const struct options *options, const char *url) {
  struct error err = {0};
  struct remote remote;
  enum status s;
  if (remote_open(url, options, &remote, &err)) return output_error(&err);
  struct runbook book = {.options = options, .remote = &remote, .local = is_local(url)};
  book.metrics = read_metrics(&remote, &err, &s);
  if (!s && remote_call(&remote, "/api/system/config", NULL, CALL_MS, &book.config, &err))
    book.config = NULL; /* that it is refused is a line of its own */
  int code = s ? remote_error(&err) : check_all(v, &book);
  free(book.metrics);
  json_decref(book.config);
  remote_close(&remote);
  return code;
}

static int check_and_run(const void *values, const struct arguments *a, struct options *options) {
  const struct runbook_values *v = values;
  struct error err = {0};
  if (a->count != 1 || strcmp(a->positional[0], "check") != 0)
    return arguments_wrong(self(), "what it does is \"aragora runbook check\"");
  if (options_name_files(options, &err)) return output_error(&err);
  BUFFER_LATER struct buffer own;
  buffer_init(&own, 4096);
  remote_append_own_url(&own, options);
  const char *url = remote_url(v->server);
  return run(v, options, url ? url : own.ptr);
}

int cli_runbook(int argc, char **argv) {
  struct runbook_values v = {0};
  return invocation_ask(self(), REMOTE_ALWAYS, argc, argv, &v, check_and_run);
}
