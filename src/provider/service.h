/* What all debates share of one service, a model at a provider under a key: its circuit breaker,
 * the gate that paces its calls, and how long its answers take.
 *
 * The gate is one a model and not one a provider, since vendors count their limits by model. A
 * service is made when a binding is first asked and lives as long as the process.
 *
 * Changed on the loop's thread only, under the registry's lock; looked at from any thread under it.
 */
#ifndef ARAGORA_PROVIDER_SERVICE_H
#define ARAGORA_PROVIDER_SERVICE_H

#include "base/clock.h"
#include "io/loop.h"
#include "provider/agents.h"
#include "provider/breaker.h"
#include "provider/latency.h"
#include "provider/pacing.h"

#include <pthread.h>

/* A table that cannot grow refuses the entry instead of ending the process. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

enum { SERVICES_MAX = 512, SERVICE_NAME_SIZE = 200, SERVICE_ERROR_SIZE = 304 };

/* One call's way through the gate. In its owner's memory, which stays until it has left. */
struct service_call {
  struct pacing_waiter waiter; /* the first member: the gate hands back the waiter */
  struct service *service;     /* NULL = at no gate */
  /* The gate lets it go; called within service_enter, or at the end of a turn of the loop. */
  void (*go)(void *ctx);
  void *ctx;
  struct breaker_permit permit;
  const struct log_context *log; /* whose call it is, for the server's log; NULL = nobody's */
};

/* One who waits for the end of a trial. In its owner's memory; zeroed memory waits for nothing. */
struct service_wait {
  struct service_wait *prev, *next; /* utlist */
  struct service *service;          /* NULL = it does not wait */
  void (*go)(void *ctx); /* called once, at the end of a turn; asks nobody, ends nobody */
  void *ctx;
};

struct service {
  UT_hash_handle hh;
  struct services *services;
  char name[SERVICE_NAME_SIZE]; /* "openai/gpt-5.2 OPENAI_API_KEY" */
  struct breaker breaker;
  struct pacing_gate *gate;
  struct latency latency;
  struct loop_timer *wake;             /* the gate asked to be looked at again */
  struct loop_task look;               /* at the end of this turn of the loop */
  struct service_wait *waits;          /* for the end of a trial, in the order that they came */
  char last_error[SERVICE_ERROR_SIZE]; /* the last failed attempt's words, secrets scrubbed */
  int64_t last_error_ms;               /* monotonic */
};

/* How a service's breaker stood when the process before this one ended. */
struct service_past {
  UT_hash_handle hh;
  char name[SERVICE_NAME_SIZE];
  struct breaker breaker;
};

struct services_options {
  struct breaker_limits breaker;
  struct pacing_options pacing;
  const struct clock *clock; /* for the wall time of snapshots; NULL = the system's */
  breaker_keep_fn *keep;     /* told of every change and every reset, on the loop; may be NULL */
  void *keep_ctx;
};

struct services {
  struct loop *loop;
  struct services_options options;
  pthread_mutex_t lock;
  struct service *table;     /* by name */
  struct service_past *past; /* by name; stays as it is once the loop runs */
};

void services_init(struct services *services, struct loop *loop,
                   const struct services_options *options);
/* When no call is under way any more. */
void services_done(struct services *services);

/* Before the loop runs: the service of this name begins so, if there ever is one. Of SERVICES_MAX
 * different names; what is beyond, or has no memory, begins closed. */
void services_restore(struct services *services, const char *name,
                      const struct breaker_snapshot *snapshot);

/* The binding's, made now if need be. NULL when memory is short or there are too many; and for demo
 * agents, which need no pacing and cannot fail. Loop thread. */
struct service *services_of(struct services *services, const struct agent_binding *binding);

/* The same if it is there already; with the registry's lock held. Any thread. */
const struct service *services_find(struct services *services, const struct agent_binding *binding);
/* How the breaker of a service that is not there yet would begin, where it was restored; or NULL.
 * Any thread. */
const struct breaker *services_past(struct services *services, const struct agent_binding *binding);
/* By a person's wish: its breaker closes. NULL is fine. Loop thread. */
void service_reset(struct service *service);

/* Brings the call to the gate; `go` comes once, perhaps before this returns. STATUS_FULL when too
 * many wait. */
MUST_CHECK enum status service_enter(struct service *service, struct service_call *call,
                                     uint64_t debate_key, int64_t estimated_tokens);
/* It was let go: may it be sent? The answer and, refused, the wait in milliseconds. */
struct breaker_admission service_admit(struct service_call *call);
/* Refused because a trial is out: `wait->go` is called when that one has ended. Where its end says
 * nothing about the provider, one is called, the next trial; otherwise all are. */
void service_await_trial(struct service *service, struct service_wait *wait);
void service_wait_cancel(struct service_wait *wait); /* fine when it does not wait */
/* It is over, wherever it stands: `report` for the breaker, `result` for the gate. Calls nobody:
 * who may go now goes at the end of the turn. Fine for a call that is at no gate. */
void service_leave(struct service_call *call, const struct breaker_report *report,
                   const struct pacing_result *result);
/* Without a word on how the provider did: cancelled, or never sent. */
void service_withdraw(struct service_call *call);
/* What the head of its response said. */
void service_note_rates(struct service_call *call, const struct pacing_rates *rates);
/* A whole answer's time, or a failed attempt's words, for those who look. */
void service_note_answer(struct service *service, int64_t latency_ms);
void service_note_error(struct service *service, const char *outcome, const char *detail);

#endif
