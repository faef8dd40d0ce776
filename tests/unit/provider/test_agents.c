/* The table of agents: rows, aliases, the environment, the file, and the default panel for every
 * combination of keys. */
#include "provider/agents.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static const char *const variables[] = {
    "ANTHROPIC_API_KEY",   "OPENAI_API_KEY",      "GEMINI_API_KEY",
    "XAI_API_KEY",         "MISTRAL_API_KEY",     "DEEPSEEK_API_KEY",
    "KIMI_API_KEY",        "OPENROUTER_API_KEY",  "OLLAMA_HOST",
    "LM_STUDIO_HOST",      "VLLM_HOST",           "GOOGLE_API_KEY",
    "GROK_API_KEY",        "MOONSHOT_API_KEY",    "OPENAI_BASE_URL",
    "ANTHROPIC_BASE_URL",  "GEMINI_BASE_URL",     "OLLAMA_MODEL",
    "OPENROUTER_BASE_URL", "GOOGLE_API_KEY_FILE", "ANTHROPIC_API_KEY_FILE",
};
enum { VARIABLES = sizeof variables / sizeof *variables, KEYS = 11, OPENROUTER = 7 };

static int clean(void **state) {
  (void)state;
  for (int i = 0; i < VARIABLES; i++) unsetenv(variables[i]);
  return 0;
}

static struct agent_table *load(void) {
  struct agent_table *table;
  struct error err = {0};
  if (agents_load(NULL, &table, &err)) fail_msg("%s %s", err.field, err.message);
  return table;
}

static void set_keys(unsigned mask) {
  for (int i = 0; i < KEYS; i++)
    if (mask >> i & 1)
      setenv(variables[i], i < 8 ? "secret-key" : "127.0.0.1", 1);
    else
      unsetenv(variables[i]);
}

/* Seats of the providers that the mask configures, in the order of the table. */
static int providers_of(unsigned mask, const char *out[KEYS]) {
  static const char *const order[KEYS] = {"anthropic", "openai",    "gemini", "xai",
                                          "mistral",   "deepseek",  "kimi",   "openrouter",
                                          "ollama",    "lm-studio", "vllm"};
  bool other_key = (mask & ((1u << OPENROUTER) - 1)) != 0;
  int n = 0;
  for (int i = 0; i < KEYS; i++)
    if (mask >> i & 1 && (i != OPENROUTER || !other_key)) out[n++] = order[i];
  return n;
}

static void check_panel(unsigned mask) {
  const struct agent_binding *panel[10];
  const char *expected[KEYS];
  bool demo;
  set_keys(mask);
  struct agent_table *table = load();
  size_t n = agents_default_panel(table, panel, 10, &demo);
  int providers = providers_of(mask, expected);
  assert_int_equal(demo, providers == 0);
  if (providers == 0) {
    assert_int_equal(n, 4);
    for (size_t i = 0; i < n; i++) assert_string_equal(panel[i]->type, "demo");
  } else if (providers <= 2) {
    assert_int_equal(n, 3);
    assert_string_equal(panel[0]->provider, expected[0]);
    assert_string_equal(panel[1]->provider, expected[0]);
    assert_string_equal(panel[2]->provider, expected[providers - 1]);
  } else {
    assert_int_equal(n, providers < 4 ? providers : 4);
    for (size_t i = 0; i < n; i++) assert_string_equal(panel[i]->provider, expected[i]);
  }
  for (size_t i = 0; i < n; i++) assert_true(panel[i]->available);
  agents_free(table);
}

static void test_every_combination_of_keys(void **state) {
  (void)state;
  for (unsigned mask = 0; mask < 1u << KEYS; mask++) check_panel(mask);
}

static void test_three_of_one_are_other_models(void **state) {
  (void)state;
  const struct agent_binding *panel[10];
  bool demo;
  for (int i = 0; i < 5; i++) {
    set_keys(1u << i);
    struct agent_table *table = load();
    assert_int_equal(agents_default_panel(table, panel, 10, &demo), 3);
    assert_string_not_equal(panel[0]->model, panel[1]->model);
    assert_string_not_equal(panel[0]->model, panel[2]->model);
    assert_string_not_equal(panel[1]->model, panel[2]->model);
    agents_free(table);
  }
}

