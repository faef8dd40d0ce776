/* A debate read back from the store: its row, and its log checked and folded. Blocks; main thread.
 */
#ifndef ARAGORA_CLI_ARCHIVE_H
#define ARAGORA_CLI_ARCHIVE_H

#include "debate/check.h"
#include "store/store.h"

struct archive {
  struct store_debate row;
  struct store_tombstone tombstone; /* debate_id NULL = the content is there */
  struct check *check;
  struct check_result result;
};

/* By id or slug; of a deleted debate, by id, `row` has the id and the status alone. A log that is
 * wrong is a result, not an error. */
MUST_CHECK enum status archive_read(struct store *store, const char *id_or_slug,
                                    struct archive *ret_archive, struct error *err);
void archive_done(struct archive *archive);
/* The debate object; NULL when memory is short or there is no state to show. */
json_t *archive_view(const struct archive *archive);

#endif
