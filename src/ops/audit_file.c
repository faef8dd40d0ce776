#include "ops/audit_file.h"

#include "base/clock.h"
#include "ops/csv.h"
#include "ops/export_query.h"

#include <inttypes.h>
#include <stdlib.h>

enum { HEX_SIZE = 2 * SHA256_SIZE + 1 };

/* ---- what is asked for ---- */

static const char *const names[] = {[AUDIT_JSONL] = "jsonl", [AUDIT_CSV] = "csv"};

const char *audit_format_name(enum audit_format format) {
  return names[format];
}

const char *audit_format_type(enum audit_format format) {
  return format == AUDIT_CSV ? "text/csv; charset=utf-8" : "application/jsonl";
}

static const char *said(const char *word) {
  return word && *word ? word : NULL;
}

enum status audit_format_read(const char *word, enum audit_format *ret_format, struct error *err) {
  *ret_format = AUDIT_JSONL;
  if (!said(word) || strcmp(word, names[AUDIT_JSONL]) == 0) return STATUS_OK;
  *ret_format = AUDIT_CSV;
  if (strcmp(word, names[AUDIT_CSV]) == 0) return STATUS_OK;
  return error_set(err, STATUS_INVALID, "format", "must be jsonl or csv, not \"%.32s\"", word);
}

enum status audit_words_read(const struct audit_words *words, struct store_audit_query *ret_query,
                             struct error *err) {
  struct store_audit_query q = {.action = said(words->action),
                                .outcome = said(words->outcome),
                                .actor = said(words->actor),
                                .tenant = said(words->tenant),
                                .resource = said(words->resource)};
  enum status s = export_time_read(words->since, "since", false, &q.since_ms, err);
  if (!s) s = export_time_read(words->until, "until", true, &q.until_ms, err);
  if (!s && q.until_ms >= 0 && q.since_ms > q.until_ms)
    s = error_set(err, STATUS_INVALID, "since", "must not be later than until");
  if (!s) *ret_query = q;
  return s;
}

/* ---- a row ---- */

/* The detail as an object, where it is one whose canonical text it is. */
static json_t *detail_of(struct bytes detail) {
  json_t *value;
  if (json_parse(detail, &value, NULL)) return json_text(detail);
  FREE_LATER char *text = json_is_object(value) ? json_canonical_dup(value) : NULL;
  if (text && bytes_equal(bytes_of(text), detail)) return value;
  json_decref(value);
  return json_text(detail);
}

static json_t *text_of(struct bytes text) {
  return text.len ? json_text(text) : json_null();
}

json_t *audit_file_object(const struct audit_row *row) {
  const struct audit_entry *e = &row->entry;
  char at[CLOCK_ISO_SIZE], previous[HEX_SIZE], hash[HEX_SIZE];
  clock_format_iso(e->at_ms, at);
  bytes_to_hex(row->previous, SHA256_SIZE, previous);
  bytes_to_hex(row->hash, SHA256_SIZE, hash);
  return json_pack("{s:I, s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:s}", "seq",
                   (json_int_t)row->seq, "at", at, "at_ms", (json_int_t)e->at_ms, "tenant_id",
                   text_of(e->tenant), "actor", text_of(e->actor), "action", text_of(e->action),
                   "outcome", text_of(e->outcome), "resource", text_of(e->resource), "address",
                   text_of(e->address), "request_id", text_of(e->request_id), "detail",
                   detail_of(e->detail), "previous_hash", previous, "hash", hash);
}

/* ---- an export ---- */

static void append_json(struct buffer *out, const struct audit_row *row) {
  JSON_LATER json_t *object = audit_file_object(row);
  char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
  if (text)
    buffer_append_text(out, text);
  else
    out->overflow = true;
  free(text);
  buffer_append_char(out, '\n');
}

static void append_csv(struct buffer *out, const struct audit_row *row) {
  const struct audit_entry *e = &row->entry;
  struct csv csv = {.out = out};
  char at[CLOCK_ISO_SIZE], hash[HEX_SIZE];
  clock_format_iso(e->at_ms, at);
  bytes_to_hex(row->hash, SHA256_SIZE, hash);
  csv_int(&csv, row->seq);
  csv_text(&csv, bytes_of(at));
  csv_text(&csv, e->tenant);
  csv_text(&csv, e->actor);
  csv_text(&csv, e->action);
  csv_text(&csv, e->outcome);
  csv_text(&csv, e->resource);
  csv_text(&csv, e->address);
  csv_text(&csv, e->request_id);
  csv_text(&csv, e->detail);
  csv_text(&csv, bytes_of(hash));
  csv_end(&csv);
}

static void append_head(struct buffer *out) {
  static const char *const columns[] = {"seq",        "at",      "tenant_id", "actor",
                                        "action",     "outcome", "resource",  "address",
                                        "request_id", "detail",  "hash",      NULL};
  struct csv csv = {.out = out};
  csv_line(&csv, columns);
}

struct step {
  struct audit_export *export;
  struct buffer *out;
};

static void take_row(void *ctx, const struct audit_row *row) {
  struct step *step = ctx;
  if (step->export->format == AUDIT_CSV)
    append_csv(step->out, row);
  else
    append_json(step->out, row);
  step->export->rows++;
}

