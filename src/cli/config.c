/* `aragora config`: the settings that a command would have here, from all that sets them. */
#include "base/log.h"
#include "base/options_view.h"
#include "cli/arguments.h"
#include "cli/config_check.h"
#include "cli/doctor.h"
#include "cli/output.h"
#include "cli/suggest.h"

#include <stdio.h>
#include <unistd.h>

enum { PAGE_MAX = 1 << 20, ORIGIN_COLUMN = 44 };

struct config_values {
  bool origin, json;
};

#define AT(field) offsetof(struct config_values, field)
const struct flag config_flags[] = {
    {"--origin", 0, FLAG_SWITCH, AT(origin), 0, 0, NULL, "show: who set each value"},
    {"--json", 0, FLAG_SWITCH, AT(json), 0, 0, NULL, "show: print one JSON object"},
    {0},
};

static const struct command *self(void) {
  return command_find("config");
}

/* ---- show ---- */

/* A value that the file's reader would cut stands in quotation marks. */
static void append_value(struct buffer *out, struct bytes value) {
  bool plain = value.len && !memchr(value.ptr, '#', value.len) && *value.ptr != '"' &&
               *value.ptr != '\'' && *value.ptr != ' ' && value.ptr[value.len - 1] != ' ';
  const char *mark = value.len && memchr(value.ptr, '"', value.len) ? "'" : "\"";
  if (plain || !value.len) mark = "";
  buffer_append_text(out, mark);
  buffer_append_bytes(out, value);
  buffer_append_text(out, mark);
}

/* "PORT = 8080", as the configuration file has it; what is not set, and secrets, as a comment. */
static void show_setting(const struct options *o, const struct option *row, bool origin,
                         struct buffer *out) {
  BUFFER_LATER struct buffer value;
  char name[OPTION_NAME_SIZE];
  size_t start = out->len;
  buffer_init(&value, PAGE_MAX);
  options_view_name(row, name);
  options_view_append(o, row, &value);
  buffer_printf(out, "%s%s =", value.len ? "" : "# ", name);
  if (value.len) buffer_append_char(out, ' ');
  append_value(out, buffer_bytes(&value));
  if (options_view_has_secret(o, row)) buffer_append_text(out, " (set, and not shown)");
  if (origin) {
    size_t used = out->len - start;
    buffer_printf(out, "%*s # ", used < ORIGIN_COLUMN ? (int)(ORIGIN_COLUMN - used) : 0, "");
    options_view_append_source(o, row, out);
  }
  buffer_append_char(out, '\n');
}

static int show(const struct config_values *v, const struct options *o) {
  BUFFER_LATER struct buffer out;
  buffer_init(&out, PAGE_MAX);
  if (v->json) {
    JSON_LATER json_t *view = options_view(o);
    return view && output_json(STDOUT_FILENO, view) ? CLI_OK : CLI_ERROR;
  }
  for (size_t i = 0; i < option_table_size; i++) {
    const struct option *row = &option_table[i];
    bool is_file = row->offset == offsetof(struct options, config) ||
                   row->offset == offsetof(struct options, env_file);
    if (options_first(row) == row && !is_file) show_setting(o, row, v->origin, &out);
  }
  return output_buffer(STDOUT_FILENO, &out) ? CLI_OK : CLI_ERROR;
}

/* ---- get, path ---- */

static int unknown_setting(const char *name) {
  struct suggest s = {.word = name};
  char names[256][OPTION_NAME_SIZE];
  for (size_t i = 0; i < option_table_size && i < 256; i++) {
    options_view_name(&option_table[i], names[i]);
    suggest_offer(&s, names[i]);
  }
  if (s.best)
    arguments_wrong(self(), "there is no setting \"%.64s\"; did you mean %s?", name, s.best);
  else
    arguments_wrong(self(), "there is no setting \"%.64s\"", name);
  return CLI_NOT_FOUND;
}

static int get(const struct options *o, const char *name) {
  const struct option *row = options_find(bytes_of(name));
  BUFFER_LATER struct buffer out;
  buffer_init(&out, PAGE_MAX);
  if (!row) return unknown_setting(name);
  if (row->secret) {
    fprintf(stderr, "aragora config: %s is a secret, and is not shown\n", name);
    return CLI_DENIED;
  }
  options_view_append(o, row, &out);
  buffer_append_char(&out, '\n');
  return output_buffer(STDOUT_FILENO, &out) ? CLI_OK : CLI_ERROR;
}

static int path(const struct options *o) {
  BUFFER_LATER struct buffer out;
  buffer_init(&out, PAGE_MAX);
  if (!o->config) {
    fputs(
        "aragora config: there is no configuration file: neither /etc/aragora/aragora.conf nor "
        "$XDG_CONFIG_HOME/aragora/config\n",
        stderr);
    return CLI_NOT_FOUND;
  }
  buffer_printf(&out, "%s\n", o->config);
  return output_buffer(STDOUT_FILENO, &out) ? CLI_OK : CLI_ERROR;
}

/* ---- validate ---- */

static void tell(void *ctx, const struct finding *f) {
  static const char *const words[] = {"", "warning: ", ""};
  size_t *failures = ctx;
  *failures += f->level == FINDING_FAIL;
  fprintf(f->level == FINDING_OK ? stdout : stderr, "%s%s\n", words[f->level], f->what);
}

static int validate(const struct options *o, const struct config_mistakes *mistakes) {
  size_t failures = 0;
  const struct findings to = {tell, &failures};
  struct error err = {0};
  if (log_open(LOG_LEVEL_ERROR, NULL, true, &err)) return output_error(&err);
  config_check(o, mistakes, &to);
  doctor_check_agents(o, &to);
  return failures ? CLI_CHECK_FAILED : CLI_OK;
}

/* ---- the command ---- */

static int run(const struct config_values *v, const struct arguments *a, struct options *o,
               const struct config_mistakes *mistakes) {
  const char *what = a->count ? a->positional[0] : "show";
  struct error err = {0};
  bool validates = strcmp(what, "validate") == 0, gets = strcmp(what, "get") == 0;
  bool shows = strcmp(what, "show") == 0, paths = strcmp(what, "path") == 0;
  if (!validates && !gets && !shows && !paths)
    return arguments_wrong(self(), "there is no \"%.64s\" here; show, get, validate or path", what);
  if (gets ? a->count != 2 : a->count > 1)
    return arguments_wrong(self(), gets ? "get needs one name" : "%.32s takes nothing more", what);
  if (validates && options_name_files(o, &err)) return output_error(&err);
  if (validates) return validate(o, mistakes);
  if (mistakes->count) return output_error(&mistakes->list[0].why);
  config_tell_unread(o);
  if (options_name_files(o, &err)) return output_error(&err);
  if (gets) return get(o, a->positional[1]);
  return shows ? show(v, o) : path(o);
}

int cli_config(int argc, char **argv) {
  struct config_values v = {0};
  struct arguments arguments;
  struct options options;
  struct error err = {0};
  static struct config_mistakes mistakes;
  if (options_load_leniently(&options, argc, argv, config_take_mistake, &mistakes, &err))
    return output_error(&err);
  int code = CLI_USAGE;
  if (arguments_read(self(), argc, argv, &v, &options, &arguments))
    code = run(&v, &arguments, &options, &mistakes);
  options_done(&options);
  return code;
}
