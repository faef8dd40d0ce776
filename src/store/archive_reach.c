#include "store/archive_reach.h"

#include <inttypes.h>
#include <stdlib.h>

/* --- the walk ------------------------------------------------------------------------------- */

enum status archive_walk_start(const char *dir, const struct position *from,
                               struct archive_walk *ret_walk, struct error *err) {
  struct archive_walk w = {.dir = dir, .from = *from, .from_ms = -1, .after_gap_ms = -1};
  if (!from->chain[0])
    return error_set(err, STATUS_CONFLICT, NULL,
                     "the database belongs to no chain of an archive: it was restored, or made "
                     "while nothing was archived");
  enum status status = archive_segments(dir, from->chain, &w.names, &w.count, err);
  if (status == STATUS_NOT_FOUND || (!status && w.count == 0)) {
    if (!status) free(w.names);
    return error_set(err, STATUS_CONFLICT, NULL, "the archive %s has nothing of the chain %s", dir,
                     from->chain);
  }
  if (status) return status;
  while (w.at + 1 < w.count && w.names[w.at + 1].first <= (uint64_t)from->number + 1) w.at++;
  *ret_walk = w;
  return STATUS_OK;
}

static void unload(struct archive_walk *w) {
  if (w->loaded) segment_free(&w->segment);
  w->loaded = false;
}

void archive_walk_stop(struct archive_walk *w) {
  unload(w);
  free(w->names);
  w->names = NULL;
}

static enum status stop(struct archive_walk *w, enum archive_end end) {
  w->end = end;
  return STATUS_NOT_FOUND;
}

/* What lies behind is another base's: its time is in the head of the first segment there that can
 * be read. */
static enum status stop_in_gap(struct archive_walk *w) {
  struct segment s;
  for (size_t i = w->at + 1; i < w->count && w->after_gap_ms < 0; i++) {
    if (archive_load(w->dir, w->from.chain, &w->names[i], &s, NULL)) continue;
    w->after_gap_ms = s.head.previous_ms;
    segment_free(&s);
  }
  return stop(w, ARCHIVE_END_GAP);
}

static enum status load(struct archive_walk *w, struct error *err) {
  enum status status = archive_load(w->dir, w->from.chain, &w->names[w->at], &w->segment, err);
  /* It was listed a moment ago: that it is gone is a hole, and not the end of the chain. */
  if (status == STATUS_NOT_FOUND) status = STATUS_CORRUPT;
  if (status) return status;
  w->loaded = true;
  const struct segment_head *head = &w->segment.head;
  if (head->first == (uint64_t)w->from.number + 1) w->from_ms = head->previous_ms;
  if ((int64_t)head->schema == w->from.schema) return STATUS_OK;
  return error_set(err, STATUS_CONFLICT, NULL,
                   "the database has schema %" PRId64 ", what was archived is of schema %" PRIu32,
                   w->from.schema, head->schema);
}

/* The segment that begins behind this one, where it goes on without a hole. A record that the next
 * segment has again is void: its transaction never was. */
static enum status next_segment(struct archive_walk *w, struct error *err) {
  bool more = w->at + 1 < w->count;
  uint64_t next = w->segment.next;
  enum segment_end end = w->segment.end;
  if (!more && end == SEGMENT_WHOLE) return stop(w, ARCHIVE_END);
  if (!more && end == SEGMENT_TORN) return stop(w, ARCHIVE_END_TORN);
  if (!more || w->names[w->at + 1].first != next) return stop_in_gap(w);
  unload(w);
  w->at++;
  return load(w, err);
}

static bool is_void(const struct archive_walk *w, const struct segment_record *record) {
  return w->at + 1 < w->count && record->number >= w->names[w->at + 1].first;
}

