/* What is done to a provider, and what the caller must get: one table, docs/faults.md is made of
 * it. Constant.
 */
#ifndef ARAGORA_TESTS_FAULTS_SCENARIO_H
#define ARAGORA_TESTS_FAULTS_SCENARIO_H

#include "base/outcome.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Limits of every row, a few hundred times shorter than a server's. */
enum {
  FAULTS_TURN_MS = 3000,
  FAULTS_IDLE_MS = 800,
  FAULTS_CONNECT_MS = 300,
  FAULTS_MAX_RETRIES = 1,
  FAULTS_ANSWER_BYTES = 64 * 1024,
  FAULTS_BREAKER_THRESHOLD = 5,
  FAULTS_SLACK_MS = 400, /* for a machine that does something else as well */
  FAULTS_DELAY_MS = 500, /* longest first delay of retry.h */
  FAULTS_AGENTS_MAX = 3,
  FORMAT_COUNT = 4, /* enum wire_format without the demo */
};

enum where {
  AT_FAKE,      /* the fake provider, which does `fault` */
  AT_NO_NAME,   /* a host name that does not exist */
  AT_NO_PORT,   /* nobody listens there */
  AT_NO_TLS,    /* https, to a port that speaks plain HTTP */
  AT_UNTRUSTED, /* the proxy, without its authority */
};

enum mark {
  MARK_NONE,
  MARK_TRUNCATED, /* the vendor said that it stopped at the length limit */
  MARK_REPAIR,    /* not what was asked for: the turn asks once more, then it is malformed */
};

enum lasts {
  LASTS_ONCE,     /* no wait of ours in it */
  LASTS_RETRY,    /* the delay before a retry */
  LASTS_1_S,      /* the second that the vendor asked for */
  LASTS_IDLE,     /* the idle time at every attempt, and the delay between */
  LASTS_DEADLINE, /* ended by the turn's whole time */
};

enum breaker_mark {
  BREAKS_NOTHING,       /* closed, nothing counted */
  BREAKS_COUNTED,       /* closed, each attempt counted as a failure */
  BREAKS_OPEN,          /* open */
  BREAKS_COOLING,       /* closed, but not asked before the vendor's time */
  BREAKS_MISCONFIGURED, /* closed, marked for a person */
};

struct expectation {
  enum outcome outcome;
  int attempts; /* exactly */
  enum lasts lasts;
  enum breaker_mark breaker;
  bool cost; /* known */
  enum mark mark;
};

#define ON(format) (1u << (format))

enum elsewhere { NOWHERE, TO_OPENROUTER, TO_CHAIN };

struct scenario {
  const char *name;
  const char *fault; /* of the fake provider; NULL = its script decides by the model's name */
  const char *what;  /* shown; NULL = the fake provider's words */
  struct expectation expect;
  unsigned other_on; /* formats for which `other` holds */
  struct expectation other;
  enum where where;
  enum elsewhere elsewhere; /* where the agent falls back to */
  int64_t turn_ms;          /* 0 = FAULTS_TURN_MS */
  int64_t work_ms;          /* what the wire itself costs a busy machine, beside the slack */
  int turns;                /* one after another, the last one counts; 0 = 1 */
  int agents;               /* at once; 0 = 1 */
  bool others_well;         /* only the first agent has the fault */
  const char *not_by_proxy; /* why it is not run through the proxy; NULL = it is */
  bool only_by_proxy;
  bool otherwise_by_proxy; /* through the proxy, this is expected instead, for all formats: */
  struct expectation by_proxy;
};

extern const struct scenario scenarios[];
extern const size_t scenario_count;

const struct expectation *scenario_expect(const struct scenario *s, int format, bool by_proxy);

#endif
