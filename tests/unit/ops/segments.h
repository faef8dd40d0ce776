/* Segments of an archive, made by hand: records without changes. */
#ifndef TESTS_OPS_SEGMENTS_H
#define TESTS_OPS_SEGMENTS_H

#include "ops/shipped.h"

/* Its records are committed at previous_ms + 1, + 2, and so on. */
struct test_segment {
  const char *chain;
  uint64_t first;
  size_t records;
  int64_t previous_ms, begun_ms;
  uint64_t order;
};

/* Under DIR/CHAIN, which is made. */
void segment_make(const char *dir, const struct test_segment *segment, enum segment_form form);
/* Into the place, compressed. */
void segment_ship(struct place *place, const struct test_segment *segment);

#endif
