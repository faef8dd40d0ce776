#include "base/options_load.h"

#include "base/config_file.h"
#include "base/env_vars.h"
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 4096, MODE_OF_ALL = 07 };

static const char system_config[] = "/etc/aragora/aragora.conf";

struct loading {
  struct options *o;
  options_bad_fn *bad; /* or NULL */
  void *ctx;
  struct error *err;
  struct env_vars vars; /* of the environment file */
  const char *path;     /* of the file that is being read */
  mode_t mode;          /* its rights */
  bool passes_over;     /* what this user may not read and nobody named */
  bool denied;          /* the file that was read last */
};

/* ---- complaints ---- */

/* STATUS_OK when somebody was told, and loading goes on. */
static enum status complain(struct loading *l, const struct option *row, const struct error *why) {
  if (l->bad && why->status != STATUS_NOMEM) {
    l->bad(l->ctx, row, why);
    return STATUS_OK;
  }
  if (l->err) *l->err = *why;
  return why->status;
}

static enum status complain_of_line(struct loading *l, const struct option *row, const char *path,
                                    int line, const struct error *why) {
  struct error placed = {0};
  error_set(&placed, why->status, why->field, "%s:%d: %s", path, line, why->message);
  return complain(l, row, &placed);
}

/* ---- files ---- */

static enum status read_opened(struct loading *l, int fd, struct buffer *text, struct error *err) {
  struct stat st;
  char piece[16384];
  ssize_t n = 0;
  if (fstat(fd, &st) < 0)
    return error_set(err, STATUS_IO, NULL, "cannot read %s: %s", l->path, strerror(errno));
  l->mode = st.st_mode;
  while (!text->overflow && (n = read(fd, piece, sizeof piece)) > 0)
    buffer_append(text, piece, (size_t)n);
  explicit_bzero(piece, sizeof piece);
  if (n < 0) return error_set(err, STATUS_IO, NULL, "cannot read %s: %s", l->path, strerror(errno));
  if (text->overflow)
    return error_set(err, STATUS_TOO_LARGE, NULL, "%s is longer than %d bytes", l->path,
                     OPTIONS_FILE_MAX);
  if (text->len && memchr(text->ptr, 0, text->len))
    return error_set(err, STATUS_INVALID, NULL, "%s is not a text: it holds a NUL byte", l->path);
  return STATUS_OK;
}

/* A token's file counts too: whoever may not read it can still ask a server that wants none. */
static enum status pass_over(struct loading *l, const char *path, struct error *err) {
  if (l->o->config_unread || !bytes_replace(&l->o->config_unread, bytes_of(path))) return STATUS_OK;
  return error_set(err, STATUS_NOMEM, NULL, "out of memory");
}

/* STATUS_NOT_FOUND when there is none of that name. */
static enum status read_file(struct loading *l, const char *path, struct buffer *text,
                             struct error *err) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe nobody writes to is empty */
  bool none = fd < 0 && (errno == ENOENT || errno == ENOTDIR);
  l->path = path;
  l->denied = fd < 0 && errno == EACCES;
  buffer_init(text, OPTIONS_FILE_MAX);
  if (fd < 0)
    return error_set(err, none ? STATUS_NOT_FOUND : STATUS_IO, NULL, "cannot read %s: %s", path,
                     strerror(errno));
  enum status s = read_opened(l, fd, text, err);
  close(fd);
  return s;
}

static void forget_text(struct buffer *text) {
  if (text->ptr) explicit_bzero(text->ptr, text->cap);
  buffer_done(text);
}

/* ---- the environment file ---- */

static enum status take_variables(struct loading *l, struct bytes text) {
  struct env_file f = {.rest = text};
  enum status s = STATUS_OK;
  buffer_init(&f.value, OPTIONS_FILE_MAX);
  while (!s) {
    struct error why = {0};
    enum status next = env_file_next(&f, &why);
    if (next == STATUS_NOT_FOUND) break;
    if (!next) next = env_vars_take(&l->vars, &f, &why);
    if (next) s = complain_of_line(l, NULL, l->path, f.line, &why);
  }
  forget_text(&f.value);
  return s;
}

static enum status read_env_file(struct loading *l) {
  struct buffer text;
  struct error why = {0};
  if (!l->o->env_file) return STATUS_OK;
  enum status s = read_file(l, l->o->env_file, &text, &why);
  s = s ? complain(l, NULL, &why) : take_variables(l, buffer_bytes(&text));
  forget_text(&text);
  return s;
}

/* ---- the configuration file ---- */

/* NAME_FILE of a secret, which is no row of its own. */
static const struct option *find_secret_of_file(struct bytes name) {
  const struct bytes suffix = BYTES_LITERAL("_FILE");
  if (name.len <= suffix.len) return NULL;
  struct bytes end = {name.ptr + (name.len - suffix.len), suffix.len};
  const struct option *row = bytes_equal_nocase(end, suffix)
                                 ? options_find((struct bytes){name.ptr, name.len - suffix.len})
                                 : NULL;
  return row && row->secret ? row : NULL;
}

