#include "page.h"

#include "fake/fault.h"
#include "provider/agents.h"

#include <string.h>

enum { CELLS_SIZE = 400 };

static const char table_head[] =
    "| fault | formats | the caller got | attempts | time | breaker | cost |\n"
    "|---|---|---|---|---|---|---|\n";

void page_begin(FILE *page) {
  fprintf(
      page,
      "# Faults\n\n"
      "What a turn's caller gets when a provider fails. `make faults` runs every fault of the\n"
      "[fake provider](fake-provider.md), and those of the way to it, through `src/provider`\n"
      "against the four wire formats, checks each against `tests/faults/scenario.c`, and writes\n"
      "this page from what it saw. There is no third way to end beside a whole answer and a\n"
      "typed failure: a failure brings no text, and an answer is what was shown live.\n\n"
      "The limits are scaled so that every turn ends within 4 s: %d ms for the turn, %d ms\n"
      "without content (idle), %d ms to connect, %d retry, answers up to %d KiB, a breaker that\n"
      "opens after %d failures. The delay before the first retry is at random between 0 and\n"
      "%d ms. A turn that outlives its deadline by more than %d ms is wrong.\n\n",
      (int)FAULTS_TURN_MS, (int)FAULTS_IDLE_MS, (int)FAULTS_CONNECT_MS, (int)FAULTS_MAX_RETRIES,
      (int)FAULTS_ANSWER_BYTES / 1024, (int)FAULTS_BREAKER_THRESHOLD, (int)FAULTS_DELAY_MS,
      (int)FAULTS_SLACK_MS);
  fputs(
      "- **time**: *at once* has no wait of ours in it, *retry* the delay before a second "
      "attempt,\n"
      "  *1 s* the wait that the vendor asked for, *idle* the idle time at each attempt, "
      "*deadline*\n"
      "  the turn's whole time.\n"
      "- **breaker**: its state after the turn, with the failures in a row that it counts;\n"
      "  *cooling* is not asked before the vendor's time, *misconfigured* is marked for a person.\n"
      "- **cost**: of the last attempt, *known* if the vendor counted its tokens. An unknown one "
      "is\n"
      "  booked at what was reserved; at nothing where an error's status came or nothing was "
      "sent.\n"
      "- **needs repair**: whole, but not the JSON that was asked for; the turn asks once "
      "more.\n\n",
      page);
  fputs(table_head, page);
}

void page_begin_tls(FILE *page, const char *tls_url) {
  fputs("\n## Behind TLS and HTTP/2\n\n", page);
  if (!tls_url) {
    fputs("Not run: there was no nginx.\n", page);
    return;
  }
  fputs(
      "The same through nginx with TLS and HTTP/2, for the faults that a proxy passes on.\n"
      "Left out, with the reason:\n\n",
      page);
  for (size_t i = 0; i < scenario_count; i++)
    if (scenarios[i].not_by_proxy)
      fprintf(page, "- `%s`: %s\n", scenarios[i].name, scenarios[i].not_by_proxy);
  fputc('\n', page);
  fputs(table_head, page);
}

static const char *what_of(const struct scenario *s) {
  const struct fault *fault = s->fault ? fault_find(bytes_of(s->fault)) : NULL;
  if (s->what || !fault) return s->what;
  return strcmp(s->name, "none") == 0 ? "an answer without fault" : fault->help;
}

static void write_breaker(const struct sighting *seen, char *out, size_t size) {
  static const char *const names[] = {
      [BREAKS_NOTHING] = "closed",
      [BREAKS_OPEN] = "open",
      [BREAKS_COOLING] = "closed, cooling",
      [BREAKS_MISCONFIGURED] = "closed, misconfigured",
  };
  if (seen->breaker == BREAKS_COUNTED)
    snprintf(out, size, "closed, %d failure%s", seen->failures, seen->failures == 1 ? "" : "s");
  else
    snprintf(out, size, "%s", names[seen->breaker]);
}

/* All cells from the third on. */
static void write_cells(const struct expectation *e, const struct sighting *seen,
                        char out[CELLS_SIZE]) {
  static const char *const marks[] = {
      [MARK_NONE] = "", [MARK_TRUNCATED] = ", truncated", [MARK_REPAIR] = ", needs repair"};
  static const char *const times[] = {[LASTS_ONCE] = "at once",
                                      [LASTS_RETRY] = "retry",
                                      [LASTS_1_S] = "1 s",
                                      [LASTS_IDLE] = "idle",
                                      [LASTS_DEADLINE] = "deadline"};
  bool ok = seen->outcome == OUTCOME_OK;
  char breaker[60];
  write_breaker(seen, breaker, sizeof breaker);
  snprintf(out, CELLS_SIZE, "%s%s%s%s%s | %d | %s | %s | %s |", ok ? "whole answer" : "`",
           ok ? "" : outcome_name(seen->outcome), ok ? "" : "`", marks[seen->mark],
           seen->fallback ? " from another" : "", seen->attempts, times[e->lasts], breaker,
           seen->cost ? "known" : "unknown");
}

/* One line for all formats that saw the same. */
void page_row(FILE *page, const struct scenario *s, bool tls,
              const struct sighting seen[FORMAT_COUNT]) {
  char cells[FORMAT_COUNT][CELLS_SIZE];
  bool done[FORMAT_COUNT] = {false};
  for (int f = 0; f < FORMAT_COUNT; f++)
    write_cells(scenario_expect(s, f, tls), &seen[f], cells[f]);
  for (int f = 0; f < FORMAT_COUNT; f++) {
    if (done[f]) continue;
    char formats[100] = "";
    int same = 0;
    for (int g = f; g < FORMAT_COUNT; g++) {
      if (strcmp(cells[f], cells[g]) != 0) continue;
      size_t len = strlen(formats);
      snprintf(formats + len, sizeof formats - len, "%s%s", same++ ? ", " : "",
               wire_name((enum wire_format)g));
      done[g] = true;
    }
    fprintf(page, "| `%s`: %s | %s | %s\n", s->name, what_of(s),
            same == FORMAT_COUNT ? "all" : formats, cells[f]);
  }
}
