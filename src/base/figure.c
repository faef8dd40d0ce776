#include "base/figure.h"

#include <math.h>
#include <stdio.h>

static int64_t millionths(const json_t *number) {
  double value = json_number_value(number);
  return json_is_number(number) && value >= 0 && value < 1e12 ? llround(value * 1e6) : -1;
}

int64_t figure_ppm(const json_t *object, const char *name) {
  return millionths(json_object_get(object, name));
}

int64_t figure_usd_micro(const json_t *object, const char *name) {
  return millionths(json_object_get(object, name));
}

void figure_append_percent(struct buffer *out, int64_t ppm) {
  buffer_printf(out, "%lld %%", (long long)(ppm / 10000));
}

void figure_append_share(struct buffer *out, int64_t ppm) {
  buffer_printf(out, "%lld.%02lld", (long long)(ppm / 1000000), (long long)(ppm % 1000000 / 10000));
}

void figure_append_count(struct buffer *out, int64_t count) {
  char digits[32];
  int len = snprintf(digits, sizeof digits, "%lld", (long long)count);
  for (int i = 0; i < len; i++) {
    if (i > 0 && (len - i) % 3 == 0 && digits[i - 1] != '-') buffer_append_char(out, ',');
    buffer_append_char(out, digits[i]);
  }
}

void figure_append_money(struct buffer *out, int64_t usd_micro) {
  if (usd_micro < 0)
    buffer_append_text(out, "price unknown");
  else if (usd_micro == 0)
    buffer_append_text(out, "$0");
  else if (usd_micro >= 1000000)
    buffer_printf(out, "$%lld.%02lld", (long long)(usd_micro / 1000000),
                  (long long)(usd_micro % 1000000 / 10000));
  else if (usd_micro < 100)
    buffer_append_text(out, "< $0.0001");
  else
    buffer_printf(out, "$0.%04lld", (long long)(usd_micro / 100));
}

void figure_append_bytes(struct buffer *out, int64_t bytes) {
  if (bytes < 1024)
    buffer_printf(out, "%lld bytes", (long long)bytes);
  else if (bytes < 1024 * 1024)
    buffer_printf(out, "%lld KiB", (long long)(bytes / 1024));
  else if (bytes < 1024LL * 1024 * 1024)
    buffer_printf(out, "%.1f MiB", (double)bytes / (1 << 20));
  else
    buffer_printf(out, "%.1f GiB", (double)bytes / (1 << 30));
}

void figure_append_duration(struct buffer *out, int64_t ms) {
  if (ms < 1000)
    buffer_printf(out, "%lld ms", (long long)ms);
  else if (ms < 60000)
    buffer_printf(out, "%lld.%lld s", (long long)(ms / 1000), (long long)(ms % 1000 / 100));
  else
    buffer_printf(out, "%lld min %02lld s", (long long)(ms / 60000),
                  (long long)(ms % 60000 / 1000));
}

void figure_append_ago(struct buffer *out, int64_t ms) {
  int64_t minutes = ms / 60000;
  if (minutes < 1)
    buffer_append_text(out, "just now");
  else if (minutes < 60)
    buffer_printf(out, "%lld min ago", (long long)minutes);
  else if (minutes < 48 * 60)
    buffer_printf(out, "%lld h ago", (long long)(minutes / 60));
  else
    buffer_printf(out, "%lld days ago", (long long)(minutes / (24 * 60)));
}
