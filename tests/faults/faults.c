/* Every fault of the fake provider, and those of the way there, against the four wire formats:
 *
 *   faults BASE_URL [PAGE [TLS_URL]]
 *
 * drives src/provider against the fake provider at BASE_URL (which runs with script.json) on real
 * time, checks what the caller gets against scenario.c, and prints TAP, one line a scenario and
 * format. The formats of a scenario run at once, scenarios one after another. PAGE is written with
 * what was seen. TLS_URL is a proxy with TLS and HTTP/2 in front of the same fake provider.
 */
#include "debate/reply.h"
#include "page.h"
#include "provider/ask.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

enum { URL_SIZE = 128, NAME_SIZE = 96 };

/* One agent of a scenario: its binding's texts, and what became of its turn. */
struct agent {
  struct run *run;
  struct ask *ask;
  struct agent_binding *binding;
  char type[NAME_SIZE], model[NAME_SIZE], url[URL_SIZE], fallback[NAME_SIZE], prompt[NAME_SIZE];
  int turns_left;
  uint64_t started_ms;
  struct buffer shown; /* live, less what was withdrawn */
  struct sighting seen;
};

struct run {
  const struct scenario *scenario;
  const char *base;
  bool tls;
  struct loop *loop;
  struct provider *provider;
  struct agent_table table;
  struct agent_binding bindings[FORMAT_COUNT * (FAULTS_AGENTS_MAX + 2)];
  struct agent agents[FORMAT_COUNT][FAULTS_AGENTS_MAX];
  char healthy_url[FORMAT_COUNT][URL_SIZE], healthy_type[FORMAT_COUNT][NAME_SIZE];
  char openrouter_url[URL_SIZE];
  char *schema;
  int open; /* turns under way */
};

static const char *const paths[FORMAT_COUNT] = {"/v1", "/v1", "/v1beta", ""};
static int test_number, wrong;

/* ---- the agents ---- */

static struct agent_binding *add_binding(struct run *run, int format, const char *type,
                                         const char *url) {
  struct agent_binding *b = &run->bindings[run->table.count++];
  *b = (struct agent_binding){
      .type = type,
      .provider = wire_name((enum wire_format)format),
      .model = "well",
      .wire = (enum wire_format)format,
      .base_url = url,
      .key = "a-key-that-is-none",
      .output_tokens_max = 4096,
      .price_input_usd_micro = 2000000,
      .price_output_usd_micro = 10000000,
      .available = true,
  };
  return b;
}

static void write_url(const struct run *run, int format, char url[URL_SIZE]) {
  const char *base = run->base;
  switch (run->scenario->where) {
    case AT_FAKE:
    case AT_UNTRUSTED: break;
    case AT_NO_NAME: base = "http://no-such-host.invalid"; break;
    case AT_NO_PORT: base = "http://127.0.0.1:1"; break;
    case AT_NO_TLS:
      snprintf(url, URL_SIZE, "https%s%s", run->base + strlen("http"), paths[format]);
      return;
  }
  snprintf(url, URL_SIZE, "%s%s", base, paths[format]);
}

static void add_agent(struct run *run, int format, int index) {
  const struct scenario *s = run->scenario;
  struct agent *a = &run->agents[format][index];
  bool well = s->others_well && index > 0;
  const char *name = wire_name((enum wire_format)format);
  a->run = run;
  a->turns_left = s->turns ? s->turns : 1;
  buffer_init(&a->shown, 1 << 20);
  write_url(run, format, a->url);
  snprintf(a->type, sizeof a->type, "%s-%d", name, index);
  snprintf(a->model, sizeof a->model, "model-%d%s%s", index, s->fault && !well ? "@" : "",
           s->fault && !well ? s->fault : "");
  snprintf(a->prompt, sizeof a->prompt, "Tabs or spaces? Case %s/%s/%d.", s->name, name, index);
  a->binding = add_binding(run, format, a->type, a->url);
  a->binding->model = a->model;
  if (s->elsewhere == TO_OPENROUTER) a->binding->openrouter_model = "some/model";
  if (s->elsewhere == TO_CHAIN) a->binding->fallback = run->healthy_type[format];
}

