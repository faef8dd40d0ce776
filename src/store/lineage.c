/* Which debates came from which. The rows are written by commit.c and removed by deletion.c. */
#include "store/handle.h"

static int branch_point_of(sqlite3_stmt *row, int column) {
  return sqlite3_column_type(row, column) == SQLITE_NULL ? -1 : sqlite3_column_int(row, column);
}

static enum status list_children(struct reader *reader, const struct principal *who,
                                 const char *parent_id, size_t limit, store_child_fn *each,
                                 void *ctx, struct error *err) {
  sqlite3_stmt *s;
  enum status status =
      reader_prepare(reader, READER_CHILDREN,
                     "SELECT debate_id, status, task, branch_point, created_ms FROM lineage"
                     " JOIN debates ON debates.id = lineage.debate_id WHERE parent_id = ?4"
                     " AND " VISIBLE_TO_PRINCIPAL " ORDER BY debate_id LIMIT ?5",
                     &s, err);
  if (status) return status;
  principal_bind(s, who);
  sqlite3_bind_text(s, 4, parent_id, -1, SQLITE_STATIC);
  sqlite3_bind_int64(s, 5, (int64_t)limit);
  int rc;
  while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
    struct store_child child = {.debate_id = (const char *)sqlite3_column_text(s, 0),
                                .status = (const char *)sqlite3_column_text(s, 1),
                                .task = (const char *)sqlite3_column_text(s, 2),
                                .branch_point = branch_point_of(s, 3),
                                .created_ms = sqlite3_column_int64(s, 4)};
    if (child.debate_id && child.status && child.task) each(ctx, &child);
  }
  if (rc != SQLITE_DONE) status = sqlite_error(reader->db, rc, err);
  sqlite3_reset(s);
  return status;
}

enum status store_list_children(struct store *store, const struct principal *who,
                                const char *parent_id, size_t limit, store_child_fn *each,
                                void *ctx, struct error *err) {
  struct reader *reader;
  enum status status = reader_take(store->readers, &reader, err);
  if (status) return status;
  status = list_children(reader, who, parent_id, limit, each, ctx, err);
  reader_give(store->readers, reader);
  return status;
}
