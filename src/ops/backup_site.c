#include "ops/backup_site.h"

#include "ops/disk.h"

static bool go_on(void *ctx) {
  return progress_step(ctx, "waiting for the store", 0, 0);
}

enum status backup_site_open(const struct options *o, const struct progress *progress,
                             struct backup_site *ret_site, struct error *err) {
  char own[DISK_PATH_MAX] = "";
  enum status s =
      o->data_dir || !o->backup_to ? disk_path(o->data_dir, "backups", own, err) : STATUS_OK;
  struct place_settings settings = {.staging_dir = *own ? own : "backups",
                                    .endpoint = o->s3_endpoint,
                                    .region = o->s3_region,
                                    .go_on = go_on,
                                    .ctx = (void *)progress};
  struct backup_site site = {.memory_path = o->db_path,
                             .elo_path = o->elo_path,
                             .archive_dir = o->archive_dir,
                             .busy_ms = o->db_timeout_s * 1000,
                             .load_percent = (int)o->backup_load_percent,
                             .storage_class = o->backup_storage_class,
                             .full_class = o->full_backup_storage_class,
                             .progress = progress};
  if (!s) s = place_open(o->backup_to ? o->backup_to : own, &settings, &site.place, err);
  if (!s) *ret_site = site;
  return s;
}

void backup_site_close(struct backup_site *site) {
  place_close(site->place);
  *site = (struct backup_site){0};
}
