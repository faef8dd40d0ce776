#include "ops/proof.h"

#include "debate/view.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { WHOLE_MAX = 1 << 30 };

/* ---- one event ---- */

static bool read_hex(const json_t *event, const char *key, uint8_t out[32]) {
  return bytes_from_hex(json_bytes(json_object_get(event, key)), out, 32);
}

static enum status read_data(const json_t *event, struct check_line *line, char **ret_data,
                             struct error *err) {
  const json_t *data = json_object_get(event, "data");
  const json_t *salt = json_object_get(event, "salt");
  *ret_data = NULL;
  if (json_is_null(data) && json_is_null(salt)) return STATUS_OK; /* deleted */
  if (!json_is_object(data) || !read_hex(event, "salt", line->salt))
    return error_set(err, STATUS_CORRUPT, NULL,
                     "it has no data, or no salt of 64 hexadecimal "
                     "digits");
  *ret_data = json_canonical_dup(data);
  if (!*ret_data) return error_set(err, STATUS_CORRUPT, NULL, "its data has no canonical form");
  line->data = bytes_of(*ret_data);
  return STATUS_OK;
}

enum status proof_event_read(const json_t *event, struct check_line *ret_line, char **ret_data,
                             struct error *err) {
  const json_t *round = json_object_get(event, "round");
  struct check_line line = {.seq = (uint64_t)json_get_int(event, "seq", 0),
                            .type = json_get_text(event, "type", NULL),
                            .ts_ms = json_get_int(event, "ts", -1),
                            .round = -1,
                            .agent = json_get_text(event, "agent", NULL)};
  if (json_is_integer(round) && json_integer_value(round) >= 0 && json_integer_value(round) < 1000)
    line.round = (int)json_integer_value(round);
  else if (!json_is_null(round))
    return error_set(err, STATUS_CORRUPT, NULL, "its round is neither a number nor null");
  if (!line.type || line.ts_ms < 0)
    return error_set(err, STATUS_CORRUPT, NULL, "it has no type, or no ts");
  if (!read_hex(event, "data_digest", line.digest) || !read_hex(event, "hash", line.hash))
    return error_set(err, STATUS_CORRUPT, NULL,
                     "data_digest and hash must be 64 hexadecimal digits");
  enum status s = read_data(event, &line, ret_data, err);
  if (!s) *ret_line = line;
  return s;
}

/* ---- a log ---- */

struct proof {
  struct check *check;
  struct check_result wrong; /* what could not be read as an event at all */
  uint64_t fed;
};

static enum status proof_begin(struct proof *p, struct error *err) {
  *p = (struct proof){.check = check_create(), .wrong = {.ok = true}};
  return p->check ? STATUS_OK : error_set(err, STATUS_NOMEM, NULL, "out of memory");
}

static void proof_feed(struct proof *p, const json_t *event) {
  struct check_line line;
  struct error err = {0};
  char *data = NULL;
  if (!p->wrong.ok) return;
  p->fed++;
  if (proof_event_read(event, &line, &data, &err)) {
    p->wrong.ok = false;
    p->wrong.bad_seq = p->fed;
    snprintf(p->wrong.problem, sizeof p->wrong.problem, "%s", err.message);
    return;
  }
  check_feed(p->check, &line);
  free(data);
}

static void proof_end(struct proof *p, struct check_result *ret_result) {
  check_finish(p->check, ret_result);
  bool found = !ret_result->ok && ret_result->bad_seq; /* before it */
  if (p->wrong.ok || found) return;
  ret_result->ok = false;
  ret_result->bad_seq = p->wrong.bad_seq;
  memcpy(ret_result->problem, p->wrong.problem, sizeof ret_result->problem);
}

static void contradict(struct check_result *r, const char *what, const char *key) {
  if (!r->ok) return;
  r->ok = false;
  r->bad_seq = r->events;
  snprintf(r->problem, sizeof r->problem, "%s: \"%.64s\" is not what the log says", what, key);
}

/* ---- what a file says beside its log ---- */

