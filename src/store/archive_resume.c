#include "store/archive_resume.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { STAMP_BYTES = 96 };

/* --- the stamp ------------------------------------------------------------------------------ */

/* A line of fixed length, so that a later one covers it whole. */
static void format_stamp(const struct file_stamp *stamp, char out[STAMP_BYTES + 1]) {
  snprintf(out, STAMP_BYTES + 1, "%020" PRIu64 " %020" PRIu64 " %020" PRIu64 " %020" PRId64 "%*s\n",
           stamp->device, stamp->inode, stamp->size, stamp->changed_ns, STAMP_BYTES - 84, "");
}

enum status archive_write_stamp(const char *dir, const char *chain, const struct file_stamp *stamp,
                                struct error *err) {
  char line[STAMP_BYTES + 1];
  format_stamp(stamp, line);
  FREE_LATER char *path = archive_chain_path(dir, chain, "stamp");
  int fd = path ? open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0640) : -1;
  ssize_t written = fd < 0 ? -1 : write(fd, line, STAMP_BYTES);
  int reason = written < 0 ? errno : ENOSPC;
  if (fd >= 0) close(fd);
  if (written == STAMP_BYTES) return STATUS_OK;
  return error_set(err, STATUS_IO, NULL, "%s: %s", path ? path : dir, strerror(reason));
}

void archive_remove_stamp(const char *dir, const char *chain) {
  FREE_LATER char *path = archive_chain_path(dir, chain, "stamp");
  if (path) unlink(path);
}

static bool is_stamped(const char *dir, const char *chain, const struct file_stamp *stamp) {
  char expected[STAMP_BYTES + 1], found[STAMP_BYTES];
  format_stamp(stamp, expected);
  FREE_LATER char *path = archive_chain_path(dir, chain, "stamp");
  int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  ssize_t got = fd < 0 ? -1 : read(fd, found, sizeof found);
  if (fd >= 0) close(fd);
  return got == STAMP_BYTES && memcmp(found, expected, STAMP_BYTES) == 0;
}

/* --- the database --------------------------------------------------------------------------- */

/* Whether its file and its log are as our last commit left them. */
static enum status is_untouched(const char *dir, sqlite3 *db, const char *chain, bool *ret_yes,
                                struct error *err) {
  struct file_stamp stamp;
  int64_t page = 0;
  bool ours = false;
  enum status status = file_stamp_take(db, &stamp, err);
  if (!status)
    status = sqlite_get_int(db,
                            "SELECT rootpage FROM sqlite_schema WHERE type = 'table'"
                            " AND name = 'commits'",
                            0, &page, err);
  if (!status) status = position_log_ends_with(db, (uint32_t)page, &ours, err);
  if (!status) *ret_yes = ours && is_stamped(dir, chain, &stamp);
  return status;
}

/* --- the segments --------------------------------------------------------------------------- */

/* A segment as an earlier run left it. */
struct leftover {
  struct segment_head head;
  uint64_t records;
  bool torn;
  uint64_t last;              /* number of its last record, or of the commit before it */
  int64_t last_ms, before_ms; /* its time, and that of the commit before */
};

static enum status read_leftover(const char *dir, const char *chain,
                                 const struct segment_name *name, struct leftover *ret_leftover,
                                 struct error *err) {
  struct segment s;
  struct segment_record record;
  enum status status = archive_load(dir, chain, name, &s, err);
  if (status) return status;
  struct leftover l = {.head = s.head, .last = s.head.first - 1, .last_ms = s.head.previous_ms};
  l.before_ms = l.last_ms;
  while (!segment_next(&s, &record)) {
    l.records++;
    l.last = record.number;
    l.before_ms = l.last_ms;
    l.last_ms = record.ts_ms;
  }
  l.torn = s.end != SEGMENT_WHOLE;
  segment_free(&s);
  *ret_leftover = l;
  return STATUS_OK;
}

/* A segment all of whose records are void would have the next one's name. */
static enum status put_aside(const char *dir, const struct segment_head *head, struct error *err) {
  char name[SEGMENT_NAME_SIZE], aside[SEGMENT_NAME_SIZE + 8];
  archive_segment_name(head->first, SEGMENT_OPEN, name);
  snprintf(aside, sizeof aside, "%s.void", name);
  FREE_LATER char *from = archive_chain_path(dir, head->chain, name);
  FREE_LATER char *to = archive_chain_path(dir, head->chain, aside);
  if (!from || !to) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  if (rename(from, to) == 0) return STATUS_OK;
  return error_set(err, STATUS_IO, NULL, "%s: %s", from, strerror(errno));
}

