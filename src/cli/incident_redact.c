/* No secret and no text of a debate leaves with an incident's files. */
#include "base/secret.h"
#include "cli/incident.h"
#include "provider/agents_builtin.h"

#include <stdlib.h>
#include <unistd.h>

enum { SECRET_MIN = 6, SECRETS_MAX = 256 };

struct secrets {
  char *list[SECRETS_MAX];
  size_t count;
};

/* Takes the value. */
static void add(struct secrets *s, char *value) {
  if (value && strlen(value) >= SECRET_MIN && s->count < SECRETS_MAX)
    s->list[s->count++] = value;
  else
    secret_free(value);
}

static void add_variable(struct secrets *s, const char *variable) {
  char *value = NULL;
  if (variable && !secret_read(variable, &value, NULL)) add(s, value);
}

static bool names_secret(struct bytes name) {
  static const char *const ends[] = {"_KEY", "_KEY_ID", "_TOKEN", "_SECRET", "_PASSWORD"};
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
    if (bytes_ends_with(name, bytes_of(ends[i]))) return true;
  return false;
}

/* Whatever looks like one by its name: a file of agents may name variables of its own. */
static void add_environment(struct secrets *s) {
  const struct bytes file = BYTES_LITERAL("_FILE");
  for (char **entry = environ; entry && *entry; entry++) {
    const char *sign = strchr(*entry, '=');
    struct bytes name = {*entry, sign ? (size_t)(sign - *entry) : 0};
    struct bytes stem = name;
    char *value = NULL;
    if (bytes_ends_with(name, file)) stem.len -= file.len;
    if (!sign || !names_secret(stem)) continue;
    if (stem.len == name.len)
      add(s, bytes_dup(bytes_of(sign + 1)));
    else if (!secret_read_file("", sign + 1, &value, NULL))
      add(s, value);
  }
}

static void load(struct secrets *s, const struct options *o) {
  static const char *const others[] = {"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
                                       "AWS_ACCESS_KEY_ID"};
  for (size_t i = 0; i < option_table_size; i++) {
    const struct option *row = &option_table[i];
    const char *value = row->secret ? *(char *const *)((const char *)o + row->offset) : NULL;
    if (value) add(s, bytes_dup(bytes_of(value)));
  }
  for (size_t i = 0; i < agents_builtin_count; i++)
    for (int n = 0; n < 2; n++) add_variable(s, agents_builtin[i].key_variables[n]);
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) add_variable(s, others[i]);
  add_environment(s);
}

/* The length of the longest secret that begins here, or 0. */
static size_t secret_at(const struct secrets *s, struct bytes text) {
  size_t longest = 0;
  for (size_t i = 0; i < s->count; i++) {
    size_t len = strlen(s->list[i]);
    if (len > longest && len <= text.len && memcmp(text.ptr, s->list[i], len) == 0) longest = len;
  }
  return longest;
}

void incident_redact(const struct options *options, struct buffer *out, struct bytes text) {
  struct secrets secrets = {.count = 0};
  load(&secrets, options);
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
