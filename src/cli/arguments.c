#include "cli/arguments.h"

#include "cli/suggest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int arguments_wrong(const struct command *command, const char *format, ...) {
  va_list args;
  va_start(args, format);
  fprintf(stderr, "aragora %s: ", command->name);
  vfprintf(stderr, format, args);
  fprintf(stderr, "\nTry \"aragora help %s\".\n", command->name);
  va_end(args);
  return CLI_USAGE;
}

bool arguments_takes_option(const struct command *command, const struct option *row) {
  if (!command->options || !row->flag) return false;
  if (command->options == command_all_options) return true;
  /* Whoever takes options takes them from files too. */
  if (strcmp(row->flag, "--config") == 0 || strcmp(row->flag, "--env-file") == 0) return true;
  for (const char *const *o = command->options; *o; o++)
    if (strcmp(*o, row->flag) == 0) return true;
  return false;
}

/* ---- values ---- */

static bool set_count(const struct command *c, const struct flag *flag, const char *text,
                      int64_t *field) {
  char *end;
  errno = 0;
  long long value = strtoll(text, &end, 10);
  if (errno || !*text || *end || value < flag->min || value > flag->max) {
    arguments_wrong(c, "%s must be a whole number from %lld to %lld, not \"%.64s\"", flag->name,
                    (long long)flag->min, (long long)flag->max, text);
    return false;
  }
  *field = value;
  return true;
}

static bool set_number(const struct command *c, const struct flag *flag, const char *text,
                       double *field) {
  char *end;
  double value = strtod(text, &end);
  double min = flag->type == FLAG_SHARE ? 0.5 : (double)flag->min, max = (double)flag->max;
  /* Written so that "nan" is refused too. */
  bool fits = value >= min && value <= max;
  if (!*text || *end || !fits) {
    arguments_wrong(c, "%s must be a number from %.15g to %.15g, not \"%.64s\"", flag->name, min,
                    max, text);
    return false;
  }
  *field = value;
  return true;
}

static bool set_flag(const struct command *c, const struct flag *flag, const char *text,
                     void *values) {
  void *field = (char *)values + flag->offset;
  switch (flag->type) {
    case FLAG_SWITCH: *(bool *)field = true; return true;
    case FLAG_TEXT: *(const char **)field = text; return true;
    case FLAG_COUNT: return set_count(c, flag, text, field);
    case FLAG_NUMBER:
    case FLAG_SHARE: return set_number(c, flag, text, field);
  }
  return false;
}

/* ---- flags ---- */

struct reader {
  const struct command *command;
  int argc;
  char **argv;
  int at;
  void *values;
  struct options *options;
};

static const struct flag *find_flag(const struct command *c, const char *name, size_t len,
                                    char letter) {
  for (const struct flag *f = c->flags; f && f->name; f++) {
    if (letter && f->letter == letter) return f;
    if (!letter && strlen(f->name) == len && memcmp(f->name, name, len) == 0) return f;
  }
  return NULL;
}

/* The value behind a flag: `attached` ("--x=value", "-xvalue") or the next argument. NULL after a
 * complaint. "--db-path --dev" is a forgotten value; "-" and "-5" are values. */
static const char *value_of(struct reader *r, const struct flag *flag, const char *attached) {
  const char *next = r->at + 1 < r->argc ? r->argv[r->at + 1] : NULL;
  if (attached) return attached;
  if (next && strncmp(next, "--", 2) != 0) {
    r->at++;
    return next;
  }
  arguments_wrong(r->command, "%s needs a value (%s)", flag->name, flag->meta);
  return NULL;
}

static bool complain_unknown(struct reader *r, const char *arg) {
  char word[64];
  snprintf(word, sizeof word, "%.*s", (int)strcspn(arg, "="), arg);
  struct suggest s = {.word = word};
  for (const struct flag *f = r->command->flags; f && f->name; f++) suggest_offer(&s, f->name);
  for (size_t i = 0; i < option_table_size; i++)
    if (arguments_takes_option(r->command, &option_table[i]))
      suggest_offer(&s, option_table[i].flag);
  if (s.best)
    arguments_wrong(r->command, "unknown flag %s; did you mean %s?", word, s.best);
  else
    arguments_wrong(r->command, "unknown flag %s", word);
  return false;
}

static bool read_option(struct reader *r, const char *arg) {
  size_t len = strcspn(arg, "=");
  for (size_t i = 0; i < option_table_size; i++) {
    const struct option *row = &option_table[i];
    if (!arguments_takes_option(r->command, row) || strlen(row->flag) != len ||
        memcmp(row->flag, arg, len) != 0)
      continue;
    struct error err = {0};
    if (options_set_flag(r->options, r->argc, r->argv, &r->at, &err) == STATUS_OK) return true;
    arguments_wrong(r->command, "%s", err.message);
    return false;
  }
  return complain_unknown(r, arg);
}

static bool read_long(struct reader *r, const char *arg) {
  size_t len = strcspn(arg, "=");
  const struct flag *flag = find_flag(r->command, arg, len, 0);
  if (!flag) return read_option(r, arg);
  const char *attached = arg[len] ? arg + len + 1 : NULL;
  if (flag->type == FLAG_SWITCH && attached) {
    arguments_wrong(r->command, "%s takes no value", flag->name);
    return false;
  }
  const char *value = flag->type == FLAG_SWITCH ? "" : value_of(r, flag, attached);
  return value && set_flag(r->command, flag, value, r->values);
}

/* "-q", "-qv", "-r3", "-r 3" */
static bool read_letters(struct reader *r, const char *arg) {
  for (const char *p = arg + 1; *p; p++) {
    const struct flag *flag = find_flag(r->command, NULL, 0, *p);
    if (!flag) {
      arguments_wrong(r->command, "unknown flag -%c", *p >= ' ' && *p <= '~' ? *p : '?');
      return false;
    }
    if (flag->type == FLAG_SWITCH) {
      set_flag(r->command, flag, "", r->values);
      continue;
    }
    const char *value = value_of(r, flag, p[1] ? p + 1 : NULL);
    return value && set_flag(r->command, flag, value, r->values);
  }
  return true;
}

static bool take_positional(struct reader *r, struct arguments *a, const char *arg) {
  if (a->count == ARGUMENTS_POSITIONAL_MAX) {
    arguments_wrong(r->command, "too many arguments; is the question in quotation marks?");
    return false;
  }
  a->positional[a->count++] = arg;
  return true;
}

bool arguments_read(const struct command *command, int argc, char **argv, void *values,
                    struct options *options, struct arguments *ret_arguments) {
  struct reader r = {command, argc, argv, 1, values, options};
  bool only_positional = false;
  *ret_arguments = (struct arguments){.count = 0};
  for (; r.at < argc; r.at++) {
    const char *arg = argv[r.at];
    bool ok = true;
    if (only_positional || arg[0] != '-' || !arg[1])
      ok = take_positional(&r, ret_arguments, arg);
    else if (strcmp(arg, "--") == 0)
      only_positional = true;
    else
      ok = arg[1] == '-' ? read_long(&r, arg) : read_letters(&r, arg);
    if (!ok) return false;
  }
  return true;
}