static int agent_count(const struct run *run) {
  return run->scenario->agents ? run->scenario->agents : 1;
}

static void add_agents(struct run *run) {
  run->table.agents = run->bindings;
  for (int f = 0; f < FORMAT_COUNT; f++) {
    for (int i = 0; i < agent_count(run); i++) add_agent(run, f, i);
    snprintf(run->healthy_type[f], NAME_SIZE, "%s-well", wire_name((enum wire_format)f));
    snprintf(run->healthy_url[f], URL_SIZE, "%s%s", run->base, paths[f]);
    add_binding(run, f, run->healthy_type[f], run->healthy_url[f]);
  }
  snprintf(run->openrouter_url, URL_SIZE, "%s/api/v1", run->base);
  add_binding(run, WIRE_OPENAI, "openrouter", run->openrouter_url)->provider = "openrouter";
}

/* ---- their turns ---- */

static void start_turn(struct agent *a);

static void on_start(void *ctx, const struct ask_attempt *attempt) {
  struct agent *a = ctx;
  a->seen.attempts = attempt->number;
  ask_proceed(a->ask, attempt->number);
}

static void on_token(void *ctx, int attempt, struct bytes text) {
  struct agent *a = ctx;
  (void)attempt;
  buffer_append_bytes(&a->shown, text);
}

static void on_token_reset(void *ctx, int attempt) {
  struct agent *a = ctx;
  (void)attempt;
  buffer_clear(&a->shown);
}

static void on_attempt_end(void *ctx, const struct ask_result *result) {
  (void)ctx;
  (void)result;
}

/* Would the turn's own reader take it at once, or ask for a repair? */
static enum mark mark_of(const struct ask_result *r) {
  const struct reply_form form = {.kind = TURN_PROPOSAL};
  struct reply reply;
  struct error err;
  if (r->outcome != OUTCOME_OK) return MARK_NONE;
  if (r->truncated) return MARK_TRUNCATED;
  if (reply_parse(&form, r->text, false, &reply, &err)) return MARK_REPAIR;
  reply_done(&reply);
  return MARK_NONE;
}

static void look_at(void *ctx, const struct provider_agent *p) {
  struct agent *a = ctx;
  struct sighting *s = &a->seen;
  if (p->binding != a->binding) return;
  s->failures = p->breaker.failures;
  s->breaker = p->breaker.state == BREAKER_OPEN      ? BREAKS_OPEN
               : p->breaker.cooling_remaining_ms > 0 ? BREAKS_COOLING
               : p->misconfigured[0]                 ? BREAKS_MISCONFIGURED
               : s->failures > 0                     ? BREAKS_COUNTED
                                                     : BREAKS_NOTHING;
}

static void on_done(void *ctx, const struct ask_result *r) {
  struct agent *a = ctx;
  struct sighting *s = &a->seen;
  s->outcome = r->outcome;
  s->mark = mark_of(r);
  s->cost = r->cost_usd_micro >= 0;
  s->fallback = r->fallback;
  /* The answer is what was shown, and a failure brings no text. */
  s->whole =
      r->outcome == OUTCOME_OK ? bytes_equal(r->text, buffer_bytes(&a->shown)) : r->text.len == 0;
  uint64_t took_ms = loop_now_ms(a->run->loop) - a->started_ms;
  if (took_ms > s->longest_ms) s->longest_ms = took_ms;
  s->took_ms = took_ms;
  snprintf(s->detail, sizeof s->detail, "%s", r->detail);
  provider_each_agent(a->run->provider, look_at, a);
  a->ask = NULL;
  if (--a->turns_left > 0)
    start_turn(a);
  else if (--a->run->open == 0)
    loop_stop(a->run->loop);
}

