/* What a transaction of the writer books: spending by principal and by key, and usage. Many batches
 * of one transaction change the same few rows, so that the sums are kept until its end and each row
 * is written once. The writer's thread only; inside this room only. */
#ifndef ARAGORA_STORE_BOOKINGS_H
#define ARAGORA_STORE_BOOKINGS_H

#include "store/sqlite.h"
#include "store/store.h"

enum bookings_statement {
  BOOKINGS_SPEND,
  BOOKINGS_SPEND_KEY,
  BOOKINGS_USE,
  BOOKINGS_STATEMENTS,
};

enum { BOOKINGS_ROWS = 32 }; /* of one kind that are put off; more are written before */

struct bookings_used {             /* a row of `usage` */
  const struct store_spending *of; /* whose, and on which day */
  struct store_usage sum;
};

struct bookings {
  sqlite3_stmt *statements[BOOKINGS_STATEMENTS];
  struct store_spending spent[BOOKINGS_ROWS];     /* of principals */
  struct store_spending spent_key[BOOKINGS_ROWS]; /* of keys */
  struct bookings_used used[BOOKINGS_ROWS];
  size_t spent_count, spent_key_count, used_count;
};

MUST_CHECK enum status bookings_init(struct bookings *bookings, sqlite3 *db, struct error *err);
void bookings_done(struct bookings *bookings);

/* Both answer an SQLite result code. What is borrowed from `more` must stay until the flush. */
int bookings_add(struct bookings *bookings, const struct store_spending *more);
int bookings_flush(struct bookings *bookings);
/* What was put off is forgotten: its transaction was rolled back. */
void bookings_forget(struct bookings *bookings);

#endif
