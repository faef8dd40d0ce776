/* A debate played by a test: the engine with scripted agents, a clock of its own and a log that is
 * sealed as the runner seals it. What goes wrong fails the test.
 *
 * A script says what a turn is answered, one entry a time that it is asked:
 *
 *   "0p1 a; 0p2 b; 1c1 2:0.9; 1r2 changed a; 1v1 ab; 1j1 b"
 *
 * round, kind (p proposal, c critique, r revision, v ballot, j judgment), number of the agent or
 * judge from 1; then the answer:
 *   proposal   a letter, which is also the answer's key; "=words" is an answer without a key
 *   critique   "2:0.9,3:0.1": an item for agent 2 of severity 0.9, ...; "none"
 *   revision   "held", "changed b", "changed =words"; with "accept " or "reject " before it, for
 *              all items
 *   ballot     positions in order, "a" is p0
 *   judgment   a position
 * or what else may come: "!timeout" a failure for good, "~timeout" one that another attempt
 * follows, "?" prose, "&X" the answer X within prose, "^X" cut at the output limit, "@X" answered
 * by a fallback. What the script does not say is proposal a, critique none, revision held, a ballot
 * with the own position first, judgment a.
 */
#ifndef ARAGORA_TESTS_DRIVER_H
#define ARAGORA_TESTS_DRIVER_H

#include "debate/check.h"
#include "debate/result.h"
#include "debate/topology.h"

#include <setjmp.h>
#include <stdarg.h>
// clang-format off
#include <cmocka.h>
// clang-format on

struct driver_line { /* an event of the log; owns */
  struct check_line line;
  char *bytes;
  char *agent;
  json_t *data;
};

struct driver_flight { /* an attempt under way */
  bool used;
  int turn;
  char answer[128]; /* of the script */
};

struct driver {
  struct debate *d;
  struct driver_line *lines;
  size_t count, cap;
  uint8_t head[CHAIN_HASH_SIZE];
  int64_t now_ms;
  const char *script;
  bool backwards; /* the last asked answers first */
  int asked[TURN_KIND_COUNT][DEBATE_ROUNDS_MAX + 1][DEBATE_MEMBERS_MAX];
  struct driver_flight flights[DEBATE_MEMBERS_MAX];
  int64_t reserved_usd_micro, cost_usd_micro; /* of every attempt; -1 = unknown */
};

/* n agents, "agent-1" and so on; majority at 0.6, all criticise all, two rounds, fast path off. */
struct debate_config driver_config(int n);
/* The same with judges ("judge-1", ...) and that rule. */
struct debate_config driver_judged(int n, int judges);

/* Takes the configuration. `script` is borrowed. */
void driver_begin(struct driver *r, struct debate_config *config, const char *script);
void driver_done(struct driver *r);

/* The next thing: an event of the engine's, or all that is to be asked, or one answer. False at the
 * end. */
bool driver_step(struct driver *r);
/* To the end; then the log must check, and refold to the same state. */
void driver_run(struct driver *r);
/* Until the phase, or until the debate has ended (false). */
bool driver_run_to(struct driver *r, enum phase phase);
/* Both in one: begins and runs. */
void driver_play(struct driver *r, struct debate_config *config, const char *script);

/* A fact from outside; attempts under way are cut, or with `late` are answered all the same. */
void driver_fact(struct driver *r, enum event_kind kind, bool late);
/* Only the log survives: it is folded anew, open attempts are closed as unknown. */
void driver_crash(struct driver *r);
void driver_append(struct driver *r, struct drafts *drafts);
/* Folds the log and compares with the state that was lived. */
void driver_check(const struct driver *r, struct check_result *ret_result);

/* The data of the nth event of that type, from 0; NULL when there is none. */
const json_t *driver_event(const struct driver *r, const char *type, int nth);
int driver_events(const struct driver *r, const char *type);
/* Every member of `json`, an object, is in the last event of that type and equal. */
void driver_expect(const struct driver *r, const char *type, const char *json);
/* The types of the events but attempts, in order, with a blank between. */
void driver_expect_types(const struct driver *r, const char *types);

#endif
