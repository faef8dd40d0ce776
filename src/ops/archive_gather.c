#include "ops/archive_gather.h"

#include "ops/disk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct gathering {
  const struct archive_wanted *wanted;
  const char *into;
  char local[DISK_PATH_MAX]; /* absolute, "" = there is none */
  struct place *own;         /* the same as a place */
  struct shipped shipped;
  struct segment_head head; /* of the chain */
  bool has_head;
  bool reached; /* a segment begins behind the moment: no other is needed */
};

/* ---- a file ---- */

static enum status path_in(const struct gathering *g, const char *chain, const char *name,
                           char out[DISK_PATH_MAX], struct error *err) {
  char relative[CHAIN_SIZE + SEGMENT_NAME_SIZE + 1];
  snprintf(relative, sizeof relative, "%s%s%s", chain, *name ? "/" : "", name);
  return disk_path(g->into, relative, out, err);
}

static enum status link_local(const struct gathering *g, const char *name, struct error *err) {
  char to[DISK_PATH_MAX];
  FREE_LATER char *from = archive_chain_path(g->local, g->wanted->chain, name);
  if (!from) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  enum status s = path_in(g, g->wanted->chain, name, to, err);
  if (!s && symlink(from, to) < 0) s = disk_error(err, "make", to);
  return s;
}

/* As it is now; it may be sealed meanwhile. */
static enum status copy_open(const struct gathering *g, const struct segment_name *name,
                             struct error *err) {
  char key[PLACE_KEY_MAX], to[DISK_PATH_MAX], sealed[SEGMENT_NAME_SIZE];
  snprintf(key, sizeof key, "%s/%s", g->wanted->chain, name->name);
  enum status s = path_in(g, g->wanted->chain, name->name, to, err);
  if (!s) s = shipped_copy(g->own, key, to, g->wanted->progress, NULL, err);
  if (s != STATUS_NOT_FOUND) return s;
  archive_segment_name(name->first, SEGMENT_SEALED, sealed);
  return link_local(g, sealed, err);
}

static enum status fetch(const struct gathering *g, const char *chain, uint64_t first,
                         const char *to, struct error *err) {
  char key[PLACE_KEY_MAX];
  shipped_key(chain, first, key);
  return shipped_copy(g->wanted->place, key, to, g->wanted->progress, NULL, err);
}

static bool is_whole(const struct gathering *g, const struct segment_name *name) {
  struct segment segment;
  struct segment_record record;
  if (archive_load(g->local, g->wanted->chain, name, &segment, NULL)) return false;
  while (!segment_next(&segment, &record)) continue;
  segment_free(&segment);
  return segment.end == SEGMENT_WHOLE;
}

/* ---- the chain ---- */

struct piece { /* a segment: here, in the place, or both */
  uint64_t first;
  const struct segment_name *local;
  bool shipped;
};

/* Both are in order. */
static size_t merge(const struct segment_name *names, size_t count, const struct shipped_chain *c,
                    struct piece *out) {
  size_t i = 0, j = 0, n = 0, shipped = c ? c->count : 0;
  while (i < count || j < shipped) {
    bool here = i < count && (j == shipped || names[i].first <= c->firsts[j]);
    bool there = j < shipped && (i == count || c->firsts[j] <= names[i].first);
    out[n++] = (struct piece){here ? names[i].first : c->firsts[j], here ? &names[i] : NULL, there};
    i += here;
    j += there;
  }
  return n;
}

static enum status take(struct gathering *g, const struct piece *p, struct error *err) {
  char name[SEGMENT_NAME_SIZE], to[DISK_PATH_MAX];
  struct segment_head head;
  bool open = p->local && p->local->form == SEGMENT_OPEN;
  bool remote = p->shipped && (!p->local || open || !is_whole(g, p->local));
  if (remote || !p->local)
    archive_segment_name(p->first, SEGMENT_PACKED, name);
  else
    snprintf(name, sizeof name, "%s", p->local->name);
  enum status s = path_in(g, g->wanted->chain, name, to, err);
  if (!s)
    s = remote ? fetch(g, g->wanted->chain, p->first, to, err)
        : open ? copy_open(g, p->local, err)
               : link_local(g, name, err);
  if (s || segment_load_head(to, &head, NULL))
    return s; /* a damaged one is for the replay to see */
  g->head = head;
  g->has_head = true;
  g->reached = head.previous_ms > g->wanted->until_ms;
  return STATUS_OK;
}

static enum status take_pieces(struct gathering *g, const struct piece *pieces, size_t count,
                               struct error *err) {
  char dir[DISK_PATH_MAX];
  size_t at = 0;
  enum status s = path_in(g, g->wanted->chain, "", dir, err);
  if (!s && mkdir(dir, 0750) < 0) s = disk_error(err, "make the directory", dir);
  while (at + 1 < count && pieces[at + 1].first <= g->wanted->number + 1) at++;
  for (; at < count && !s && !g->reached; at++) s = take(g, &pieces[at], err);
  return s;
}

