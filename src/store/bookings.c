#include "store/bookings.h"

static const char *const bookings_sql[BOOKINGS_STATEMENTS] = {
    [BOOKINGS_SPEND] =
        "INSERT INTO spending (day, tenant_id, owner_id, tokens, usd_micro, unpriced)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (day, tenant_id, owner_id) DO UPDATE SET"
        " tokens = tokens + excluded.tokens, usd_micro = usd_micro + excluded.usd_micro,"
        " unpriced = unpriced + excluded.unpriced",
    [BOOKINGS_SPEND_KEY] =
        "INSERT INTO key_spending (day, key_id, tokens, usd_micro, unpriced)"
        " VALUES (?1, ?3, ?4, ?5, ?6) ON CONFLICT (day, key_id) DO UPDATE SET"
        " tokens = tokens + excluded.tokens, usd_micro = usd_micro + excluded.usd_micro,"
        " unpriced = unpriced + excluded.unpriced",
    [BOOKINGS_USE] =
        "INSERT INTO usage (tenant_id, owner_id, day, key_id, provider, model, debates, turns,"
        " calls, tokens, tokens_in, tokens_out, usd_micro, unpriced)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)"
        " ON CONFLICT (tenant_id, owner_id, day, key_id, provider, model) DO UPDATE SET"
        " debates = debates + excluded.debates, turns = turns + excluded.turns,"
        " calls = calls + excluded.calls, tokens = tokens + excluded.tokens,"
        " tokens_in = tokens_in + excluded.tokens_in,"
        " tokens_out = tokens_out + excluded.tokens_out,"
        " usd_micro = usd_micro + excluded.usd_micro, unpriced = unpriced + excluded.unpriced",
};

enum status bookings_init(struct bookings *b, sqlite3 *db, struct error *err) {
  for (int i = 0; i < BOOKINGS_STATEMENTS; i++) {
    enum status status = sqlite_prepare(db, bookings_sql[i], &b->statements[i], err);
    if (status) return status;
  }
  return STATUS_OK;
}

void bookings_done(struct bookings *b) {
  for (int i = 0; i < BOOKINGS_STATEMENTS; i++) sqlite3_finalize(b->statements[i]);
  *b = (struct bookings){0};
}

/* ---- writing ---- */

