#include "auth/jwt.h"

#include "base/id.h"
#include "base/json_scan.h"

#include <stdio.h>

/* The end of the year 9999: beyond it lies no time that anybody means. */
#define TIME_MAX INT64_C(253402300799)

static const char *const type_names[] = {[JWT_ACCESS] = "access", [JWT_REFRESH] = "refresh"};

enum status jwt_keys_init(struct jwt_keys *keys, const char *secret, const char *previous,
                          int64_t previous_until_s, struct error *err) {
  if (strlen(secret) < JWT_SECRET_MIN)
    return error_set(err, STATUS_INVALID, "ARAGORA_JWT_SECRET",
                     "ARAGORA_JWT_SECRET has %zu characters; it needs at least %d", strlen(secret),
                     JWT_SECRET_MIN);
  if (previous && strlen(previous) < JWT_SECRET_MIN)
    return error_set(err, STATUS_INVALID, "ARAGORA_JWT_SECRET_PREVIOUS",
                     "ARAGORA_JWT_SECRET_PREVIOUS has %zu characters; it needs at least %d",
                     strlen(previous), JWT_SECRET_MIN);
  *keys = (struct jwt_keys){.previous_until_s = previous ? previous_until_s : 0};
  jws_key_init(&keys->current, bytes_of(secret));
  if (previous) jws_key_init(&keys->previous, bytes_of(previous));
  return STATUS_OK;
}

void jwt_keys_done(struct jwt_keys *keys) {
  jws_key_done(&keys->current);
  jws_key_done(&keys->previous);
  keys->previous_until_s = 0;
}

/* ---- making one ---- */

static void append_text(struct buffer *out, const char *name, const char *value) {
  buffer_printf(out, ",\"%s\":", name);
  buffer_append_json_string(out, bytes_of(value));
}

static void append_number(struct buffer *out, const char *name, int64_t value) {
  buffer_printf(out, ",\"%s\":%lld", name, (long long)value);
}

enum status jwt_sign(const struct jwt_keys *keys, const struct jwt_claims *claims,
                     struct buffer *out) {
  BUFFER_LATER struct buffer payload;
  size_t before = out->len;
  buffer_init(&payload, JWS_TEXT_MAX);
  buffer_printf(&payload, "{\"iss\":\"%s\",\"aud\":\"%s\"", JWT_PARTY, JWT_PARTY);
  append_text(&payload, "type", type_names[claims->type]);
  append_text(&payload, "sub", claims->user_id);
  append_text(&payload, "sid", claims->session_id);
  append_text(&payload, "jti", claims->token_id);
  append_text(&payload, "email", claims->email);
  if (*claims->tenant_id)
    append_text(&payload, "org_id", claims->tenant_id);
  else
    buffer_append_text(&payload, ",\"org_id\":null");
  append_text(&payload, "role", claims->role);
  append_number(&payload, "tv", claims->token_version);
  append_number(&payload, "iat", claims->issued_s);
  if (claims->not_before_s) append_number(&payload, "nbf", claims->not_before_s);
  append_number(&payload, "exp", claims->expires_s);
  buffer_append_char(&payload, '}');
  if (payload.overflow || !jws_append(out, &keys->current, buffer_bytes(&payload)) ||
      out->len - before > JWS_TEXT_MAX)
    return STATUS_TOO_LARGE;
  return STATUS_OK;
}

/* ---- reading one ---- */

enum claim {
  CLAIM_ISSUER,
  CLAIM_AUDIENCE,
  CLAIM_TYPE,
  CLAIM_SUBJECT,
  CLAIM_SESSION,
  CLAIM_TOKEN,
  CLAIM_VERSION,
  CLAIM_ISSUED,
  CLAIM_EXPIRES,
  CLAIMS_NEEDED, /* the rest may be absent */
  CLAIM_NOT_BEFORE = CLAIMS_NEEDED,
  CLAIM_EMAIL,
  CLAIM_TENANT,
  CLAIM_ROLE,
  CLAIMS
};

static const char *const claim_names[CLAIMS] = {
    [CLAIM_ISSUER] = "iss",     [CLAIM_AUDIENCE] = "aud", [CLAIM_TYPE] = "type",
    [CLAIM_SUBJECT] = "sub",    [CLAIM_SESSION] = "sid",  [CLAIM_TOKEN] = "jti",
    [CLAIM_VERSION] = "tv",     [CLAIM_ISSUED] = "iat",   [CLAIM_EXPIRES] = "exp",
    [CLAIM_NOT_BEFORE] = "nbf", [CLAIM_EMAIL] = "email",  [CLAIM_TENANT] = "org_id",
    [CLAIM_ROLE] = "role",
};

