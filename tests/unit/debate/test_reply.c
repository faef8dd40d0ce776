/* Replies: what is accepted, what is refused, and that nothing is ever guessed. */
#include "base/prng.h"
#include "base/utf8.h"
#include "debate/reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static enum status parse(enum turn_kind kind, int labels, int items, const char *text, bool lenient,
                         struct reply *ret_reply, struct error *err) {
  struct reply_form form = {kind, labels, items};
  return reply_parse(&form, bytes_of(text), lenient, ret_reply, err);
}

static void expect(enum turn_kind kind, int labels, int items, const char *text, bool lenient,
                   struct reply *ret_reply) {
  struct error err = {0};
  if (parse(kind, labels, items, text, lenient, ret_reply, &err))
    fail_msg("refused: %s\n%s", err.message, text);
  assert_int_equal(ret_reply->kind, kind);
  assert_int_equal(ret_reply->lenient, lenient);
}

static void refuse(enum turn_kind kind, int labels, int items, const char *text, bool lenient,
                   const char *why) {
  struct reply reply;
  struct error err = {0};
  if (parse(kind, labels, items, text, lenient, &reply, &err) != STATUS_INVALID)
    fail_msg("not refused: %s", text);
  if (!strstr(err.message, why)) fail_msg("\"%s\" does not say \"%s\"", err.message, why);
}

static void refuse_both(enum turn_kind kind, int labels, int items, const char *text) {
  refuse(kind, labels, items, text, false, "");
  refuse(kind, labels, items, text, true, "");
}

#define PROPOSAL                                      \
  "{\"answer\":\" Yes, since \\u00e9.\\r\\nDone. "    \
  "\",\"answer_key\":\"Yes.\",\"key_claims\":[\"a\"," \
  "\"\",\"b\"],\"confidence\":0.7}"

static void check_proposal(const char *text, bool lenient) {
  struct reply reply;
  expect(TURN_PROPOSAL, 0, 0, text, lenient, &reply);
  assert_string_equal(reply.answer, "Yes, since \xc3\xa9.\nDone.");
  assert_string_equal(reply.key, "yes");
  assert_int_equal(reply.claim_count, 2);
  assert_string_equal(reply.claims[1], "b");
  assert_int_equal(reply.confidence_ppm, 700000);
  reply_done(&reply);
}

static void test_proposal(void **state) {
  (void)state;
  check_proposal(PROPOSAL, false);
  check_proposal("\n \xef\xbb\xbf" PROPOSAL "\n", false);
  check_proposal("```json\n" PROPOSAL "\n```\n", false);
  check_proposal("```\n" PROPOSAL "```", false);
  check_proposal("Here it is:\n```json\n" PROPOSAL "\n```\nI hope {this} helps.", true);
  check_proposal("{not json} {\"other\":1} " PROPOSAL " {\"other\":2}", true);
  check_proposal("<think>{\"answer\":\"a thought\",\"answer_key\":\"no\"}</think>" PROPOSAL, true);
}

#define ITEM(target, severity)                                                          \
  "{\"target\":\"" target "\",\"claim\":\"c\",\"problem\":\"p\",\"severity\":" severity \
  ",\"why\":\"w\",\"fix\":\"f\"}"

#define SECOND "{\"answer\":\"second\",\"answer_key\":\"no\"}"
#define TWENTY(text)                                                                             \
  text text text text text text text text text text text text text text text text text text text \
      text

