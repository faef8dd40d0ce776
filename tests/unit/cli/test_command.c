/* The table of commands, the help that is made of it, and the reading of arguments. */
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/question.h"
#include "cli/suggest.h"
#include "cli/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
// clang-format off
#include <cmocka.h>
// clang-format on

/* Runs the program with its outputs caught; `out` is standard output, then standard error. */
static int run(char **argv, struct buffer *out) {
  int argc = 0;
  char piece[65536];
  while (argv[argc]) argc++;
  FILE *files[2] = {tmpfile(), tmpfile()};
  int saved[2] = {dup(1), dup(2)};
  fflush(NULL);
  dup2(fileno(files[0]), 1);
  dup2(fileno(files[1]), 2);
  int code = cli_main(argc, argv);
  fflush(NULL);
  for (int i = 0; i < 2; i++) {
    dup2(saved[i], i + 1);
    close(saved[i]);
    rewind(files[i]);
    size_t n = fread(piece, 1, sizeof piece, files[i]);
    assert_true(buffer_append(out, piece, n));
    fclose(files[i]);
  }
  return code;
}

#define RUN(out, ...) run((char *[]){"aragora", __VA_ARGS__, NULL}, out)

static void expect(struct buffer *out, const char *text) {
  if (!out->ptr || !strstr(out->ptr, text)) fail_msg("\"%s\" is not in:\n%s", text, out->ptr);
}

static void test_every_command_explains_itself(void **state) {
  (void)state;
  for (size_t i = 0; i < command_table_size; i++) {
    const struct command *c = &command_table[i];
    assert_non_null(c->name);
    assert_non_null(c->usage);
    assert_non_null(c->summary);
    assert_non_null(c->example);
    assert_non_null(c->run);
    assert_int_equal(strncmp(c->usage, c->name, strlen(c->name)), 0);
    if (!strstr(c->example, c->name)) fail_msg("%s: its example does not use it", c->name);
    if (strlen(c->summary) > 62) fail_msg("%s: its summary does not fit one line", c->name);
    assert_ptr_equal(command_find(c->name), c);
    if (c->alias) assert_ptr_equal(command_find(c->alias), c);
    for (const struct flag *f = c->flags; f && f->name; f++) {
      assert_int_equal(strncmp(f->name, "--", 2), 0);
      assert_non_null(f->help);
      assert_int_equal(f->meta == NULL, f->type == FLAG_SWITCH);
      for (const struct flag *g = f + 1; g->name; g++) {
        assert_string_not_equal(f->name, g->name);
        assert_true(!f->letter || f->letter != g->letter);
      }
    }
  }
}

/* A flag of the option table that is misspelt in a command's list would silently not exist. */
static void test_listed_options_exist(void **state) {
  (void)state;
  for (size_t i = 0; i < command_table_size; i++) {
    const char *const *names = command_table[i].options;
    for (; names && *names; names++) {
      size_t found = 0;
      for (size_t o = 0; o < option_table_size; o++)
        found += option_table[o].flag && strcmp(option_table[o].flag, *names) == 0;
      if (found != 1) fail_msg("%s: no option %s", command_table[i].name, *names);
    }
  }
}

static void expect_width(const struct buffer *out, const char *command) {
  for (const char *line = out->ptr; *line; line += strcspn(line, "\n") + 1)
    if (text_columns((struct bytes){line, strcspn(line, "\n")}) > 80)
      fail_msg("%s: wider than 80 columns: %.*s", command, (int)strcspn(line, "\n"), line);
}

static void test_help_shows_example_first(void **state) {
  (void)state;
  for (size_t i = 0; i < command_table_size; i++) {
    const struct command *c = &command_table[i];
    if (c->run == cli_help) continue; /* explained by what it prints alone */
    BUFFER_LATER struct buffer by_flag, by_help;
    buffer_init(&by_flag, 1 << 20);
    buffer_init(&by_help, 1 << 20);
    assert_int_equal(RUN(&by_flag, (char *)c->name, "--help"), CLI_OK);
    assert_int_equal(RUN(&by_help, "help", (char *)c->name), CLI_OK);
    assert_string_equal(by_flag.ptr, by_help.ptr);
    assert_int_equal(strncmp(by_flag.ptr, "Example", 7), 0);
    expect_width(&by_flag, c->name);
    if (!c->own_help) expect(&by_flag, c->summary);
    for (const struct flag *f = c->flags; f && f->name; f++) expect(&by_flag, f->name);
  }
}

