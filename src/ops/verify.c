#include "base/clock.h"
#include "ops/background.h"
#include "ops/backup.h"
#include "ops/examine.h"
#include "ops/fetch.h"
#include "ops/staging.h"

struct verifying {
  const struct backup_site *site;
  const char *name;
  bool deep;
  struct staging staging;
  int64_t chains;
};

static enum status verify(void *arg, struct error *err) {
  struct verifying *v = arg;
  struct manifest m;
  char paths[MANIFEST_FILES][DISK_PATH_MAX];
  const struct examination how = {.deep = v->deep, .audited = true, .progress = v->site->progress};
  enum status s = fetch_manifest(v->site->place, v->name, &m, err);
  for (int i = 0; i < MANIFEST_FILES && !s; i++) {
    s = disk_path(v->staging.path, i ? "elo" : "memory", paths[i], err);
    if (!s)
      s = fetch_database(v->site->place, &m, (enum database)i, paths[i], false, v->site->progress,
                         err);
  }
  const char *const both[MANIFEST_FILES] = {paths[0], paths[1]};
  return s ? s : examine(both, &m, &how, &v->chains, err);
}

enum status backup_verify(const struct backup_site *site, const char *name, bool deep,
                          int64_t *ret_chains, struct error *err) {
  struct verifying v = {.site = site, .name = name, .deep = deep, .staging = {.fd = -1}};
  enum status s = staging_make(place_staging_dir(site->place), &v.staging, err);
  if (!s) s = background_run(verify, &v, err);
  staging_drop(&v.staging);
  if (!s) s = catalogue_mark_verified(site->place, name, clock_wall_ms(&clock_system), err);
  if (!s) *ret_chains = v.chains;
  return s;
}