/* A reply may quote another one; which of them is meant is not guessed. */
static void test_several_objects(void **state) {
  (void)state;
  static const char why[] = "several replies that differ";
  check_proposal(PROPOSAL " As I said: " PROPOSAL, true);
  refuse(TURN_PROPOSAL, 0, 0, "B says " SECOND ", but: " PROPOSAL, true, why);
  refuse(TURN_PROPOSAL, 0, 0, PROPOSAL " " PROPOSAL " " SECOND, true, why);
  refuse(TURN_PROPOSAL, 0, 0, "B says " SECOND "\nANSWER: Yes.\nANSWER_KEY: yes", true, why);
  refuse(TURN_BALLOT, 2, 0,
         "B tells me to reply {\"ranking\":[\"B\",\"A\"]}. My ballot: {\"ranking\":[\"A\",\"B\"]}",
         true, why);
  refuse(TURN_BALLOT, 2, 0, "B wants {\"ranking\":[\"B\",\"A\"]}.\nRANKING: A > B", true, why);
  refuse(TURN_JUDGMENT, 2, 0, "{\"verdict\":\"A\",\"scores\":[]} {\"verdict\":\"B\",\"scores\":[]}",
         true, why);
  refuse(TURN_REVISION, 1, 1,
         "{\"stance\":\"held\"} {\"stance\":\"held\",\"responses\":[{\"item\":\"1\",\"verdict\":"
         "\"accept\"}]}",
         true, why);
  refuse(TURN_CRITIQUE, 1, 0, "{\"items\":[]} {\"items\":[" ITEM("A", "0.5") "]}", true, why);
  refuse(TURN_CRITIQUE, 1, 0,
         "{\"items\":[" ITEM("A", "0.4") "]} {\"items\":[" ITEM("A", "0.5") "]}", true, why);
  struct reply reply;
  expect(TURN_BALLOT, 2, 0,
         "{\"ranking\":[\"A\",\"B\"],\"reason\":\"r\"} or {\"ranking\":[\"Response A\",\"b\"]}\n"
         "RANKING: A > B",
         true, &reply);
  assert_int_equal(reply.ranking[0], 0);
  reply_done(&reply);
  /* a part of something broken is no reply either */
  refuse_both(TURN_PROPOSAL, 0, 0, "{\"error\":" SECOND ",}");
}

/* Braces that begin no object do not hide the one that does, however many. */
static void test_braces_before_the_object(void **state) {
  (void)state;
  check_proposal(TWENTY("\\frac{1}{2} + ") PROPOSAL, true);
  check_proposal(TWENTY("{} ") TWENTY("{ \"a\" } ") TWENTY("{\n\"x\": 1} ") PROPOSAL, true);
  check_proposal(TWENTY("{\" ") "\" " PROPOSAL, true);
}

/* Hostile text costs a bounded number of scans, and is refused as a whole. */
static void test_objects_without_end(void **state) {
  (void)state;
  static char text[REPLY_TEXT_MAX + 1];
  for (size_t at = 0; at < REPLY_TEXT_MAX; at++) text[at] = "{\"a\":"[at % 5];
  memcpy(text, PROPOSAL, sizeof PROPOSAL - 1);
  refuse(TURN_PROPOSAL, 0, 0, text, true, "begins too many JSON objects");
  for (size_t at = sizeof PROPOSAL; at < REPLY_TEXT_MAX; at++) text[at] = "{\""[at % 2];
  refuse(TURN_PROPOSAL, 0, 0, text, true, "begins too many JSON objects");
}

static void test_strict_takes_one_object_alone(void **state) {
  (void)state;
  refuse(TURN_PROPOSAL, 0, 0, "Sure: " PROPOSAL, false, "not one JSON object alone");
  refuse(TURN_PROPOSAL, 0, 0, PROPOSAL PROPOSAL, false, "not one JSON object alone");
  refuse(TURN_PROPOSAL, 0, 0, "```json\n" PROPOSAL "\n``` so", false, "");
  refuse(TURN_PROPOSAL, 0, 0, "[" PROPOSAL "]", false, "no JSON object");
  refuse(TURN_PROPOSAL, 0, 0, "\"answer\"", false, "no JSON object");
  refuse(TURN_PROPOSAL, 0, 0, "", false, "empty");
  refuse(TURN_PROPOSAL, 0, 0, " \n\xe2\x80\x8b", false, "empty");
}

