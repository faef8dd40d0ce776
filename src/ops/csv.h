/* Lines of CSV (RFC 4180): fields with a comma, a quote or a line end are quoted, lines end with
 * CRLF. A text that a spreadsheet would take for a formula gets a ' in front (OWASP ASVS 5.0
 * 1.2.10, and the full-width signs of OWASP's page on CSV injection). Pure; any thread.
 */
#ifndef ARAGORA_OPS_CSV_H
#define ARAGORA_OPS_CSV_H

#include "base/json.h"

struct csv {
  struct buffer *out;
  bool inside; /* the line has a field already */
};

/* Fields of a line, in order. */
void csv_text(struct csv *csv, struct bytes text);
/* A text, a number, true or false; a list of texts with "; " between; nothing for null. */
void csv_value(struct csv *csv, const json_t *value);
void csv_int(struct csv *csv, int64_t value);
void csv_end(struct csv *csv);

/* A line of texts, NULL-terminated. */
void csv_line(struct csv *csv, const char *const *texts);

#endif
