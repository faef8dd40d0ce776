/* Work that may take long and shall not be felt: on a thread of its own with the least priority
 * that still gets on (nice 19). The caller waits for it. A nice value cannot be taken back without
 * rights, hence the thread. */
#ifndef ARAGORA_OPS_BACKGROUND_H
#define ARAGORA_OPS_BACKGROUND_H

#include "base/status.h"

/* The answer of fn(arg, err), or STATUS_IO when no thread can be had. */
MUST_CHECK enum status background_run(enum status (*fn)(void *arg, struct error *err), void *arg,
                                      struct error *err);

#endif