static enum claim claim_of(const struct json_scan *scan) {
  for (int i = 0; i < CLAIMS; i++)
    if (json_scan_key_is(scan, claim_names[i])) return (enum claim)i;
  return CLAIMS;
}

static bool read_text(struct json_scan *scan, char *out, size_t size) {
  BUFFER_LATER struct buffer text;
  buffer_init(&text, size - 1);
  if (!json_scan_string(scan, &text) || text.overflow) return false;
  memcpy(out, text.ptr ? text.ptr : "", text.len + 1);
  return true;
}

static bool read_word(struct json_scan *scan, const char *word) {
  char text[32];
  return read_text(scan, text, sizeof text) && strcmp(text, word) == 0;
}

static bool read_id(struct json_scan *scan, char out[JWT_ID_SIZE]) {
  return read_text(scan, out, JWT_ID_SIZE) && id_valid(bytes_of(out), JWT_ID_SIZE - 1);
}

static bool read_optional(struct json_scan *scan, char *out, size_t size) {
  if (json_scan_peek(scan) == JSON_SCAN_NULL) return json_scan_skip(scan);
  return read_text(scan, out, size);
}

/* A real, a text, an infinity and what is beyond int64 are no numbers to the scanner. */
static bool read_number(struct json_scan *scan, int64_t *ret_value) {
  return json_scan_int(scan, ret_value) && *ret_value >= 0 && *ret_value <= TIME_MAX;
}

static bool read_claim(struct json_scan *scan, enum claim claim, struct jwt_claims *c) {
  switch (claim) {
    case CLAIM_ISSUER:
    case CLAIM_AUDIENCE: return read_word(scan, JWT_PARTY);
    case CLAIM_TYPE: return read_word(scan, type_names[c->type]);
    case CLAIM_SUBJECT: return read_id(scan, c->user_id);
    case CLAIM_SESSION: return read_id(scan, c->session_id);
    case CLAIM_TOKEN: return read_id(scan, c->token_id);
    case CLAIM_VERSION: return read_number(scan, &c->token_version);
    case CLAIM_ISSUED: return read_number(scan, &c->issued_s);
    case CLAIM_EXPIRES: return read_number(scan, &c->expires_s);
    case CLAIM_NOT_BEFORE: return read_number(scan, &c->not_before_s);
    case CLAIM_EMAIL: return read_optional(scan, c->email, sizeof c->email);
    case CLAIM_TENANT: return read_optional(scan, c->tenant_id, sizeof c->tenant_id);
    case CLAIM_ROLE: return read_optional(scan, c->role, sizeof c->role);
    case CLAIMS:
    default: return json_scan_skip(scan);
  }
}

static bool read_claims(struct bytes payload, struct jwt_claims *c) {
  struct json_scan scan;
  struct jws_members members = {0};
  unsigned seen = 0;
  json_scan_begin(&scan, payload);
  if (!json_scan_object(&scan)) return false;
  while (json_scan_member(&scan)) {
    enum claim claim = claim_of(&scan);
    if (!jws_members_note(&members, &scan) || !read_claim(&scan, claim, c)) return false;
    seen |= 1u << claim;
  }
  unsigned needed = (1u << CLAIMS_NEEDED) - 1;
  return json_scan_end(&scan) && (seen & needed) == needed;
}

static bool open_with_any(const struct jwt_keys *keys, struct bytes text, int64_t now_s,
                          struct jws *jws) {
  if (jws_open(text, &keys->current, jws)) return true;
  return now_s < keys->previous_until_s && jws_open(text, &keys->previous, jws);
}

enum status jwt_verify(const struct jwt_keys *keys, struct bytes text, enum jwt_type type,
                       int64_t now_s, struct jwt_claims *ret_claims) {
  struct jws jws;
  struct jwt_claims claims = {.type = type};
  if (!open_with_any(keys, text, now_s, &jws) || !jws.plain) return STATUS_DENIED;
  if (!read_claims((struct bytes){jws.payload, jws.payload_len}, &claims)) return STATUS_DENIED;
  if (claims.issued_s > now_s || claims.not_before_s > now_s) return STATUS_DENIED;
  if (claims.expires_s <= now_s) return STATUS_TIMEOUT;
  *ret_claims = claims;
  return STATUS_OK;
}