static enum status check_setting(const struct loading *l, const struct option *row,
                                 const struct option_source *source, bool of_file,
                                 struct error *err) {
  struct option_source before = options_source(l->o, row);
  size_t offset = row->offset;
  if (offset == offsetof(struct options, config) || offset == offsetof(struct options, env_file))
    return error_set(err, STATUS_INVALID, source->name, "%s cannot be set in a file", source->name);
  if (before.origin == OPTION_CONFIG)
    return error_set(err, STATUS_INVALID, source->name, "%s is set again; line %d sets %s",
                     source->name, before.line, before.name);
  if (row->secret && !of_file && (l->mode & MODE_OF_ALL))
    return error_set(err, STATUS_INVALID, source->name,
                     "%s is a secret, and this file has mode %04o, which lets everybody read it",
                     source->name, (unsigned)l->mode & 07777);
  return STATUS_OK;
}

/* It goes into a header, which has neither (RFC 6750 section 2.1): a token with a line's end behind
 * it would never match. */
static bool has_blank(const char *text) {
  for (; *text; text++)
    if ((unsigned char)*text <= ' ' || *text == 0x7f) return true;
  return false;
}

static enum status set_secret(struct options *o, const struct option *row,
                              const struct option_source *source, const char *secret,
                              struct error *err) {
  if (has_blank(secret))
    return error_set(err, STATUS_INVALID, source->name,
                     "%s must hold no blanks, line ends or control characters", source->name);
  return options_set(o, row, source, secret, err);
}

static enum status set_from_config(struct loading *l, const struct option *row,
                                   const struct option_source *source, const char *text,
                                   bool of_file, struct error *err) {
  char *secret = NULL;
  if (!row->secret) return options_set(l->o, row, source, text, err);
  if (!of_file) return set_secret(l->o, row, source, text, err);
  if (l->passes_over && euidaccess(text, R_OK) && errno == EACCES) return pass_over(l, text, err);
  enum status s = secret_read_file(source->name, text, &secret, err);
  if (!s) s = set_secret(l->o, row, source, secret, err);
  secret_free(secret);
  return s;
}

/* *ret_row: of the line, as far as it is known, for the complaint. */
static enum status take_setting(struct loading *l, const struct config_file *f,
                                const struct option **ret_row, struct error *err) {
  struct option_source source = {.origin = OPTION_CONFIG, .line = f->line};
  snprintf(source.name, sizeof source.name, "%.*s", (int)f->name.len, f->name.ptr);
  const struct option *secret = find_secret_of_file(f->name);
  const struct option *row = secret ? secret : options_find(f->name);
  *ret_row = row;
  if (!row)
    return error_set(err, STATUS_INVALID, source.name,
                     "there is no setting \"%s\"; aragora config show lists them, and keys of "
                     "providers go into the environment",
                     source.name);
  enum status s = check_setting(l, row, &source, secret != NULL, err);
  if (s || !f->value.len) return s;
  char *text = bytes_dup(f->value);
  if (!text) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  s = set_from_config(l, row, &source, text, secret != NULL, err);
  secret_free(text);
  return s;
}

static enum status take_settings(struct loading *l, struct bytes text) {
  struct config_file f = {.rest = text};
  enum status s = STATUS_OK;
  while (!s) {
    struct error why = {0};
    const struct option *row = NULL;
    enum status next = config_file_next(&f, &why);
    if (next == STATUS_NOT_FOUND) break;
    if (!next) next = take_setting(l, &f, &row, &why);
    if (next) s = complain_of_line(l, row, l->path, f.line, &why);
  }
  return s;
}

static enum status use_config(struct loading *l, const char *path, struct bytes text) {
  struct error why = {0};
  if (l->o->config) return take_settings(l, text);
  if (bytes_replace(&l->o->config, bytes_of(path))) {
    error_set(&why, STATUS_NOMEM, NULL, "out of memory");
    return complain(l, NULL, &why);
  }
  return take_settings(l, text);
}

/* *ret_found tells whether there is such a file, good or bad. */
static enum status read_config(struct loading *l, const char *path, bool *ret_found) {
  struct buffer text;
  struct error why = {0};
  enum status s = read_file(l, path, &text, &why);
  bool passes = l->denied && l->passes_over && !l->o->config;
  *ret_found = s != STATUS_NOT_FOUND && !passes;
  if (!s)
    s = use_config(l, path, buffer_bytes(&text));
  else if (passes)
    s = pass_over(l, path, &why) ? complain(l, NULL, &why) : STATUS_OK;
  else if (*ret_found || l->o->config)
    s = complain(l, NULL, &why);
  else
    s = STATUS_OK;
  forget_text(&text);
  return s;
}

