/* An export as it is made, piece by piece: one debate, or all that match, newest first.
 *
 * Each step reads a page of the list or one debate in a short read of its own, so that nothing
 * holds a state of the database between two steps, however long the reader of the export takes;
 * what is in memory is a page of rows and one debate. Debates that begin after it was opened are
 * not in it. Blocks; one thread at a time.
 */
#ifndef ARAGORA_OPS_EXPORT_H
#define ARAGORA_OPS_EXPORT_H

#include "ops/export_query.h"
#include "store/store.h"

struct export;

struct export_options {
  struct export_query query;
  const char *id; /* id or slug of the one debate; NULL = all that match */
  bool wrapped;   /* one debate as JSON: with format, filename, and the text once more as `data` */
  bool stripped;  /* without what is the owner's alone: of one debate */
  int64_t now_ms; /* Unix time, shown as exported_at */
};

/* `who` lives as long as the export. Reads nothing yet. */
MUST_CHECK enum status export_open(struct store *store, const struct principal *who,
                                   const struct export_options *options, struct export **ret_export,
                                   struct error *err);
void export_close(struct export *e); /* NULL is fine */

/* Appends the next piece, possibly an empty one. STATUS_NOT_FOUND for the one debate,
 * STATUS_TOO_LARGE when `out` has no room for a debate; after a failure the export is over, and
 * what was appended by this step is to be thrown away. */
MUST_CHECK enum status export_step(struct export *e, struct buffer *out, bool *ret_done,
                                   struct error *err);

/* Debates so far. */
uint64_t export_count(const struct export *e);

enum { EXPORT_FILE_NAME_SIZE = 192 };
/* "debates.csv", "debate-SLUG.html"; of one debate after the first step. */
void export_file_name(const struct export *e, char ret_name[EXPORT_FILE_NAME_SIZE]);

#endif
