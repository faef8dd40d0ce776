#include "ops/examine.h"

#include "debate/chain.h"
#include "store/audit.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- one debate's chain ---- */

struct chain_walk {
  uint8_t head[CHAIN_HASH_SIZE];
  uint64_t events;
  bool broken;
};

static bool walk_event(void *ctx, const struct store_event *e) {
  struct chain_walk *w = ctx;
  uint8_t want[CHAIN_HASH_SIZE];
  w->broken = e->seq != ++w->events;
  if (!w->broken && e->data.ptr) {
    chain_digest(e->salt, e->data, want);
    w->broken = memcmp(want, e->digest, sizeof want) != 0;
  }
  if (w->broken) return false;
  chain_extend(w->head, e->seq, e->type, e->ts_ms, e->round, e->agent, e->digest, want);
  w->broken = memcmp(want, e->hash, sizeof want) != 0;
  memcpy(w->head, want, sizeof want);
  return !w->broken;
}

struct chains {
  struct inspect *copy;
  const struct progress *progress;
  int64_t debates, stride, at, checked;
  enum status status;
  struct error *err;
};

/* The heads come in the order of ids, which are random: every n-th is a fair sample. */
static bool check_chain(void *ctx, const char *id, uint64_t seq, const uint8_t hash[32]) {
  struct chains *c = ctx;
  struct chain_walk walk = {0};
  (void)hash;
  if (c->at++ % c->stride != 0) return true;
  c->status = inspect_events(c->copy, id, walk_event, &walk, c->err);
  if (!c->status && (walk.broken || walk.events != seq))
    c->status = error_set(c->err, STATUS_CORRUPT, NULL,
                          "the log of debate %.64s is broken at event %" PRIu64, id, walk.events);
  c->checked++;
  if (!c->status && !progress_step(c->progress, "checking the debates", c->at, c->debates))
    c->status = error_set(c->err, STATUS_CANCELLED, NULL, "stopped");
  return !c->status;
}

static enum status check_chains(struct inspect *copy, const struct examination *how,
                                int64_t debates, int64_t *ret_chains, struct error *err) {
  int64_t stride = how->deep ? 1 : (debates + EXAMINE_CHAINS - 1) / EXAMINE_CHAINS;
  struct chains c = {.copy = copy,
                     .progress = how->progress,
                     .debates = debates,
                     .stride = stride > 0 ? stride : 1,
                     .err = err};
  enum status s = inspect_heads(copy, check_chain, &c, err);
  *ret_chains = c.checked;
  return s ? s : c.status;
}

/* ---- the audit log ---- */

static enum status check_audit(struct inspect *copy, struct error *err) {
  struct audit_walk walk = {0};
  bool known;
  enum status s = inspect_walk_audit(copy, &walk, &known, err);
  if (s || !known || audit_walk_end(&walk)) return s;
  BUFFER_LATER struct buffer text;
  buffer_init(&text, 512);
  audit_fault_describe(&walk.faults[0], &text);
  return error_set(err, STATUS_CORRUPT, NULL, "the audit log is not as it was written: %s",
                   text.ptr ? text.ptr : "");
}

/* With changes replayed it may go on behind that row, which may be trimmed away by now. */
static enum status compare_audit(struct inspect *copy, const struct manifest *m, bool replayed,
                                 struct error *err) {
  struct audit_head head = {0};
  bool known = false, there = false;
  if (!m->has_audit) return STATUS_OK;
  enum status s = inspect_audit_head(copy, &head, &known, err);
  if (s) return s;
  bool ends = known && head.last.seq == m->audit.seq &&
              memcmp(head.last.hash, m->audit.hash, sizeof head.last.hash) == 0; /* public */
  bool goes_on = known && replayed && head.last.seq > m->audit.seq;
  bool gone = m->audit.seq <= head.trimmed.seq; /* the first of all, "0", is never there */
  if ((ends || goes_on) && !gone) s = inspect_has_audit_row(copy, &m->audit, &there, err);
  if (s || ((ends || goes_on) && (gone || there))) return s;
  return error_set(err, STATUS_CORRUPT, NULL,
                   "its audit log does not hold the row %" PRId64 " that its manifest names last",
                   m->audit.seq);
}

/* ---- a file ---- */

static enum status compare_position(struct inspect *copy, const struct manifest *m,
                                    enum database kind, struct error *err) {
  struct inspect_position p;
  enum status s = inspect_position(copy, &p, err);
  if (s) return s;
  bool same = p.schema == m->files[kind].schema;
  if (kind == DATABASE_MEMORY)
    same = same && p.number == m->number && strcmp(p.chain, m->chain) == 0;
  if (same) return STATUS_OK;
  return error_set(err, STATUS_CORRUPT, NULL, "it does not stand where its manifest says");
}

static enum status compare_census(struct inspect *copy, const struct manifest *m, bool replayed,
                                  int64_t *ret_debates, struct error *err) {
  struct inspect_census c;
  enum status s = inspect_census(copy, &c, err);
  if (s) return s;
  *ret_debates = c.debates;
  if (replayed || (c.debates == m->census.debates && c.events == m->census.events &&
                   memcmp(c.heads_sha256, m->census.heads_sha256, 32) == 0))
    return STATUS_OK;
  return error_set(err, STATUS_CORRUPT, NULL, "it holds other debates than its manifest says");
}

static enum status check_file(struct inspect *copy, const struct manifest *m, enum database kind,
                              const struct examination *how, int64_t *ret_chains,
                              struct error *err) {
  int64_t debates = 0;
  if (!progress_step(how->progress, "checking the pages", 0, 0))
    return error_set(err, STATUS_CANCELLED, NULL, "stopped");
  enum status s = inspect_integrity(copy, err);
  if (!s && !how->replayed) s = compare_position(copy, m, kind, err);
  if (!s && kind == DATABASE_MEMORY) s = compare_census(copy, m, how->replayed, &debates, err);
  if (!s && kind == DATABASE_MEMORY) s = check_chains(copy, how, debates, ret_chains, err);
  if (!s && kind == DATABASE_MEMORY) s = compare_audit(copy, m, how->replayed, err);
  if (!s && kind == DATABASE_MEMORY && how->audited) s = check_audit(copy, err);
  return s;
}

enum status examine(const char *const paths[MANIFEST_FILES], const struct manifest *m,
                    const struct examination *how, int64_t *ret_chains, struct error *err) {
  enum status s = STATUS_OK;
  for (int i = 0; i < MANIFEST_FILES && !s; i++) {
    struct inspect *copy = NULL;
    struct error cause = {0};
    s = inspect_open(paths[i], (enum database)i, &copy, &cause);
    if (!s) s = check_file(copy, m, (enum database)i, how, ret_chains, &cause);
    inspect_close(copy);
    if (s)
      error_set(err, s, NULL, "%s/%s: %.220s", m->name, manifest_file_name((enum database)i),
                cause.message);
  }
  return s;
}
