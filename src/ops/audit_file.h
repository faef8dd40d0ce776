/* The audit log as files: a JSON object or a CSV line a row, and the way back for a proof. Pure but
 * for the steps of an export, which read the store. */
#ifndef ARAGORA_OPS_AUDIT_FILE_H
#define ARAGORA_OPS_AUDIT_FILE_H

#include "base/json.h"
#include "store/audit.h"

enum audit_format { AUDIT_JSONL, AUDIT_CSV };
const char *audit_format_type(enum audit_format format); /* a media type */
const char *audit_format_name(enum audit_format format); /* "jsonl", "csv" */

/* What was asked for, as texts; NULL or "" = not. */
struct audit_words {
  const char *action, *outcome, *actor, *tenant, *resource;
  const char *since, *until; /* as of an export of debates */
};
/* `query` borrows from the words. STATUS_INVALID names the field. */
MUST_CHECK enum status audit_words_read(const struct audit_words *words,
                                        struct store_audit_query *ret_query, struct error *err);
/* "jsonl" (also for NULL and "") or "csv". */
MUST_CHECK enum status audit_format_read(const char *word, enum audit_format *ret_format,
                                         struct error *err);

/* {seq, at, at_ms, tenant_id, actor, action, outcome, resource, address, request_id, detail,
 * previous_hash, hash}; empty texts are null, and `detail` is an object unless somebody changed it
 * into something else. NULL when memory is short. */
json_t *audit_file_object(const struct audit_row *row);

/* ---- an export: a step at a time, oldest first ---- */

enum { AUDIT_EXPORT_ROWS = 500 /* of a step */ };

struct audit_export {
  struct store *store;
  struct principal who;
  struct store_audit_query query; /* its texts outlive the export */
  enum audit_format format;
  bool begun;
  uint64_t rows; /* so far */
};
/* Appends the next piece. *ret_done when it was the last. */
MUST_CHECK enum status audit_export_step(struct audit_export *export, struct buffer *out,
                                         bool *ret_done, struct error *err);

/* ---- a proof ---- */

/* No log is as long; what names a row beyond it is none of ours. */
static const int64_t AUDIT_SEQ_MAX = INT64_MAX / 2;

/* Walks over lines of an export as JSON, of all rows or of those of some time, into a walk whose
 * head is set by what the file holds: a cut end shows only against anchors. One line a call;
 * STATUS_INVALID for what is no such line. An empty line is none. */
MUST_CHECK enum status audit_file_walk(struct audit_walk *walk, struct bytes line,
                                       struct error *err);

/* Places of the chain out of lines of a server's log ("event=audit seq=... hash=..."). */
struct audit_anchors {
  struct audit_mark *marks; /* for free() */
  size_t count, cap;
};
enum { AUDIT_ANCHORS_MAX = 10000000 };
/* False when memory is short, or there are more. */
bool audit_anchors_take_line(struct audit_anchors *anchors, struct bytes line);
bool audit_anchors_add(struct audit_anchors *anchors, const struct audit_mark *mark);
/* "SEQ:HASH". */
bool audit_mark_parse(const char *text, struct audit_mark *ret_mark);
/* In the order of a walk. */
void audit_anchors_sort(struct audit_anchors *anchors);

#endif
