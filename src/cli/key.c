/* `aragora key`: the API keys of whoever the token stands for, on a running server. */
#include "cli/invocation.h"
#include "cli/output.h"
#include "cli/page.h"
#include "cli/remote.h"
#include "cli/terminal.h"
#include "cli/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { CALL_MS = 30000, TABLE_MAX = 1 << 20, PATH_MAX_BYTES = 512 };
enum { ID_COLUMNS = 13, NAME_COLUMNS = 24, STATUS_COLUMNS = 9, TIME_COLUMNS = 20 };

struct key_values {
  const char *server, *name, *scopes;
  int64_t days, rate, overlap_s;
  const char *usd_text;
  bool json, no_colour;
};

#define AT(field) offsetof(struct key_values, field)
const struct flag key_flags[] = {
    {"--server", 0, FLAG_TEXT, AT(server), 0, 0, "URL",
     "the server [ARAGORA_API_URL]; default this machine at ARAGORA_PORT or 8080"},
    {"--name", 0, FLAG_TEXT, AT(name), 0, 0, "TEXT", "create: what the key is for"},
    {"--scopes", 0, FLAG_TEXT, AT(scopes), 0, 0, "LIST",
     "create: permissions with commas between: debates:read,debates:create; default all"},
    {"--days", 0, FLAG_COUNT, AT(days), 1, 3650, "N", "create: expires after so many days"},
    {"--requests-per-minute", 0, FLAG_COUNT, AT(rate), 1, 1000000, "N", "create: at most so many"},
    {"--usd-per-day", 0, FLAG_TEXT, AT(usd_text), 0, 0, "USD",
     "create: what its debates may cost in a day"},
    {"--overlap", 0, FLAG_COUNT, AT(overlap_s), 1, 31536000, "SECONDS",
     "rotate: how long the old key works yet; default a day"},
    {"--json", 0, FLAG_SWITCH, AT(json), 0, 0, NULL, "print one JSON object"},
    {"--no-color", 0, FLAG_SWITCH, AT(no_colour), 0, 0, NULL, "no colours [NO_COLOR]"},
    {0},
};
#undef AT

static const struct command *self(void) {
  return command_find("key");
}

/* ---- list ---- */

/* To the minute; "never" for null. */
static void print_time(struct page *p, const json_t *row, const char *field, bool last) {
  char text[TIME_COLUMNS];
  snprintf(text, sizeof text, "%.16s", json_get_text(row, field, "never"));
  page_cell(p, PAGE_DIM, text, TIME_COLUMNS, last);
}

static void print_row(struct page *p, const json_t *row) {
  const char *status = json_get_text(row, "status", "?");
  FREE_LATER char *name = text_clean(bytes_of(json_get_text(row, "name", "")));
  page_cell(p, PAGE_BOLD, json_get_text(row, "key_id", "?"), ID_COLUMNS, false);
  page_cell(p, PAGE_PLAIN, name ? name : "", NAME_COLUMNS, false);
  page_cell(p, strcmp(status, "active") == 0 ? PAGE_GOOD : PAGE_DIM, status, STATUS_COLUMNS, false);
  print_time(p, row, "last_used_at", false);
  print_time(p, row, "expires_at", true);
  page_newline(p);
}

static int list(const struct key_values *v, const struct remote *remote) {
  struct error err = {0};
  JSON_LATER json_t *answer = NULL;
  if (remote_call(remote, "/api/auth/api-keys", NULL, CALL_MS, &answer, &err))
    return remote_error(&err);
  if (v->json) return output_json(STDOUT_FILENO, answer) ? CLI_OK : CLI_ERROR;
  struct terminal t = terminal_look(STDOUT_FILENO, v->no_colour);
  BUFFER_LATER struct buffer out;
  buffer_init(&out, TABLE_MAX);
  struct page p = {&out, (size_t)t.width, t.colour};
  const json_t *row;
  size_t i;
  page_cell(&p, PAGE_BOLD, "KEY", ID_COLUMNS, false);
  page_cell(&p, PAGE_BOLD, "NAME", NAME_COLUMNS, false);
  page_cell(&p, PAGE_BOLD, "STATUS", STATUS_COLUMNS, false);
  page_cell(&p, PAGE_BOLD, "LAST USED", TIME_COLUMNS, false);
  page_cell(&p, PAGE_BOLD, "EXPIRES", TIME_COLUMNS, true);
  page_newline(&p);
  json_array_foreach(json_object_get(answer, "api_keys"), i, row) print_row(&p, row);
  return output_buffer(STDOUT_FILENO, &out) ? CLI_OK : CLI_ERROR;
}

/* ---- create and rotate ---- */

/* The key alone on standard output, so that it can be put where it belongs unseen. */
static int print_new(const struct key_values *v, const json_t *answer) {
  if (v->json) return output_json(STDOUT_FILENO, answer) ? CLI_OK : CLI_ERROR;
  BUFFER_LATER struct buffer out;
  buffer_init(&out, PATH_MAX_BYTES);
  buffer_printf(&out, "%s\n", json_get_text(answer, "api_key", ""));
  if (!output_buffer(STDOUT_FILENO, &out)) return CLI_ERROR;
  fprintf(stderr, "Keep this key: it is not shown again. Its id is %s.\n",
          json_get_text(answer, "key_id", "?"));
  return CLI_OK;
}

