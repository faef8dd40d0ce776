/* `aragora agents`: which agents there are, and which of them can be asked. */
#include "provider/agents.h"

#include "base/figure.h"
#include "cli/agents_check.h"
#include "cli/arguments.h"
#include "cli/output.h"
#include "cli/page.h"
#include "cli/remote.h"
#include "cli/terminal.h"
#include "cli/text.h"
#include "debate/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { CALL_MS = 30000, TABLE_MAX = 1 << 20, COLUMN_MAX = 40 };

struct agents_values {
  const char *server;
  bool json, no_colour;
};

#define AT(field) offsetof(struct agents_values, field)
const struct flag agents_flags[] = {
    {"--server", 0, FLAG_TEXT, AT(server), 0, 0, "URL",
     "those of a server instead of those here [ARAGORA_API_URL]"},
    {"--json", 0, FLAG_SWITCH, AT(json), 0, 0, NULL, "print one JSON object"},
    {"--no-color", 0, FLAG_SWITCH, AT(no_colour), 0, 0, NULL, "no colours [NO_COLOR]"},
    {0},
};

static const struct command *self(void) {
  return command_find("agents");
}

/* ---- as JSON: the names of GET /api/agents ---- */

static json_t *reason_of(const struct agent_binding *a) {
  char text[160];
  if (a->available) return json_null();
  snprintf(text, sizeof text, "%s is not set", a->key_variable ? a->key_variable : "its address");
  return json_string(text);
}

static json_t *price_of(const struct agent_binding *a) {
  if (a->price_input_usd_micro < 0 || a->price_output_usd_micro < 0) return json_null();
  return json_pack("{s:f, s:f}", "input_usd_per_million_tokens",
                   (double)a->price_input_usd_micro / 1e6, "output_usd_per_million_tokens",
                   (double)a->price_output_usd_micro / 1e6);
}

static json_t *agents_json(const struct agent_table *table) {
  const struct agent_binding *panel[DEBATE_MEMBERS_MAX];
  bool demo = false;
  size_t seats = agents_default_panel(table, panel, DEBATE_MEMBERS_MAX, &demo);
  json_t *agents = json_array(), *names = json_array();
  for (size_t i = 0; i < seats; i++) json_array_append_new(names, json_string(panel[i]->type));
  for (size_t i = 0; i < table->count; i++) {
    const struct agent_binding *a = &table->agents[i];
    json_array_append_new(
        agents,
        json_pack("{s:s, s:s, s:s, s:s, s:b, s:o, s:b, s:o}", "name", a->type, "type", a->type,
                  "provider", a->provider, "model", a->model, "available", a->available, "reason",
                  reason_of(a), "demo", a->wire == WIRE_DEMO, "price", price_of(a)));
  }
  return json_pack("{s:o, s:I, s:o, s:b}", "agents", agents, "total", (json_int_t)table->count,
                   "default_panel", names, "demo", demo);
}

/* ---- as a table ---- */

enum { COLUMN_TYPE, COLUMN_MODEL, COLUMN_STATE, COLUMN_PRICE, COLUMN_COUNT };

/* "OPENAI_API_KEY is not set" is "no OPENAI_API_KEY": a table has no room for sentences. */
static void fill_state(const json_t *a, struct buffer *out) {
  const char *reason = json_get_text(a, "reason", "not available");
  const char *end = strstr(reason, " is not set");
  if (json_get_bool(a, "available", false))
    buffer_append_text(out, "ready");
  else if (end)
    buffer_printf(out, "no %.*s", (int)(end - reason), reason);
  else
    buffer_append_text(out, reason);
}

static void fill(const json_t *a, struct buffer cells[COLUMN_COUNT]) {
  const json_t *price = json_object_get(a, "price");
  for (int i = 0; i < COLUMN_COUNT; i++) buffer_clear(&cells[i]);
  buffer_append_text(&cells[COLUMN_TYPE], json_get_text(a, "type", "?"));
  buffer_append_text(&cells[COLUMN_MODEL], json_get_text(a, "model", "?"));
  fill_state(a, &cells[COLUMN_STATE]);
  int64_t in = figure_usd_micro(price, "input_usd_per_million_tokens");
  int64_t out = figure_usd_micro(price, "output_usd_per_million_tokens");
  if (in < 0 || out < 0)
    buffer_append_text(&cells[COLUMN_PRICE], "unknown");
  else if (in + out == 0)
    buffer_append_text(&cells[COLUMN_PRICE], "free");
  else
    buffer_printf(&cells[COLUMN_PRICE], "%.2f / %.2f", (double)in / 1e6, (double)out / 1e6);
}

static void print_row(struct page *p, struct buffer cells[COLUMN_COUNT], const int styles[],
                      const size_t widths[]) {
  for (int i = 0; i < COLUMN_COUNT; i++) {
    BUFFER_LATER struct buffer line;
    buffer_init(&line, 8192);
    FREE_LATER char *clean = text_clean(buffer_bytes(&cells[i]));
    size_t used = text_append_line(&line, bytes_of(clean), widths[i]);
    page_styled(p, styles[i], buffer_bytes(&line));
    for (; i + 1 < COLUMN_COUNT && used < widths[i] + 2; used++) buffer_append_char(p->out, ' ');
  }
  page_newline(p);
}

