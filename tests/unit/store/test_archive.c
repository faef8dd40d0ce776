/* The archive of commits: a copy brought forward by it is the database as it was at that moment,
 * and where it cannot be, that is said. */
#include "base/metrics.h"
#include "dump.h"
#include "fixture.h"
#include "store/archive_list.h"
#include "store/archive_replay.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zstd.h>

/* --- a store that archives, and a clock that stands ------------------------------------------ */

enum { START_MS = 1000000 };

static int64_t now_ms;

static int64_t read_wall(void *ctx) {
  return __atomic_load_n(&now_ms, __ATOMIC_SEQ_CST);
}

static const struct clock test_clock = {.wall_ms = read_wall};

static void set_clock(int64_t ms) {
  __atomic_store_n(&now_ms, ms, __ATOMIC_SEQ_CST);
}

static char archive_dir[96], base_path[96];

static int setup(void **state) {
  if (fixture_setup_closed(state)) return -1;
  struct fixture *f = *state;
  snprintf(archive_dir, sizeof archive_dir, "%s/archive", f->dir);
  snprintf(base_path, sizeof base_path, "%s/base.db", f->dir);
  f->options.archive = (struct store_archive_options){.dir = archive_dir,
                                                      .segment_bytes = 1 << 20,
                                                      .roll_ms = 3600000,
                                                      .sync_ms = 1,
                                                      .clock = &test_clock};
  set_clock(START_MS);
  return 0;
}

/* Waits, at most 10 s, until the archive runs. */
static struct store_archive_state wait_running(struct fixture *f) {
  struct store_archive_state state;
  for (int i = 0; i < 10000; i++) {
    store_archive_state(f->store, &state);
    if (state.running) return state;
    poll(NULL, 0, 1);
  }
  fail_msg("the archive does not run");
  return state;
}

static struct store_archive_state open_running(struct fixture *f) {
  fixture_open(f);
  return wait_running(f);
}

static void add_debate(struct fixture *f, const char *id) {
  struct store_debate row = make_debate("task", now_ms);
  assert_int_equal(put_debate(f, id, &row), STATUS_OK);
}

static void run_sql(const char *path, const char *sql) {
  sqlite3 *db;
  assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
  sqlite3_busy_timeout(db, 5000);
  char *message = NULL;
  if (sqlite3_exec(db, sql, NULL, NULL, &message)) fail_msg("%s: %s", sql, message);
  sqlite3_close(db);
}

static int64_t get_int(const char *path, const char *sql) {
  sqlite3 *db;
  int64_t value;
  assert_int_equal(sqlite_open(path, SQLITE_OPEN_READWRITE, 1000, &db, NULL), STATUS_OK);
  assert_int_equal(sqlite_get_int(db, sql, -1, &value, NULL), STATUS_OK);
  sqlite_close(db);
  return value;
}

/* A copy of the base, replayed until that moment. */
static char replica_path[96];
static struct archive_replayed replayed;
static struct error refusal;

static enum status replay(struct fixture *f, int64_t until_ms) {
  snprintf(replica_path, sizeof replica_path, "%s/replica.db", f->dir);
  unlink(replica_path);
  copy_database(base_path, replica_path);
  return archive_replay(archive_dir, replica_path, until_ms, &replayed, &refusal);
}

static void assert_replays_to(struct fixture *f, int64_t until_ms, const char *expected) {
  if (replay(f, until_ms)) fail_msg("%s", refusal.message);
  FREE_LATER char *found = dump_file(replica_path);
  assert_string_equal(found, expected);
  assert_sound(replica_path);
}

static void assert_replays_to_now(struct fixture *f) {
  FREE_LATER char *now = dump_file(f->memory_path);
  assert_replays_to(f, INT64_MAX, now);
}

/* The n-th file of the newest chain with this ending, by name; false when there are fewer. */
static bool find_segment(const char *chain, const char *ending, size_t n, char out[192]) {
  struct segment_name *names;
  size_t count, seen = 0;
  bool found = false;
  assert_int_equal(archive_segments(archive_dir, chain, &names, &count, NULL), STATUS_OK);
  for (size_t i = 0; i < count && !found; i++) {
    if (!bytes_ends_with(bytes_of(names[i].name), bytes_of(ending)) || seen++ != n) continue;
    snprintf(out, 192, "%s/%s/%s", archive_dir, chain, names[i].name);
    found = true;
  }
  free(names);
  return found;
}

static size_t count_segments(const char *chain, const char *ending) {
  char path[192];
  size_t n = 0;
  while (find_segment(chain, ending, n, path)) n++;
  return n;
}

static void wait_sealed(const char *chain, size_t count) {
  for (int i = 0; i < 10000 && count_segments(chain, ".seg") < count; i++) poll(NULL, 0, 1);
  assert_true(count_segments(chain, ".seg") >= count);
}

/* One is written and the others are sealed: the writer is ahead of who seals. */
static void wait_one_open(const char *chain) {
  for (int i = 0; i < 10000 && count_segments(chain, ".part") != 1; i++) poll(NULL, 0, 1);
  assert_int_equal(count_segments(chain, ".part"), 1);
}

static void count_problem(void *ctx, const char *problem) {
  if (ctx) snprintf(ctx, 256, "%s", problem);
}

static size_t count_problems(char text[256]) {
  struct archive_verified v;
  assert_int_equal(archive_verify(archive_dir, count_problem, text, &v, NULL), STATUS_OK);
  return v.problems;
}

