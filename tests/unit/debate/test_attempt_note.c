/* The data of attempts, written without a tree: the same bytes, fields and frames as with one. */
#include "base/prng.h"
#include "debate/attempt_note.h"
#include "debate/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ROUNDS = 2000 };

static int64_t draw_number(struct prng *r) {
  switch (prng_below(r, 4)) {
    case 0: return -1;
    case 1: return 0;
    case 2: return (int64_t)prng_below(r, 1000);
    default: return (int64_t)prng_below(r, 1000000000) * 1000;
  }
}

static const char *draw_text(struct prng *r) {
  static const char *const texts[] = {"", "acme", "\xc3\xa9\"\\\n", "a\x01tab\t", "gpt-5.2"};
  return texts[prng_below(r, sizeof texts / sizeof *texts)];
}

static struct attempt_note draw_start(struct prng *r) {
  struct attempt_note n = {.event = EVENT_ATTEMPT_START,
                           .turn = "1.critique.a",
                           .kind = "critique",
                           .provider = draw_text(r),
                           .model = draw_text(r),
                           .number = 1 + (int64_t)prng_below(r, 9),
                           .repair = prng_below(r, 2),
                           .hedge = prng_below(r, 2),
                           .reserved_tokens = llabs(draw_number(r)),
                           .reserved_usd_micro = draw_number(r),
                           .prompt_bytes = draw_number(r)};
  n.label_count = (int)prng_below(r, 4);
  for (int i = 0; i < n.label_count; i++) n.labels[i] = draw_text(r);
  return n;
}

static struct attempt_note draw_end(struct prng *r) {
  struct attempt_note n = {.event = EVENT_ATTEMPT_END,
                           .turn = "0.proposal.b",
                           .kind = "proposal",
                           .provider = draw_text(r),
                           .model = draw_text(r),
                           .number = 1,
                           .outcome = (enum outcome)prng_below(r, OUTCOME_UNKNOWN + 1),
                           .fallback = prng_below(r, 2),
                           .truncated = prng_below(r, 2),
                           .upstream_status = prng_below(r, 2) ? 429 : 0,
                           .detail = draw_text(r),
                           .request_id = draw_text(r),
                           .reply_error = draw_text(r),
                           .input = draw_number(r),
                           .cache_read = draw_number(r),
                           .cache_write = draw_number(r),
                           .output = draw_number(r),
                           .reasoning = draw_number(r),
                           .tokens = llabs(draw_number(r)),
                           .cost_usd_micro = draw_number(r),
                           .ttft_ms = draw_number(r),
                           .latency_ms = draw_number(r)};
  if (prng_below(r, 2)) n.reply = bytes_of(draw_text(r));
  return n;
}

static json_t *parse(struct buffer *text) {
  json_t *value = NULL;
  struct error err;
  if (json_parse(buffer_bytes(text), &value, &err)) fail_msg("%s: %s", err.message, text->ptr);
  return value;
}

/* A note that is read names the fields that the fold needs; the others are not in it. */
static void check_read(const struct attempt_note *n, const json_t *data) {
  struct attempt_note read;
  attempt_note_read(n->event, data, &read);
  assert_string_equal(read.turn, n->turn);
  assert_int_equal(read.number, n->number);
  assert_string_equal(read.provider, n->provider);
  assert_string_equal(read.model, n->model);
  assert_int_equal(read.hedge, n->hedge);
  assert_int_equal(read.reserved_tokens, n->reserved_tokens);
  if (n->event == EVENT_ATTEMPT_START)
    assert_int_equal(read.reserved_usd_micro, n->reserved_usd_micro);
  if (n->event == EVENT_ATTEMPT_START) return;
  assert_int_equal(read.outcome, n->outcome);
  assert_int_equal(read.fallback, n->fallback);
  assert_int_equal(read.upstream_status, n->upstream_status);
  assert_string_equal(read.detail, n->detail);
  assert_int_equal(read.reply.ptr != NULL, n->reply.ptr != NULL);
  assert_true(bytes_equal(read.reply, n->reply));
  if (n->reply.ptr) assert_string_equal(read.reply_error, n->reply_error);
  assert_int_equal(read.input, n->input);
  assert_int_equal(read.cache_read, n->cache_read);
  assert_int_equal(read.cache_write, n->cache_write);
  assert_int_equal(read.output, n->output);
  assert_int_equal(read.tokens, n->tokens);
  assert_int_equal(read.cost_usd_micro, n->cost_usd_micro);
  assert_int_equal(read.ttft_ms, n->ttft_ms);
  assert_int_equal(read.latency_ms, n->latency_ms);
}

static void check_frames(const struct attempt_note *n, json_t *data) {
  BUFFER_LATER struct buffer plain, noted;
  buffer_init(&plain, 1 << 20);
  buffer_init(&noted, 1 << 20);
  struct event event = {.seq = 7, .kind = n->event, .ts_ms = 1700000000123, .round = 1};
  event.agent = "a";
  assert_int_equal(view_note_frame("d1", &event, n, 3, &noted), STATUS_OK);
  event.data = data;
  assert_int_equal(view_frame("d1", &event, 3, &plain), STATUS_OK);
  json_t *a = parse(&plain), *b = parse(&noted);
  if (!json_equal(a, b)) fail_msg("%s\n%s", plain.ptr, noted.ptr);
  json_decref(a);
  json_decref(b);
}

