/* Every transcript of tests/transcripts/<wire format>/: recorded or written bytes of an answer in
 * <case>.txt, what must come of it in <case>.expect.json. Each is fed whole, byte by byte and at
 * random cuts, and must come out the same. */
#include "base/json.h"
#include "base/prng.h"
#include "provider/wire.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

enum { RANDOM_CUTS = 20 };

static struct buffer read_file(const char *path) {
  struct buffer b;
  buffer_init(&b, 4 << 20);
  FILE *f = fopen(path, "rb");
  assert_non_null(f);
  char piece[4096];
  for (size_t n; (n = fread(piece, 1, sizeof piece, f)) > 0;)
    assert_true(buffer_append(&b, piece, n));
  fclose(f);
  return b;
}

static int failures;

static void check(bool good, const char *path, const char *what, const char *got) {
  if (good) return;
  failures++;
  print_error("%s: %s, got: %s\n", path, what, got ? got : "(none)");
}

static void check_usage(const json_t *expected, const struct ask_usage *usage, const char *path) {
  const struct {
    const char *name;
    int64_t value;
  } rows[] = {{"input", usage->input},
              {"cache_read", usage->cache_read},
              {"cache_write", usage->cache_write},
              {"output", usage->output},
              {"reasoning", usage->reasoning}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char got[32];
    snprintf(got, sizeof got, "%lld", (long long)rows[i].value);
    check(json_get_int(expected, rows[i].name, rows[i].value) == rows[i].value, path, rows[i].name,
          got);
  }
}

static void check_reply(const json_t *expect, const struct wire_reply *reply, enum outcome outcome,
                        const char *path) {
  const char *text = json_get_text(expect, "text", NULL);
  const char *model = json_get_text(expect, "model", NULL);
  const char *error = json_get_text(expect, "error", NULL);
  check(strcmp(outcome_name(outcome), json_get_text(expect, "outcome", "")) == 0, path, "outcome",
        outcome_name(outcome));
  if (text)
    check(reply->text.ptr && strcmp(reply->text.ptr, text) == 0, path, "text", reply->text.ptr);
  if (model) check(reply->model && strcmp(reply->model, model) == 0, path, "model", reply->model);
  if (error) check(reply->error && strcmp(reply->error, error) == 0, path, "error", reply->error);
  check(reply->truncated == json_get_bool(expect, "truncated", false), path, "truncated",
        reply->truncated ? "true" : "false");
  check(json_get_int(expect, "cost_usd_micro", reply->cost_usd_micro) == reply->cost_usd_micro,
        path, "cost", "another");
  check_usage(json_object_get(expect, "usage"), &reply->usage, path);
}

/* `step` 0 = random pieces. */
static void run_cut(const struct wire *wire, struct bytes body, const json_t *expect, size_t step,
                    struct prng *random, const char *path) {
  struct wire_reply reply;
  wire_reply_init(&reply, 1 << 20);
  size_t record_max = (size_t)json_get_int(expect, "max_record_bytes", 2 << 20);
  struct wire_decoder *d = wire_decoder_create(wire, &reply, record_max);
  assert_non_null(d);
  bool fed = true;
  for (size_t i = 0; i < body.len && fed;) {
    size_t n = step ? step : 1 + prng_below(random, 90);
    if (n > body.len - i) n = body.len - i;
    char *piece = malloc(n); /* of exactly this size: a sanitizer sees what reads beyond */
    assert_non_null(piece);
    memcpy(piece, body.ptr + i, n);
    fed = wire_decoder_feed(d, (struct bytes){piece, n});
    free(piece);
    i += n;
  }
  bool whole = fed && wire_decoder_finish(d);
  check_reply(expect, &reply, wire_reply_outcome(&reply, fed, whole), path);
  wire_decoder_destroy(d);
  wire_reply_done(&reply);
}

static void run_case(const struct wire *wire, const char *path) {
  char expect_path[1024];
  snprintf(expect_path, sizeof expect_path, "%.*s.expect.json", (int)(strlen(path) - 4), path);
  BUFFER_LATER struct buffer body = read_file(path);
  BUFFER_LATER struct buffer text = read_file(expect_path);
  JSON_LATER json_t *expect = NULL;
  assert_int_equal(json_parse(buffer_bytes(&text), &expect, NULL), STATUS_OK);
  struct prng random = prng_for(7, 0, 0, 0);
  run_cut(wire, buffer_bytes(&body), expect, body.len + 1, &random, path);
  run_cut(wire, buffer_bytes(&body), expect, 1, &random, path);
  for (int i = 0; i < RANDOM_CUTS; i++)
    run_cut(wire, buffer_bytes(&body), expect, 0, &random, path);
}

static int run_folder(enum wire_format format) {
  char folder[512];
  snprintf(folder, sizeof folder, "%s/transcripts/%s", getenv("ARAGORA_TEST_DATA"),
           wire_of(format)->name);
  DIR *dir = opendir(folder);
  assert_non_null(dir);
  int count = 0;
  for (struct dirent *entry; (entry = readdir(dir));) {
    size_t len = strlen(entry->d_name);
    if (len < 5 || strcmp(entry->d_name + len - 4, ".txt") != 0) continue;
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    run_case(wire_of(format), path);
    count++;
  }
  closedir(dir);
  return count;
}

static void test_all(void **state) {
  (void)state;
  assert_true(run_folder(WIRE_ANTHROPIC) >= 20);
  assert_true(run_folder(WIRE_OPENAI) >= 20);
  assert_true(run_folder(WIRE_GEMINI) >= 10);
  assert_true(run_folder(WIRE_OLLAMA) >= 8);
  assert_int_equal(failures, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_all)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
