/* The text of /api/metrics, as far as the checks read it. */
#include "cli/runbook.h"

#include <stdio.h>

enum { LABELS_MAX = 256 };

static const char *next_line(const char *line) {
  line += strcspn(line, "\n");
  return *line ? line + 1 : line;
}

bool runbook_metric_type(const char *metrics, const char *name, char ret_type[16]) {
  static const char head[] = "# TYPE ";
  size_t len = strlen(name);
  for (const char *line = metrics; *line; line = next_line(line)) {
    if (strncmp(line, head, sizeof head - 1) != 0) continue;
    const char *of = line + sizeof head - 1;
    if (strncmp(of, name, len) != 0 || of[len] != ' ') continue;
    snprintf(ret_type, 16, "%.*s", (int)strcspn(of + len + 1, "\n"), of + len + 1);
    return true;
  }
  return false;
}

/* The next series of the metric from this line on, or NULL; *ret_labels is what stands between the
 * braces. */
static const char *next_series(const char *line, const char *name, struct bytes *ret_labels) {
  size_t len = strlen(name);
  for (; *line; line = next_line(line)) {
    if (strncmp(line, name, len) != 0 || (line[len] != ' ' && line[len] != '{')) continue;
    const char *from = line + len + (line[len] == '{');
    size_t width = line[len] == '{' ? strcspn(from, "}\n") : 0;
    *ret_labels = (struct bytes){from, width};
    return line;
  }
  return NULL;
}

size_t runbook_metric_series(const char *metrics, const char *name, char ret_labels[256]) {
  size_t count = 0;
  struct bytes labels;
  ret_labels[0] = '\0';
  for (const char *at = metrics; (at = next_series(at, name, &labels)); at = next_line(at))
    if (!count++) snprintf(ret_labels, LABELS_MAX, "%.*s", (int)labels.len, labels.ptr);
  return count;
}

static bool all_in(const char *metrics, const char *one, const char *other) {
  struct bytes mine, theirs;
  for (const char *at = metrics; (at = next_series(at, one, &mine)); at = next_line(at)) {
    bool found = false;
    for (const char *to = metrics; !found && (to = next_series(to, other, &theirs));
         to = next_line(to))
      found = bytes_equal(mine, theirs);
    if (!found) return false;
  }
  return true;
}

bool runbook_metric_same_labels(const char *metrics, const char *one, const char *other) {
  return all_in(metrics, one, other) && all_in(metrics, other, one);
}

enum runbook_result runbook_check_metric(const struct runbook *book,
                                         const struct runbook_check *check, char *why) {
  char type[16];
  if (!book->metrics) {
    snprintf(why, RUNBOOK_WHY_SIZE, "GET /api/metrics gives no text");
    return RUNBOOK_FAILS;
  }
  if (!runbook_metric_type(book->metrics, check->target, type)) {
    snprintf(why, RUNBOOK_WHY_SIZE, "there is no metric %s", check->target);
    return RUNBOOK_FAILS;
  }
  if (strcmp(type, check->expect) == 0) return RUNBOOK_HOLDS;
  snprintf(why, RUNBOOK_WHY_SIZE, "%s is a %s, not a %s", check->target, type, check->expect);
  return RUNBOOK_FAILS;
}

/* A histogram that nobody has asked anything yet has no series, and its alert stays silent as it
 * should; then it must at least be announced. */
static bool has_series(const char *metrics, const char *name) {
  char labels[LABELS_MAX], type[16], stem[128];
  if (runbook_metric_series(metrics, name, labels)) return true;
  snprintf(stem, sizeof stem, "%s", name);
  char *bucket = strstr(stem, "_bucket");
  if (!bucket) return false;
  *bucket = '\0';
  return runbook_metric_type(metrics, stem, type) && strcmp(type, "histogram") == 0;
}

enum runbook_result runbook_check_alert(const struct runbook *book,
                                        const struct runbook_check *check, char *why) {
  char one[128];
  size_t len = strcspn(check->expect, " ");
  const char *other = check->expect[len] ? check->expect + len + 1 : NULL;
  snprintf(one, sizeof one, "%.*s", (int)len, check->expect);
  if (!book->metrics) {
    snprintf(why, RUNBOOK_WHY_SIZE, "GET /api/metrics gives no text");
    return RUNBOOK_FAILS;
  }
  const char *missing = !has_series(book->metrics, one)              ? one
                        : other && !has_series(book->metrics, other) ? other
                                                                     : NULL;
  if (missing) {
    snprintf(why, RUNBOOK_WHY_SIZE, "%s has no series", missing);
    return RUNBOOK_FAILS;
  }
  if (!other || runbook_metric_same_labels(book->metrics, one, other)) return RUNBOOK_HOLDS;
  snprintf(why, RUNBOOK_WHY_SIZE, "%s and %s have other labels: their ratio is empty", one, other);
  return RUNBOOK_FAILS;
}
