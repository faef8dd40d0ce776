/* Acts on their way into the audit log: their names, their details, and floods of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "auth/audit.h"

struct world {
  char dir[64], memory[96], elo[96];
  struct store *store;
  struct audit *audit;
  struct clock clock;
  int64_t now_ms;
};

static int64_t wall(void *ctx) {
  return ((struct world *)ctx)->now_ms;
}

static int setup(void **state) {
  struct world *w = calloc(1, sizeof *w);
  struct error err;
  snprintf(w->dir, sizeof w->dir, "/tmp/aragora-audit-XXXXXX");
  assert_non_null(mkdtemp(w->dir));
  snprintf(w->memory, sizeof w->memory, "%s/memory.db", w->dir);
  snprintf(w->elo, sizeof w->elo, "%s/elo.db", w->dir);
  w->now_ms = 1700000000000;
  w->clock = (struct clock){.wall_ms = wall, .mono_us = wall, .ctx = w};
  const struct store_options options = {.memory_path = w->memory,
                                        .elo_path = w->elo,
                                        .pool_size = 2,
                                        .timeout_ms = 5000,
                                        .max_queued_bytes = 1 << 20};
  if (store_open(&options, &w->store, &err)) fail_msg("%s", err.message);
  assert_int_equal(audit_create(w->store, &w->clock, &w->audit, &err), STATUS_OK);
  *state = w;
  return 0;
}

static int teardown(void **state) {
  struct world *w = *state;
  audit_destroy(w->audit);
  store_close(w->store);
  unlink(w->memory);
  unlink(w->elo);
  rmdir(w->dir);
  free(w);
  return 0;
}

static void note_row(void *ctx, const struct audit_row *row) {
  struct buffer *out = ctx;
  const struct audit_entry *e = &row->entry;
  buffer_printf(out, "%.*s %.*s %.*s %.*s; ", (int)e->action.len, e->action.ptr,
                (int)e->outcome.len, e->outcome.ptr, (int)e->resource.len, e->resource.ptr,
                (int)e->detail.len, e->detail.ptr);
}

/* Closes the store, so that all that was queued is written. */
static const char *written(struct world *w) {
  static char out[65536];
  struct error err;
  int64_t next;
  const struct store_options options = {.memory_path = w->memory,
                                        .elo_path = w->elo,
                                        .pool_size = 2,
                                        .timeout_ms = 5000,
                                        .max_queued_bytes = 1 << 20};
  const struct store_audit_query q = {.since_ms = -1, .until_ms = -1, .limit = 1000};
  BUFFER_LATER struct buffer text;
  buffer_init(&text, sizeof out - 1);
  store_close(w->store);
  assert_int_equal(store_open(&options, &w->store, &err), STATUS_OK);
  assert_int_equal(store_read_audit(w->store, &PRINCIPAL_SYSTEM, &q, note_row, &text, &next, &err),
                   STATUS_OK);
  snprintf(out, sizeof out, "%s", text.ptr ? text.ptr : "");
  return out;
}

static void note(struct world *w, enum audit_action action, enum audit_outcome outcome,
                 const char *address, json_t *detail) {
  const struct audit_act act = {.action = action,
                                .outcome = outcome,
                                .origin = {"local", "ann", address, "r"},
                                .resource = "x",
                                .detail = detail};
  audit_note(w->audit, &act);
  json_decref(detail);
}

static void every_action_has_a_name_of_its_own(void **state) {
  (void)state;
  for (int i = 0; i < AUDIT_ACTIONS; i++) {
    const char *name = audit_action_name((enum audit_action)i);
    assert_non_null(name);
    assert_non_null(strchr(name, '.'));
    assert_string_not_equal(name, AUDIT_TRIM_ACTION);
    for (int k = 0; k < i; k++)
      assert_string_not_equal(name, audit_action_name((enum audit_action)k));
  }
}

static void details_are_canonical(void **state) {
  struct world *w = *state;
  note(w, AUDIT_KEY_CREATE, AUDIT_OK, "a", json_pack("{s:i, s:s}", "z", 1, "a", "b\n"));
  note(w, AUDIT_KEY_CREATE, AUDIT_OK, "a", NULL);
  note(w, AUDIT_KEY_CREATE, AUDIT_FAILED, NULL, json_pack("{s:f}", "real", 0.5));
  assert_string_equal(written(w),
                      "key.create ok x {\"a\":\"b\\n\",\"z\":1}; key.create ok x {}; "
                      "key.create failed x {}; ");
}

static void a_long_detail_does_not_keep_the_act_out(void **state) {
  struct world *w = *state;
  static char text[STORE_AUDIT_DETAIL_MAX];
  memset(text, 'x', sizeof text - 1);
  note(w, AUDIT_SETUP, AUDIT_OK, "a", json_pack("{s:s}", "text", text));
  assert_string_equal(written(w), "server.setup ok x {}; ");
}

