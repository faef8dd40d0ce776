/* Answer keys: equal answers are one position, different answers never are. */
#include "base/prng.h"
#include "base/utf8.h"
#include "debate/blank.h"
#include "debate/reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static void check_key(const char *raw, const char *want) {
  char key[REPLY_KEY_MAX + 1];
  reply_normalise_key(bytes_of(raw), key);
  if (strcmp(key, want) != 0) fail_msg("\"%s\" became \"%s\", not \"%s\"", raw, key, want);
}

static void test_normal_forms(void **state) {
  (void)state;
  static const char *const forms[][2] = {
      {"Yes.", "yes"},
      {"  YES!! ", "yes"},
      {"**Yes**", "yes"},
      {"`no`", "no"},
      {"\"No\"", "no"},
      {"\xe2\x80\x9cNo\xe2\x80\x9d", "no"},
      {"Option B", "b"},
      {"option (b)", "b"},
      {"Choice 3", "3"},
      {"(C)", "c"},
      {"[c]", "c"},
      {"C)", "c"},
      {"C.", "c"},
      {"\xc2\xabNein\xc2\xbb", "nein"},
      {"'Tis", "'tis"},
      {"\"a\" or \"b\"", "\"a\" or \"b\""},
      {"The answer is 42.", "42"},
      {"Answer: 42", "42"},
      {"1,000.0", "1000"},
      {"1,234,567", "1234567"},
      {"+5", "5"},
      {"-5", "-5"},
      {"\xe2\x88\x92"
       "5",
       "-5"},
      {".5", "0.5"},
      {"5.", "5"},
      {"0.50", "0.50"},
      {"50 %", "50%"},
      {"$1,200", "$1200"},
      {"$x$", "x"},
      {"1,000 km", "1000 km"},
      {"New   York\n City", "new york city"},
      {"New\xc2\xa0York", "new york"},
      {"long-term", "long term"},
      {"answer:42", "42"},
      {"ad-bc", "ad-bc"},
      {"Coca\xe2\x80\x91"
       "Cola",
       "coca cola"},
      {"snake_case", "snake case"},
      {"Node.js", "node js"},
      {"it\xe2\x80\x99s", "it's"},
      {"f'(X)", "f'(x)"},
      {"Paris, France", "paris, france"},
      {"Paris ,France", "paris, france"},
      {"St. Louis", "st louis"},
      {"Wait...", "wait..."},
      {"5 MW", "5 MW"},
      {"5  mW.", "5 mW"},
      {"3 Million", "3 million"},
      {"1,200.50, 1,300", "1200.50, 1,300"},
      {"O(N log N)", "O(n log n)"},
      {"2\xce\xa9", "2\xce\xa9"},
      {"\xce\xa9", "\xcf\x89"},
      {"x = 5", "x=5"},
      {"3 / 4", "3/4"},
      {"\xc3\x89"
       "cole",
       "\xc3\xa9"
       "cole"},
      {"\xd0\x9c\xd0\x9e\xd0\xa1\xd0\x9a\xd0\x92\xd0\x90",
       "\xd0\xbc\xd0\xbe\xd1\x81\xd0\xba\xd0\xb2"
       "\xd0\xb0"},
      {"\xe4\xb8\x9c\xe4\xba\xac", "\xe4\xb8\x9c\xe4\xba\xac"},
  };
  for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) check_key(forms[i][0], forms[i][1]);
}

static void test_says_nothing(void **state) {
  (void)state;
  static const char *const nothing[] = {"",     " ",   "none", "None.", "n/a",  "N/A.",
                                        "null", "---", "...",  "?",     "\"\"", "\xe2\x80\x8b"};
  for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++) check_key(nothing[i], "");
}

