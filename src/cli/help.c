/* What `aragora help` and `--help` print: all of it read from the tables, so that it cannot say
 * what the program does not do. */
#include "cli/help.h"

#include "cli/arguments.h"
#include "cli/output.h"
#include "cli/suggest.h"
#include "cli/terminal.h"

#include <stdio.h>
#include <unistd.h>

enum { HELP_MAX = 1 << 18, FLAG_COLUMNS = 28 };

const struct help_exit help_exit_table[] = {
    {CLI_OK, "it worked"},
    {CLI_ERROR, "it did not; the reason is on standard error"},
    {CLI_USAGE, "wrong arguments, or a value that the debate cannot have"},
    {CLI_NO_KEY, "an agent's API key is missing"},
    {CLI_NETWORK, "the server, or every provider, cannot be reached"},
    {CLI_NOT_FOUND, "no such debate, agent or database"},
    {CLI_DENIED, "the server refuses the token, or wants one"},
    {CLI_NO_CONSENSUS, "the debate ended without consensus (with --require-consensus)"},
    {CLI_CHECK_FAILED,
     "a check failed (doctor, replay --check, agents check, db check, backup verify)"},
    {CLI_INTERRUPTED, "interrupted by Ctrl-C"},
};
const size_t help_exit_table_size = sizeof help_exit_table / sizeof *help_exit_table;

struct page help_page(int fd, struct buffer *out) {
  struct terminal t = terminal_look(fd, false);
  buffer_init(out, HELP_MAX);
  return (struct page){out, (size_t)t.width, t.colour};
}

void help_title(struct page *p, const char *text) {
  page_styled(p, PAGE_BOLD, bytes_of(text));
  page_newline(p);
}

/* "  --flag N      words" with the words in a column of their own. */
void help_entry(struct page *p, size_t columns, const char *name, const char *words) {
  char lead[128];
  snprintf(lead, sizeof lead, "  %-*s", (int)columns, name);
  if (strlen(name) >= columns) { /* too long for its column */
    page_plain_text(p, &(struct page_text){.lead = lead, .text = BYTES_LITERAL("")});
    snprintf(lead, sizeof lead, "  %-*s", (int)columns, "");
  }
  page_plain_text(p,
                  &(struct page_text){lead, PAGE_PLAIN, columns + 2, PAGE_PLAIN, bytes_of(words)});
}

void help_examples(struct page *p, const struct command *c) {
  help_title(p, strchr(c->example, '\n') ? "Examples" : "Example");
  for (const char *line = c->example; *line;) {
    size_t len = strcspn(line, "\n");
    buffer_append_text(p->out, "  ");
    buffer_append(p->out, line, len);
    page_newline(p);
    line += len + (line[len] == '\n');
  }
}

void help_usage(struct page *p, const struct command *c) {
  char words[256];
  snprintf(words, sizeof words, "aragora %s", c->usage);
  help_title(p, "Usage");
  page_plain_text(p, &(struct page_text){"  ", PAGE_PLAIN, 10, PAGE_PLAIN, bytes_of(words)});
}

static void print_flags(struct page *p, const struct command *c) {
  if (!c->flags || !c->flags->name) return;
  page_newline(p);
  help_title(p, "Flags");
  for (const struct flag *f = c->flags; f->name; f++) {
    char name[96], letter[8] = "    ";
    if (f->letter) snprintf(letter, sizeof letter, "-%c, ", f->letter);
    snprintf(name, sizeof name, "%s%s%s%s", letter, f->name, f->meta ? " " : "",
             f->meta ? f->meta : "");
    help_entry(p, FLAG_COLUMNS, name, f->help);
  }
}

static void print_option(struct page *p, const struct option *row) {
  BUFFER_LATER struct buffer words;
  char name[96];
  buffer_init(&words, 4096);
  snprintf(name, sizeof name, "    %s%s%s", row->flag, row->meta ? " " : "",
           row->meta ? row->meta : "");
  buffer_append_text(&words, row->help);
  bool shows = row->fallback && row->type != OPTION_BOOL;
  if (shows) buffer_printf(&words, " (default %s)", row->fallback);
  if (row->variable) buffer_printf(&words, " [%s]", row->variable);
  help_entry(p, FLAG_COLUMNS, name, words.ptr);
}

