#include "api/cursor.h"

#include "api/params.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>

enum { PLAIN_SIZE = ID_DEBATE_MAX + 24 };

bool cursor_write(int64_t created_ms, const char *id, char ret_text[CURSOR_SIZE]) {
  char plain[PLAIN_SIZE];
  int len = snprintf(plain, sizeof plain, "%" PRId64 ",%s", created_ms, id);
  if (len < 0 || (size_t)len >= sizeof plain) return false;
  sodium_bin2base64(ret_text, CURSOR_SIZE, (const unsigned char *)plain, (size_t)len,
                    sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  return true;
}

enum status cursor_read(const char *text, struct cursor *ret_cursor, struct error *err) {
  char plain[PLAIN_SIZE];
  size_t len;
  uint64_t created;
  enum status bad = STATUS_INVALID;
  if (sodium_base642bin((unsigned char *)plain, sizeof plain - 1, text, strlen(text), NULL, &len,
                        NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING))
    return error_set(err, bad, "cursor", "is not one that a list gave");
  plain[len] = '\0';
  char *comma = strchr(plain, ',');
  if (!comma || strlen(plain) != len)
    return error_set(err, bad, "cursor", "is not one that a list gave");
  *comma = '\0';
  if (!params_parse_u64(plain, &created) || created > INT64_MAX ||
      !id_valid(bytes_of(comma + 1), ID_DEBATE_MAX))
    return error_set(err, bad, "cursor", "is not one that a list gave");
  ret_cursor->created_ms = (int64_t)created;
  memcpy(ret_cursor->id, comma + 1, strlen(comma + 1) + 1);
  return STATUS_OK;
}