/* --- what is brought back ------------------------------------------------------------------- */

/* Several calls that the writer finds in its queue at once: one transaction, unless one is wrong.
 */
static struct gate gate;

static void hold_writer(struct fixture *f, const char *id, uint64_t seq) {
  gate_init(&gate);
  struct store_event e = make_event(seq, "{}");
  assert_int_equal(
      store_append(f->store, id, &e, 1, STORE_ROW_NONE, NULL, NULL, 0, gate_hold, &gate),
      STATUS_OK);
  gate_wait_entered(&gate);
}

static void every_table_is_brought_back(void **state) {
  struct fixture *f = *state;
  open_running(f);
  add_debate(f, "d1");
  copy_database(f->memory_path, base_path);
  add_debate(f, "d2");
  struct store_spending spent[] = {
      {.tenant_id = "local", .owner_id = "local", .day = 20000, .tokens = 100, .usd_micro = 5},
      {.tenant_id = "local", .owner_id = "other", .day = 20000, .tokens = 7, .unpriced = 1},
      {.tenant_id = "local", .owner_id = "local", .day = 20000, .tokens = -30, .usd_micro = -2}};
  struct store_debate row = make_debate("task", 1);
  row.status = (char *)"completed";
  row.outcome = (char *)"agreed \xc3\xa4";
  row.completed_ms = 5000;
  row.cost_usd_micro = 12;
  struct answers a;
  answers_init(&a);
  struct store_event events[20];
  for (uint64_t i = 0; i < 20; i++) events[i] = make_event(i + 2, i % 3 ? "{\"a\":1}" : NULL);
  assert_int_equal(
      store_append(f->store, "d2", events, 20, STORE_ROW_UPDATE, &row, spent, 3, answers_add, &a),
      STATUS_OK);
  struct store_breaker breaker = {"acme/m-1", 2, 5, 60000, 1, -1, 1, -1, "why"};
  assert_int_equal(store_put_breaker(f->store, &breaker), STATUS_OK);
  breaker.state = 0;
  assert_int_equal(store_put_breaker(f->store, &breaker), STATUS_OK);
  answers_wait(&a, 1);
  assert_int_equal(put_event(f, "d1", 2), STATUS_OK);
  assert_replays_to_now(f);
  assert_int_equal(replayed.last, get_int(f->memory_path, "SELECT number FROM commits"));
  assert_int_equal(get_int(replica_path, "SELECT count(*) FROM circuit_breakers"), 1);
  assert_int_equal(get_int(replica_path, "SELECT count(*) FROM spending"), 2);
}

/* A wrong batch makes the writer begin again, with a savepoint for each. */
static void what_was_rolled_back_stays_away(void **state) {
  struct fixture *f = *state;
  open_running(f);
  add_debate(f, "d1");
  copy_database(f->memory_path, base_path);
  hold_writer(f, "d1", 2);
  struct answers a;
  answers_init(&a);
  struct store_spending spent = {
      .tenant_id = "local", .owner_id = "local", .day = 20000, .tokens = 100, .usd_micro = 5};
  for (uint64_t i = 0; i < 30; i++) { /* each third has a seq that is not the next one */
    struct store_event e[2] = {make_event(i / 3 * 2 + 3, "{}"), make_event(i / 3 * 2 + 4, "{}")};
    char id[8];
    snprintf(id, sizeof id, "n%d", (int)i);
    struct store_debate row = make_debate("task", 1);
    if (i % 3 == 0)
      e[1].seq = 77;
    else if (i % 3 == 1)
      e[0].seq = 1, e[1].seq = i == 10 ? 1 : 2;
    enum store_row_change change = i % 3 == 1 ? STORE_ROW_INSERT : STORE_ROW_NONE;
    assert_int_equal(store_append(f->store,
                                  i % 3 == 1 ? id
                                  : i % 3    ? "d1"
                                             : "nobody",
                                  e, 2, change, &row, &spent, 1, answers_add, &a),
                     STATUS_OK);
  }
  gate_release(&gate);
  answers_wait(&a, 30);
  size_t failed = 0;
  for (size_t i = 0; i < a.count; i++) failed += a.statuses[i] != STATUS_OK;
  assert_true(failed >= 11 && failed < 30);
  assert_replays_to_now(f);
}

static void a_moment_is_exact_to_the_commit(void **state) {
  struct fixture *f = *state;
  enum { MOMENTS = 12 };
  char *snapshots[MOMENTS];
  open_running(f);
  add_debate(f, "first");
  copy_database(f->memory_path, base_path);
  snapshots[0] = dump_file(f->memory_path);
  for (int i = 1; i < MOMENTS; i++) {
    char id[8];
    snprintf(id, sizeof id, "d%d", i);
    set_clock(START_MS + 1000 * i);
    add_debate(f, id);
    if (i % 4 == 0) assert_int_equal(put_event(f, id, 2), STATUS_OK); /* the same millisecond */
    snapshots[i] = dump_file(f->memory_path);
  }
  for (int i = 0; i < MOMENTS; i++) {
    assert_replays_to(f, START_MS + 1000 * i, snapshots[i]);
    assert_replays_to(f, START_MS + 1000 * i + 999, snapshots[i]);
    assert_int_equal(replayed.last_ms, START_MS + 1000 * i);
    assert_int_equal(replayed.count, i + i / 4);
    free(snapshots[i]);
  }
  assert_int_equal(replay(f, START_MS - 1), STATUS_CONFLICT);
  assert_non_null(strstr(refusal.message, "earlier"));
  FREE_LATER char *base = dump_file(base_path), *untouched = dump_file(replica_path);
  assert_string_equal(base, untouched);
}

