/* A provider that answers by rule: it takes the place of src/provider/ask.c in the runner's tests
 * and bench. Replies obey the engine's forms (provider/scripted_reply.h), so the same questions get
 * the same answers in every run. Everything but scripted_counts runs on the loop.
 */
#ifndef ARAGORA_TESTS_SCRIPTED_ASK_H
#define ARAGORA_TESTS_SCRIPTED_ASK_H

#include "provider/ask.h"

struct scripted_question {
  const struct ask_spec *spec;
  const char *kind; /* "proposal", ... */
  int nth;          /* 1, 2, ...: how often this agent was asked for this kind */
};

enum scripted_deed {
  SCRIPT_ANSWER,    /* a whole reply of the asked-for form */
  SCRIPT_MALFORMED, /* a whole reply of no form */
  SCRIPT_FAIL,      /* `outcome` */
  SCRIPT_HALF,      /* the first half of a reply, then nothing */
  SCRIPT_HELD,      /* as SCRIPT_ANSWER, when scripted_release says so */
  SCRIPT_SILENT,    /* nothing, not even a timeout */
  SCRIPT_TIMEOUT,   /* nothing until the turn's time is over */
  SCRIPT_FULL,      /* ask_start answers STATUS_FULL */
  SCRIPT_LOST,      /* fails before it announces an attempt */
};

struct scripted_answer {
  enum scripted_deed deed;
  enum outcome outcome;
  int failing_attempts; /* that end unavailable first, each announced */
  uint64_t delay_ms;
  int64_t output_tokens; /* usage; 0 = 100 */
  int64_t bound_tokens;  /* what it reserves; 0 = its texts and the output limit */
};

struct scripted_rules {
  /* NULL answers everything at once. */
  struct scripted_answer (*answer)(void *ctx, const struct scripted_question *question);
  /* In ask_proceed, before anything else. */
  void (*proceeding)(void *ctx, const struct scripted_question *question);
  void *ctx;
};

/* In force for what is asked from here on; while no loop runs. Forgets the counts. */
void scripted_set(const struct scripted_rules *rules);

/* The held answers come now, and later ones at once. On the loop. */
void scripted_release(void *unused);

struct scripted_counts {
  long started, proceeded, answered, failed, cancelled;
  long open; /* started, neither done nor cancelled */
};
struct scripted_counts scripted_counts(void); /* any thread */
/* CPU that making the replies took so far, which is not the runner's. Any thread. */
double scripted_compose_us(void);

#endif
