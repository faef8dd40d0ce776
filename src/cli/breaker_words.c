#include "cli/breaker_words.h"

#include <math.h>
#include <string.h>

static long long whole_seconds(const json_t *entry, const char *name) {
  double seconds = json_number_value(json_object_get(entry, name));
  return seconds > 0 && seconds < 1e9 ? (long long)ceil(seconds) : 0;
}

void breaker_words_append(struct buffer *out, const json_t *entry) {
  const char *state = json_get_text(entry, "status", "unknown");
  long long limited = whole_seconds(entry, "rate_limited_remaining");
  buffer_append_text(out, state);
  if (strcmp(state, "open") == 0)
    buffer_printf(out, ", may be asked again in %lld s",
                  whole_seconds(entry, "cooldown_remaining"));
  else if (json_get_bool(entry, "trial", false))
    buffer_append_text(out, ", its trial is under way");
  else if (limited)
    buffer_printf(out, ", rate limited for %lld s", limited);
  else if (strcmp(state, "half-open") == 0)
    buffer_append_text(out, ", the next call is its trial");
  if (json_object_get(entry, "misconfigured")) buffer_append_text(out, ", misconfigured");
}
