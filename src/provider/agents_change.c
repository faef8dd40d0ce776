#include "provider/agents_change.h"

enum { FIELDS_MAX = 256 };

static bool same_text(const char *a, const char *b) {
  return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Appends to a list: "x" or ",x". */
static void add(struct buffer *list, const char *name) {
  buffer_printf(list, "%s%s", list->len ? "," : "", name);
}

static void list_fields(const struct agent_binding *a, const struct agent_binding *b,
                        struct buffer *out) {
  if (!same_text(a->provider, b->provider)) add(out, "provider");
  if (!same_text(a->model, b->model)) add(out, "model");
  if (a->wire != b->wire) add(out, "wire");
  if (!same_text(a->base_url, b->base_url)) add(out, "base_url");
  if (!same_text(a->key, b->key)) add(out, "key");
  if (!same_text(a->key_variable, b->key_variable)) add(out, "key_variable");
  if (a->quirks != b->quirks) add(out, "quirks");
  if (a->context_tokens != b->context_tokens) add(out, "context_tokens");
  if (a->output_tokens_max != b->output_tokens_max) add(out, "output_tokens_max");
  if (a->price_input_usd_micro != b->price_input_usd_micro ||
      a->price_output_usd_micro != b->price_output_usd_micro)
    add(out, "price");
  if (!same_text(a->openrouter_model, b->openrouter_model)) add(out, "openrouter_model");
  if (!same_text(a->fallback, b->fallback)) add(out, "fallback");
  if (a->local != b->local) add(out, "local");
  if (a->available != b->available) add(out, "available");
  if (a->seat != b->seat) add(out, "seat");
}

/* By its own name: an alias is not another's row. */
static const struct agent_binding *row_of(const struct agent_table *table, const char *type) {
  for (size_t i = 0; i < table->count; i++)
    if (strcmp(table->agents[i].type, type) == 0) return &table->agents[i];
  return NULL;
}

static size_t list_missing(const struct agent_table *from, const struct agent_table *in,
                           struct buffer *out) {
  size_t count = 0;
  for (size_t i = 0; i < from->count; i++) {
    if (row_of(in, from->agents[i].type)) continue;
    add(out, from->agents[i].type);
    count++;
  }
  return count;
}

static void append_list(struct buffer *out, const char *name, const struct buffer *list) {
  if (list->len) buffer_printf(out, " %s=%s", name, list->ptr);
}

size_t agents_change_describe(const struct agent_table *before, const struct agent_table *now,
                              struct buffer *out) {
  BUFFER_LATER struct buffer added, removed, changed;
  buffer_init(&added, out->max);
  buffer_init(&removed, out->max);
  buffer_init(&changed, out->max);
  size_t count = list_missing(now, before, &added) + list_missing(before, now, &removed);
  for (size_t i = 0; i < now->count; i++) {
    const struct agent_binding *row = &now->agents[i], *old = row_of(before, row->type);
    BUFFER_LATER struct buffer fields;
    buffer_init(&fields, FIELDS_MAX);
    if (old) list_fields(old, row, &fields);
    if (!fields.len) continue;
    count++;
    buffer_printf(&changed, "%s%s(%s)", changed.len ? "," : "", row->type, fields.ptr);
  }
  append_list(out, "added", &added);
  append_list(out, "removed", &removed);
  append_list(out, "changed", &changed);
  return count;
}