static void a_flood_is_one_row_a_minute(void **state) {
  struct world *w = *state;
  for (int i = 0; i < 100; i++) note(w, AUDIT_LOGIN, AUDIT_REFUSED, "a", NULL);
  w->now_ms += 59999;
  note(w, AUDIT_LOGIN, AUDIT_REFUSED, "a", NULL);
  w->now_ms += 1;
  note(w, AUDIT_LOGIN, AUDIT_REFUSED, "a", json_pack("{s:i}", "n", 1));
  w->now_ms += 60000;
  note(w, AUDIT_LOGIN, AUDIT_REFUSED, "a", NULL);
  assert_string_equal(written(w),
                      "user.login refused x {}; user.login refused x {\"n\":1,\"repeated\":100}; "
                      "user.login refused x {}; ");
}

static void only_floods_are_counted(void **state) {
  struct world *w = *state;
  note(w, AUDIT_LOGIN, AUDIT_OK, "a", NULL);
  note(w, AUDIT_LOGIN, AUDIT_OK, "a", NULL);
  note(w, AUDIT_DENIED, AUDIT_REFUSED, "a", NULL);
  note(w, AUDIT_DENIED, AUDIT_REFUSED, "b", NULL);
  note(w, AUDIT_DENIED, AUDIT_REFUSED, "b", NULL);
  assert_string_equal(written(w),
                      "user.login ok x {}; user.login ok x {}; permission.denied refused x {}; "
                      "permission.denied refused x {}; ");
}

static size_t count_rows(const char *text) {
  size_t count = 0;
  for (; (text = strstr(text, "; ")); text += 2) count++;
  return count;
}

static void exports_and_refused_entries_are_floods_too(void **state) {
  struct world *w = *state;
  for (int i = 0; i < 10; i++) {
    note(w, AUDIT_EXPORT, AUDIT_OK, "a", NULL);
    note(w, AUDIT_SETUP, AUDIT_REFUSED, "a", NULL);
    note(w, AUDIT_PASSWORD, AUDIT_REFUSED, "a", NULL);
  }
  note(w, AUDIT_PASSWORD, AUDIT_OK, "a", NULL);
  note(w, AUDIT_PASSWORD, AUDIT_OK, "a", NULL);
  assert_int_equal(count_rows(written(w)), 5);
}

static void a_network_is_one_place(void **state) {
  struct world *w = *state;
  note(w, AUDIT_DENIED, AUDIT_REFUSED, "2001:db8::1", NULL);
  note(w, AUDIT_DENIED, AUDIT_REFUSED, "2001:db8::ffff:1:2", NULL);
  note(w, AUDIT_DENIED, AUDIT_REFUSED, "2001:db8:0:1::1", NULL); /* another /64 */
  note(w, AUDIT_DENIED, AUDIT_REFUSED, "::ffff:192.0.2.1", NULL);
  note(w, AUDIT_DENIED, AUDIT_REFUSED, "::ffff:192.0.2.2", NULL);
  assert_int_equal(count_rows(written(w)), 4);
}

static void a_clock_set_back_silences_nothing(void **state) {
  struct world *w = *state;
  note(w, AUDIT_DENIED, AUDIT_REFUSED, "a", NULL);
  w->now_ms -= 3600000;
  note(w, AUDIT_DENIED, AUDIT_REFUSED, "a", NULL);
  note(w, AUDIT_DENIED, AUDIT_REFUSED, "a", NULL);
  assert_int_equal(count_rows(written(w)), 2);
}

static void all_floods_have_one_budget(void **state) {
  struct world *w = *state;
  char address[16];
  for (int i = 0; i < 1000; i++) {
    snprintf(address, sizeof address, "10.0.%d.%d", i / 250, i % 250);
    note(w, AUDIT_LOGIN, AUDIT_REFUSED, address, NULL);
  }
  note(w, AUDIT_LOGIN, AUDIT_OK, "a", NULL); /* what is no flood is never counted away */
  w->now_ms += 60000;
  note(w, AUDIT_LOGIN, AUDIT_REFUSED, "b", NULL);
  assert_int_equal(count_rows(written(w)), 122);
}

static void without_a_log_nothing_is_noted(void **state) {
  (void)state;
  const struct audit_act act = {.action = AUDIT_LOGIN};
  audit_note(NULL, &act);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_action_has_a_name_of_its_own),
      CASE(details_are_canonical),
      CASE(a_long_detail_does_not_keep_the_act_out),
      CASE(a_flood_is_one_row_a_minute),
      CASE(only_floods_are_counted),
      CASE(exports_and_refused_entries_are_floods_too),
      CASE(a_network_is_one_place),
      CASE(a_clock_set_back_silences_nothing),
      CASE(all_floods_have_one_budget),
      cmocka_unit_test(without_a_log_nothing_is_noted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
