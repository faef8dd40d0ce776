/* The options as they are in force, for people and programs, without secrets. Any thread. */
#ifndef ARAGORA_BASE_OPTIONS_VIEW_H
#define ARAGORA_BASE_OPTIONS_VIEW_H

#include "base/json.h"
#include "base/options.h"

/* {"files": {"config", "env_file"}, "settings": {"port": {"value", "origin", "name", "file",
 * "line"}, ...}}: every setting once, under its first name in lower case. `value` is null where
 * nothing is set, and for a secret, which has "secret": true and "set". NULL when memory is short.
 */
json_t *options_view(const struct options *o);

/* The name under which the row is shown, "PORT", written to `out`. */
enum { OPTION_NAME_SIZE = 64 };
void options_view_name(const struct option *row, char out[OPTION_NAME_SIZE]);
/* Its value as a file would have it; nothing where it is not set, and for a secret. */
void options_view_append(const struct options *o, const struct option *row, struct buffer *out);
/* "default", "flag --port", "environment ARAGORA_PORT", "/etc/aragora/aragora.conf:3 HTTP_PORT". */
void options_view_append_source(const struct options *o, const struct option *row,
                                struct buffer *out);
/* True where a secret has a value. */
bool options_view_has_secret(const struct options *o, const struct option *row);

#endif
