/* A bucket of an S3-compatible store: put, get, list, delete. Blocks; one thread at a time.
 *
 * Requests are signed with AWS Signature Version 4 by libcurl (docs.aws.amazon.com, S3 API
 * reference, "Authenticating Requests"). Credentials come from AWS_ACCESS_KEY_ID,
 * AWS_SECRET_ACCESS_KEY and, where it is set, AWS_SESSION_TOKEN, or the files that their _FILE
 * variables name (base/secret.h); nothing logs or repeats them. What a server or the network fails
 * at for a moment (5xx, 429, a broken connection, a minute of silence) is tried again, five times
 * in all.
 */
#ifndef ARAGORA_IO_S3_H
#define ARAGORA_IO_S3_H

#include "io/s3_answer.h"

struct s3;

struct s3_options {
  const char *bucket;
  const char
      *endpoint; /* "https://host[:port]": requests are ENDPOINT/BUCKET/KEY; NULL = Amazon's */
  const char *region;
  bool (*go_on)(void *ctx); /* asked several times a second; false = STATUS_CANCELLED; or NULL */
  void *ctx;
};

/* Of one object in one request, as the API allows it. */
#define S3_OBJECT_MAX (5LL << 30)

/* Copies the options. STATUS_INVALID names what is wrong with them, or which variable is missing;
 * nothing is sent yet. */
MUST_CHECK enum status s3_open(const struct s3_options *options, struct s3 **ret_s3,
                               struct error *err);
void s3_close(struct s3 *s3); /* NULL is fine */

/* Keys are UTF-8 of at most 1024 bytes. Every answer that is no success says what the store said:
 * STATUS_DENIED for a refused signature or right, STATUS_NOT_FOUND, STATUS_UNAVAILABLE for what
 * failed all five times. */

/* Sends the file, whose SHA-256 the store checks. STATUS_TOO_LARGE beyond S3_OBJECT_MAX.
 * `storage_class` may be NULL. */
MUST_CHECK enum status s3_put(struct s3 *s3, const char *key, const char *path,
                              const uint8_t sha256[32], const char *storage_class,
                              struct error *err);

/* Gives the object in pieces to each(ctx, piece), and goes on behind the last one after a broken
 * connection. Another status than STATUS_OK ends it and is the answer. */
typedef enum status s3_piece_fn(void *ctx, struct bytes piece, struct error *err);
MUST_CHECK enum status s3_get(struct s3 *s3, const char *key, s3_piece_fn *each, void *ctx,
                              struct error *err);

/* Calls each(ctx, object) for every object whose key has the prefix, in the keys' order, likewise.
 */
MUST_CHECK enum status s3_list(struct s3 *s3, const char *prefix, s3_object_fn *each, void *ctx,
                               struct error *err);

/* A key that is not there is fine. */
MUST_CHECK enum status s3_delete(struct s3 *s3, const char *key, struct error *err);

#endif
