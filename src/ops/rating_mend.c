#include "ops/rating_mend.h"

#include "base/clock.h"
#include "base/log.h"
#include "ops/moment.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

static void note_any(void *ctx, const struct store_ended *ended) {
  (void)ended;
  *(bool *)ctx = true;
}

static enum status keep_copy(struct store *store, char path[PATH_MAX], struct error *err) {
  char stamp[MOMENT_STAMP_SIZE], suffix[64];
  moment_stamp(clock_wall_ms(&clock_system), stamp);
  snprintf(suffix, sizeof suffix, "before-rebuild-%s", stamp);
  return store_copy_ratings(store, suffix, path, PATH_MAX, err);
}

static enum status rebuild(struct store *store, const char *copy, rater_progress_fn *progress,
                           void *ctx) {
  struct rater_rebuilt done;
  struct error err = {0};
  enum status status = rater_rebuild(store, progress, ctx, &done, &err);
  if (!status) {
    log_warning("ratings", NULL,
                "rating=rebuilt rated=%" PRId64 " unrated=%" PRId64 " kept=%" PRId64
                " the ratings are those of the debates that are here",
                done.rated, done.unrated, done.kept);
    return status;
  }
  unlink(copy); /* nothing was changed: the next start makes another */
  if (status == STATUS_CANCELLED)
    log_warning("ratings", NULL, "rating=stopped the next start makes the ratings anew");
  else
    log_error("ratings", NULL,
              "rating=stopped the ratings could not be made anew: %s; stop the server and run: "
              "aragora ratings rebuild",
              err.message);
  return status;
}

enum status rating_mend(struct store *store, const char *reason, rater_progress_fn *progress,
                        void *ctx) {
  char copy[PATH_MAX];
  bool any = false;
  struct error err = {0};
  enum status status = store_read_ended(store, 0, 1, note_any, &any, &err);
  if (!status && !any) {
    log_warning("ratings", NULL,
                "rating=stopped reason=\"%s\" no debate has ended here: is --db-path right? If it "
                "is, stop the server and run: aragora ratings rebuild",
                reason);
    return STATUS_CONFLICT;
  }
  if (!status) status = keep_copy(store, copy, &err);
  if (status) {
    log_error("ratings", NULL,
              "rating=stopped reason=\"%s\" they are not made anew, as no copy could be kept: %s; "
              "make room and start again, or stop the server and run: aragora ratings rebuild",
              reason, err.message);
    return status;
  }
  log_warning("ratings", NULL,
              "rating=rebuild reason=\"%s\" they are made anew from the debates' logs; what they "
              "were is kept as %s",
              reason, copy);
  return rebuild(store, copy, progress, ctx);
}
