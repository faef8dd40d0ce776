/* The metrics registry: every series is a row of one table (metrics_table.h), counters start at 0,
 * label values are bounded. Exposed in the Prometheus text format 0.0.4. Any thread; an increment
 * of a series without labels is one atomic add.
 */
#ifndef ARAGORA_BASE_METRICS_H
#define ARAGORA_BASE_METRICS_H

#include "base/bytes.h"
#include "base/metrics_table.h"

#define METRIC_ENUM(id, name, type, labels, help) METRIC_##id,
enum metric { METRICS_TABLE(METRIC_ENUM) METRIC_COUNT };
#undef METRIC_ENUM

/* `labels` holds as many texts as the table names labels, in its order, and may be NULL when it
 * names none. A series beyond METRIC_SERIES_MAX a metric is counted under the label value
 * "other". */
enum { METRIC_SERIES_MAX = 1024, METRIC_LABELS_MAX = 3 };

void metric_add(enum metric id, const char *const labels[], int64_t n);
void metric_set(enum metric id, const char *const labels[], int64_t value);
/* A histogram's observation, in microseconds; exposed in seconds. */
void metric_observe_us(enum metric id, const char *const labels[], int64_t us);
/* The series is there from now on, at 0 where nothing was counted: a rate needs a first value. */
void metric_declare(enum metric id, const char *const labels[]);
/* Calls each(ctx, labels, value) for every labelled series of a counter or gauge but "other". */
typedef void metric_each_fn(void *ctx, const char *const labels[], int64_t value);
void metric_each(enum metric id, metric_each_fn *each, void *ctx);
/* The value now (a counter's or gauge's), for tests and for the JSON views. */
int64_t metric_get(enum metric id, const char *const labels[]);

/* Appends the exposition of every metric, process_* series included. */
MUST_CHECK enum status metrics_render(struct buffer *out);

/* Of the series that there are. Any thread. */
size_t metrics_bytes(void);

/* Forgets every value; for tests. */
void metrics_reset(void);

#endif
