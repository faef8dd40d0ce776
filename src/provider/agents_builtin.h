/* The rows that agents.c starts from. */
#ifndef ARAGORA_PROVIDER_AGENTS_BUILTIN_H
#define ARAGORA_PROVIDER_AGENTS_BUILTIN_H

#include "provider/agents.h"

struct agent_builtin {
  const char *type, *provider, *model;
  enum wire_format wire;
  const char *base_url;
  const char *base_variable;
  const char *key_variables[2];
  unsigned quirks;
  int64_t context_tokens, output_tokens_max;
  int64_t price_input_usd_micro, price_output_usd_micro;
  bool seat;
  int local_port;               /* of a server on a host that base_variable names; 0 = not local */
  const char *local_path;       /* appended to that host */
  const char *model_variable;   /* local servers: which model is loaded */
  const char *openrouter_model; /* the same model there; or NULL */
  bool reroute;                 /* reached there when the vendor's own key is missing */
};

struct agent_alias {
  const char *alias, *type;
};

/* In the order of the default panel; the rows of one provider follow one another. */
extern const struct agent_builtin agents_builtin[];
extern const size_t agents_builtin_count;
extern const struct agent_alias agents_aliases[];
extern const size_t agents_aliases_count;

#endif
