#include "ops/backup_name.h"

#include "ops/moment.h"

#include <sodium.h>
#include <stdio.h>
#include <time.h>

enum { STAMP_LEN = 16, RANDOM_LEN = 8 }; /* 20261129T142314Z, 0a1b2c3d */

static const char *const kind_names[BACKUP_KINDS] = {
    [BACKUP_HOT] = "hot",
    [BACKUP_FULL] = "full",
    [BACKUP_MANUAL] = "manual",
};

const char *backup_kind_name(enum backup_kind kind) {
  return kind_names[kind];
}

bool backup_kind_parse(struct bytes text, enum backup_kind *ret_kind) {
  for (int i = 0; i < BACKUP_KINDS; i++) {
    if (!bytes_equal(text, bytes_of(kind_names[i]))) continue;
    *ret_kind = (enum backup_kind)i;
    return true;
  }
  return false;
}

void backup_name_make(int64_t created_ms, enum backup_kind kind, char out[BACKUP_NAME_SIZE]) {
  char stamp[MOMENT_STAMP_SIZE];
  moment_stamp(created_ms, stamp);
  snprintf(out, BACKUP_NAME_SIZE, "%s-%s-%08x", stamp, kind_names[kind], randombytes_random());
}

static bool is_hex(struct bytes text) {
  for (size_t i = 0; i < text.len; i++)
    if (!strchr("0123456789abcdef", text.ptr[i])) return false;
  return true;
}

bool backup_name_parse(struct bytes name, enum backup_kind *ret_kind, int64_t *ret_created_ms) {
  enum { AROUND = STAMP_LEN + 1 + 1 + RANDOM_LEN };
  if (name.len <= AROUND || name.len >= BACKUP_NAME_SIZE || name.ptr[STAMP_LEN] != '-' ||
      name.ptr[name.len - RANDOM_LEN - 1] != '-' || memchr(name.ptr, 0, name.len))
    return false;
  struct bytes kind = {name.ptr + STAMP_LEN + 1, name.len - AROUND};
  struct bytes random = {name.ptr + name.len - RANDOM_LEN, RANDOM_LEN};
  return is_hex(random) && backup_kind_parse(kind, ret_kind) &&
         moment_parse_stamp((struct bytes){name.ptr, STAMP_LEN}, ret_created_ms);
}
