#include "base/clock.h"

#include <time.h>

static int64_t system_wall_ms(void *ctx) {
  (void)ctx;
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t system_mono_us(void *ctx) {
  (void)ctx;
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

const struct clock clock_system = {system_wall_ms, system_mono_us, NULL};

/* `count` decimal digits of `value`; snprintf takes ten times as long, and each event of a log is
 * shown with its time. */
static char *put_digits(char *out, int64_t value, int count) {
  for (int i = count - 1; i >= 0; i--, value /= 10) out[i] = (char)('0' + value % 10);
  return out + count;
}

void clock_format_iso(int64_t wall_ms, char out[CLOCK_ISO_SIZE]) {
  /* Bounded to the years 0..9999 so that the text always fits. */
  if (wall_ms < 0) wall_ms = 0;
  if (wall_ms > 253402300799999) wall_ms = 253402300799999;
  time_t seconds = (time_t)(wall_ms / 1000);
  struct tm tm;
  gmtime_r(&seconds, &tm);
  out = put_digits(out, tm.tm_year + 1900, 4);
  *out++ = '-';
  out = put_digits(out, tm.tm_mon + 1, 2);
  *out++ = '-';
  out = put_digits(out, tm.tm_mday, 2);
  *out++ = 'T';
  out = put_digits(out, tm.tm_hour, 2);
  *out++ = ':';
  out = put_digits(out, tm.tm_min, 2);
  *out++ = ':';
  out = put_digits(out, tm.tm_sec, 2);
  *out++ = '.';
  out = put_digits(out, wall_ms % 1000, 3);
  *out++ = 'Z';
  *out = '\0';
}

/* Exactly `count` digits at *text, which moves on. */
static bool take_digits(const char **text, int count, int *ret_value) {
  int value = 0;
  for (int i = 0; i < count; i++, ++*text) {
    if (**text < '0' || **text > '9') return false;
    value = value * 10 + (**text - '0');
  }
  *ret_value = value;
  return true;
}

static bool take(const char **text, char c) {
  if (**text != c) return false;
  ++*text;
  return true;
}

static bool take_date(const char **text, struct tm *tm) {
  if (!take_digits(text, 4, &tm->tm_year) || !take(text, '-') ||
      !take_digits(text, 2, &tm->tm_mon) || !take(text, '-') || !take_digits(text, 2, &tm->tm_mday))
    return false;
  tm->tm_year -= 1900;
  tm->tm_mon -= 1;
  return tm->tm_year >= 70 && tm->tm_mon >= 0 && tm->tm_mon < 12 && tm->tm_mday >= 1;
}

/* ":ss" and a fraction, of which the first three digits count. */
static bool take_seconds(const char **text, struct tm *tm, int *ret_ms) {
  int scale = 100;
  *ret_ms = 0;
  if (!take(text, ':')) return true;
  if (!take_digits(text, 2, &tm->tm_sec) || tm->tm_sec > 59) return false;
  if (!take(text, '.')) return true;
  if (**text < '0' || **text > '9') return false;
  for (; **text >= '0' && **text <= '9'; ++*text, scale /= 10) *ret_ms += (**text - '0') * scale;
  return true;
}

/* In seconds. A '+' that went through a URL unescaped comes as a blank. */
static bool take_offset(const char **text, int *ret_offset) {
  int hours, minutes;
  char sign = **text;
  *ret_offset = 0;
  if (!sign || take(text, 'Z') || take(text, 'z')) return true;
  if (!take(text, '+') && !take(text, '-') && !take(text, ' ')) return false;
  if (!take_digits(text, 2, &hours) || !take(text, ':') || !take_digits(text, 2, &minutes))
    return false;
  *ret_offset = (hours * 60 + minutes) * 60;
  if (sign == '-') *ret_offset = -*ret_offset;
  return hours < 24 && minutes < 60;
}

bool clock_parse_iso(const char *text, int64_t *ret_wall_ms, bool *ret_date_only) {
  struct tm tm = {0};
  int ms = 0, offset = 0;
  if (!take_date(&text, &tm)) return false;
  bool date_only = !*text;
  if (!date_only) {
    if (!take(&text, 'T') && !take(&text, 't') && !take(&text, ' ')) return false;
    if (!take_digits(&text, 2, &tm.tm_hour) || !take(&text, ':') ||
        !take_digits(&text, 2, &tm.tm_min) || tm.tm_hour > 23 || tm.tm_min > 59)
      return false;
    if (!take_seconds(&text, &tm, &ms) || !take_offset(&text, &offset) || *text) return false;
  }
  int day = tm.tm_mday;
  time_t seconds = timegm(&tm); /* makes 2 March of 30 February */
  if (tm.tm_mday != day) return false;
  *ret_wall_ms = ((int64_t)seconds - offset) * 1000 + ms;
  *ret_date_only = date_only;
  return true;
}

void clock_cond_init(pthread_cond_t *ret_condition) {
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init(ret_condition, &monotonic);
  pthread_condattr_destroy(&monotonic);
}