/* Each row: answers that are not the same. */
static void test_never_equal(void **state) {
  (void)state;
  static const char *const different[][2] = {
      {"3.10", "3.1"},
      {"[0,1]", "(0,1)"},
      {"[0,1]", "[0,1)"},
      {"5!", "5"},
      {"-5", "5"},
      {".5", "5"},
      {"3/4", "3.4"},
      {"3-4", "34"},
      {"3-4", "3/4"},
      {"1.5", "15"},
      {"1,5", "15"},
      {"1:30", "130"},
      {"10%", "10"},
      {"c++", "c"},
      {"c#", "c"},
      {"A*", "A"},
      {"x^2", "x2"},
      {"[1,200]", "1200"},
      {"<5", "5"},
      {"1.0.2", "1.02"},
      {"007", "7"},
      {"not b", "b"},
      {"option value", "value"},
      {"\xc2\xb1"
       "5",
       "5"},
      {"1 000", "1000.5"},
      {"1,000,12", "100012"},
      {"1,000,12", "1000,12"},
      {"a,1,200", "a,1200"},
      {"[a, 1,200]", "[a, 1200]"},
      {"1.000", "1"},
      {"1,5", "1, 5"},
      {"1, 1/2", "1 1/2"},
      {"1..5", "1 .5"},
      {"0.333...", "0.333"},
      {"x^2", "x\xc2\xb2"},
      {"10^-3", "10^3"},
      /* factorials */
      {"n!", "n"},
      {"2^n!", "2^n"},
      {"O(n!)", "O(n)"},
      {"(n-1)!", "(n-1)"},
      {"2 sin!", "2 sin"},
      {"n!!", "n!"},
      {"!x", "x"},
      /* primes, feet and inches */
      {"f'(x)", "f(x)"},
      {"f\xe2\x80\x99(x)", "f(x)"},
      {"f''", "f'"},
      {"A'", "A"},
      {"A\xe2\x80\xb2", "A"},
      {"6'", "6\""},
      {"6'", "6"},
      {"it's", "its"},
      {"f'g", "fg"},
      /* ranges, differences, lists, products, ratios */
      {"B-D", "B, D"},
      {"B-D", "B D"},
      {"Mon-Fri", "Mon, Fri"},
      {"ad-bc", "ad bc"},
      {"x, y", "x y"},
      {"2, x", "2 x"},
      {"a:b", "a b"},
      {"a;b", "a, b"},
      {"x_1", "x 1"},
      {"-x", "x"},
      {"\xc2\xac"
       "A",
       "A"},
      {"~p", "p"},
      /* marks that belong to it */
      {"ab?", "ab"},
      {"a?b", "a b"},
      {"::1", "1"},
      {"C:", "C"},
      {".net", "net"},
      {"x.5", "x 5"},
      {"__init__", "init"},
      {"{5}", "5"},
      {"[5]", "5"},
      {"(5)", "5"},
      /* units and functions */
      {"5 mW", "5 MW"},
      {"5mW", "5MW"},
      {"10 MB", "10 Mb"},
      {"10 MB/s", "10 Mb/s"},
      {"5 M", "5 m"},
      {"5 \xd0\x9c\xd0\x92\xd1\x82", "5 \xd0\xbc\xd0\x92\xd1\x82"},
      {"O(n)", "o(n)"},
      {"\xce\xa9(n)", "\xcf\x89(n)"},
      {"F(x)", "f(x)"},
  };
  for (size_t i = 0; i < sizeof different / sizeof *different; i++) {
    char a[REPLY_KEY_MAX + 1];
    char b[REPLY_KEY_MAX + 1];
    reply_normalise_key(bytes_of(different[i][0]), a);
    reply_normalise_key(bytes_of(different[i][1]), b);
    if (strcmp(a, b) == 0)
      fail_msg("\"%s\" and \"%s\" are both \"%s\"", different[i][0], different[i][1], a);
  }
}

static void test_too_long(void **state) {
  (void)state;
  char text[300];
  memset(text, 'a', sizeof text);
  char key[REPLY_KEY_MAX + 1];
  reply_normalise_key((struct bytes){text, REPLY_KEY_MAX}, key);
  assert_int_equal(strlen(key), REPLY_KEY_MAX);
  reply_normalise_key((struct bytes){text, REPLY_KEY_MAX + 1}, key);
  assert_string_equal(key, "");
  reply_normalise_key((struct bytes){text, sizeof text}, key);
  assert_string_equal(key, "");
  check_key("\xff\xfe", "");
}

