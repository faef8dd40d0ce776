#include "ops/backup.h"

#include "base/clock.h"
#include "base/sha256.h"
#include "ops/background.h"
#include "ops/examine.h"
#include "ops/fetch.h"
#include "ops/pace.h"
#include "ops/pack.h"
#include "ops/staging.h"
#include "store/audit.h"
#include "store/snapshot.h"

#include <stdio.h>
#include <unistd.h>

struct making {
  const struct backup_site *site;
  struct pace pace;
  struct manifest manifest;
  struct snapshot *snapshot;
  struct staging staging;
  char raw[MANIFEST_FILES][DISK_PATH_MAX], packed[MANIFEST_FILES][DISK_PATH_MAX];
  int put; /* files that are in the place */
};

static const char *const raw_names[MANIFEST_FILES] = {"aragora_memory.db", "aragora_elo.db"};
static const char *const copying[MANIFEST_FILES] = {"copying aragora_memory.db",
                                                    "copying aragora_elo.db"};
static const char *const packing[MANIFEST_FILES] = {"compressing aragora_memory.db",
                                                    "compressing aragora_elo.db"};

/* ---- the copies ---- */

struct copy_progress {
  const struct progress *progress;
  const char *what;
};

static bool tell_copied(void *ctx, int64_t done, int64_t total) {
  const struct copy_progress *c = ctx;
  return progress_step(c->progress, c->what, done, total);
}

/* Without pauses, and the snapshot ends as soon as both copies are made: until then the write-ahead
 * log grows. */
static enum status copy_both(struct making *m, struct error *err) {
  enum status s = STATUS_OK;
  for (int i = 0; i < MANIFEST_FILES && !s; i++) {
    struct copy_progress told = {m->site->progress, copying[i]};
    struct snapshot_copying how = {.step = tell_copied, .ctx = &told};
    s = disk_path(m->staging.path, raw_names[i], m->raw[i], err);
    if (!s) s = snapshot_copy(m->snapshot, (enum database)i, m->raw[i], &how, err);
  }
  snapshot_end(m->snapshot);
  m->snapshot = NULL;
  pace_start(&m->pace, m->site->load_percent, m->site->progress);
  return s;
}

/* The census is what the manifest will say of the copy; then the copy must pass what every later
 * verification asks of it. */
static enum status check_copies(struct making *m, struct error *err) {
  struct inspect *copy;
  int64_t chains;
  const char *const both[MANIFEST_FILES] = {m->raw[0], m->raw[1]};
  const struct examination how = {.progress = &m->pace.progress};
  enum status s = inspect_open(m->raw[DATABASE_MEMORY], DATABASE_MEMORY, &copy, err);
  if (s) return s;
  struct audit_head head = {0};
  s = inspect_census(copy, &m->manifest.census, err);
  if (!s) s = inspect_audit_head(copy, &head, &m->manifest.has_audit, err);
  m->manifest.audit = head.last;
  inspect_close(copy);
  return s ? s : examine(both, &m->manifest, &how, &chains, err);
}

static enum status pack_one(struct making *m, enum database kind, struct error *err) {
  struct manifest_file *file = &m->manifest.files[kind];
  struct pack_sums sums;
  enum status s = disk_path(m->staging.path, manifest_file_name(kind), m->packed[kind], err);
  if (!s)
    s = pack_file(m->raw[kind], m->packed[kind], packing[kind], &m->pace.progress, &sums, err);
  if (s) return s;
  unlink(m->raw[kind]); /* early: it is the larger one */
  file->raw_bytes = sums.raw_bytes;
  file->bytes = sums.bytes;
  memcpy(file->raw_sha256, sums.raw_sha256, sizeof file->raw_sha256);
  memcpy(file->sha256, sums.sha256, sizeof file->sha256);
  return STATUS_OK;
}

/* ---- into the place ---- */

static const char *class_of(const struct making *m) {
  return m->manifest.kind == BACKUP_FULL ? m->site->full_class : m->site->storage_class;
}

static enum status put_one(struct making *m, enum database kind, struct error *err) {
  char key[PLACE_KEY_MAX];
  snprintf(key, sizeof key, "%s/%s", m->manifest.name, manifest_file_name(kind));
  if (!progress_step(&m->pace.progress, "storing the backup", kind, MANIFEST_FILES))
    return error_set(err, STATUS_CANCELLED, NULL, "stopped");
  m->put++;
  return place_put(m->site->place, key, m->packed[kind], m->manifest.files[kind].sha256,
                   class_of(m), err);
}

