/* Replies without a model: a JSON text that obeys the schema of a turn, made from the words of its
 * prompt. The demo agents answer with it, and the fake provider server serves it.
 *
 * Deterministic: the same input gives the same bytes on every machine. The schema is walked
 * generically, so a new property gets a value of its type; properties that a debate knows (answer,
 * items, ranking, ...) get sensible ones. Pure; any thread.
 */
#ifndef ARAGORA_PROVIDER_SCRIPTED_REPLY_H
#define ARAGORA_PROVIDER_SCRIPTED_REPLY_H

#include "base/bytes.h"

enum scripted_change {
  SCRIPTED_CHANGE_AS_CRITIQUED, /* some personas give in to a grave item, others hold */
  SCRIPTED_CHANGE_ALWAYS,       /* every revision brings another answer */
  SCRIPTED_CHANGE_NEVER,
};

struct scripted_options {
  int persona;                 /* which voice: 0, 1, 2, ... (repeats after SCRIPTED_PERSONAS) */
  int words;                   /* words of an answer, about; 0 = as long as it comes */
  int64_t severity_ppm;        /* of critiques; -1 = each persona's own */
  enum scripted_change change; /* in revisions */
  const char *answer_key;      /* instead of the persona's own position, or NULL */
  const char *label;           /* begins every answer, "[demo] ", or NULL for none */
};

enum { SCRIPTED_PERSONAS = 4, SCRIPTED_WORDS_MAX = 20000 };

#define SCRIPTED_OPTIONS_DEFAULT ((struct scripted_options){.severity_ppm = -1})

/* "an advocate", "a sceptic", ...; never NULL. */
const char *scripted_persona_name(int persona);

/* `schema_name` is "proposal", "critique", "revision", "ballot" or "judgment", or NULL: then it is
 * recognised by the schema's properties. `prompt` is all the words of the request in order (system,
 * prefix, prompt). *ret_text is allocated, NUL-terminated, valid JSON and UTF-8. STATUS_INVALID
 * when the schema is not a JSON object. */
MUST_CHECK enum status scripted_reply_make(const char *schema_name, struct bytes schema,
                                           struct bytes prompt,
                                           const struct scripted_options *options, char **ret_text);

#endif
