/* Fills the options from everything that may set them but the command line, which
 * options_set_flag reads afterwards: files, then the environment.
 *
 * The variables of the environment file are put into the environment, unless they are set there:
 * the keys of providers, which are no options, come from it too. So this is for the main thread,
 * before the first thread.
 */
#ifndef ARAGORA_BASE_OPTIONS_LOAD_H
#define ARAGORA_BASE_OPTIONS_LOAD_H

#include "base/options.h"

enum { OPTIONS_FILE_MAX = 1 << 20 }; /* bytes of either file */

/* Defaults, then the environment; no file is read. STATUS_INVALID names the variable in
 * err->field. */
MUST_CHECK enum status options_init(struct options *o, struct error *err);

/* The same with the files: --config and --env-file are looked for in the arguments, up to "--",
 * else in the environment. Without --config the first that exists is read of
 * /etc/aragora/aragora.conf and $XDG_CONFIG_HOME/aragora/config ($HOME/.config where that is not
 * set). STATUS_INVALID, for a file's line too, which the message then begins with:
 * "/etc/aragora/aragora.conf:3: "; STATUS_IO for a file that cannot be read. */
MUST_CHECK enum status options_load(struct options *o, int argc, char **argv, struct error *err);

/* The same for who only asks a server: a file that nobody named and that this user may not read
 * (the other names are tried then), and a token's file that one names, are passed over. The first
 * of them is o->config_unread. */
MUST_CHECK enum status options_load_readable(struct options *o, int argc, char **argv,
                                             struct error *err);

/* The same again, but what is wrong is told to `bad`, and does not count; `row` is NULL where it is
 * not about one option. */
typedef void options_bad_fn(void *ctx, const struct option *row, const struct error *err);
MUST_CHECK enum status options_load_leniently(struct options *o, int argc, char **argv,
                                              options_bad_fn *bad, void *ctx, struct error *err);

/* The value of the flag, up to "--"; NULL when it is not there, or has none, which the reader of
 * the arguments says. */
const char *options_flag_value(const char *flag, int argc, char **argv);

#endif
