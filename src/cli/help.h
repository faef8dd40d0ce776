/* The texts of `aragora help`. Main thread. */
#ifndef ARAGORA_CLI_HELP_H
#define ARAGORA_CLI_HELP_H

#include "cli/command.h"
#include "cli/page.h"

/* What the exit codes mean. */
struct help_exit {
  int code;
  const char *meaning;
};
extern const struct help_exit help_exit_table[];
extern const size_t help_exit_table_size;

/* What a command that prints its own help makes it of: a page as wide as the terminal of `fd`, of
 * which `out` is initialized here; its command's examples, which come first, and how it is called;
 * a heading; and an entry with its words in a column behind `columns` of name. */
struct page help_page(int fd, struct buffer *out);
void help_examples(struct page *p, const struct command *c);
void help_usage(struct page *p, const struct command *c);
void help_title(struct page *p, const char *text);
void help_entry(struct page *p, size_t columns, const char *name, const char *words);

/* Prints a command's help, or the overview for NULL; returns the exit code. */
int help_show(const struct command *command);
/* Says on standard error that there is none of this name, and which is near. CLI_USAGE. */
int help_unknown_command(const char *name);

#endif
