#include "api/disk_watch.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

enum { WAIT_US = 20 * 1000, PATH_SIZE = 4096 };

struct disk_watch {
  const struct options *options;
  struct pool *pool;
  pthread_mutex_t lock; /* guards what follows */
  pthread_cond_t looked;
  bool looking; /* a job of the pool is at it */
  int64_t begun_us;
  struct disk_figures figures;
};

/* ---- looking: may take for ever ---- */

static int64_t file_bytes(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 ? st.st_size : 0;
}

static struct disk_file look_at_file(const char *path) {
  char log[PATH_SIZE];
  snprintf(log, sizeof log, "%s-wal", path);
  return (struct disk_file){file_bytes(path), file_bytes(log)};
}

static struct disk_place look_at_place(const char *path) {
  struct statvfs fs;
  if (!path || statvfs(path, &fs) != 0) return (struct disk_place){-1, -1}; /* not there yet */
  return (struct disk_place){(int64_t)(fs.f_bavail * fs.f_frsize),
                             (int64_t)(fs.f_blocks * fs.f_frsize)};
}

static struct disk_figures look(const struct options *o) {
  return (struct disk_figures){
      .memory = look_at_file(o->db_path),
      .elo = look_at_file(o->elo_path),
      .data = look_at_place(o->db_path),
      .archive = look_at_place(o->archive ? o->archive_dir : NULL),
      .log = look_at_place(o->log_file),
      .taken_us = clock_mono_us(&clock_system),
  };
}

/* Pool thread. */
static void look_again(void *arg) {
  struct disk_watch *w = arg;
  struct disk_figures figures = look(w->options);
  pthread_mutex_lock(&w->lock);
  w->figures = figures;
  w->looking = false;
  pthread_cond_broadcast(&w->looked);
  pthread_mutex_unlock(&w->lock);
}

/* ---- asking ---- */

struct disk_watch *disk_watch_create(const struct options *options, struct pool *pool) {
  struct disk_watch *w = calloc(1, sizeof *w);
  if (!w) return NULL;
  w->options = options;
  w->pool = pool;
  w->figures = look(options);
  pthread_mutex_init(&w->lock, NULL);
  clock_cond_init(&w->looked);
  return w;
}

void disk_watch_destroy(struct disk_watch *w) {
  if (!w) return;
  pthread_cond_destroy(&w->looked);
  pthread_mutex_destroy(&w->lock);
  free(w);
}

void disk_watch_get(struct disk_watch *w, struct disk_figures *ret_figures) {
  pthread_mutex_lock(&w->lock);
  if (!w->looking) {
    w->begun_us = clock_mono_us(&clock_system);
    w->looking = pool_submit(w->pool, look_again, w) == STATUS_OK;
  }
  int64_t until_us = w->begun_us + WAIT_US;
  struct timespec until = {until_us / 1000000, until_us % 1000000 * 1000};
  while (w->looking && pthread_cond_timedwait(&w->looked, &w->lock, &until) == 0) continue;
  *ret_figures = w->figures;
  pthread_mutex_unlock(&w->lock);
}
