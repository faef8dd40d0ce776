/* No secret and no text of a debate leaves with an incident's files. */
#include "base/secret.h"
#include "cli/incident.h"
#include "provider/agents_builtin.h"

#include <stdlib.h>

enum { SECRET_MIN = 6, SECRETS_MAX = 64 };

struct secrets {
  char *list[SECRETS_MAX];
  size_t count;
};

static void add(struct secrets *s, const char *variable) {
  char *value = NULL;
  if (!variable || s->count == SECRETS_MAX || secret_read(variable, &value, NULL) || !value) return;
  if (strlen(value) >= SECRET_MIN)
    s->list[s->count++] = value;
  else
    secret_free(value);
}

static void load(struct secrets *s) {
  static const char *const others[] = {"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
                                       "AWS_ACCESS_KEY_ID"};
  for (size_t i = 0; i < option_table_size; i++)
    if (option_table[i].secret) add(s, option_table[i].variable);
  for (size_t i = 0; i < agents_builtin_count; i++)
    for (int n = 0; n < 2; n++) add(s, agents_builtin[i].key_variables[n]);
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) add(s, others[i]);
}

/* The length of the secret that begins here, or 0. */
static size_t secret_at(const struct secrets *s, struct bytes text) {
  for (size_t i = 0; i < s->count; i++) {
    size_t len = strlen(s->list[i]);
    if (len <= text.len && memcmp(text.ptr, s->list[i], len) == 0) return len;
  }
  return 0;
}

void incident_redact(struct buffer *out, struct bytes text) {
  struct secrets secrets = {.count = 0};
  load(&secrets);
  while (text.len) {
    size_t len = secret_at(&secrets, text);
    if (len)
      buffer_append_text(out, "***");
    else
      buffer_append_char(out, text.ptr[0]);
    size_t taken = len ? len : 1;
    text = (struct bytes){text.ptr + taken, text.len - taken};
  }
  for (size_t i = 0; i < secrets.count; i++) secret_free(secrets.list[i]);
}

static bool may_hold_text(const char *key) {
  static const char *const keys[] = {"task",    "question", "context",      "slug",
                                     "content", "answer",   "final_answer", "conclusion",
                                     "topic",   "prompt",   "reply",        "metadata"};
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
    if (strcmp(keys[i], key) == 0) return true;
  return false;
}

void incident_leave_out_texts(json_t *value) {
  const char *key;
  json_t *each;
  void *next;
  json_object_foreach_safe(value, next, key, each) {
    if (may_hold_text(key) && !json_is_null(each))
      json_object_set_new(value, key, json_string("(left out)"));
    else
      incident_leave_out_texts(each);
  }
  for (size_t i = 0; i < json_array_size(value); i++)
    incident_leave_out_texts(json_array_get(value, i));
}
