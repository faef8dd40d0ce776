/* The table of subcommands: what `aragora help` prints, what main runs, and what the arguments of
 * each are read by. A command is one file with one run function; its row stands in command.c.
 * Main thread.
 */
#ifndef ARAGORA_CLI_COMMAND_H
#define ARAGORA_CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the shell is told; `aragora help exit-codes` explains them (EXIT_TABLE in help.c). */
enum cli_exit {
  CLI_OK = 0,
  CLI_ERROR = 1,
  CLI_USAGE = 2,
  CLI_NO_KEY = 3,
  CLI_NETWORK = 4,
  CLI_NOT_FOUND = 5,
  CLI_DENIED = 6,
  CLI_NO_CONSENSUS = 7,
  CLI_CHECK_FAILED = 8,
  CLI_INTERRUPTED = 130, /* 128 + SIGINT, as shells say it */
};

enum flag_type {
  FLAG_SWITCH, /* bool */
  FLAG_TEXT,   /* const char *: points into argv */
  FLAG_COUNT,  /* int64_t within min..max */
  FLAG_NUMBER, /* double within min..max */
  FLAG_SHARE,  /* double within 0.5..max: more than half, or all */
};

struct flag {
  const char *name; /* "--agents"; NULL ends a table */
  char letter;      /* 'a' for -a, 0 = none */
  enum flag_type type;
  size_t offset; /* into the command's own struct of values */
  int64_t min, max;
  const char *meta; /* "LIST" in the help text, NULL for switches */
  const char *help; /* one line */
};

struct command {
  const char *name;
  const char *alias; /* or NULL */
  const char *usage; /* what follows "aragora " */
  const char *summary;
  const char *example; /* lines, each a whole command line */
  int (*run)(int argc, char **argv);
  const struct flag *flags; /* or NULL */
  const char *const
      *options;  /* flags of base/options.h that it takes, NULL-terminated; NULL = none */
  bool own_help; /* reads all its arguments itself, --help too */
};

extern const struct command command_table[];
extern const size_t command_table_size;
extern const char *const command_all_options[]; /* stands for the whole option table */

/* By name or alias, or NULL. */
const struct command *command_find(const char *name);

/* One file each: what it runs, and its flags (ended by a row without a name). */
extern const struct flag server_flags[], ask_flags[], debates_flags[], replay_flags[],
    export_flags[], agents_flags[], batch_flags[], breakers_flags[], key_flags[],
    leaderboard_flags[], ratings_flags[], healthcheck_flags[], migrate_flags[], db_flags[],
    doctor_flags[], backup_flags[], audit_flags[], config_flags[], runbook_flags[],
    incident_flags[], user_flags[], completion_flags[], man_flags[], version_flags[];
int cli_server(int argc, char **argv);
int cli_ask(int argc, char **argv);
int cli_debates(int argc, char **argv);
int cli_replay(int argc, char **argv);
int cli_export(int argc, char **argv);
int cli_agents(int argc, char **argv);
int cli_batch(int argc, char **argv);
int cli_breakers(int argc, char **argv);
int cli_key(int argc, char **argv);
int cli_leaderboard(int argc, char **argv);
int cli_ratings(int argc, char **argv);
int cli_backup(int argc, char **argv);
int cli_audit(int argc, char **argv);
int cli_healthcheck(int argc, char **argv);
int cli_migrate(int argc, char **argv);
int cli_db(int argc, char **argv);
int cli_config(int argc, char **argv);
int cli_doctor(int argc, char **argv);
int cli_runbook(int argc, char **argv);
int cli_incident(int argc, char **argv);
int cli_user(int argc, char **argv);
int cli_fake_provider(int argc, char **argv);
int cli_completion(int argc, char **argv);
int cli_man(int argc, char **argv);
int cli_version(int argc, char **argv);
int cli_help(int argc, char **argv);

/* The whole program: argv as main got it; returns the exit code. */
int cli_main(int argc, char **argv);

#endif
