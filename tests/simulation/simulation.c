/* Thousands of debates from seeds: hostile ones, killed ones, and the same one in another order.
 *
 *   simulation [--seeds N] [--from S]   N seeds, each in every way below (default 200 from 1)
 *   simulation --seed S [-v]            one seed; -v prints its log
 *   simulation --torture ...            the same, but each debate dies at every write and send
 *   simulation --torture --seed S --at B   one of these deaths
 */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>

struct totals {
  long debates, events, prompts, kills, decisions;
  long boundaries, unknowns, resumed, sent, unsent;
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
  t->boundaries += run->boundaries;
  t->unknowns += run->counts.unknowns;
  t->resumed += run->counts.resumed;
  t->sent += run->sent;
  t->unsent += run->unsent;
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

/* ---- a death at every boundary ---- */

/* Every other one dies again while or soon after it is taken up. */
static int second_death(uint64_t seed, int at) {
  struct prng g = prng_for(seed, 301, (uint64_t)at, 0);
  return at % 2 ? 1 + (int)prng_below(&g, 8) : 0;
}

static bool play_death(const struct sim_options *whole, const char *content, int at, bool verbose,
                       struct totals *t) {
  struct sim_options o = *whole;
  o.die_at = at;
  o.die_again = second_death(o.seed, at);
  o.verbose = verbose;
  struct sim_run run;
  sim_play(&o, &run);
  if (!run.problem[0] && !same_text(content, run.content))
    snprintf(run.problem, sizeof run.problem, "what was asked, said or decided is not the same");
  if (!run.problem[0] && run.kills == 0)
    snprintf(run.problem, sizeof run.problem, "it did not die");
  char way[64];
  snprintf(way, sizeof way, "dies at boundary %d", at);
  bool ok = report(o.seed, way, &run);
  add(t, &run);
  sim_run_done(&run);
  return ok;
}

/* `at` 0: at each of them. Answered well or badly, and never stopped from outside: what comes out
 * must be what the undisturbed debate comes to. */
static bool play_deaths(uint64_t seed, int at, bool verbose, struct totals *t) {
  enum sim_mood mood = seed % 2 ? SIM_CALM : SIM_ROUGH;
  struct sim_options o = {.seed = seed, .order_seed = seed, .mood = mood, .kill_at = -1};
  struct sim_run whole;
  sim_play(&o, &whole);
  bool ok = report(seed, "undisturbed", &whole);
  int last = at ? at : whole.boundaries;
  for (int i = at ? at : 1; ok && i <= last; i++) ok = play_death(&o, whole.content, i, verbose, t);
  add(t, &whole);
  sim_run_done(&whole);
  return ok;
}

static bool play_seed(uint64_t seed, bool verbose, struct totals *t) {
  return play_hostile(seed, verbose, t) && play_killed(seed, t) && play_reordered(seed, t);
}

struct request {
  uint64_t from, seeds;
  int at;
  bool torture, verbose;
};

static bool read_arguments(int argc, char **argv, struct request *q) {
  for (int i = 1; i < argc; i++) {
    bool value = i + 1 < argc;
    if (strcmp(argv[i], "-v") == 0) {
      q->verbose = true;
    } else if (strcmp(argv[i], "--torture") == 0) {
      q->torture = true;
    } else if (value && strcmp(argv[i], "--seeds") == 0) {
      q->seeds = strtoull(argv[++i], NULL, 10);
    } else if (value && strcmp(argv[i], "--from") == 0) {
      q->from = strtoull(argv[++i], NULL, 10);
    } else if (value && strcmp(argv[i], "--at") == 0) {
      q->at = (int)strtol(argv[++i], NULL, 10);
    } else if (value && strcmp(argv[i], "--seed") == 0) {
      q->from = strtoull(argv[++i], NULL, 10);
      q->seeds = 1;
    } else {
      return false;
    }
  }
  return true;
}

static void print_totals(const struct request *q, const struct totals *t) {
  printf("ok - %llu seeds: %ld debates, %ld events, %ld prompts, %ld deaths, %ld decisions",
         (unsigned long long)q->seeds, t->debates, t->events, t->prompts, t->kills, t->decisions);
  if (q->torture)
    printf(", %ld requests, %ld starts unsent, %ld unknown attempts, %ld turns asked again",
           t->sent, t->unsent, t->unknowns, t->resumed);
  printf("\n");
}

int main(int argc, char **argv) {
  struct request q = {.from = 1, .seeds = 200};
  struct totals t = {0};
  if (!read_arguments(argc, argv, &q)) {
    fprintf(stderr,
            "usage: simulation [--torture [--at B]] [--seeds N] [--from S] | --seed S [-v]\n");
    return 2;
  }
  uint64_t step = q.torture ? 100 : 1000;
  for (uint64_t seed = q.from; seed < q.from + q.seeds; seed++) {
    bool ok = q.torture ? play_deaths(seed, q.at, q.verbose, &t) : play_seed(seed, q.verbose, &t);
    if (!ok) {
      printf("replay with: simulation %s--seed %llu -v\n", q.torture ? "--torture [--at B] " : "",
             (unsigned long long)seed);
      return 1;
    }
    uint64_t done = seed - q.from + 1;
    if (q.seeds >= 2 * step && done % step == 0) {
      printf("# %llu of %llu seeds\n", (unsigned long long)done, (unsigned long long)q.seeds);
      fflush(stdout);
    }
  }
  print_totals(&q, &t);
  return 0;
}