static uint32_t draw(uint32_t *seed, uint32_t below) {
  *seed = *seed * 1664525 + 1013904223;
  return (*seed >> 8) % below;
}

enum { WORLD = 12 };

struct world {
  uint64_t seqs[WORLD];
  struct answers answers;
  size_t asked;
};

static void act(struct fixture *f, struct world *w, uint32_t *seed) {
  uint32_t i = draw(seed, WORLD), kind = draw(seed, 10);
  char id[16], text[64];
  snprintf(id, sizeof id, "debate-%u", i);
  snprintf(text, sizeof text, "{\"n\":%u}", draw(seed, 1000000));
  if (kind == 0) {
    struct store_breaker b = {id, draw(seed, 3), draw(seed, 9), 60000, 1, -1, now_ms, -1, text};
    assert_int_equal(store_put_breaker(f->store, &b), STATUS_OK);
    return;
  }
  struct store_debate row = make_debate(text, now_ms);
  static char *const statuses[] = {"pending", "running", "completed", "failed"};
  row.status = statuses[draw(seed, 4)];
  row.completed_ms = draw(seed, 2) ? -1 : now_ms;
  bool fresh = w->seqs[i] == 0;
  size_t count = 1 + draw(seed, 12);
  struct store_event events[12];
  for (size_t n = 0; n < count; n++)
    events[n] = make_event(w->seqs[i] + n + 1, draw(seed, 5) ? text : NULL);
  bool wrong = kind == 1 && !fresh;
  if (wrong) events[draw(seed, (uint32_t)count)].seq = 500000;
  if (!wrong) w->seqs[i] += count;
  struct store_spending spent[2] = {{.tenant_id = "local",
                                     .owner_id = "local",
                                     .day = draw(seed, 3),
                                     .tokens = draw(seed, 90),
                                     .usd_micro = 3},
                                    {.tenant_id = "local",
                                     .owner_id = id,
                                     .day = draw(seed, 2),
                                     .tokens = draw(seed, 90),
                                     .usd_micro = 3,
                                     .unpriced = 1}};
  enum store_row_change change = fresh           ? STORE_ROW_INSERT
                                 : draw(seed, 3) ? STORE_ROW_NONE
                                                 : STORE_ROW_UPDATE;
  assert_int_equal(store_append(f->store, id, events, count, change, &row, spent, draw(seed, 3),
                                answers_add, &w->answers),
                   STATUS_OK);
  w->asked++;
}

/* Whether or not the writer takes them together, and however many are wrong. */
static void act_for_a_while(struct fixture *f, struct world *w, uint32_t *seed) {
  size_t before;
  for (uint32_t n = draw(seed, 15) + 1; n > 0; n--) act(f, w, seed);
  do before = w->asked;
  while (act(f, w, seed), w->asked == before); /* of a breaker nobody is told */
  answers_wait(&w->answers, w->asked);
  /* what was queued behind a wrong batch of the same debate has failed with it */
  for (uint32_t i = 0; i < WORLD; i++) {
    char sql[128];
    snprintf(sql, sizeof sql,
             "SELECT max(seq) FROM events, debates WHERE debate = num AND id = 'debate-%u'", i);
    int64_t seq = get_int(f->memory_path, sql);
    w->seqs[i] = seq < 0 ? 0 : (uint64_t)seq;
  }
}

/* Bases, snapshots, restarts, deleted content: all at random. SEEDS=N in the environment for more.
 */
static void random_histories_are_brought_back(void **state) {
  struct fixture *f = *state;
  const char *more = getenv("SEEDS");
  int seeds = more ? atoi(more) : 12;
  f->options.archive.segment_bytes = 20000;
  for (int n = 0; n < seeds; n++) {
    uint32_t seed = (uint32_t)n * 7919 + 1;
    struct world *w = calloc(1, sizeof *w);
    answers_init(&w->answers);
    enum { STEPS = 14 };
    char *snapshots[STEPS];
    int64_t moments[STEPS];
    int base_at = (int)draw(&seed, STEPS - 2);
    set_clock(START_MS + n * 100000);
    open_running(f);
    for (int i = 0; i < STEPS; i++) {
      set_clock(now_ms + 1 + draw(&seed, 500));
      if (draw(&seed, 6) == 0) {
        char chain[CHAIN_SIZE];
        memcpy(chain, wait_running(f).chain, CHAIN_SIZE);
        fixture_close(f);
        assert_string_equal(open_running(f).chain, chain);
      }
      act_for_a_while(f, w, &seed);
      moments[i] = now_ms;
      snapshots[i] = dump_file(f->memory_path);
      if (i != base_at) continue;
      unlink(base_path);
      copy_database(f->memory_path, base_path);
    }
    for (int i = base_at; i < STEPS; i++) assert_replays_to(f, moments[i], snapshots[i]);
    for (int i = 0; i < STEPS; i++) free(snapshots[i]);
    fixture_close(f);
    unlink(f->memory_path);
    free(w);
  }
  assert_int_equal(count_problems(NULL), 0);
}

/* --- segments ------------------------------------------------------------------------------- */

