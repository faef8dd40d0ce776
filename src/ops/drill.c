#include "base/clock.h"
#include "ops/backup.h"
#include "ops/examine.h"
#include "ops/fetch.h"
#include "ops/staging.h"

#include <inttypes.h>

struct comparison {
  struct inspect *live;
  struct drill_report *report;
  enum status status;
  struct error *err;
};

static bool compare_head(void *ctx, const char *id, uint64_t seq, const uint8_t hash[32]) {
  struct comparison *c = ctx;
  bool found = false, same = false;
  c->status = inspect_has_head(c->live, id, seq, hash, &found, &same, c->err);
  if (c->status) return false;
  if (!found) c->report->gone++;
  if (!found || same) return true;
  if (!c->report->differing++)
    error_set(c->err, STATUS_CORRUPT, NULL, "the log of debate %.64s is another one now", id);
  return true;
}

static enum status compare_with_live(const struct backup_site *site, const char *copy_path,
                                     struct drill_report *report, struct error *err) {
  struct comparison c = {.report = report, .err = err};
  struct inspect *copy = NULL;
  enum status s =
      inspect_open_live(site->memory_path, DATABASE_MEMORY, site->busy_ms, &c.live, err);
  if (s == STATUS_NOT_FOUND) return STATUS_OK; /* nothing to compare with */
  if (!s) s = inspect_open(copy_path, DATABASE_MEMORY, &copy, err);
  if (!s) s = inspect_heads(copy, compare_head, &c, err);
  if (!s) s = c.status;
  inspect_close(copy);
  inspect_close(c.live);
  report->compared = !s;
  return !s && report->differing ? STATUS_CORRUPT : s;
}

static enum status drill(const struct backup_site *site, const struct staging *staging,
                         struct drill_report *report, struct error *err) {
  char paths[MANIFEST_FILES][DISK_PATH_MAX];
  const struct examination how = {.deep = true, .progress = site->progress};
  int64_t start = clock_mono_us(&clock_system);
  enum status s = STATUS_OK;
  for (int i = 0; i < MANIFEST_FILES && !s; i++) {
    s = disk_path(staging->path, i ? "aragora_elo.db" : "aragora_memory.db", paths[i], err);
    if (!s)
      s = fetch_database(site->place, &report->manifest, (enum database)i, paths[i], false,
                         site->progress, err);
  }
  const char *const both[MANIFEST_FILES] = {paths[0], paths[1]};
  if (!s) s = examine(both, &report->manifest, &how, &report->chains, err);
  report->took_ms = (clock_mono_us(&clock_system) - start) / 1000;
  return s ? s : compare_with_live(site, paths[0], report, err);
}

static enum status find_newest(const struct backup_site *site, struct manifest *ret_manifest,
                               struct error *err) {
  struct catalogue c;
  enum status s = catalogue_read(site->place, &c, err);
  if (s) return s;
  const struct catalogue_entry *e = catalogue_at(&c, INT64_MAX);
  if (e)
    *ret_manifest = e->manifest;
  else
    s = error_set(err, STATUS_NOT_FOUND, NULL, "there is no backup in %s", place_name(site->place));
  catalogue_done(&c);
  return s;
}

enum status backup_drill(const struct backup_site *site, struct drill_report *ret_report,
                         struct error *err) {
  struct drill_report report = {0};
  struct staging staging = {.fd = -1};
  enum status s = find_newest(site, &report.manifest, err);
  if (!s) s = staging_make(place_staging_dir(site->place), &staging, err);
  if (!s) s = drill(site, &staging, &report, err);
  staging_drop(&staging);
  if (!s)
    s = catalogue_mark_verified(site->place, report.manifest.name, clock_wall_ms(&clock_system),
                                err);
  *ret_report = report;
  return s;
}
