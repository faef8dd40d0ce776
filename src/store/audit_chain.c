#include "store/audit_chain.h"

#include "base/json_scan.h"

#include <inttypes.h>

/* Far above what the store lets into a row; a text that did not fit must never verify. */
enum { TEXT_MAX = 1 << 20, TEXT_USUAL = 512, HASH_DIGITS = 2 * SHA256_SIZE };

static void put(struct buffer *out, const char *key, struct bytes value) {
  buffer_append_text(out, key);
  buffer_append_json_string(out, value);
}

void audit_chain_append_text(struct buffer *out, int64_t seq, const struct audit_entry *e) {
  put(out, "{\"action\":", e->action);
  put(out, ",\"actor\":", e->actor);
  put(out, ",\"address\":", e->address);
  buffer_append_text(out, ",\"at\":");
  buffer_append_int(out, e->at_ms);
  put(out, ",\"detail\":", e->detail);
  put(out, ",\"outcome\":", e->outcome);
  put(out, ",\"request_id\":", e->request_id);
  put(out, ",\"resource\":", e->resource);
  buffer_append_text(out, ",\"seq\":");
  buffer_append_int(out, seq);
  put(out, ",\"tenant\":", e->tenant);
  buffer_append_char(out, '}');
}

static void hash_at(const struct audit_row *row, int64_t seq, uint8_t ret_hash[SHA256_SIZE]) {
  BUFFER_LATER struct buffer text;
  buffer_init(&text, TEXT_MAX);
  buffer_reserve(&text, TEXT_USUAL);
  audit_chain_append_text(&text, seq, &row->entry);
  if (text.overflow) {
    memset(ret_hash, 0, SHA256_SIZE);
    return;
  }
  const struct bytes parts[] = {{(const char *)row->previous, SHA256_SIZE}, buffer_bytes(&text)};
  sha256_of_parts(parts, 2, ret_hash);
}

void audit_chain_hash(const struct audit_row *row, uint8_t ret_hash[SHA256_SIZE]) {
  hash_at(row, row->seq, ret_hash);
}

/* ---- faults ---- */

static bool same(const uint8_t *a, const uint8_t *b) {
  return memcmp(a, b, SHA256_SIZE) == 0;
}

/* Neighbours that moved by as much are one fault. */
static void note(struct audit_walk *w, enum audit_fault_kind kind, int64_t seq, int64_t last,
                 int64_t shift) {
  struct audit_fault *before =
      w->fault_count && w->fault_count <= AUDIT_FAULTS_MAX ? &w->faults[w->fault_count - 1] : NULL;
  if (before && before->kind == kind && before->shift == shift && before->last == seq - 1 &&
      kind == AUDIT_FAULT_MOVED) {
    before->last = last;
    return;
  }
  if (w->fault_count < AUDIT_FAULTS_MAX)
    w->faults[w->fault_count] = (struct audit_fault){kind, seq, last, shift};
  w->fault_count++;
}

static void append_rows(struct buffer *out, int64_t first, int64_t last) {
  if (first == last)
    buffer_printf(out, "row %" PRId64, first);
  else
    buffer_printf(out, "rows %" PRId64 " to %" PRId64, first, last);
}

void audit_fault_describe(const struct audit_fault *f, struct buffer *out) {
  if (f->kind != AUDIT_FAULT_BEGINNING) append_rows(out, f->seq, f->last);
  switch (f->kind) {
    case AUDIT_FAULT_CHANGED:
      buffer_append_text(out, ": its content is not what was hashed");
      break;
    case AUDIT_FAULT_REHASHED:
      buffer_append_text(out, ": it was changed, and its hash made anew to fit");
      break;
    case AUDIT_FAULT_MOVED:
      buffer_append_text(out, ": what stands there was written as ");
      append_rows(out, f->seq + f->shift, f->last + f->shift);
      break;
    case AUDIT_FAULT_INSERTED:
      buffer_append_text(out, ": it was put in where another row stood");
      break;
    case AUDIT_FAULT_MISSING:
      buffer_append_text(out, f->seq == f->last ? ": it is missing" : ": they are missing");
      break;
    case AUDIT_FAULT_APPENDED:
      buffer_append_text(out, ": beyond the last row that the server wrote");
      break;
    case AUDIT_FAULT_BEGINNING:
      buffer_printf(
          out, "the rows before row %" PRId64 " are gone, and no row says that they were trimmed",
          f->seq);
      break;
    case AUDIT_FAULT_ANCHOR:
      buffer_append_text(out,
                         ": it is not the row whose hash was anchored; what stands up to it was"
                         " written anew");
      break;
  }
}

/* ---- the walk ---- */

/* Where a row stood whose hash does not fit its place; 0 = nowhere near. The more faults, the less
 * is spent on each. */
static int64_t place_of(const struct audit_walk *w, const struct audit_row *row) {
  uint8_t hash[SHA256_SIZE];
  int64_t reach = w->fault_count < AUDIT_FAULTS_MAX ? AUDIT_MOVED_MAX : 1;
  for (int64_t by = 1; by <= reach; by++) {
    if (row->seq > by) {
      hash_at(row, row->seq - by, hash);
      if (same(hash, row->hash)) return row->seq - by;
    }
    hash_at(row, row->seq + by, hash);
    if (same(hash, row->hash)) return row->seq + by;
  }
  return 0;
}

