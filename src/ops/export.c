#include "ops/export.h"

#include "base/clock.h"
#include "base/id.h"
#include "ops/debate_row.h"
#include "ops/export_csv.h"
#include "ops/export_html.h"
#include "ops/export_json.h"
#include "ops/export_md.h"
#include "ops/loaded_debate.h"

#include <stdio.h>
#include <stdlib.h>

enum { PAGE_ROWS = 100 };

enum export_phase { EXPORT_BEGIN, EXPORT_DEBATES, EXPORT_END, EXPORT_DONE };

struct export {
  struct store *store;
  const struct principal *who;
  struct export_options options;
  enum export_phase phase;
  char exported_at[CLOCK_ISO_SIZE];
  char name[ID_DEBATE_MAX + 1]; /* of the one debate, for its file */
  uint64_t count;

  struct store_debate *rows; /* a page of the list */
  size_t row_count, row_at;
  bool last_page;
  int64_t before_ms; /* the cursor: where the next page begins */
  char before_id[ID_DEBATE_MAX + 1];
};

enum status export_open(struct store *store, const struct principal *who,
                        const struct export_options *options, struct export **ret_export,
                        struct error *err) {
  struct export *e = calloc(1, sizeof *e);
  if (!e) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  *e = (struct export){.store = store, .who = who, .options = *options};
  clock_format_iso(options->now_ms, e->exported_at);
  if (options->id) {
    snprintf(e->name, sizeof e->name, "%s", options->id);
    e->options.id = e->name;
  }
  int64_t until_ms = options->query.until_ms;
  if (until_ms < 0 || until_ms > options->now_ms) until_ms = options->now_ms;
  e->before_ms = until_ms + 1;
  *ret_export = e;
  return STATUS_OK;
}

void export_close(struct export *e) {
  if (!e) return;
  store_list_free(e->rows, e->row_count);
  free(e);
}

uint64_t export_count(const struct export *e) {
  return e->count;
}

void export_file_name(const struct export *e, char ret_name[EXPORT_FILE_NAME_SIZE]) {
  const struct export_query *q = &e->options.query;
  const char *end = export_format_name(q->format);
  if (!e->options.id)
    snprintf(ret_name, EXPORT_FILE_NAME_SIZE, "debates.%s", end);
  else if (q->format == EXPORT_CSV)
    snprintf(ret_name, EXPORT_FILE_NAME_SIZE, "debate-%s-%s.csv", e->name,
             export_table_name(q->table));
  else
    snprintf(ret_name, EXPORT_FILE_NAME_SIZE, "debate-%s.%s", e->name, end);
}

/* ---- the list ---- */

static enum status next_page(struct export *e, struct error *err) {
  struct store_list_query query = {.status = e->options.query.status,
                                   .limit = PAGE_ROWS,
                                   .before_created_ms = e->before_ms,
                                   .before_id = e->before_id};
  int64_t total;
  store_list_free(e->rows, e->row_count);
  e->rows = NULL;
  e->row_count = e->row_at = 0;
  enum status s =
      store_list_debates(e->store, e->who, &query, &e->rows, &e->row_count, &total, err);
  if (s) return s;
  e->last_page = e->row_count < PAGE_ROWS;
  if (!e->row_count) return STATUS_OK;
  const struct store_debate *last = &e->rows[e->row_count - 1];
  e->before_ms = last->created_ms;
  snprintf(e->before_id, sizeof e->before_id, "%s", last->id);
  return STATUS_OK;
}

/* *ret_row is NULL after the last one. */
static enum status next_row(struct export *e, const struct store_debate **ret_row,
                            struct error *err) {
  const struct export_query *q = &e->options.query;
  *ret_row = NULL;
  if (q->limit && e->count == q->limit) return STATUS_OK;
  if (e->row_at == e->row_count) {
    enum status s = e->last_page ? STATUS_OK : next_page(e, err);
    if (s || e->row_at == e->row_count) return s;
  }
  const struct store_debate *row = &e->rows[e->row_at];
  if (row->created_ms < q->since_ms) return STATUS_OK;
  e->row_at++;
  *ret_row = row;
  return STATUS_OK;
}