static void print_options(struct page *p, const struct command *c) {
  if (!c->options) return;
  page_newline(p);
  help_title(p, "Settings: flag, else [variable], else configuration file, else default");
  for (size_t i = 0; i < option_table_size; i++)
    if (arguments_takes_option(c, &option_table[i])) print_option(p, &option_table[i]);
  if (c->options != command_all_options) return;
  page_newline(p);
  help_title(p, "Settings that are variables only");
  for (size_t i = 0; i < option_table_size; i++)
    if (!option_table[i].flag)
      help_entry(p, FLAG_COLUMNS, option_table[i].variable, option_table[i].help);
}

static void print_command(struct page *p, const struct command *c) {
  help_examples(p, c);
  page_newline(p);
  help_usage(p, c);
  BUFFER_LATER struct buffer words;
  buffer_init(&words, 1024);
  buffer_printf(&words, "%s%s%s", c->summary, c->alias ? "; also: aragora " : "",
                c->alias ? c->alias : "");
  page_plain_text(p, &(struct page_text){"  ", PAGE_PLAIN, 2, PAGE_DIM, buffer_bytes(&words)});
  print_flags(p, c);
  print_options(p, c);
}

static void print_overview(struct page *p) {
  help_title(p, "Aragora: agents debate a question, and every word of it is on record");
  page_newline(p);
  help_title(p, "Examples");
  buffer_append_text(p->out,
                     "  aragora ask --demo \"Tabs or spaces?\"\n"
                     "  aragora server --port 8080\n\n");
  help_title(p, "Commands");
  for (size_t i = 0; i < command_table_size; i++)
    help_entry(p, 14, command_table[i].name, command_table[i].summary);
  page_newline(p);
  buffer_append_text(p->out,
                     "  aragora help COMMAND explains one; aragora --version says which.\n"
                     "  Exit codes: aragora help exit-codes\n");
}

static void print_exit_codes(struct page *p) {
  help_title(p, "Exit codes");
  for (size_t i = 0; i < help_exit_table_size; i++) {
    char code[16];
    snprintf(code, sizeof code, "%d", help_exit_table[i].code);
    help_entry(p, 5, code, help_exit_table[i].meaning);
  }
}

int help_unknown_command(const char *name) {
  struct suggest s = {.word = name};
  for (size_t i = 0; i < command_table_size; i++) {
    suggest_offer(&s, command_table[i].name);
    if (command_table[i].alias) suggest_offer(&s, command_table[i].alias);
  }
  fprintf(stderr, "aragora: there is no command \"%.64s\"", name);
  if (s.best)
    fprintf(stderr, "; did you mean \"%s\"?\n", s.best);
  else
    fprintf(stderr, ". \"aragora help\" lists them.\n");
  return CLI_USAGE;
}

int help_show(const struct command *command) {
  BUFFER_LATER struct buffer out;
  struct page p = help_page(STDOUT_FILENO, &out);
  if (command)
    print_command(&p, command);
  else
    print_overview(&p);
  return output_buffer(STDOUT_FILENO, &out) ? CLI_OK : CLI_ERROR;
}

int cli_help(int argc, char **argv) {
  if (argc < 2) return help_show(NULL);
  const struct command *command = command_find(argv[1]);
  if (strcmp(argv[1], "exit-codes") == 0) {
    BUFFER_LATER struct buffer out;
    struct page p = help_page(STDOUT_FILENO, &out);
    print_exit_codes(&p);
    return output_buffer(STDOUT_FILENO, &out) ? CLI_OK : CLI_ERROR;
  }
  if (!command) return help_unknown_command(argv[1]);
  if (!command->own_help) return help_show(command);
  char flag[] = "--help";
  char *arguments[] = {(char *)command->name, flag, NULL};
  return command->run(2, arguments);
}
