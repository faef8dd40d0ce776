#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const status_names[] = {
    [STATUS_OK] = "OK",
    [STATUS_NOMEM] = "NOMEM",
    [STATUS_INVALID] = "INVALID",
    [STATUS_NOT_JSON] = "NOT_JSON",
    [STATUS_NOT_FOUND] = "NOT_FOUND",
    [STATUS_CONFLICT] = "CONFLICT",
    [STATUS_TOO_LARGE] = "TOO_LARGE",
    [STATUS_FULL] = "FULL",
    [STATUS_NO_SPACE] = "NO_SPACE",
    [STATUS_IO] = "IO",
    [STATUS_CORRUPT] = "CORRUPT",
    [STATUS_UNSUPPORTED] = "UNSUPPORTED",
    [STATUS_TIMEOUT] = "TIMEOUT",
    [STATUS_CANCELLED] = "CANCELLED",
    [STATUS_DENIED] = "DENIED",
    [STATUS_EXHAUSTED] = "EXHAUSTED",
    [STATUS_LIMITED] = "LIMITED",
    [STATUS_QUOTA] = "QUOTA",
    [STATUS_UNAVAILABLE] = "UNAVAILABLE",
    [STATUS_INTERNAL] = "INTERNAL",
};

const char *status_name(enum status status) {
  size_t i = (size_t)status;
  return i < sizeof status_names / sizeof *status_names ? status_names[i] : "INTERNAL";
}

enum status error_set(struct error *err, enum status status, const char *field, const char *format,
                      ...) {
  if (!err) return status;
  err->status = status;
  err->retry_after_s = 0;
  snprintf(err->field, sizeof err->field, "%s", field ? field : "");
  va_list args;
  va_start(args, format);
  vsnprintf(err->message, sizeof err->message, format, args);
  va_end(args);
  for (char *p = err->message; *p; p++)
    if ((unsigned char)*p < 0x20 || *p == 0x7f) *p = ' ';
  return status;
}
