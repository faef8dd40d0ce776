/* Which services there can be that no row of the table names. */
#include "provider/standins.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static const struct agent_binding openrouter = {.type = "openrouter",
                                                .provider = "openrouter",
                                                .model = "auto",
                                                .base_url = "https://or.example",
                                                .key_variable = "OR_KEY",
                                                .available = true};

static struct agent_binding row(const char *type, const char *model, const char *there) {
  return (struct agent_binding){
      .type = type, .provider = "acme", .model = model, .openrouter_model = there};
}

static struct standins make(struct agent_binding *rows, size_t count) {
  const struct agent_table table = {rows, count, NULL, NULL};
  struct standins standins;
  assert_int_equal(standins_make(&table, &standins), STATUS_OK);
  return standins;
}

static void test_one_each_model(void **state) {
  (void)state;
  struct agent_binding rows[] = {row("a", "m-1", "acme/m-1"), row("b", "m-2", "acme/m-2"),
                                 row("c", "m-1", "acme/m-1"), row("d", "m-3", NULL), openrouter};
  struct standins s = make(rows, 5);
  assert_int_equal(s.count, 2);
  assert_string_equal(s.list[0].name, "openrouter/acme/m-1");
  assert_string_equal(s.list[1].name, "openrouter/acme/m-2");
  const struct agent_binding *b = standins_find(&s, "openrouter/ACME/m-2");
  assert_non_null(b);
  assert_string_equal(b->type, "openrouter/acme/m-2");
  assert_string_equal(b->model, "acme/m-2");
  assert_string_equal(b->base_url, "https://or.example");
  assert_null(standins_find(&s, "openrouter"));
  assert_null(standins_find(&s, ""));
  standins_done(&s);
}

/* One that a row names is no stand-in; under another key it is another service. */
static void test_a_row_names_it(void **state) {
  (void)state;
  struct agent_binding own = openrouter, other_key = openrouter;
  own.type = "own";
  own.model = "acme/m-1";
  other_key.type = "other";
  other_key.model = "acme/m-2";
  other_key.key_variable = "ANOTHER_KEY";
  struct agent_binding rows[] = {row("a", "m-1", "acme/m-1"), row("b", "m-2", "acme/m-2"),
                                 openrouter, own, other_key};
  struct standins s = make(rows, 5);
  assert_int_equal(s.count, 1);
  assert_string_equal(s.list[0].name, "openrouter/acme/m-2");
  standins_done(&s);
}

static void test_without_openrouter_there_are_none(void **state) {
  (void)state;
  struct agent_binding rows[] = {row("a", "m-1", "acme/m-1"), openrouter};
  struct standins s = make(rows, 1);
  assert_int_equal(s.count, 0);
  assert_null(standins_find(&s, "openrouter/acme/m-1"));
  rows[1].available = false;
  s = make(rows, 2);
  assert_int_equal(s.count, 0);
  assert_int_equal(standins_make(NULL, &s), STATUS_OK);
  assert_int_equal(s.count, 0);
}

static void test_a_name_is_bounded(void **state) {
  (void)state;
  char model[1000];
  memset(model, 'm', sizeof model);
  model[sizeof model - 1] = '\0';
  struct agent_binding rows[] = {row("a", "m-1", model), openrouter};
  struct standins s = make(rows, 2);
  assert_int_equal(s.count, 1);
  assert_int_equal(strlen(s.list[0].name), STANDIN_NAME_SIZE - 1);
  assert_ptr_equal(s.list[0].binding.model, model);
  standins_done(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_one_each_model),
      cmocka_unit_test(test_a_row_names_it),
      cmocka_unit_test(test_without_openrouter_there_are_none),
      cmocka_unit_test(test_a_name_is_bounded),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