static void test_names(void **state) {
  (void)state;
  static const char *const rows[][2] = {
      {"anthropic-api", "anthropic-api"},
      {"ANTHROPIC-API", "anthropic-api"},
      {"claude", "anthropic-api"},
      {"openai", "openai-api"},
      {"gpt-4", "openai-api"},
      {"Demo", "demo"},
      {"codestral", "codestral"},
      {"deepseek-r1", "deepseek-r1"},
      {"yi", "yi"},
      {"qwen-max", "qwen-max"},
      {"kimi", "kimi"},
      {"lm-studio", "lm-studio"},
  };
  struct agent_table *table = load();
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    const struct agent_binding *a = agents_find(table, bytes_of(rows[i][0]));
    assert_non_null(a);
    assert_string_equal(a->type, rows[i][1]);
  }
  assert_null(agents_find(table, BYTES_LITERAL("nobody")));
  assert_null(agents_find(table, BYTES_LITERAL("")));
  assert_null(agents_find(table, BYTES_LITERAL("claud")));
  agents_free(table);
}

static void expect_url(const char *type, const char *variable, const char *value, const char *url) {
  setenv(variable, value, 1);
  struct agent_table *table = load();
  assert_string_equal(agents_find(table, bytes_of(type))->base_url, url);
  agents_free(table);
  unsetenv(variable);
}

static void test_environment(void **state) {
  (void)state;
  expect_url("openai-api", "OPENAI_BASE_URL", "http://127.0.0.1:9099/v1/",
             "http://127.0.0.1:9099/v1");
  expect_url("ollama", "OLLAMA_HOST", "127.0.0.1", "http://127.0.0.1:11434");
  expect_url("ollama", "OLLAMA_HOST", "box:99", "http://box:99");
  expect_url("ollama", "OLLAMA_HOST", "[::1]", "http://[::1]:11434");
  expect_url("ollama", "OLLAMA_HOST", "https://box.example/", "https://box.example");
  expect_url("lm-studio", "LM_STUDIO_HOST", "localhost", "http://localhost:1234/v1");
  expect_url("vllm", "VLLM_HOST", "http://gpu:8000", "http://gpu:8000/v1");
  setenv("GOOGLE_API_KEY", "second", 1);
  setenv("OLLAMA_HOST", "h", 1);
  setenv("OLLAMA_MODEL", "qwen3", 1);
  struct agent_table *table = load();
  assert_string_equal(agents_find(table, BYTES_LITERAL("gemini"))->key, "second");
  assert_true(agents_find(table, BYTES_LITERAL("gemini"))->available);
  assert_false(agents_find(table, BYTES_LITERAL("grok"))->available);
  assert_false(agents_find(table, BYTES_LITERAL("vllm"))->available);
  assert_string_equal(agents_find(table, BYTES_LITERAL("ollama"))->model, "qwen3");
  agents_free(table);
  struct error err = {0};
  setenv("OPENAI_API_KEY", "bad\nkey", 1);
  assert_int_equal(agents_load(NULL, &table, &err), STATUS_INVALID);
  assert_string_equal(err.field, "OPENAI_API_KEY");
  assert_null(strstr(err.message, "bad"));
  unsetenv("OPENAI_API_KEY");
  setenv("OPENAI_BASE_URL", "ftp://x", 1);
  assert_int_equal(agents_load(NULL, &table, &err), STATUS_INVALID);
}

static void test_keys_of_files(void **state) {
  (void)state;
  char path[] = "/tmp/aragora-key-XXXXXX";
  int fd = mkstemp(path);
  assert_int_equal(write(fd, "of-a-file\n", 10), 10);
  close(fd);
  setenv("GOOGLE_API_KEY_FILE", path, 1); /* the second name */
  setenv("ANTHROPIC_API_KEY_FILE", path, 1);
  struct agent_table *table = load();
  assert_string_equal(agents_find(table, BYTES_LITERAL("anthropic-api"))->key, "of-a-file");
  assert_string_equal(agents_find(table, BYTES_LITERAL("gemini"))->key, "of-a-file");
  assert_false(agents_find(table, BYTES_LITERAL("grok"))->available);
  agents_free(table);
  struct error err = {0};
  setenv("ANTHROPIC_API_KEY", "another", 1);
  assert_int_equal(agents_load(NULL, &table, &err), STATUS_INVALID);
  assert_string_equal(err.field, "ANTHROPIC_API_KEY");
  unsetenv("ANTHROPIC_API_KEY");
  assert_int_equal(chmod(path, 0640), 0);
  assert_int_equal(agents_load(NULL, &table, &err), STATUS_INVALID);
  assert_non_null(strstr(err.message, "ANTHROPIC_API_KEY_FILE"));
  unlink(path);
}

