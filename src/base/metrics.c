#include "base/metrics.h"

#include "base/metrics_process.h"
#include "base/utf8.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum metric_type {
  METRIC_TYPE_COUNTER,
  METRIC_TYPE_GAUGE,
  METRIC_TYPE_HISTOGRAM,
  METRIC_TYPE_HISTOGRAM_SHORT,
  METRIC_TYPE_HISTOGRAM_LONG,
};

struct metric_row {
  const char *name;
  const char *labels; /* "agent,direction" */
  const char *help;
  enum metric_type type;
};

#define METRIC_ROW(id, name, type, labels, help) {name, labels, help, METRIC_TYPE_##type},
static const struct metric_row rows[METRIC_COUNT] = {METRICS_TABLE(METRIC_ROW)};
#undef METRIC_ROW

enum { BOUND_COUNT = 13 };

struct bound {
  int64_t us;
  const char *text; /* NULL = no further ones */
};

/* The runbook's alert asks whether the 95th percentile of answers is above 30 s, so bounds must lie
 * on both sides of it. */
static const struct bound bounds_of_answers[BOUND_COUNT + 1] = {
    {100000, "0.1"},  {250000, "0.25"}, {500000, "0.5"},    {1000000, "1"},   {2500000, "2.5"},
    {5000000, "5"},   {10000000, "10"}, {20000000, "20"},   {30000000, "30"}, {45000000, "45"},
    {60000000, "60"}, {90000000, "90"}, {120000000, "120"}, {0, NULL},
};
static const struct bound bounds_of_requests[BOUND_COUNT + 1] = {
    {1000, "0.001"},  {5000, "0.005"},  {10000, "0.01"},  {50000, "0.05"},
    {100000, "0.1"},  {250000, "0.25"}, {500000, "0.5"},  {1000000, "1"},
    {2500000, "2.5"}, {5000000, "5"},   {10000000, "10"}, {0, NULL},
};
static const struct bound bounds_of_debates[BOUND_COUNT + 1] = {
    {1000000, "1"},       {5000000, "5"},     {10000000, "10"},   {30000000, "30"},
    {60000000, "60"},     {120000000, "120"}, {300000000, "300"}, {600000000, "600"},
    {1200000000, "1200"}, {0, NULL},
};

/* A longer value, or one that is not UTF-8, is counted under "other". */
enum { LABEL_MAX_BYTES = 128 };

struct histogram {
  atomic_llong buckets[BOUND_COUNT + 1]; /* not cumulative; the last is +Inf */
  atomic_llong sum_us;
};

struct series {
  atomic_llong value; /* counters and gauges */
  struct histogram *histogram;
  char *labels[METRIC_LABELS_MAX];
};

/* Series are only ever added, under the mutex: `count` is published after the row it makes
 * visible, so that readers and increments need no lock. */
static struct family {
  atomic_int count;
  uint64_t hashes[METRIC_SERIES_MAX];
  struct series *series[METRIC_SERIES_MAX];
  struct series plain; /* a metric without labels; else the series "other" */
  struct histogram plain_histogram;
  atomic_bool other_used;
} families[METRIC_COUNT];

static pthread_mutex_t adding = PTHREAD_MUTEX_INITIALIZER;

static bool is_histogram(enum metric id) {
  return rows[id].type >= METRIC_TYPE_HISTOGRAM;
}

static const struct bound *bounds_of(enum metric id) {
  if (rows[id].type == METRIC_TYPE_HISTOGRAM_SHORT) return bounds_of_requests;
  if (rows[id].type == METRIC_TYPE_HISTOGRAM_LONG) return bounds_of_debates;
  return bounds_of_answers;
}

static size_t label_count(enum metric id) {
  const char *names = rows[id].labels;
  if (!*names) return 0;
  size_t n = 1;
  for (const char *p = names; *p; p++) n += *p == ',';
  return n;
}

/* FNV-1a; collisions are settled by comparing the texts. */
static uint64_t hash_labels(const char *const labels[], size_t count) {
  uint64_t h = 0xcbf29ce484222325u;
  for (size_t i = 0; i < count; i++) {
    const char *p = labels[i];
    do h = (h ^ (unsigned char)*p) * 0x100000001b3u;
    while (*p++);
  }
  return h;
}

static bool labels_equal(const struct series *s, const char *const labels[], size_t count) {
  for (size_t i = 0; i < count; i++)
    if (strcmp(s->labels[i], labels[i]) != 0) return false;
  return true;
}

static struct series *series_find(struct family *f, uint64_t hash, const char *const labels[],
                                  size_t count) {
  int n = atomic_load_explicit(&f->count, memory_order_acquire);
  for (int i = 0; i < n; i++)
    if (f->hashes[i] == hash && labels_equal(f->series[i], labels, count)) return f->series[i];
  return NULL;
}

static void series_destroy(struct series *s) {
  if (!s) return;
  for (size_t i = 0; i < METRIC_LABELS_MAX; i++) free(s->labels[i]);
  free(s->histogram);
  free(s);
}

