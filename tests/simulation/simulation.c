/* Thousands of debates from seeds: hostile ones, killed ones, and the same one in another order.
 *
 *   simulation [--seeds N] [--from S]   N seeds, each in every way below (default 200 from 1)
 *   simulation --seed S [-v]            one seed; -v prints its log
 */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>

struct totals {
  long debates, events, prompts, kills, decisions;
};

static bool report(uint64_t seed, const char *way, const struct sim_run *run) {
  if (!run->problem[0]) return true;
  printf("not ok - seed %llu, %s: %s\n", (unsigned long long)seed, way, run->problem);
  return false;
}

static void add(struct totals *t, const struct sim_run *run) {
  t->debates++;
  t->events += (long)run->log.count;
  t->prompts += run->prompts;
  t->kills += run->kills;
  t->decisions += run->decided;
}

static bool same_text(const char *a, const char *b) {
  return (!a && !b) || (a && b && strcmp(a, b) == 0);
}

/* A hostile debate, twice: no promise broken, and the same log, byte for byte. */
static bool play_hostile(uint64_t seed, bool verbose, struct totals *t) {
  struct sim_options o = {
      .seed = seed, .order_seed = seed, .mood = SIM_HOSTILE, .kill_at = -1, .verbose = verbose};
  struct sim_run a;
  struct sim_run b;
  sim_play(&o, &a);
  o.verbose = false;
  sim_play(&o, &b);
  if (!a.problem[0] && strcmp(a.head_hash, b.head_hash) != 0)
    snprintf(a.problem, sizeof a.problem, "the same seed gave another log");
  bool ok = report(seed, "hostile", &a);
  add(t, &a);
  sim_run_done(&a);
  sim_run_done(&b);
  return ok;
}

/* Well or badly answered, but never stopped from outside: another order of arrival and deaths in
 * between ask, say and decide the same. */
static bool play_reordered(uint64_t seed, struct totals *t) {
  enum sim_mood mood = seed % 2 ? SIM_CALM : SIM_ROUGH;
  struct sim_options o = {.seed = seed, .order_seed = seed, .mood = mood, .kill_at = -1};
  struct sim_run calm;
  sim_play(&o, &calm);
  bool ok = report(seed, mood == SIM_CALM ? "calm" : "rough", &calm);
  for (int i = 1; i <= 3 && ok; i++) {
    struct sim_options other = o;
    other.order_seed = seed + 1000003u * (unsigned)i;
    other.kills = i == 3;
    if (i == 2) other.kill_at = 1 + (int)(seed % (calm.log.count ? calm.log.count : 1));
    struct sim_run run;
    sim_play(&other, &run);
    if (!run.problem[0] && !same_text(calm.content, run.content))
      snprintf(run.problem, sizeof run.problem, "another order of arrival gave another debate");
    ok = report(seed, i == 1 ? "reordered" : "killed", &run);
    add(t, &run);
    sim_run_done(&run);
  }
  add(t, &calm);
  sim_run_done(&calm);
  return ok;
}

static bool play_killed(uint64_t seed, struct totals *t) {
  struct sim_options o = {
      .seed = seed, .order_seed = seed, .mood = SIM_HOSTILE, .kill_at = -1, .kills = true};
  struct sim_run run;
  sim_play(&o, &run);
  bool ok = report(seed, "hostile and killed", &run);
  add(t, &run);
  sim_run_done(&run);
  return ok;
}

static bool play_seed(uint64_t seed, bool verbose, struct totals *t) {
  return play_hostile(seed, verbose, t) && play_killed(seed, t) && play_reordered(seed, t);
}

int main(int argc, char **argv) {
  uint64_t from = 1;
  uint64_t seeds = 200;
  bool verbose = false;
  for (int i = 1; i < argc; i++) {
    bool value = i + 1 < argc;
    if (strcmp(argv[i], "-v") == 0) {
      verbose = true;
    } else if (value && strcmp(argv[i], "--seeds") == 0) {
      seeds = strtoull(argv[++i], NULL, 10);
    } else if (value && strcmp(argv[i], "--from") == 0) {
      from = strtoull(argv[++i], NULL, 10);
    } else if (value && strcmp(argv[i], "--seed") == 0) {
      from = strtoull(argv[++i], NULL, 10);
      seeds = 1;
    } else {
      fprintf(stderr, "usage: simulation [--seeds N] [--from S] | --seed S [-v]\n");
      return 2;
    }
  }
  struct totals t = {0};
  for (uint64_t seed = from; seed < from + seeds; seed++) {
    if (!play_seed(seed, verbose, &t)) {
      printf("replay with: simulation --seed %llu -v\n", (unsigned long long)seed);
      return 1;
    }
    if (seeds >= 2000 && (seed - from + 1) % 1000 == 0) {
      printf("# %llu of %llu seeds\n", (unsigned long long)(seed - from + 1),
             (unsigned long long)seeds);
      fflush(stdout);
    }
  }
  printf("ok - %llu seeds: %ld debates, %ld events, %ld prompts, %ld deaths, %ld decisions\n",
         (unsigned long long)seeds, t.debates, t.events, t.prompts, t.kills, t.decisions);
  return 0;
}