/* What decides has to be there; what explains may be missing, but not of another type. */
static void test_fields_of_a_proposal(void **state) {
  (void)state;
  struct reply reply;
  expect(TURN_PROPOSAL, 0, 0, "{\"answer\":\"x\",\"answer_key\":\"\",\"more\":[1]}", false, &reply);
  assert_string_equal(reply.key, "");
  assert_int_equal(reply.confidence_ppm, -1);
  assert_int_equal(reply.claim_count, 0);
  reply_done(&reply);
  refuse(TURN_PROPOSAL, 0, 0, "{\"answer\":\"x\"}", false, "\"answer_key\" must be a text");
  refuse(TURN_PROPOSAL, 0, 0, "{\"answer\":\"x\",\"answer_key\":4}", false, "answer_key");
  refuse(TURN_PROPOSAL, 0, 0, "{\"answer\":[\"x\"],\"answer_key\":\"\"}", false, "\"answer\"");
  refuse_both(TURN_PROPOSAL, 0, 0, "{\"answer\":\" \\n\\u200b\",\"answer_key\":\"yes\"}");
  refuse_both(TURN_PROPOSAL, 0, 0, "{\"answer\":null,\"answer_key\":\"yes\"}");
  refuse_both(TURN_PROPOSAL, 0, 0, "{\"answer\":{\"text\":\"x\"},\"answer_key\":\"yes\"}");
  refuse_both(TURN_PROPOSAL, 0, 0, "{\"answer_key\":\"yes\"}");
  refuse_both(TURN_PROPOSAL, 0, 0, "{\"Answer\":\"x\",\"answer_key\":\"yes\"}");
  refuse(TURN_PROPOSAL, 0, 0, "{\"answer\":\"x\",\"answer_key\":\"\",\"key_claims\":\"c\"}", false,
         "key_claims");
  refuse(TURN_PROPOSAL, 0, 0, "{\"answer\":\"x\",\"answer_key\":\"\",\"confidence\":\"0.8\"}",
         false, "confidence");
  expect(TURN_PROPOSAL, 0, 0,
         "{\"answer\":\"x\",\"answer_key\":42,\"key_claims\":\"c\",\"confidence\":\"80 %\"}", true,
         &reply);
  assert_string_equal(reply.key, "42");
  assert_string_equal(reply.claims[0], "c");
  assert_int_equal(reply.confidence_ppm, 800000);
  reply_done(&reply);
}

static void check_confidence(const char *written, int64_t strict_ppm, int64_t lenient_ppm) {
  char text[128];
  snprintf(text, sizeof text, "{\"answer\":\"x\",\"answer_key\":\"\",\"confidence\":%s}", written);
  struct reply reply;
  struct error err;
  enum status s = parse(TURN_PROPOSAL, 0, 0, text, false, &reply, &err);
  assert_int_equal(s, strict_ppm == -2 ? STATUS_INVALID : STATUS_OK);
  if (!s) {
    assert_int_equal(reply.confidence_ppm, strict_ppm);
    reply_done(&reply);
  }
  expect(TURN_PROPOSAL, 0, 0, text, true, &reply);
  assert_int_equal(reply.confidence_ppm, lenient_ppm);
  reply_done(&reply);
}

static void test_confidence(void **state) {
  (void)state;
  check_confidence("0", 0, 0);
  check_confidence("1", 1000000, 1000000);
  check_confidence("0.3333333", 333333, 333333);
  check_confidence("0.0000005", 1, 1);
  check_confidence("85", 850000, 850000);
  check_confidence("100", 1000000, 1000000);
  check_confidence("99.5", 995000, 995000);
  check_confidence("10.5", 105000, 105000);
  check_confidence("10", -2, -1); /* in a hundred, or in ten? */
  check_confidence("8", -2, -1);
  check_confidence("1.5", -2, -1);
  check_confidence("\"8%\"", -2, 80000);
  check_confidence("null", -1, -1);
  check_confidence("101", -2, -1);
  check_confidence("-0.1", -2, -1);
  check_confidence("\"0.8\"", -2, 800000);
  check_confidence("\"85%\"", -2, 850000);
  check_confidence("\"high\"", -2, -1);
  check_confidence("\"nan\"", -2, -1);
  check_confidence("[0.5]", -2, -1);
}

static void test_claims_are_capped(void **state) {
  (void)state;
  char text[4096] = "{\"answer\":\"x\",\"answer_key\":\"\",\"key_claims\":[\"0\"";
  for (int i = 1; i < 100; i++) strcat(text, ",\"c\"");
  strcat(text, "]}");
  struct reply reply;
  expect(TURN_PROPOSAL, 0, 0, text, false, &reply);
  assert_int_equal(reply.claim_count, REPLY_CLAIMS_MAX);
  reply_done(&reply);
}

