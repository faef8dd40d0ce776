/* Every fault of the table, in every wire format, as the client's own decoders see it; and on the
 * wire itself where the decoders cannot. */
#include "fixture.h"

#include "base/json.h"
#include "provider/wire.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
// clang-format off
#include <cmocka.h>
// clang-format on

#define WORDS                                                                                     \
  "One \xe2\x82\xac two w\xc3\xb6rds three four five six seven eight nine ten eleven twelve \xf0" \
  "\x9f\x98\x80 end."
#define SCRIPT "{\"rules\":[{\"reply\":\"" WORDS "\"}]}"

static const struct {
  enum wire_format format;
  const char *path, *whole_path;
  const char *body, *whole_body;
} vendors[] = {
    {WIRE_ANTHROPIC, "/v1/messages", "/v1/messages",
     "{\"model\":\"m\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"q\"}]}",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"}]}"},
    {WIRE_OPENAI, "/v1/chat/completions", "/v1/chat/completions",
     "{\"model\":\"m\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"q\"}]}",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"}]}"},
    {WIRE_OPENAI, "/api/v1/chat/completions", "/api/v1/chat/completions",
     "{\"model\":\"m\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"q\"}]}",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"}]}"},
    {WIRE_GEMINI, "/v1beta/models/m:streamGenerateContent?alt=sse",
     "/v1beta/models/m:generateContent", "{\"contents\":[{\"parts\":[{\"text\":\"q\"}]}]}",
     "{\"contents\":[{\"parts\":[{\"text\":\"q\"}]}]}"},
    {WIRE_OLLAMA, "/api/chat", "/api/chat",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"}]}",
     "{\"model\":\"m\",\"stream\":false,\"messages\":[{\"role\":\"user\",\"content\":\"q\"}]}"},
};
enum { VENDORS = sizeof vendors / sizeof *vendors };

static struct response ask(int vendor, const char *fault, bool streamed) {
  char extra[80];
  snprintf(extra, sizeof extra, "X-Fake-Fault: %s\r\n", fault);
  return streamed ? fixture_ask(vendors[vendor].path, extra, vendors[vendor].body)
                  : fixture_ask(vendors[vendor].whole_path, extra, vendors[vendor].whole_body);
}

struct decoded {
  enum outcome outcome;
  struct wire_reply reply;
};

static struct decoded decode(int vendor, const struct response *r) {
  struct decoded d;
  wire_reply_init(&d.reply, 4 << 20);
  struct wire_decoder *decoder =
      wire_decoder_create(wire_of(vendors[vendor].format), &d.reply, 2 << 20);
  assert_non_null(decoder);
  bool fed = wire_decoder_feed(decoder, buffer_bytes(&r->body));
  bool whole = wire_decoder_finish(decoder);
  d.outcome = wire_reply_outcome(&d.reply, fed, whole);
  wire_decoder_destroy(decoder);
  return d;
}

static void start(const char *script) {
  fixture_start(&FAKE_OPTIONS_DEFAULT);
  if (script) fixture_script(script);
}

/* ---- answers that must come out the same ---- */

static void check_same(int vendor, const char *fault, bool streamed) {
  struct response r = ask(vendor, fault, streamed);
  assert_int_equal(r.status, 200);
  assert_true(r.whole);
  struct decoded d = decode(vendor, &r);
  if (d.outcome != OUTCOME_OK || strcmp(d.reply.text.ptr, WORDS) != 0)
    fail_msg("%s %s streamed=%d: %s, %s", vendors[vendor].path, fault, streamed,
             outcome_name(d.outcome), r.body.ptr);
  wire_reply_done(&d.reply);
  response_done(&r);
}

static void test_harmless(void **state) {
  (void)state;
  static const char *const faults[] = {"none",
                                       "comments-first",
                                       "blank-lines",
                                       "crlf",
                                       "cr",
                                       "no-space",
                                       "utf8-split",
                                       "thinking-first",
                                       "array-content",
                                       "obfuscation",
                                       "usage-missing",
                                       "usage-wrong",
                                       "line-1mb",
                                       NULL};
  start(SCRIPT);
  for (int v = 0; v < VENDORS; v++)
    for (const char *const *fault = faults; *fault; fault++) check_same(v, *fault, true);
  fixture_stop();
}

