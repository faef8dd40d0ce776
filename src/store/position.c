#include "store/position.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum status position_read(sqlite3 *db, struct position *ret_position, struct error *err) {
  sqlite3_stmt *row;
  int rc = sqlite3_prepare_v2(db,
                              "SELECT chain, number, (SELECT max(version) FROM _aragora_migrations)"
                              " FROM commits WHERE id = 1",
                              -1, &row, NULL);
  if (rc == SQLITE_ERROR) /* no such table or column */
    return error_set(err, STATUS_UNSUPPORTED, NULL, "%s: has no position in an archive",
                     sqlite3_db_filename(db, "main"));
  if (rc != SQLITE_OK) return sqlite_error(db, rc, err);
  enum status status = STATUS_OK;
  rc = sqlite3_step(row);
  const char *chain = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(row, 0) : NULL;
  if (!chain || strlen(chain) >= CHAIN_SIZE) {
    status = rc == SQLITE_ROW || rc == SQLITE_DONE
                 ? error_set(err, STATUS_CORRUPT, NULL, "%s: its position cannot be read",
                             sqlite3_db_filename(db, "main"))
                 : sqlite_error(db, rc, err);
  } else {
    *ret_position = (struct position){.number = sqlite3_column_int64(row, 1),
                                      .schema = sqlite3_column_int64(row, 2)};
    memcpy(ret_position->chain, chain, strlen(chain) + 1);
  }
  sqlite3_finalize(row);
  return status;
}

enum status position_set_chain(sqlite3 *db, const char *chain, struct error *err) {
  sqlite3_stmt *update;
  enum status status = sqlite_prepare(db, "UPDATE commits SET chain = ?1", &update, err);
  if (status) return status;
  sqlite3_bind_text(update, 1, chain, -1, SQLITE_STATIC);
  int rc = sqlite3_step(update);
  if (rc != SQLITE_DONE) status = sqlite_error(db, rc, err);
  sqlite3_finalize(update);
  return status;
}

/* Through SQLite's own mapping: another descriptor of the -shm, once closed, would drop this
 * process's locks on it. */
enum status position_count_commits(sqlite3 *db, uint32_t *ret_count, struct error *err) {
  enum { INDEX_REGION = 32768, COUNTER_AT = 8 };
  sqlite3_file *file = NULL;
  void volatile *region = NULL;
  int rc = sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
  if (rc == SQLITE_OK && (file->pMethods->iVersion < 2 || !file->pMethods->xShmMap))
    rc = SQLITE_NOTFOUND;
  if (rc == SQLITE_OK) rc = file->pMethods->xShmMap(file, 0, INDEX_REGION, 0, &region);
  if (rc == SQLITE_OK && !region) rc = SQLITE_NOTFOUND;
  if (rc != SQLITE_OK) return sqlite_error(db, rc, err);
  *ret_count = *(volatile uint32_t *)((volatile char *)region + COUNTER_AT);
  return STATUS_OK;
}

/* Of a file that SQLite has open: stat needs no descriptor, so that no lock is lost. */
enum status file_stamp_take(sqlite3 *db, struct file_stamp *ret_stamp, struct error *err) {
  struct stat st;
  const char *path = sqlite3_db_filename(db, "main");
  if (stat(path, &st) != 0) return error_set(err, STATUS_IO, NULL, "%s: %s", path, strerror(errno));
  *ret_stamp = (struct file_stamp){
      .device = st.st_dev,
      .inode = st.st_ino,
      .size = (uint64_t)st.st_size,
      .changed_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec,
  };
  return STATUS_OK;
}

/* --- the log's last commit ------------------------------------------------------------------ */

enum { LOG_HEAD = 32, FRAME_HEAD = 24, SALTS = 8 };

static uint32_t get_be32(const uint8_t *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Walks the frames' heads: page, database size (not 0 in a commit's last frame), salts. Frames with
 * other salts are left from before the log started over. */
static bool ends_with(int fd, uint32_t page) {
  uint8_t head[LOG_HEAD], frame[FRAME_HEAD];
  if (pread(fd, head, sizeof head, 0) != sizeof head) return true; /* nothing was committed */
  off_t step = FRAME_HEAD + (off_t)get_be32(head + 8);
  bool any = false, last = false, here = false;
  for (off_t at = LOG_HEAD; pread(fd, frame, sizeof frame, at) == sizeof frame; at += step) {
    if (memcmp(frame + 8, head + 16, SALTS) != 0) break;
    here |= get_be32(frame) == page;
    if (!get_be32(frame + 4)) continue;
    any = true;
    last = here;
    here = false;
  }
  return !any || last;
}

enum status position_log_ends_with(sqlite3 *db, uint32_t page, bool *ret_yes, struct error *err) {
  char path[4096];
  int len = snprintf(path, sizeof path, "%s-wal", sqlite3_db_filename(db, "main"));
  int fd = len > 0 && (size_t)len < sizeof path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0 && errno != ENOENT)
    return error_set(err, STATUS_IO, NULL, "%s: %s", path, strerror(errno));
  *ret_yes = fd < 0 || ends_with(fd, page);
  if (fd >= 0) close(fd);
  return STATUS_OK;
}