static struct series *series_create(enum metric id, const char *const labels[], size_t count) {
  struct series *s = calloc(1, sizeof *s);
  if (!s) return NULL;
  bool whole = true;
  for (size_t i = 0; i < count; i++) {
    s->labels[i] = strdup(labels[i]);
    whole = whole && s->labels[i];
  }
  if (is_histogram(id)) {
    s->histogram = calloc(1, sizeof *s->histogram);
    whole = whole && s->histogram;
  }
  if (whole) return s;
  series_destroy(s);
  return NULL;
}

/* NULL when there is no room or no memory for one more. */
static struct series *series_add(enum metric id, uint64_t hash, const char *const labels[],
                                 size_t count) {
  struct family *f = &families[id];
  pthread_mutex_lock(&adding);
  struct series *s = series_find(f, hash, labels, count); /* another thread may have been first */
  int n = atomic_load_explicit(&f->count, memory_order_relaxed);
  if (!s && n < METRIC_SERIES_MAX && (s = series_create(id, labels, count)) != NULL) {
    f->hashes[n] = hash;
    f->series[n] = s;
    atomic_store_explicit(&f->count, n + 1, memory_order_release);
  }
  pthread_mutex_unlock(&adding);
  return s;
}

/* What may have a series of its own. "other" may not: two lines of one name and labels are an error
 * to a scraper. */
static bool labels_fit(const char *const labels[], size_t count) {
  bool other = true;
  for (size_t i = 0; i < count; i++) {
    size_t len = strnlen(labels[i], LABEL_MAX_BYTES + 1);
    if (len > LABEL_MAX_BYTES || !utf8_valid((struct bytes){labels[i], len})) return false;
    other = other && strcmp(labels[i], "other") == 0;
  }
  return !other;
}

static struct series *series_other(enum metric id) {
  atomic_store_explicit(&families[id].other_used, true, memory_order_relaxed);
  return &families[id].plain;
}

static struct series *series_for(enum metric id, const char *const labels[]) {
  struct family *f = &families[id];
  size_t count = label_count(id);
  if (!count) return &f->plain;
  if (!labels) return series_other(id);
  uint64_t hash = hash_labels(labels, count);
  struct series *s = series_find(f, hash, labels, count);
  if (!s && labels_fit(labels, count)) s = series_add(id, hash, labels, count);
  return s ? s : series_other(id);
}

void metric_add(enum metric id, const char *const labels[], int64_t n) {
  atomic_fetch_add_explicit(&series_for(id, labels)->value, n, memory_order_relaxed);
}

void metric_set(enum metric id, const char *const labels[], int64_t value) {
  atomic_store_explicit(&series_for(id, labels)->value, value, memory_order_relaxed);
}

static struct histogram *histogram_of(enum metric id, struct series *s) {
  return s == &families[id].plain ? &families[id].plain_histogram : s->histogram;
}

void metric_observe_us(enum metric id, const char *const labels[], int64_t us) {
  if (!is_histogram(id)) return;
  const struct bound *bounds = bounds_of(id);
  struct histogram *h = histogram_of(id, series_for(id, labels));
  if (us < 0) us = 0;
  size_t i = 0;
  while (bounds[i].text && us > bounds[i].us) i++;
  atomic_fetch_add_explicit(&h->buckets[i], 1, memory_order_relaxed);
  atomic_fetch_add_explicit(&h->sum_us, us, memory_order_relaxed);
}

void metric_declare(enum metric id, const char *const labels[]) {
  series_for(id, labels);
}

void metric_each(enum metric id, metric_each_fn *each, void *ctx) {
  struct family *f = &families[id];
  int n = atomic_load_explicit(&f->count, memory_order_acquire);
  for (int i = 0; i < n; i++) {
    const struct series *s = f->series[i];
    each(ctx, (const char *const *)s->labels,
         atomic_load_explicit(&s->value, memory_order_relaxed));
  }
}

int64_t metric_get(enum metric id, const char *const labels[]) {
  struct family *f = &families[id];
  size_t count = label_count(id);
  struct series *s = &f->plain;
  if (count && labels_fit(labels, count))
    s = series_find(f, hash_labels(labels, count), labels, count);
  return s ? atomic_load_explicit(&s->value, memory_order_relaxed) : 0;
}

void metrics_reset(void) {
  pthread_mutex_lock(&adding);
  for (size_t id = 0; id < METRIC_COUNT; id++) {
    struct family *f = &families[id];
    int n = atomic_load(&f->count);
    atomic_store(&f->count, 0);
    for (int i = 0; i < n; i++) series_destroy(f->series[i]);
    atomic_store(&f->plain.value, 0);
    atomic_store(&f->other_used, false);
    for (size_t i = 0; i <= BOUND_COUNT; i++) atomic_store(&f->plain_histogram.buckets[i], 0);
    atomic_store(&f->plain_histogram.sum_us, 0);
  }
  pthread_mutex_unlock(&adding);
}