static void pack(const char *path) {
  char packed[200];
  static char plain[1 << 22], small[1 << 22];
  snprintf(packed, sizeof packed, "%s.zst", path);
  FILE *in = fopen(path, "rb"), *out = fopen(packed, "wb");
  size_t size = fread(plain, 1, sizeof plain, in);
  size_t left = ZSTD_compress(small, sizeof small, plain, size, 3);
  assert_int_equal(fwrite(small, 1, left, out), left);
  fclose(in);
  fclose(out);
  unlink(path);
}

static void segments_are_bounded_sealed_and_may_be_packed(void **state) {
  struct fixture *f = *state;
  f->options.archive.segment_bytes = 4000;
  struct store_archive_state s = open_running(f);
  copy_database(f->memory_path, base_path);
  for (int i = 0; i < 40; i++) {
    char id[8];
    snprintf(id, sizeof id, "d%d", i);
    add_debate(f, id);
  }
  wait_sealed(s.chain, 4);
  wait_one_open(s.chain);
  char path[192];
  for (size_t i = 0; find_segment(s.chain, ".seg", i, path); i++) {
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size < 4000 + 2000); /* and one record */
  }
  while (count_segments(s.chain, ".seg") > 2) {
    assert_true(find_segment(s.chain, ".seg", 1, path));
    pack(path);
  }
  assert_replays_to_now(f);
  assert_int_equal(replayed.count, 40);
  assert_int_equal(count_problems(NULL), 0);
  fixture_close(f);
  assert_int_equal(count_segments(s.chain, ".part"), 0); /* all sealed in the end */
  assert_replays_to_now(f);
}

static void a_segment_is_sealed_when_it_is_old(void **state) {
  struct fixture *f = *state;
  f->options.archive.roll_ms = 20;
  struct store_archive_state s = open_running(f);
  copy_database(f->memory_path, base_path);
  add_debate(f, "d1");
  wait_sealed(s.chain, 1); /* without another commit */
  add_debate(f, "d2");
  wait_sealed(s.chain, 2);
  assert_replays_to_now(f);
}

static bool take_chain(void *ctx, const struct archive_chain *chain) {
  *(struct archive_chain *)ctx = *chain;
  return true;
}

static void what_is_there_is_listed(void **state) {
  struct fixture *f = *state;
  struct archive_chain c = {0};
  assert_int_equal(archive_list(archive_dir, take_chain, &c, NULL), STATUS_OK);
  assert_int_equal(c.segments, 0);
  struct store_archive_state s = open_running(f);
  set_clock(START_MS + 500);
  add_debate(f, "d1");
  add_debate(f, "d2");
  assert_int_equal(archive_list(archive_dir, take_chain, &c, NULL), STATUS_OK);
  assert_string_equal(c.chain, s.chain);
  assert_int_equal(c.begun_ms, START_MS);
  assert_int_equal(c.first, s.number + 1);
  assert_int_equal(c.last, s.number + 2);
  assert_int_equal(c.last_ms, START_MS + 500);
  assert_int_equal(c.segments, 1);
  assert_int_equal(c.sealed, 0);
  assert_true(c.bytes > 500);
  fixture_close(f);
  assert_int_equal(archive_list(archive_dir, take_chain, &c, NULL), STATUS_OK);
  assert_int_equal(c.sealed, 1);
}

/* --- the state ------------------------------------------------------------------------------ */

static void the_state_says_what_is_wanted(void **state) {
  struct fixture *f = *state;
  struct store_archive_state s = open_running(f);
  assert_true(s.enabled);
  assert_int_equal(s.base_wanted_since_ms, START_MS);
  set_clock(START_MS + 700);
  add_debate(f, "d1");
  for (int i = 0; i < 10000 && s.last_synced_ms < START_MS + 700; i++) {
    poll(NULL, 0, 1);
    store_archive_state(f->store, &s);
  }
  assert_int_equal(s.last_synced_ms, START_MS + 700);
  assert_int_equal(s.number, get_int(f->memory_path, "SELECT number FROM commits"));
  assert_int_equal(store_archive_note_base(f->store, s.chain, NULL), STATUS_OK);
  store_archive_state(f->store, &s);
  assert_int_equal(s.base_wanted_since_ms, -1);
  fixture_close(f);
  assert_int_equal(open_running(f).base_wanted_since_ms, -1); /* the same chain, the same base */
}

static void without_an_archive_nothing_is_written(void **state) {
  struct fixture *f = *state;
  struct store_archive_state s;
  f->options.archive.dir = NULL;
  fixture_open(f);
  add_debate(f, "d1");
  store_archive_state(f->store, &s);
  assert_false(s.enabled);
  assert_int_equal(store_archive_note_base(f->store, "x", NULL), STATUS_UNSUPPORTED);
  assert_int_equal(access(archive_dir, F_OK), -1);
}

/* --- chains: when one goes on, when another begins -------------------------------------------- */

static void expect_new_chain(struct fixture *f, const struct store_archive_state *before) {
  struct store_archive_state s = wait_running(f);
  assert_string_not_equal(s.chain, before->chain);
  assert_int_equal(s.number, get_int(f->memory_path, "SELECT number FROM commits"));
  unlink(base_path);
  copy_database(f->memory_path, base_path);
  add_debate(f, "in-the-new-chain");
  assert_replays_to_now(f);
}

/* What somebody does to the database while the server does not run. */
static void restart_after(struct fixture *f, const char *sql, bool goes_on) {
  struct store_archive_state s = open_running(f);
  add_debate(f, "d1");
  fixture_close(f);
  run_sql(f->memory_path, sql);
  fixture_open(f);
  if (goes_on)
    assert_string_equal(wait_running(f).chain, s.chain);
  else
    expect_new_chain(f, &s);
}

