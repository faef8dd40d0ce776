#include "base/metrics.h"

#include "base/utf8.h"

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum metric_type { METRIC_TYPE_COUNTER, METRIC_TYPE_GAUGE, METRIC_TYPE_HISTOGRAM };

struct metric_row {
  const char *name;
  const char *labels; /* "agent,direction" */
  const char *help;
  enum metric_type type;
};

#define METRIC_ROW(id, name, type, labels, help) {name, labels, help, METRIC_TYPE_##type},
static const struct metric_row rows[METRIC_COUNT] = {METRICS_TABLE(METRIC_ROW)};
#undef METRIC_ROW

/* The runbook's alert asks whether the 95th percentile is above 30 s, so bounds must lie on both
 * sides of it. */
static const struct {
  int64_t us;
  const char *text;
} bounds[] = {
    {100000, "0.1"},  {250000, "0.25"}, {500000, "0.5"},    {1000000, "1"},   {2500000, "2.5"},
    {5000000, "5"},   {10000000, "10"}, {20000000, "20"},   {30000000, "30"}, {45000000, "45"},
    {60000000, "60"}, {90000000, "90"}, {120000000, "120"},
};

enum {
  BOUND_COUNT = sizeof bounds / sizeof *bounds,
  LABEL_MAX_BYTES = 128, /* a longer value, or one that is not UTF-8, is counted under "other" */
};

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
  if (rows[id].type == METRIC_TYPE_HISTOGRAM) {
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
  if (rows[id].type != METRIC_TYPE_HISTOGRAM) return;
  struct histogram *h = histogram_of(id, series_for(id, labels));
  if (us < 0) us = 0;
  size_t i = 0;
  while (i < BOUND_COUNT && us > bounds[i].us) i++;
  atomic_fetch_add_explicit(&h->buckets[i], 1, memory_order_relaxed);
  atomic_fetch_add_explicit(&h->sum_us, us, memory_order_relaxed);
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
  for (const char *p = value; *p; p++) {
    if (*p == '\n')
      buffer_append(out, "\\n", 2);
    else if (*p == '"' || *p == '\\')
      buffer_append(out, (char[]){'\\', *p}, 2);
    else
      buffer_append_char(out, *p);
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
  if (le) buffer_printf(out, "le=\"%s\"", le);
  buffer_append_char(out, '}');
}

static void append_histogram(struct buffer *out, enum metric id, const struct series *s,
                             struct histogram *h) {
  int64_t total = 0;
  for (size_t i = 0; i <= BOUND_COUNT; i++) {
    /* The count is the sum of the buckets as read here, so that +Inf and _count always agree. */
    total += atomic_load_explicit(&h->buckets[i], memory_order_relaxed);
    buffer_printf(out, "%s_bucket", rows[id].name);
    append_labels(out, id, s, i < BOUND_COUNT ? bounds[i].text : "+Inf");
    buffer_printf(out, " %lld\n", (long long)total);
  }
  long long sum = atomic_load_explicit(&h->sum_us, memory_order_relaxed);
  buffer_printf(out, "%s_sum", rows[id].name);
  append_labels(out, id, s, NULL);
  buffer_printf(out, " %lld.%06lld\n", sum / 1000000, sum % 1000000);
  buffer_printf(out, "%s_count", rows[id].name);
  append_labels(out, id, s, NULL);
  buffer_printf(out, " %lld\n", (long long)total);
}

static void append_series(struct buffer *out, enum metric id, struct series *s, bool other) {
  const struct series *labelled = other ? NULL : s;
  if (rows[id].type == METRIC_TYPE_HISTOGRAM) {
    append_histogram(out, id, labelled, histogram_of(id, s));
    return;
  }
  buffer_append_text(out, rows[id].name);
  append_labels(out, id, labelled, NULL);
  buffer_printf(out, " %lld\n", (long long)atomic_load_explicit(&s->value, memory_order_relaxed));
}

static void append_family(struct buffer *out, enum metric id) {
  static const char *const types[] = {"counter", "gauge", "histogram"};
  struct family *f = &families[id];
  buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", rows[id].name, rows[id].help, rows[id].name,
                types[rows[id].type]);
  bool labelled = label_count(id) > 0;
  if (!labelled || atomic_load_explicit(&f->other_used, memory_order_relaxed))
    append_series(out, id, &f->plain, labelled);
  int n = atomic_load_explicit(&f->count, memory_order_acquire);
  for (int i = 0; i < n; i++) append_series(out, id, f->series[i], false);
}

