#include "provider/leg.h"

void leg_stop(struct leg *leg) {
  attempt_cancel(leg->attempt);
  leg->attempt = NULL;
  service_withdraw(&leg->call);
  budget_release(&leg->claim); /* of what was never sent; the rest has been settled */
}

struct ledger_amounts leg_cut(struct leg *leg) {
  struct ledger_amounts owed = leg->owed;
  if (leg->attempt && attempt_unsent(leg->attempt))
    owed = (struct ledger_amounts){0};
  else if (leg->attempt)
    budget_settle(&leg->claim, owed.tokens, owed.usd_micro);
  leg_stop(leg);
  return owed;
}

/* A vendor does not bill what it answers with an error's status; what it counted before an answer
 * broke off is less than it bills. */
static struct ledger_amounts booked_for(const struct leg *leg, const struct ask_result *r) {
  const struct ask_usage *u = &r->usage;
  const int64_t parts[] = {u->input, u->cache_read, u->cache_write, u->output};
  bool told = u->output >= 0 && (u->input >= 0 || u->cache_read >= 0 || u->cache_write >= 0);
  struct ledger_amounts booked = {0};
  if (r->unsent) return booked;
  if (!told && r->upstream_status >= 300) {
    booked.usd_micro = leg->bound.usd_micro < 0 ? -1 : 0;
    return booked;
  }
  for (size_t i = 0; told && i < sizeof parts / sizeof *parts; i++)
    if (parts[i] > 0) booked.tokens += parts[i];
  if (!told) booked.tokens = leg->bound.tokens;
  booked.usd_micro = r->cost_usd_micro >= 0 ? r->cost_usd_micro : leg->bound.usd_micro;
  return booked;
}

void leg_settle(struct leg *leg, struct ask_result *r) {
  r->booked = booked_for(leg, r);
  if (r->unsent)
    budget_release(&leg->claim);
  else
    budget_settle(&leg->claim, r->booked.tokens, r->booked.usd_micro);
  leg->owed = r->booked;
}