enum status audit_export_step(struct audit_export *export, struct buffer *out, bool *ret_done,
                              struct error *err) {
  struct step step = {export, out};
  int64_t next = 0;
  if (!export->begun && export->format == AUDIT_CSV) append_head(out);
  export->begun = true;
  export->query.limit = AUDIT_EXPORT_ROWS;
  export->query.newest_first = false;
  enum status s =
      store_read_audit(export->store, &export->who, &export->query, take_row, &step, &next, err);
  if (!s && out->overflow) s = error_set(err, STATUS_NOMEM, NULL, "out of memory");
  export->query.after = next;
  *ret_done = next == 0;
  return s;
}

/* ---- a proof ---- */

static struct bytes member(const json_t *object, const char *key) {
  return json_bytes(json_object_get(object, key));
}

/* `detail` is for free(), where it is not NULL. */
static bool row_of(const json_t *o, struct audit_row *ret_row, char **ret_detail) {
  const json_t *detail = json_object_get(o, "detail");
  struct audit_row row = {.seq = json_get_int(o, "seq", -1),
                          .entry = {.at_ms = json_get_int(o, "at_ms", -1),
                                    .tenant = member(o, "tenant_id"),
                                    .actor = member(o, "actor"),
                                    .action = member(o, "action"),
                                    .outcome = member(o, "outcome"),
                                    .resource = member(o, "resource"),
                                    .address = member(o, "address"),
                                    .request_id = member(o, "request_id"),
                                    .detail = json_bytes(detail)}};
  if (row.seq < 1 || row.seq > AUDIT_SEQ_MAX) return false;
  if (!bytes_from_hex(member(o, "previous_hash"), row.previous, SHA256_SIZE) ||
      !bytes_from_hex(member(o, "hash"), row.hash, SHA256_SIZE))
    return false;
  if (json_is_object(detail)) {
    *ret_detail = json_canonical_dup(detail);
    row.entry.detail = bytes_of(*ret_detail);
  }
  *ret_row = row;
  return true;
}

enum status audit_file_walk(struct audit_walk *walk, struct bytes line, struct error *err) {
  JSON_LATER json_t *object = NULL;
  FREE_LATER char *detail = NULL;
  struct audit_row row;
  if (!line.len) return STATUS_OK;
  if (json_parse(line, &object, NULL) || !row_of(object, &row, &detail))
    return error_set(err, STATUS_INVALID, NULL, "line %" PRId64 " is no row of an audit log",
                     walk->rows + 1);
  if (!walk->begun) {
    walk->head.trimmed.seq = row.seq - 1;
    memcpy(walk->head.trimmed.hash, row.previous, SHA256_SIZE);
  }
  walk->head.last.seq = row.seq;
  memcpy(walk->head.last.hash, row.hash, SHA256_SIZE);
  audit_walk_take(walk, &row);
  /* What came before the file is not the file's to say. */
  walk->said_trimmed = walk->head.trimmed;
  return STATUS_OK;
}

bool audit_mark_parse(const char *text, struct audit_mark *ret_mark) {
  char *end;
  struct audit_mark mark = {.seq = strtoll(text, &end, 10)};
  if (end == text || *end != ':' || mark.seq < 1 || mark.seq > AUDIT_SEQ_MAX ||
      !bytes_from_hex(bytes_of(end + 1), mark.hash, SHA256_SIZE))
    return false;
  *ret_mark = mark;
  return true;
}

bool audit_anchors_add(struct audit_anchors *a, const struct audit_mark *mark) {
  if (a->count == a->cap) {
    size_t cap = a->cap ? 2 * a->cap : 64;
    struct audit_mark *more =
        a->count < AUDIT_ANCHORS_MAX ? realloc(a->marks, cap * sizeof *more) : NULL;
    if (!more) return false;
    a->marks = more;
    a->cap = cap;
  }
  a->marks[a->count++] = *mark;
  return true;
}

/* Where `mark` ends in the text, or NULL. */
static const char *behind(struct bytes text, const char *mark) {
  const char *at = memmem(text.ptr, text.len, mark, strlen(mark));
  return at ? at + strlen(mark) : NULL;
}

bool audit_anchors_take_line(struct audit_anchors *a, struct bytes line) {
  static const char hash_is[] = " hash=";
  struct audit_mark mark = {0};
  const char *end = line.ptr + line.len;
  const char *p = line.len ? behind(line, "event=audit seq=") : NULL;
  for (; p && p < end && *p >= '0' && *p <= '9' && mark.seq < AUDIT_SEQ_MAX / 16; p++)
    mark.seq = mark.seq * 10 + (*p - '0');
  if (!p || (size_t)(end - p) < sizeof hash_is - 1 + HEX_SIZE - 1) return true;
  if (memcmp(p, hash_is, sizeof hash_is - 1) != 0) return true;
  if (!bytes_from_hex((struct bytes){p + sizeof hash_is - 1, HEX_SIZE - 1}, mark.hash, SHA256_SIZE))
    return true;
  return audit_anchors_add(a, &mark);
}

static int compare(const void *a, const void *b) {
  const struct audit_mark *x = a, *y = b;
  return (x->seq > y->seq) - (x->seq < y->seq);
}

void audit_anchors_sort(struct audit_anchors *a) {
  if (a->count) qsort(a->marks, a->count, sizeof *a->marks, compare);
}
