#include "provider/rate_headers.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

enum { COUNT_DIGITS_MAX = 15 }; /* fits any integer type with room to spare */

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/* Digits at *p into *ret_value, *p moved behind them. False: none, or too many. */
static bool take_number(const char **p, int64_t *ret_value) {
  int64_t value = 0;
  int digits = 0;
  for (; is_digit(**p); (*p)++)
    if (++digits <= COUNT_DIGITS_MAX) value = value * 10 + (**p - '0');
  *ret_value = value;
  return digits > 0 && digits <= COUNT_DIGITS_MAX;
}

static int64_t count_parse(const char *text) {
  int64_t value;
  return text && take_number(&text, &value) && !*text ? value : -1;
}

/* ---- durations ---- */

static const struct unit {
  const char *name;
  double ms;
} units[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000},       {"s", 1000},
    {"ms", 1},       {"us", 0.001},  {"\u00b5s", 0.001}, {"ns", 0.000001}, /* micro sign, as Go */
};
enum { UNIT_COUNT = sizeof units / sizeof *units };

static size_t unit_length(const char *p) {
  size_t n = 0;
  while (p[n] && p[n] != '.' && !is_digit(p[n])) n++;
  return n;
}

/* The unit at *p, at `least` or further down the table; UNIT_COUNT = none. */
static size_t take_unit(const char **p, size_t least) {
  size_t len = unit_length(*p);
  for (size_t i = least; i < UNIT_COUNT; i++) {
    if (strlen(units[i].name) != len || memcmp(units[i].name, *p, len) != 0) continue;
    *p += len;
    return i;
  }
  return UNIT_COUNT;
}

/* ".125" as 0.125; no more digits count than a double holds. */
static bool take_fraction(const char **p, double *ret_value) {
  if (**p != '.') return true;
  (*p)++;
  if (!is_digit(**p)) return false;
  double place = 0.1;
  for (; is_digit(**p); (*p)++) {
    *ret_value += (**p - '0') * place;
    place /= 10;
  }
  return true;
}

/* Rounded up, since asking too early is the mistake; a binary fraction's last bit is no reason to.
 */
static int64_t whole_ms(double ms) {
  if (ms > (double)RATE_RESET_MAX_MS) return -1;
  int64_t whole = (int64_t)ms;
  return ms - (double)whole > 1e-6 ? whole + 1 : whole;
}

int64_t rate_duration_parse(const char *text) {
  if (strcmp(text, "0") == 0) return 0;
  double ms = 0;
  size_t least = 0;
  bool last = false;
  const char *p = text;
  do {
    int64_t number;
    double fraction = 0;
    if (last || !take_number(&p, &number)) return -1;
    last = *p == '.';
    if (!take_fraction(&p, &fraction)) return -1;
    size_t unit = take_unit(&p, least);
    if (unit == UNIT_COUNT) return -1;
    ms += ((double)number + fraction) * units[unit].ms;
    least = unit + 1;
  } while (*p);
  return whole_ms(ms);
}

/* ---- moments ---- */

/* `pattern` has a 'd' for a digit; a 'T' or 'Z' stands for itself in either case (RFC 3339, 5.6).
 */
static bool take_pattern(const char **p, const char *pattern) {
  for (; *pattern; pattern++, (*p)++) {
    char c = **p;
    if (*pattern == 'd' ? !is_digit(c) : c != *pattern && !(*pattern == 'T' && c == 't'))
      return false;
  }
  return true;
}

static int two_digits(const char *p) {
  return (p[0] - '0') * 10 + (p[1] - '0');
}