static json_t *scope_list(const char *text) {
  json_t *scopes = json_array();
  while (*text) {
    size_t len = strcspn(text, ",");
    if (len) json_array_append_new(scopes, json_text((struct bytes){text, len}));
    text += len + strspn(text + len, ",");
  }
  return scopes;
}

static int create(const struct key_values *v, const struct remote *remote) {
  struct error err = {0};
  JSON_LATER json_t *answer = NULL;
  JSON_LATER json_t *body = json_object();
  if (v->name) json_object_set_new(body, "name", json_text(bytes_of(v->name)));
  if (v->scopes) json_object_set_new(body, "scopes", scope_list(v->scopes));
  if (v->days) json_object_set_new(body, "expires_in_days", json_integer(v->days));
  if (v->rate) json_object_set_new(body, "requests_per_minute", json_integer(v->rate));
  if (v->usd_text) {
    char *end;
    double usd = strtod(v->usd_text, &end);
    if (end == v->usd_text || *end || !(usd > 0))
      return arguments_wrong(self(), "--usd-per-day needs an amount: 2.50");
    json_object_set_new(body, "usd_per_day", json_real(usd));
  }
  if (remote_call(remote, "/api/auth/api-keys", body, CALL_MS, &answer, &err))
    return remote_error(&err);
  return print_new(v, answer);
}

/* False for a path that no key has. */
static bool key_path(struct buffer *path, const char *id, const char *end) {
  char *escaped = curl_easy_escape(NULL, id, 0);
  buffer_printf(path, "/api/auth/api-keys/%s%s", escaped ? escaped : "", end);
  curl_free(escaped);
  return !path->overflow;
}

static int rotate(const struct key_values *v, const struct remote *remote, const char *id) {
  struct error err = {0};
  JSON_LATER json_t *answer = NULL;
  JSON_LATER json_t *body = json_object();
  BUFFER_LATER struct buffer path;
  buffer_init(&path, PATH_MAX_BYTES);
  if (!key_path(&path, id, "/rotate")) return arguments_wrong(self(), "there is no such key");
  if (v->overlap_s) json_object_set_new(body, "overlap_seconds", json_integer(v->overlap_s));
  if (remote_call(remote, path.ptr, body, CALL_MS, &answer, &err)) return remote_error(&err);
  return print_new(v, answer);
}

static int end_key(const struct key_values *v, const struct remote *remote, const char *id) {
  struct error err = {0};
  JSON_LATER json_t *answer = NULL;
  BUFFER_LATER struct buffer path, line;
  buffer_init(&path, PATH_MAX_BYTES);
  buffer_init(&line, PATH_MAX_BYTES);
  if (!key_path(&path, id, "")) return arguments_wrong(self(), "there is no such key");
  if (remote_delete(remote, path.ptr, NULL, CALL_MS, &answer, &err)) return remote_error(&err);
  if (v->json) return output_json(STDOUT_FILENO, answer) ? CLI_OK : CLI_ERROR;
  buffer_printf(&line, "%s: revoked\n", json_get_text(answer, "key_id", id));
  return output_buffer(STDOUT_FILENO, &line) ? CLI_OK : CLI_ERROR;
}

/* ---- the command ---- */

static int run(const struct key_values *v, const struct arguments *a, const struct remote *remote) {
  const char *verb = a->count ? a->positional[0] : "list";
  if (strcmp(verb, "create") == 0) return create(v, remote);
  if (strcmp(verb, "rotate") == 0) return rotate(v, remote, a->positional[1]);
  if (strcmp(verb, "revoke") == 0) return end_key(v, remote, a->positional[1]);
  return list(v, remote);
}

static int check_and_run(const void *values, const struct arguments *a, struct options *options) {
  const struct key_values *v = values;
  const char *verb = a->count ? a->positional[0] : "list";
  bool of_one = strcmp(verb, "rotate") == 0 || strcmp(verb, "revoke") == 0;
  if (!of_one && strcmp(verb, "list") != 0 && strcmp(verb, "create") != 0)
    return arguments_wrong(self(), "there is no \"%.64s\" here; list, create, rotate or revoke",
                           verb);
  if (of_one && a->count != 2) return arguments_wrong(self(), "%s needs the id of one key", verb);
  if (!of_one && a->count > 1) return arguments_wrong(self(), "%s takes no id", verb);
  BUFFER_LATER struct buffer own;
  struct error err = {0};
  struct remote remote;
  buffer_init(&own, 4096);
  remote_append_own_url(&own, options);
  const char *url = remote_url(v->server);
  if (remote_open(url ? url : own.ptr, options, &remote, &err)) return remote_error(&err);
  int code = run(v, a, &remote);
  remote_close(&remote);
  return code;
}

int cli_key(int argc, char **argv) {
  struct key_values v = {0};
  return invocation_ask(self(), REMOTE_ALWAYS, argc, argv, &v, check_and_run);
}