/* Seals it. Where the chain goes on behind commit *number, one that is empty is gone on with, and
 * one that holds only what is void is put aside; elsewhere an empty one stays. */
static enum status settle_leftover(const char *dir, const struct leftover *l, const int64_t *number,
                                   struct syncer *syncer, struct error *err) {
  struct segment_file *file;
  bool empty = !l->records && !l->torn;
  if (empty && !number) return STATUS_OK;
  if (!empty && number && l->head.first > (uint64_t)*number) return put_aside(dir, &l->head, err);
  enum status status = segment_file_reopen(dir, &l->head, l->records + l->torn, &file, err);
  if (status) return status;
  if (empty)
    syncer_use(syncer, file);
  else
    syncer_seal(syncer, file);
  return STATUS_OK;
}

static enum status settle_open(const char *dir, const char *chain, const struct segment_name *names,
                               size_t count, const int64_t *number, struct syncer *syncer,
                               struct error *err) {
  enum status status = STATUS_OK;
  for (size_t i = 0; !status && i < count; i++) {
    struct leftover l;
    if (names[i].form != SEGMENT_OPEN) continue;
    status = read_leftover(dir, chain, &names[i], &l, err);
    if (!status) {
      status = settle_leftover(dir, &l, number, syncer, err);
    } else if (status == STATUS_CORRUPT) { /* not even its head was written */
      log_warning("store", NULL, "event=archive_segment_left reason=\"%s\"", err->message);
      status = STATUS_OK;
    }
  }
  return status;
}

static const char *why_not(const struct position *at, const struct leftover *l, bool is_open) {
  if (l->head.schema != (uint32_t)at->schema) return "schema";
  if (l->last == (uint64_t)at->number) return NULL;
  if (is_open && l->last == (uint64_t)at->number + 1) return NULL;
  return "number";
}

/* The chain's last segment against the database. */
static enum status compare(const char *dir, const struct position *at,
                           const struct segment_name *last, struct archive_resumption *answer,
                           struct error *err) {
  struct leftover l;
  enum status status = read_leftover(dir, at->chain, last, &l, err);
  if (status) return status;
  answer->reason = why_not(at, &l, last->form == SEGMENT_OPEN);
  answer->resumed = !answer->reason;
  answer->voided = answer->resumed && l.last != (uint64_t)at->number;
  answer->begun_ms = l.head.begun_ms;
  answer->order = l.head.order;
  answer->last_ms = l.last == (uint64_t)at->number ? l.last_ms : l.before_ms;
  return STATUS_OK;
}

static enum status decide(const char *dir, sqlite3 *db, const struct position *at,
                          struct archive_resumption *answer, struct error *err) {
  struct segment_name *names;
  size_t count;
  bool untouched = false;
  if (!at->chain[0]) {
    answer->reason = "none_before";
    return STATUS_OK;
  }
  enum status status = archive_segments(dir, at->chain, &names, &count, err);
  if (status == STATUS_NOT_FOUND || (!status && count == 0)) {
    if (!status) free(names);
    answer->reason = "no_segments";
    return STATUS_OK;
  }
  if (status) return status;
  status = is_untouched(dir, db, at->chain, &untouched, err);
  if (!status && !untouched) answer->reason = "touched";
  if (!status && untouched) status = compare(dir, at, &names[count - 1], answer, err);
  free(names);
  return status;
}

static enum status settle_chain(const char *dir, const char *chain, const int64_t *number,
                                struct syncer *syncer, struct error *err) {
  struct segment_name *names;
  size_t count;
  enum status status = archive_segments(dir, chain, &names, &count, err);
  if (status) return status;
  status = settle_open(dir, chain, names, count, number, syncer, err);
  free(names);
  return status;
}

enum status archive_resume(const char *dir, sqlite3 *db, const struct position *at,
                           struct syncer *syncer, struct archive_resumption *ret_answer,
                           struct error *err) {
  struct archive_resumption answer = {0};
  char(*chains)[CHAIN_SIZE];
  size_t count;
  enum status status = decide(dir, db, at, &answer, err);
  if (status) return status;
  status = archive_chains(dir, &chains, &count, err);
  if (status) return status;
  for (size_t i = 0; !status && i < count; i++) {
    bool goes_on = answer.resumed && strcmp(chains[i], at->chain) == 0;
    status = settle_chain(dir, chains[i], goes_on ? &at->number : NULL, syncer, err);
  }
  free(chains);
  if (!status) *ret_answer = answer;
  return status;
}