/* ---- one debate ---- */

static enum status out_of_memory(struct error *err) {
  return error_set(err, STATUS_NOMEM, NULL, "out of memory");
}

struct answer {
  json_t *text;
  bool deleted; /* meanwhile: only the chain is left */
};

/* Only the decision is parsed: a list of a hundred thousand is made of this. */
static bool find_answer(void *ctx, const struct store_event *event) {
  struct answer *answer = ctx;
  json_t *data = NULL;
  answer->deleted = !event->data.ptr;
  if (answer->deleted) return false;
  if (strcmp(event->type, "consensus") != 0 || json_parse(event->data, &data, NULL)) return true;
  json_decref(answer->text);
  answer->text = json_incref(json_object_get(data, "conclusion"));
  json_decref(data);
  return true;
}

static enum status append_summary(struct export *e, const struct store_debate *row,
                                  struct buffer *out, struct error *err) {
  struct answer answer = {0};
  enum status s = store_read_events(e->store, e->who, row->id, 0, 0, find_answer, &answer, err);
  if (!s && answer.deleted) s = STATUS_NOT_FOUND;
  JSON_LATER json_t *object = s ? NULL : debate_row_object(row);
  if (!answer.text) answer.text = json_null();
  if (!s && (!object || json_object_set(object, "final_answer", answer.text)))
    s = out_of_memory(err);
  json_decref(answer.text);
  if (s) return s;
  if (e->options.query.format == EXPORT_CSV)
    export_csv_debate(out, EXPORT_SUMMARY, false, object);
  else
    export_json_object(out, object);
  return STATUS_OK;
}

static enum status append_whole(struct export *e, const struct loaded_debate *loaded,
                                struct buffer *out, struct error *err) {
  const struct export_query *q = &e->options.query;
  bool alone = e->options.id;
  JSON_LATER json_t *object = loaded_debate_view(loaded);
  if (!object) return out_of_memory(err);
  switch (q->format) {
    case EXPORT_CSV: export_csv_debate(out, q->table, alone, object); return STATUS_OK;
    case EXPORT_MD: export_md_debate(out, object, alone); return STATUS_OK;
    case EXPORT_HTML:
      if (alone) export_html_begin(out, object, e->exported_at);
      export_html_debate(out, object, alone);
      return STATUS_OK;
    default: break;
  }
  return export_json_debate(out, e->store, e->who, object, loaded->debate->last_seq, err);
}

/* A log that cannot be folded, as it is damaged, was emptied, or comes from a later version, does
 * not keep the others from being exported: its row and the reason stand in its place. */
static enum status append_unreadable(struct export *e, const struct store_debate *row,
                                     const char *why, struct buffer *out, struct error *err) {
  JSON_LATER json_t *object = debate_row_object(row);
  if (!object || json_object_set_new(object, "export_error", json_text(bytes_of(why))))
    return out_of_memory(err);
  switch (e->options.query.format) {
    case EXPORT_CSV: return STATUS_OK; /* it has no lines */
    case EXPORT_MD: export_md_unreadable(out, object, why); return STATUS_OK;
    case EXPORT_HTML: export_html_unreadable(out, object, why); return STATUS_OK;
    default: break;
  }
  return export_json_debate(out, e->store, e->who, object, UINT64_MAX, err);
}

