/* Variables of an environment file on their way into the environment of the process, whose own
 * win. Main thread, before the first thread. */
#ifndef ARAGORA_BASE_ENV_VARS_H
#define ARAGORA_BASE_ENV_VARS_H

#include "base/env_file.h"

enum { ENV_NAME_MAX = 255, ENV_VARS_MAX = 4096 };

struct env_vars { /* those that came from the file; all zero at the start */
  struct {
    char name[ENV_NAME_MAX + 1];
    int line;
  } * list;
  size_t count;
};

/* Sets the variable, unless the process has it, or the other one of NAME and NAME_FILE, which are
 * two ways to one thing. Of one name in several lines the last counts. STATUS_INVALID,
 * STATUS_TOO_LARGE for the name and the number, STATUS_NOMEM. */
MUST_CHECK enum status env_vars_take(struct env_vars *vars, const struct env_file *file,
                                     struct error *err);
/* The line that set it; 0 when the process had it, or nobody. */
int env_vars_line(const struct env_vars *vars, const char *name);
void env_vars_done(struct env_vars *vars);

/* The environment as it was before the first variable of a file, to start a program with; the
 * strings belong to the process. */
char *const *env_vars_before(void);

#endif
