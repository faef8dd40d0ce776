/* Preloaded: SQLite as the server must not use it, with synchronous = OFF instead of FULL. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

int sqlite3_exec(sqlite3 *db, const char *sql, int (*row)(void *, int, char **, char **), void *ctx,
                 char **error) {
  int (*real)(sqlite3 *, const char *, int (*)(void *, int, char **, char **), void *, char **) =
      (int (*)(sqlite3 *, const char *, int (*)(void *, int, char **, char **), void *,
               char **))dlsym(RTLD_NEXT, "sqlite3_exec");
  char *changed = strdup(sql);
  char *at = changed ? strstr(changed, "synchronous = FULL") : NULL;
  if (at) memcpy(at, "synchronous = OFF ", strlen("synchronous = OFF "));
  int rc = real(db, changed ? changed : sql, row, ctx, error);
  free(changed);
  return rc;
}