static enum status read_config_of_user(struct loading *l) {
  char path[PATH_SIZE];
  bool found;
  const char *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
  int n = 0;
  if (base && *base == '/') /* others do not count: XDG Base Directory Specification */
    n = snprintf(path, sizeof path, "%s/aragora/config", base);
  else if (home && *home)
    n = snprintf(path, sizeof path, "%s/.config/aragora/config", home);
  return n > 0 && n < PATH_SIZE ? read_config(l, path, &found) : STATUS_OK;
}

static enum status read_some_config(struct loading *l) {
  bool found;
  if (l->o->config) return read_config(l, l->o->config, &found);
  enum status s = read_config(l, system_config, &found);
  return s || found ? s : read_config_of_user(l);
}

/* ---- the environment ---- */

static enum status read_variable(struct loading *l, const struct option *row,
                                 const struct option_source *source, struct error *err) {
  char *secret = NULL;
  const char *text = row->secret ? NULL : getenv(row->variable);
  if (text && *text) return options_set(l->o, row, source, text, err);
  if (!row->secret) return STATUS_OK;
  enum status s = secret_read(row->variable, &secret, err);
  if (!s && secret) s = set_secret(l->o, row, source, secret, err);
  secret_free(secret);
  return s;
}

/* Of several variables of one field, of the process or of the file, the first row's counts. */
static enum status read_environment(struct loading *l, enum option_origin origin) {
  for (size_t i = 0; i < option_table_size; i++) {
    const struct option *row = &option_table[i];
    struct error why = {0};
    int line = row->variable ? env_vars_line(&l->vars, row->variable) : 0;
    struct option_source source = {.origin = line ? OPTION_ENV_FILE : OPTION_ENVIRONMENT,
                                   .line = line};
    if (!row->variable || source.origin != origin) continue;
    if (options_source(l->o, row).origin >= OPTION_ENV_FILE) continue;
    snprintf(source.name, sizeof source.name, "%s", row->variable);
    enum status s = read_variable(l, row, &source, &why);
    if (s) s = line ? complain_of_line(l, row, l->o->env_file, line, &why) : complain(l, row, &why);
    if (s) return s;
  }
  return STATUS_OK;
}

/* ---- all of it ---- */

const char *options_flag_value(const char *flag, int argc, char **argv) {
  size_t len = strlen(flag);
  const char *value = NULL;
  for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
    if (strncmp(argv[i], flag, len) != 0) continue;
    if (argv[i][len] == '=')
      value = argv[i] + len + 1;
    else if (!argv[i][len] && i + 1 < argc && strncmp(argv[i + 1], "--", 2) != 0)
      value = argv[++i];
  }
  return value && *value ? value : NULL;
}

/* Which file, before anything else is known: the flag, else the variable. */
static enum status choose_file(struct loading *l, char **field, const char *flag,
                               const char *variable, int argc, char **argv) {
  struct error why = {0};
  const char *path = options_flag_value(flag, argc, argv);
  if (!path) path = getenv(variable);
  if (!path || !*path || !bytes_replace(field, bytes_of(path))) return STATUS_OK;
  error_set(&why, STATUS_NOMEM, NULL, "out of memory");
  return complain(l, NULL, &why);
}

static enum status load_files(struct loading *l, int argc, char **argv) {
  struct options *o = l->o;
  enum status s = choose_file(l, &o->env_file, "--env-file", "ARAGORA_ENV_FILE", argc, argv);
  if (!s) s = read_env_file(l);
  if (!s) s = choose_file(l, &o->config, "--config", "ARAGORA_CONFIG", argc, argv);
  return s ? s : read_some_config(l);
}

static enum status load(struct loading *l, bool files, int argc, char **argv) {
  enum status s = options_set_defaults(l->o, l->err);
  if (s) return s;
  if (files) s = load_files(l, argc, argv);
  if (!s) s = read_environment(l, OPTION_ENVIRONMENT);
  if (!s) s = read_environment(l, OPTION_ENV_FILE);
  env_vars_done(&l->vars);
  if (s) options_done(l->o);
  return s;
}

enum status options_init(struct options *o, struct error *err) {
  struct loading l = {.o = o, .err = err};
  return load(&l, false, 0, NULL);
}

enum status options_load(struct options *o, int argc, char **argv, struct error *err) {
  struct loading l = {.o = o, .err = err};
  return load(&l, true, argc, argv);
}

enum status options_load_readable(struct options *o, int argc, char **argv, struct error *err) {
  struct loading l = {.o = o, .err = err, .passes_over = true};
  return load(&l, true, argc, argv);
}

enum status options_load_leniently(struct options *o, int argc, char **argv, options_bad_fn *bad,
                                   void *ctx, struct error *err) {
  struct loading l = {.o = o, .bad = bad, .ctx = ctx, .err = err, .passes_over = true};
  return load(&l, true, argc, argv);
}
