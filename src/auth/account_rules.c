#include "auth/account_rules.h"

#include "base/utf8.h"

#include <ctype.h>
#include <stdio.h>

enum { NAME_CHARS = 100, SLUG_WORDS_MAX = 40, SLUG_ID_CHARS = 8 };

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
#define ALNUM "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

/* ^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}$ */
static bool is_email(const char *text) {
  size_t local = strspn(text, ALNUM "._%+-");
  if (!local || text[local] != '@') return false;
  const char *host = text + local + 1;
  size_t len = strspn(host, ALNUM ".-");
  if (host[len]) return false;
  const char *dot = strrchr(host, '.');
  return dot && dot > host && strlen(dot + 1) >= 2 && strspn(dot + 1, letters) == strlen(dot + 1);
}

enum status account_read_email(struct bytes text, char ret_email[STORE_EMAIL_SIZE],
                               struct error *err) {
  char email[STORE_EMAIL_SIZE] = "";
  bool fits = text.len && text.len < sizeof email && !memchr(text.ptr, 0, text.len);
  for (size_t i = 0; fits && i < text.len; i++)
    email[i] = (char)tolower((unsigned char)text.ptr[i]);
  if (!fits || !is_email(email))
    return error_set(err, STATUS_INVALID, "email", "Invalid email address");
  memcpy(ret_email, email, sizeof email);
  return STATUS_OK;
}

static bool is_name(struct bytes text) {
  size_t count = 0;
  for (size_t i = 0; i < text.len; i++) {
    unsigned char c = (unsigned char)text.ptr[i];
    if (c < 0x20 || c == 0x7f) return false;
    count += (c & 0xc0) != 0x80;
  }
  return count <= NAME_CHARS && text.len < STORE_NAME_SIZE && utf8_valid(text);
}

enum status account_read_name(const char *field, struct bytes text, char ret_name[STORE_NAME_SIZE],
                              struct error *err) {
  while (text.len && text.ptr[0] == ' ') text = (struct bytes){text.ptr + 1, text.len - 1};
  while (text.len && text.ptr[text.len - 1] == ' ') text.len--;
  if (!is_name(text))
    return error_set(err, STATUS_INVALID, field,
                     "has more than %d characters, or control characters", NAME_CHARS);
  if (text.len) memcpy(ret_name, text.ptr, text.len);
  ret_name[text.len] = '\0';
  return STATUS_OK;
}

void account_make_slug(const char *name, const char *id, char *out, size_t size) {
  char words[SLUG_WORDS_MAX + 1];
  size_t len = 0;
  for (const char *p = name; *p && len < SLUG_WORDS_MAX; p++) {
    if (strchr(ALNUM, *p))
      words[len++] = (char)tolower((unsigned char)*p);
    else if (len && words[len - 1] != '-')
      words[len++] = '-';
  }
  while (len && words[len - 1] == '-') len--;
  words[len] = '\0';
  snprintf(out, size, "%s%s%.*s", words, len ? "-" : "", SLUG_ID_CHARS, id);
}

bool account_is_listed(const char *list, const char *email) {
  for (const char *p = list; p && *p;) {
    p += strspn(p, ", \t");
    struct bytes item = {p, strcspn(p, ", \t")};
    if (item.len && bytes_equal_nocase(item, bytes_of(email))) return true;
    p += item.len;
  }
  return false;
}