static void append_process_value(struct buffer *out, const char *name, const char *type,
                                 const char *help, const char *value) {
  buffer_printf(out, "# HELP process_%s %s\n# TYPE process_%s %s\nprocess_%s %s\n", name, help,
                name, type, name, value);
}

static void append_process_int(struct buffer *out, const char *name, const char *help,
                               int64_t value) {
  char text[24];
  snprintf(text, sizeof text, "%lld", (long long)value);
  append_process_value(out, name, "gauge", help, text);
}

/* -1 when /proc is not there. */
static int64_t count_open_files(void) {
  DIR *dir = opendir("/proc/self/fd");
  if (!dir) return -1;
  int64_t n = -1; /* the directory's own descriptor */
  while (readdir(dir)) n++;
  closedir(dir);
  return n - 2; /* "." and ".." */
}

static bool read_proc(const char *path, char *text, size_t size) {
  FILE *f = fopen(path, "re");
  if (!f) return false;
  size_t n = fread(text, 1, size - 1, f);
  fclose(f);
  text[n] = '\0';
  return n > 0;
}

static void append_process_memory(struct buffer *out) {
  char text[256];
  if (!read_proc("/proc/self/statm", text, sizeof text)) return;
  char *rest;
  int64_t virtual_pages = strtoll(text, &rest, 10);
  int64_t resident_pages = strtoll(rest, NULL, 10);
  int64_t page = sysconf(_SC_PAGESIZE);
  append_process_int(out, "virtual_memory_bytes", "Virtual memory size", virtual_pages * page);
  append_process_int(out, "resident_memory_bytes", "Resident memory size", resident_pages * page);
}

/* Unix time at which the process started, in seconds: field 22 of /proc/self/stat, proc(5), counts
 * clock ticks since boot; the fields follow the last ')' since the name may hold anything. */
static double process_start_s(void) {
  char text[1024];
  if (!read_proc("/proc/self/stat", text, sizeof text)) return -1;
  const char *p = strrchr(text, ')');
  for (int field = 2; p && field < 22; field++) p = strchr(p + 1, ' ');
  if (!p) return -1;
  unsigned long long ticks = strtoull(p, NULL, 10);
  struct timespec wall;
  struct timespec boot;
  clock_gettime(CLOCK_REALTIME, &wall);
  clock_gettime(CLOCK_BOOTTIME, &boot);
  double booted = (double)(wall.tv_sec - boot.tv_sec) + (double)(wall.tv_nsec - boot.tv_nsec) / 1e9;
  return booted + (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

static void append_process(struct buffer *out) {
  char text[64];
  struct rusage used;
  if (getrusage(RUSAGE_SELF, &used) == 0) {
    long long us = (long long)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 +
                   used.ru_utime.tv_usec + used.ru_stime.tv_usec;
    snprintf(text, sizeof text, "%lld.%06lld", us / 1000000, us % 1000000);
    append_process_value(out, "cpu_seconds_total", "counter", "User and system time", text);
  }
  append_process_memory(out);
  double start = process_start_s();
  if (start >= 0) {
    snprintf(text, sizeof text, "%.2f", start);
    append_process_value(out, "start_time_seconds", "gauge", "Start time since the epoch", text);
  }
  int64_t files = count_open_files();
  if (files >= 0) append_process_int(out, "open_fds", "Open file descriptors", files);
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
    append_process_int(out, "max_fds", "Limit of open file descriptors", (int64_t)limit.rlim_cur);
}

enum status metrics_render(struct buffer *out) {
  metric_set(METRIC_INFO, (const char *const[]){ARAGORA_VERSION}, 1);
  for (size_t id = 0; id < METRIC_COUNT; id++) append_family(out, (enum metric)id);
  append_process(out);
  return out->overflow ? STATUS_NOMEM : STATUS_OK;
}
