/* The audit log's chain: whatever is done to its rows is found, and the right row is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/audit_chain.h"

enum { ROWS = 12, ROOM = ROWS + 4 };

/* A log as it lies in a table: rows in the order of their numbers. */
struct table {
  struct audit_row rows[ROOM];
  char details[ROOM][32];
  size_t count;
  struct audit_head head;
};

static void hash_anew(struct audit_row *row) {
  audit_chain_hash(row, row->hash);
}

static void build(struct table *t) {
  *t = (struct table){.count = ROWS};
  for (int i = 0; i < ROWS; i++) {
    struct audit_row *row = &t->rows[i];
    snprintf(t->details[i], sizeof t->details[i], "{\"n\":%d}", i);
    row->seq = i + 1;
    row->entry = (struct audit_entry){.at_ms = 1700000000000 + i,
                                      .tenant = BYTES_LITERAL("local"),
                                      .actor = BYTES_LITERAL("ann"),
                                      .action = BYTES_LITERAL("key.create"),
                                      .outcome = BYTES_LITERAL("ok"),
                                      .resource = BYTES_LITERAL("k1"),
                                      .address = BYTES_LITERAL("127.0.0.1"),
                                      .request_id = BYTES_LITERAL("r"),
                                      .detail = bytes_of(t->details[i])};
    if (i) memcpy(row->previous, t->rows[i - 1].hash, SHA256_SIZE);
    hash_anew(row);
  }
  t->head.last.seq = ROWS;
  memcpy(t->head.last.hash, t->rows[ROWS - 1].hash, SHA256_SIZE);
}

static struct audit_row *row_of(struct table *t, int64_t seq) {
  for (size_t i = 0; i < t->count; i++)
    if (t->rows[i].seq == seq) return &t->rows[i];
  fail();
  return NULL;
}

static void drop(struct table *t, int64_t seq) {
  size_t at = (size_t)(row_of(t, seq) - t->rows);
  memmove(&t->rows[at], &t->rows[at + 1], (t->count - at - 1) * sizeof *t->rows);
  t->count--;
}

/* Room for one more in front of `seq`; those behind keep their numbers. */
static struct audit_row *open_gap(struct table *t, int64_t seq) {
  size_t at = (size_t)(row_of(t, seq) - t->rows);
  memmove(&t->rows[at + 1], &t->rows[at], (t->count - at) * sizeof *t->rows);
  t->count++;
  return &t->rows[at];
}

static const char *verdict_with(const struct table *t, const struct audit_mark *anchors,
                                size_t anchor_count) {
  static char out[4096];
  struct audit_walk walk = {.head = t->head, .anchors = anchors, .anchor_count = anchor_count};
  BUFFER_LATER struct buffer text;
  buffer_init(&text, sizeof out - 1);
  for (size_t i = 0; i < t->count; i++) audit_walk_take(&walk, &t->rows[i]);
  bool whole = audit_walk_end(&walk);
  assert_int_equal(whole, walk.fault_count == 0);
  assert_int_equal(walk.rows, t->count);
  for (size_t i = 0; i < walk.fault_count && i < AUDIT_FAULTS_MAX; i++) {
    audit_fault_describe(&walk.faults[i], &text);
    buffer_append_text(&text, ". ");
  }
  snprintf(out, sizeof out, "%s", text.ptr ? text.ptr : "");
  return out;
}

static const char *verdict(const struct table *t) {
  return verdict_with(t, NULL, 0);
}

/* ---- the text ---- */

static void the_text_is_what_the_page_says(void **state) {
  struct table t;
  BUFFER_LATER struct buffer text;
  char hex[2 * SHA256_SIZE + 1];
  (void)state;
  build(&t);
  buffer_init(&text, 4096);
  audit_chain_append_text(&text, 1, &t.rows[0].entry);
  assert_string_equal(text.ptr,
                      "{\"action\":\"key.create\",\"actor\":\"ann\",\"address\":\"127.0.0.1\","
                      "\"at\":1700000000000,\"detail\":\"{\\\"n\\\":0}\",\"outcome\":\"ok\","
                      "\"request_id\":\"r\",\"resource\":\"k1\",\"seq\":1,\"tenant\":\"local\"}");
  /* Python: sha256(bytes(32) + json.dumps(row, sort_keys=True, separators=(',', ':')).encode()) */
  bytes_to_hex(t.rows[0].hash, SHA256_SIZE, hex);
  assert_string_equal(hex, "804de0eae15a184895fb3444cd3296fadee9f3d29fc21297b6267f0151df5f00");
}

