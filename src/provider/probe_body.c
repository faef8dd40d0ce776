#include "provider/probe_body.h"

#include "base/json_scan.h"
#include "provider/wire_parts.h"

#include <ctype.h>

bool probe_error_is_vendors(int status_code, struct bytes body) {
  size_t i = 0;
  while (i < body.len && isspace((unsigned char)body.ptr[i])) i++;
  char first = i < body.len ? body.ptr[i] : '\0';
  return status_code == 401 ? first != '<' : first == '{' || first == '[';
}

bool probe_words_name_model(const char *words) {
  for (const char *p = words; (p = strcasestr(p, "model")); p++)
    if (p == words || p[-1] != '/') return true;
  return false;
}

bool probe_words_lack_scope(const char *words) {
  return strcasestr(words, "scope") || strcasestr(words, "permission to list");
}

/* Names under which vendors say how many tokens a model takes. */
static bool is_context(const struct json_scan *s) {
  return json_scan_key_is(s, "inputTokenLimit") || json_scan_key_is(s, "context_length") ||
         json_scan_key_is(s, "max_model_len") || json_scan_key_is(s, "max_context_length") ||
         json_scan_key_is(s, "max_input_tokens") ||
         (!s->key_escaped && bytes_ends_with(s->key, BYTES_LITERAL(".context_length")));
}

static void scan_details(struct json_scan *s, int64_t *context) {
  if (!json_scan_object(s)) return;
  while (json_scan_member(s)) {
    if (is_context(s))
      wire_scan_count(s, context);
    else
      json_scan_skip(s);
  }
}

bool probe_body_model(struct bytes body, int64_t *ret_context_tokens) {
  struct json_scan s;
  int64_t context = -1;
  bool named = false;
  json_scan_begin(&s, body);
  if (!json_scan_object(&s)) return false;
  while (json_scan_member(&s)) {
    bool details = json_scan_key_is(&s, "model_info");
    named = named || details || json_scan_key_is(&s, "id") || json_scan_key_is(&s, "name");
    if (details)
      scan_details(&s, &context);
    else if (is_context(&s))
      wire_scan_count(&s, &context);
    else
      json_scan_skip(&s);
  }
  if (!json_scan_end(&s) || !named) return false;
  *ret_context_tokens = context;
  return true;
}

/* One row of a list. */
static bool scan_row(struct json_scan *s, const char *model, int64_t *context) {
  bool found = false;
  if (!json_scan_object(s)) return false;
  while (json_scan_member(s)) {
    if (json_scan_key_is(s, "id"))
      found = wire_scan_is(s, model);
    else if (is_context(s))
      wire_scan_count(s, context);
    else
      json_scan_skip(s);
  }
  return found;
}

bool probe_body_list(struct bytes body, const char *model, bool *ret_found,
                     int64_t *ret_context_tokens) {
  struct json_scan s;
  bool listed = false, found = false;
  int64_t context = -1;
  json_scan_begin(&s, body);
  if (!json_scan_object(&s)) return false;
  while (json_scan_member(&s)) {
    if (!json_scan_key_is(&s, "data")) {
      json_scan_skip(&s);
    } else if (json_scan_array(&s)) {
      listed = true;
      while (json_scan_item(&s)) {
        int64_t here = -1;
        if (!scan_row(&s, model, &here)) continue;
        found = true;
        context = here;
      }
    }
  }
  if (!json_scan_end(&s) || !listed) return false;
  *ret_found = found;
  *ret_context_tokens = context;
  return true;
}

bool probe_body_key(struct bytes body, bool *ret_spent) {
  struct json_scan s;
  bool any = false, spent = false;
  json_scan_begin(&s, body);
  if (!json_scan_object(&s)) return false;
  while (json_scan_member(&s)) {
    if (!json_scan_key_is(&s, "data")) {
      json_scan_skip(&s);
    } else if (json_scan_object(&s)) {
      any = true;
      while (json_scan_member(&s)) {
        double left;
        if (!json_scan_key_is(&s, "limit_remaining"))
          json_scan_skip(&s);
        else if (json_scan_real(&s, &left)) /* null: no limit */
          spent = left <= 0;
      }
    }
  }
  if (!json_scan_end(&s) || !any) return false;
  *ret_spent = spent;
  return true;
}

bool probe_body_balance(struct bytes body, bool *ret_spent) {
  struct json_scan s;
  bool said = false, available = false;
  json_scan_begin(&s, body);
  if (!json_scan_object(&s)) return false;
  while (json_scan_member(&s)) {
    if (json_scan_key_is(&s, "is_available"))
      said = json_scan_bool(&s, &available);
    else
      json_scan_skip(&s);
  }
  if (!json_scan_end(&s) || !said) return false;
  *ret_spent = !available;
  return true;
}
