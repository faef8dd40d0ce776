/* `aragora breakers`: the circuit breakers of a running server, and closing one. */
#include "cli/breaker_words.h"
#include "cli/invocation.h"
#include "cli/output.h"
#include "cli/page.h"
#include "cli/remote.h"
#include "cli/terminal.h"
#include "cli/text.h"

#include <stdlib.h>
#include <unistd.h>

enum { CALL_MS = 30000, TABLE_MAX = 1 << 20, AGENT_MAX = 64, FAILURES_COLUMNS = 8, ERROR_MIN = 16 };

struct breakers_values {
  const char *server;
  bool json, no_colour;
};

#define AT(field) offsetof(struct breakers_values, field)
const struct flag breakers_flags[] = {
    {"--server", 0, FLAG_TEXT, AT(server), 0, 0, "URL",
     "the server [ARAGORA_API_URL]; default this machine at ARAGORA_PORT or 8080"},
    {"--json", 0, FLAG_SWITCH, AT(json), 0, 0, NULL, "print one JSON object"},
    {"--no-color", 0, FLAG_SWITCH, AT(no_colour), 0, 0, NULL, "no colours [NO_COLOR]"},
    {0},
};

static const struct command *self(void) {
  return command_find("breakers");
}

/* ---- the table ---- */

struct columns {
  size_t agent, state, error; /* error 0 = as long as it is */
};

static void append_failures(struct buffer *out, const json_t *entry) {
  buffer_printf(out, "%lld of %lld", (long long)json_get_int(entry, "failures", 0),
                (long long)json_get_int(entry, "failure_threshold", 0));
}

static const char *error_of(const json_t *entry) {
  return json_get_text(entry, "last_error", json_get_text(entry, "misconfigured", ""));
}

static struct columns measure(const struct page *p, bool tty, json_t *breakers) {
  struct columns c = {5, 5, ERROR_MIN};
  const char *name;
  json_t *entry;
  json_object_foreach(breakers, name, entry) {
    BUFFER_LATER struct buffer words;
    buffer_init(&words, 4096);
    breaker_words_append(&words, entry);
    size_t agent = text_columns(bytes_of(name)), state = text_columns(buffer_bytes(&words));
    if (agent > c.agent) c.agent = agent < AGENT_MAX ? agent : AGENT_MAX;
    if (state > c.state) c.state = state;
  }
  size_t taken = c.agent + c.state + FAILURES_COLUMNS + 6;
  if (p->width > taken + ERROR_MIN) c.error = p->width - taken;
  if (!tty) c.error = 0; /* a file, or who searches it, wants the reason whole */
  return c;
}

static int style_of(const json_t *entry) {
  if (json_object_get(entry, "misconfigured")) return PAGE_BAD;
  if (strcmp(json_get_text(entry, "status", ""), "open") == 0) return PAGE_BAD;
  return json_get_bool(entry, "available", false) ? PAGE_GOOD : PAGE_WARN;
}

static void print_row(struct page *p, const struct columns *c, const char *name,
                      const json_t *entry) {
  BUFFER_LATER struct buffer words, failures;
  buffer_init(&words, 4096);
  buffer_init(&failures, 64);
  breaker_words_append(&words, entry);
  append_failures(&failures, entry);
  const char *error = error_of(entry);
  page_cell(p, PAGE_BOLD, name, c->agent, false);
  page_cell(p, style_of(entry), words.ptr ? words.ptr : "", c->state, false);
  page_cell(p, PAGE_PLAIN, failures.ptr ? failures.ptr : "", FAILURES_COLUMNS, !*error);
  if (*error) page_cell(p, PAGE_DIM, error, c->error, true);
  page_newline(p);
}

static int print_table(const struct breakers_values *v, const json_t *answer) {
  struct terminal t = terminal_look(STDOUT_FILENO, v->no_colour);
  BUFFER_LATER struct buffer out;
  buffer_init(&out, TABLE_MAX);
  struct page p = {&out, (size_t)t.width, t.colour};
  json_t *breakers = json_object_get(answer, "circuit_breakers");
  struct columns c = measure(&p, t.tty, breakers);
  page_cell(&p, PAGE_BOLD, "AGENT", c.agent, false);
  page_cell(&p, PAGE_BOLD, "STATE", c.state, false);
  page_cell(&p, PAGE_BOLD, "FAILURES", FAILURES_COLUMNS, false);
  page_cell(&p, PAGE_BOLD, "LAST ERROR", c.error, true);
  page_newline(&p);
  const char *name;
  json_t *entry;
  json_object_foreach(breakers, name, entry) print_row(&p, &c, name, entry);
  return output_buffer(STDOUT_FILENO, &out) ? CLI_OK : CLI_ERROR;
}

/* ---- the command ---- */

static int list(const struct breakers_values *v, const struct remote *remote) {
  struct error err = {0};
  JSON_LATER json_t *answer = NULL;
  if (remote_call(remote, "/api/circuit-breakers", NULL, CALL_MS, &answer, &err))
    return remote_error(&err);
  if (!v->json) return print_table(v, answer);
  return output_json(STDOUT_FILENO, answer) ? CLI_OK : CLI_ERROR;
}

static int reset(const struct breakers_values *v, const struct remote *remote, const char *name) {
  struct error err = {0};
  JSON_LATER json_t *answer = NULL;
  JSON_LATER json_t *nothing = json_object();
  BUFFER_LATER struct buffer path, line;
  buffer_init(&path, 8192);
  buffer_init(&line, 8192);
  char *escaped = curl_easy_escape(NULL, name, 0);
  buffer_printf(&path, "/api/system/circuit-breakers/%s/reset", escaped ? escaped : "");
  curl_free(escaped);
  if (path.overflow) return arguments_wrong(self(), "there is no agent with so long a name");
  if (remote_call(remote, path.ptr, nothing, CALL_MS, &answer, &err)) return remote_error(&err);
  if (v->json) return output_json(STDOUT_FILENO, answer) ? CLI_OK : CLI_ERROR;
  FREE_LATER char *agent = text_clean(bytes_of(json_get_text(answer, "agent", name)));
  buffer_printf(&line, "%s: closed\n", agent ? agent : name);
  return output_buffer(STDOUT_FILENO, &line) ? CLI_OK : CLI_ERROR;
}

static int run(const struct breakers_values *v, const struct options *options, const char *url,
               const char *name) {
  struct error err = {0};
  struct remote remote;
  if (remote_open(url, options, &remote, &err)) return remote_error(&err);
  int code = name ? reset(v, &remote, name) : list(v, &remote);
  remote_close(&remote);
  return code;
}

static int check_and_run(const void *values, const struct arguments *a, struct options *options) {
  const struct breakers_values *v = values;
  bool resets = a->count && strcmp(a->positional[0], "reset") == 0;
  bool lists = !a->count || strcmp(a->positional[0], "list") == 0;
  if (!resets && !lists)
    return arguments_wrong(self(), "there is no \"%.64s\" here; list or reset", a->positional[0]);
  if (resets && a->count != 2) return arguments_wrong(self(), "reset needs the name of one agent");
  if (lists && a->count > 1) return arguments_wrong(self(), "list takes no name");
  BUFFER_LATER struct buffer own;
  buffer_init(&own, 4096);
  remote_append_own_url(&own, options);
  const char *url = remote_url(v->server);
  return run(v, options, url ? url : own.ptr, resets ? a->positional[1] : NULL);
}

int cli_breakers(int argc, char **argv) {
  struct breakers_values v = {0};
  return invocation_ask(self(), REMOTE_ALWAYS, argc, argv, &v, check_and_run);
}
