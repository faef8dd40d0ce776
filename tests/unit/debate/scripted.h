/* A debate run by the engine alone, its agents answering from a script: a log to look at. */
#ifndef ARAGORA_TEST_SCRIPTED_H
#define ARAGORA_TEST_SCRIPTED_H

#include "debate/debate.h"

/* What agent `member` replies to a turn; NULL fails the turn as overloaded (status 529). */
typedef const char *scripted_reply_fn(enum turn_kind kind, int member);

struct scripted {
  struct debate *debate; /* with history */
  struct event *events;  /* the log, with owned data and borrowed agents */
  size_t count, cap;
};

/* Three agents "a", "b", "c" of the type demo; runs to the end. Fails the test on any error. */
struct scripted *scripted_run(scripted_reply_fn *reply, enum rule rule);
void scripted_free(struct scripted *s);
/* The n-th event of a kind, counted from 0; fails the test when there is none. */
const struct event *scripted_event(const struct scripted *s, enum event_kind kind, size_t n);

/* One round; "a" says 42, "b" and "c" say 41; all criticise; "b" comes round; a vote decides. */
const char *scripted_two_positions(enum turn_kind kind, int member);

#endif
