/* `aragora completion bash|zsh|fish`: what a shell offers while a command line is typed, made of
 * the table of commands and the table of options. */
#include "cli/arguments.h"
#include "cli/output.h"
#include "cli/words.h"

#include <unistd.h>

enum { SCRIPT_MAX = 1 << 20, LIST_MAX = 1 << 16 };

const struct flag completion_flags[] = {{0}};

static const struct command *self(void) {
  return command_find("completion");
}

static const char *separated(const struct buffer *list) {
  return list->len ? list->ptr : "";
}

/* Of a shell: in single marks, which `inside` stands for where it is one itself. */
static void append_quoted(struct buffer *out, const char *text, const char *inside) {
  buffer_append_char(out, '\'');
  for (; *text; text++) {
    if (*text == '\'')
      buffer_append_text(out, inside);
    else
      buffer_append_char(out, *text);
  }
  buffer_append_char(out, '\'');
}

/* ---- what a flag takes ---- */

struct value { /* of one flag of one command */
  const char *command, *flag, *choices, *help;
  char letter;
  bool wanted;
};

typedef void value_fn(struct buffer *out, const struct value *v);

static void each_flag(struct buffer *out, const struct command *c, value_fn *show) {
  for (const struct flag *f = c->flags; f && f->name; f++) {
    bool enumerated = f->meta && strchr(f->meta, '|');
    const struct value v = {c->name, f->name,   enumerated ? f->meta : NULL,
                            f->help, f->letter, f->type != FLAG_SWITCH};
    show(out, &v);
  }
  for (size_t i = 0; i < option_table_size; i++) {
    const struct option *row = &option_table[i];
    const struct value v = {c->name,   row->flag, row->choices,
                            row->help, 0,         row->type != OPTION_BOOL};
    if (arguments_takes_option(c, row)) show(out, &v);
  }
}

static void append_choices(struct buffer *out, const char *choices) {
  for (; *choices; choices++) buffer_append_char(out, *choices == '|' ? ' ' : *choices);
}

static void append_flag(struct buffer *out, const struct value *v) {
  buffer_printf(out, "%s%s", out->len ? " " : "", v->flag);
}

static void append_commands(struct buffer *out) {
  for (size_t i = 0; i < command_table_size; i++)
    buffer_printf(out, "%s%s", i ? " " : "", command_table[i].name);
}

/* ---- bash and zsh, which ask alike ---- */

static void bash_value(struct buffer *out, const struct value *v) {
  if (!v->wanted) return;
  buffer_printf(out, "    %s:%s) ", v->command, v->flag);
  if (v->choices) {
    buffer_append_text(out, "COMPREPLY=($(compgen -W \"");
    append_choices(out, v->choices);
    buffer_append_text(out, "\" -- \"$cur\")); ");
  }
  buffer_append_text(out, "return ;;\n");
}

static void zsh_value(struct buffer *out, const struct value *v) {
  if (!v->wanted) return;
  buffer_printf(out, "    %s:%s) ", v->command, v->flag);
  if (v->choices) {
    buffer_append_text(out, "compadd -- ");
    append_choices(out, v->choices);
  } else {
    buffer_append_text(out, "_files");
  }
  buffer_append_text(out, "; return ;;\n");
}

static void append_lists(struct buffer *out, const struct command *c) {
  BUFFER_LATER struct buffer words, flags;
  buffer_init(&words, LIST_MAX);
  buffer_init(&flags, LIST_MAX);
  words_of_usage(c, &words);
  each_flag(&flags, c, append_flag);
  buffer_printf(out, "    %s%s%s) words=\"%s\" flags=\"%s\" ;;\n", c->name, c->alias ? "|" : "",
                c->alias ? c->alias : "", separated(&words), separated(&flags));
}

static void append_aliases(struct buffer *out) {
  buffer_append_text(out, "  case \"$command\" in\n");
  for (size_t i = 0; i < command_table_size; i++)
    if (command_table[i].alias)
      buffer_printf(out, "    %s) command=%s ;;\n", command_table[i].alias, command_table[i].name);
  buffer_append_text(out, "  esac\n");
}