static const struct ask_ops ops = {on_start, on_token, on_token_reset, on_attempt_end, on_done};

static int64_t turn_ms(const struct scenario *s) {
  return s->turn_ms ? s->turn_ms : FAULTS_TURN_MS;
}

static void start_turn(struct agent *a) {
  struct run *run = a->run;
  const struct ask_spec spec = {
      .binding = a->binding,
      .debate_key = 1,
      .agent = a->type,
      .system = BYTES_LITERAL("You debate."),
      .prefix = BYTES_LITERAL("A question follows.\n"),
      .prompt = bytes_of(a->prompt),
      .schema_name = "proposal",
      .schema = bytes_of(run->schema),
      .max_output_tokens = 2000,
      .timeout_ms = turn_ms(run->scenario),
  };
  buffer_clear(&a->shown);
  a->seen.attempts = 0;
  a->started_ms = loop_now_ms(run->loop);
  struct error err;
  if (ask_start(run->provider, &spec, &ops, a, &a->ask, &err)) {
    fprintf(stderr, "faults: %s\n", err.message);
    exit(2);
  }
}

static void start_all(void *arg) {
  struct run *run = arg;
  run->open = FORMAT_COUNT * agent_count(run);
  for (int f = 0; f < FORMAT_COUNT; f++)
    for (int i = 0; i < agent_count(run); i++) start_turn(&run->agents[f][i]);
}

/* ---- what was seen ---- */

/* Between which times a turn of this kind ends: the parts that it consists of, and the slack. */
static bool lasts_so(const struct scenario *s, const struct expectation *e, uint64_t took_ms) {
  int64_t least = 0, most = s->work_ms, took = (int64_t)took_ms;
  /* A resolver that does not answer is given up like a connection. */
  if (s->where == AT_NO_NAME) most = (int64_t)FAULTS_CONNECT_MS * e->attempts;
  switch (e->lasts) {
    case LASTS_ONCE: break;
    case LASTS_RETRY: most += FAULTS_DELAY_MS; break;
    case LASTS_1_S:
      least = 1000;
      most += 1000;
      break;
    case LASTS_IDLE:
      least = (int64_t)FAULTS_IDLE_MS * e->attempts;
      most += least + FAULTS_DELAY_MS;
      break;
    case LASTS_DEADLINE:
      least = turn_ms(s);
      most += least;
      break;
  }
  /* The clock of the loop is read once a turn: a few milliseconds either way. */
  return took >= least - 20 && took <= most + FAULTS_SLACK_MS;
}

/* What is wrong, or NULL. */
static const char *verdict(const struct scenario *s, const struct expectation *e,
                           const struct sighting *seen) {
  if (seen->outcome != e->outcome) return "outcome";
  if (seen->mark != e->mark) return "mark";
  if (!seen->whole) return "the answer is not what was shown, or a failure brought text";
  if (seen->attempts != e->attempts) return "attempts";
  int bound = (1 + FAULTS_MAX_RETRIES) * (s->elsewhere ? 2 : 1);
  if (seen->attempts > bound) return "more attempts than allowed";
  if (seen->breaker != e->breaker) return "breaker";
  if (e->breaker == BREAKS_COUNTED && seen->failures != e->attempts) return "failures counted";
  if (seen->cost != e->cost) return "cost";
  if (seen->fallback != (s->elsewhere != NOWHERE)) return "who answered";
  if ((int64_t)seen->longest_ms > turn_ms(s) + FAULTS_SLACK_MS) return "outlived its deadline";
  return lasts_so(s, e, seen->took_ms) ? NULL : "time";
}

