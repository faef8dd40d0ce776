/* What is wrong with the configuration, for `aragora config validate` and `aragora doctor`. */
#ifndef ARAGORA_CLI_CONFIG_CHECK_H
#define ARAGORA_CLI_CONFIG_CHECK_H

#include "base/options_load.h"
#include "ops/finding.h"

enum { CONFIG_MISTAKES_MAX = 32 };

/* They are found before the flags are read, which say how to show them. */
struct config_mistakes {
  struct {
    const struct option *row; /* or NULL: of no single one */
    struct error why;
  } list[CONFIG_MISTAKES_MAX];
  size_t count; /* of those that were found; the list ends earlier */
};

/* An options_bad_fn; `ctx` is a struct config_mistakes. */
void config_take_mistake(void *ctx, const struct option *row, const struct error *err);

/* Says on standard error which file was passed over since this user may not read it, if one was. */
void config_tell_unread(const struct options *o);

/* "configuration": the mistakes, whether the server may listen where it is told to, and who may
 * read the files that hold secrets. Says that all is well, where it is. */
void config_check(const struct options *o, const struct config_mistakes *mistakes,
                  const struct findings *to);

#endif
