#include "store/gather.h"

#include "store/sqlite.h"

#include <pthread.h>
#include <stdlib.h>

/* Thirty-one pages of 4 KiB with their heads; a larger commit is written in several. SQLite's own
 * VFS takes less than 128 KiB at a time (seekAndWriteFd in os_unix.c: its pages are 64 KiB at
 * most). */
enum { GATHER_BYTES = 31 * (24 + 4096) };
_Static_assert(GATHER_BYTES <= 0x1ffff, "SQLite's VFS writes less than that at once");

struct gather_file {
  sqlite3_file base;  /* first: what SQLite sees */
  sqlite3_file *real; /* lies behind this struct */
  char *bytes;        /* what waits, of GATHER_BYTES */
  int len;
  sqlite3_int64 at; /* where in the file it belongs */
};

static sqlite3_vfs gatherer;
static const char *gatherer_name;

static struct gather_file *of(sqlite3_file *file) {
  return (struct gather_file *)file;
}

/* What could not be written is gone, as after a failed write of SQLite's own: the transaction fails
 * and its frames are never looked at. */
static int flush(struct gather_file *f) {
  int len = f->len;
  f->len = 0;
  return len ? f->real->pMethods->xWrite(f->real, f->bytes, len, f->at) : SQLITE_OK;
}

static int gather_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 at) {
  struct gather_file *f = of(file);
  if (f->len && (at != f->at + f->len || len > GATHER_BYTES - f->len)) {
    int rc = flush(f);
    if (rc != SQLITE_OK) return rc;
  }
  if (len > GATHER_BYTES) return f->real->pMethods->xWrite(f->real, bytes, len, at);
  if (!f->len) f->at = at;
  memcpy(f->bytes + f->len, bytes, (size_t)len);
  f->len += len;
  return SQLITE_OK;
}

static int gather_read(sqlite3_file *file, void *bytes, int len, sqlite3_int64 at) {
  struct gather_file *f = of(file);
  int rc = flush(f);
  return rc == SQLITE_OK ? f->real->pMethods->xRead(f->real, bytes, len, at) : rc;
}

static int gather_truncate(sqlite3_file *file, sqlite3_int64 size) {
  struct gather_file *f = of(file);
  int rc = flush(f);
  return rc == SQLITE_OK ? f->real->pMethods->xTruncate(f->real, size) : rc;
}

static int gather_sync(sqlite3_file *file, int flags) {
  struct gather_file *f = of(file);
  int rc = flush(f);
  return rc == SQLITE_OK ? f->real->pMethods->xSync(f->real, flags) : rc;
}

static int gather_size(sqlite3_file *file, sqlite3_int64 *ret_size) {
  struct gather_file *f = of(file);
  int rc = flush(f);
  return rc == SQLITE_OK ? f->real->pMethods->xFileSize(f->real, ret_size) : rc;
}

/* Frames that still wait belong to no commit. */
static int gather_close(sqlite3_file *file) {
  struct gather_file *f = of(file);
  free(f->bytes);
  f->bytes = NULL;
  return f->real->pMethods->xClose(f->real);
}

static int gather_lock(sqlite3_file *file, int level) {
  return of(file)->real->pMethods->xLock(of(file)->real, level);
}

static int gather_unlock(sqlite3_file *file, int level) {
  return of(file)->real->pMethods->xUnlock(of(file)->real, level);
}

static int gather_check_lock(sqlite3_file *file, int *ret_locked) {
  return of(file)->real->pMethods->xCheckReservedLock(of(file)->real, ret_locked);
}

static int gather_control(sqlite3_file *file, int op, void *arg) {
  return of(file)->real->pMethods->xFileControl(of(file)->real, op, arg);
}

static int gather_sector_size(sqlite3_file *file) {
  return of(file)->real->pMethods->xSectorSize(of(file)->real);
}

static int gather_traits(sqlite3_file *file) {
  return of(file)->real->pMethods->xDeviceCharacteristics(of(file)->real);
}

/* Version 1: shared memory and mapped pages are the database's, not its log's. */
static const sqlite3_io_methods gather_methods = {
    .iVersion = 1,
    .xClose = gather_close,
    .xRead = gather_read,
    .xWrite = gather_write,
    .xTruncate = gather_truncate,
    .xSync = gather_sync,
    .xFileSize = gather_size,
    .xLock = gather_lock,
    .xUnlock = gather_unlock,
    .xCheckReservedLock = gather_check_lock,
    .xFileControl = gather_control,
    .xSectorSize = gather_sector_size,
    .xDeviceCharacteristics = gather_traits,
};

static int gather_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags,
                       int *ret_flags) {
  sqlite3_vfs *own = vfs->pAppData;
  if (!(flags & SQLITE_OPEN_WAL)) return own->xOpen(own, name, file, flags, ret_flags);
  struct gather_file *f = of(file);
  *f = (struct gather_file){.real = (sqlite3_file *)(f + 1), .bytes = malloc(GATHER_BYTES)};
  if (!f->bytes) return SQLITE_NOMEM;
  int rc = own->xOpen(own, name, f->real, flags, ret_flags);
  if (rc == SQLITE_OK)
    f->base.pMethods = &gather_methods;
  else
    free(f->bytes);
  return rc;
}

static void gather_register(void) {
  sqlite3_vfs *own = sqlite3_vfs_find(NULL);
  if (!own) return;
  gatherer = *own;
  gatherer.zName = "aragora-gather";
  gatherer.pNext = NULL;
  gatherer.pAppData = own;
  gatherer.szOsFile = (int)sizeof(struct gather_file) + own->szOsFile;
  gatherer.xOpen = gather_open;
  if (sqlite3_vfs_register(&gatherer, 0) == SQLITE_OK) gatherer_name = gatherer.zName;
}

const char *gather_vfs(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, gather_register);
  return gatherer_name;
}