static void check(const struct run *run, int format, int index) {
  static const struct expectation well = {OUTCOME_OK,     1,    LASTS_ONCE,
                                          BREAKS_NOTHING, true, MARK_NONE};
  const struct scenario *s = run->scenario;
  const struct sighting *seen = &run->agents[format][index].seen;
  bool is_well = s->others_well && index > 0;
  const struct expectation *e = is_well ? &well : scenario_expect(s, format, run->tls);
  const char *reason = verdict(s, e, seen);
  printf("%sok %d - %s%s %s", reason ? "not " : "", ++test_number, run->tls ? "tls " : "", s->name,
         wire_name((enum wire_format)format));
  if (agent_count(run) > 1) printf(" agent %d", index + 1);
  printf(": %s, %d attempts, %llu ms\n", outcome_name(seen->outcome), seen->attempts,
         (unsigned long long)seen->took_ms);
  if (!reason) return;
  wrong++;
  printf("# wrong: %s; expected %s, %d attempts\n", reason, outcome_name(e->outcome), e->attempts);
  printf("# seen: mark %d, breaker %d, %d failures, cost %s, %s\n", (int)seen->mark,
         (int)seen->breaker, seen->failures, seen->cost ? "known" : "unknown", seen->detail);
}

/* ---- a scenario ---- */

/* The HTTP client reads the name of its bundle once, here. */
static void open_provider(struct run *run, const struct provider_options *options) {
  const char *bundle = getenv("CURL_CA_BUNDLE");
  FREE_LATER char *ours = bundle ? strdup(bundle) : NULL;
  struct error err;
  if (run->scenario->where == AT_UNTRUSTED) unsetenv("CURL_CA_BUNDLE");
  if (loop_create(&run->loop, &err) || provider_create(run->loop, options, &run->provider, &err)) {
    fprintf(stderr, "faults: %s\n", err.message);
    exit(2);
  }
  if (ours) setenv("CURL_CA_BUNDLE", ours, 1);
}

static void run_scenario(const struct scenario *s, const char *base, bool tls, FILE *page) {
  struct run *run = calloc(1, sizeof *run);
  if (!run || !(run->schema = prompt_schema(TURN_PROPOSAL, 0, 0))) exit(2);
  run->scenario = s;
  run->base = base;
  run->tls = tls;
  add_agents(run);
  const struct provider_options options = {
      .connections_per_host = 16,
      .max_queued = 16,
      .connect_timeout_ms = FAULTS_CONNECT_MS,
      .idle_timeout_ms = FAULTS_IDLE_MS,
      .max_answer_bytes = FAULTS_ANSWER_BYTES,
      .max_retries = FAULTS_MAX_RETRIES,
      .breaker_threshold = FAULTS_BREAKER_THRESHOLD,
      .agents = &run->table,
  };
  open_provider(run, &options);
  loop_post(run->loop, start_all, run);
  loop_run(run->loop);
  struct sighting first[FORMAT_COUNT];
  for (int f = 0; f < FORMAT_COUNT; f++) {
    first[f] = run->agents[f][0].seen;
    for (int i = 0; i < agent_count(run); i++) {
      check(run, f, i);
      buffer_done(&run->agents[f][i].shown);
    }
  }
  if (page) page_row(page, s, tls, first);
  provider_destroy(run->provider);
  loop_destroy(run->loop);
  free(run->schema);
  free(run);
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (argc < 2) {
    fputs("usage: faults BASE_URL [PAGE [TLS_URL]]\n", stderr);
    return 2;
  }
  curl_global_init(CURL_GLOBAL_DEFAULT);
  FILE *page = argc > 2 ? fopen(argv[2], "w") : NULL;
  const char *tls = argc > 3 ? argv[3] : NULL;
  if (argc > 2 && !page) {
    perror(argv[2]);
    return 2;
  }
  if (page) page_begin(page);
  for (size_t i = 0; i < scenario_count; i++)
    if (!scenarios[i].only_by_proxy) run_scenario(&scenarios[i], argv[1], false, page);
  if (page) page_begin_tls(page, tls);
  for (size_t i = 0; tls && i < scenario_count; i++)
    if (!scenarios[i].not_by_proxy) run_scenario(&scenarios[i], tls, true, page);
  printf("1..%d\n", test_number);
  if (page && fclose(page)) wrong++;
  return wrong > 0;
}
