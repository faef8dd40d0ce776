#include "ops/moment.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { YEAR_MIN = 1970, YEAR_MAX = 9999, SECONDS_DIGITS_MAX = 12 };

/* `count` digits at *p, which moves behind them. */
static bool take_number(const char **p, int count, int *ret_value) {
  int value = 0;
  for (int i = 0; i < count; i++) {
    char c = (*p)[i];
    if (c < '0' || c > '9') return false;
    value = value * 10 + (c - '0');
  }
  *p += count;
  *ret_value = value;
  return true;
}

static bool take_char(const char **p, const char *one_of) {
  if (!**p || !strchr(one_of, **p)) return false;
  ++*p;
  return true;
}

/* The 30th of February and 25 o'clock come back from timegm as another day. Second 60 is a leap
 * second (RFC 3339 section 5.7), which Unix time does not have. */
static bool to_seconds(const struct tm *wanted, int64_t *ret_seconds) {
  struct tm tm = *wanted;
  time_t seconds = timegm(&tm);
  if (wanted->tm_year + 1900 < YEAR_MIN || wanted->tm_year + 1900 > YEAR_MAX) return false;
  bool same = tm.tm_year == wanted->tm_year && tm.tm_mon == wanted->tm_mon &&
              tm.tm_mday == wanted->tm_mday && tm.tm_hour == wanted->tm_hour &&
              tm.tm_min == wanted->tm_min && tm.tm_sec == wanted->tm_sec;
  *ret_seconds = (int64_t)seconds;
  return same;
}

/* ".5": milliseconds, further digits cut off. */
static bool take_fraction(const char **p, int64_t *ret_ms) {
  int64_t ms = 0, unit = 100;
  *ret_ms = 0;
  if (**p != '.') return true;
  const char *digits = ++*p;
  for (; **p >= '0' && **p <= '9'; ++*p, unit /= 10) ms += (**p - '0') * unit;
  *ret_ms = ms;
  return *p > digits;
}

/* "Z", "+01:00", or nothing, which is UTC too. */
static bool take_offset(const char **p, int64_t *ret_seconds) {
  int hours, minutes;
  *ret_seconds = 0;
  if (!**p || take_char(p, "Zz")) return true;
  int sign = **p == '-' ? -1 : 1;
  if (!take_char(p, "+-") || !take_number(p, 2, &hours) || !take_char(p, ":") ||
      !take_number(p, 2, &minutes) || hours > 23 || minutes > 59)
    return false;
  *ret_seconds = sign * (hours * 3600 + minutes * 60);
  return true;
}

static bool parse_date(const char *p, int64_t *ret_ms) {
  struct tm tm = {0};
  int64_t seconds, ms, offset;
  if (!take_number(&p, 4, &tm.tm_year) || !take_char(&p, "-") || !take_number(&p, 2, &tm.tm_mon) ||
      !take_char(&p, "-") || !take_number(&p, 2, &tm.tm_mday) || !take_char(&p, "Tt ") ||
      !take_number(&p, 2, &tm.tm_hour) || !take_char(&p, ":") || !take_number(&p, 2, &tm.tm_min) ||
      !take_char(&p, ":") || !take_number(&p, 2, &tm.tm_sec))
    return false;
  tm.tm_year -= 1900;
  tm.tm_mon -= 1;
  if (!take_fraction(&p, &ms) || !take_offset(&p, &offset) || *p || !to_seconds(&tm, &seconds))
    return false;
  *ret_ms = (seconds - offset) * 1000 + ms;
  return *ret_ms >= 0;
}

static bool parse_seconds(const char *text, int64_t *ret_ms) {
  size_t digits = strspn(text, "0123456789");
  if (!digits || digits > SECONDS_DIGITS_MAX || text[digits]) return false;
  *ret_ms = strtoll(text, NULL, 10) * 1000;
  return true;
}

enum status moment_parse(const char *text, int64_t *ret_ms, struct error *err) {
  int64_t ms;
  if (!parse_seconds(text, &ms) && !parse_date(text, &ms))
    return error_set(
        err, STATUS_INVALID, NULL,
        "\"%.64s\" is no moment; write 2026-11-29T14:23:14Z, 2026-11-29 14:23:14 (UTC) "
        "or Unix seconds",
        text);
  *ret_ms = ms;
  return STATUS_OK;
}

void moment_stamp(int64_t wall_ms, char out[MOMENT_STAMP_SIZE]) {
  time_t seconds = (time_t)(wall_ms / 1000);
  struct tm tm;
  gmtime_r(&seconds, &tm);
  strftime(out, MOMENT_STAMP_SIZE, "%Y%m%dT%H%M%SZ", &tm);
}

bool moment_parse_stamp(struct bytes text, int64_t *ret_ms) {
  struct tm tm = {0};
  char copy[MOMENT_STAMP_SIZE];
  const char *p = copy;
  int64_t seconds;
  if (text.len != MOMENT_STAMP_SIZE - 1) return false;
  memcpy(copy, text.ptr, text.len);
  copy[text.len] = 0;
  if (!take_number(&p, 4, &tm.tm_year) || !take_number(&p, 2, &tm.tm_mon) ||
      !take_number(&p, 2, &tm.tm_mday) || !take_char(&p, "T") || !take_number(&p, 2, &tm.tm_hour) ||
      !take_number(&p, 2, &tm.tm_min) || !take_number(&p, 2, &tm.tm_sec) || strcmp(p, "Z") != 0)
    return false;
  tm.tm_year -= 1900;
  tm.tm_mon -= 1;
  if (!to_seconds(&tm, &seconds)) return false;
  *ret_ms = seconds * 1000;
  return true;
}
