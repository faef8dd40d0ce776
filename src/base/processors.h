/* How much this machine can do at once. */
#ifndef ARAGORA_BASE_PROCESSORS_H
#define ARAGORA_BASE_PROCESSORS_H

#include <stddef.h>

/* The processors that are online (sysconf(3)), 1 when that is not known. Any thread. */
size_t processors_online(void);

#endif
