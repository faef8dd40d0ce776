#include "cli/agents_check.h"

#include "api/agent_checks.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/text.h"
#include "runner/panel.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PAGE_MAX = 1 << 20, TOTAL_TIMEOUT_MS = 15000 };

struct check { /* from the agents to what is said of them */
  struct agent_table *table;
  const struct agent_binding **agents;
  bool *needed; /* the exit code is about it */
  size_t count;
  struct loop *loop;
  json_t *list;
  bool failed;
};

/* ---- which ---- */

static void add(struct check *c, const struct agent_binding *agent, bool needed) {
  for (size_t i = 0; i < c->count; i++)
    if (c->agents[i] == agent) return;
  c->agents[c->count] = agent;
  c->needed[c->count++] = needed;
}

static enum status choose_named(struct check *c, const char *const *names, int count,
                                struct error *err) {
  for (int i = 0; i < count; i++) {
    const struct agent_binding *agent = agents_find(c->table, bytes_of(names[i]));
    if (!agent)
      return error_set(err, STATUS_NOT_FOUND, NULL, "there is no agent \"%.64s\"", names[i]);
    add(c, agent, true);
  }
  return STATUS_OK;
}

static enum status choose_usual(struct check *c, const struct options *options, struct error *err) {
  const struct agent_binding *panel[DEBATE_AGENTS_MAX];
  int seats = 0;
  enum status s = panel_default(c->table, options, panel, &seats, err);
  if (s) return s;
  for (int i = 0; i < seats; i++) add(c, panel[i], true);
  for (size_t i = 0; i < c->table->count; i++) {
    const struct agent_binding *agent = &c->table->agents[i];
    if (agent->available && agent->wire != WIRE_DEMO) add(c, agent, false);
  }
  return STATUS_OK;
}

/* ---- what to do about it ---- */

static void append_fix(struct buffer *out, const struct agent_binding *b,
                       const struct probe_result *r) {
  const char *key = b->key_variable ? b->key_variable : "its key";
  switch (r->verdict) {
    case PROBE_NO_KEY: buffer_printf(out, "set %s", key); break;
    case PROBE_KEY_REFUSED: buffer_printf(out, "put a valid key into %s", key); break;
    case PROBE_MODEL_UNKNOWN:
      buffer_printf(out, "name another model than \"%s\" in the agents file", b->model);
      break;
    case PROBE_NO_CREDIT: buffer_printf(out, "add credit to the account of %s", key); break;
    case PROBE_CONTEXT_TOO_SMALL:
      buffer_append_text(out, "correct context_tokens in the agents file");
      break;
    case PROBE_UNREACHABLE: buffer_printf(out, "is %s right, and up?", b->base_url); break;
    case PROBE_NOT_CHECKED:
    case PROBE_OK: break;
  }
}

static bool is_bad(enum probe_verdict verdict) {
  return verdict != PROBE_OK && verdict != PROBE_NOT_CHECKED;
}

static json_t *row_of(const struct check *c, size_t i, const struct probe_result *r) {
  const struct agent_binding *b = c->agents[i];
  BUFFER_LATER struct buffer fix;
  buffer_init(&fix, 4096);
  append_fix(&fix, b, r);
  json_t *row = agent_check_object(r);
  int failed =
      json_object_set_new(row, "agent", json_string(b->type)) |
      json_object_set_new(row, "provider", json_string(b->provider)) |
      json_object_set_new(row, "model", json_string(b->model)) |
      json_object_set_new(row, "needed", json_boolean(c->needed[i])) |
      json_object_set_new(row, "fix", fix.len ? json_text(buffer_bytes(&fix)) : json_null());
  if (!failed) return row;
  json_decref(row);
  return NULL;
}

