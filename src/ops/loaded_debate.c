#include "ops/loaded_debate.h"

#include "ops/stored_event.h"

#include <stdlib.h>

struct folding {
  struct debate *debate;
  uint8_t head[32];
};

static enum status fold(void *ctx, const struct event *event, const struct store_event *stored,
                        struct error *err) {
  struct folding *f = ctx;
  memcpy(f->head, stored->hash, sizeof f->head);
  return debate_apply(f->debate, event, err);
}

static enum status fold_log(struct store *store, const struct principal *who,
                            struct loaded_debate *loaded, struct error *err) {
  struct folding f = {.debate = loaded->debate};
  enum status s = stored_event_each(store, who, loaded->row.id, fold, &f, err);
  if (s) return s;
  bytes_to_hex(f.head, sizeof f.head, loaded->head_hash);
  return STATUS_OK;
}

enum status loaded_debate_read(struct store *store, const struct principal *who,
                               const char *id_or_slug, struct loaded_debate *ret_loaded,
                               struct error *err) {
  struct loaded_debate loaded = {0};
  enum status s = store_get_debate(store, who, id_or_slug, &loaded.row, err);
  if (s) return s;
  loaded.debate = debate_create(true);
  s = loaded.debate ? fold_log(store, who, &loaded, err)
                    : error_set(err, STATUS_NOMEM, NULL, "out of memory");
  if (s)
    loaded_debate_done(&loaded);
  else
    *ret_loaded = loaded;
  return s;
}

void loaded_debate_done(struct loaded_debate *loaded) {
  store_debate_done(&loaded->row);
  debate_destroy(loaded->debate);
  *loaded = (struct loaded_debate){0};
}

void loaded_debate_strip(struct loaded_debate *loaded) {
  free(loaded->row.metadata);
  loaded->row.metadata = NULL;
}

json_t *loaded_debate_view(const struct loaded_debate *loaded) {
  struct view_extra extra = {.id = loaded->row.id,
                             .status = loaded->row.status,
                             .slug = loaded->row.slug,
                             .metadata = loaded->row.metadata,
                             .head_hash = loaded->head_hash,
                             .is_public = loaded->row.is_public};
  return view_debate(loaded->debate, &extra);
}