/* Nothing of this is an answer in any reading. */
static void test_prose_is_no_answer(void **state) {
  (void)state;
  static const char *const prose[] = {
      "The answer is 42.",
      "Answer: 42",
      "ANSWER: 42", /* one label alone */
      "I'm sorry, but I cannot help with that.",
      "Error: 429 Too Many Requests",
      "{\"error\":{\"message\":\"overloaded\",\"type\":\"overloaded_error\"}}",
      "<html><body>502 Bad Gateway</body></html>",
      "{\"answer\":\"cut in the middle",
      "{\"answer\":\"x\",\"answer\":\"y\",\"answer_key\":\"\"}",
      "{'answer':'x','answer_key':''}",
      "{\"answer\": TEXT, \"answer_key\": TEXT, \"confidence\": NUMBER}",
      "ANSWER: a\nANSWER: b\nCONFIDENCE: 0.5", /* which of them? */
      "ANSWER:\nCONFIDENCE: 0.5",
      "answer: a\nconfidence: 0.5",
      "null",
      "{}",
      "[]",
      "{",
      "}{",
      "\"",
      "{\"answer\":\"\\ud800\",\"answer_key\":\"\"}",
      "{\"answer\":\"a\\u0000b\",\"answer_key\":\"\"}",
      "{\"answer\":\"x\",\"answer_key\":\"\",\"confidence\":1e999}",
  };
  for (size_t i = 0; i < sizeof prose / sizeof *prose; i++)
    refuse_both(TURN_PROPOSAL, 0, 0, prose[i]);
}

static void refuse_bytes(struct bytes text) {
  struct reply reply;
  struct error err;
  for (int kind = 0; kind < TURN_KIND_COUNT; kind++)
    for (int lenient = 0; lenient < 2; lenient++) {
      struct reply_form form = {(enum turn_kind)kind, 3, 3};
      assert_int_equal(reply_parse(&form, text, lenient, &reply, &err), STATUS_INVALID);
    }
}

static void test_hostile_bytes(void **state) {
  (void)state;
  refuse_bytes(BYTES_LITERAL("{\"answer\":\"\xff\",\"answer_key\":\"\"}"));
  refuse_bytes(BYTES_LITERAL("ANSWER: \xed\xa0\x80\nCONFIDENCE: 1"));
  refuse_bytes(BYTES_LITERAL("ANSWER: a\0b\nCONFIDENCE: 1"));
  refuse_bytes((struct bytes){NULL, 0});
  static char flood[REPLY_TEXT_MAX + 1];
  static const char *const fills[] = {"{",  "[",         "{\"a\":", "\"", "{\"a\":[",
                                      "{}", "ITEM 1:\n", "ANSWER:", " ",  "{\"a\":1}"};
  for (size_t i = 0; i < sizeof fills / sizeof *fills; i++) {
    size_t n = strlen(fills[i]);
    for (size_t at = 0; at < sizeof flood; at++) flood[at] = fills[i][at % n];
    refuse_bytes((struct bytes){flood, sizeof flood});
    refuse_bytes((struct bytes){flood, REPLY_TEXT_MAX});
  }
}

static void test_longest_answer(void **state) {
  (void)state;
  static char text[REPLY_TEXT_MAX + 1];
  static const char head[] = "{\"answer_key\":\"\",\"answer\":\"";
  memset(text, 'a', sizeof text);
  memcpy(text, head, sizeof head - 1);
  memcpy(text + REPLY_TEXT_MAX - 2, "\"}", 3);
  struct reply reply;
  expect(TURN_PROPOSAL, 0, 0, text, false, &reply);
  assert_int_equal(strlen(reply.answer), REPLY_TEXT_MAX - (sizeof head - 1) - 2);
  reply_done(&reply);
  memcpy(text + REPLY_TEXT_MAX - 2, "a\"}", 3); /* one byte more */
  struct reply_form form = {TURN_PROPOSAL, 0, 0};
  struct error err;
  assert_int_equal(
      reply_parse(&form, (struct bytes){text, REPLY_TEXT_MAX + 1}, false, &reply, &err),
      STATUS_INVALID);
  assert_non_null(strstr(err.message, "longer than"));
}

static void test_control_characters_are_replaced(void **state) {
  (void)state;
  struct reply reply;
  expect(TURN_PROPOSAL, 0, 0, "{\"answer\":\"a\\u001b[31m\\tb\\u0085\",\"answer_key\":\"\"}", false,
         &reply);
  assert_string_equal(reply.answer, "a\xef\xbf\xbd[31m\tb\xef\xbf\xbd");
  reply_done(&reply);
}

/* ---- critique ---- */

static void test_critique(void **state) {
  (void)state;
  struct reply reply;
  expect(TURN_CRITIQUE, 2, 0,
         "{\"items\":[" ITEM("Response B", "0.75") "," ITEM("Response C", "0.9") "," ITEM("a",
                                                                                          "0") "]}",
         false, &reply);
  assert_int_equal(reply.reply_item_count, 2); /* Response C was not shown */
  assert_int_equal(reply.reply_items[0].label, 1);
  assert_int_equal(reply.reply_items[0].severity_ppm, 750000);
  assert_string_equal(reply.reply_items[0].fix, "f");
  assert_int_equal(reply.reply_items[1].label, 0);
  assert_int_equal(reply.dropped_items, 0);
  reply_done(&reply);
  expect(TURN_CRITIQUE, 2, 0, "{\"items\":[]}", false, &reply);
  assert_int_equal(reply.reply_item_count, 0);
  reply_done(&reply);
}

