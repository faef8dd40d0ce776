/* What an export is asked for, in words and as data. Pure; any thread. */
#ifndef ARAGORA_OPS_EXPORT_QUERY_H
#define ARAGORA_OPS_EXPORT_QUERY_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

enum export_format { EXPORT_JSON, EXPORT_CSV, EXPORT_HTML, EXPORT_MD, EXPORT_FORMATS };

enum export_table {
  EXPORT_FULL, /* the whole debate */
  EXPORT_SUMMARY,
  EXPORT_MESSAGES, /* the rest: CSV alone */
  EXPORT_CRITIQUES,
  EXPORT_VOTES,
  EXPORT_TURNS,
  EXPORT_TABLES
};

struct export_query {
  enum export_format format;
  enum export_table table;
  const char *status;         /* of the list; NULL = any */
  int64_t since_ms, until_ms; /* when it began, both included; -1 = no bound */
  uint64_t limit;             /* debates at most, newest first; 0 = all */
};

/* As a caller wrote it; NULL and "" = not said. */
struct export_words {
  const char *format; /* json, csv, html, md or markdown; default json */
  const char *table;  /* default: of CSV the summary, else the whole */
  const char *status;
  const char *since, *until; /* see clock_parse_iso, or Unix seconds; a bare date ends a day */
  const char *limit;
};

/* One of the times: -1 for NULL and ""; `end` = the last moment of what is named. */
MUST_CHECK enum status export_time_read(const char *word, const char *field, bool end,
                                        int64_t *ret_ms, struct error *err);

/* STATUS_INVALID names the field, and says what is allowed. Borrows nothing. */
MUST_CHECK enum status export_query_read(const struct export_words *words,
                                         struct export_query *ret_query, struct error *err);

/* "json", "csv", "html", "md"; also the end of a file's name. */
const char *export_format_name(enum export_format format);
const char *export_format_type(enum export_format format); /* Content-Type */
const char *export_table_name(enum export_table table);

/* The status that a word means, ours or one of existing clients: *ret_status is NULL for "all" and
 * for no word at all. */
MUST_CHECK enum status export_status_read(const char *word, const char **ret_status,
                                          struct error *err);

#endif
