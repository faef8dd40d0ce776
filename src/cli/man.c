/* `aragora man`: the page of the manual, in the language of man(7), made of the tables that --help
 * prints. */
#include "cli/arguments.h"
#include "cli/help.h"
#include "cli/output.h"

#include <stdio.h>
#include <unistd.h>

enum { PAGE_MAX = 1 << 20 };

const struct flag man_flags[] = {{0}};

/* A hyphen that may be copied, a backslash that is one, and no line that begins a request. */
static void append_text(struct buffer *out, const char *text) {
  bool starts = !out->len || out->ptr[out->len - 1] == '\n';
  for (; *text; text++) {
    if (starts && (*text == '.' || *text == '\'')) buffer_append_text(out, "\\&");
    if (*text == '-')
      buffer_append_text(out, "\\-");
    else if (*text == '\\')
      buffer_append_text(out, "\\e");
    else
      buffer_append_char(out, *text);
    starts = *text == '\n';
  }
}

static void append_line(struct buffer *out, const char *text) {
  append_text(out, text);
  buffer_append_char(out, '\n');
}

/* A paragraph under a name in bold, with what it takes in italics. */
static void append_entry(struct buffer *out, const char *name, const char *meta) {
  buffer_append_text(out, ".TP\n\\fB");
  append_text(out, name);
  buffer_append_text(out, "\\fR");
  if (meta) {
    buffer_append_text(out, " \\fI");
    append_text(out, meta);
    buffer_append_text(out, "\\fR");
  }
  buffer_append_char(out, '\n');
}

static void append_flag(struct buffer *out, const struct flag *f) {
  char name[96];
  if (f->letter)
    snprintf(name, sizeof name, "-%c, %s", f->letter, f->name);
  else
    snprintf(name, sizeof name, "%s", f->name);
  append_entry(out, name, f->meta);
  append_line(out, f->help);
}

/* The settings that it takes, by name: they have a section of their own. */
static void append_settings_of(struct buffer *out, const struct command *c) {
  bool any = false;
  if (!c->options) return;
  buffer_append_text(out, ".PP\nSettings: ");
  for (size_t i = 0; c->options != command_all_options && i < option_table_size; i++) {
    if (!arguments_takes_option(c, &option_table[i])) continue;
    if (any) buffer_append_text(out, ", ");
    append_text(out, option_table[i].flag);
    any = true;
  }
  buffer_append_text(out, any ? ".\n" : "all of them.\n");
}

static void append_command(struct buffer *out, const struct command *c) {
  buffer_append_text(out, ".SS aragora ");
  append_line(out, c->usage);
  append_text(out, c->summary);
  buffer_append_text(out, ".\n");
  if (c->alias) {
    buffer_append_text(out, "Also: aragora ");
    append_text(out, c->alias);
    buffer_append_text(out, ".\n");
  }
  buffer_append_text(out, ".PP\n.nf\n");
  append_line(out, c->example);
  buffer_append_text(out, ".fi\n");
  for (const struct flag *f = c->flags; f && f->name; f++) append_flag(out, f);
  append_settings_of(out, c);
}

static void append_option(struct buffer *out, const struct option *row) {
  append_entry(out, row->flag ? row->flag : row->variable, row->flag ? row->meta : NULL);
  append_text(out, row->help);
  if (row->fallback && row->type != OPTION_BOOL) {
    buffer_append_text(out, " (default ");
    append_text(out, row->fallback);
    buffer_append_char(out, ')');
  }
  if (row->flag && row->variable) {
    buffer_append_text(out, " [");
    append_text(out, row->variable);
    buffer_append_char(out, ']');
  }
  buffer_append_char(out, '\n');
}

static void append_files(struct buffer *out) {
  static const char *const files[][2] = {
      {"/etc/aragora/aragora.conf", "settings"},
      {"/etc/aragora/aragora.env", "variables of the service"},
      {"/etc/aragora/credentials/", "secrets of the service, a file each"},
      {"/var/lib/aragora/", "databases of the service"},
      {"/var/log/aragora/server.log", "its log"},
  };
  buffer_append_text(out, ".SH FILES\n");
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    append_entry(out, files[i][0], NULL);
    append_line(out, files[i][1]);
  }
}

static void append_page(struct buffer *out) {
  buffer_append_text(out,
                     ".TH ARAGORA 1 \"\" \"aragora " ARAGORA_VERSION
                     "\" \"User Commands\"\n"
                     ".SH NAME\naragora \\- server in which language models debate a question\n"
                     ".SH SYNOPSIS\n\\fBaragora\\fR \\fICOMMAND\\fR [flags]\n"
                     ".SH DESCRIPTION\n"
                     "Several agents answer a question, criticise each other's answers, revise "
                     "their own and vote.\nThe server runs the rounds and keeps every step; the "
                     "other commands ask it, or work on its files.\n"
                     ".SH COMMANDS\n");
  for (size_t i = 0; i < command_table_size; i++) append_command(out, &command_table[i]);
  buffer_append_text(out,
                     ".SH SETTINGS\nA flag wins over its [variable], that over a line of the "
                     "environment file, that over one of the configuration file.\n");
  for (size_t i = 0; i < option_table_size; i++) append_option(out, &option_table[i]);
  buffer_append_text(out, ".SH \"EXIT STATUS\"\n");
  for (size_t i = 0; i < help_exit_table_size; i++) {
    char code[16];
    snprintf(code, sizeof code, "%d", help_exit_table[i].code);
    append_entry(out, code, NULL);
    append_line(out, help_exit_table[i].meaning);
  }
  append_files(out);
}

int cli_man(int argc, char **argv) {
  const struct command *self = command_find("man");
  struct arguments a;
  BUFFER_LATER struct buffer out;
  buffer_init(&out, PAGE_MAX);
  if (!arguments_read(self, argc, argv, NULL, NULL, &a)) return CLI_USAGE;
  if (a.count) return arguments_wrong(self, "it takes no \"%.64s\"", a.positional[0]);
  append_page(&out);
  return output_buffer(STDOUT_FILENO, &out) ? CLI_OK : CLI_ERROR;
}