static void test_critique_items_that_do_not_fit(void **state) {
  (void)state;
  static const char *const bad[] = {
      ITEM("A", "7"),
      ITEM("A", "-1"),
      ITEM("A", "\"grave\""),
      "{\"target\":\"A\",\"problem\":\" \",\"severity\":0.5}",
      "{\"target\":\"A\",\"severity\":0.5}",
      "{\"target\":\"A\",\"problem\":\"p\"}",
      "{\"target\":1,\"problem\":\"p\",\"severity\":0.5}",
      "{\"problem\":\"p\",\"severity\":0.5}",
      "\"A is wrong\"",
      "null",
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    char text[512];
    snprintf(text, sizeof text, "{\"items\":[%s,%s]}", bad[i], ITEM("B", "0.5"));
    refuse(TURN_CRITIQUE, 2, 0, text, false, "");
    struct reply reply;
    expect(TURN_CRITIQUE, 2, 0, text, true, &reply);
    assert_int_equal(reply.reply_item_count, 1);
    assert_int_equal(reply.dropped_items, 1);
    reply_done(&reply);
  }
  refuse_both(TURN_CRITIQUE, 2, 0, "{\"items\":null}");
  refuse_both(TURN_CRITIQUE, 2, 0, "{\"items\":{}}");
  refuse_both(TURN_CRITIQUE, 2, 0, "{}");
}

static void test_critique_flood(void **state) {
  (void)state;
  BUFFER_LATER struct buffer text;
  buffer_init(&text, REPLY_TEXT_MAX);
  buffer_append_text(&text, "{\"items\":[" ITEM("B", "0.5"));
  for (int i = 0; i < 1000; i++) buffer_append_text(&text, "," ITEM("A", "0.5"));
  buffer_append_text(&text, "]}");
  struct reply reply;
  expect(TURN_CRITIQUE, 2, 0, text.ptr, false, &reply);
  assert_int_equal(reply.reply_item_count, DEBATE_ITEMS_MAX + 1);
  assert_int_equal(reply.dropped_items, 1000 - DEBATE_ITEMS_MAX);
  reply_done(&reply);
}

/* ---- revision ---- */

static void test_revision(void **state) {
  (void)state;
  struct reply reply;
  expect(TURN_REVISION, 2, 3,
         "{\"stance\":\"changed\",\"answer\":\"no\",\"answer_key\":\"No\",\"key_claims\":[],"
         "\"confidence\":0.5,\"responses\":["
         "{\"item\":\"Item 2\",\"verdict\":\"accept\",\"reason\":\"true\"},"
         "{\"item\":\"Item 2\",\"verdict\":\"reject\",\"reason\":\"again\"},"
         "{\"item\":\"Item 4\",\"verdict\":\"accept\",\"reason\":\"not shown\"},"
         "{\"item\":\"item 1\",\"verdict\":\"Reject\"}]}",
         false, &reply);
  assert_true(reply.changed);
  assert_string_equal(reply.key, "no");
  assert_int_equal(reply.verdict_count, 2);
  assert_int_equal(reply.verdicts[0].item, 1);
  assert_true(reply.verdicts[0].accept);
  assert_string_equal(reply.verdicts[0].reason, "true");
  assert_int_equal(reply.verdicts[1].item, 0);
  assert_false(reply.verdicts[1].accept);
  assert_string_equal(reply.verdicts[1].reason, "");
  reply_done(&reply);
}

static void test_held_needs_no_answer(void **state) {
  (void)state;
  struct reply reply;
  expect(TURN_REVISION, 1, 1, "{\"stance\":\"held\",\"responses\":[]}", false, &reply);
  assert_false(reply.changed);
  assert_null(reply.answer);
  assert_string_equal(reply.key, "");
  reply_done(&reply);
  refuse_both(TURN_REVISION, 1, 1,
              "{\"stance\":\"changed\",\"answer\":\"\",\"answer_key\":\"\",\"responses\":[]}");
  refuse_both(TURN_REVISION, 1, 1, "{\"stance\":\"changed\",\"responses\":[]}");
  refuse_both(TURN_REVISION, 1, 1, "{\"stance\":\"maybe\",\"answer\":\"x\",\"responses\":[]}");
  refuse_both(TURN_REVISION, 1, 1, "{\"answer\":\"x\",\"answer_key\":\"\",\"responses\":[]}");
  refuse(TURN_REVISION, 1, 1, "{\"stance\":\"held\"}", false, "responses");
  refuse(TURN_REVISION, 1, 1, "{\"stance\":\"held\",\"responses\":[{\"item\":\"1\"}]}", false,
         "verdict");
}