/* Fields that only one of them has do not count: versions add some. */
static bool says_same(const json_t *file, const json_t *log) {
  const char *key;
  json_t *value;
  if (json_is_object(file) && json_is_object(log)) {
    json_object_foreach((json_t *)file, key, value) {
      const json_t *ours = json_object_get(log, key);
      if (ours && !says_same(value, ours)) return false;
    }
    return true;
  }
  if (json_is_array(file) && json_is_array(log)) {
    if (json_array_size(file) != json_array_size(log)) return false;
    for (size_t i = 0; i < json_array_size(file); i++)
      if (!says_same(json_array_get(file, i), json_array_get(log, i))) return false;
    return true;
  }
  if (json_is_number(file) && json_is_number(log))
    return json_number_value(file) == json_number_value(log);
  return json_equal(file, log);
}

/* What stands beside the log in an export and is no part of the debate object. */
static bool is_frame(const char *key) {
  static const char *const keys[] = {"log", "format", "filename", "data", "export_error"};
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
    if (strcmp(key, keys[i]) == 0) return true;
  return false;
}

static void compare_object(const struct proof *p, const json_t *file, struct check_result *r) {
  const char *key;
  json_t *value;
  const json_t *metadata = json_object_get(file, "metadata");
  FREE_LATER char *kept = metadata ? json_dumps(metadata, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
  struct view_extra extra = {.id = json_get_text(file, "id", ""),
                             .status = json_get_text(file, "status", NULL),
                             .slug = json_get_text(file, "slug", NULL),
                             .metadata = kept,
                             .head_hash = r->head_hash,
                             .is_public = json_get_bool(file, "is_public", false)};
  JSON_LATER json_t *log = view_debate(check_state(p->check), &extra);
  json_object_foreach((json_t *)file, key, value) {
    const json_t *ours = json_object_get(log, key);
    if (ours && !is_frame(key) && !says_same(value, ours)) contradict(r, "the debate", key);
  }
}

/* Existing clients keep `data`: the same once more, as a text. */
static void compare_text(const json_t *file, struct check_result *r) {
  JSON_LATER json_t *inner = NULL;
  const json_t *text = json_object_get(file, "data");
  const char *key;
  json_t *value;
  if (!json_is_string(text)) return;
  if (json_parse(json_bytes(text), &inner, NULL)) {
    contradict(r, "the export", "data");
    return;
  }
  json_object_foreach(inner, key, value) {
    if (!says_same(value, json_object_get(file, key))) contradict(r, "data", key);
  }
}

/* ---- a debate of an export ---- */

static enum status check_export(const json_t *file, const json_t *events, proof_result_fn *each,
                                void *ctx, bool *ret_more, struct error *err) {
  struct proof p;
  struct check_result result;
  const json_t *meta = json_object_get(file, "meta");
  const char *id = json_get_text(file, "id", json_get_text(meta, "debate_id", NULL));
  enum status s = proof_begin(&p, err);
  if (s) return s;
  for (size_t i = 0; i < json_array_size(events); i++) proof_feed(&p, json_array_get(events, i));
  proof_end(&p, &result);
  bool refolded = result.ok && !result.deleted && !result.unsupported && result.events;
  if (refolded && !meta) compare_object(&p, file, &result);
  if (result.ok) compare_text(file, &result);
  check_destroy(p.check);
  *ret_more = each(ctx, id, &result);
  return STATUS_OK;
}

static enum status no_log(const char *name, struct error *err) {
  return error_set(err, STATUS_CORRUPT, NULL,
                   "%.200s holds no log of a debate: events.jsonl, a JSON export or a replay does",
                   name);
}

static enum status check_value(const json_t *file, const char *name, int depth,
                               proof_result_fn *each, void *ctx, struct error *err) {
  const json_t *list = json_object_get(file, "debates");
  const json_t *log = json_object_get(file, "log");
  const json_t *data = json_object_get(file, "data");
  bool more = true;
  if (!log) log = json_object_get(file, "events");
  if (json_is_array(log)) return check_export(file, log, each, ctx, &more, err);
  if (json_is_array(list)) {
    enum status s = STATUS_OK;
    for (size_t i = 0; !s && more && i < json_array_size(list); i++) {
      const json_t *debate = json_array_get(list, i);
      const json_t *events = json_object_get(debate, "log");
      s = json_is_array(events) ? check_export(debate, events, each, ctx, &more, err)
                                : no_log(name, err);
    }
    return s;
  }
  if (json_is_string(data) && depth == 0) {
    JSON_LATER json_t *inner = NULL;
    if (!json_parse(json_bytes(data), &inner, NULL))
      return check_value(inner, name, 1, each, ctx, err);
  }
  return no_log(name, err);
}

/* ---- files ---- */

struct reading {
  FILE *file;
  const char *name;
  char *line;
  size_t cap;
  struct bytes text; /* the line without its end */
};

static bool next_line(struct reading *r) {
  ssize_t len = getline(&r->line, &r->cap, r->file);
  if (len < 0) return false;
  while (len > 0 && (r->line[len - 1] == '\n' || r->line[len - 1] == '\r')) len--;
  r->text = (struct bytes){r->line, (size_t)len};
  return true;
}

static enum status read_failed(const struct reading *r, struct error *err) {
  return error_set(err, STATUS_IO, NULL, "cannot read %.200s: %s", r->name, strerror(errno));
}

/* An event a line, of which the first is read already. */
static enum status read_events(struct reading *r, json_t *first, proof_result_fn *each, void *ctx,
                               struct error *err) {
  struct proof p;
  struct check_result result;
  enum status s = proof_begin(&p, err);
  if (s) return s;
  proof_feed(&p, first);
  while (next_line(r)) {
    JSON_LATER json_t *event = NULL;
    if (!r->text.len) continue;
    if (json_parse(r->text, &event, NULL)) event = NULL;
    proof_feed(&p, event); /* what is no JSON is no event */
  }
  proof_end(&p, &result);
  check_destroy(p.check);
  if (ferror(r->file)) return read_failed(r, err);
  each(ctx, NULL, &result);
  return STATUS_OK;
}

/* An export of many as it was written: a debate a line, so that none but one is in memory. */
static enum status read_lines(struct reading *r, proof_result_fn *each, void *ctx,
                              struct error *err) {
  int64_t count = 0;
  bool more = true;
  enum status s = STATUS_OK;
  while (!s && more && next_line(r)) {
    JSON_LATER json_t *debate = NULL;
    if (!r->text.len) continue;
    if (r->text.ptr[0] == ']') {
      BUFFER_LATER struct buffer end;
      buffer_init(&end, 256);
      buffer_append_text(&end, "{\"debates\":[");
      buffer_append_bytes(&end, r->text);
      if (json_parse(buffer_bytes(&end), &debate, NULL) ||
          json_get_int(debate, "count", -1) != count)
        break;
      return STATUS_OK;
    }
    if (r->text.ptr[r->text.len - 1] == ',') r->text.len--;
    if (json_parse(r->text, &debate, NULL)) break;
    const json_t *log = json_object_get(debate, "log");
    s = json_is_array(log) ? check_export(debate, log, each, ctx, &more, err)
                           : no_log(r->name, err);
    count++;
  }
  if (s || !more) return s;
  if (ferror(r->file)) return read_failed(r, err);
  return error_set(err, STATUS_CORRUPT, NULL, "%.200s is cut or damaged after %lld debates",
                   r->name, (long long)count);
}

/* JSON that somebody laid out anew. */
static enum status read_whole(struct reading *r, proof_result_fn *each, void *ctx,
                              struct error *err) {
  BUFFER_LATER struct buffer all;
  JSON_LATER json_t *value = NULL;
  buffer_init(&all, WHOLE_MAX);
  do {
    buffer_append_bytes(&all, r->text);
    buffer_append_char(&all, '\n');
  } while (!all.overflow && next_line(r));
  if (ferror(r->file)) return read_failed(r, err);
  if (all.overflow) return error_set(err, STATUS_TOO_LARGE, NULL, "%.200s is too large", r->name);
  if (json_parse(buffer_bytes(&all), &value, NULL)) return no_log(r->name, err);
  return check_value(value, r->name, 0, each, ctx, err);
}

static enum status read_any(struct reading *r, proof_result_fn *each, void *ctx,
                            struct error *err) {
  JSON_LATER json_t *first = NULL;
  if (!next_line(r)) return ferror(r->file) ? read_failed(r, err) : no_log(r->name, err);
  if (!json_parse(r->text, &first, NULL)) {
    if (json_object_get(first, "seq")) return read_events(r, first, each, ctx, err);
    if (json_object_get(first, "log") || json_object_get(first, "debates") ||
        json_object_get(first, "events") || json_object_get(first, "data"))
      return check_value(first, r->name, 0, each, ctx, err);
  }
  if (bytes_ends_with(r->text, BYTES_LITERAL("\"debates\":[")))
    return read_lines(r, each, ctx, err);
  return read_whole(r, each, ctx, err);
}

enum status proof_read_file(FILE *file, const char *name, proof_result_fn *each, void *ctx,
                            struct error *err) {
  struct reading r = {.file = file, .name = name};
  enum status s = read_any(&r, each, ctx, err);
  free(r.line);
  return s;
}

/* ---- the directory of a replay ---- */

struct with_meta {
  const json_t *meta;
  proof_result_fn *each;
  void *ctx;
};

static bool compare_meta(void *ctx, const char *debate_id, const struct check_result *result) {
  struct with_meta *w = ctx;
  struct check_result r = *result;
  if (r.ok && json_get_int(w->meta, "event_count", -1) != (int64_t)r.events)
    contradict(&r, "meta.json", "event_count");
  if (r.ok && strcmp(json_get_text(w->meta, "head_hash", ""), r.head_hash) != 0)
    contradict(&r, "meta.json", "head_hash");
  return w->each(w->ctx, json_get_text(w->meta, "debate_id", debate_id), &r);
}

static enum status open_in(const char *dir, const char *name, FILE **ret_file, struct error *err) {
  BUFFER_LATER struct buffer path;
  buffer_init(&path, 8192);
  buffer_printf(&path, "%s/%s", dir, name);
  if (path.overflow) return error_set(err, STATUS_INVALID, NULL, "the path is too long");
  *ret_file = fopen(path.ptr, "re");
  if (*ret_file) return STATUS_OK;
  return error_set(err, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO, NULL,
                   "cannot read %.200s: %s", path.ptr, strerror(errno));
}

static enum status read_meta(const char *dir, json_t **ret_meta, struct error *err) {
  FILE *file = NULL;
  enum status s = open_in(dir, "meta.json", &file, err);
  if (s || !file) return s;
  json_t *meta = json_loadf(file, JSON_REJECT_DUPLICATES, NULL);
  fclose(file);
  if (!meta) return error_set(err, STATUS_CORRUPT, NULL, "%.200s/meta.json is no JSON", dir);
  *ret_meta = meta;
  return STATUS_OK;
}

static enum status read_directory(const char *dir, proof_result_fn *each, void *ctx,
                                  struct error *err) {
  JSON_LATER json_t *meta = NULL;
  FILE *events = NULL;
  enum status s = read_meta(dir, &meta, err);
  if (!s) s = open_in(dir, "events.jsonl", &events, err);
  if (s || !events) return s;
  struct with_meta with = {meta, each, ctx};
  s = proof_read_file(events, dir, compare_meta, &with, err);
  fclose(events);
  return s;
}

enum status proof_read_path(const char *path, proof_result_fn *each, void *ctx, struct error *err) {
  struct stat st;
  if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) return read_directory(path, each, ctx, err);
  FILE *file = fopen(path, "re");
  if (!file)
    return error_set(err, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO, NULL,
                     "cannot read %.200s: %s", path, strerror(errno));
  enum status s = proof_read_file(file, path, each, ctx, err);
  fclose(file);
  return s;
}
