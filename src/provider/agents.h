/* The table of agents: which agent type is bound to which provider, model, base URL and key.
 *
 * Built in (agents_builtin.c) and overridable by a JSON file (--agents-file); names, models, URLs
 * and prices age in weeks, so none of them stands anywhere else in the code. A table is immutable,
 * any thread. When the server is told to read the file anew, a new table takes the place of the old
 * one, which stays until the end: whoever took a row of it may go on with that.
 */
#ifndef ARAGORA_PROVIDER_AGENTS_H
#define ARAGORA_PROVIDER_AGENTS_H

#include "base/bytes.h"

enum wire_format { WIRE_ANTHROPIC, WIRE_OPENAI, WIRE_GEMINI, WIRE_OLLAMA, WIRE_DEMO };
enum { WIRE_COUNT = WIRE_DEMO + 1 };
const char *wire_name(enum wire_format wire); /* "anthropic", "openai", ... */

/* How a provider departs from its wire format's common form. */
enum agent_quirk {
  QUIRK_MAX_TOKENS_OLD_NAME = 1 << 0, /* openai family: max_tokens, not max_completion_tokens */
  QUIRK_NO_STREAM_OPTIONS = 1 << 1,   /* refuses stream_options (Mistral) */
  QUIRK_NO_JSON_SCHEMA = 1 << 2,      /* no structured replies: asked in words */
  QUIRK_OPENROUTER_HEADERS = 1 << 3,  /* HTTP-Referer, X-OpenRouter-Title */
};

struct agent_binding {
  const char *type;     /* "openai-api": what a caller names */
  const char *provider; /* "openai": shown on the turn */
  const char *model;    /* sent on the wire */
  enum wire_format wire;
  const char *base_url; /* without a trailing slash; from the file, the environment, the table */
  const char *key;      /* the secret, or NULL when its variable is unset; never logged */
  const char *key_variable; /* "OPENAI_API_KEY", or NULL when none is needed */
  unsigned quirks;          /* enum agent_quirk */
  int64_t context_tokens;
  int64_t output_tokens_max;      /* what the model can give */
  int64_t price_input_usd_micro;  /* per million tokens; -1 = unknown */
  int64_t price_output_usd_micro; /* per million tokens; -1 = unknown */
  const char
      *openrouter_model; /* the same model there, for when the vendor is at its limit; or NULL */
  const char *fallback;  /* agent types with commas, asked in turn when it fails; or NULL */
  bool local;            /* joins only when its host variable is set (Ollama, LM Studio) */
  bool available;        /* key present, or local and its host variable set, or demo */
  bool seat;             /* may take a seat in the default panel; see agents_default_panel */
};

struct agent_table {
  struct agent_binding *agents;
  size_t count;
  char *storage;              /* owns the texts */
  struct agent_table *former; /* its owner's: the one that it took the place of, or NULL */
};

/* Builds the table: built-in rows, then `file` (may be NULL), then the environment (keys, as
 * secret_read takes them, and base URLs). STATUS_INVALID names the file's row and field, or the
 * variable. */
MUST_CHECK enum status agents_load(const char *file, struct agent_table **ret_table,
                                   struct error *err);
void agents_free(struct agent_table *table); /* and the former ones; NULL is fine */

/* Whether it is known what a token costs, in and out. */
static inline bool agent_is_priced(const struct agent_binding *binding) {
  return binding->price_input_usd_micro >= 0 && binding->price_output_usd_micro >= 0;
}

/* The row of a type, in any case of letters, or NULL. Aliases ("claude") work. */
const struct agent_binding *agents_find(const struct agent_table *table, struct bytes type);

/* The panel of a debate that names no agents, as rows of the table, in panel order, `max` at least
 * 10: never fewer than three; one provider configured: three of it; two: two of the first and one
 * of the second; three or four: one each; OpenRouter only when its key is the only one; none: four
 * demo agents and *ret_demo set. Returns the count. */
size_t agents_default_panel(const struct agent_table *table, const struct agent_binding **out,
                            size_t max, bool *ret_demo);

#endif