static void on_checked(void *ctx, const struct probe_result *results, size_t count) {
  struct check *c = ctx;
  c->list = json_array();
  for (size_t i = 0; i < count; i++) {
    if (c->needed[i] && is_bad(results[i].verdict)) c->failed = true;
    if (json_array_append_new(c->list, row_of(c, i, &results[i]))) {
      json_decref(c->list);
      c->list = NULL;
      break;
    }
  }
  loop_stop(c->loop);
}

/* ---- showing ---- */

static int print(const struct check *c) {
  BUFFER_LATER struct buffer out;
  const json_t *row;
  size_t i;
  buffer_init(&out, PAGE_MAX);
  buffer_printf(&out, "%-16s %-17s %8s  %s\n", "AGENT", "RESULT", "MS", "WHY, AND THE FIX");
  json_array_foreach(c->list, i, row) {
    const char *detail = json_get_text(row, "detail", "");
    const char *fix = json_get_text(row, "fix", "");
    int64_t ms = json_get_int(row, "latency_ms", -1);
    char latency[24] = "-";
    if (ms >= 0) snprintf(latency, sizeof latency, "%" PRId64, ms);
    buffer_printf(&out, "%-16s %-17s %8s  %s%s%s\n", json_get_text(row, "agent", "?"),
                  json_get_text(row, "result", "?"), latency, detail, *detail && *fix ? ": " : "",
                  fix);
  }
  FREE_LATER char *clean = text_clean(buffer_bytes(&out));
  return clean && bytes_write(bytes_of(clean), STDOUT_FILENO) ? CLI_OK : CLI_ERROR;
}

static int show(const struct check *c, bool json) {
  int code;
  if (json) {
    JSON_LATER json_t *body = json_pack("{s:b, s:O}", "ok", !c->failed, "agents", c->list);
    code = body && output_json(STDOUT_FILENO, body) ? CLI_OK : CLI_ERROR;
  } else {
    code = print(c);
  }
  return code == CLI_OK && c->failed ? CLI_CHECK_FAILED : code;
}

/* ---- asking ---- */

static enum status ask(struct check *c, const struct options *options, struct error *err) {
  struct probe *probe = NULL;
  struct probe_limits limits = {options->provider_connect_timeout_ms, TOTAL_TIMEOUT_MS};
  enum status s = loop_create(&c->loop, err);
  if (s) return s;
  s = probe_start(c->loop, &limits, c->agents, c->count, on_checked, c, &probe, err);
  if (!s) loop_run(c->loop);
  loop_destroy(c->loop);
  if (!s && !c->list) s = error_set(err, STATUS_NOMEM, NULL, "out of memory");
  return s;
}

/* No names: the usual ones. */
static enum status choose_and_ask(struct check *c, const struct options *options,
                                  const char *const *names, int count, struct error *err) {
  enum status s = agents_load(options->agents_file, &c->table, err);
  if (s) return s;
  c->agents = calloc(c->table->count + 1, sizeof *c->agents);
  c->needed = calloc(c->table->count + 1, sizeof *c->needed);
  if (!c->agents || !c->needed) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  s = count ? choose_named(c, names, count, err) : choose_usual(c, options, err);
  return s ? s : ask(c, options, err);
}

static void check_done(struct check *c) {
  json_decref(c->list);
  free(c->agents);
  free(c->needed);
  agents_free(c->table);
}

enum status agents_check_ask(const struct options *options, json_t **ret_rows, struct error *err) {
  struct check c = {0};
  enum status s = choose_and_ask(&c, options, NULL, 0, err);
  if (!s) *ret_rows = json_incref(c.list);
  check_done(&c);
  return s;
}

/* ---- the command ---- */

int agents_check(const struct options *options, const char *const *names, int count, bool json) {
  struct check c = {0};
  struct error err = {0};
  if (log_open(LOG_LEVEL_ERROR, NULL, true, &err)) return output_error(&err);
  int code = choose_and_ask(&c, options, names, count, &err) ? output_error(&err) : show(&c, json);
  check_done(&c);
  return code;
}
