#include "ops/manifest.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/sha256.h"

#include <stdio.h>

enum { HEX_SIZE = 2 * SHA256_SIZE + 1 };

static const char *const file_names[MANIFEST_FILES] = {"aragora_memory.db.zst",
                                                       "aragora_elo.db.zst"};

const char *manifest_file_name(enum database kind) {
  return file_names[kind];
}

/* ---- writing ---- */

static json_t *hex(const uint8_t hash[SHA256_SIZE]) {
  char text[HEX_SIZE];
  bytes_to_hex(hash, SHA256_SIZE, text);
  return json_string(text);
}

static json_t *file_object(const struct manifest_file *f, const char *name) {
  return json_pack("{s:s, s:I, s:I, s:I, s:o, s:o}", "name", name, "schema", (json_int_t)f->schema,
                   "raw_bytes", (json_int_t)f->raw_bytes, "bytes", (json_int_t)f->bytes,
                   "raw_sha256", hex(f->raw_sha256), "sha256", hex(f->sha256));
}

static json_t *object_of(const struct manifest *m) {
  char created[CLOCK_ISO_SIZE];
  clock_format_iso(m->created_ms, created);
  return json_pack(
      "{s:i, s:s, s:s, s:I, s:s, s:s, s:{s:s, s:I}, s:{s:I, s:I, s:o}, s:[o, o]}", "format",
      MANIFEST_FORMAT, "name", m->name, "kind", backup_kind_name(m->kind), "created_ms",
      (json_int_t)m->created_ms, "created_at", created, "aragora", m->version, "position", "chain",
      m->chain, "number", (json_int_t)m->number, "census", "debates", (json_int_t)m->census.debates,
      "events", (json_int_t)m->census.events, "heads_sha256", hex(m->census.heads_sha256), "files",
      file_object(&m->files[0], file_names[0]), file_object(&m->files[1], file_names[1]));
}

static enum status add_audit(json_t *object, const struct manifest *m) {
  if (!m->has_audit) return STATUS_OK;
  json_t *audit =
      json_pack("{s:I, s:o}", "seq", (json_int_t)m->audit.seq, "hash", hex(m->audit.hash));
  return json_object_set_new(object, "audit", audit) ? STATUS_NOMEM : STATUS_OK;
}

/* Adds the hash over what stands there. */
static enum status seal(json_t *object) {
  uint8_t hash[SHA256_SIZE];
  FREE_LATER char *text = json_canonical_dup(object);
  if (!text) return STATUS_NOMEM;
  sha256_of(bytes_of(text), hash);
  return json_object_set_new(object, "sha256", hex(hash)) ? STATUS_NOMEM : STATUS_OK;
}

enum status manifest_append(struct buffer *out, const struct manifest *m) {
  JSON_LATER json_t *object = object_of(m);
  enum status s = object ? add_audit(object, m) : STATUS_NOMEM;
  if (!s) s = seal(object);
  if (!s) s = json_append_canonical(out, object);
  if (!s && !buffer_append_char(out, '\n')) s = STATUS_NOMEM;
  return s;
}

/* ---- reading ---- */

static bool get_text(const json_t *object, const char *key, char *out, size_t size) {
  const char *text = json_get_text(object, key, NULL);
  if (!text || strlen(text) >= size) return false;
  memcpy(out, text, strlen(text) + 1);
  return true;
}

static bool get_hash(const json_t *object, const char *key, uint8_t out[SHA256_SIZE]) {
  return bytes_from_hex(bytes_of(json_get_text(object, key, "")), out, SHA256_SIZE);
}

static bool get_count(const json_t *object, const char *key, int64_t *out) {
  *out = json_get_int(object, key, -1);
  return *out >= 0;
}

static bool read_file(const json_t *object, const char *name, struct manifest_file *f) {
  return strcmp(json_get_text(object, "name", ""), name) == 0 &&
         get_count(object, "schema", &f->schema) && get_count(object, "raw_bytes", &f->raw_bytes) &&
         get_count(object, "bytes", &f->bytes) && get_hash(object, "raw_sha256", f->raw_sha256) &&
         get_hash(object, "sha256", f->sha256);
}

static bool read_audit(const json_t *audit, struct manifest *m) {
  m->has_audit = audit != NULL;
  return !audit ||
         (get_count(audit, "seq", &m->audit.seq) && get_hash(audit, "hash", m->audit.hash));
}

static bool read_object(const json_t *o, struct manifest *m) {
  const json_t *position = json_object_get(o, "position"), *census = json_object_get(o, "census"),
               *files = json_object_get(o, "files");
  int64_t second;
  enum backup_kind kind;
  return get_text(o, "name", m->name, sizeof m->name) &&
         backup_name_parse(bytes_of(m->name), &kind, &second) &&
         backup_kind_parse(bytes_of(json_get_text(o, "kind", "")), &m->kind) && kind == m->kind &&
         get_count(o, "created_ms", &m->created_ms) &&
         get_text(o, "aragora", m->version, sizeof m->version) &&
         get_text(position, "chain", m->chain, sizeof m->chain) &&
         get_count(position, "number", &m->number) &&
         get_count(census, "debates", &m->census.debates) &&
         get_count(census, "events", &m->census.events) &&
         get_hash(census, "heads_sha256", m->census.heads_sha256) &&
         read_audit(json_object_get(o, "audit"), m) && json_array_size(files) == MANIFEST_FILES &&
         read_file(json_array_get(files, 0), file_names[0], &m->files[0]) &&
         read_file(json_array_get(files, 1), file_names[1], &m->files[1]);
}

/* A newer format may have other members, but is sealed the same way. */
static bool is_sealed(const json_t *object, struct bytes text) {
  JSON_LATER json_t *bare = json_copy((json_t *)object);
  BUFFER_LATER struct buffer again;
  buffer_init(&again, MANIFEST_BYTES_MAX);
  if (!bare || !json_is_object(bare)) return false;
  json_object_del(bare, "sha256");
  return !seal(bare) && !json_append_canonical(&again, bare) && buffer_append_char(&again, '\n') &&
         bytes_equal(buffer_bytes(&again), text);
}

enum status manifest_parse(struct bytes text, struct manifest *ret_manifest, struct error *err) {
  JSON_LATER json_t *object = NULL;
  struct manifest m = {0};
  if (json_parse(text, &object, err) || !is_sealed(object, text))
    return error_set(err, STATUS_CORRUPT, NULL, "the manifest is damaged");
  if (json_get_int(object, "format", 0) > MANIFEST_FORMAT)
    return error_set(err, STATUS_UNSUPPORTED, NULL,
                     "the backup was made by a newer version (%.32s): use that one",
                     json_get_text(object, "aragora", "?"));
  if (!read_object(object, &m))
    return error_set(err, STATUS_CORRUPT, NULL, "the manifest lacks what it must say");
  *ret_manifest = m;
  return STATUS_OK;
}
