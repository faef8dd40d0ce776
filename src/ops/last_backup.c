#include "ops/last_backup.h"

#include "base/json.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { MANIFEST_MAX = 1 << 20 };

/* -1 for what is no manifest. */
static int64_t created_of(DIR *dir, const char *name) {
  BUFFER_LATER struct buffer text;
  JSON_LATER json_t *manifest = NULL;
  char piece[4096];
  buffer_init(&text, MANIFEST_MAX);
  int fd = openat(dirfd(dir), name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  ssize_t n = -1;
  while (fd >= 0 && (n = read(fd, piece, sizeof piece)) > 0)
    if (!buffer_append(&text, piece, (size_t)n)) break;
  if (fd >= 0) close(fd);
  if (n != 0 || json_parse(buffer_bytes(&text), &manifest, NULL)) return -1;
  return json_get_int(manifest, "created_ms", -1);
}

enum status last_backup_find(const char *directory, struct last_backup *ret_last,
                             struct error *err) {
  *ret_last = (struct last_backup){.created_ms = -1};
  DIR *dir = opendir(directory);
  if (!dir && errno == ENOENT) return STATUS_OK;
  if (!dir) return error_set(err, STATUS_IO, NULL, "%s: %s", directory, strerror(errno));
  for (struct dirent *entry; (entry = readdir(dir));) {
    const char *name = entry->d_name;
    if (!bytes_ends_with(bytes_of(name), BYTES_LITERAL(".manifest.json"))) continue;
    int64_t created_ms = created_of(dir, name);
    if (created_ms <= ret_last->created_ms) continue;
    ret_last->created_ms = created_ms;
    snprintf(ret_last->name, sizeof ret_last->name, "%s", name);
  }
  closedir(dir);
  return STATUS_OK;
}