/* Always in the default class: what lists backups reads it. */
static enum status put_manifest(struct making *m, struct error *err) {
  char key[PLACE_KEY_MAX], path[DISK_PATH_MAX];
  uint8_t hash[SHA256_SIZE];
  BUFFER_LATER struct buffer text;
  buffer_init(&text, MANIFEST_BYTES_MAX);
  snprintf(key, sizeof key, "%s/manifest.json", m->manifest.name);
  enum status s = manifest_append(&text, &m->manifest);
  if (s) return error_set(err, s, NULL, "out of memory");
  sha256_of(buffer_bytes(&text), hash);
  s = disk_path(m->staging.path, "manifest.json", path, err);
  if (!s) s = disk_write(path, buffer_bytes(&text), err);
  return s ? s : place_put(m->site->place, key, path, hash, NULL, err);
}

/* docs.aws.amazon.com, S3 user guide, storage classes: what lies in these two must be restored
 * first, which takes hours. */
static bool backup_readable(const struct backup_site *site, enum backup_kind kind) {
  const char *class = kind == BACKUP_FULL ? site->full_class : site->storage_class;
  bool remote = strncmp(place_name(site->place), "s3://", 5) == 0;
  return !remote || !class || (strcmp(class, "GLACIER") != 0 && strcmp(class, "DEEP_ARCHIVE") != 0);
}

/* Byte for byte what was checked above, or not. */
static enum status read_back(struct making *m, struct error *err) {
  enum status s = STATUS_OK;
  for (int i = 0; i < MANIFEST_FILES && !s; i++)
    s = fetch_database(m->site->place, &m->manifest, (enum database)i, NULL, false,
                       &m->pace.progress, err);
  if (s) return s;
  return catalogue_mark_verified(m->site->place, m->manifest.name, clock_wall_ms(&clock_system),
                                 err);
}

static enum status make(void *arg, struct error *err) {
  struct making *m = arg;
  enum status s = copy_both(m, err);
  if (!s) s = check_copies(m, err);
  for (int i = 0; i < MANIFEST_FILES && !s; i++) s = pack_one(m, (enum database)i, err);
  for (int i = 0; i < MANIFEST_FILES && !s; i++) s = put_one(m, (enum database)i, err);
  if (!s) s = put_manifest(m, err);
  return s || !backup_readable(m->site, m->manifest.kind) ? s : read_back(m, err);
}

static void describe(struct manifest *m, enum backup_kind kind, const struct snapshot_point *p) {
  *m = (struct manifest){.kind = kind,
                         .created_ms = p->taken_ms,
                         .version = ARAGORA_VERSION,
                         .number = p->position[DATABASE_MEMORY].number};
  memcpy(m->chain, p->position[DATABASE_MEMORY].chain, sizeof m->chain);
  for (int i = 0; i < MANIFEST_FILES; i++) m->files[i].schema = p->position[i].schema;
  backup_name_make(p->taken_ms, kind, m->name);
}

/* What a failure left in the place. When that fails too, it is incomplete and pruned in time. */
static void take_back(struct making *m) {
  if (m->put) {
    enum status s = catalogue_remove(m->site->place, m->manifest.name, NULL);
    (void)s;
  }
}

enum status backup_create(const struct backup_site *site, enum backup_kind kind,
                          struct manifest *ret_manifest, bool *ret_verified, struct error *err) {
  struct making m = {.site = site, .staging = {.fd = -1}};
  struct snapshot_point point;
  enum status s =
      snapshot_begin(site->memory_path, site->elo_path, site->busy_ms, &m.snapshot, &point, err);
  if (s) return s;
  describe(&m.manifest, kind, &point);
  s = staging_make(place_staging_dir(site->place), &m.staging, err);
  if (!s) s = background_run(make, &m, err);
  snapshot_end(m.snapshot); /* of what did not get that far */
  if (s) take_back(&m);
  staging_drop(&m.staging);
  if (s) return s;
  *ret_manifest = m.manifest;
  *ret_verified = backup_readable(site, kind);
  return STATUS_OK;
}