/* A value cannot pass for the end of its own and the beginning of the next. */
static void no_two_rows_have_one_text(void **state) {
  struct table t;
  uint8_t one[SHA256_SIZE], other[SHA256_SIZE];
  (void)state;
  build(&t);
  t.rows[0].entry.actor = BYTES_LITERAL("a\",\"address\":\"b");
  t.rows[0].entry.address = BYTES_LITERAL("");
  audit_chain_hash(&t.rows[0], one);
  t.rows[0].entry.actor = BYTES_LITERAL("a");
  t.rows[0].entry.address = BYTES_LITERAL("b");
  audit_chain_hash(&t.rows[0], other);
  assert_memory_not_equal(one, other, SHA256_SIZE);
  t.rows[0].entry.actor = BYTES_LITERAL("ann\0x");
  audit_chain_hash(&t.rows[0], one);
  assert_memory_not_equal(one, other, SHA256_SIZE);
}

static void every_field_is_hashed(void **state) {
  struct table t;
  (void)state;
  build(&t);
  assert_string_equal(verdict(&t), "");
  for (int field = 0; field < 10; field++) {
    build(&t);
    struct audit_entry *e = &row_of(&t, 5)->entry;
    struct bytes *texts[] = {&e->tenant,   &e->actor,   &e->action,     &e->outcome,
                             &e->resource, &e->address, &e->request_id, &e->detail};
    if (field < 8)
      *texts[field] = BYTES_LITERAL("else");
    else if (field == 8)
      e->at_ms++;
    else
      row_of(&t, 5)->hash[31] ^= 1;
    assert_string_equal(verdict(&t), "row 5: its content is not what was hashed. ");
  }
}

/* ---- rows ---- */

static void one_changed_and_hashed_anew_is_named(void **state) {
  struct table t;
  (void)state;
  for (int64_t seq = 1; seq <= ROWS; seq++) {
    char want[80];
    build(&t);
    row_of(&t, seq)->entry.actor = BYTES_LITERAL("eve");
    hash_anew(row_of(&t, seq));
    snprintf(want, sizeof want, "row %d: it was changed, and its hash made anew to fit. ",
             (int)seq);
    assert_string_equal(verdict(&t), want);
  }
}

static void one_whose_neighbour_was_bent_to_fit_is_found(void **state) {
  struct table t;
  (void)state;
  build(&t);
  row_of(&t, 5)->entry.actor = BYTES_LITERAL("eve");
  hash_anew(row_of(&t, 5));
  memcpy(row_of(&t, 6)->previous, row_of(&t, 5)->hash, SHA256_SIZE);
  assert_string_equal(verdict(&t), "row 6: its content is not what was hashed. ");
  hash_anew(row_of(&t, 6));
  assert_string_equal(verdict(&t), "row 6: it was changed, and its hash made anew to fit. ");
}

static void those_that_are_missing_are_named(void **state) {
  struct table t;
  (void)state;
  build(&t);
  drop(&t, 5);
  assert_string_equal(verdict(&t), "row 5: it is missing. ");
  drop(&t, 7);
  drop(&t, 6);
  assert_string_equal(verdict(&t), "rows 5 to 7: they are missing. ");
  build(&t);
  drop(&t, 1);
  assert_string_equal(verdict(&t), "row 1: it is missing. ");
  build(&t);
  while (t.count) drop(&t, t.rows[0].seq);
  assert_string_equal(verdict(&t), "rows 1 to 12: they are missing. ");
}

static void those_behind_a_gap_that_was_closed_are_named(void **state) {
  struct table t;
  (void)state;
  build(&t);
  drop(&t, 5);
  for (size_t i = 4; i < t.count; i++) t.rows[i].seq--;
  assert_string_equal(verdict(&t),
                      "rows 5 to 11: what stands there was written as rows 6 to 12. "
                      "row 12: it is missing. ");
}

static void one_that_was_put_in_is_named(void **state) {
  struct table t;
  (void)state;
  build(&t);
  struct audit_row *fake = open_gap(&t, 5);
  fake->entry.actor = BYTES_LITERAL("eve");
  for (struct audit_row *row = fake + 1; row < t.rows + t.count; row++) row->seq++;
  hash_anew(fake);
  assert_string_equal(verdict(&t),
                      "row 5: it was put in where another row stood. "
                      "rows 6 to 13: what stands there was written as rows 5 to 12. "
                      "row 13: beyond the last row that the server wrote. ");
  build(&t);
  fake = open_gap(&t, 1);
  fake->seq = 0;
  assert_string_equal(verdict(&t), "row 0: it was put in where another row stood. ");
}

static void two_that_changed_places_are_named(void **state) {
  struct table t;
  (void)state;
  build(&t);
  struct audit_row four = *row_of(&t, 4), nine = *row_of(&t, 9);
  *row_of(&t, 4) = nine;
  t.rows[3].seq = 4;
  t.rows[8] = four;
  t.rows[8].seq = 9;
  assert_string_equal(verdict(&t),
                      "row 4: what stands there was written as row 9. "
                      "row 9: what stands there was written as row 4. ");
  build(&t);
  four = *row_of(&t, 4);
  t.rows[3] = t.rows[4];
  t.rows[3].seq = 4;
  t.rows[4] = four;
  t.rows[4].seq = 5;
  assert_string_equal(verdict(&t),
                      "row 4: what stands there was written as row 5. "
                      "row 5: what stands there was written as row 4. ");
}

