/* What an operator reads of a new table of agents. */
#include "provider/agents_change.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static struct agent_binding row(const char *type) {
  return (struct agent_binding){.type = type,
                                .provider = "acme",
                                .model = "m-1",
                                .wire = WIRE_OPENAI,
                                .base_url = "https://acme.example",
                                .key = "secret-key",
                                .key_variable = "ACME_KEY",
                                .context_tokens = 1000,
                                .output_tokens_max = 100,
                                .price_input_usd_micro = 1,
                                .price_output_usd_micro = 2,
                                .fallback = "b",
                                .available = true,
                                .seat = true};
}

static size_t describe(struct agent_binding *before, size_t before_count, struct agent_binding *now,
                       size_t now_count, struct buffer *out) {
  const struct agent_table old = {.agents = before, .count = before_count};
  const struct agent_table new = {.agents = now, .count = now_count};
  buffer_clear(out);
  return agents_change_describe(&old, &new, out);
}

static void test_nothing(void **state) {
  (void)state;
  BUFFER_LATER struct buffer out;
  buffer_init(&out, 1024);
  char model[] = "m-1"; /* the same text elsewhere */
  struct agent_binding a[] = {row("a"), row("b")}, b[] = {row("b"), row("a")};
  b[0].model = model;
  assert_int_equal(describe(a, 2, b, 2, &out), 0);
  assert_int_equal(out.len, 0);
}

static void test_everything(void **state) {
  (void)state;
  BUFFER_LATER struct buffer out;
  buffer_init(&out, 1024);
  struct agent_binding a[] = {row("a"), row("gone"), row("c")},
                       b[] = {row("a"), row("c"), row("new"), row("A")};
  b[0].key = "another-key";
  b[0].price_output_usd_micro = -1;
  b[1].model = "m-2";
  b[1].key = NULL;
  b[1].available = false;
  assert_int_equal(describe(a, 3, b, 4, &out), 5);
  assert_string_equal(out.ptr,
                      " added=new,A removed=gone changed=a(key,price),c(model,key,available)");
  assert_null(strstr(out.ptr, "another-key"));
}

/* Each field of a row alone. */
static void test_every_field_counts(void **state) {
  (void)state;
  BUFFER_LATER struct buffer out;
  buffer_init(&out, 1024);
  const char *names[] = {
      "provider",          "wire",  "base_url",         "key_variable", "quirks", "context_tokens",
      "output_tokens_max", "price", "openrouter_model", "fallback",     "local",  "seat"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    struct agent_binding a = row("a"), b = row("a");
    if (i == 0) b.provider = "other";
    if (i == 1) b.wire = WIRE_OLLAMA;
    if (i == 2) b.base_url = NULL;
    if (i == 3) b.key_variable = "OTHER";
    if (i == 4) b.quirks = QUIRK_NO_JSON_SCHEMA;
    if (i == 5) b.context_tokens++;
    if (i == 6) b.output_tokens_max++;
    if (i == 7) b.price_input_usd_micro++;
    if (i == 8) b.openrouter_model = "acme/m-1";
    if (i == 9) b.fallback = NULL;
    if (i == 10) b.local = true;
    if (i == 11) b.seat = false;
    char text[64];
    snprintf(text, sizeof text, " changed=a(%s)", names[i]);
    assert_int_equal(describe(&a, 1, &b, 1, &out), 1);
    assert_string_equal(out.ptr, text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_nothing),
      cmocka_unit_test(test_everything),
      cmocka_unit_test(test_every_field_counts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