/* The marks that make them different. */
static void test_harmless_bytes(void **state) {
  (void)state;
  static const struct {
    int vendor;
    const char *fault, *there, *not_there;
  } cases[] = {
      {0, "crlf", "event: message_stop\r\ndata: {\"type\":\"message_stop\"}\r\n\r\n", NULL},
      {0, "cr", "event: message_stop\rdata: {\"type\":\"message_stop\"}\r\r", "\n"},
      {0, "no-space", "event:message_stop\ndata:{\"type\":\"message_stop\"}\n\n", "data: "},
      {0, "thinking-first", "\"thinking_tokens\":12", NULL},
      {0, "array-content", "\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":\" ", NULL},
      {1, "array-content", "{\"content\":[{\"type\":\"text\",\"text\":\"One\"}]}", NULL},
      {1, "thinking-first", "\"reasoning_content\":\"Let me", NULL},
      {1, "obfuscation", "\"obfuscation\":", NULL},
      {1, "usage-missing", "data: [DONE]", "usage"},
      {1, "usage-wrong", "\"prompt_tokens\":-7", NULL},
      {1, "comments-first", ": PROCESSING\n\n: PROCESSING\n\n: PROCESSING\n\ndata: {", NULL},
      {1, "blank-lines", "\n\n\n\ndata: {", NULL},
      {3, "thinking-first", "\"thought\":true", NULL},
      {3, "usage-missing", "responseId", "usageMetadata"},
      {4, "thinking-first", "\"thinking\":\"Let me", NULL},
      {4, "crlf", "\"done\":false}\r\n", NULL},
      {4, "comments-first", "\n\n\n{", NULL},
  };
  start(SCRIPT);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct response r = ask(cases[i].vendor, cases[i].fault, true);
    if (!strstr(r.body.ptr, cases[i].there) ||
        (cases[i].not_there && strstr(r.body.ptr, cases[i].not_there)))
      fail_msg("case %zu: %s", i, r.body.ptr);
    response_done(&r);
  }
  fixture_stop();
}

/* ---- answers that a client must not take ---- */

static void check_outcome(int vendor, const char *fault, enum outcome outcome, const char *text) {
  struct response r = ask(vendor, fault, true);
  struct decoded d = decode(vendor, &r);
  if (r.status != 200 || d.outcome != outcome ||
      (text && (!d.reply.text.ptr || strcmp(d.reply.text.ptr, text) != 0)))
    fail_msg("%s %s: %s instead of %s, %s", vendors[vendor].path, fault, outcome_name(d.outcome),
             outcome_name(outcome), r.body.ptr);
  wire_reply_done(&d.reply);
  response_done(&r);
}

static void test_outcomes(void **state) {
  (void)state;
  enum { OLLAMA = 4 };
  start(SCRIPT);
  for (int v = 0; v < VENDORS; v++) {
    check_outcome(v, "error-200", OUTCOME_OVERLOADED, NULL);
    check_outcome(v, "error-mid", OUTCOME_OVERLOADED, NULL);
    check_outcome(v, "cut-clean", OUTCOME_UNAVAILABLE, NULL);
    check_outcome(v, "cut-char", OUTCOME_UNAVAILABLE, NULL);
    check_outcome(v, "malformed-event", OUTCOME_MALFORMED, NULL);
    check_outcome(v, "refusal", v == OLLAMA ? OUTCOME_OK : OUTCOME_REFUSED, NULL);
    check_outcome(v, "empty-content", OUTCOME_EMPTY, NULL);
    check_outcome(v, "garbage", OUTCOME_OK, NULL);
    check_outcome(v, "prose", OUTCOME_OK, NULL);
    check_outcome(v, "fenced", OUTCOME_OK,
                  "Here is my answer:\n\n```json\n" WORDS "\n```\nI hope this helps.\n");
  }
  fixture_stop();
}

static void test_truncated(void **state) {
  (void)state;
  start(SCRIPT);
  for (int v = 0; v < VENDORS; v++) {
    struct response r = ask(v, "truncated", true);
    struct decoded d = decode(v, &r);
    assert_int_equal(d.outcome, OUTCOME_OK);
    assert_true(d.reply.truncated);
    assert_true(d.reply.text.len > 0 && d.reply.text.len <= strlen(WORDS) / 2);
    assert_memory_equal(d.reply.text.ptr, WORDS, d.reply.text.len);
    wire_reply_done(&d.reply);
    response_done(&r);
  }
  fixture_stop();
}

