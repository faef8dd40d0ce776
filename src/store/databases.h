/* Which of the two databases, for work on one of them as a file. */
#ifndef ARAGORA_STORE_DATABASES_H
#define ARAGORA_STORE_DATABASES_H

#include "base/bytes.h"

enum database { DATABASE_MEMORY, DATABASE_ELO };
enum { DATABASES = DATABASE_ELO + 1 };

const char *databases_name(enum database database); /* "memory", "elo" */

#endif