static void a_restart_goes_on(void **state) {
  restart_after(*state, "SELECT count(*) FROM debates; PRAGMA wal_checkpoint(TRUNCATE)", true);
}
static void a_write_while_stopped_begins_a_chain(void **state) {
  restart_after(*state, "UPDATE debates SET task = 'other'", false);
}
static void a_vacuum_while_stopped_begins_a_chain(void **state) {
  restart_after(*state, "VACUUM", false);
}
static void a_restored_database_begins_a_chain(void **state) {
  restart_after(*state, "UPDATE commits SET chain = ''", false);
}

/* What a later migration leaves: here the archive is made to be of an earlier schema. */
static void another_schema_begins_a_chain(void **state) {
  struct fixture *f = *state;
  char path[192];
  struct store_archive_state s = open_running(f);
  copy_database(f->memory_path, base_path);
  add_debate(f, "d1");
  fixture_close(f);
  struct segment_head head;
  uint8_t bytes[SEGMENT_HEAD];
  assert_true(find_segment(s.chain, ".seg", 0, path));
  assert_int_equal(segment_load_head(path, &head, NULL), STATUS_OK);
  head.schema--;
  segment_write_head(&head, bytes);
  int fd = open(path, O_WRONLY);
  assert_int_equal(pwrite(fd, bytes, sizeof bytes, 0), sizeof bytes);
  close(fd);
  assert_int_equal(replay(f, INT64_MAX), STATUS_CONFLICT);
  assert_non_null(strstr(refusal.message, "schema"));
  fixture_open(f);
  expect_new_chain(f, &s);
}

/* What cp does. */
static void write_over(const char *from, const char *to) {
  static char bytes[1 << 22];
  FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
  size_t size = fread(bytes, 1, sizeof bytes, in);
  assert_true(size > 0 && size < sizeof bytes);
  assert_int_equal(fwrite(bytes, 1, size, out), size);
  fclose(in);
  fclose(out);
}

/* As the runbook has it, by hand; the stamp is that of another file, and the number is older. */
static void a_copy_put_back_begins_a_chain_and_destroys_nothing(void **state) {
  struct fixture *f = *state;
  char copy[96];
  snprintf(copy, sizeof copy, "%s/copy.db", f->dir);
  struct store_archive_state s = open_running(f);
  add_debate(f, "d1");
  copy_database(f->memory_path, copy);
  copy_database(f->memory_path, base_path);
  add_debate(f, "d2");
  FREE_LATER char *later = dump_file(f->memory_path);
  fixture_close(f);
  write_over(copy, f->memory_path);
  set_clock(START_MS + 1000);
  fixture_open(f);
  struct store_archive_state t = wait_running(f);
  assert_string_not_equal(t.chain, s.chain);
  add_debate(f, "d3");
  assert_replays_to(f, START_MS, later); /* the lost end of the first life is still there */
  assert_int_equal(replay(f, START_MS + 500), STATUS_CONFLICT); /* between two lives */
  assert_non_null(strstr(refusal.message, "1970-01-01T00:16:40.000Z"));
  assert_non_null(strstr(refusal.message, "1970-01-01T00:16:41.000Z"));
}

/* What somebody does beside the running server. */
static void write_beside(struct fixture *f, const char *sql, bool goes_on) {
  struct store_archive_state s = open_running(f);
  add_debate(f, "d1");
  unlink(base_path);
  copy_database(f->memory_path, base_path);
  run_sql(f->memory_path, sql);
  add_debate(f, "d2");
  if (goes_on) {
    assert_string_equal(wait_running(f).chain, s.chain);
    assert_replays_to_now(f);
  } else {
    expect_new_chain(f, &s);
  }
}

static void a_checkpoint_beside_us_does_no_harm(void **state) {
  write_beside(*state, "PRAGMA wal_checkpoint(PASSIVE)", true);
}
static void a_truncating_checkpoint_beside_us_does_no_harm(void **state) {
  write_beside(*state, "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA wal_checkpoint(RESTART)", true);
}
static void a_foreign_write_begins_a_chain(void **state) {
  write_beside(*state, "UPDATE debates SET task = 'other'", false);
}
static void a_foreign_write_hidden_by_a_checkpoint_begins_a_chain(void **state) {
  write_beside(*state, "UPDATE debates SET task = 'other'; PRAGMA wal_checkpoint(TRUNCATE)", false);
}
static void analyze_begins_a_chain(void **state) {
  write_beside(*state, "ANALYZE", false);
}
static void a_vacuum_beside_us_begins_a_chain(void **state) {
  write_beside(*state, "VACUUM", false);
}

static void a_clock_set_back_begins_a_chain(void **state) {
  struct fixture *f = *state;
  set_clock(START_MS + 50000);
  struct store_archive_state s = open_running(f);
  set_clock(START_MS + 45000); /* a little is waited for */
  add_debate(f, "d1");
  assert_string_equal(wait_running(f).chain, s.chain);
  struct archive_chain c = {0};
  assert_int_equal(archive_list(archive_dir, take_chain, &c, NULL), STATUS_OK);
  assert_int_equal(c.last_ms, START_MS + 50000); /* along a chain it never decreases */
  set_clock(START_MS);
  add_debate(f, "d2");
  expect_new_chain(f, &s); /* although the one before seems to be the later one */
}

/* --- damage --------------------------------------------------------------------------------- */

