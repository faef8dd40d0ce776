/* The audit log in the database: what is written with an act, who reads it, what is noticed. */
#include "fixture.h"

#include "base/metrics.h"
#include "store/audit.h"
#include "store/inspect.h"

#include <sqlite3.h>
#include <stdio.h>

static struct audit_entry entry_of(const char *tenant, const char *actor, const char *action) {
  return (struct audit_entry){.at_ms = 1700000000000,
                              .tenant = bytes_of(tenant),
                              .actor = bytes_of(actor),
                              .action = bytes_of(action),
                              .outcome = BYTES_LITERAL("ok"),
                              .resource = BYTES_LITERAL("thing"),
                              .detail = BYTES_LITERAL("{}")};
}

static void put_entry(struct fixture *f, const struct audit_entry *entry) {
  struct answers a;
  answers_init(&a);
  assert_int_equal(store_put_audit(f->store, entry, answers_add, &a), STATUS_OK);
  answers_wait(&a, 1);
  assert_int_equal(a.statuses[0], STATUS_OK);
}

static void put(struct fixture *f, const char *tenant, const char *actor, const char *action) {
  struct audit_entry entry = entry_of(tenant, actor, action);
  put_entry(f, &entry);
}

static void put_many(struct fixture *f, int count) {
  for (int i = 0; i < count; i++) put(f, "local", "ann", "key.create");
}

static void note(void *ctx, const struct audit_row *row) {
  struct buffer *out = ctx;
  buffer_printf(out, "%d:%.*s:%.*s ", (int)row->seq, (int)row->entry.actor.len,
                row->entry.actor.ptr, (int)row->entry.action.len, row->entry.action.ptr);
}

static const char *listed(struct fixture *f, const struct principal *who,
                          const struct store_audit_query *query, int64_t *ret_next) {
  static char out[1024];
  struct error err;
  BUFFER_LATER struct buffer text;
  buffer_init(&text, sizeof out - 1);
  assert_int_equal(store_read_audit(f->store, who, query, note, &text, ret_next, &err), STATUS_OK);
  snprintf(out, sizeof out, "%s", text.ptr ? text.ptr : "");
  return out;
}

static struct store_audit_query any(size_t limit) {
  return (struct store_audit_query){.since_ms = -1, .until_ms = -1, .limit = limit};
}

/* What is wrong with the log, of the file as another process sees it. */
static const char *verdict(struct fixture *f) {
  static char out[1024];
  struct error err = {0};
  struct inspect *inspect;
  struct audit_walk walk = {0};
  bool known;
  BUFFER_LATER struct buffer text;
  buffer_init(&text, sizeof out - 1);
  if (inspect_open_live(f->memory_path, DATABASE_MEMORY, 5000, &inspect, &err))
    fail_msg("%s", err.message);
  if (inspect_walk_audit(inspect, &walk, &known, &err)) fail_msg("%s", err.message);
  inspect_close(inspect);
  assert_true(known);
  audit_walk_end(&walk);
  for (size_t i = 0; i < walk.fault_count && i < AUDIT_FAULTS_MAX; i++) {
    audit_fault_describe(&walk.faults[i], &text);
    buffer_append_text(&text, ". ");
  }
  snprintf(out, sizeof out, "%s", text.ptr ? text.ptr : "");
  return out;
}

/* By somebody else's connection. */
static void tamper(struct fixture *f, const char *sql) {
  sqlite3 *db;
  char *message = NULL;
  assert_int_equal(sqlite3_open(f->memory_path, &db), SQLITE_OK);
  sqlite3_busy_timeout(db, 5000);
  if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) fail_msg("%s", message);
  sqlite3_close(db);
}

static int64_t breaks(void) {
  return metric_get(METRIC_AUDIT_BREAKS, NULL);
}

/* ---- reading ---- */

static void pages_go_on_in_both_orders(void **state) {
  struct fixture *f = *state;
  struct store_audit_query q = any(2);
  int64_t next;
  put_many(f, 5);
  assert_string_equal(listed(f, &PRINCIPAL_SYSTEM, &q, &next),
                      "1:ann:key.create 2:ann:key.create ");
  q.after = next;
  assert_string_equal(listed(f, &PRINCIPAL_SYSTEM, &q, &next),
                      "3:ann:key.create 4:ann:key.create ");
  q.after = next;
  assert_string_equal(listed(f, &PRINCIPAL_SYSTEM, &q, &next), "5:ann:key.create ");
  assert_int_equal(next, 0);
  q = any(3);
  q.newest_first = true;
  assert_string_equal(listed(f, &PRINCIPAL_SYSTEM, &q, &next),
                      "5:ann:key.create 4:ann:key.create 3:ann:key.create ");
  q.before = next;
  assert_string_equal(listed(f, &PRINCIPAL_SYSTEM, &q, &next),
                      "2:ann:key.create 1:ann:key.create ");
  assert_int_equal(next, 0);
}

