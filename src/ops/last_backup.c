#include "ops/last_backup.h"

#include "ops/catalogue.h"

enum status last_backup_find(const char *where, const struct place_settings *settings,
                             struct last_backup *ret_last, struct error *err) {
  struct last_backup last = {.created_ms = -1};
  struct place *place = NULL;
  struct catalogue c = {0};
  enum status s = place_open(where, settings, &place, err);
  if (!s) s = catalogue_read(place, &c, err);
  const struct catalogue_entry *newest = s ? NULL : catalogue_at(&c, INT64_MAX);
  if (newest) {
    last.created_ms = newest->created_ms;
    memcpy(last.name, newest->name, sizeof last.name);
  }
  catalogue_done(&c);
  place_close(place);
  if (!s) *ret_last = last;
  return s;
}