static void check(const struct attempt_note *n) {
  BUFFER_LATER struct buffer text;
  buffer_init(&text, 1 << 20);
  attempt_note_append(&text, n);
  json_t *data = parse(&text);
  FREE_LATER char *canonical = json_canonical_dup(data);
  assert_string_equal(text.ptr, canonical);
  check_read(n, data);
  check_frames(n, data);
  json_decref(data);
}

static void notes_are_canonical_and_read_back(void **state) {
  (void)state;
  struct prng r = prng_for(1, 0, 0, 0);
  for (int i = 0; i < ROUNDS; i++) {
    struct attempt_note start = draw_start(&r);
    struct attempt_note end = draw_end(&r);
    check(&start);
    check(&end);
  }
}

static void the_form_of_the_log_stands(void **state) {
  (void)state;
  struct attempt_note n = {.event = EVENT_ATTEMPT_START,
                           .turn = "1.ballot.a",
                           .kind = "ballot",
                           .provider = "acme",
                           .model = "m",
                           .number = 2,
                           .hedge = true,
                           .reserved_tokens = 10,
                           .reserved_usd_micro = -1,
                           .prompt_bytes = 99,
                           .labels = {"p1", "p0"},
                           .label_count = 2};
  BUFFER_LATER struct buffer text;
  buffer_init(&text, 1 << 20);
  attempt_note_append(&text, &n);
  assert_string_equal(
      text.ptr,
      "{\"attempt\":2,\"hedge\":true,\"kind\":\"ballot\",\"labels\":[\"p1\",\"p0\"],\"model\":"
      "\"m\","
      "\"prompt_bytes\":99,\"provider\":\"acme\",\"repair\":false,\"reserved_tokens\":10,"
      "\"reserved_usd_micro\":null,\"turn\":\"1.ballot.a\"}");
  n = (struct attempt_note){.event = EVENT_ATTEMPT_END,
                            .turn = "0.proposal.a",
                            .kind = "proposal",
                            .provider = "acme",
                            .model = "m",
                            .number = 1,
                            .outcome = OUTCOME_MALFORMED,
                            .detail = "",
                            .request_id = "r",
                            .reply = BYTES_LITERAL("?"),
                            .reply_error = "no JSON",
                            .input = 3,
                            .cache_read = -1,
                            .cache_write = -1,
                            .output = 4,
                            .reasoning = -1,
                            .tokens = 7,
                            .cost_usd_micro = 5,
                            .ttft_ms = -1,
                            .latency_ms = 6};
  buffer_clear(&text);
  attempt_note_append(&text, &n);
  assert_string_equal(
      text.ptr,
      "{\"attempt\":1,\"cost_usd_micro\":5,\"detail\":\"\",\"fallback\":false,\"kind\":"
      "\"proposal\","
      "\"latency_ms\":6,\"model\":\"m\",\"outcome\":\"malformed\",\"provider\":\"acme\","
      "\"reply\":\"?\",\"reply_error\":\"no JSON\",\"request_id\":\"r\",\"tokens\":7,"
      "\"truncated\":false,\"ttft_ms\":null,\"turn\":\"0.proposal.a\",\"upstream_status\":null,"
      "\"usage\":{\"cache_read\":null,\"cache_write\":null,\"input\":3,\"output\":4,"
      "\"reasoning\":null}}");
}

/* Of a log that the engine did not write, whose sums have to stay in their type all the same. */
static void numbers_without_bounds_get_some(void **state) {
  static const int64_t most = 1000000000000;
  (void)state;
  struct attempt_note n;
  JSON_LATER json_t *start = json_pack("{s:I, s:I}", "reserved_tokens", (json_int_t)INT64_MAX,
                                       "reserved_usd_micro", (json_int_t)INT64_MIN);
  attempt_note_read(EVENT_ATTEMPT_START, start, &n);
  assert_int_equal(n.reserved_tokens, most);
  assert_int_equal(n.reserved_usd_micro, -1);
  JSON_LATER json_t *end =
      json_pack("{s:I, s:I, s:I, s:{s:I, s:I, s:I, s:I}}", "tokens", (json_int_t)INT64_MAX,
                "cost_usd_micro", (json_int_t)most + 1, "latency_ms", (json_int_t)most, "usage",
                "input", (json_int_t)INT64_MAX, "cache_read", (json_int_t)INT64_MAX, "cache_write",
                (json_int_t)-2, "output", (json_int_t)INT64_MAX);
  attempt_note_read(EVENT_ATTEMPT_END, end, &n);
  assert_int_equal(n.tokens, most);
  assert_int_equal(n.cost_usd_micro, most);
  assert_int_equal(n.latency_ms, most);
  assert_int_equal(n.input, most);
  assert_int_equal(n.cache_read, most);
  assert_int_equal(n.cache_write, -1);
  assert_int_equal(n.output, most);
  assert_int_equal(n.ttft_ms, -1);
}

static void what_is_no_utf8_is_cleaned_once(void **state) {
  (void)state;
  struct attempt_note *n = calloc(1, sizeof *n);
  assert_non_null(n);
  struct bytes good = BYTES_LITERAL("good");
  assert_ptr_equal(attempt_note_text(n, good).ptr, good.ptr);
  assert_string_equal(attempt_note_text(n, BYTES_LITERAL("a\xff")).ptr, "a\xef\xbf\xbd");
  assert_ptr_not_equal(attempt_note_copy(n, good).ptr, good.ptr);
  assert_int_equal(n->owned_count, 2);
  attempt_note_free(n);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(notes_are_canonical_and_read_back),
      cmocka_unit_test(the_form_of_the_log_stands),
      cmocka_unit_test(numbers_without_bounds_get_some),
      cmocka_unit_test(what_is_no_utf8_is_cleaned_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