/* ---- ballot and judgment ---- */

static void test_ballot(void **state) {
  (void)state;
  struct reply reply;
  expect(TURN_BALLOT, 3, 0,
         "{\"ranking\":[\"Response B\",\"response c\",\"A\"],\"confidence\":0.6,\"reason\":\"r\"}",
         false, &reply);
  assert_int_equal(reply.ranking_count, 3);
  assert_int_equal(reply.ranking[0], 1);
  assert_int_equal(reply.ranking[1], 2);
  assert_int_equal(reply.ranking[2], 0);
  assert_int_equal(reply.confidence_ppm, 600000);
  reply_done(&reply);
}

static void test_ballots_that_do_not_count(void **state) {
  (void)state;
  static const char *const bad[] = {
      "[]",
      "[\"Response A\",\"Response B\"]",
      "[\"Response A\",\"Response B\",\"Response B\"]",
      "[\"Response A\",\"Response B\",\"Response D\"]",
      "[\"Response A\",\"Response B\",\"Response C\",\"Response D\"]",
      "[\"Response A\",\"Response B\",\"Response C\",\"Response A\"]",
      "[0,1,2]",
      "[[\"A\"],[\"B\"],[\"C\"]]",
      "\"Response A\"",
      "{\"first\":\"Response A\"}",
      "null",
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    char text[256];
    snprintf(text, sizeof text, "{\"ranking\":%s,\"confidence\":1,\"reason\":\"\"}", bad[i]);
    refuse(TURN_BALLOT, 3, 0, text, false, "each of Response A to Response C exactly once");
    refuse(TURN_BALLOT, 3, 0, text, true, "each of Response A to Response C exactly once");
  }
  refuse_both(TURN_BALLOT, 0, 0, "{\"ranking\":[]}");
}

#define SCORES(label, risk) \
  "{\"response\":\"" label  \
  "\",\"correctness\":0.9,\"completeness\":0.8,\"evidence\":0.7,\"risk\":" risk "}"

static void test_judgment(void **state) {
  (void)state;
  struct reply reply;
  expect(TURN_JUDGMENT, 2, 0,
         "{\"scores\":[" SCORES("Response B", "0.1") "," SCORES(
             "Response A", "1") "],\"verdict\":\"Response B\",\"reason\":\"because\"}",
         false, &reply);
  assert_int_equal(reply.choice, 1);
  assert_string_equal(reply.answer, "because");
  assert_int_equal(reply.scores_ppm[1][SCORE_RISK], 100000);
  assert_int_equal(reply.scores_ppm[0][SCORE_RISK], 1000000);
  assert_int_equal(reply.scores_ppm[0][SCORE_EVIDENCE], 700000);
  assert_int_equal(reply.confidence_ppm, -1);
  reply_done(&reply);
  expect(TURN_JUDGMENT, 2, 0, "{\"scores\":[" SCORES("A", "\"x\"") "],\"verdict\":\"A\"}", true,
         &reply);
  assert_int_equal(reply.scores_ppm[0][SCORE_CORRECTNESS], 900000);
  assert_int_equal(reply.scores_ppm[0][SCORE_RISK], -1);
  assert_int_equal(reply.scores_ppm[1][SCORE_CORRECTNESS], -1);
  assert_null(reply.answer);
  reply_done(&reply);
}

