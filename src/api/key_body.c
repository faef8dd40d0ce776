#include "api/key_body.h"

#include "auth/key_ring.h"
#include "base/clock.h"
#include "debate/outward.h"

#include <math.h>
#include <stdio.h>

enum { DAYS_MAX = 3650, RATE_MAX = 1000000, USD_MAX = 1000000 };
static const int64_t DAY_MS = 86400000;

static enum status invalid(struct error *err, const char *field, const char *words) {
  return error_set(err, STATUS_INVALID, field, "%s %s", field, words);
}

/* ---- reading ---- */

static enum status read_name(const json_t *value, struct key_form *form, struct error *err) {
  struct bytes text = json_bytes(value);
  if (!json_is_string(value) || text.len >= sizeof form->name ||
      memchr(text.ptr, '\0', text.len) != NULL)
    return invalid(err, "name", "must be a text of at most 100 characters");
  for (size_t i = 0; i < text.len; i++)
    if ((unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7f)
      return invalid(err, "name", "must not hold control characters");
  memcpy(form->name, text.ptr, text.len);
  form->name[text.len] = '\0';
  form->fields |= STORE_KEY_NAME;
  return STATUS_OK;
}

/* Names joined by blanks; checked as a whole, so that what is stored is what is read later. */
static enum status read_scopes(const json_t *value, struct key_form *form, struct error *err) {
  const json_t *name;
  size_t i, len = 0;
  permission_set set;
  struct bytes wrong = {0};
  if (!json_is_array(value) && !json_is_null(value))
    return invalid(err, "scopes", "must be a list of permissions");
  json_array_foreach(value, i, name) {
    struct bytes text = json_bytes(name);
    if (!json_is_string(name) || !text.len || memchr(text.ptr, ' ', text.len) ||
        len + text.len + 2 > sizeof form->scopes)
      return invalid(err, "scopes", "must be a list of permissions");
    if (len) form->scopes[len++] = ' ';
    memcpy(form->scopes + len, text.ptr, text.len);
    len += text.len;
  }
  form->scopes[len] = '\0';
  if (json_is_array(value) && !len) return invalid(err, "scopes", "must not be empty");
  if (!key_scopes_read(form->scopes, &set, &wrong))
    return error_set(err, STATUS_INVALID, "scopes", "scopes: no key can have \"%.*s\"",
                     (int)(wrong.len < 64 ? wrong.len : 64), wrong.ptr);
  form->fields |= STORE_KEY_SCOPES;
  return STATUS_OK;
}

static enum status read_days(const json_t *value, int64_t now_ms, struct key_form *form,
                             struct error *err) {
  json_int_t days = json_integer_value(value);
  form->fields |= STORE_KEY_EXPIRY;
  form->key.expires_ms = -1;
  if (json_is_null(value)) return STATUS_OK;
  if (!json_is_integer(value) || days < 1 || days > DAYS_MAX)
    return invalid(err, "expires_in_days", "must be a whole number of 1 to 3650");
  form->key.expires_ms = now_ms + days * DAY_MS;
  return STATUS_OK;
}

static enum status read_expiry(const json_t *value, int64_t now_ms, struct key_form *form,
                               struct error *err) {
  bool date_only;
  form->fields |= STORE_KEY_EXPIRY;
  form->key.expires_ms = -1;
  if (json_is_null(value)) return STATUS_OK;
  if (!json_is_string(value) ||
      !clock_parse_iso(json_string_value(value), &form->key.expires_ms, &date_only) ||
      form->key.expires_ms <= now_ms || form->key.expires_ms > now_ms + DAYS_MAX * DAY_MS)
    return invalid(err, "expires_at", "must be a time to come, within ten years");
  return STATUS_OK;
}

static enum status read_rate(const json_t *value, struct key_form *form, struct error *err) {
  json_int_t rate = json_integer_value(value);
  form->fields |= STORE_KEY_RATE;
  form->key.requests_per_minute = 0;
  if (json_is_null(value)) return STATUS_OK;
  if (!json_is_integer(value) || rate < 1 || rate > RATE_MAX)
    return invalid(err, "requests_per_minute", "must be a whole number of 1 to 1000000");
  form->key.requests_per_minute = rate;
  return STATUS_OK;
}

static enum status read_money(const json_t *value, struct key_form *form, struct error *err) {
  double usd = json_number_value(value);
  form->fields |= STORE_KEY_MONEY;
  form->key.usd_micro_per_day = 0;
  if (json_is_null(value)) return STATUS_OK;
  if (!json_is_number(value) || !(usd >= 1e-6) || !(usd <= USD_MAX))
    return invalid(err, "usd_per_day", "must be a number of 0.000001 to 1000000");
  form->key.usd_micro_per_day = llround(usd * 1e6);
  return STATUS_OK;
}

static enum status read_field(const char *name, const json_t *value, int64_t now_ms,
                              struct key_form *form, struct error *err) {
  if (strcmp(name, "name") == 0) return read_name(value, form, err);
  if (strcmp(name, "scopes") == 0) return read_scopes(value, form, err);
  if (strcmp(name, "expires_in_days") == 0) return read_days(value, now_ms, form, err);
  if (strcmp(name, "expires_at") == 0) return read_expiry(value, now_ms, form, err);
  if (strcmp(name, "requests_per_minute") == 0) return read_rate(value, form, err);
  if (strcmp(name, "usd_per_day") == 0) return read_money(value, form, err);
  return error_set(err, STATUS_INVALID, "body", "unknown field \"%.64s\"", name);
}

enum status key_form_read(const json_t *body, int64_t now_ms, struct key_form *form,
                          struct error *err) {
  const char *name;
  json_t *value;
  *form = (struct key_form){.key = {.expires_ms = -1, .revoked_ms = -1, .last_used_ms = -1}};
  if (body && !json_is_object(body)) return invalid(err, "body", "must be a JSON object");
  json_object_foreach((json_t *)body, name, value) {
    enum status s = read_field(name, value, now_ms, form, err);
    if (s) return s;
  }
  return STATUS_OK;
}

/* ---- showing ---- */

static json_t *scope_names(const char *scopes) {
  json_t *names = json_array();
  while (*scopes) {
    struct bytes name = {scopes, strcspn(scopes, " ")};
    json_array_append_new(names, json_text(name));
    scopes += name.len + strspn(scopes + name.len, " ");
  }
  return names;
}

json_t *key_object(const struct store_key *key, int64_t now_ms) {
  const char *status = key->revoked_ms >= 0           ? "revoked"
                       : store_key_works(key, now_ms) ? "active"
                                                      : "expired";
  return json_pack(
      "{s:s, s:s, s:s, s:o, s:b, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "key_id",
      key->id, "id", key->id, "prefix", key->id, "name", json_text(bytes_of(key->name)),
      "is_default", key->is_default, "status", status, "scopes",
      *key->scopes ? scope_names(key->scopes) : json_null(), "requests_per_minute",
      json_int_or_null(key->requests_per_minute ? key->requests_per_minute : -1), "usd_per_day",
      outward_millionths(key->usd_micro_per_day ? key->usd_micro_per_day : -1), "created_at",
      json_time_or_null(key->created_ms), "expires_at", json_time_or_null(key->expires_ms),
      "last_used_at", json_time_or_null(key->last_used_ms), "revoked_at",
      json_time_or_null(key->revoked_ms), "replaced_by", json_text_or_null(key->replaced_by),
      "user_id", json_text(bytes_of(key->owner_id)));
}

/* ---- of a user ---- */

struct finding {
  struct key_default *found;
  int64_t now_ms;
};

static void take_default(void *ctx, const struct store_key *key) {
  struct finding *finding = ctx;
  struct key_default *found = finding->found;
  if (!key->is_default || !store_key_works(key, finding->now_ms)) return;
  snprintf(found->id, sizeof found->id, "%s", key->id);
  found->account = (struct account_key){found->id, key->created_ms, key->expires_ms};
}

enum status key_find_default(struct api *api, const struct principal *who,
                             struct key_default *ret_key, struct error *err) {
  struct finding finding = {ret_key, clock_wall_ms(&clock_system)};
  *ret_key = (struct key_default){0};
  return store_list_keys(api->parts.store, who, true, KEY_LISTED_MAX, take_default, &finding, err);
}