/* *ret_there is false when it was deleted meanwhile. */
static enum status append_listed(struct export *e, const struct store_debate *row,
                                 struct buffer *out, bool *ret_there, struct error *err) {
  struct loaded_debate loaded;
  struct error why = {0};
  enum status s;
  *ret_there = true;
  if (e->options.query.table == EXPORT_SUMMARY) {
    s = append_summary(e, row, out, err);
  } else {
    s = loaded_debate_read(e->store, e->who, row->id, &loaded, &why);
    if (s == STATUS_CORRUPT || s == STATUS_UNSUPPORTED)
      return append_unreadable(e, row, why.message, out, err);
    if (s && err) *err = why;
    if (!s) {
      s = append_whole(e, &loaded, out, err);
      loaded_debate_done(&loaded);
    }
  }
  if (s != STATUS_NOT_FOUND) return s;
  *ret_there = false;
  return STATUS_OK;
}

static enum status append_alone(struct export *e, struct buffer *out, struct error *err) {
  struct loaded_debate loaded;
  char file[EXPORT_FILE_NAME_SIZE];
  enum status s = loaded_debate_read(e->store, e->who, e->options.id, &loaded, err);
  if (s) return s;
  if (e->options.stripped) loaded_debate_strip(&loaded);
  const char *slug = loaded.row.slug;
  bool named = slug && id_valid(bytes_of(slug), ID_DEBATE_MAX);
  snprintf(e->name, sizeof e->name, "%s", named ? slug : loaded.row.id);
  if (e->options.query.format == EXPORT_CSV) export_csv_head(out, e->options.query.table, true);
  s = append_whole(e, &loaded, out, err);
  loaded_debate_done(&loaded);
  export_file_name(e, file);
  if (!s && e->options.wrapped && e->options.query.format == EXPORT_JSON)
    s = export_json_wrap(out, file, err);
  e->count = 1;
  return s;
}

/* ---- the whole ---- */

static void append_begin(struct export *e, struct buffer *out) {
  switch (e->options.query.format) {
    case EXPORT_CSV: export_csv_head(out, e->options.query.table, false); break;
    case EXPORT_MD: export_md_begin(out, e->exported_at); break;
    case EXPORT_HTML: export_html_begin(out, NULL, e->exported_at); break;
    default: export_json_begin(out, e->exported_at); break;
  }
}

static void append_end(struct export *e, struct buffer *out) {
  bool alone = e->options.id;
  switch (e->options.query.format) {
    case EXPORT_CSV: break;
    case EXPORT_MD: export_md_end(out, alone ? -1 : (int64_t)e->count, e->exported_at); break;
    case EXPORT_HTML: export_html_end(out, alone ? -1 : (int64_t)e->count, e->exported_at); break;
    default:
      if (!alone) export_json_end(out, e->count);
      break;
  }
}

static enum status step_debate(struct export *e, struct buffer *out, struct error *err) {
  const struct store_debate *row;
  bool there;
  enum status s = next_row(e, &row, err);
  if (s) return s;
  if (!row) {
    e->phase = EXPORT_END;
    return STATUS_OK;
  }
  size_t len = out->len;
  if (e->options.query.format == EXPORT_JSON) export_json_between(out, e->count == 0);
  s = append_listed(e, row, out, &there, err);
  if (s) return s;
  if (there)
    e->count++;
  else if (out->ptr)
    out->ptr[out->len = len] = '\0'; /* the separator, too */
  return STATUS_OK;
}

enum status export_step(struct export *e, struct buffer *out, bool *ret_done, struct error *err) {
  enum status s = STATUS_OK;
  switch (e->phase) {
    case EXPORT_BEGIN:
      e->phase = e->options.id ? EXPORT_END : EXPORT_DEBATES;
      if (e->options.id)
        s = append_alone(e, out, err);
      else
        append_begin(e, out);
      break;
    case EXPORT_DEBATES: s = step_debate(e, out, err); break;
    case EXPORT_END:
      append_end(e, out);
      e->phase = EXPORT_DONE;
      break;
    case EXPORT_DONE: break;
  }
  if (!s && out->overflow) s = error_set(err, STATUS_TOO_LARGE, NULL, "a debate is too large");
  if (s) e->phase = EXPORT_DONE;
  *ret_done = e->phase == EXPORT_DONE;
  return s;
}
