/* Tickets for WebSockets: each counts once, for half a minute, and the oldest makes room. */
#include "api/tickets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

enum { MAX = 4 };
static const int64_t TTL_US = TICKET_TTL_S * 1000000LL;

static struct identity user(const char *id) {
  struct identity identity = {.kind = IDENTITY_SESSION, .role = ROLE_MEMBER};
  assert_int_equal(identity_set(identity.user_id, id), STATUS_OK);
  return identity;
}

static void draw(struct tickets *tickets, const char *id, int64_t now_us, char ret[ID_SIZE]) {
  const struct identity identity = user(id);
  tickets_draw(tickets, &identity, now_us, ret);
}

/* Whose it is; "" = it is none. */
static const char *take(struct tickets *tickets, const char *text, int64_t now_us) {
  static struct identity found;
  found = (struct identity){0};
  bool good = tickets_take(tickets, text, now_us, &found);
  assert_int_equal(good, found.kind == IDENTITY_SESSION);
  return found.user_id;
}

static void test_each_counts_once(void **state) {
  struct tickets *tickets = tickets_create(MAX);
  char ann[ID_SIZE], bob[ID_SIZE];
  draw(tickets, "ann", 1000, ann);
  draw(tickets, "bob", 1000, bob);
  assert_string_not_equal(ann, bob);
  assert_string_equal(take(tickets, bob, 2000), "bob");
  assert_string_equal(take(tickets, bob, 2000), "");
  assert_string_equal(take(tickets, ann, 2000), "ann");
  assert_string_equal(take(tickets, ann, 2000), "");
  tickets_destroy(tickets);
}

static void test_what_was_not_drawn_is_none(void **state) {
  struct tickets *tickets = tickets_create(MAX);
  char ticket[ID_SIZE], cut[ID_SIZE];
  draw(tickets, "ann", 0, ticket);
  snprintf(cut, sizeof cut, "%.*s", (int)strlen(ticket) - 1, ticket);
  assert_string_equal(take(tickets, "", 1), "");
  assert_string_equal(take(tickets, cut, 1), "");
  assert_string_equal(take(tickets, "nonsense", 1), "");
  assert_string_equal(take(tickets, ticket, 1), "ann");
  tickets_destroy(tickets);
}

static void test_they_expire(void **state) {
  struct tickets *tickets = tickets_create(MAX);
  char early[ID_SIZE], late[ID_SIZE];
  draw(tickets, "ann", 0, early);
  draw(tickets, "bob", 0, late);
  assert_string_equal(take(tickets, early, TTL_US - 1), "ann");
  assert_string_equal(take(tickets, late, TTL_US), "");
  assert_string_equal(take(tickets, late, 0), ""); /* it was taken, if in vain */
  tickets_destroy(tickets);
}

static void test_the_oldest_makes_room(void **state) {
  struct tickets *tickets = tickets_create(MAX);
  char drawn[MAX + 2][ID_SIZE];
  for (int i = 0; i < MAX + 2; i++) draw(tickets, "ann", i, drawn[i]);
  for (int i = 0; i < MAX + 2; i++)
    assert_string_equal(take(tickets, drawn[i], MAX + 2), i < 2 ? "" : "ann");
  tickets_destroy(tickets);
}

/* Those that have expired go first, and all of them: what is left at the end is freed with it. */
static void test_the_expired_make_room(void **state) {
  struct tickets *tickets = tickets_create(MAX);
  char old[ID_SIZE], drawn[MAX][ID_SIZE];
  draw(tickets, "old", 0, old);
  for (int i = 0; i < MAX; i++) draw(tickets, "ann", TTL_US, drawn[i]);
  assert_string_equal(take(tickets, old, 1), "");
  for (int i = 0; i < MAX - 1; i++) assert_string_equal(take(tickets, drawn[i], TTL_US), "ann");
  tickets_destroy(tickets);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_each_counts_once),
      cmocka_unit_test(test_what_was_not_drawn_is_none),
      cmocka_unit_test(test_they_expire),
      cmocka_unit_test(test_the_oldest_makes_room),
      cmocka_unit_test(test_the_expired_make_room),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