static void test_openrouter_reaches_others(void **state) {
  (void)state;
  setenv("OPENROUTER_API_KEY", "or", 1);
  struct agent_table *table = load();
  const struct agent_binding *a = agents_find(table, BYTES_LITERAL("deepseek"));
  assert_true(a->available);
  assert_string_equal(a->provider, "openrouter");
  assert_string_equal(a->model, "deepseek/deepseek-v4-flash");
  assert_true(a->quirks & QUIRK_OPENROUTER_HEADERS);
  agents_free(table);
  setenv("DEEPSEEK_API_KEY", "ds", 1);
  table = load();
  assert_string_equal(agents_find(table, BYTES_LITERAL("deepseek"))->provider, "deepseek");
  agents_free(table);
}

static enum status load_text(const char *json, struct agent_table **ret_table, struct error *err) {
  char path[] = "/tmp/aragora-agents-XXXXXX";
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, json, strlen(json)), (ssize_t)strlen(json));
  close(fd);
  enum status status = agents_load(path, ret_table, err);
  unlink(path);
  return status;
}

static void test_file(void **state) {
  (void)state;
  struct agent_table *table;
  struct error err = {0};
  setenv("OPENAI_BASE_URL", "http://environment/v1", 1);
  setenv("MINE", "my-key", 1);
  assert_int_equal(
      load_text(
          "{\"agents\":[{\"type\":\"OpenAI-API\",\"model\":\"gpt-9\",\"price_input_usd\":1.25,"
          "\"price_output_usd\":10,\"base_url\":\"http://file/v1/\"},"
          "{\"type\":\"mine\",\"provider\":\"me\",\"model\":\"m1\",\"wire\":\"ollama\","
          "\"base_url\":\"http://me\",\"key_variable\":\"MINE\",\"quirks\":[\"no_json_schema\"],"
          "\"context_tokens\":1000,\"output_tokens_max\":10,\"price_input_usd\":null}]}",
          &table, &err),
      STATUS_OK);
  const struct agent_binding *a = agents_find(table, BYTES_LITERAL("openai-api"));
  assert_string_equal(a->model, "gpt-9");
  assert_string_equal(a->base_url, "http://file/v1");
  assert_int_equal(a->price_input_usd_micro, 1250000);
  assert_int_equal(a->price_output_usd_micro, 10000000);
  a = agents_find(table, BYTES_LITERAL("mine"));
  assert_string_equal(a->key, "my-key");
  assert_true(a->available);
  assert_int_equal(a->wire, WIRE_OLLAMA);
  assert_int_equal(a->quirks, QUIRK_NO_JSON_SCHEMA);
  assert_int_equal(a->price_input_usd_micro, -1);
  agents_free(table);
  unsetenv("MINE");
}

static void test_bad_files(void **state) {
  (void)state;
  static const char *const rows[][2] = {
      {"{", ""},
      {"[]", "agents"},
      {"{\"agents\":{}}", "agents"},
      {"{\"agents\":[1]}", "agents[0].type"},
      {"{\"agents\":[{\"type\":\"a b\"}]}", "agents[0].type"},
      {"{\"agents\":[{\"type\":\"x\"}]}", "agents[0].provider"},
      {"{\"agents\":[{\"type\":\"demo\"},{\"type\":\"openai-api\",\"wire\":\"soap\"}]}",
       "agents[1].wire"},
      {"{\"agents\":[{\"type\":\"grok\",\"base_url\":\"file:///etc\"}]}", "agents[0].base_url"},
      {"{\"agents\":[{\"type\":\"grok\",\"quirks\":[\"odd\"]}]}", "agents[0].quirks"},
      {"{\"agents\":[{\"type\":\"grok\",\"price_input_usd\":-1}]}", "agents[0].price_input_usd"},
      {"{\"agents\":[{\"type\":\"grok\",\"context_tokens\":0}]}", "agents[0].context_tokens"},
      {"{\"agents\":[{\"type\":\"grok\",\"colour\":1}]}", "agents[0].colour"},
      {"{\"agents\":[{\"type\":\"grok\",\"model\":\"a\\nb\"}]}", "agents[0].model"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct agent_table *table = NULL;
    struct error err = {0};
    assert_int_equal(load_text(rows[i][0], &table, &err), STATUS_INVALID);
    assert_string_equal(err.field, rows[i][1]);
    assert_null(table);
  }
  struct agent_table *table = NULL;
  assert_int_equal(agents_load("/nonexistent/agents.json", &table, NULL), STATUS_IO);
  agents_free(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(test_every_combination_of_keys, clean),
      cmocka_unit_test_setup(test_three_of_one_are_other_models, clean),
      cmocka_unit_test_setup(test_names, clean),
      cmocka_unit_test_setup(test_environment, clean),
      cmocka_unit_test_setup(test_keys_of_files, clean),
      cmocka_unit_test_setup(test_openrouter_reaches_others, clean),
      cmocka_unit_test_setup(test_file, clean),
      cmocka_unit_test_setup(test_bad_files, clean),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