static void what_is_asked_for_is_given(void **state) {
  struct fixture *f = *state;
  int64_t next;
  put(f, "one", "ann", "key.create");
  put(f, "one", "bob", "key.revoke");
  put(f, "two", "cid", "user.login");
  struct audit_entry late = entry_of("two", "cid", "keys");
  late.at_ms += 10;
  put_entry(f, &late);
  struct store_audit_query q = any(9);
  q.action = "key.*";
  assert_string_equal(listed(f, &PRINCIPAL_SYSTEM, &q, &next),
                      "1:ann:key.create 2:bob:key.revoke ");
  q.action = "key.revoke";
  assert_string_equal(listed(f, &PRINCIPAL_SYSTEM, &q, &next), "2:bob:key.revoke ");
  q = any(9);
  q.tenant = "two";
  assert_string_equal(listed(f, &PRINCIPAL_SYSTEM, &q, &next), "3:cid:user.login 4:cid:keys ");
  q.since_ms = late.at_ms;
  assert_string_equal(listed(f, &PRINCIPAL_SYSTEM, &q, &next), "4:cid:keys ");
  q.since_ms = -1;
  q.until_ms = late.at_ms - 1;
  assert_string_equal(listed(f, &PRINCIPAL_SYSTEM, &q, &next), "3:cid:user.login ");
  q = any(9);
  q.actor = "bob";
  q.outcome = "ok";
  q.resource = "thing";
  assert_string_equal(listed(f, &PRINCIPAL_SYSTEM, &q, &next), "2:bob:key.revoke ");
  q.outcome = "failed";
  assert_string_equal(listed(f, &PRINCIPAL_SYSTEM, &q, &next), "");
}

static void each_sees_its_own(void **state) {
  struct fixture *f = *state;
  const struct principal member = {.tenant_id = "one", .owner_id = "ann"};
  const struct principal owner = {.tenant_id = "one", .owner_id = "bob", .all_owners = true};
  const struct principal stranger = {.tenant_id = "two", .owner_id = "ann", .all_owners = true};
  struct store_audit_query q = any(9);
  int64_t next;
  put(f, "one", "ann", "a");
  put(f, "one", "bob", "b");
  assert_string_equal(listed(f, &member, &q, &next), "1:ann:a ");
  assert_string_equal(listed(f, &owner, &q, &next), "1:ann:a 2:bob:b ");
  assert_string_equal(listed(f, &stranger, &q, &next), "");
}

/* ---- writing ---- */

static void an_act_and_its_row_are_one(void **state) {
  struct fixture *f = *state;
  struct store_debate row = make_debate("task", 1);
  struct audit_entry entry = entry_of("local", "ann", "debate.delete");
  struct store_deletion what = {"d1", "", "ann", 2000, true, &entry};
  struct store_audit_query q = any(9);
  struct answers a;
  int64_t next;
  answers_init(&a);
  assert_int_equal(store_delete_debate(f->store, &PRINCIPAL_LOCAL, &what, answers_add, &a),
                   STATUS_OK);
  answers_wait(&a, 1);
  assert_int_equal(a.statuses[0], STATUS_CONFLICT);
  assert_string_equal(listed(f, &PRINCIPAL_SYSTEM, &q, &next), "");
  assert_int_equal(put_debate(f, "d1", &row), STATUS_OK);
  assert_int_equal(store_delete_debate(f->store, &PRINCIPAL_LOCAL, &what, answers_add, &a),
                   STATUS_OK);
  answers_wait(&a, 2);
  assert_int_equal(a.statuses[1], STATUS_OK);
  assert_string_equal(listed(f, &PRINCIPAL_SYSTEM, &q, &next), "1:ann:debate.delete ");
  assert_string_equal(verdict(f), "");
}

