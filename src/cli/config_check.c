#include "cli/config_check.h"

#include "cli/exposure.h"

#include <stdio.h>
#include <sys/stat.h>

enum { FIX_SIZE = 192, MODE_OF_ALL = 07 };

void config_take_mistake(void *ctx, const struct option *row, const struct error *err) {
  struct config_mistakes *m = ctx;
  if (m->count < CONFIG_MISTAKES_MAX) {
    m->list[m->count].row = row;
    m->list[m->count].why = *err;
  }
  m->count++;
}

static void tell_mistake(const struct option *row, const struct error *why,
                         const struct findings *to) {
  char fix[FIX_SIZE];
  bool of_process = row && row->variable && strcmp(row->variable, why->field) == 0;
  if (of_process)
    snprintf(fix, sizeof fix, "correct %s, or unset it", row->variable);
  else
    snprintf(fix, sizeof fix, "correct the file, or name another");
  finding_tell(to, FINDING_FAIL, "configuration", fix, "%s", why->message);
}

void config_tell_unread(const struct options *o) {
  if (o->config_unread)
    fprintf(stderr, "aragora: going on without %s, which this user may not read\n",
            o->config_unread);
}

/* Keys of providers stand in it, most of all. */
static void check_rights(const char *env_file, const struct findings *to) {
  struct stat st;
  char fix[FIX_SIZE];
  if (!env_file || stat(env_file, &st) < 0 || !S_ISREG(st.st_mode)) return;
  if (!(st.st_mode & MODE_OF_ALL)) return;
  snprintf(fix, sizeof fix, "chmod 0640 %.128s", env_file);
  finding_tell(to, FINDING_WARN, "configuration", fix,
               "%s has mode %04o: everybody on this machine may read it, and it is the place for "
               "keys",
               env_file, (unsigned)st.st_mode & 07777);
}

void config_check(const struct options *o, const struct config_mistakes *m,
                  const struct findings *to) {
  struct error err = {0};
  for (size_t i = 0; i < m->count && i < CONFIG_MISTAKES_MAX; i++)
    tell_mistake(m->list[i].row, &m->list[i].why, to);
  if (m->count > CONFIG_MISTAKES_MAX)
    finding_tell(to, FINDING_FAIL, "configuration", NULL, "and %zu more",
                 m->count - CONFIG_MISTAKES_MAX);
  if (o->config_unread)
    finding_tell(to, FINDING_FAIL, "configuration", "ask again as a user who may read it",
                 "this user may not read %s", o->config_unread);
  check_rights(o->env_file, to);
  if (exposure_check(o, &err))
    finding_tell(to, FINDING_FAIL, "configuration", NULL, "%s", err.message);
  else if (!m->count && !o->config_unread)
    finding_tell(to, FINDING_OK, "configuration", NULL,
                 "every option has a value that it can have%s%s", o->config ? ", with " : "",
                 o->config ? o->config : "");
}
