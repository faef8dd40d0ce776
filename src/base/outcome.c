#include "base/outcome.h"

#include <stddef.h>
#include <string.h>

static const char *const names[] = {
    [OUTCOME_OK] = "ok",
    [OUTCOME_TIMEOUT] = "timeout",
    [OUTCOME_RATE_LIMITED] = "rate_limited",
    [OUTCOME_OVERLOADED] = "overloaded",
    [OUTCOME_AUTH] = "auth",
    [OUTCOME_QUOTA] = "quota",
    [OUTCOME_INVALID_REQUEST] = "invalid_request",
    [OUTCOME_REFUSED] = "refused",
    [OUTCOME_EMPTY] = "empty",
    [OUTCOME_MALFORMED] = "malformed",
    [OUTCOME_UNAVAILABLE] = "unavailable",
    [OUTCOME_CANCELLED] = "cancelled",
    [OUTCOME_BUDGET] = "budget",
    [OUTCOME_UNKNOWN] = "unknown",
};

enum { NAME_COUNT = sizeof names / sizeof *names };

const char *outcome_name(enum outcome outcome) {
  return (size_t)outcome < NAME_COUNT ? names[outcome] : "unknown";
}

enum outcome outcome_parse(const char *name) {
  for (size_t i = 0; name && i < NAME_COUNT; i++)
    if (strcmp(names[i], name) == 0) return (enum outcome)i;
  return OUTCOME_UNKNOWN;
}
