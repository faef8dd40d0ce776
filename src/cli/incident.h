/* What `aragora incident` finds out about a server that is in trouble, without its secrets and
 * without what was said in debates. Main thread; blocks.
 */
#ifndef ARAGORA_CLI_INCIDENT_H
#define ARAGORA_CLI_INCIDENT_H

#include "base/options.h"
#include "cli/remote.h"

enum { INCIDENT_FACTS_MAX = 64, INCIDENT_FACT_SIZE = 200 };

/* A line of the timeline. */
struct incident_fact {
  int64_t ms; /* Unix time */
  char text[INCIDENT_FACT_SIZE];
};

struct incident {
  const struct options *options;
  const struct remote *remote; /* NULL = its address is no address */
  int dir;                     /* where the files go */
  int64_t now_ms;
  struct incident_fact facts[INCIDENT_FACTS_MAX];
  size_t fact_count;
  struct buffer unread; /* "health: cannot reach ...\n", a line for each that could not be read */
};

/* Writes health.json, metrics.txt, ..., log.jsonl, doctor.json, machine.txt into the directory, and
 * adds facts. STATUS_IO when a file cannot be written; what cannot be read is noted instead. */
MUST_CHECK enum status incident_collect(struct incident *incident, struct error *err);

/* Replaces in the text every secret that the options hold or this process's environment names.
 * Overflow is checked by the caller. */
void incident_redact(const struct options *options, struct buffer *out, struct bytes text);
/* Replaces the values of members that may hold what was said in a debate, at any depth. */
void incident_leave_out_texts(json_t *value);

#endif
