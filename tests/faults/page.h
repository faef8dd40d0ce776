/* docs/faults.md, row by row as it was seen. Nothing in it depends on the machine's hour. */
#ifndef ARAGORA_TESTS_FAULTS_PAGE_H
#define ARAGORA_TESTS_FAULTS_PAGE_H

#include "scenario.h"

#include <stdio.h>

/* How a turn ended, as its owner saw it, and what the breaker made of it. */
struct sighting {
  enum outcome outcome;
  enum mark mark;
  bool whole;    /* the text is what was shown live; a failure has none */
  bool fallback; /* another than the one asked answered */
  bool cost;     /* known */
  int attempts;
  int failures; /* that the breaker counts */
  enum breaker_mark breaker;
  uint64_t took_ms, longest_ms; /* of the last turn, of the longest */
  char detail[304];
};

void page_begin(FILE *page);
void page_begin_tls(FILE *page, const char *tls_url);
void page_row(FILE *page, const struct scenario *s, bool tls,
              const struct sighting seen[FORMAT_COUNT]);

#endif