/* The row's hash does not fit. One that moved up by one makes way for what stands before it. */
static void name_misfit(struct audit_walk *w, const struct audit_row *row) {
  int64_t place = place_of(w, row);
  if (!place) {
    note(w, AUDIT_FAULT_CHANGED, row->seq, row->seq, 0);
    return;
  }
  if (place == row->seq - 1 && w->sound) note(w, AUDIT_FAULT_INSERTED, place, place, 0);
  note(w, AUDIT_FAULT_MOVED, row->seq, row->seq, place - row->seq);
}

/* Its hash fits; whether its predecessor is the one that it was built on. */
static void check_link(struct audit_walk *w, const struct audit_row *row) {
  if (same(row->previous, w->at.hash)) return;
  if (w->at.seq == w->head.trimmed.seq)
    note(w, AUDIT_FAULT_BEGINNING, row->seq, row->seq, 0);
  else if (w->sound)
    note(w, AUDIT_FAULT_REHASHED, w->at.seq, w->at.seq, 0);
}

/* The first that differs is told: all behind it differ for the same reason. */
static bool differs_from_anchor(struct audit_walk *w, const struct audit_row *row) {
  for (; w->anchor_next < w->anchor_count; w->anchor_next++) {
    const struct audit_mark *anchor = &w->anchors[w->anchor_next];
    if (anchor->seq > row->seq) return false;
    if (anchor->seq < row->seq || same(anchor->hash, row->hash)) continue;
    note(w, AUDIT_FAULT_ANCHOR, row->seq, row->seq, 0);
    w->anchor_next = w->anchor_count;
    return true;
  }
  return false;
}

/* What a row says of rows that were trimmed: {"hash": "...", "through": n}. */
static void read_trim(struct audit_walk *w, const struct audit_row *row) {
  struct json_scan s;
  struct audit_mark mark = {0};
  struct buffer hash;
  buffer_init(&hash, HASH_DIGITS + 1);
  json_scan_begin(&s, row->entry.detail);
  bool object = json_scan_object(&s);
  while (object && json_scan_member(&s)) {
    if (json_scan_key_is(&s, "hash"))
      json_scan_string(&s, &hash);
    else if (json_scan_key_is(&s, "through"))
      json_scan_int(&s, &mark.seq);
    else
      json_scan_skip(&s);
  }
  if (json_scan_end(&s) && bytes_from_hex(buffer_bytes(&hash), mark.hash, SHA256_SIZE))
    w->said_trimmed = mark;
  buffer_done(&hash);
}

/* False: it stands before all that there should be, and nothing goes on from it. */
static bool check_place(struct audit_walk *w, const struct audit_row *row) {
  if (row->seq <= w->at.seq) {
    note(w, AUDIT_FAULT_INSERTED, row->seq, row->seq, 0);
    return false;
  }
  bool known = row->seq <= w->head.last.seq; /* what lies beyond is told at the end */
  if (known && row->seq > w->at.seq + 1)
    note(w, AUDIT_FAULT_MISSING, w->at.seq + 1, row->seq - 1, 0);
  return true;
}

void audit_walk_take(struct audit_walk *w, const struct audit_row *row) {
  uint8_t hash[SHA256_SIZE];
  if (!w->begun) w->at = w->head.trimmed;
  w->begun = true;
  w->rows++;
  if (!check_place(w, row)) return;
  audit_chain_hash(row, hash);
  bool fits = same(hash, row->hash);
  if (!fits)
    name_misfit(w, row);
  else if (row->seq == w->at.seq + 1)
    check_link(w, row);
  if (fits && bytes_equal(row->entry.action, bytes_of(AUDIT_TRIM_ACTION))) read_trim(w, row);
  w->sound = !differs_from_anchor(w, row) && fits;
  w->at.seq = row->seq;
  memcpy(w->at.hash, row->hash, SHA256_SIZE);
}

static bool same_mark(const struct audit_mark *a, const struct audit_mark *b) {
  return a->seq == b->seq && same(a->hash, b->hash);
}

/* The last place that anybody outside the rows knows of. */
static int64_t last_known(const struct audit_walk *w) {
  int64_t last = w->head.last.seq;
  if (w->anchor_count && w->anchors[w->anchor_count - 1].seq > last)
    last = w->anchors[w->anchor_count - 1].seq;
  return last;
}

bool audit_walk_end(struct audit_walk *w) {
  const struct audit_mark *trimmed = &w->head.trimmed, *last = &w->head.last;
  if (!w->begun) w->at = *trimmed;
  if (trimmed->seq > 0 && !same_mark(trimmed, &w->said_trimmed))
    note(w, AUDIT_FAULT_BEGINNING, trimmed->seq + 1, trimmed->seq + 1, 0);
  if (w->at.seq < last_known(w)) note(w, AUDIT_FAULT_MISSING, w->at.seq + 1, last_known(w), 0);
  if (w->at.seq > last->seq)
    note(w, AUDIT_FAULT_APPENDED, last->seq + 1, w->at.seq, 0);
  else if (w->at.seq == last->seq && !same(w->at.hash, last->hash) && w->sound)
    note(w, AUDIT_FAULT_REHASHED, last->seq, last->seq, 0);
  return w->fault_count == 0;
}
