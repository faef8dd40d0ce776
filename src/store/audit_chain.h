/* The hash chain of the audit log, and the proof that it is whole.
 *
 *   hash(n) = SHA-256(hash(n-1) || canonical text of entry n),  hash(0) = 0
 *
 * The text is canonical JSON {action, actor, address, at, detail, outcome, request_id, resource,
 * seq, tenant} in which every value but `at` and `seq` is a string: whatever bytes stand in a row,
 * no two rows have the same text. A row carries its predecessor's hash too, so that a row which was
 * changed and given a fitting hash is told apart from the one behind it. Pure; any thread.
 */
#ifndef ARAGORA_STORE_AUDIT_CHAIN_H
#define ARAGORA_STORE_AUDIT_CHAIN_H

#include "base/sha256.h"

/* One act. The texts are borrowed. */
struct audit_entry {
  int64_t at_ms; /* Unix */
  struct bytes tenant, actor;
  struct bytes action;  /* "key.create" */
  struct bytes outcome; /* "ok", "refused", "failed" */
  struct bytes resource, address, request_id;
  struct bytes detail; /* a JSON object */
};

struct audit_row {
  int64_t seq; /* 1, 2, ... */
  struct audit_entry entry;
  uint8_t previous[SHA256_SIZE], hash[SHA256_SIZE];
};

/* The action of the row that says which rows before it were trimmed away, and is no other's. Its
 * detail is {"hash": that of the last of them, "through": its seq}. */
#define AUDIT_TRIM_ACTION "audit.trim"

/* A place in the chain: the last row and its hash. */
struct audit_mark {
  int64_t seq; /* 0 = before the first */
  uint8_t hash[SHA256_SIZE];
};

/* The canonical text of an entry at its place; check `out->overflow`. */
void audit_chain_append_text(struct buffer *out, int64_t seq, const struct audit_entry *entry);

/* Of the row's place, entry and predecessor's hash, as they stand in it. */
void audit_chain_hash(const struct audit_row *row, uint8_t ret_hash[SHA256_SIZE]);

/* ---- the proof ---- */

enum audit_fault_kind {
  AUDIT_FAULT_CHANGED,   /* its content is not what was hashed */
  AUDIT_FAULT_REHASHED,  /* it was changed and its hash made anew */
  AUDIT_FAULT_MOVED,     /* rows seq to last are what stood at seq + shift and on */
  AUDIT_FAULT_INSERTED,  /* it stands where another row was */
  AUDIT_FAULT_MISSING,   /* rows seq to last are not there */
  AUDIT_FAULT_APPENDED,  /* rows seq to last are beyond the last one that the server wrote */
  AUDIT_FAULT_BEGINNING, /* rows before seq are gone, and no row says that they were trimmed */
  AUDIT_FAULT_ANCHOR,    /* rows up to seq are not those that were anchored: rewritten */
};

struct audit_fault {
  enum audit_fault_kind kind;
  int64_t seq, last, shift;
};

/* One line, which names the row. */
void audit_fault_describe(const struct audit_fault *fault, struct buffer *out);

enum { AUDIT_FAULTS_MAX = 20, AUDIT_MOVED_MAX = 1000 /* so far a moved row is looked for */ };

/* What the database says beside the rows. */
struct audit_head {
  struct audit_mark trimmed; /* the last row that was trimmed away; seq 0 = none */
  struct audit_mark last;
};

/* A walk over the rows in their order. Zero but for `head`, `anchors` at the start. */
struct audit_walk {
  struct audit_head head;
  const struct audit_mark *anchors; /* from outside, by seq; a few or many, or NULL */
  size_t anchor_count, anchor_next;
  struct audit_mark at; /* the row that was looked at last, with the hash that stands in it */
  struct audit_mark said_trimmed;
  bool begun, sound; /* `at` fits by itself, and was not named */
  int64_t rows;
  struct audit_fault faults[AUDIT_FAULTS_MAX];
  size_t fault_count; /* may be more than are kept */
};

void audit_walk_take(struct audit_walk *walk, const struct audit_row *row);
/* After the last row. True when nothing is wrong. */
bool audit_walk_end(struct audit_walk *walk);

#endif
