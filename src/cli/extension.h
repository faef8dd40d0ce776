/* More time to start, asked of systemd while something long goes on before the server is ready:
 * "EXTEND_TIMEOUT_USEC" of sd_notify(3), again and again, on a thread of its own since the work has
 * the main one. Without its library in the build, or where nobody asks, nothing.
 */
#ifndef ARAGORA_CLI_EXTENSION_H
#define ARAGORA_CLI_EXTENSION_H

#include "base/status.h"

struct extension;

/* `words` is what systemctl status shows meanwhile. STATUS_NOMEM, STATUS_IO. */
MUST_CHECK enum status extension_start(const char *words, struct extension **ret_extension,
                                       struct error *err);
void extension_stop(struct extension *extension); /* NULL is fine */

#endif
