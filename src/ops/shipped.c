#include "ops/shipped.h"

#include "base/sha256.h"
#include "ops/disk.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PREFIX "archive/"

/* What a segment may have: the reader takes no longer one. */
enum { FILE_MAX_BYTES = 2000000000 };

void shipped_key(const char *chain, uint64_t first, char out[PLACE_KEY_MAX]) {
  char name[SEGMENT_NAME_SIZE];
  archive_segment_name(first, SEGMENT_PACKED, name);
  snprintf(out, PLACE_KEY_MAX, PREFIX "%s/%s", chain, name);
}

static bool parse_key(const char *key, char ret_chain[CHAIN_SIZE], uint64_t *ret_first) {
  struct segment_name name;
  const char *rest = key + strlen(PREFIX), *slash;
  if (strncmp(key, PREFIX, strlen(PREFIX)) != 0 || !(slash = strchr(rest, '/'))) return false;
  if (slash - rest != CHAIN_SIZE - 1) return false;
  memcpy(ret_chain, rest, CHAIN_SIZE - 1);
  ret_chain[CHAIN_SIZE - 1] = 0;
  if (!archive_is_chain(ret_chain) || !archive_parse_name(slash + 1, &name)) return false;
  *ret_first = name.first;
  return name.form == SEGMENT_PACKED;
}

/* ---- the set ---- */

static struct shipped_chain *find(const struct shipped *s, const char *chain) {
  for (size_t i = s->count; i-- > 0;) /* a list mostly has a chain's segments in a row */
    if (memcmp(s->chains[i].chain, chain, CHAIN_SIZE) == 0) return &s->chains[i];
  return NULL;
}

const struct shipped_chain *shipped_find(const struct shipped *s, const char *chain) {
  return find(s, chain);
}

static int by_number(const void *a, const void *b) {
  const uint64_t *x = a, *y = b;
  return *x < *y ? -1 : *x > *y;
}

bool shipped_has(const struct shipped *s, const char *chain, uint64_t first) {
  const struct shipped_chain *c = find(s, chain);
  return c && bsearch(&first, c->firsts, c->count, sizeof first, by_number);
}

static struct shipped_chain *find_or_make(struct shipped *s, const char *chain) {
  struct shipped_chain *c = find(s, chain);
  if (c) return c;
  struct shipped_chain *more = realloc(s->chains, (s->count + 1) * sizeof *more);
  if (!more) return NULL;
  s->chains = more;
  c = &more[s->count++];
  *c = (struct shipped_chain){0};
  memcpy(c->chain, chain, CHAIN_SIZE);
  return c;
}

/* At the end, out of order. */
static enum status append(struct shipped *s, const char *chain, uint64_t first,
                          struct shipped_chain **ret_chain, struct error *err) {
  if (s->segments == SHIPPED_MAX)
    return error_set(err, STATUS_TOO_LARGE, NULL, "there are more than %d segments of the archive",
                     SHIPPED_MAX);
  struct shipped_chain *c = find_or_make(s, chain);
  if (!c) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  if ((c->count & (c->count - 1)) == 0) { /* 0, 1, 2, 4, ...: it is full */
    uint64_t *more = realloc(c->firsts, (c->count ? 2 * c->count : 1) * sizeof *more);
    if (!more) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
    c->firsts = more;
  }
  c->firsts[c->count++] = first;
  s->segments++;
  *ret_chain = c;
  return STATUS_OK;
}

enum status shipped_add(struct shipped *s, const char *chain, uint64_t first, struct error *err) {
  struct shipped_chain *c = NULL;
  if (shipped_has(s, chain, first)) return STATUS_OK;
  enum status status = append(s, chain, first, &c, err);
  if (status || !c) return status;
  for (size_t i = c->count - 1; i > 0 && c->firsts[i - 1] > first; i--) {
    c->firsts[i] = c->firsts[i - 1];
    c->firsts[i - 1] = first;
  }
  return STATUS_OK;
}

void shipped_done(struct shipped *s) {
  for (size_t i = 0; i < s->count; i++) free(s->chains[i].firsts);
  free(s->chains);
  *s = (struct shipped){0};
}

/* ---- the place ---- */

static enum status take_key(void *ctx, const char *key, struct error *err) {
  char chain[CHAIN_SIZE];
  uint64_t first;
  struct shipped_chain *c;
  return parse_key(key, chain, &first) ? append(ctx, chain, first, &c, err) : STATUS_OK;
}

enum status shipped_read(struct place *place, struct shipped *ret_shipped, struct error *err) {
  struct shipped s = {0};
  enum status status = place_list(place, PREFIX, take_key, &s, err);
  if (status) {
    shipped_done(&s);
    return status;
  }
  for (size_t i = 0; i < s.count; i++)
    qsort(s.chains[i].firsts, s.chains[i].count, sizeof *s.chains[i].firsts, by_number);
  *ret_shipped = s;
  return STATUS_OK;
}

struct copying {
  int fd;
  const char *to;
  int64_t bytes;
  struct sha256_stream sha;
  const struct progress *progress;
};

static enum status take_piece(void *ctx, struct bytes piece, struct error *err) {
  struct copying *c = ctx;
  sha256_add(&c->sha, piece);
  c->bytes += (int64_t)piece.len;
  if (c->bytes > FILE_MAX_BYTES)
    return error_set(err, STATUS_CORRUPT, NULL, "%s: is too long for a segment", c->to);
  if (!progress_step(c->progress, "fetching the archive", c->bytes, 0))
    return error_set(err, STATUS_CANCELLED, NULL, "stopped");
  return bytes_write(piece, c->fd) ? STATUS_OK : disk_error(err, "write", c->to);
}

enum status shipped_copy(struct place *place, const char *key, const char *to,
                         const struct progress *progress, struct pack_sums *ret_sums,
                         struct error *err) {
  struct copying c = {.to = to, .progress = progress};
  sha256_start(&c.sha);
  c.fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  if (c.fd < 0) return disk_error(err, "make", to);
  enum status s = place_read(place, key, take_piece, &c, err);
  close(c.fd);
  if (s) {
    unlink(to);
    return s;
  }
  if (!ret_sums) return STATUS_OK;
  *ret_sums = (struct pack_sums){.bytes = c.bytes};
  sha256_finish(&c.sha, ret_sums->sha256);
  return STATUS_OK;
}