static int run(sqlite3_stmt *s) {
  int rc = sqlite3_step(s);
  sqlite3_reset(s);
  return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int write_spent(sqlite3_stmt *s, const struct store_spending *sum) {
  sqlite3_bind_int64(s, 1, sum->day);
  if (sum->tenant_id) sqlite_bind_text(s, 2, sum->tenant_id);
  sqlite_bind_text(s, 3, sum->tenant_id ? sum->owner_id : sum->key_id);
  sqlite3_bind_int64(s, 4, sum->tokens);
  sqlite3_bind_int64(s, 5, sum->usd_micro);
  sqlite3_bind_int64(s, 6, sum->unpriced);
  return run(s);
}

static int write_used(sqlite3_stmt *s, const struct bookings_used *used) {
  const struct store_usage *sum = &used->sum;
  sqlite_bind_text(s, 1, used->of->tenant_id);
  sqlite_bind_text(s, 2, used->of->owner_id);
  sqlite3_bind_int64(s, 3, used->of->day);
  sqlite_bind_text(s, 4, used->of->key_id ? used->of->key_id : "");
  sqlite_bind_text(s, 5, sum->provider);
  sqlite_bind_text(s, 6, sum->model);
  sqlite3_bind_int64(s, 7, sum->debates);
  sqlite3_bind_int64(s, 8, sum->turns);
  sqlite3_bind_int64(s, 9, sum->calls);
  sqlite3_bind_int64(s, 10, sum->tokens);
  sqlite3_bind_int64(s, 11, sum->tokens_in);
  sqlite3_bind_int64(s, 12, sum->tokens_out);
  sqlite3_bind_int64(s, 13, sum->usd_micro);
  sqlite3_bind_int64(s, 14, sum->unpriced);
  return run(s);
}

int bookings_flush(struct bookings *b) {
  int rc = SQLITE_OK;
  for (size_t i = 0; rc == SQLITE_OK && i < b->spent_count; i++)
    rc = write_spent(b->statements[BOOKINGS_SPEND], &b->spent[i]);
  for (size_t i = 0; rc == SQLITE_OK && i < b->spent_key_count; i++)
    rc = write_spent(b->statements[BOOKINGS_SPEND_KEY], &b->spent_key[i]);
  for (size_t i = 0; rc == SQLITE_OK && i < b->used_count; i++)
    rc = write_used(b->statements[BOOKINGS_USE], &b->used[i]);
  bookings_forget(b);
  return rc;
}

void bookings_forget(struct bookings *b) {
  b->spent_count = b->spent_key_count = b->used_count = 0;
}

/* ---- putting off ---- */

static bool same(const char *one, const char *other) {
  if (!one || !other) return one == other;
  return one == other || strcmp(one, other) == 0;
}

/* The row for `more`, whose names it has already; NULL = there is no room for a new one. */
static struct store_spending *find_spent(struct store_spending *rows, size_t *count,
                                         const struct store_spending *more) {
  for (size_t i = 0; i < *count; i++)
    if (rows[i].day == more->day && same(rows[i].tenant_id, more->tenant_id) &&
        same(rows[i].owner_id, more->owner_id) && same(rows[i].key_id, more->key_id))
      return &rows[i];
  if (*count == BOOKINGS_ROWS) return NULL;
  struct store_spending *row = &rows[(*count)++];
  *row = (struct store_spending){.tenant_id = more->tenant_id,
                                 .owner_id = more->owner_id,
                                 .key_id = more->key_id,
                                 .day = more->day};
  return row;
}

static struct store_usage *find_used(struct bookings *b, const struct store_spending *of,
                                     const struct store_usage *more) {
  for (size_t i = 0; i < b->used_count; i++) {
    struct bookings_used *row = &b->used[i];
    if (row->of->day == of->day && same(row->sum.model, more->model) &&
        same(row->sum.provider, more->provider) && same(row->of->owner_id, of->owner_id) &&
        same(row->of->tenant_id, of->tenant_id) && same(row->of->key_id, of->key_id))
      return &row->sum;
  }
  if (b->used_count == BOOKINGS_ROWS) return NULL;
  struct bookings_used *row = &b->used[b->used_count++];
  *row = (struct bookings_used){of, {.provider = more->provider, .model = more->model}};
  return &row->sum;
}

static int add_spent(struct bookings *b, struct store_spending *rows, size_t *count,
                     const struct store_spending *more) {
  struct store_spending *row = find_spent(rows, count, more);
  int rc = row ? SQLITE_OK : bookings_flush(b);
  if (!row) row = find_spent(rows, count, more);
  row->tokens += more->tokens;
  row->usd_micro += more->usd_micro;
  row->unpriced += more->unpriced;
  return rc;
}

static int add_used(struct bookings *b, const struct store_spending *of,
                    const struct store_usage *more) {
  struct store_usage *row = find_used(b, of, more);
  int rc = row ? SQLITE_OK : bookings_flush(b);
  if (!row) row = find_used(b, of, more);
  row->debates += more->debates;
  row->turns += more->turns;
  row->calls += more->calls;
  row->tokens += more->tokens;
  row->tokens_in += more->tokens_in;
  row->tokens_out += more->tokens_out;
  row->usd_micro += more->usd_micro;
  row->unpriced += more->unpriced;
  return rc;
}

int bookings_add(struct bookings *b, const struct store_spending *more) {
  int rc = SQLITE_OK;
  if (more->tokens || more->usd_micro || more->unpriced) {
    struct store_spending part = *more;
    part.key_id = NULL;
    rc = add_spent(b, b->spent, &b->spent_count, &part);
    part.tenant_id = part.owner_id = NULL;
    part.key_id = more->key_id;
    if (rc == SQLITE_OK && part.key_id) rc = add_spent(b, b->spent_key, &b->spent_key_count, &part);
  }
  for (size_t i = 0; rc == SQLITE_OK && i < more->usage_count; i++)
    rc = add_used(b, more, &more->usage[i]);
  return rc;
}