/* All in one transaction, in which one batch is wrong: its row is taken back, no number is lost. */
static void a_wrong_one_leaves_no_hole(void **state) {
  struct fixture *f = *state;
  struct audit_entry entry = entry_of("local", "ann", "debate.delete");
  struct store_deletion none = {"none", "", "ann", 2000, true, &entry};
  struct audit_entry good = entry_of("local", "bob", "key.create");
  const struct store_debate row = make_debate("task", 1);
  const struct store_event e = make_event(1, "{}");
  struct store_audit_query q = any(9);
  struct gate gate;
  struct answers a;
  int64_t next, before = breaks();
  gate_init(&gate);
  answers_init(&a);
  assert_int_equal(
      store_append(f->store, "d", &e, 1, STORE_ROW_INSERT, &row, NULL, 0, gate_hold, &gate),
      STATUS_OK);
  gate_wait_entered(&gate);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(store_put_audit(f->store, &good, answers_add, &a), STATUS_OK);
    assert_int_equal(store_delete_debate(f->store, &PRINCIPAL_LOCAL, &none, answers_add, &a),
                     STATUS_OK);
  }
  assert_int_equal(store_put_audit(f->store, &good, answers_add, &a), STATUS_OK);
  gate_release(&gate);
  answers_wait(&a, 5);
  assert_int_equal(a.statuses[1], STATUS_CONFLICT);
  assert_int_equal(a.statuses[4], STATUS_OK);
  assert_string_equal(listed(f, &PRINCIPAL_SYSTEM, &q, &next),
                      "1:bob:key.create 2:bob:key.create 3:bob:key.create ");
  assert_string_equal(verdict(f), "");
  assert_int_equal(breaks(), before);
}

static void long_texts_are_cut_and_long_details_refused(void **state) {
  struct fixture *f = *state;
  static char text[STORE_AUDIT_DETAIL_MAX + 2];
  struct audit_entry entry = entry_of("local", "ann", "a");
  struct store_audit_query q = any(9);
  int64_t next;
  memset(text, 'x', sizeof text - 1);
  memcpy(text + STORE_AUDIT_TEXT_MAX - 1, "\xc3\xa9", 2);
  entry.actor = bytes_of(text);
  put_entry(f, &entry);
  const char *out = listed(f, &PRINCIPAL_SYSTEM, &q, &next);
  assert_int_equal(strlen(out), strlen("1::a ") + STORE_AUDIT_TEXT_MAX - 1);
  assert_string_equal(verdict(f), "");
  entry.detail = bytes_of(text);
  assert_int_equal(store_put_audit(f->store, &entry, NULL, NULL), STATUS_TOO_LARGE);
}

/* Whoever fills the queue does not keep acts out of the log. */
static void a_full_queue_still_takes_it(void **state) {
  struct fixture *f = *state;
  fixture_close(f);
  f->options.max_queued_bytes = 4096;
  fixture_open(f);
  struct audit_entry entry = entry_of("local", "ann", "a");
  struct store_event e = make_event(1, "{}");
  const struct store_debate row = make_debate("task", 1);
  struct gate gate;
  struct answers a;
  gate_init(&gate);
  answers_init(&a);
  assert_int_equal(
      store_append(f->store, "d", &e, 1, STORE_ROW_INSERT, &row, NULL, 0, gate_hold, &gate),
      STATUS_OK);
  gate_wait_entered(&gate);
  enum status status;
  for (uint64_t seq = 2;; seq++) {
    e = make_event(seq, "{}");
    status = store_append(f->store, "d", &e, 1, STORE_ROW_NONE, NULL, NULL, 0, NULL, NULL);
    if (status) break;
  }
  assert_int_equal(status, STATUS_FULL);
  assert_int_equal(store_put_audit(f->store, &entry, answers_add, &a), STATUS_OK);
  do status = store_put_audit(f->store, &entry, NULL, NULL);
  while (!status);
  assert_int_equal(status, STATUS_FULL);
  gate_release(&gate);
  answers_wait(&a, 1);
  assert_int_equal(a.statuses[0], STATUS_OK);
}

/* ---- it is noticed ---- */

static void a_cut_tail_is_noticed_by_the_next_row(void **state) {
  struct fixture *f = *state;
  int64_t before = breaks();
  put_many(f, 4);
  tamper(f, "DELETE FROM audit WHERE seq = 4");
  assert_string_equal(verdict(f), "row 4: it is missing. ");
  put_many(f, 1);
  assert_int_equal(breaks(), before + 1);
  assert_string_equal(verdict(f), "row 4: it is missing. ");
}