enum status archive_walk_next(struct archive_walk *w, struct segment_record *ret_record,
                              struct error *err) {
  enum status status = STATUS_OK;
  if (!w->loaded) {
    // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a walk begins with a segment at least
    if (w->names[w->at].first > (uint64_t)w->from.number + 1) {
      w->at--; /* so that the gap's far side is this one */
      return stop_in_gap(w);
    }
    status = load(w, err);
  }
  while (!status) {
    if (segment_next(&w->segment, ret_record)) {
      status = next_segment(w, err);
    } else if (is_void(w, ret_record)) {
      w->segment.next = ret_record->number;
      status = next_segment(w, err);
    } else {
      if (ret_record->number == (uint64_t)w->from.number) w->from_ms = ret_record->ts_ms;
      if (ret_record->number > (uint64_t)w->from.number) return STATUS_OK;
    }
  }
  return status == STATUS_CORRUPT ? stop_in_gap(w) : status;
}

/* --- how far -------------------------------------------------------------------------------- */

/* When the chain behind this one began; -1 when it is the last. */
static enum status find_next_chain(const char *dir, uint64_t order, int64_t *ret_begun_ms,
                                   struct error *err) {
  char(*chains)[CHAIN_SIZE];
  size_t count;
  uint64_t next = UINT64_MAX;
  enum status status = archive_chains(dir, &chains, &count, err);
  if (status) return status;
  for (size_t i = 0; i < count; i++) {
    struct segment_head head = {0};
    if (archive_load_chain_head(dir, chains[i], &head)) continue;
    if (head.order <= order || head.order >= next) continue;
    next = head.order;
    *ret_begun_ms = head.begun_ms;
  }
  free(chains);
  return STATUS_OK;
}

/* The walk has ended before `until_ms`. */
static enum status judge_end(const struct archive_walk *w, int64_t until_ms,
                             struct archive_reach *reach, struct error *err) {
  reach->torn = w->end == ARCHIVE_END_TORN;
  reach->before_ms = reach->last_ms;
  reach->after_ms = w->after_gap_ms;
  enum status status = STATUS_OK;
  if (w->end != ARCHIVE_END_GAP)
    status = find_next_chain(w->dir, w->segment.head.order, &reach->after_ms, err);
  bool is_last = w->end != ARCHIVE_END_GAP && reach->after_ms < 0;
  reach->reached = is_last || (reach->last_ms >= 0 && until_ms <= reach->last_ms);
  return status;
}

static enum status walk_until(struct archive_walk *w, int64_t until_ms, struct archive_reach *reach,
                              struct error *err) {
  struct segment_record record = {0};
  enum status status;
  while (!(status = archive_walk_next(w, &record, err)) && record.ts_ms <= until_ms) {
    reach->last_number = record.number;
    reach->last_ms = record.ts_ms;
    reach->count++;
  }
  reach->from_ms = w->from_ms;
  if (!reach->count) reach->last_ms = w->from_ms;
  if (status && status != STATUS_NOT_FOUND) return status;
  if (w->from_ms > until_ms) {
    reach->before_ms = -1;
    reach->after_ms = w->from_ms;
    return STATUS_OK;
  }
  reach->reached = !status;
  return status ? judge_end(w, until_ms, reach, err) : STATUS_OK;
}

static enum status read_position(const char *db_path, struct position *ret_position,
                                 struct error *err) {
  sqlite3 *db;
  enum status status = sqlite_open(db_path, SQLITE_OPEN_READWRITE, 0, &db, err);
  if (status) return status;
  status = position_read(db, ret_position, err);
  sqlite_close(db);
  return status;
}

enum status archive_find_reach(const char *dir, const char *db_path, int64_t until_ms,
                               struct archive_reach *ret_reach, struct error *err) {
  struct archive_reach reach = {.before_ms = -1, .after_ms = -1};
  struct archive_walk walk = {0};
  enum status status = read_position(db_path, &reach.from, err);
  if (!status) status = archive_walk_start(dir, &reach.from, &walk, err);
  if (status) return status;
  reach.last_number = (uint64_t)reach.from.number;
  status = walk_until(&walk, until_ms, &reach, err);
  archive_walk_stop(&walk);
  if (!status) *ret_reach = reach;
  return status;
}
