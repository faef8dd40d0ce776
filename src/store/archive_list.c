#include "store/archive_list.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* --- the list ------------------------------------------------------------------------------- */

/* Up to where the records of the last segment go. */
static enum status find_last(const char *dir, struct archive_chain *chain,
                             const struct segment_name *name, struct error *err) {
  struct segment s;
  struct segment_record record;
  enum status status = archive_load(dir, chain->chain, name, &s, err);
  if (status) return status;
  chain->last = s.head.first - 1;
  chain->last_ms = s.head.previous_ms;
  while (!segment_next(&s, &record)) {
    chain->last = record.number;
    chain->last_ms = record.ts_ms;
  }
  chain->torn = s.end != SEGMENT_WHOLE;
  segment_free(&s);
  return STATUS_OK;
}

static enum status find_first(const char *dir, struct archive_chain *chain, struct error *err) {
  struct segment_head head;
  if (archive_load_chain_head(dir, chain->chain, &head))
    return error_set(err, STATUS_CORRUPT, NULL, "%s/%s: no segment of it can be read", dir,
                     chain->chain);
  chain->begun_ms = head.begun_ms;
  chain->order = head.order;
  chain->first = head.first;
  chain->first_ms = head.previous_ms;
  return STATUS_OK;
}

static enum status look_at_chain(const char *dir, struct archive_chain *chain, struct error *err) {
  struct segment_name *names;
  enum status status = archive_segments(dir, chain->chain, &names, &chain->segments, err);
  if (status) return status;
  for (size_t i = 0; i < chain->segments; i++) {
    chain->bytes += archive_segment_bytes(dir, chain->chain, &names[i]);
    chain->sealed += names[i].form != SEGMENT_OPEN;
  }
  if (chain->segments) status = find_first(dir, chain, err);
  if (!status && chain->segments) status = find_last(dir, chain, &names[chain->segments - 1], err);
  free(names);
  return status;
}

static int by_begin(const void *a, const void *b) {
  const struct archive_chain *x = a, *y = b;
  return x->order < y->order ? -1 : x->order > y->order;
}

enum status archive_list(const char *dir, archive_chain_fn *each, void *ctx, struct error *err) {
  char(*ids)[CHAIN_SIZE];
  size_t count;
  enum status status = archive_chains(dir, &ids, &count, err);
  if (status) return status;
  struct archive_chain *chains = calloc(count + 1, sizeof *chains);
  if (!chains) {
    free(ids);
    return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  }
  for (size_t i = 0; !status && i < count; i++) {
    memcpy(chains[i].chain, ids[i], CHAIN_SIZE);
    status = look_at_chain(dir, &chains[i], err);
  }
  if (!status) qsort(chains, count, sizeof *chains, by_begin);
  bool go_on = true;
  for (size_t i = 0; !status && go_on && i < count; i++)
    if (chains[i].segments) go_on = each(ctx, &chains[i]);
  free(chains);
  free(ids);
  return status;
}

/* --- the check ------------------------------------------------------------------------------ */

struct verifier {
  const char *dir;
  archive_problem_fn *each;
  void *ctx;
  struct archive_verified found;
};

static void PRINTF_LIKE(2, 3) tell(struct verifier *v, const char *format, ...) {
  char text[640];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);  // NOLINT(clang-analyzer-valist.Uninitialized): it is
  va_end(args);
  v->found.problems++;
  v->each(v->ctx, text);
}

/* One segment; `next` is the one behind it in the chain, or NULL. */
static void verify_segment(struct verifier *v, const char *chain, const struct segment_name *name,
                           const struct segment_name *next) {
  struct segment s;
  struct segment_record record;
  struct error err;
  bool open = name->form == SEGMENT_OPEN;
  v->found.segments++;
  v->found.bytes += archive_segment_bytes(v->dir, chain, name);
  if (archive_load(v->dir, chain, name, &s, &err)) {
    tell(v, "%s", err.message);
    return;
  }
  while (!segment_next(&s, &record))
    if (!next || record.number < next->first) v->found.commits++;
  bool goes_on = next && (s.next == next->first || s.next == next->first + 1); /* one may be void */
  if (s.end == SEGMENT_BAD && !goes_on)
    tell(v, "%s/%s/%s: is damaged: the record of commit %" PRIu64 " is not what was written",
         v->dir, chain, name->name, s.next);
  else if (s.end == SEGMENT_TORN && !goes_on && !open)
    tell(v, "%s/%s/%s: ends in the middle of the record of commit %" PRIu64, v->dir, chain,
         name->name, s.next);
  else if (next && !goes_on)
    tell(v, "%s/%s: commits %" PRIu64 " to %" PRIu64 " are missing", v->dir, chain, s.next,
         next->first - 1);
  segment_free(&s);
}

enum status archive_verify(const char *dir, archive_problem_fn *each, void *ctx,
                           struct archive_verified *ret_verified, struct error *err) {
  struct verifier v = {.dir = dir, .each = each, .ctx = ctx};
  char(*ids)[CHAIN_SIZE];
  size_t count;
  enum status status = archive_chains(dir, &ids, &count, err);
  if (status) return status;
  for (size_t i = 0; !status && i < count; i++) {
    struct segment_name *names;
    size_t segments;
    status = archive_segments(dir, ids[i], &names, &segments, err);
    if (status) break;
    v.found.chains += segments > 0;
    for (size_t n = 0; n < segments; n++)
      verify_segment(&v, ids[i], &names[n], n + 1 < segments ? &names[n + 1] : NULL);
    free(names);
  }
  free(ids);
  if (!status) *ret_verified = v.found;
  return status;
}
