#include "base/secret.h"
#include "cli/doctor.h"
#include "cli/suggest.h"
#include "provider/agents_builtin.h"
#include "runner/panel.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { NAME_SIZE = 128, LIST_MAX = 4096 };

/* Variables that no row of the option table has; what reads them says so in its help. */
static const char *const other_variables[] = {"ARAGORA_API_URL"};
enum { OTHER_VARIABLES = sizeof other_variables / sizeof *other_variables };

/* ---- environment ---- */

static bool is_known(const char *name) {
  struct bytes stem = bytes_of(name);
  const struct bytes suffix = BYTES_LITERAL("_FILE");
  bool file = bytes_ends_with(stem, suffix);
  if (file) stem.len -= suffix.len;
  for (size_t i = 0; i < option_table_size; i++) {
    const struct option *row = &option_table[i];
    if (!row->variable) continue;
    if (strcmp(row->variable, name) == 0) return true;
    if (file && row->secret && bytes_equal(bytes_of(row->variable), stem)) return true;
  }
  for (size_t i = 0; i < OTHER_VARIABLES; i++)
    if (strcmp(other_variables[i], name) == 0) return true;
  return false;
}

static const char *nearest(const char *name) {
  struct suggest s = {.word = name};
  for (size_t i = 0; i < option_table_size; i++)
    if (option_table[i].variable) suggest_offer(&s, option_table[i].variable);
  for (size_t i = 0; i < OTHER_VARIABLES; i++) suggest_offer(&s, other_variables[i]);
  return s.best;
}

void doctor_check_environment(const struct findings *to) {
  char name[NAME_SIZE], fix[2 * NAME_SIZE];
  size_t unknown = 0;
  for (char **variable = environ; *variable; variable++) {
    if (strncmp(*variable, "ARAGORA_", 8) != 0) continue;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(*variable, "="), *variable);
    if (is_known(name)) continue;
    const char *best = nearest(name);
    unknown++;
    snprintf(fix, sizeof fix, "did you mean %s?", best ? best : "");
    finding_tell(to, FINDING_WARN, "environment", best ? fix : "unset it",
                 "%s is set, and nothing reads it", name);
  }
  if (!unknown)
    finding_tell(to, FINDING_OK, "environment", NULL,
                 "every ARAGORA_ variable is one of an option");
}

/* ---- keys ---- */

struct keys {
  const struct findings *to;
  const char *seen[256];
  size_t seen_count;
  size_t wrong;
  struct buffer present;
};

static void look_at_key(struct keys *k, const char *name) {
  char *secret = NULL;
  struct error err = {0};
  if (!name) return;
  for (size_t i = 0; i < k->seen_count; i++)
    if (strcmp(k->seen[i], name) == 0) return;
  if (k->seen_count < sizeof k->seen / sizeof *k->seen) k->seen[k->seen_count++] = name;
  if (secret_read(name, &secret, &err)) {
    k->wrong++;
    finding_tell(k->to, FINDING_FAIL, "keys", "chmod 0600 and chown it, or unset the variable",
                 "%s", err.message);
  } else if (secret) {
    buffer_printf(&k->present, "%s%s", k->present.len ? ", " : "", name);
  }
  secret_free(secret);
}

bool doctor_check_keys(const struct options *options, const struct findings *to) {
  struct keys k = {.to = to};
  buffer_init(&k.present, LIST_MAX);
  for (size_t i = 0; i < agents_builtin_count; i++)
    for (int n = 0; n < 2; n++) look_at_key(&k, agents_builtin[i].key_variables[n]);
  if (k.present.len)
    finding_tell(to, FINDING_OK, "keys", NULL, "set: %s", k.present.ptr);
  else if (!k.wrong)
    finding_tell(to, strcmp(options->env, "production") == 0 ? FINDING_FAIL : FINDING_WARN, "keys",
                 "set ANTHROPIC_API_KEY or OPENAI_API_KEY, or the _FILE that holds it",
                 "no provider's key is set: demo agents answer, which means nothing");
  buffer_done(&k.present);
  return k.wrong == 0;
}

/* ---- agents ---- */

static void tell_panel(const struct agent_table *table, const struct options *options,
                       const struct findings *to) {
  const struct agent_binding *panel[DEBATE_AGENTS_MAX];
  BUFFER_LATER struct buffer names;
  struct error err = {0};
  int seats = 0;
  size_t available = 0;
  buffer_init(&names, LIST_MAX);
  if (panel_default(table, options, panel, &seats, &err)) {
    finding_tell(to, FINDING_FAIL, "agents", "name agents that can be asked", "%s", err.message);
    return;
  }
  for (size_t i = 0; i < table->count; i++) available += table->agents[i].available;
  for (int i = 0; i < seats; i++) buffer_printf(&names, "%s%s", i ? ", " : "", panel[i]->type);
  finding_tell(to, FINDING_OK, "agents", NULL, "%zu of %zu can be asked; a debate seats %s",
               available, table->count, names.ptr ? names.ptr : "nobody");
}

void doctor_check_agents(const struct options *options, const struct findings *to) {
  struct agent_table *table = NULL;
  struct error err = {0};
  if (agents_load(options->agents_file, &table, &err)) {
    bool named = err.field[0] && !strstr(err.message, err.field);
    finding_tell(to, FINDING_FAIL, "agents", "correct the agents file or the variable", "%s%s%s",
                 named ? err.field : "", named ? ": " : "", err.message);
    return;
  }
  tell_panel(table, options, to);
  agents_free(table);
}
