/* What lies in an archive's directory: DIR/CHAIN/NUMBER.seg, where NUMBER is the segment's first
 * commit in 20 digits. "NUMBER.part" is one that is being written, "NUMBER.seg.zst" one that was
 * compressed. Anything else is left alone. Any thread.
 */
#ifndef ARAGORA_STORE_ARCHIVE_DIR_H
#define ARAGORA_STORE_ARCHIVE_DIR_H

#include "store/segment.h"

enum segment_form { SEGMENT_SEALED, SEGMENT_PACKED, SEGMENT_OPEN };

struct segment_name {
  uint64_t first;
  enum segment_form form;
  char name[SEGMENT_NAME_SIZE];
};

/* "DIR/NAME" or "DIR/CHAIN/NAME" for free(); NULL when memory is short. */
char *archive_path(const char *dir, const char *name);
char *archive_chain_path(const char *dir, const char *chain, const char *name);
void archive_segment_name(uint64_t first, enum segment_form form, char out[SEGMENT_NAME_SIZE]);

bool archive_is_chain(const char *name);
/* False for what is no segment's name. */
bool archive_parse_name(const char *name, struct segment_name *ret_name);

/* The chains, in the order of their names; the array is for free(). None when there is no
 * directory. */
MUST_CHECK enum status archive_chains(const char *dir, char (**ret_chains)[CHAIN_SIZE],
                                      size_t *ret_count, struct error *err);
/* A chain's segments, by their first commit; of several forms of one the first of the enum. One may
 * be sealed or pruned meanwhile; no file is looked at, since there may be tens of thousands. The
 * array is for free(). STATUS_NOT_FOUND without such a directory. */
MUST_CHECK enum status archive_segments(const char *dir, const char *chain,
                                        struct segment_name **ret_segments, size_t *ret_count,
                                        struct error *err);
/* Of the file; 0 when it is gone. */
uint64_t archive_segment_bytes(const char *dir, const char *chain, const struct segment_name *name);
/* segment_load of one of them; STATUS_CORRUPT when its head does not say the same as its place. */
MUST_CHECK enum status archive_load(const char *dir, const char *chain,
                                    const struct segment_name *name, struct segment *ret_segment,
                                    struct error *err);

/* The head of a chain's first segment that can be read; STATUS_NOT_FOUND when there is none. */
MUST_CHECK enum status archive_load_chain_head(const char *dir, const char *chain,
                                               struct segment_head *ret_head);

#endif