/* Six commits a second apart, a segment each, all sealed. */
static struct store_archive_state make_six(struct fixture *f) {
  f->options.archive.segment_bytes = 1;
  struct store_archive_state s = open_running(f);
  copy_database(f->memory_path, base_path);
  for (int i = 1; i <= 6; i++) {
    char id[8];
    snprintf(id, sizeof id, "d%d", i);
    set_clock(START_MS + 1000 * i);
    add_debate(f, id);
  }
  fixture_close(f);
  assert_int_equal(count_segments(s.chain, ".seg"), 6);
  return s;
}

static void flip(const char *path, off_t at) {
  int fd = open(path, O_RDWR);
  char byte;
  if (at < 0) at += lseek(fd, 0, SEEK_END);
  assert_int_equal(pread(fd, &byte, 1, at), 1);
  byte ^= 4;
  assert_int_equal(pwrite(fd, &byte, 1, at), 1);
  close(fd);
}

/* Up to the moment before it works; into it and beyond is refused, with both moments. */
static void expect_gap(struct fixture *f, int before_s, int after_s) {
  char expected[64];
  assert_int_equal(replay(f, START_MS + 1000 * before_s), STATUS_OK);
  assert_int_equal(replayed.count, before_s);
  assert_int_equal(replay(f, START_MS + 1000 * before_s + 1), STATUS_CONFLICT);
  assert_int_equal(replay(f, INT64_MAX), STATUS_CONFLICT);
  snprintf(expected, sizeof expected, ":%02d.000Z and, from a later", 40 + before_s);
  if (!strstr(refusal.message, expected)) fail_msg("%s", refusal.message);
  snprintf(expected, sizeof expected, "backup, 1970-01-01T00:16:%02d.000Z", 40 + after_s);
  if (after_s >= 0 && !strstr(refusal.message, expected)) fail_msg("%s", refusal.message);
  FREE_LATER char *base = dump_file(base_path), *untouched = dump_file(replica_path);
  assert_string_equal(base, untouched); /* nothing was applied */
}

static void a_missing_segment_is_a_hole(void **state) {
  struct fixture *f = *state;
  char path[192], problem[256];
  struct store_archive_state s = make_six(f);
  assert_true(find_segment(s.chain, ".seg", 3, path));
  unlink(path);
  expect_gap(f, 3, 4);
  assert_int_equal(count_problems(problem), 1);
  assert_non_null(strstr(problem, "missing"));
}

static void a_flipped_byte_is_found_wherever_it_is(void **state) {
  struct fixture *f = *state;
  char path[192], problem[256];
  struct store_archive_state s = make_six(f);
  assert_true(find_segment(s.chain, ".seg", 3, path));
  struct stat st;
  assert_int_equal(stat(path, &st), 0);
  for (off_t at = 0; at < st.st_size; at += at < 120 ? 1 : 37) {
    flip(path, at);
    expect_gap(f, 3, 4);
    assert_true(count_problems(problem) >= 1);
    flip(path, at);
  }
  assert_int_equal(count_problems(NULL), 0);
  pack(path);
  snprintf(problem, sizeof problem, "%s.zst", path);
  flip(problem, -30);
  expect_gap(f, 3, 4);
}

static void a_damaged_end_is_refused_beyond(void **state) {
  struct fixture *f = *state;
  char path[192];
  struct store_archive_state s = make_six(f);
  assert_true(find_segment(s.chain, ".seg", 5, path));
  flip(path, -1);
  expect_gap(f, 5, -1);
}

/* A record that was being written when the machine stopped, at the very end. */
static void a_torn_tail_is_told(void **state) {
  struct fixture *f = *state;
  char path[192], open_path[192];
  struct store_archive_state s = make_six(f);
  assert_true(find_segment(s.chain, ".seg", 5, path));
  struct stat st;
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(truncate(path, st.st_size - 10), 0);
  snprintf(open_path, sizeof open_path, "%.*s.part", (int)strlen(path) - 4, path);
  assert_int_equal(rename(path, open_path), 0);
  assert_int_equal(replay(f, INT64_MAX), STATUS_OK);
  assert_int_equal(replayed.count, 5);
  assert_true(replayed.torn);
  /* and the server, which has that commit, begins anew */
  fixture_open(f);
  expect_new_chain(f, &s);
}

/* --- crashes -------------------------------------------------------------------------------- */

static void child_writes(struct fixture *f, int fd) {
  if (store_open(&f->options, &f->store, NULL)) _exit(1);
  wait_running(f);
  for (int i = 0;; i++) {
    char id[16];
    snprintf(id, sizeof id, "k%d-%d", (int)getpid(), i);
    add_debate(f, id);
    if (write(fd, "x", 1) != 1) _exit(1);
  }
}

static void kill_a_writer(struct fixture *f, int after) {
  int fds[2];
  char byte;
  assert_int_equal(pipe(fds), 0);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    close(fds[0]);
    child_writes(f, fds[1]);
  }
  close(fds[1]);
  for (int i = 0; i < after; i++) assert_int_equal(read(fds[0], &byte, 1), 1);
  kill(child, SIGKILL);
  close(fds[0]);
  assert_int_equal(waitpid(child, NULL, 0), child);
}

static void a_killed_server_goes_on_with_its_chain(void **state) {
  struct fixture *f = *state;
  struct store_archive_state s = open_running(f);
  copy_database(f->memory_path, base_path);
  fixture_close(f);
  for (int i = 0; i < 8; i++) {
    kill_a_writer(f, 3 + 5 * i);
    struct store_archive_state t = open_running(f);
    assert_string_equal(t.chain, s.chain);
    assert_replays_to_now(f);
    char id[8];
    snprintf(id, sizeof id, "r%d", i);
    if (i % 2) add_debate(f, id);
    assert_replays_to_now(f);
    fixture_close(f);
  }
  assert_int_equal(count_problems(NULL), 0);
}

