/* What a check of the installation says: one line, and how to put it right. */
#ifndef ARAGORA_OPS_FINDING_H
#define ARAGORA_OPS_FINDING_H

#include "base/bytes.h"

enum finding_level { FINDING_OK, FINDING_WARN, FINDING_FAIL };

struct finding {
  enum finding_level level;
  const char *check; /* "disk": one word, which scripts may rely on */
  const char *what;  /* one line */
  const char *fix;   /* one line, or NULL */
};

/* Whom it is told; the texts are valid during the call. */
typedef void finding_fn(void *ctx, const struct finding *finding);
struct findings {
  finding_fn *each;
  void *ctx;
};

/* Tells one; `fix` may be NULL. A text over 2 KiB is cut. */
void finding_tell(const struct findings *to, enum finding_level level, const char *check,
                  const char *fix, const char *format, ...) PRINTF_LIKE(5, 6);

#endif
