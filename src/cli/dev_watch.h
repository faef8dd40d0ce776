/* `aragora server --dev`: the program and the files of its configuration, watched; when one of them
 * changes the server starts anew as the same process, and its debates go on from their logs.
 *
 * Before that the new program must say its version and find nothing wrong with the configuration: a
 * half-written program or a mistake in a file leaves the old process running, and a line in the
 * log. Main thread.
 */
#ifndef ARAGORA_CLI_DEV_WATCH_H
#define ARAGORA_CLI_DEV_WATCH_H

#include "base/options.h"

struct dev_watch;

/* argv as the command got it, argv[0] being its name; it must live on. STATUS_IO, STATUS_NOMEM. */
MUST_CHECK enum status dev_watch_open(const struct options *o, int argc, char **argv,
                                      struct dev_watch **ret_watch, struct error *err);
/* Readable when something happened; -1 for NULL. */
int dev_watch_fd(const struct dev_watch *watch);
/* Until dev_watch_is_due should be asked, -1 = nothing is pending; also for NULL. */
int dev_watch_timeout_ms(const struct dev_watch *watch);
/* True when something changed, has been quiet for a moment, and passed the checks, which take up to
 * some seconds. False for NULL. */
bool dev_watch_is_due(struct dev_watch *watch);
/* Becomes the new program, on these ports, or on those that the settings name now where they have
 * changed; what the old one held must be closed. Comes back when that is not possible, with the
 * reason in the log. */
void dev_watch_restart(const struct dev_watch *watch, int port, int ws_port);
void dev_watch_close(struct dev_watch *watch);

#endif