/* A record whose COMMIT never came: made by hand from the one before, with the next number. */
static void a_void_record_is_put_aside(void **state) {
  struct fixture *f = *state;
  for (int alone = 0; alone < 2; alone++) {
    f->options.archive.segment_bytes = alone ? 1 : 1 << 20;
    struct store_archive_state s = open_running(f);
    unlink(base_path);
    copy_database(f->memory_path, base_path);
    char id[16];
    snprintf(id, sizeof id, "d-%d", alone);
    add_debate(f, id);
    snprintf(id, sizeof id, "d-%d-2", alone);
    add_debate(f, id);
    int64_t number = get_int(f->memory_path, "SELECT number FROM commits");
    fixture_close(f);
    char path[192], open_path[192], changes[] = "nonsense";
    size_t last = count_segments(s.chain, ".seg") - 1;
    assert_true(find_segment(s.chain, ".seg", last, path));
    uint8_t head[RECORD_HEAD];
    struct iovec piece = {changes, sizeof changes};
    segment_write_record((uint64_t)number + 1, START_MS + 5, &piece, 1, head);
    if (alone) {
      struct segment_head h = {
          .order = 1, .first = (uint64_t)number + 1, .previous_ms = START_MS, .begun_ms = START_MS};
      uint8_t bytes[SEGMENT_HEAD];
      memcpy(h.chain, s.chain, CHAIN_SIZE);
      h.schema = (uint32_t)get_int(f->memory_path, "SELECT max(version) FROM _aragora_migrations");
      segment_write_head(&h, bytes);
      snprintf(open_path, sizeof open_path, "%s/%s/%020d.part", archive_dir, s.chain,
               (int)number + 1);
      FILE *out = fopen(open_path, "wb");
      fwrite(bytes, 1, sizeof bytes, out);
      fclose(out);
    } else {
      snprintf(open_path, sizeof open_path, "%.*s.part", (int)strlen(path) - 4, path);
      assert_int_equal(rename(path, open_path), 0);
    }
    FILE *out = fopen(open_path, "ab");
    fwrite(head, 1, sizeof head, out);
    fwrite(changes, 1, sizeof changes, out);
    fclose(out);
    assert_string_equal(open_running(f).chain, s.chain);
    assert_replays_to_now(f); /* without the void one, before anything is written */
    snprintf(id, sizeof id, "d-%d-3", alone);
    add_debate(f, id);
    assert_replays_to_now(f);
    fixture_close(f);
    assert_int_equal(count_problems(NULL), 0);
    assert_replays_to_now(f);
  }
}

/* Killed, and then somebody else writes, with a connection that is still open when the server comes
 * back: the file is as it was, and only the log tells. */
static void a_write_after_a_kill_begins_a_chain(void **state) {
  struct fixture *f = *state;
  struct store_archive_state s = open_running(f);
  fixture_close(f);
  kill_a_writer(f, 10);
  sqlite3 *other;
  assert_int_equal(sqlite3_open(f->memory_path, &other), SQLITE_OK);
  assert_int_equal(sqlite3_exec(other, "UPDATE debates SET task = 'other'", NULL, NULL, NULL),
                   SQLITE_OK);
  fixture_open(f);
  expect_new_chain(f, &s);
  sqlite3_close(other);
}

/* --- a disk that refuses the database: the record was there already, and is taken back -------- */

