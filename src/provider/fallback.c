#include "provider/fallback.h"

struct fallback fallback_of(const struct agent_table *table, const struct agent_binding *binding) {
  return (struct fallback){table, binding->fallback, binding->openrouter_model};
}

/* ---- OpenRouter ---- */

static const struct agent_binding *openrouter(const struct fallback *f) {
  return f->table && f->openrouter_model ? agents_find(f->table, BYTES_LITERAL("openrouter"))
                                         : NULL;
}

static bool is_priced_as(const struct agent_binding *row, const char *model) {
  return agent_is_priced(row) && strcmp(row->model, model) == 0;
}

bool fallback_has_openrouter(const struct fallback *f, const struct agent_binding *now,
                             bool priced) {
  const struct agent_binding *via = openrouter(f);
  return via && via->available && strcmp(via->provider, now->provider) != 0 &&
         (!priced || is_priced_as(via, f->openrouter_model));
}

struct agent_binding fallback_take_openrouter(struct fallback *f) {
  struct agent_binding binding = *openrouter(f);
  if (!is_priced_as(&binding, f->openrouter_model))
    binding.price_input_usd_micro = binding.price_output_usd_micro = -1;
  binding.model = f->openrouter_model;
  f->openrouter_model = NULL;
  return binding;
}

/* ---- the chain ---- */

/* The next agent that can be asked, NULL when none is left; *ret_rest is what then stands behind
 * it.
 */
static const struct agent_binding *next(const struct fallback *f, bool priced,
                                        const char **ret_rest) {
  const char *rest = f->chain;
  const struct agent_binding *found = NULL;
  while (f->table && rest && *rest && !found) {
    struct bytes type = bytes_until(bytes_of(rest), BYTES_LITERAL(","));
    rest += type.len + (rest[type.len] == ',');
    found = agents_find(f->table, type);
    if (found &&
        (!found->available || found->wire == WIRE_DEMO || (priced && !agent_is_priced(found))))
      found = NULL;
  }
  *ret_rest = rest;
  return found;
}

bool fallback_has_next(const struct fallback *f, bool priced) {
  const char *rest;
  return next(f, priced, &rest);
}

struct agent_binding fallback_take_next(struct fallback *f, bool priced) {
  return *next(f, priced, &f->chain);
}