/* Half of the words came, and the connection ended as the fault says. */
static void test_broken_off(void **state) {
  (void)state;
  start(SCRIPT);
  for (int v = 0; v < VENDORS; v++) {
    for (int streamed = 0; streamed < 2; streamed++) {
      struct response r = ask(v, "cut", streamed);
      assert_int_equal(r.status, 200);
      assert_false(r.whole);
      assert_false(r.reset);
      if (streamed) {
        assert_non_null(strstr(r.body.ptr, "One"));
        assert_null(strstr(r.body.ptr, " end."));
      } else {
        assert_true(r.body.len < strtoul(response_header(&r, "content-length"), NULL, 10));
      }
      response_done(&r);
      /* Whether the words arrive before the reset that follows is the kernel's affair. */
      r = ask(v, "reset-text", streamed);
      assert_false(r.whole);
      assert_true(r.reset);
      response_done(&r);
    }
    struct response r = ask(v, "reset", true);
    assert_int_equal(r.status, 0);
    assert_true(r.reset);
    response_done(&r);
  }
  fixture_stop();
}

/* ---- error answers ---- */

static void check_classified(int vendor, const char *fault, int status, enum outcome outcome) {
  struct response r = ask(vendor, fault, true);
  FREE_LATER char *detail = NULL;
  JSON_LATER json_t *body = NULL;
  assert_int_equal(r.status, status);
  assert_true(r.whole);
  assert_string_equal(response_header(&r, "content-type"), "application/json");
  assert_int_equal(json_parse(buffer_bytes(&r.body), &body, NULL), STATUS_OK);
  enum outcome got = wire_classify_error(status, buffer_bytes(&r.body), NULL, &detail);
  if (got != outcome)
    fail_msg("%s %s: %s, %s", vendors[vendor].path, fault, outcome_name(got), r.body.ptr);
  response_done(&r);
}

static void test_statuses(void **state) {
  (void)state;
  start(NULL);
  for (int v = 0; v < VENDORS; v++) {
    check_classified(v, "status-400", 400, OUTCOME_INVALID_REQUEST);
    check_classified(v, "status-401", 401, OUTCOME_AUTH);
    check_classified(v, "status-402", 402, OUTCOME_QUOTA);
    check_classified(v, "status-404", 404, OUTCOME_INVALID_REQUEST);
    check_classified(v, "status-413", 413, OUTCOME_INVALID_REQUEST);
    check_classified(v, "status-422", 422, OUTCOME_INVALID_REQUEST);
    check_classified(v, "status-429-1s", 429, OUTCOME_RATE_LIMITED);
    check_classified(v, "status-503", 503, OUTCOME_OVERLOADED);
    check_classified(v, "status-529", 529, OUTCOME_OVERLOADED);
  }
  check_classified(1, "status-429-quota", 429, OUTCOME_QUOTA);
  check_classified(1, "status-403-quota", 403, OUTCOME_QUOTA);
  check_classified(1, "status-403", 403, OUTCOME_AUTH);
  fixture_stop();
}