static enum status gather_chain(struct gathering *g, size_t *ret_segments, struct error *err) {
  struct segment_name *names = NULL;
  size_t count = 0;
  const struct shipped_chain *there = shipped_find(&g->shipped, g->wanted->chain);
  enum status s =
      *g->local ? archive_segments(g->local, g->wanted->chain, &names, &count, err) : STATUS_OK;
  if (s && s != STATUS_NOT_FOUND) return s;
  size_t room = count + (there ? there->count : 0);
  FREE_LATER struct piece *pieces = calloc(room + 1, sizeof *pieces);
  if (!pieces) {
    free(names);
    return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  }
  room = merge(names, count, there, pieces);
  s = room ? take_pieces(g, pieces, room, err) : STATUS_OK;
  free(names);
  if (!s) *ret_segments = room;
  return s;
}

/* ---- the chain that began next ---- */

/* The order of two chains is known within one archive; a place may have those of several machines,
 * of which only the clocks can tell. */
static bool is_later(const struct gathering *g, const struct segment_head *other, bool both_here) {
  return both_here ? other->order > g->head.order : other->begun_ms > g->head.begun_ms;
}

static void offer(const struct gathering *g, const struct segment_head *other, bool both_here,
                  struct segment_head *next) {
  bool earlier = !next->chain[0] || other->begun_ms < next->begun_ms;
  if (strcmp(other->chain, g->head.chain) != 0 && is_later(g, other, both_here) && earlier)
    *next = *other;
}

static enum status offer_local(const struct gathering *g, struct segment_head *next,
                               struct error *err) {
  char(*chains)[CHAIN_SIZE] = NULL;
  size_t count = 0;
  bool here = false;
  enum status s = *g->local ? archive_chains(g->local, &chains, &count, err) : STATUS_OK;
  for (size_t i = 0; i < count; i++) here |= strcmp(chains[i], g->head.chain) == 0;
  for (size_t i = 0; i < count; i++) {
    struct segment_head head;
    if (!archive_load_chain_head(g->local, chains[i], &head)) offer(g, &head, here, next);
  }
  free(chains);
  return s;
}

static enum status offer_shipped(const struct gathering *g, struct segment_head *next,
                                 struct error *err) {
  char to[DISK_PATH_MAX];
  enum status s = disk_path(g->into, "head.seg.zst", to, err);
  for (size_t i = 0; i < g->shipped.count && !s; i++) {
    const struct shipped_chain *c = &g->shipped.chains[i];
    struct segment_head head;
    FREE_LATER char *here = archive_path(*g->local ? g->local : g->into, c->chain);
    if (!here) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
    if (access(here, F_OK) == 0) continue; /* known better here */
    s = fetch(g, c->chain, c->firsts[0], to, err);
    if (s == STATUS_NOT_FOUND) s = STATUS_OK; /* pruned meanwhile */
    if (!s && !segment_load_head(to, &head, NULL)) offer(g, &head, false, next);
    unlink(to);
  }
  return s;
}

/* Its head alone, in the order of these two. */
static enum status put_head(const struct gathering *g, const struct segment_head *next,
                            struct error *err) {
  uint8_t bytes[SEGMENT_HEAD];
  char name[SEGMENT_NAME_SIZE], to[DISK_PATH_MAX];
  struct segment_head head = *next;
  head.order = g->head.order + 1;
  segment_write_head(&head, bytes);
  archive_segment_name(head.first, SEGMENT_SEALED, name);
  enum status s = path_in(g, head.chain, name, to, err);
  if (!s) s = disk_make_parents(to, err);
  return s ? s : disk_write(to, (struct bytes){(const char *)bytes, sizeof bytes}, err);
}

static enum status gather_next(const struct gathering *g, struct error *err) {
  struct segment_head next = {0};
  if (g->reached || !g->has_head) return STATUS_OK;
  enum status s = offer_local(g, &next, err);
  if (!s) s = offer_shipped(g, &next, err);
  return s || !next.chain[0] ? s : put_head(g, &next, err);
}

/* ---- all of it ---- */

static enum status open_local(struct gathering *g, struct error *err) {
  const struct place_settings none = {0};
  FREE_LATER char *path = g->wanted->local ? realpath(g->wanted->local, NULL) : NULL;
  if (!path) return STATUS_OK;
  if (strlen(path) >= sizeof g->local)
    return error_set(err, STATUS_INVALID, NULL, "the path %.128s is too long", path);
  memcpy(g->local, path, strlen(path) + 1);
  return place_open(path, &none, &g->own, err);
}

enum status archive_gather(const struct archive_wanted *wanted, const char *into,
                           size_t *ret_segments, struct error *err) {
  struct gathering g = {.wanted = wanted, .into = into};
  size_t segments = 0;
  enum status s = open_local(&g, err);
  if (!s) s = shipped_read(wanted->place, &g.shipped, err);
  if (!s) s = gather_chain(&g, &segments, err);
  if (!s) s = gather_next(&g, err);
  shipped_done(&g.shipped);
  place_close(g.own);
  if (!s) *ret_segments = segments;
  return s;
}
