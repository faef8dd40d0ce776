#include "provider/retry.h"

#include <stddef.h>
#include <strings.h>

enum retry_advice retry_advice_parse(const char *value) {
  if (value && strcasecmp(value, "true") == 0) return RETRY_ADVICE_YES;
  if (value && strcasecmp(value, "false") == 0) return RETRY_ADVICE_NO;
  return RETRY_ADVICE_NONE;
}

const char *retry_action_name(enum retry_action action) {
  switch (action) {
    case RETRY_AGAIN: return "again";
    case RETRY_WAIT: return "wait";
    case RETRY_OPENROUTER: return "openrouter";
    case RETRY_CHAIN: return "chain";
    case RETRY_GIVE_UP: break;
  }
  return "give_up";
}

int64_t retry_backoff_ms(int attempts, struct prng *chance) {
  int64_t most = RETRY_BACKOFF_FIRST_MS;
  for (int i = 1; i < attempts && most < RETRY_BACKOFF_MAX_MS; i++)
    most = most * 2 < RETRY_BACKOFF_MAX_MS ? most * 2 : RETRY_BACKOFF_MAX_MS;
  return prng_below(chance, (uint32_t)most + 1);
}

/* May an outcome be tried again at the same binding? */
enum again {
  NEVER,   /* it would end the same, whatever a header says */
  ADVISED, /* only where the vendor says so by x-should-retry */
  BY_ITSELF,
};

/* OpenRouter answers for a vendor that is at its limit and for nothing else: it is paid from
 * another purse, so that a broken key or an outage does not move all spending there unseen. The
 * chain is what a person wrote down for the case that this binding fails. Neither takes over what
 * no other model should be asked (a refusal) or what we ended ourselves. */
static const struct rule {
  enum again again;
  bool openrouter, chain;
  const char *name;
} rules[] = {
    [OUTCOME_OK] = {NEVER, false, false, "answered"},
    [OUTCOME_TIMEOUT] = {BY_ITSELF, false, true, "no content in time"},
    [OUTCOME_RATE_LIMITED] = {BY_ITSELF, true, true, "rate limited"},
    [OUTCOME_OVERLOADED] = {BY_ITSELF, false, true, "the provider is overloaded"},
    [OUTCOME_AUTH] = {NEVER, false, true, "the key is not accepted"},
    [OUTCOME_QUOTA] = {NEVER, true, true, "the quota is used up"},
    [OUTCOME_INVALID_REQUEST] = {ADVISED, false, true, "the request is not accepted"},
    [OUTCOME_REFUSED] = {NEVER, false, false, "refused by policy"},
    [OUTCOME_EMPTY] = {BY_ITSELF, false, true, "the answer is empty"},
    [OUTCOME_MALFORMED] = {BY_ITSELF, false, true, "the answer is malformed"},
    [OUTCOME_UNAVAILABLE] = {BY_ITSELF, false, true, "the provider cannot be reached"},
    [OUTCOME_CANCELLED] = {NEVER, false, false, "cancelled"},
    [OUTCOME_BUDGET] = {NEVER, false, false, "the budget is used up"},
    [OUTCOME_UNKNOWN] = {NEVER, false, false, "how it ended is unknown"},
};
enum { RULE_COUNT = sizeof rules / sizeof *rules };

static bool may_try_again(const struct rule *rule, const struct retry_facts *f) {
  if (rule->again == NEVER || f->advice == RETRY_ADVICE_NO) return false;
  bool refused = f->status_code >= 400 && f->status_code < 500; /* else the header meant no error */
  return rule->again == BY_ITSELF || (f->advice == RETRY_ADVICE_YES && refused);
}

static struct retry_decision elsewhere(const struct rule *rule, const struct retry_facts *f,
                                       const char *reason) {
  enum retry_action action = RETRY_GIVE_UP;
  if (rule->openrouter && f->openrouter)
    action = RETRY_OPENROUTER;
  else if (rule->chain && f->chain)
    action = RETRY_CHAIN;
  return (struct retry_decision){action, 0, reason};
}

struct retry_decision retry_decide(const struct retry_facts *f, struct prng *chance) {
  const struct rule *rule = &rules[(size_t)f->outcome < RULE_COUNT ? f->outcome : OUTCOME_UNKNOWN];
  if (f->left_ms <= 0) return (struct retry_decision){RETRY_GIVE_UP, 0, "the deadline is over"};
  if (!may_try_again(rule, f)) {
    bool forbidden = rule->again != NEVER && f->advice == RETRY_ADVICE_NO;
    return elsewhere(rule, f, forbidden ? "the provider says not to retry" : rule->name);
  }
  if (rule->openrouter && f->openrouter) return elsewhere(rule, f, rule->name);
  if (f->attempts > f->max_retries) return elsewhere(rule, f, "no retries left here");

  bool named = f->retry_after_ms > 0;
  int64_t delay_ms = named ? f->retry_after_ms : retry_backoff_ms(f->attempts, chance);
  if (delay_ms >= f->left_ms) {
    return elsewhere(rule, f,
                     named ? "the provider asks for a wait beyond the deadline"
                           : "no time left for a retry here");
  }
  return (struct retry_decision){named ? RETRY_WAIT : RETRY_AGAIN, delay_ms, rule->name};
}