static void test_retry_after(void **state) {
  (void)state;
  start(NULL);
  struct response r = ask(0, "status-429-1s", true);
  assert_string_equal(response_header(&r, "retry-after"), "1");
  response_done(&r);
  r = ask(0, "status-429-none", true);
  assert_null(response_header(&r, "retry-after"));
  response_done(&r);
  r = ask(0, "status-429-ms", true);
  assert_string_equal(response_header(&r, "retry-after-ms"), "250");
  response_done(&r);
  r = ask(3, "status-429-10h", true);
  assert_string_equal(response_header(&r, "retry-after"), "36000");
  assert_int_equal(wire_error_retry_ms(buffer_bytes(&r.body)), 36000 * 1000);
  response_done(&r);
  r = ask(0, "status-429-date", true);
  struct tm tm;
  const char *date = response_header(&r, "retry-after");
  assert_non_null(date);
  const char *end = strptime(date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
  assert_true(end && !*end);
  time_t ahead = timegm(&tm) - time(NULL);
  assert_true(ahead >= -60 && ahead <= 3);
  response_done(&r);
  fixture_stop();
}

static void test_pages(void **state) {
  (void)state;
  start(NULL);
  struct response r = ask(1, "html-body", true);
  assert_int_equal(r.status, 200);
  assert_non_null(strstr(r.body.ptr, "<!DOCTYPE html>"));
  response_done(&r);
  r = ask(1, "html-502", true);
  assert_int_equal(r.status, 502);
  response_done(&r);
  r = ask(1, "empty-body", true);
  assert_int_equal(r.status, 200);
  assert_string_equal(response_header(&r, "content-length"), "0");
  response_done(&r);
  r = ask(1, "redirect", true);
  assert_int_equal(r.status, 302);
  assert_non_null(response_header(&r, "location"));
  response_done(&r);
  r = ask(1, "no-such-fault", true);
  assert_int_equal(r.status, 400);
  assert_non_null(strstr(r.body.ptr, "no such fault"));
  response_done(&r);
  fixture_stop();
}

/* ---- answers without an end ---- */

static struct response ask_open(int vendor, const char *fault, size_t body_max, int *ret_fd) {
  char extra[80];
  snprintf(extra, sizeof extra, "X-Fake-Fault: %s\r\n", fault);
  *ret_fd = fixture_connect();
  fixture_post(*ret_fd, vendors[vendor].path, extra, vendors[vendor].body);
  return fixture_read(*ret_fd, body_max);
}

/* An answer on another connection: what the server had to say before is in the socket by then. */
static bool is_silent(int fd) {
  struct pollfd p = {fd, POLLIN, 0};
  check_same(0, "none", true);
  return poll(&p, 1, 0) == 0;
}

static void test_stalls(void **state) {
  (void)state;
  int fd;
  start(SCRIPT);
  for (int v = 0; v < VENDORS; v++) {
    fd = fixture_connect();
    fixture_post(fd, vendors[v].path, "x-fake-fault: stall-head\r\n", vendors[v].body);
    assert_true(is_silent(fd));
    close(fd);
    struct response r = ask_open(v, "stall-text", 100, &fd);
    assert_int_equal(r.status, 200);
    assert_false(r.whole);
    assert_true(is_silent(fd));
    response_done(&r);
    close(fd);
  }
  fixture_stop();
}

static void test_endless(void **state) {
  (void)state;
  enum { SOME_BYTES = 3 << 20 };
  int fd;
  start(SCRIPT);
  for (int v = 0; v < VENDORS; v++) {
    struct response r = ask_open(v, "endless", SOME_BYTES, &fd);
    assert_true(r.body.len >= SOME_BYTES);
    assert_false(r.whole);
    close(fd);
    struct decoded d = decode(v, &r);
    assert_true(d.reply.text.len > 40000);
    wire_reply_done(&d.reply);
    response_done(&r);
  }
  fixture_stop();
}

static void test_comments(void **state) {
  (void)state;
  int fd;
  start(SCRIPT);
  struct response r = ask_open(1, "comments", strlen(": keep-alive\n\n") * 2, &fd);
  assert_string_equal(r.body.ptr, ": keep-alive\n\n: keep-alive\n\n");
  assert_int_equal(r.reads, 2);
  close(fd);
  response_done(&r);
  r = ask_open(4, "comments", 2, &fd);
  assert_string_equal(r.body.ptr, "\n\n");
  close(fd);
  response_done(&r);
  fixture_stop();
}

/* Its 100 ms a byte are too long to wait for many: three reads bring three bytes of the head. */
static void test_drip(void **state) {
  (void)state;
  start(SCRIPT);
  int fd = fixture_connect();
  char bytes[64];
  fixture_post(fd, vendors[0].path, "x-fake-fault: drip\r\n", vendors[0].body);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(recv(fd, bytes, sizeof bytes, 0), 1);
    assert_int_equal(bytes[0], "HTT"[i]);
  }
  close(fd);
  fixture_stop();
}

static void test_gzip_bomb(void **state) {
  (void)state;
  start(NULL);
  struct response r = ask(1, "gzip-bomb", true);
  assert_int_equal(r.status, 200);
  assert_string_equal(response_header(&r, "content-encoding"), "gzip");
  assert_true(r.body.len >= 8 << 20);
  /* RFC 1952, and what zlib makes of it: zeros, far more than came. */
  assert_memory_equal(r.body.ptr, "\x1f\x8b\x08", 3);
  for (size_t i = 64; i + 13 <= r.body.len; i++)
    if (r.body.ptr[i] != r.body.ptr[i - 13]) fail_msg("byte %zu", i);
  response_done(&r);
  fixture_stop();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_harmless),    cmocka_unit_test(test_harmless_bytes),
      cmocka_unit_test(test_outcomes),    cmocka_unit_test(test_truncated),
      cmocka_unit_test(test_broken_off),  cmocka_unit_test(test_statuses),
      cmocka_unit_test(test_retry_after), cmocka_unit_test(test_pages),
      cmocka_unit_test(test_stalls),      cmocka_unit_test(test_endless),
      cmocka_unit_test(test_comments),    cmocka_unit_test(test_drip),
      cmocka_unit_test(test_gzip_bomb)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