static void limit_files(rlim_t bytes) {
  struct rlimit limit;
  signal(SIGXFSZ, SIG_IGN);
  getrlimit(RLIMIT_FSIZE, &limit);
  limit.rlim_cur = bytes && bytes < limit.rlim_max ? bytes : limit.rlim_max;
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_failed_commit_leaves_no_record(void **state) {
  struct fixture *f = *state;
  char path[192], wal[128];
  struct stat before, after, log;
  struct store_archive_state s = open_running(f);
  add_debate(f, "d1");
  copy_database(f->memory_path, base_path);
  assert_true(find_segment(s.chain, ".part", 0, path));
  assert_int_equal(stat(path, &before), 0);
  snprintf(wal, sizeof wal, "%s-wal", f->memory_path);
  assert_int_equal(stat(wal, &log), 0);
  assert_true(before.st_size + 1000 < log.st_size); /* only the log meets the limit */
  limit_files((rlim_t)log.st_size);
  struct answers a;
  answers_init(&a);
  struct store_event e = make_event(2, "{}");
  assert_int_equal(
      store_append(f->store, "d1", &e, 1, STORE_ROW_NONE, NULL, NULL, 0, answers_add, &a),
      STATUS_OK);
  wait_writable(f, false);
  int64_t errors = metric_get(METRIC_STORE_ERRORS, NULL);
  while (metric_get(METRIC_STORE_ERRORS, NULL) < errors + 2) poll(NULL, 0, 1);
  limit_files(0);
  answers_wait(&a, 1);
  assert_int_equal(a.statuses[0], STATUS_OK);
  assert_int_equal(stat(path, &after), 0);
  assert_true(after.st_size > before.st_size);
  assert_string_equal(wait_running(f).chain, s.chain);
  assert_replays_to_now(f);
  assert_int_equal(replayed.count, 1);
  fixture_close(f);
  assert_replays_to_now(f);
  assert_int_equal(count_problems(NULL), 0);
}

/* --- a disk that refuses the archive --------------------------------------------------------- */

/* The archive lies on a small file system of its own; only root may mount one. */
static void a_full_archive_lets_debates_go_on(void **state) {
  struct fixture *f = *state;
  assert_int_equal(mkdir(archive_dir, 0750), 0);
  if (mount("none", archive_dir, "tmpfs", 0, "size=64k") != 0) skip();
  f->options.archive.segment_bytes = 1 << 20;
  struct store_archive_state s = open_running(f);
  int64_t failures = metric_get(METRIC_ARCHIVE_FAILURES, NULL);
  copy_database(f->memory_path, base_path);
  char id[16];
  int n = 0;
  for (; n < 500 && s.running; n++) {
    snprintf(id, sizeof id, "d%d", n);
    set_clock(START_MS + n);
    add_debate(f, id); /* every one is acknowledged */
    store_archive_state(f->store, &s);
  }
  assert_true(n > 20 && n < 500);
  assert_true(s.failing);
  assert_true(store_writable(f->store));
  assert_true(metric_get(METRIC_ARCHIVE_FAILURES, NULL) > failures);
  assert_int_equal(metric_get(METRIC_ARCHIVE_FAILING, NULL), 1);
  assert_int_equal(count_problems(NULL), 0);
  /* everything but the last is there */
  assert_int_equal(replay(f, START_MS + n - 2), STATUS_OK);
  assert_int_equal(get_int(replica_path, "SELECT count(*) FROM debates"), n - 1);
  /* room again: the next commit begins a chain, after a second */
  assert_int_equal(mount("none", archive_dir, "tmpfs", MS_REMOUNT, "size=4m"), 0);
  for (int i = 0; i < 200 && !s.running; i++) {
    snprintf(id, sizeof id, "e%d", i);
    set_clock(START_MS + 60000 + i);
    add_debate(f, id);
    store_archive_state(f->store, &s);
    poll(NULL, 0, 20);
  }
  assert_true(s.running);
  assert_false(s.failing);
  assert_int_equal(replay(f, START_MS + 30000), STATUS_CONFLICT); /* in the hole */
  unlink(base_path);
  copy_database(f->memory_path, base_path);
  add_debate(f, "last");
  assert_replays_to_now(f);
  fixture_close(f);
  assert_int_equal(umount(archive_dir), 0);
}

/* A directory that cannot be made is no reason not to serve. */
static void an_impossible_archive_lets_debates_go_on(void **state) {
  struct fixture *f = *state;
  struct store_archive_state s;
  FILE *file = fopen(archive_dir, "w");
  fclose(file);
  fixture_open(f);
  add_debate(f, "d1");
  store_archive_state(f->store, &s);
  assert_true(s.failing);
  assert_false(s.running);
}

static void two_servers_do_not_archive_into_one_place(void **state) {
  struct fixture *f = *state, other = *f;
  struct store_archive_state s = open_running(f), t;
  snprintf(other.memory_path, sizeof other.memory_path, "%s/memory2.db", f->dir);
  snprintf(other.elo_path, sizeof other.elo_path, "%s/elo2.db", f->dir);
  other.options.memory_path = other.memory_path;
  other.options.elo_path = other.elo_path;
  fixture_open(&other);
  add_debate(&other, "d1");
  store_archive_state(other.store, &t);
  assert_true(t.failing);
  fixture_close(&other);
  store_archive_state(f->store, &t);
  assert_string_equal(s.chain, t.chain);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(every_table_is_brought_back),
      TEST(what_was_rolled_back_stays_away),
      TEST(a_moment_is_exact_to_the_commit),
      TEST(random_histories_are_brought_back),
      TEST(segments_are_bounded_sealed_and_may_be_packed),
      TEST(a_segment_is_sealed_when_it_is_old),
      TEST(what_is_there_is_listed),
      TEST(the_state_says_what_is_wanted),
      TEST(without_an_archive_nothing_is_written),
      TEST(a_restart_goes_on),
      TEST(a_write_while_stopped_begins_a_chain),
      TEST(a_vacuum_while_stopped_begins_a_chain),
      TEST(a_restored_database_begins_a_chain),
      TEST(another_schema_begins_a_chain),
      TEST(a_copy_put_back_begins_a_chain_and_destroys_nothing),
      TEST(a_checkpoint_beside_us_does_no_harm),
      TEST(a_truncating_checkpoint_beside_us_does_no_harm),
      TEST(a_foreign_write_begins_a_chain),
      TEST(a_foreign_write_hidden_by_a_checkpoint_begins_a_chain),
      TEST(analyze_begins_a_chain),
      TEST(a_vacuum_beside_us_begins_a_chain),
      TEST(a_clock_set_back_begins_a_chain),
      TEST(a_missing_segment_is_a_hole),
      TEST(a_flipped_byte_is_found_wherever_it_is),
      TEST(a_damaged_end_is_refused_beyond),
      TEST(a_torn_tail_is_told),
      TEST(a_killed_server_goes_on_with_its_chain),
      TEST(a_void_record_is_put_aside),
      TEST(a_write_after_a_kill_begins_a_chain),
      TEST(a_failed_commit_leaves_no_record),
      TEST(a_full_archive_lets_debates_go_on),
      TEST(an_impossible_archive_lets_debates_go_on),
      TEST(two_servers_do_not_archive_into_one_place),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