/* The head was bent to fit; the process remembers. */
static void a_cut_tail_leaves_a_hole(void **state) {
  struct fixture *f = *state;
  int64_t before = breaks();
  put_many(f, 4);
  tamper(f,
         "DELETE FROM audit WHERE seq > 2;"
         "UPDATE audit_head SET last_seq = 2,"
         " last_hash = (SELECT hash FROM audit WHERE seq = 2)");
  assert_string_equal(verdict(f), "");
  put_many(f, 1);
  assert_int_equal(breaks(), before + 1);
  assert_string_equal(verdict(f), "rows 3 to 4: they are missing. ");
  put_many(f, 1);
  assert_int_equal(breaks(), before + 1);
}

static void a_row_that_was_added_keeps_nobody_out(void **state) {
  struct fixture *f = *state;
  int64_t before = breaks();
  put_many(f, 2);
  tamper(f,
         "INSERT INTO audit SELECT 3, at_ms, tenant_id, 'eve', action, outcome, resource,"
         " address, request_id, detail, hash, hash FROM audit WHERE seq = 2");
  put_many(f, 1);
  assert_int_equal(breaks(), before + 1);
  assert_string_equal(verdict(f), "row 3: its content is not what was hashed. ");
}

static void it_is_noticed_after_a_restart(void **state) {
  struct fixture *f = *state;
  int64_t before = breaks();
  put_many(f, 3);
  fixture_close(f);
  tamper(f, "UPDATE audit SET hash = zeroblob(32) WHERE seq = 3");
  fixture_open(f);
  put_many(f, 1);
  assert_int_equal(breaks(), before + 1);
  fixture_close(f);
  fixture_open(f);
  put_many(f, 2);
  assert_int_equal(breaks(), before + 1);
}

static void a_head_that_is_gone_is_noticed(void **state) {
  struct fixture *f = *state;
  int64_t before = breaks();
  put_many(f, 3);
  tamper(f, "DELETE FROM audit_head");
  assert_string_equal(verdict(f), "rows 1 to 3: beyond the last row that the server wrote. ");
  put_many(f, 1);
  assert_int_equal(breaks(), before + 1);
  assert_string_equal(verdict(f), "");
  fixture_close(f);
  tamper(f, "DELETE FROM audit_head");
  fixture_open(f);
  put_many(f, 1);
  assert_int_equal(breaks(), before + 2);
  assert_string_equal(verdict(f), "");
}

/* ---- the oldest go ---- */

static void a_row_says_what_was_trimmed(void **state) {
  struct fixture *f = *state;
  struct store_audit_query q = any(3);
  int64_t next, before = breaks();
  fixture_close(f);
  f->options.audit_rows_max = 100;
  fixture_open(f);
  put_many(f, 150);
  assert_string_equal(verdict(f), "");
  const char *out = listed(f, &PRINCIPAL_SYSTEM, &q, &next);
  int first;
  assert_int_equal(sscanf(out, "%d:", &first), 1);
  assert_true(first >= 50);
  q.newest_first = true;
  q.action = AUDIT_TRIM_ACTION;
  assert_non_null(strstr(listed(f, &PRINCIPAL_SYSTEM, &q, &next), "system:audit.trim"));
  assert_int_equal(breaks(), before);
  char sql[160];
  snprintf(sql, sizeof sql,
           "DELETE FROM audit WHERE seq = %d; UPDATE audit_head SET trimmed_seq = %d,"
           " trimmed_hash = (SELECT previous FROM audit WHERE seq = %d)",
           first, first, first + 1);
  tamper(f, sql);
  assert_non_null(strstr(verdict(f), "are gone, and no row says that they were trimmed"));
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(pages_go_on_in_both_orders),
      CASE(what_is_asked_for_is_given),
      CASE(each_sees_its_own),
      CASE(an_act_and_its_row_are_one),
      CASE(a_wrong_one_leaves_no_hole),
      CASE(long_texts_are_cut_and_long_details_refused),
      CASE(a_full_queue_still_takes_it),
      CASE(a_cut_tail_is_noticed_by_the_next_row),
      CASE(a_cut_tail_leaves_a_hole),
      CASE(a_row_that_was_added_keeps_nobody_out),
      CASE(it_is_noticed_after_a_restart),
      CASE(a_head_that_is_gone_is_noticed),
      CASE(a_row_says_what_was_trimmed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
