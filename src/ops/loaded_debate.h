/* A debate read from the store: its row, and its log folded. Blocks; pool threads, and the command
 * line. One owner. */
#ifndef ARAGORA_OPS_LOADED_DEBATE_H
#define ARAGORA_OPS_LOADED_DEBATE_H

#include "debate/view.h"
#include "store/store.h"

struct loaded_debate {
  struct store_debate row;
  struct debate *debate; /* with history */
  char head_hash[65];    /* of the last event folded */
};

/* By id or slug. STATUS_NOT_FOUND; STATUS_CORRUPT and STATUS_UNSUPPORTED of the fold. */
MUST_CHECK enum status loaded_debate_read(struct store *store, const struct principal *who,
                                          const char *id_or_slug, struct loaded_debate *ret_loaded,
                                          struct error *err);
void loaded_debate_done(struct loaded_debate *loaded);

/* Takes out what is its owner's alone: the metadata that it was started with. */
void loaded_debate_strip(struct loaded_debate *loaded);

/* The debate object; NULL when memory is short. */
json_t *loaded_debate_view(const struct loaded_debate *loaded);

#endif
