/* One file of the archive: a head, then one record a commit.
 *
 * Numbers are little-endian. Head (72 bytes): "ARASEG1\n", version u32, schema u32, chain (16
 * bytes), first number u64, time of the commit before it i64, time when the chain began i64,
 * place of the chain in its archive u64, XXH3-64 of all that u64. Record: XXH3-64 of all that
 * follows u64, number u64, time i64, length u32, the low half of the XXH3-64 of these 20 bytes u32
 * (so that a wrong length is seen), the patchset. Times are Unix milliseconds and never decrease
 * along a chain.
 *
 * Any thread; a struct segment belongs to one.
 */
#ifndef ARAGORA_STORE_SEGMENT_H
#define ARAGORA_STORE_SEGMENT_H

#include "base/bytes.h"
#include "store/position.h"

#include <sys/uio.h>

enum { SEGMENT_HEAD = 72, RECORD_HEAD = 32, SEGMENT_VERSION = 1, SEGMENT_NAME_SIZE = 32 };

struct segment_head {
  char chain[CHAIN_SIZE];
  uint32_t schema;
  uint64_t first;      /* number of its first record */
  int64_t previous_ms; /* when number first - 1 was committed */
  int64_t begun_ms;    /* when the chain began */
  uint64_t order;      /* of the chains of one archive: later ones have more, whatever clocks do */
};

struct segment_record {
  uint64_t number;
  int64_t ts_ms;
  struct bytes changes; /* in the segment's memory */
};

/* How a segment ends. */
enum segment_end {
  SEGMENT_WHOLE, /* after a record */
  SEGMENT_TORN,  /* in the middle of one: written when the process or the machine stopped */
  SEGMENT_BAD    /* a record whose hash is wrong */
};

/* `chain` must be 32 hexadecimal digits. */
void segment_write_head(const struct segment_head *head, uint8_t out[SEGMENT_HEAD]);
/* The head of a record whose patchset is in `pieces`. */
void segment_write_record(uint64_t number, int64_t ts_ms, const struct iovec *pieces, size_t count,
                          uint8_t out[RECORD_HEAD]);

/* A segment in memory, to be read record by record. */
struct segment {
  struct segment_head head;
  struct buffer bytes;  /* what it was read from, uncompressed */
  size_t at;            /* of the next record */
  uint64_t next;        /* its number */
  enum segment_end end; /* once segment_next has answered STATUS_NOT_FOUND */
};

/* Reads a whole file, through zstd when its name ends in ".zst". STATUS_CORRUPT when the head is
 * not one, or the compressed bytes are damaged; STATUS_NOT_FOUND, STATUS_IO, STATUS_TOO_LARGE. */
MUST_CHECK enum status segment_load(const char *path, struct segment *ret_segment,
                                    struct error *err);
/* The same of the head alone, without reading on. */
MUST_CHECK enum status segment_load_head(const char *path, struct segment_head *ret_head,
                                         struct error *err);
void segment_free(struct segment *segment);
/* The next record, whole and with the next number; STATUS_NOT_FOUND at the end, or where the rest
 * cannot be read: segment->end tells. */
MUST_CHECK enum status segment_next(struct segment *segment, struct segment_record *ret_record);

#endif