/* As wide as what stands in them; what is left of the page is the model's. */
static void measure(const struct page *p, const json_t *agents, struct buffer cells[COLUMN_COUNT],
                    size_t widths[COLUMN_COUNT]) {
  const json_t *a;
  size_t i, others = 2 * (COLUMN_COUNT - 1);
  json_array_foreach(agents, i, a) {
    fill(a, cells);
    for (int c = 0; c < COLUMN_COUNT; c++) {
      size_t columns = text_columns(buffer_bytes(&cells[c]));
      if (columns > widths[c]) widths[c] = columns < COLUMN_MAX ? columns : COLUMN_MAX;
    }
  }
  for (int c = 0; c < COLUMN_COUNT; c++) others += c == COLUMN_MODEL ? 0 : widths[c];
  size_t left = p->width > others + 12 ? p->width - others : 12;
  if (widths[COLUMN_MODEL] > left) widths[COLUMN_MODEL] = left;
}

static void print_table(struct page *p, const json_t *list) {
  static const char *const titles[] = {"AGENT", "MODEL", "KEY", "$/1M IN / OUT"};
  struct buffer cells[COLUMN_COUNT];
  size_t widths[COLUMN_COUNT] = {5, 5, 5, 13};
  const json_t *agents = json_object_get(list, "agents");
  const json_t *a;
  size_t i;
  for (int c = 0; c < COLUMN_COUNT; c++) buffer_init(&cells[c], 8192);
  measure(p, agents, cells, widths);
  for (int c = 0; c < COLUMN_COUNT; c++) {
    buffer_clear(&cells[c]);
    buffer_append_text(&cells[c], titles[c]);
  }
  print_row(p, cells, (const int[]){PAGE_BOLD, PAGE_BOLD, PAGE_BOLD, PAGE_BOLD}, widths);
  json_array_foreach(agents, i, a) {
    bool ready = json_get_bool(a, "available", false);
    fill(a, cells);
    const int styles[] = {ready ? PAGE_BOLD : PAGE_PLAIN, PAGE_PLAIN, ready ? PAGE_GOOD : PAGE_DIM,
                          PAGE_DIM};
    print_row(p, cells, styles, widths);
  }
  for (int c = 0; c < COLUMN_COUNT; c++) buffer_done(&cells[c]);
}

static void print_panel(struct page *p, const json_t *list) {
  BUFFER_LATER struct buffer line;
  buffer_init(&line, 8192);
  const json_t *name;
  size_t i;
  buffer_append_text(&line, "Default panel: ");
  json_array_foreach(json_object_get(list, "default_panel"), i, name) buffer_printf(
      &line, "%s%s", i ? ", " : "", json_is_string(name) ? json_string_value(name) : "?");
  if (json_get_bool(list, "demo", false))
    buffer_append_text(&line, " (no API key is set: what they say means nothing)");
  FREE_LATER char *clean = text_clean(buffer_bytes(&line));
  page_newline(p);
  page_plain_text(p, &(struct page_text){.text = bytes_of(clean)});
}

static int print(const struct agents_values *v, const json_t *list) {
  if (!list) return CLI_ERROR;
  if (v->json) return output_json(STDOUT_FILENO, list) ? CLI_OK : CLI_ERROR;
  struct terminal t = terminal_look(STDOUT_FILENO, v->no_colour);
  BUFFER_LATER struct buffer out;
  buffer_init(&out, TABLE_MAX);
  struct page p = {&out, (size_t)t.width, t.colour};
  print_table(&p, list);
  print_panel(&p, list);
  return output_buffer(STDOUT_FILENO, &out) ? CLI_OK : CLI_ERROR;
}

/* ---- the command ---- */

static int list_there(const struct agents_values *v, const struct options *o, const char *url) {
  struct error err = {0};
  struct remote remote;
  JSON_LATER json_t *list = NULL;
  if (remote_open(url, o, &remote, &err)) return remote_error(&err);
  int code = remote_call(&remote, "/api/agents", NULL, CALL_MS, &list, &err) ? remote_error(&err)
                                                                             : print(v, list);
  remote_close(&remote);
  return code;
}

static int list_here(const struct agents_values *v, const struct options *options) {
  struct error err = {0};
  struct agent_table *table = NULL;
  if (agents_load(options->agents_file, &table, &err)) return output_error(&err);
  JSON_LATER json_t *list = agents_json(table);
  agents_free(table);
  return print(v, list);
}

int cli_agents(int argc, char **argv) {
  struct agents_values v = {0};
  struct arguments arguments;
  struct options options;
  struct error err = {0};
  if (remote_load_options(&options, REMOTE_IF_NAMED, argc, argv, &err)) return output_error(&err);
  int code = CLI_USAGE;
  if (!arguments_read(self(), argc, argv, &v, &options, &arguments)) {
    /* said already */
  } else if (arguments.count && strcmp(arguments.positional[0], "check") == 0) {
    if (v.server)
      arguments_wrong(self(), "a server shows its own check in GET /api/agents/health");
    else
      code = agents_check(&options, arguments.positional + 1, arguments.count - 1, v.json);
  } else if (arguments.count) {
    arguments_wrong(self(), "it takes no \"%.64s\"; only check", arguments.positional[0]);
  } else {
    const char *url = remote_url(v.server);
    code = url ? list_there(&v, &options, url) : list_here(&v, &options);
  }
  options_done(&options);
  return code;
}
