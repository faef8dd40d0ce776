#include "ops/finding.h"

#include <stdarg.h>
#include <stdio.h>

enum { WHAT_MAX = 2048 };

void finding_tell(const struct findings *to, enum finding_level level, const char *check,
                  const char *fix, const char *format, ...) {
  char what[WHAT_MAX];
  va_list args;
  va_start(args, format);
  vsnprintf(what, sizeof what, format, args);
  va_end(args);
  to->each(to->ctx, &(struct finding){level, check, what, fix});
}