/* ---- the ends ---- */

static void a_tail_that_was_cut_is_noticed(void **state) {
  struct table t;
  (void)state;
  build(&t);
  t.count -= 3;
  assert_string_equal(verdict(&t), "rows 10 to 12: they are missing. ");
  build(&t);
  struct audit_row *more = &t.rows[t.count++];
  *more = t.rows[ROWS - 1];
  more->seq++;
  memcpy(more->previous, t.rows[ROWS - 1].hash, SHA256_SIZE);
  hash_anew(more);
  assert_string_equal(verdict(&t), "row 13: beyond the last row that the server wrote. ");
}

/* With the head bent to fit too, only what was noted elsewhere can tell. */
static void what_was_anchored_cannot_be_written_anew(void **state) {
  struct table t;
  struct audit_mark anchors[3] = {{.seq = 4}, {.seq = 8}, {.seq = 12}};
  (void)state;
  build(&t);
  for (int i = 0; i < 3; i++)
    memcpy(anchors[i].hash, row_of(&t, anchors[i].seq)->hash, SHA256_SIZE);
  assert_string_equal(verdict_with(&t, anchors, 3), "");
  row_of(&t, 6)->entry.actor = BYTES_LITERAL("eve");
  for (size_t i = 5; i < t.count; i++) {
    memcpy(t.rows[i].previous, t.rows[i - 1].hash, SHA256_SIZE);
    hash_anew(&t.rows[i]);
  }
  memcpy(t.head.last.hash, t.rows[ROWS - 1].hash, SHA256_SIZE);
  assert_string_equal(verdict(&t), "");
  assert_string_equal(verdict_with(&t, anchors, 3),
                      "row 8: it is not the row whose hash was anchored; what stands up to it was"
                      " written anew. ");
  build(&t);
  t.count -= 2;
  t.head.last.seq = 10;
  memcpy(t.head.last.hash, row_of(&t, 10)->hash, SHA256_SIZE);
  assert_string_equal(verdict(&t), "");
  assert_string_equal(verdict_with(&t, anchors, 3), "rows 11 to 12: they are missing. ");
}

static void what_was_trimmed_must_have_been_said(void **state) {
  struct table t;
  char detail[128], hex[2 * SHA256_SIZE + 1];
  (void)state;
  build(&t);
  t.head.trimmed = (struct audit_mark){.seq = 3};
  memcpy(t.head.trimmed.hash, t.rows[2].hash, SHA256_SIZE);
  bytes_to_hex(t.rows[2].hash, SHA256_SIZE, hex);
  for (int64_t seq = 1; seq <= 3; seq++) drop(&t, seq);
  assert_string_equal(verdict(&t),
                      "the rows before row 4 are gone, and no row says that they were trimmed. ");
  struct audit_row *trim = &t.rows[t.count++];
  *trim = (struct audit_row){.seq = 13, .entry = {.action = BYTES_LITERAL(AUDIT_TRIM_ACTION)}};
  snprintf(detail, sizeof detail, "{\"hash\":\"%s\",\"through\":3}", hex);
  trim->entry.detail = bytes_of(detail);
  memcpy(trim->previous, t.head.last.hash, SHA256_SIZE);
  hash_anew(trim);
  t.head.last.seq = 13;
  memcpy(t.head.last.hash, trim->hash, SHA256_SIZE);
  assert_string_equal(verdict(&t), "");
  drop(&t, 4);
  assert_string_equal(verdict(&t), "row 4: it is missing. ");
}

static void all_at_once_ends(void **state) {
  static struct table t;
  (void)state;
  build(&t);
  for (size_t i = 0; i < t.count; i++) t.rows[i].hash[0] ^= 1;
  struct audit_walk walk = {.head = t.head};
  for (int round = 0; round < 4; round++)
    for (size_t i = 0; i < t.count; i++) {
      struct audit_row row = t.rows[i];
      row.seq += round * ROWS;
      audit_walk_take(&walk, &row);
    }
  assert_false(audit_walk_end(&walk));
  assert_true(walk.fault_count > AUDIT_FAULTS_MAX);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_text_is_what_the_page_says),
      cmocka_unit_test(no_two_rows_have_one_text),
      cmocka_unit_test(every_field_is_hashed),
      cmocka_unit_test(one_changed_and_hashed_anew_is_named),
      cmocka_unit_test(one_whose_neighbour_was_bent_to_fit_is_found),
      cmocka_unit_test(those_that_are_missing_are_named),
      cmocka_unit_test(those_behind_a_gap_that_was_closed_are_named),
      cmocka_unit_test(one_that_was_put_in_is_named),
      cmocka_unit_test(two_that_changed_places_are_named),
      cmocka_unit_test(a_tail_that_was_cut_is_noticed),
      cmocka_unit_test(what_was_anchored_cannot_be_written_anew),
      cmocka_unit_test(what_was_trimmed_must_have_been_said),
      cmocka_unit_test(all_at_once_ends),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
