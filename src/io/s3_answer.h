/* The XML that an S3-compatible store answers with (S3 API reference, ListObjectsV2 and "REST error
 * responses"). Pure; any thread. */
#ifndef ARAGORA_IO_S3_ANSWER_H
#define ARAGORA_IO_S3_ANSWER_H

#include "base/bytes.h"

enum { S3_KEY_SIZE = 1025, S3_TOKEN_SIZE = 2049, S3_CODE_SIZE = 64, S3_MESSAGE_SIZE = 256 };

struct s3_object {
  const char *key;
  int64_t modified_ms; /* when it was put, wall clock; -1 where the list does not say */
};

/* One page of a list. each(ctx, object) is called while it is read. STATUS_CORRUPT for what is no
 * such page; else what `each` answered. */
struct s3_page {
  bool truncated;
  char token[S3_TOKEN_SIZE]; /* of the next page */
};
typedef enum status s3_object_fn(void *ctx, const struct s3_object *object, struct error *err);
MUST_CHECK enum status s3_answer_read_page(struct bytes data, s3_object_fn *each, void *ctx,
                                           struct s3_page *ret_page, struct error *err);

/* "" where the text does not say. */
struct s3_refusal {
  char code[S3_CODE_SIZE];
  char message[S3_MESSAGE_SIZE];
};
void s3_answer_read_refusal(struct bytes data, struct s3_refusal *ret_refusal);

#endif