/* "Z", "+hh:mm" or "-hh:mm", and the end of the text. */
static bool read_offset(const char *p, int64_t *ret_offset_s) {
  *ret_offset_s = 0;
  if (*p == 'Z' || *p == 'z') return p[1] == '\0';
  if (*p != '+' && *p != '-') return false;
  const char *end = p + 1;
  if (!take_pattern(&end, "dd:dd") || *end) return false;
  int hours = two_digits(p + 1), minutes = two_digits(p + 4);
  if (hours > 23 || minutes > 59) return false;
  *ret_offset_s = (*p == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
  return true;
}

/* A day that its month does not have comes out of timegm as another one. */
static bool read_date(const char *p, int64_t *ret_unix_s) {
  struct tm tm = {
      .tm_year = two_digits(p) * 100 + two_digits(p + 2) - 1900,
      .tm_mon = two_digits(p + 5) - 1,
      .tm_mday = two_digits(p + 8),
      .tm_hour = two_digits(p + 11),
      .tm_min = two_digits(p + 14),
  };
  int second = two_digits(p + 17); /* 60: a leap second */
  int month = tm.tm_mon, day = tm.tm_mday;
  if (tm.tm_hour > 23 || tm.tm_min > 59 || second > 60) return false;
  *ret_unix_s = (int64_t)timegm(&tm) + second;
  return tm.tm_mon == month && tm.tm_mday == day;
}

int64_t rate_moment_parse(const char *text, int64_t wall_ms) {
  const char *p = text;
  int64_t unix_s, offset_s;
  double fraction = 0;
  if (!take_pattern(&p, "dddd-dd-ddTdd:dd:dd") || !take_fraction(&p, &fraction)) return -1;
  if (!read_date(text, &unix_s) || !read_offset(p, &offset_s)) return -1;
  int64_t until_ms = (unix_s - offset_s) * 1000 + whole_ms(fraction * 1000) - wall_ms;
  if (until_ms > RATE_RESET_MAX_MS) return -1;
  return until_ms > 0 ? until_ms : 0;
}

/* ---- headers ---- */

/* Where one vendor family writes one window. */
struct place {
  const char *limit, *remaining, *reset;
  bool moment; /* reset is a moment, not a duration */
};

static const struct place request_places[] = {
    {"x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests",
     false},
    {"anthropic-ratelimit-requests-limit", "anthropic-ratelimit-requests-remaining",
     "anthropic-ratelimit-requests-reset", true},
};
static const struct place token_places[] = {
    {"x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens", false},
    {"anthropic-ratelimit-tokens-limit", "anthropic-ratelimit-tokens-remaining",
     "anthropic-ratelimit-tokens-reset", true},
    {"anthropic-ratelimit-input-tokens-limit", "anthropic-ratelimit-input-tokens-remaining",
     "anthropic-ratelimit-input-tokens-reset", true},
};

static const struct rate_window nothing = {-1, -1, -1};

/* A window whose limit is sent as 0 or less, Azure's way to say nothing, or as no number at all:
 * its other values are of no more worth. */
static struct rate_window read_place(const struct place *place,
                                     const char *(*find)(void *ctx, const char *name), void *ctx,
                                     int64_t wall_ms) {
  const char *limit = find(ctx, place->limit);
  struct rate_window window = {count_parse(limit), count_parse(find(ctx, place->remaining)), -1};
  if (limit && window.limit <= 0) return nothing;
  const char *reset = find(ctx, place->reset);
  if (reset)
    window.reset_ms =
        place->moment ? rate_moment_parse(reset, wall_ms) : rate_duration_parse(reset);
  return window;
}

static struct rate_window read_window(const struct place *places, size_t count,
                                      const char *(*find)(void *ctx, const char *name), void *ctx,
                                      int64_t wall_ms) {
  for (size_t i = 0; i < count; i++) {
    struct rate_window window = read_place(&places[i], find, ctx, wall_ms);
    if (window.limit >= 0 || window.remaining >= 0 || window.reset_ms >= 0) return window;
  }
  return nothing;
}

void rate_headers_read(const char *(*find)(void *ctx, const char *name), void *ctx, int64_t wall_ms,
                       struct rate_headers *ret_headers) {
  ret_headers->requests = read_window(
      request_places, sizeof request_places / sizeof *request_places, find, ctx, wall_ms);
  ret_headers->tokens =
      read_window(token_places, sizeof token_places / sizeof *token_places, find, ctx, wall_ms);
}