static void append_bash(struct buffer *out) {
  buffer_append_text(out,
                     "# Made by \"aragora completion bash\".\n"
                     "_aragora() {\n"
                     "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} "
                     "words= flags=\n"
                     "  local command=${COMP_WORDS[1]}\n"
                     "  COMPREPLY=()\n"
                     "  # --flag=value comes as three words.\n"
                     "  if [ \"$prev\" = = ]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi\n"
                     "  if [ \"$cur\" = = ]; then cur=; fi\n"
                     "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
                     "    COMPREPLY=($(compgen -W \"");
  append_commands(out);
  buffer_append_text(out, "\" -- \"$cur\"))\n    return\n  fi\n");
  append_aliases(out);
  buffer_append_text(out, "  case \"$command:$prev\" in\n");
  for (size_t i = 0; i < command_table_size; i++) each_flag(out, &command_table[i], bash_value);
  buffer_append_text(out, "  esac\n  case \"$command\" in\n");
  for (size_t i = 0; i < command_table_size; i++) append_lists(out, &command_table[i]);
  buffer_append_text(out,
                     "  esac\n"
                     "  case \"$cur\" in -*) words=$flags ;; esac\n"
                     "  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
                     "}\n"
                     "complete -o bashdefault -o default -F _aragora aragora\n");
}

static void append_zsh(struct buffer *out) {
  buffer_append_text(out,
                     "#compdef aragora\n"
                     "# Made by \"aragora completion zsh\".\n"
                     "_aragora() {\n"
                     "  if (( CURRENT == 2 )); then\n"
                     "    local -a commands\n"
                     "    commands=(\n");
  for (size_t i = 0; i < command_table_size; i++) {
    BUFFER_LATER struct buffer text;
    buffer_init(&text, LIST_MAX);
    buffer_printf(&text, "%s:%s", command_table[i].name, command_table[i].summary);
    buffer_append_text(out, "      ");
    append_quoted(out, separated(&text), "'\\''");
    buffer_append_char(out, '\n');
  }
  buffer_append_text(out,
                     "    )\n    _describe command commands\n    return\n  fi\n"
                     "  case \"$words[2]:$words[CURRENT-1]\" in\n");
  for (size_t i = 0; i < command_table_size; i++) each_flag(out, &command_table[i], zsh_value);
  /* `words` is the line there: a name of its own for what is offered. */
  buffer_append_text(
      out,
      "  esac\n  local line_of=$words[2]\n  () {\n  local words flags\n  case \"$line_of\" in\n");
  for (size_t i = 0; i < command_table_size; i++) append_lists(out, &command_table[i]);
  buffer_append_text(out,
                     "  esac\n"
                     "  if [[ $PREFIX == -* ]]; then compadd -- ${=flags}; return; fi\n"
                     "  [[ -n $words ]] && compadd -- ${=words}\n"
                     "  _files\n  }\n"
                     "}\n"
                     "if [ \"$funcstack[1]\" = _aragora ]; then _aragora \"$@\"; else compdef "
                     "_aragora aragora; fi\n");
}

/* ---- fish ---- */

static void fish_value(struct buffer *out, const struct value *v) {
  buffer_printf(out, "complete -c aragora -n '__fish_seen_subcommand_from %s' -l %s", v->command,
                v->flag + 2);
  if (v->letter) buffer_printf(out, " -s %c", v->letter);
  if (v->choices) {
    buffer_append_text(out, " -x -a '");
    append_choices(out, v->choices);
    buffer_append_char(out, '\'');
  } else if (v->wanted) {
    buffer_append_text(out, " -r");
  }
  buffer_append_text(out, " -d ");
  append_quoted(out, v->help, "\\'");
  buffer_append_char(out, '\n');
}

static void append_fish(struct buffer *out) {
  buffer_append_text(out, "# Made by \"aragora completion fish\".\n");
  for (size_t i = 0; i < command_table_size; i++) {
    const struct command *c = &command_table[i];
    BUFFER_LATER struct buffer words;
    buffer_init(&words, LIST_MAX);
    words_of_usage(c, &words);
    buffer_printf(out, "complete -c aragora -n __fish_use_subcommand -f -a %s -d ", c->name);
    append_quoted(out, c->summary, "\\'");
    buffer_append_char(out, '\n');
    if (words.len)
      buffer_printf(out, "complete -c aragora -n '__fish_seen_subcommand_from %s' -a '%s'\n",
                    c->name, words.ptr);
    each_flag(out, c, fish_value);
  }
}

/* ---- the command ---- */

int cli_completion(int argc, char **argv) {
  static const struct {
    const char *name;
    void (*append)(struct buffer *out);
  } shells[] = {{"bash", append_bash}, {"zsh", append_zsh}, {"fish", append_fish}};
  struct arguments a;
  BUFFER_LATER struct buffer out;
  buffer_init(&out, SCRIPT_MAX);
  if (!arguments_read(self(), argc, argv, NULL, NULL, &a)) return CLI_USAGE;
  for (size_t i = 0; i < sizeof shells / sizeof *shells; i++) {
    if (a.count != 1 || strcmp(a.positional[0], shells[i].name) != 0) continue;
    shells[i].append(&out);
    return output_buffer(STDOUT_FILENO, &out) ? CLI_OK : CLI_ERROR;
  }
  return arguments_wrong(self(), "it takes the name of one shell: bash, zsh or fish");
}
