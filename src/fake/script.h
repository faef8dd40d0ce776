/* The script of a game day: rules that say which requests get which fault, delay or words.
 *
 *   {"rules": [{"match": {"path": "/v1/messages", "model": "...", "kind": "proposal",
 *                         "prompt_contains": "...", "nth": 3, "every": 10},
 *               "fault": "status-529", "latency_ms": 500, "token_rate": 20, "reply": "text",
 *               "echo_key": true, "times": 1}]}
 *
 * The first rule that matches and is not used up applies. Loop thread.
 */
#ifndef ARAGORA_FAKE_SCRIPT_H
#define ARAGORA_FAKE_SCRIPT_H

#include "fake/fault.h"
#include "fake/question.h"

enum { SCRIPT_BYTES_MAX = 1024 * 1024, SCRIPT_RULES_MAX = 256 };

struct script;

struct script_rule {
  char *path;                /* a part of the path, or NULL = any */
  char *model;               /* whole name */
  char *kind;                /* "proposal", ...; "" = a free request */
  char *prompt_contains;     /* a part of all words */
  int64_t nth, every;        /* of the requests that match the rest; 0 = all */
  const struct fault *fault; /* NULL = as without the rule */
  int64_t latency_ms;        /* -1 = as without the rule */
  int64_t token_rate;        /* -1 = as without the rule */
  char *reply;               /* literal text, or NULL */
  bool echo_key;             /* headers and an error's words repeat the client's key */
  int64_t times;             /* applies so often; 0 = always */
  int64_t matched, applied;
};

/* STATUS_INVALID names the field: an unknown one, a wrong type, a fault that is not in the table.
 */
MUST_CHECK enum status script_parse(struct bytes text, struct script **ret_script,
                                    struct error *err);
void script_destroy(struct script *script); /* NULL is fine */
int script_rule_count(const struct script *script);

/* The rule for this question, counted, or NULL. `script` may be NULL. */
const struct script_rule *script_find(struct script *script, struct bytes path,
                                      const struct question *q);

#endif
