/* process_*: what every exporter says of its process, read from /proc when asked. Any thread. */
#ifndef ARAGORA_BASE_METRICS_PROCESS_H
#define ARAGORA_BASE_METRICS_PROCESS_H

#include "base/bytes.h"

/* Appends the exposition; a series that the system does not tell is left out. */
void metrics_process_append(struct buffer *out);

#endif
