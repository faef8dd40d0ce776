#include "ops/export_query.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

enum { DAY_MS = 86400000, SECONDS_DIGITS_MAX = 11 };

static const struct format {
  const char *word, *name, *type;
} formats[] = {
    [EXPORT_JSON] = {"json", "json", "application/json"},
    [EXPORT_CSV] = {"csv", "csv", "text/csv; charset=utf-8"},
    [EXPORT_HTML] = {"html", "html", "text/html; charset=utf-8"},
    [EXPORT_MD] = {"md", "md", "text/markdown; charset=utf-8"},
    {"markdown", "md", ""},
};

static const char *const tables[EXPORT_TABLES] = {
    [EXPORT_FULL] = "full",           [EXPORT_SUMMARY] = "summary", [EXPORT_MESSAGES] = "messages",
    [EXPORT_CRITIQUES] = "critiques", [EXPORT_VOTES] = "votes",     [EXPORT_TURNS] = "turns",
};

/* Ours, and the words of existing clients for the same. "paused" is a state that no
 * debate of ours is in: its list is empty. */
static const char *const statuses[][2] = {
    {"pending", "pending"},     {"created", "pending"},     {"starting", "pending"},
    {"running", "running"},     {"active", "running"},      {"in_progress", "running"},
    {"completed", "completed"}, {"concluded", "completed"}, {"archived", "completed"},
    {"failed", "failed"},       {"error", "failed"},        {"cancelled", "cancelled"},
    {"canceled", "cancelled"},  {"paused", "paused"},
};

const char *export_format_name(enum export_format format) {
  return formats[format].name;
}

const char *export_format_type(enum export_format format) {
  return formats[format].type;
}

const char *export_table_name(enum export_table table) {
  return tables[table];
}

static bool said(const char *word) {
  return word && *word;
}

enum status export_status_read(const char *word, const char **ret_status, struct error *err) {
  *ret_status = NULL;
  if (!said(word) || strcmp(word, "all") == 0) return STATUS_OK;
  for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
    if (strcmp(word, statuses[i][0]) != 0) continue;
    *ret_status = statuses[i][1];
    return STATUS_OK;
  }
  return error_set(err, STATUS_INVALID, "status",
                   "must be pending, running, completed, failed or cancelled");
}

static enum status read_format(const char *word, enum export_format *ret_format,
                               struct error *err) {
  *ret_format = EXPORT_JSON;
  if (!said(word)) return STATUS_OK;
  for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
    if (strcmp(word, formats[i].word) != 0) continue;
    *ret_format = i < EXPORT_FORMATS ? (enum export_format)i : EXPORT_MD;
    return STATUS_OK;
  }
  return error_set(err, STATUS_INVALID, "format",
                   "must be json, csv, html, md or markdown, not \"%.32s\"", word);
}

static bool has_table(enum export_format format, enum export_table table) {
  switch (format) {
    case EXPORT_JSON: return table <= EXPORT_SUMMARY;
    case EXPORT_CSV: return table != EXPORT_FULL;
    default: return table == EXPORT_FULL;
  }
}

static enum status read_table(const char *word, enum export_format format,
                              enum export_table *ret_table, struct error *err) {
  static const char *const allowed[EXPORT_FORMATS] = {
      "full or summary", "summary, messages, critiques, votes or turns", "full", "full"};
  *ret_table = format == EXPORT_CSV ? EXPORT_SUMMARY : EXPORT_FULL;
  if (!said(word)) return STATUS_OK;
  for (enum export_table t = EXPORT_FULL; t < EXPORT_TABLES; t++) {
    if (strcmp(word, tables[t]) != 0 || !has_table(format, t)) continue;
    *ret_table = t;
    return STATUS_OK;
  }
  return error_set(err, STATUS_INVALID, "table", "of %s must be %s, not \"%.32s\"",
                   formats[format].name, allowed[format], word);
}

static bool is_number(const char *word) {
  return *word && strspn(word, "0123456789") == strlen(word);
}

enum status export_time_read(const char *word, const char *field, bool end, int64_t *ret_ms,
                             struct error *err) {
  bool date_only = false;
  *ret_ms = -1;
  if (!said(word)) return STATUS_OK;
  if (is_number(word) && strlen(word) <= SECONDS_DIGITS_MAX) {
    *ret_ms = strtoll(word, NULL, 10) * 1000 + (end ? 999 : 0);
    return STATUS_OK;
  }
  if (!clock_parse_iso(word, ret_ms, &date_only) || *ret_ms < 0)
    return error_set(err, STATUS_INVALID, field,
                     "must be a date or a time such as 2026-11-23T22:37:12Z, or Unix seconds, "
                     "not \"%.40s\"",
                     word);
  if (end && date_only) *ret_ms += DAY_MS - 1;
  return STATUS_OK;
}

static enum status read_limit(const char *word, uint64_t *ret_limit, struct error *err) {
  *ret_limit = 0;
  if (!said(word)) return STATUS_OK;
  if (!is_number(word) || strlen(word) > 15 || !(*ret_limit = strtoull(word, NULL, 10)))
    return error_set(err, STATUS_INVALID, "limit", "must be a whole number from 1, not \"%.32s\"",
                     word);
  return STATUS_OK;
}

enum status export_query_read(const struct export_words *words, struct export_query *ret_query,
                              struct error *err) {
  struct export_query q = {0};
  enum status s = read_format(words->format, &q.format, err);
  if (!s) s = read_table(words->table, q.format, &q.table, err);
  if (!s) s = export_status_read(words->status, &q.status, err);
  if (!s) s = export_time_read(words->since, "since", false, &q.since_ms, err);
  if (!s) s = export_time_read(words->until, "until", true, &q.until_ms, err);
  if (!s) s = read_limit(words->limit, &q.limit, err);
  if (!s && q.until_ms >= 0 && q.since_ms > q.until_ms)
    s = error_set(err, STATUS_INVALID, "since", "must not be later than until");
  if (!s) *ret_query = q;
  return s;
}
