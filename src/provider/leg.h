/* What one attempt of an ask holds, from its way to the gate to its end: its place there, the
 * breaker's permit, its reservation in the budget, and the request itself. Used by ask.c alone,
 * which has one and, while a hedge runs, a second. In the ask's memory, where it stays while it is
 * in use.
 */
#ifndef ARAGORA_PROVIDER_LEG_H
#define ARAGORA_PROVIDER_LEG_H

#include "provider/attempt.h"
#include "provider/budgets.h"
#include "provider/service.h"

struct leg {
  struct ask *ask;
  int number; /* of the attempt */
  bool open;  /* announced, and the owner has not been told of its end */
  struct service_call call;
  struct budget_claim claim;   /* held from before the announcement to the attempt's end */
  struct ledger_amounts bound; /* of the attempt that is announced next or was last */
  struct ledger_amounts owed;  /* what that one is booked at if it is cancelled now */
  struct attempt *attempt;     /* NULL = not under way */
  int64_t sent_ms;             /* when that began */
};

/* Stops whatever could call back; a claim that is still held was never used. */
void leg_stop(struct leg *leg);
/* The same for an attempt that may be under way; returns what it is booked at. */
struct ledger_amounts leg_cut(struct leg *leg);
/* It ended so: books it, and says in *r at what. */
void leg_settle(struct leg *leg, struct ask_result *r);

#endif
