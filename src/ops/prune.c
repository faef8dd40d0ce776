#include "ops/backup.h"

#include <stdlib.h>

/* Whoever is making one still writes to it, or has been killed: a day is more than it takes. */
enum { INCOMPLETE_MS = 24 * 3600 * 1000 };

static enum status remove_each(const struct backup_site *site, const struct catalogue *c,
                               const bool *gone, bool dry_run, backup_removed_fn *removed,
                               void *ctx, struct error *err) {
  enum status s = STATUS_OK;
  for (size_t i = 0; i < c->count && !s; i++) {
    if (!gone[i]) continue;
    if (removed) removed(ctx, &c->entries[i]);
    if (!dry_run) s = catalogue_remove(site->place, c->entries[i].name, err);
  }
  return s;
}

static enum status decide(const struct catalogue *c, const struct retention_policy *policy,
                          int64_t now_ms, bool *gone, struct error *err) {
  FREE_LATER struct retention_item *items = calloc(c->count, sizeof *items);
  if (!items) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  for (size_t i = 0; i < c->count; i++) {
    const struct catalogue_entry *e = &c->entries[i];
    items[i] = (struct retention_item){e->kind, e->created_ms, e->readable, e->verified_ms >= 0};
  }
  retention_decide(items, c->count, policy, now_ms, gone);
  for (size_t i = 0; i < c->count; i++)
    if (!c->entries[i].complete) gone[i] = now_ms - c->entries[i].created_ms > INCOMPLETE_MS;
  return STATUS_OK;
}

enum status backup_prune(const struct backup_site *site, const struct retention_policy *policy,
                         int64_t now_ms, bool dry_run, backup_removed_fn *removed, void *ctx,
                         struct error *err) {
  struct catalogue c;
  enum status s = catalogue_read(site->place, &c, err);
  if (s || !c.count) return s;
  FREE_LATER bool *gone = calloc(c.count, sizeof *gone);
  s = gone ? decide(&c, policy, now_ms, gone, err)
           : error_set(err, STATUS_NOMEM, NULL, "out of memory");
  if (!s && gone) s = remove_each(site, &c, gone, dry_run, removed, ctx, err);
  catalogue_done(&c);
  return s;
}
