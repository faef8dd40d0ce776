#include "cli/archive.h"

#include "debate/view.h"

static bool feed_event(void *ctx, const struct store_event *event) {
  struct check_line line = {event->seq,  event->type, event->ts_ms, event->round, event->agent,
                            event->data, {0},         {0},          {0}};
  memcpy(line.salt, event->salt, sizeof line.salt);
  memcpy(line.digest, event->digest, sizeof line.digest);
  memcpy(line.hash, event->hash, sizeof line.hash);
  return check_feed(ctx, &line);
}

static enum status read_tombstone(struct store *store, const struct principal *who, const char *id,
                                  struct archive *a, struct error *err) {
  enum status s = store_get_tombstone(store, who, id, &a->tombstone, err);
  if (s) return s;
  a->row.id = bytes_dup(bytes_of(a->tombstone.debate_id));
  a->row.status = bytes_dup(bytes_of(a->tombstone.status));
  return a->row.id && a->row.status ? STATUS_OK
                                    : error_set(err, STATUS_NOMEM, NULL, "out of memory");
}

enum status archive_read(struct store *store, const char *id_or_slug, struct archive *ret_archive,
                         struct error *err) {
  const struct principal who = PRINCIPAL_LOCAL;
  struct archive a = {.check = check_create()};
  if (!a.check) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  enum status s = store_get_debate(store, &who, id_or_slug, &a.row, err);
  if (s == STATUS_NOT_FOUND) s = read_tombstone(store, &who, id_or_slug, &a, err);
  if (s) {
    archive_done(&a);
    if (s == STATUS_NOT_FOUND)
      return error_set(err, s, NULL, "there is no debate \"%.128s\"", id_or_slug);
    return s;
  }
  s = store_read_events(store, &who, a.row.id, 0, 0, feed_event, a.check, err);
  if (s) {
    archive_done(&a);
    return s;
  }
  check_finish(a.check, &a.result);
  *ret_archive = a;
  return STATUS_OK;
}

void archive_done(struct archive *archive) {
  check_destroy(archive->check);
  store_debate_done(&archive->row);
  store_tombstone_done(&archive->tombstone);
}

json_t *archive_view(const struct archive *a) {
  struct view_extra extra = {.id = a->row.id,
                             .status = a->row.status,
                             .slug = a->row.slug,
                             .metadata = a->row.metadata,
                             .head_hash = a->result.head_hash,
                             .is_public = a->row.is_public};
  return view_debate(check_state(a->check), &extra);
}
