/* What vendors say of models, keys and balances: whole, cut anywhere, and of another form. */
#include "provider/probe_body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void expect_model(const char *body, int64_t context) {
  int64_t got = -7;
  assert_true(probe_body_model(bytes_of(body), &got));
  assert_int_equal(got, context);
}

static void models(void **state) {
  expect_model("{\"type\":\"model\",\"id\":\"claude-opus-5\",\"created_at\":\"2026\"}", -1);
  expect_model("{\"id\":\"x\",\"max_input_tokens\":200000}", 200000);
  expect_model("{\"name\":\"models/g\",\"inputTokenLimit\":1048576,\"outputTokenLimit\":9}",
               1048576);
  expect_model(
      "{\"license\":\"..\",\"model_info\":{\"general.architecture\":\"llama\","
      "\"llama.context_length\":131072,\"llama.block_count\":80}}",
      131072);
  (void)state;
}

static void no_models(void **state) {
  int64_t context;
  static const char *const bodies[] = {"",
                                       "[]",
                                       "null",
                                       "\"id\"",
                                       "{}",
                                       "{\"error\":{}}",
                                       "<html>",
                                       "{\"id\":\"x\"",
                                       "{\"id\":\"x\"}}"};
  for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
    assert_false(probe_body_model(bytes_of(bodies[i]), &context));
  (void)state;
}

/* Numbers from outside: what cannot be a count is none. */
static void absurd_counts(void **state) {
  int64_t context;
  expect_model("{\"id\":\"x\",\"context_length\":-5}", -1);
  expect_model("{\"id\":\"x\",\"context_length\":1e99}", -1);
  expect_model("{\"id\":\"x\",\"context_length\":1000000001}", -1);
  expect_model("{\"id\":\"x\",\"context_length\":\"many\"}", -1);
  assert_false(probe_body_model(
      BYTES_LITERAL("{\"id\":\"x\",\"context_length\":99999999999999999999}"), &context));
  expect_model("{\"id\":{},\"model_info\":[1,2]}", -1);
  (void)state;
}

static const char list[] =
    "{\"object\":\"list\",\"data\":[{\"id\":\"a\",\"context_length\":1000},null,[],7,"
    "{\"name\":\"b\"},{\"context_length\":32768,\"id\":\"b/c\"},{\"id\":5}],\"more\":false}";

static void lists(void **state) {
  bool found;
  int64_t context;
  assert_true(probe_body_list(bytes_of(list), "b/c", &found, &context));
  assert_true(found);
  assert_int_equal(context, 32768);
  assert_true(probe_body_list(bytes_of(list), "b", &found, &context));
  assert_false(found); /* a name is no id */
  assert_int_equal(context, -1);
  assert_true(probe_body_list(BYTES_LITERAL("{\"data\":[]}"), "a", &found, &context));
  assert_false(found);
  assert_false(probe_body_list(BYTES_LITERAL("{\"models\":[]}"), "a", &found, &context));
  assert_false(probe_body_list(BYTES_LITERAL("{\"data\":{}}"), "a", &found, &context));
  (void)state;
}

/* Every beginning of a body is refused, read from memory that ends with it. */
static void cut_anywhere(void **state) {
  for (size_t len = 0; len + 1 < sizeof list; len++) {
    char *copy = malloc(len ? len : 1);
    bool found;
    int64_t context;
    assert_non_null(copy);
    memcpy(copy, list, len);
    assert_false(probe_body_list((struct bytes){copy, len}, "a", &found, &context));
    free(copy);
  }
  (void)state;
}

static void deep_bodies(void **state) {
  enum { DEPTH = 100000 };
  char *body = malloc(DEPTH);
  bool found;
  int64_t context;
  assert_non_null(body);
  memset(body, '[', DEPTH);
  memcpy(body, "{\"data\":", 8);
  assert_false(probe_body_list((struct bytes){body, DEPTH}, "a", &found, &context));
  free(body);
  (void)state;
}

static void credit(void **state) {
  bool spent;
  assert_true(probe_body_key(BYTES_LITERAL("{\"data\":{\"limit_remaining\":0.25}}"), &spent));
  assert_false(spent);
  assert_true(probe_body_key(BYTES_LITERAL("{\"data\":{\"limit_remaining\":0}}"), &spent));
  assert_true(spent);
  assert_true(probe_body_key(BYTES_LITERAL("{\"data\":{\"limit_remaining\":-1.5}}"), &spent));
  assert_true(spent);
  assert_true(probe_body_key(BYTES_LITERAL("{\"data\":{\"limit_remaining\":null}}"), &spent));
  assert_false(spent); /* no limit */
  assert_false(probe_body_key(BYTES_LITERAL("{\"limit_remaining\":0}"), &spent));
  assert_true(probe_body_balance(BYTES_LITERAL("{\"is_available\":true}"), &spent));
  assert_false(spent);
  assert_true(probe_body_balance(BYTES_LITERAL("{\"is_available\":false,\"x\":[]}"), &spent));
  assert_true(spent);
  assert_false(probe_body_balance(BYTES_LITERAL("{\"is_available\":\"no\"}"), &spent));
  assert_false(probe_body_balance(BYTES_LITERAL("{}"), &spent));
  (void)state;
}

/* The vendor's word is JSON; a page or a line of text is a router's or a firewall's. */
static void whose_error(void **state) {
  assert_true(probe_error_is_vendors(404, BYTES_LITERAL("{}")));
  assert_true(probe_error_is_vendors(403, BYTES_LITERAL(" \r\n\t[{}]")));
  assert_true(probe_error_is_vendors(401, BYTES_LITERAL("Unauthorized")));
  assert_true(probe_error_is_vendors(401, BYTES_LITERAL("")));
  assert_false(probe_error_is_vendors(401, BYTES_LITERAL("\n<!doctype html>")));
  assert_false(probe_error_is_vendors(403, BYTES_LITERAL("<html>")));
  assert_false(probe_error_is_vendors(404, BYTES_LITERAL("404 page not found")));
  assert_false(probe_error_is_vendors(404, BYTES_LITERAL("   ")));
  assert_false(probe_error_is_vendors(404, (struct bytes){0}));
  (void)state;
}

static void words_of_errors(void **state) {
  assert_true(probe_words_name_model("model: no-such-model (not_found_error)"));
  assert_true(probe_words_name_model("models/x is not found for API version v1beta"));
  assert_true(probe_words_name_model("GET /models/x: The Model is gone"));
  assert_false(probe_words_name_model("Invalid URL (GET /v1/models/x)"));
  assert_false(probe_words_name_model("Not Found"));
  assert_false(probe_words_name_model(""));
  assert_true(probe_words_lack_scope("Missing scopes: api.model.read"));
  assert_true(probe_words_lack_scope("The key has no permission to list models"));
  assert_false(probe_words_lack_scope("Incorrect API key provided"));
  (void)state;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(models), cmocka_unit_test(no_models),    cmocka_unit_test(absurd_counts),
      cmocka_unit_test(lists),  cmocka_unit_test(cut_anywhere), cmocka_unit_test(deep_bodies),
      cmocka_unit_test(credit), cmocka_unit_test(whose_error),  cmocka_unit_test(words_of_errors),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