static void test_server_help_shows_every_option(void **state) {
  (void)state;
  BUFFER_LATER struct buffer out;
  buffer_init(&out, 1 << 20);
  assert_int_equal(RUN(&out, "serve", "-h"), CLI_OK);
  for (size_t i = 0; i < option_table_size; i++)
    expect(&out, option_table[i].flag ? option_table[i].flag : option_table[i].variable);
}

static void test_says_what_is_wrong(void **state) {
  (void)state;
  static const struct {
    const char *argv[5];
    int code;
    const char *words;
  } rows[] = {
      {{"--version"}, CLI_OK, "aragora 1.0.0\n"},
      {{"-V"}, CLI_OK, "aragora 1.0.0\n"},
      {{"version"}, CLI_OK, "aragora 1.0.0\n"},
      {{"version", "--json"}, CLI_OK, "\"version\":\"1.0.0\""},
      {{"--version", "--json"}, CLI_OK, "\"version\":\"1.0.0\""},
      {{"version", "--jsno"}, CLI_USAGE, "did you mean --json?"},
      {{"--help"}, CLI_OK, "Commands"},
      {{"help", "exit-codes"}, CLI_OK, "130"},
      {{"srever"}, CLI_USAGE, "did you mean \"server\"?"},
      {{"aks"}, CLI_USAGE, "did you mean \"ask\"?"},
      {{"something-else"}, CLI_USAGE, "there is no command \"something-else\". "},
      {{"--verbose"}, CLI_USAGE, "unknown flag --verbose"},
      {{"help", "debtes"}, CLI_USAGE, "did you mean \"debates\"?"},
      {{"ask", "--agnets", "x", "q"}, CLI_USAGE, "unknown flag --agnets; did you mean --agents?"},
      {{"ask", "--agnets=x", "q"}, CLI_USAGE, "unknown flag --agnets; did"},
      {{"ask", "-z", "q"}, CLI_USAGE, "unknown flag -z"},
      {{"ask"}, CLI_USAGE, "what is the question?"},
      {{"ask", "one", "two"}, CLI_USAGE, "quotation marks"},
      {{"ask", "--rounds"}, CLI_USAGE, "--rounds needs a value (N)"},
      {{"ask", "--rounds", "x", "q"}, CLI_USAGE, "--rounds must be a whole number"},
      {{"ask", "-r1.5", "q"}, CLI_USAGE, "--rounds must be a whole number"},
      {{"ask", "--threshold=nan", "q"}, CLI_USAGE, "--threshold must be a number"},
      {{"ask", "--threshold", "0.3", "q"}, CLI_USAGE, "a number from 0.5 to 1"},
      {{"ask", "--threshold", "2", "q"}, CLI_USAGE, "a number from 0.5 to 1"},
      {{"ask", "--json=1", "q"}, CLI_USAGE, "--json takes no value"},
      {{"ask", "--json", "--jsonl", "q"}, CLI_USAGE, "exclude each other"},
      {{"ask", "--rounds", "11", "q"}, CLI_USAGE, "--rounds"},
      {{"ask", "--port", "80", "q"}, CLI_USAGE, "unknown flag --port"},
      {{"server", "--prot", "80"}, CLI_USAGE, "did you mean --port?"},
      {{"server", "--port", "x"}, CLI_USAGE, "--port must be"},
      {{"server", "now"}, CLI_USAGE, "it takes no \"now\""},
      {{"debates", "shwo"}, CLI_USAGE, "list, show, watch, delete, share or unshare"},
      {{"debates", "show"}, CLI_USAGE, "needs the id"},
      {{"debates", "show", "../x"}, CLI_USAGE, "is no id"},
      {{"debates", "--server", "x.org"}, CLI_USAGE, "must begin with http"},
      {{"replay"}, CLI_USAGE, "which debate?"},
      {{"migrate", "sideways"}, CLI_USAGE, "status, apply or rollback"},
      {{"migrate", "status", "--to", "1"}, CLI_USAGE, "status takes no --to"},
      {{"migrate", "apply", "--database", "all"}, CLI_USAGE, "must be memory or elo"},
      {{"db"}, CLI_USAGE, "check, checkpoint, analyze or vacuum"},
      {{"db", "repair"}, CLI_USAGE, "there is no \"repair\" here"},
      {{"db", "check", "--db-path", "/nowhere/x.db"},
       CLI_NOT_FOUND,
       "there is no database /nowhere/x.db"},
      {{"config", "set", "PORT", "1"}, CLI_USAGE, "there is no \"set\" here"},
      {{"config", "show", "PORT"}, CLI_USAGE, "show takes nothing more"},
      {{"debates", "list", "--data-dir", "/nowhere"},
       CLI_NOT_FOUND,
       "there is no database /nowhere/aragora_memory.db"},
      {{"doctor", "now"}, CLI_USAGE, "it takes no \"now\""},
      {{"healthcheck", "--server", "http://127.0.0.1:1"}, CLI_ERROR, "cannot reach"},
      {{"debates", "--server", "http://127.0.0.1:1"}, CLI_NETWORK, "cannot reach"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    BUFFER_LATER struct buffer out;
    buffer_init(&out, 1 << 20);
    char *argv[8] = {"aragora"};
    for (int a = 0; a < 5 && rows[i].argv[a]; a++) argv[a + 1] = (char *)rows[i].argv[a];
    int code = run(argv, &out);
    if (code != rows[i].code) fail_msg("row %zu: exit %d:\n%s", i, code, out.ptr);
    expect(&out, rows[i].words);
  }
  assert_int_equal(access("/nowhere", F_OK), -1); /* who only looks makes no directory */
}

struct values {
  const char *text;
  int64_t count;
  double number;
  bool one, two;
};

static const struct flag flags[] = {
    {"--text", 't', FLAG_TEXT, offsetof(struct values, text), 0, 0, "T", "x"},
    {"--count", 'c', FLAG_COUNT, offsetof(struct values, count), -5, 9, "N", "x"},
    {"--number", 0, FLAG_NUMBER, offsetof(struct values, number), 0, 2, "X", "x"},
    {"--one", 'o', FLAG_SWITCH, offsetof(struct values, one), 0, 0, NULL, "x"},
    {"--two", 'w', FLAG_SWITCH, offsetof(struct values, two), 0, 0, NULL, "x"},
    {0},
};
static const struct command sample = {.name = "sample", .flags = flags};

static void check_values(char **argv, const struct values *want, const char *positional) {
  struct values got = {0};
  struct arguments arguments;
  int argc = 0;
  while (argv[argc]) argc++;
  assert_true(arguments_read(&sample, argc, argv, &got, NULL, &arguments));
  if (want->text)
    assert_string_equal(got.text, want->text);
  else
    assert_null(got.text);
  assert_int_equal(got.count, want->count);
  assert_true(got.number == want->number);
  assert_int_equal(got.one, want->one);
  assert_int_equal(got.two, want->two);
  BUFFER_LATER struct buffer joined;
  buffer_init(&joined, 1024);
  for (int i = 0; i < arguments.count; i++) buffer_printf(&joined, "%s|", arguments.positional[i]);
  assert_string_equal(joined.ptr ? joined.ptr : "", positional);
}

#define ARGV(...) ((char *[]){"sample", __VA_ARGS__, NULL})

static void test_reads_flags(void **state) {
  (void)state;
  check_values(ARGV("q", "--text", "a", "--count=3"), &(struct values){"a", 3, 0, 0, 0}, "q|");
  check_values(ARGV("-ta", "-c", "-5", "q"), &(struct values){"a", -5, 0, 0, 0}, "q|");
  check_values(ARGV("-owc9", "--number", "0.5"), &(struct values){NULL, 9, 0.5, 1, 1}, "");
  check_values(ARGV("--text=", "-"), &(struct values){"", 0, 0, 0, 0}, "-|");
  check_values(ARGV("--text", "-", "x"), &(struct values){"-", 0, 0, 0, 0}, "x|");
  check_values(ARGV("--one", "--", "--two", "-t"), &(struct values){NULL, 0, 0, 1, 0}, "--two|-t|");
}

static void test_distance(void **state) {
  (void)state;
  assert_int_equal(suggest_distance("", ""), 0);
  assert_int_equal(suggest_distance("ask", "ask"), 0);
  assert_int_equal(suggest_distance("ask", "aks"), 1);
  assert_int_equal(suggest_distance("ask", ""), 3);
  assert_int_equal(suggest_distance("kitten", "sitting"), 3);
  assert_int_equal(suggest_distance("ca", "abc"), 3); /* a swap is not edited again */
  struct suggest s = {.word = "replya"};
  suggest_offer(&s, "agents");
  assert_null(s.best);
  suggest_offer(&s, "replay");
  suggest_offer(&s, "reply");
  assert_string_equal(s.best, "replay"); /* the first of equals */
  struct suggest far = {.word = "xy"};
  suggest_offer(&far, "ask");
  assert_null(far.best);
}

static void check_question(const struct question *q, const char *want) {
  json_t *body = NULL;
  struct error err = {0};
  if (question_body(q, &body, &err)) fail_msg("%s", err.message);
  char *text = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(6));
  assert_string_equal(text, want);
  free(text);
  json_decref(body);
}

