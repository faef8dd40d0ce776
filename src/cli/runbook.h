/* What the operations runbook (docs/runbook.md) names, as a table of checks of a live server, and
 * those who check. Nothing here changes anything. Main thread; blocks.
 */
#ifndef ARAGORA_CLI_RUNBOOK_H
#define ARAGORA_CLI_RUNBOOK_H

#include "base/options.h"
#include "cli/remote.h"

enum runbook_kind {
  RUNBOOK_JSON,      /* GET target, whose JSON has the fields of `expect` (runbook_fields.c) */
  RUNBOOK_HEAD,      /* HEAD target answers 200 */
  RUNBOOK_METRIC,    /* target is a metric of the type `expect` */
  RUNBOOK_ALERT,     /* the metrics of `expect` have series; two of them with the same labels */
  RUNBOOK_WEBSOCKET, /* the handshake on the second port */
  RUNBOOK_DATABASE,  /* target "memory" or "elo": there, in WAL mode, and whole */
  RUNBOOK_LOG,       /* the log file is JSON lines that have the keys of `expect` */
  RUNBOOK_VARIABLE,  /* this program reads the variable `target` */
  RUNBOOK_FILE,      /* the file `target` of the distribution, which is JSON or text */
  RUNBOOK_PROGRAM,   /* the program `target` of the machine */
  RUNBOOK_PROCESS,   /* a process that pgrep -f `target` finds */
  RUNBOOK_COMMAND,   /* this program has the command `target` */
  RUNBOOK_LEFT_OUT,  /* not done here; `expect` says why */
};

struct runbook_check {
  const char *section; /* of the runbook */
  const char *name;    /* what the line is about, in the runbook's words */
  enum runbook_kind kind;
  const char *target, *expect;
};

extern const struct runbook_check runbook_table[];
extern const size_t runbook_table_size;

enum runbook_result { RUNBOOK_HOLDS, RUNBOOK_FAILS, RUNBOOK_SKIPPED };

enum { RUNBOOK_WHY_SIZE = 320 };

/* What the checks have in common. */
struct runbook {
  const struct options *options;
  const struct remote *remote;
  char *metrics;  /* the text of /api/metrics; NULL = none could be had */
  json_t *config; /* the body of /api/system/config; NULL = the server does not tell */
  bool local;     /* the server is on this machine, so that its files can be looked at */
};

/* One line in `why`, never NULL on a failure or a skip. */
enum runbook_result runbook_run(const struct runbook *book, const struct runbook_check *check,
                                char why[RUNBOOK_WHY_SIZE]);

/* What the server has for an option, by its name there ("ws_port"). NULL when it does not tell, or
 * a flag of this command says what to look at instead. */
const json_t *runbook_setting(const struct runbook *book, const char *name);
/* Whether anything but the option's default says what it is here. */
bool runbook_is_set(const struct runbook *book, const char *name);

/* The kinds, by what they look at. */
enum runbook_result runbook_check_json(const struct runbook *book,
                                       const struct runbook_check *check, char *why);
enum runbook_result runbook_check_head(const struct runbook *book,
                                       const struct runbook_check *check, char *why);
enum runbook_result runbook_check_metric(const struct runbook *book,
                                         const struct runbook_check *check, char *why);
enum runbook_result runbook_check_alert(const struct runbook *book,
                                        const struct runbook_check *check, char *why);
enum runbook_result runbook_check_websocket(const struct runbook *book, char *why);
enum runbook_result runbook_check_database(const struct runbook *book,
                                           const struct runbook_check *check, char *why);
enum runbook_result runbook_check_log(const struct runbook *book, const struct runbook_check *check,
                                      char *why);
enum runbook_result runbook_check_file(const struct runbook_check *check, char *why);
enum runbook_result runbook_check_program(const struct runbook_check *check, char *why);
enum runbook_result runbook_check_process(const struct runbook *book,
                                          const struct runbook_check *check, char *why);

/* "status:text uptime:number agents[].elo:number": true when the value has all of these fields.
 * A name is a member, `a.b` one of a member, `a[]` each entry of an array, `a{}` each value of an
 * object; types are text, number, bool, array, object, any. On false `why` names the field. */
bool runbook_fields_hold(const json_t *value, const char *fields, char why[RUNBOOK_WHY_SIZE]);

/* The type that the text of Prometheus (prometheus.io/docs/instrumenting/exposition_formats) gives
 * the metric, copied; false when it has none. */
bool runbook_metric_type(const char *metrics, const char *name, char ret_type[16]);
/* How many series the metric has, and of the first of them the labels ("" = none), copied. */
size_t runbook_metric_series(const char *metrics, const char *name, char ret_labels[256]);
/* True when both metrics have the same sets of labels. */
bool runbook_metric_same_labels(const char *metrics, const char *one, const char *other);

#endif
