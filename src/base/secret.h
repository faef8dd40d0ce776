/* Secrets of the environment: NAME holds one, or NAME_FILE names the file that does, so that it
 * stands in no process's environment and on no command line. An empty variable counts as unset.
 * Where neither is set, a credential that the service manager hands over counts
 * (systemd.exec(5), LoadCredential=): the file NAME or aragora_NAME in $CREDENTIALS_DIRECTORY.
 *
 * A file must be a regular one that belongs to this process's user or to root, and that nobody else
 * may read or write (0600, 0400; a credential also 0440, which is what it has where systemd gives
 * the service its right to it by an access control list); one line end at its end is not part of
 * the secret. Errors name the variable and never quote what the file holds. Any thread, as long as
 * nobody calls setenv.
 */
#ifndef ARAGORA_BASE_SECRET_H
#define ARAGORA_BASE_SECRET_H

#include "base/bytes.h"

enum { SECRET_BYTES_MAX = 4096 };

/* *ret_secret is for secret_free, or NULL where neither NAME nor NAME_FILE is set. STATUS_INVALID
 * where both are, or the file may not be trusted or holds no secret; STATUS_IO where it cannot be
 * read; both name the variable in the message. */
MUST_CHECK enum status secret_read(const char *name, char **ret_secret, struct error *err);
/* Of the file `path` that `name` names; the same demands. */
MUST_CHECK enum status secret_read_file(const char *name, const char *path, char **ret_secret,
                                        struct error *err);
void secret_free(char *secret); /* overwrites it first; NULL is fine */

/* Whether `len` bytes are the same, in a time that does not depend on them: the one way to compare
 * a secret, or a digest of one that was brought (scripts/check-secrets). Both have that length;
 * texts of any length are compared by their digests. */
bool secret_equal(const void *a, const void *b, size_t len);

#endif