/* Text format 0.0.4: in a label value \, " and newline are escaped, anything else is UTF-8. */
static void append_label_value(struct buffer *out, const char *value) {
  for (const char *p = value; *p;) {
    size_t plain = strcspn(p, "\n\"\\");
    buffer_append(out, p, plain);
    p += plain;
    if (!*p) return;
    buffer_append(out, (char[]){'\\', *p == '\n' ? 'n' : *p}, 2);
    p++;
  }
}

/* {agent="x",le="0.1"}, or nothing when there is no label at all. `s` NULL stands for "other". */
static void append_labels(struct buffer *out, enum metric id, const struct series *s,
                          const char *le) {
  size_t count = label_count(id);
  if (!count && !le) return;
  buffer_append_char(out, '{');
  const char *name = rows[id].labels;
  for (size_t i = 0; i < count; i++) {
    size_t len = strcspn(name, ",");
    buffer_append(out, name, len);
    name += len + (name[len] == ',');
    buffer_append_text(out, "=\"");
    append_label_value(out, s ? s->labels[i] : "other");
    buffer_append_text(out, i + 1 < count || le ? "\"," : "\"");
  }
  if (le) {
    buffer_append_text(out, "le=\"");
    buffer_append_text(out, le);
    buffer_append_char(out, '"');
  }
  buffer_append_char(out, '}');
}

/* Digits without printf: a scrape is thousands of numbers. */
static void append_number(struct buffer *out, long long value) {
  char text[24];
  char *p = text + sizeof text;
  unsigned long long left = value < 0 ? -(unsigned long long)value : (unsigned long long)value;
  do *--p = (char)('0' + left % 10);
  while (left /= 10);
  if (value < 0) *--p = '-';
  buffer_append(out, p, (size_t)(text + sizeof text - p));
}

static void append_end(struct buffer *out, long long value) {
  buffer_append_char(out, ' ');
  append_number(out, value);
  buffer_append_char(out, '\n');
}

static void append_histogram(struct buffer *out, enum metric id, const struct series *s,
                             struct histogram *h) {
  const struct bound *bounds = bounds_of(id);
  int64_t total = 0;
  for (size_t i = 0; i == 0 || bounds[i - 1].text; i++) {
    /* The count is the sum of the buckets as read here, so that +Inf and _count always agree. */
    total += atomic_load_explicit(&h->buckets[i], memory_order_relaxed);
    buffer_append_text(out, rows[id].name);
    buffer_append_text(out, "_bucket");
    append_labels(out, id, s, bounds[i].text ? bounds[i].text : "+Inf");
    append_end(out, total);
  }
  long long sum = atomic_load_explicit(&h->sum_us, memory_order_relaxed);
  buffer_append_text(out, rows[id].name);
  buffer_append_text(out, "_sum");
  append_labels(out, id, s, NULL);
  buffer_printf(out, " %lld.%06lld\n", sum / 1000000, sum % 1000000);
  buffer_append_text(out, rows[id].name);
  buffer_append_text(out, "_count");
  append_labels(out, id, s, NULL);
  append_end(out, total);
}

static void append_series(struct buffer *out, enum metric id, struct series *s, bool other) {
  const struct series *labelled = other ? NULL : s;
  if (is_histogram(id)) {
    append_histogram(out, id, labelled, histogram_of(id, s));
    return;
  }
  buffer_append_text(out, rows[id].name);
  append_labels(out, id, labelled, NULL);
  append_end(out, atomic_load_explicit(&s->value, memory_order_relaxed));
}

static void append_family(struct buffer *out, enum metric id) {
  static const char *const types[] = {"counter", "gauge", "histogram", "histogram",
                                      "histogram"}; /* by enum metric_type */
  struct family *f = &families[id];
  buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", rows[id].name, rows[id].help, rows[id].name,
                types[rows[id].type]);
  bool labelled = label_count(id) > 0;
  if (!labelled || atomic_load_explicit(&f->other_used, memory_order_relaxed))
    append_series(out, id, &f->plain, labelled);
  int n = atomic_load_explicit(&f->count, memory_order_acquire);
  for (int i = 0; i < n; i++) append_series(out, id, f->series[i], false);
}

enum status metrics_render(struct buffer *out) {
  metric_set(METRIC_INFO, (const char *const[]){ARAGORA_VERSION}, 1);
  for (size_t id = 0; id < METRIC_COUNT; id++) append_family(out, (enum metric)id);
  metrics_process_append(out);
  return out->overflow ? STATUS_NOMEM : STATUS_OK;
}

size_t metrics_bytes(void) {
  size_t bytes = sizeof families;
  for (size_t id = 0; id < METRIC_COUNT; id++) {
    size_t each = sizeof(struct series) + (is_histogram(id) ? sizeof(struct histogram) : 0);
    bytes += (size_t)atomic_load_explicit(&families[id].count, memory_order_acquire) * each;
  }
  return bytes;
}
