#include "ops/archive_ship.h"

#include "base/metrics.h"
#include "ops/staging.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- what is there ---- */

typedef enum status segment_fn(void *ctx, const char *chain, const struct segment_name *name,
                               struct error *err);

static enum status each_of_chain(const char *dir, const char *chain, segment_fn *each, void *ctx,
                                 struct error *err) {
  struct segment_name *names = NULL;
  size_t count = 0;
  enum status s = archive_segments(dir, chain, &names, &count, err);
  if (s) return s == STATUS_NOT_FOUND ? STATUS_OK : s; /* pruned meanwhile */
  for (size_t i = 0; i < count && !s; i++)
    if (names[i].form != SEGMENT_OPEN) s = each(ctx, chain, &names[i], err);
  free(names);
  return s;
}

static enum status each_sealed(const char *dir, segment_fn *each, void *ctx, struct error *err) {
  char(*chains)[CHAIN_SIZE] = NULL;
  size_t count = 0;
  enum status s = archive_chains(dir, &chains, &count, err);
  for (size_t i = 0; i < count && !s; i++) s = each_of_chain(dir, chains[i], each, ctx, err);
  free(chains);
  return s;
}

struct counting {
  const struct shipped *known;
  size_t count;
};

static enum status count_one(void *ctx, const char *chain, const struct segment_name *name,
                             struct error *err) {
  struct counting *c = ctx;
  (void)err;
  c->count += !shipped_has(c->known, chain, name->first);
  return STATUS_OK;
}

enum status archive_count_unshipped(const char *dir, const struct shipped *known, size_t *ret_count,
                                    struct error *err) {
  struct counting c = {.known = known};
  enum status s = each_sealed(dir, count_one, &c, err);
  if (s) return s;
  *ret_count = c.count;
  return STATUS_OK;
}

/* ---- sending ---- */

struct shipping {
  const char *dir;
  struct place *place;
  struct shipped *known;
  struct shipped kept; /* of `known`, what is still under `dir` */
  const struct progress *progress;
  struct staging staging; /* path "" = nothing was sent yet */
};

/* One that somebody compressed goes as it is. */
static enum status copy_packed(const struct shipping *w, const char *chain,
                               const struct segment_name *name, const char *to,
                               struct pack_sums *ret_sums, struct error *err) {
  char key[PLACE_KEY_MAX];
  struct place *own = NULL;
  const struct place_settings none = {0};
  snprintf(key, sizeof key, "%s/%s", chain, name->name);
  enum status s = place_open(w->dir, &none, &own, err);
  if (!s) s = shipped_copy(own, key, to, w->progress, ret_sums, err);
  place_close(own);
  return s;
}

static enum status pack(const struct shipping *w, const char *chain,
                        const struct segment_name *name, const char *to, struct pack_sums *ret_sums,
                        bool *ret_gone, struct error *err) {
  FREE_LATER char *path = archive_chain_path(w->dir, chain, name->name);
  if (!path) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  enum status s = name->form == SEGMENT_PACKED
                      ? copy_packed(w, chain, name, to, ret_sums, err)
                      : pack_file(path, to, "compressing the archive", w->progress, ret_sums, err);
  *ret_gone = s == STATUS_NOT_FOUND && access(path, F_OK) < 0;
  return *ret_gone ? STATUS_OK : s;
}

static enum status send_one(struct shipping *w, const char *chain, const struct segment_name *name,
                            struct error *err) {
  char key[PLACE_KEY_MAX], packed[DISK_PATH_MAX];
  struct pack_sums sums = {0};
  bool gone = false;
  enum status s = STATUS_OK;
  if (!w->staging.path[0]) s = staging_make(place_staging_dir(w->place), &w->staging, err);
  shipped_key(chain, name->first, key);
  if (!s) s = disk_path(w->staging.path, "segment", packed, err);
  if (!s) s = pack(w, chain, name, packed, &sums, &gone, err);
  if (s || gone) return s;
  /* In the default class: it must be readable at once. */
  s = place_put(w->place, key, packed, sums.sha256, NULL, err);
  if (s) return s;
  metric_add(METRIC_ARCHIVE_SHIPPED, NULL, 1);
  metric_add(METRIC_ARCHIVE_SHIPPED_BYTES, NULL, sums.bytes);
  return shipped_add(w->known, chain, name->first, err);
}

static enum status bring(void *ctx, const char *chain, const struct segment_name *name,
                         struct error *err) {
  struct shipping *w = ctx;
  if (!progress_step(w->progress, "storing the archive", 0, 0))
    return error_set(err, STATUS_CANCELLED, NULL, "stopped");
  enum status s = STATUS_OK;
  if (!shipped_has(w->known, chain, name->first)) s = send_one(w, chain, name, err);
  return s ? s : shipped_add(&w->kept, chain, name->first, err);
}

enum status archive_ship(const char *dir, struct place *place, struct shipped *known,
                         const struct progress *progress, struct error *err) {
  struct shipping w = {dir, place, known, {0}, progress, {.fd = -1}};
  enum status s = each_sealed(dir, bring, &w, err);
  staging_drop(&w.staging);
  if (!s) { /* so that what is pruned is not remembered for ever */
    shipped_done(known);
    *known = w.kept;
    w.kept = (struct shipped){0};
  }
  shipped_done(&w.kept);
  return s;
}
