/* A file compressed with zstd, and back: streamed, with the checksum of the format and SHA-256 of
 * both sides, in bounded memory. Any thread. */
#ifndef ARAGORA_OPS_PACK_H
#define ARAGORA_OPS_PACK_H

#include "base/bytes.h"
#include "ops/progress.h"

struct pack_sums {
  int64_t raw_bytes, bytes;
  uint8_t raw_sha256[32], sha256[32];
};

enum { PACK_LEVEL = 3 }; /* 1 to 19; zstd's own default */

/* Makes the file `to` (mode 0640), on disk. Nothing is left of it when this fails. */
MUST_CHECK enum status pack_file(const char *from, const char *to, const char *what,
                                 const struct progress *progress, struct pack_sums *ret_sums,
                                 struct error *err);

/* The other way, for bytes that come in pieces. */
struct unpack;
/* Makes the file `to` (mode 0640); NULL = none, for the sums alone. More than max_raw_bytes is
 * STATUS_CORRUPT. One that is only
 * looked at and removed again need not be `durable`, which costs as many writes as it has bytes. */
MUST_CHECK enum status unpack_create(const char *to, int64_t max_raw_bytes, bool durable,
                                     struct unpack **ret_unpack, struct error *err);
/* STATUS_CORRUPT for what is no zstd or fails its checksum. */
MUST_CHECK enum status unpack_feed(struct unpack *unpack, struct bytes piece, struct error *err);
/* The file is whole, and on disk where it is durable. STATUS_CORRUPT when the end is missing. */
MUST_CHECK enum status unpack_finish(struct unpack *unpack, struct pack_sums *ret_sums,
                                     struct error *err);
/* Also after unpack_finish. Removes the file unless that succeeded. NULL is fine. */
void unpack_destroy(struct unpack *unpack);

#endif