static void test_question_becomes_a_request(void **state) {
  (void)state;
  struct question q = {
      .text = "Why?\n", .rounds = -1, .threshold = -1, .budget_usd = -1, .deadline_s = -1};
  check_question(&q, "{\"task\":\"Why?\"}");
  q.demo = true;
  check_question(&q, "{\"agents\":\"demo,demo,demo,demo\",\"task\":\"Why?\"}");
  q = (struct question){.text = "Why?",
                        .agents = "a,b:sceptic",
                        .consensus = "judge",
                        .mode = "vote",
                        .topology = "ring",
                        .seed = "7",
                        .context = "so",
                        .rounds = 0,
                        .threshold = 0.75,
                        .budget_usd = 0.5,
                        .deadline_s = 9};
  check_question(&q,
                 "{\"agents\":\"a,b:sceptic\",\"budget_usd\":0.5,\"consensus\":\"judge\","
                 "\"consensus_threshold\":0.75,\"context\":\"so\",\"deadline_seconds\":9,"
                 "\"mode\":\"vote\",\"rounds\":0,\"seed\":\"7\",\"task\":\"Why?\","
                 "\"topology\":\"ring\"}");
  json_t *body = NULL;
  struct error err = {0};
  q.context = "@/nowhere/at/all";
  assert_int_equal(question_body(&q, &body, &err), STATUS_INVALID);
  q.context = "bad\xff";
  assert_int_equal(question_body(&q, &body, &err), STATUS_INVALID);
  assert_string_equal(question_flag_of("consensus_threshold"), "--threshold");
  assert_string_equal(question_flag_of("agents[2]"), "--agents");
  assert_string_equal(question_flag_of("quorum"), "quorum");
}

int main(void) {
  unsetenv("ARAGORA_API_URL");
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_command_explains_itself),
      cmocka_unit_test(test_listed_options_exist),
      cmocka_unit_test(test_help_shows_example_first),
      cmocka_unit_test(test_server_help_shows_every_option),
      cmocka_unit_test(test_says_what_is_wrong),
      cmocka_unit_test(test_reads_flags),
      cmocka_unit_test(test_distance),
      cmocka_unit_test(test_question_becomes_a_request),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