/* A normal form is its own, is valid UTF-8 and fits; whatever comes in. */
static void test_stable_on_anything(void **state) {
  (void)state;
  static const char *const parts[] = {"option ",
                                      "answer",
                                      ": ",
                                      "b",
                                      "(",
                                      ")",
                                      "[",
                                      "]",
                                      ".",
                                      ",",
                                      "5",
                                      "0",
                                      "-",
                                      "!",
                                      "?",
                                      "*",
                                      "_",
                                      " ",
                                      "the answer is ",
                                      "x",
                                      "$",
                                      "%",
                                      "+",
                                      "=",
                                      "\"",
                                      "/",
                                      "\xc3\x89",
                                      "\xe4\xba\xac",
                                      "\xe2\x80\x8b",
                                      "\n",
                                      "none",
                                      "'",
                                      "\xe2\x80\x99",
                                      "\xe2\x80\x9c",
                                      "\xe2\x80\x9d",
                                      ";",
                                      "{",
                                      "abc",
                                      "MW",
                                      "F(",
                                      "ABCDE",
                                      "1,000",
                                      "5 ",
                                      ".0",
                                      ".000",
                                      ":"};
  struct prng g = prng_for(7, 1, 0, 0);
  for (int round = 0; round < 60000; round++) {
    char text[400];
    size_t len = 0;
    uint32_t n = 1 + prng_below(&g, 12);
    for (uint32_t i = 0; i < n; i++) {
      const char *part = parts[prng_below(&g, sizeof parts / sizeof *parts)];
      memcpy(text + len, part, strlen(part));
      len += strlen(part);
    }
    char once[REPLY_KEY_MAX + 1];
    char twice[REPLY_KEY_MAX + 1];
    reply_normalise_key((struct bytes){text, len}, once);
    reply_normalise_key(bytes_of(once), twice);
    assert_true(utf8_valid(bytes_of(once)));
    if (strcmp(once, twice) != 0)
      fail_msg("\"%.*s\" became \"%s\", then \"%s\"", (int)len, text, once, twice);
  }
}

static void test_labels(void **state) {
  (void)state;
  assert_int_equal(reply_label_index(bytes_of("A"), 3), 0);
  assert_int_equal(reply_label_index(bytes_of(" c "), 3), 2);
  assert_int_equal(reply_label_index(bytes_of("Response B"), 3), 1);
  assert_int_equal(reply_label_index(bytes_of("RESPONSE\tb"), 3), 1);
  static const char *const none[] = {"D",
                                     "",
                                     "Response",
                                     "ResponseB",
                                     "Response D",
                                     "AB",
                                     "1",
                                     "A.",
                                     "Response A or B",
                                     "Answer A",
                                     "@",
                                     "[",
                                     "Response Response A",
                                     "\xc3\x81"};
  for (size_t i = 0; i < sizeof none / sizeof *none; i++)
    if (reply_label_index(bytes_of(none[i]), 3) != -1) fail_msg("\"%s\" is a label", none[i]);
  assert_int_equal(reply_label_index(bytes_of("A"), 0), -1);
}

static void test_blanks(void **state) {
  (void)state;
  struct bytes inside =
      blank_trim(bytes_of("\xef\xbb\xbf \t\xe2\x80\x8b x \xe3\x80\x80y\xc2\xa0\r\n"));
  assert_true(bytes_equal(inside, bytes_of("x \xe3\x80\x80y")));
  assert_int_equal(blank_trim(bytes_of(" \xe2\x80\xa8 ")).len, 0);
  assert_int_equal(blank_trim((struct bytes){NULL, 0}).len, 0);
  /* ends with bytes of no blank */
  assert_int_equal(blank_trim(bytes_of("\xe2\x82\xac")).len, 3);
  assert_int_equal(blank_trim(bytes_of("\xa0")).len, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_normal_forms),
      cmocka_unit_test(test_says_nothing),
      cmocka_unit_test(test_never_equal),
      cmocka_unit_test(test_too_long),
      cmocka_unit_test(test_stable_on_anything),
      cmocka_unit_test(test_labels),
      cmocka_unit_test(test_blanks),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
