/* What a person asks for with `aragora ask`, as the body of POST /api/debates: the same checks and
 * the same words for a debate here and for one on a server. Main thread.
 */
#ifndef ARAGORA_CLI_QUESTION_H
#define ARAGORA_CLI_QUESTION_H

#include "base/json.h"

struct question {
  const char *text;    /* "-" = standard input */
  const char *context; /* NULL, text, "@file" or "-" = standard input */
  const char *agents;  /* comma list, or NULL */
  const char *consensus, *mode, *topology;
  const char *seed;      /* decimal text, or NULL */
  int64_t rounds;        /* -1 = default */
  double threshold;      /* -1 = default */
  double budget_usd;     /* -1 = none */
  int64_t budget_tokens; /* 0 = none */
  bool allow_unknown_price;
  int64_t deadline_s; /* -1 = default */
  bool demo;
};

/* STATUS_INVALID names the flag, STATUS_IO a file that cannot be read. */
MUST_CHECK enum status question_body(const struct question *q, json_t **ret_body,
                                     struct error *err);

/* The flag that set the body's field ("rounds" -> "--rounds"), or the field itself. */
const char *question_flag_of(const char *field);

#endif