static void test_judgments_that_do_not_count(void **state) {
  (void)state;
  refuse_both(TURN_JUDGMENT, 2, 0,
              "{\"scores\":[" SCORES("A", "0") "," SCORES("B", "0") "],\"verdict\":\"C\"}");
  refuse_both(TURN_JUDGMENT, 2, 0, "{\"scores\":[" SCORES("A", "0") "," SCORES("B", "0") "]}");
  refuse_both(TURN_JUDGMENT, 2, 0,
              "{\"scores\":[" SCORES("A", "0") "," SCORES("C", "0") "],\"verdict\":\"A\"}");
  refuse_both(TURN_JUDGMENT, 2, 0,
              "{\"scores\":[" SCORES("A", "0") "," SCORES("A", "0") "],\"verdict\":\"A\"}");
  refuse(TURN_JUDGMENT, 2, 0, "{\"scores\":[" SCORES("A", "0") "],\"verdict\":\"A\"}", false,
         "one entry for each");
  refuse(TURN_JUDGMENT, 1, 0, "{\"scores\":[" SCORES("A", "2") "],\"verdict\":\"A\"}", false,
         "risk");
  refuse(TURN_JUDGMENT, 1, 0, "{\"verdict\":\"A\"}", false, "scores");
}

/* ---- labelled lines ---- */

static void test_lines_of_answers(void **state) {
  (void)state;
  struct reply reply;
  const char *proposal =
      "Sorry about that.\nANSWER: Yes.\nIt is so: see below.\n\n- a list\n"
      "**ANSWER_KEY:** Yes\nKEY_CLAIM: one\nKEY_CLAIM: two\nCONFIDENCE: 0.75\r\n"
      "\nThat is all.";
  refuse(TURN_PROPOSAL, 0, 0, proposal, false, "");
  expect(TURN_PROPOSAL, 0, 0, proposal, true, &reply);
  assert_string_equal(reply.answer, "Yes.\nIt is so: see below.\n\n- a list");
  assert_string_equal(reply.key, "yes");
  assert_int_equal(reply.claim_count, 2);
  assert_string_equal(reply.claims[1], "two");
  assert_int_equal(reply.confidence_ppm, 750000);
  reply_done(&reply);
  expect(TURN_REVISION, 1, 2,
         "ITEM 1: reject - it is fine\nITEM 2: **accept**: indeed\nSTANCE: changed\nANSWER: no\n"
         "ANSWER_KEY: no",
         true, &reply);
  assert_true(reply.changed);
  assert_int_equal(reply.verdict_count, 2);
  assert_string_equal(reply.verdicts[0].reason, "it is fine");
  assert_true(reply.verdicts[1].accept);
  assert_string_equal(reply.verdicts[1].reason, "indeed");
  reply_done(&reply);
  expect(TURN_REVISION, 1, 2, "STANCE: held", true, &reply);
  assert_false(reply.changed);
  reply_done(&reply);
}

static void test_lines_of_critiques(void **state) {
  (void)state;
  struct reply reply;
  expect(TURN_CRITIQUE, 2, 0,
         "ITEMS: 2\nTARGET: B\nCLAIM: c\nPROBLEM: it is\nwrong\nSEVERITY: 0.5\nWHY: w\nFIX: f\n"
         "TARGET: Response A\nPROBLEM: p\nSEVERITY: 0.3\n",
         true, &reply);
  assert_int_equal(reply.reply_item_count, 2);
  assert_int_equal(reply.reply_items[0].label, 1);
  assert_string_equal(reply.reply_items[0].problem, "it is\nwrong");
  assert_int_equal(reply.reply_items[1].severity_ppm, 300000);
  reply_done(&reply);
  expect(TURN_CRITIQUE, 2, 0, "ITEMS: 0", true, &reply);
  assert_int_equal(reply.reply_item_count, 0);
  reply_done(&reply);
  refuse_both(TURN_CRITIQUE, 2, 0, "ITEMS: 2");
  refuse_both(TURN_CRITIQUE, 2, 0, "PROBLEM: of nobody\nTARGET: A");
  refuse_both(TURN_CRITIQUE, 2, 0, "TARGET: A\nPROBLEM: a\nPROBLEM: b\nSEVERITY: 1");
}

static void test_lines_of_votes(void **state) {
  (void)state;
  struct reply reply;
  expect(TURN_BALLOT, 3, 0, "RANKING: B > Response A > c\nCONFIDENCE: 60%\nREASON: r", true,
         &reply);
  assert_int_equal(reply.ranking[0], 1);
  assert_int_equal(reply.ranking[2], 2);
  assert_int_equal(reply.confidence_ppm, 600000);
  reply_done(&reply);
  refuse_both(TURN_BALLOT, 3, 0, "RANKING: B > A");
  refuse_both(TURN_BALLOT, 3, 0, "RANKING: B > A > A > C");
  refuse_both(TURN_BALLOT, 3, 0, "RANKING: A > B > C\nRANKING: C > B > A");
  refuse_both(TURN_BALLOT, 3, 0, "I vote for B > A > C");
  expect(TURN_JUDGMENT, 2, 0, "SCORES A: 0.9, 0.8, 0.7, 0.1\nSCORES B: 1, 1, 1, 0\nVERDICT: B\n",
         true, &reply);
  assert_int_equal(reply.choice, 1);
  assert_int_equal(reply.scores_ppm[0][SCORE_COMPLETENESS], 800000);
  reply_done(&reply);
  refuse_both(TURN_JUDGMENT, 2, 0, "VERDICT: B");
}

