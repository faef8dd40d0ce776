#include "scenario.h"

#include "provider/agents.h"

#define ANSWER \
  { OUTCOME_OK, 1, LASTS_ONCE, BREAKS_NOTHING, true, MARK_NONE }
#define ANSWER_MARKED(mark) \
  { OUTCOME_OK, 1, LASTS_ONCE, BREAKS_NOTHING, true, mark }
#define ANSWER_UNPRICED \
  { OUTCOME_OK, 1, LASTS_ONCE, BREAKS_NOTHING, false, MARK_NONE }
#define ONCE(outcome, breaker) \
  { outcome, 1, LASTS_ONCE, breaker, false, MARK_NONE }
#define TWICE(outcome, breaker) \
  { outcome, 2, LASTS_RETRY, breaker, false, MARK_NONE }
#define FAILED(outcome) TWICE(outcome, BREAKS_COUNTED)
#define STALLED \
  { OUTCOME_TIMEOUT, 2, LASTS_IDLE, BREAKS_COUNTED, false, MARK_NONE }

#define FAULT(fault_name) .name = fault_name, .fault = fault_name

static const char no_wire[] = "no fault of the wire's: the proxy has no part in it";
static const char at_proxy[] = "the client speaks to the proxy, which can be reached";

const struct scenario scenarios[] = {
    {FAULT("none"), .expect = ANSWER},
    /* error answers */
    {FAULT("status-400"), .expect = ONCE(OUTCOME_INVALID_REQUEST, BREAKS_MISCONFIGURED)},
    {FAULT("status-401"), .expect = ONCE(OUTCOME_AUTH, BREAKS_MISCONFIGURED)},
    {FAULT("status-402"), .expect = ONCE(OUTCOME_QUOTA, BREAKS_NOTHING)},
    {FAULT("status-403"), .expect = ONCE(OUTCOME_AUTH, BREAKS_MISCONFIGURED)},
    {FAULT("status-403-quota"), .expect = ONCE(OUTCOME_QUOTA, BREAKS_NOTHING)},
    {FAULT("status-404"), .expect = ONCE(OUTCOME_INVALID_REQUEST, BREAKS_MISCONFIGURED)},
    {FAULT("status-408"), .expect = FAILED(OUTCOME_OVERLOADED)},
    {FAULT("status-409"), .expect = FAILED(OUTCOME_OVERLOADED)},
    {FAULT("status-413"), .expect = ONCE(OUTCOME_INVALID_REQUEST, BREAKS_MISCONFIGURED)},
    {FAULT("status-422"), .expect = ONCE(OUTCOME_INVALID_REQUEST, BREAKS_MISCONFIGURED)},
    {FAULT("status-429-1s"),
     .expect = {OUTCOME_RATE_LIMITED, 2, LASTS_1_S, BREAKS_COOLING, false, MARK_NONE}},
    {FAULT("status-429-ms"), .expect = TWICE(OUTCOME_RATE_LIMITED, BREAKS_COOLING)},
    {FAULT("status-429-none"), .expect = TWICE(OUTCOME_RATE_LIMITED, BREAKS_NOTHING)},
    {FAULT("status-429-10h"), .expect = ONCE(OUTCOME_RATE_LIMITED, BREAKS_COOLING)},
    /* The date is between 1 and 2 s ahead, depending on the part of the second: beyond this turn.
     */
    {FAULT("status-429-date"), .expect = ONCE(OUTCOME_RATE_LIMITED, BREAKS_COOLING),
     .turn_ms = 900},
    {FAULT("status-429-quota"), .expect = ONCE(OUTCOME_QUOTA, BREAKS_NOTHING)},
    {FAULT("status-500"), .expect = FAILED(OUTCOME_OVERLOADED)},
    {FAULT("status-502"), .expect = FAILED(OUTCOME_OVERLOADED)},
    {FAULT("status-503"), .expect = FAILED(OUTCOME_OVERLOADED)},
    {FAULT("status-504"), .expect = FAILED(OUTCOME_OVERLOADED)},
    {FAULT("status-529"), .expect = FAILED(OUTCOME_OVERLOADED)},
    {FAULT("html-502"), .expect = FAILED(OUTCOME_OVERLOADED)},
    {FAULT("html-body"), .expect = FAILED(OUTCOME_UNAVAILABLE), .other_on = ON(WIRE_OLLAMA),
     .other = FAILED(OUTCOME_MALFORMED)},
    {FAULT("empty-body"), .expect = FAILED(OUTCOME_UNAVAILABLE)},
    {FAULT("redirect"), .expect = FAILED(OUTCOME_UNAVAILABLE)},
    {FAULT("error-200"), .expect = FAILED(OUTCOME_OVERLOADED)},
    /* answers that break off */
    {FAULT("error-mid"), .expect = FAILED(OUTCOME_OVERLOADED)},
    {FAULT("cut"), .expect = FAILED(OUTCOME_UNAVAILABLE)},
    {FAULT("cut-clean"), .expect = FAILED(OUTCOME_UNAVAILABLE)},
    {FAULT("cut-char"), .expect = FAILED(OUTCOME_UNAVAILABLE)},
    {FAULT("reset"), .expect = FAILED(OUTCOME_UNAVAILABLE),
     .otherwise_by_proxy = true, /* it answers with a 502 of its own */
     .by_proxy = FAILED(OUTCOME_OVERLOADED)},
    {FAULT("reset-text"), .expect = FAILED(OUTCOME_UNAVAILABLE)},
    {FAULT("stall-head"), .expect = STALLED},
    {FAULT("stall-text"), .expect = STALLED},
    {FAULT("comments"), .expect = STALLED},
    {FAULT("drip"), .expect = STALLED},
    {FAULT("endless"), .expect = FAILED(OUTCOME_MALFORMED)},
    {FAULT("line-1mb"), .expect = FAILED(OUTCOME_MALFORMED)},
    /* inflated up to the limit, twice */
    {FAULT("gzip-bomb"), .expect = FAILED(OUTCOME_MALFORMED), .work_ms = 1200},
    /* whole answers in an unusual form */
    {FAULT("comments-first"), .expect = ANSWER},
    {FAULT("blank-lines"), .expect = ANSWER},
    {FAULT("crlf"), .expect = ANSWER},
    {FAULT("cr"), .expect = ANSWER},
    {FAULT("no-space"), .expect = ANSWER},
    /* thousands of packets, each a TLS record of its own behind the proxy */
    {FAULT("utf8-split"), .expect = ANSWER, .work_ms = 800},
    {FAULT("thinking-first"), .expect = ANSWER},
    {FAULT("array-content"), .expect = ANSWER},
    {FAULT("obfuscation"), .expect = ANSWER},
    {FAULT("usage-wrong"), .expect = ANSWER_UNPRICED},
    {FAULT("usage-missing"), .expect = ANSWER_UNPRICED},
    {FAULT("malformed-event"), .expect = FAILED(OUTCOME_MALFORMED)},
    /* what a model may do */
    {FAULT("refusal"), .expect = {OUTCOME_REFUSED, 1, LASTS_ONCE, BREAKS_NOTHING, true, MARK_NONE},
     .other_on = ON(WIRE_OLLAMA), .other = ANSWER_MARKED(MARK_REPAIR)},
    {FAULT("truncated"), .expect = ANSWER_MARKED(MARK_TRUNCATED)},
    {FAULT("empty-content"),
     .expect = {OUTCOME_EMPTY, 2, LASTS_RETRY, BREAKS_COUNTED, true, MARK_NONE}},
    {FAULT("garbage"), .expect = ANSWER_MARKED(MARK_REPAIR)},
    {FAULT("prose"), .expect = ANSWER_MARKED(MARK_REPAIR)},
    {FAULT("fenced"), .expect = ANSWER_MARKED(MARK_REPAIR)},
    /* on the way there */
    {.name = "dns",
     .fault = "none",
     .what = "the host's name does not exist",
     .expect = FAILED(OUTCOME_UNAVAILABLE),
     .where = AT_NO_NAME,
     .not_by_proxy = at_proxy},
    {.name = "refused",
     .fault = "none",
     .what = "nobody listens at the port",
     .expect = FAILED(OUTCOME_UNAVAILABLE),
     .where = AT_NO_PORT,
     .not_by_proxy = at_proxy},
    {.name = "tls",
     .fault = "none",
     .what = "the handshake of TLS fails",
     .expect = FAILED(OUTCOME_UNAVAILABLE),
     .where = AT_NO_TLS,
     .not_by_proxy = at_proxy},
    {.name = "untrusted",
     .fault = "none",
     .what = "the certificate is of an authority that is not trusted",
     .expect = ONCE(OUTCOME_UNAVAILABLE, BREAKS_COUNTED),
     .where = AT_UNTRUSTED,
     .only_by_proxy = true},
    /* over more than one attempt, turn or agent */
    {.name = "slow-text",
     .what = "text that comes steadily, past the deadline",
     .expect = {OUTCOME_TIMEOUT, 1, LASTS_DEADLINE, BREAKS_COUNTED, false, MARK_NONE}},
    {.name = "recovers",
     .what = "529 once, then an answer",
     .expect = {OUTCOME_OK, 2, LASTS_RETRY, BREAKS_NOTHING, true, MARK_NONE},
     .not_by_proxy = no_wire},
    {.name = "outage",
     .fault = "status-503",
     .what = "503, for four turns one after another; the last is shown",
     .expect = {OUTCOME_UNAVAILABLE, 0, LASTS_ONCE, BREAKS_OPEN, false, MARK_NONE},
     .turns = 4,
     .not_by_proxy = no_wire},
    {.name = "storm",
     .fault = "status-429-none",
     .what = "429 at all three agents at once",
     .expect = TWICE(OUTCOME_RATE_LIMITED, BREAKS_NOTHING),
     .agents = 3,
     .not_by_proxy = no_wire},
    {.name = "one-slow",
     .what = "one of three agents is slow for ever; the two others answer",
     .expect = {OUTCOME_TIMEOUT, 1, LASTS_DEADLINE, BREAKS_COUNTED, false, MARK_NONE},
     .agents = 3,
     .others_well = true,
     .not_by_proxy = no_wire},
    {.name = "to-openrouter",
     .fault = "status-429-none",
     .what = "429, and OpenRouter can be asked",
     .expect = {OUTCOME_OK, 2, LASTS_ONCE, BREAKS_NOTHING, true, MARK_NONE},
     .elsewhere = TO_OPENROUTER,
     .not_by_proxy = no_wire},
    {.name = "to-chain",
     .fault = "status-401",
     .what = "401, and the agent names another to fall back to",
     .expect = {OUTCOME_OK, 2, LASTS_ONCE, BREAKS_MISCONFIGURED, true, MARK_NONE},
     .elsewhere = TO_CHAIN,
     .not_by_proxy = no_wire},
};
const size_t scenario_count = sizeof scenarios / sizeof *scenarios;

const struct expectation *scenario_expect(const struct scenario *s, int format, bool by_proxy) {
  if (by_proxy && s->otherwise_by_proxy) return &s->by_proxy;
  return s->other_on & ON(format) ? &s->other : &s->expect;
}
