#include "provider/standins.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

static bool same_key(const struct agent_binding *a, const struct agent_binding *b) {
  const char *one = a->key_variable, *other = b->key_variable;
  return one && other ? strcmp(one, other) == 0 : one == other;
}

static bool same_service(const struct agent_binding *a, const struct agent_binding *b) {
  return strcmp(a->provider, b->provider) == 0 && strcmp(a->model, b->model) == 0 && same_key(a, b);
}

/* Whether a row of the table, or one that stands in already, is this very service. */
static bool is_known(const struct agent_table *table, const struct standins *standins,
                     const struct agent_binding *binding) {
  for (size_t i = 0; i < table->count; i++)
    if (table->agents[i].wire != WIRE_DEMO && same_service(&table->agents[i], binding)) return true;
  for (size_t i = 0; i < standins->count; i++)
    if (same_service(&standins->list[i].binding, binding)) return true;
  return false;
}

static void add(struct standins *standins, const struct agent_binding *binding) {
  struct standin *s = &standins->list[standins->count++];
  snprintf(s->name, sizeof s->name, "%s/%s", binding->provider, binding->model);
  s->binding = *binding;
  s->binding.type = s->name;
}

enum status standins_make(const struct agent_table *table, struct standins *ret_standins) {
  struct standins standins = {0};
  const struct agent_binding *via = table ? agents_find(table, BYTES_LITERAL("openrouter")) : NULL;
  if (via && via->available) {
    standins.list = calloc(table->count, sizeof *standins.list);
    if (!standins.list) return STATUS_NOMEM;
    for (size_t i = 0; i < table->count; i++) {
      struct agent_binding binding = *via;
      binding.model = table->agents[i].openrouter_model;
      if (binding.model && !is_known(table, &standins, &binding)) add(&standins, &binding);
    }
  }
  *ret_standins = standins;
  return STATUS_OK;
}

void standins_done(struct standins *standins) {
  free(standins->list);
  *standins = (struct standins){0};
}

const struct agent_binding *standins_find(const struct standins *standins, const char *name) {
  for (size_t i = 0; i < standins->count; i++)
    if (strcasecmp(standins->list[i].name, name) == 0) return &standins->list[i].binding;
  return NULL;
}