/* Any cut of a good reply is a good reply or none, never another one. */
static void test_cut_anywhere(void **state) {
  (void)state;
  struct bytes whole = bytes_of(PROPOSAL);
  struct reply_form form = {TURN_PROPOSAL, 0, 0};
  struct reply reply;
  for (size_t len = 0; len < whole.len; len++)
    for (int lenient = 0; lenient < 2; lenient++)
      assert_int_equal(reply_parse(&form, (struct bytes){whole.ptr, len}, lenient, &reply, NULL),
                       STATUS_INVALID);
}

/* Replies pieced together at random: what is accepted keeps the promises of the header. */
static void test_promises_on_anything(void **state) {
  (void)state;
  static const char *const parts[] = {"{",
                                      "}",
                                      "[",
                                      "]",
                                      ",",
                                      ":",
                                      "\"ranking\"",
                                      "\"Response A\"",
                                      "\"Response B\"",
                                      "\"answer\"",
                                      "\"answer_key\"",
                                      "\"x\"",
                                      "\"\"",
                                      "0.5",
                                      "RANKING: ",
                                      "A",
                                      "B",
                                      " > ",
                                      "\n",
                                      "ANSWER: ",
                                      "CONFIDENCE: ",
                                      "{\"answer\":\"x\",\"answer_key\":\"\"}",
                                      "{\"ranking\":[\"A\",\"B\"]}",
                                      "```"};
  struct prng g = prng_for(11, 2, 0, 0);
  int accepted = 0;
  for (int round = 0; round < 30000; round++) {
    char text[1024];
    size_t len = 0;
    uint32_t n = 1 + prng_below(&g, 10);
    for (uint32_t i = 0; i < n; i++) {
      const char *part = parts[prng_below(&g, sizeof parts / sizeof *parts)];
      memcpy(text + len, part, strlen(part));
      len += strlen(part);
    }
    struct reply_form form = {prng_below(&g, 2) ? TURN_BALLOT : TURN_PROPOSAL, 2, 0};
    struct reply reply;
    if (reply_parse(&form, (struct bytes){text, len}, prng_below(&g, 2), &reply, NULL)) continue;
    accepted++;
    if (form.kind == TURN_BALLOT)
      assert_int_equal(reply.ranking[0] + reply.ranking[1], 1);
    else
      assert_true(*reply.answer && utf8_valid(bytes_of(reply.answer)));
    reply_done(&reply);
  }
  assert_true(accepted > 100);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_proposal),
      cmocka_unit_test(test_several_objects),
      cmocka_unit_test(test_braces_before_the_object),
      cmocka_unit_test(test_objects_without_end),
      cmocka_unit_test(test_strict_takes_one_object_alone),
      cmocka_unit_test(test_fields_of_a_proposal),
      cmocka_unit_test(test_confidence),
      cmocka_unit_test(test_claims_are_capped),
      cmocka_unit_test(test_prose_is_no_answer),
      cmocka_unit_test(test_hostile_bytes),
      cmocka_unit_test(test_longest_answer),
      cmocka_unit_test(test_control_characters_are_replaced),
      cmocka_unit_test(test_critique),
      cmocka_unit_test(test_critique_items_that_do_not_fit),
      cmocka_unit_test(test_critique_flood),
      cmocka_unit_test(test_revision),
      cmocka_unit_test(test_held_needs_no_answer),
      cmocka_unit_test(test_ballot),
      cmocka_unit_test(test_ballots_that_do_not_count),
      cmocka_unit_test(test_judgment),
      cmocka_unit_test(test_judgments_that_do_not_count),
      cmocka_unit_test(test_lines_of_answers),
      cmocka_unit_test(test_lines_of_critiques),
      cmocka_unit_test(test_lines_of_votes),
      cmocka_unit_test(test_cut_anywhere),
      cmocka_unit_test(test_promises_on_anything),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
