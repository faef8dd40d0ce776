#include "cli/dry_run.h"

#include "api/estimate_body.h"
#include "cli/command.h"
#include "cli/engine.h"
#include "cli/output.h"
#include "cli/text.h"
#include "debate/spec.h"

#include <inttypes.h>
#include <unistd.h>

enum { PAGE_MAX = 256 * 1024 };

static enum status estimate_here(struct engine *e, const struct debate_spec *spec,
                                 json_t **ret_estimate, struct error *err) {
  const struct principal who = PRINCIPAL_LOCAL;
  struct debate_config config;
  struct estimate estimate;
  enum status s =
      estimate_request(e->agents, &e->options, e->store, &who, spec, &config, &estimate, err);
  if (s) return s;
  *ret_estimate = estimate_body(&config, &estimate, 1 + e->options.max_retries);
  debate_config_done(&config);
  return *ret_estimate ? STATUS_OK : error_set(err, STATUS_NOMEM, NULL, "out of memory");
}

enum status dry_run_make(struct options *options, const json_t *body, json_t **ret_estimate,
                         struct error *err) {
  struct debate_spec spec;
  struct engine engine;
  struct debate_spec_limits limits = {options->max_question_chars, options->max_context_bytes};
  enum status s = debate_spec_parse(body, &limits, &spec, err);
  if (s) return s;
  s = engine_open_archive(&engine, options, err);
  if (s == STATUS_NOT_FOUND) s = STATUS_OK; /* nothing has been debated yet */
  if (!s) s = agents_load(engine.options.agents_file, &engine.agents, err);
  if (!s) s = estimate_here(&engine, &spec, ret_estimate, err);
  engine_close(&engine);
  debate_spec_done(&spec);
  return s;
}

static void print_agents(struct buffer *out, const char *heading, const json_t *agents) {
  const json_t *a;
  size_t i;
  json_array_foreach(agents, i, a) {
    const char *role = json_get_text(a, "role", "");
    buffer_printf(out, "%-8s %-20s %s %s%s%s%s\n", i ? "" : heading, json_get_text(a, "name", "?"),
                  json_get_text(a, "provider", "?"), json_get_text(a, "model", "?"),
                  json_get_bool(a, "demo", false) ? " (demo)" : "", *role ? ", as " : "", role);
  }
}

static void print_row(struct buffer *out, const char *name, const json_t *range) {
  buffer_printf(out, "%-14s %14" PRId64 " %14" PRId64 " %14" PRId64 "\n", name,
                json_get_int(range, "low", 0), json_get_int(range, "expected", 0),
                json_get_int(range, "high", 0));
}

static void print_cost(struct buffer *out, const json_t *range) {
  static const char *const columns[] = {"low", "expected", "high"};
  buffer_printf(out, "%-14s", "US dollars");
  for (int i = 0; i < 3; i++) {
    const json_t *value = json_object_get(range, columns[i]);
    if (json_is_number(value))
      buffer_printf(out, " %14.4f", json_number_value(value));
    else
      buffer_printf(out, " %14s", "unknown");
  }
  buffer_append_char(out, '\n');
}

static void print_page(struct buffer *out, const json_t *e) {
  const char *kind;
  json_t *range;
  print_agents(out, "Panel", json_object_get(e, "panel"));
  print_agents(out, "Judges", json_object_get(e, "judges"));
  buffer_printf(out, "\n%-14s %14s %14s %14s\n", "", "low", "expected", "high");
  json_object_foreach(json_object_get(e, "calls"), kind, range) print_row(out, kind, range);
  print_row(out, "tokens in", json_object_get(e, "tokens_in"));
  print_row(out, "tokens out", json_object_get(e, "tokens_out"));
  print_cost(out, json_object_get(e, "cost_usd"));
  int64_t turns = json_get_int(e, "past_turns", 0);
  if (turns)
    buffer_printf(out, "\nFrom %" PRId64 " past turns of these models, in %" PRId64 " debates.\n",
                  turns, json_get_int(e, "past_debates", 0));
  else
    buffer_append_text(out, "\nFrom typical lengths: these models have not answered here yet.\n");
  buffer_printf(out,
                "High is all rounds, every reply at its limit and repaired once; a call that fails "
                "may be made %" PRId64 " times.\nNothing was started.\n",
                json_get_int(e, "attempts_per_call_max", 1));
}

int dry_run_show(const json_t *estimate, bool json) {
  if (json) return output_json(STDOUT_FILENO, estimate) ? CLI_OK : CLI_ERROR;
  BUFFER_LATER struct buffer page;
  buffer_init(&page, PAGE_MAX);
  print_page(&page, estimate);
  FREE_LATER char *clean = text_clean(buffer_bytes(&page));
  return clean && bytes_write(bytes_of(clean), STDOUT_FILENO) ? CLI_OK : CLI_ERROR;
}
