/* What a call to a provider costs through src/provider, above the same bytes through libcurl alone
 * in the same process: blocks of both kinds in turn, so that the machine's hour is in both. With
 * `stream` the words are also shown to one subscriber of the hub.
 *
 * Prints `name<TAB>value<TAB>unit<TAB>unit of work`: medians of the blocks, and of the differences
 * within a pair of blocks. Usage: bench_call call|stream PORT [calls a block]
 * PORT is one of `aragora fake-provider`, whose answers must all be the same.
 */
#include "asker.h"
#include "bare_curl.h"
#include "base/clock.h"
#include "base/log.h"
#include "provider/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
  AT_ONCE = 16,
  PAIRS = 9,
  WARM_UP = 256,
  ALONE = 2000,
  READ_BYTES = 8192,
  ANSWER_MAX = 1 << 20
};

static void must(enum status status, const struct error *err) {
  if (!status) return;
  fprintf(stderr, "bench_call: %s %s\n", status_name(status), err ? err->message : "");
  exit(1);
}

static double cpu_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a;
  double y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(double *values, size_t count) {
  qsort(values, count, sizeof *values, compare);
  return values[count / 2];
}

static void print(const char *name, double value, const char *unit, const char *work) {
  printf("%s\t%.1f\t%s\t%s\n", name, value, unit, work);
}

/* ---- parts alone, without a network ---- */

/* How much of `rest` one read brought: READ_BYTES, or an event, as when they come one by one. */
static struct bytes next_piece(struct bytes rest, bool by_event) {
  const char *end = by_event ? memmem(rest.ptr, rest.len, "\n\n", 2) : NULL;
  size_t len = end ? (size_t)(end - rest.ptr) + 2 : READ_BYTES;
  return (struct bytes){rest.ptr, len < rest.len ? len : rest.len};
}

/* As attempt.c feeds the decoder. */
static void decode(const struct wire *wire, struct bytes rest, bool by_event) {
  struct wire_reply reply;
  wire_reply_init(&reply, ANSWER_MAX);
  struct wire_decoder *decoder = wire_decoder_create(wire, &reply, ANSWER_MAX);
  bool fed = decoder != NULL;
  while (fed && rest.len) {
    struct bytes piece = next_piece(rest, by_event);
    fed = wire_decoder_feed(decoder, piece);
    rest = (struct bytes){rest.ptr + piece.len, rest.len - piece.len};
  }
  if (!fed || !wire_decoder_finish(decoder)) must(STATUS_INVALID, NULL);
  wire_decoder_destroy(decoder);
  wire_reply_done(&reply);
}

static double decode_us(const struct wire *wire, struct bytes body, bool by_event) {
  double start = cpu_us();
  for (int i = 0; i < ALONE; i++) decode(wire, body, by_event);
  return (cpu_us() - start) / ALONE;
}

static double build_us(const struct wire *wire, const struct ask_spec *question) {
  double start = cpu_us();
  for (int i = 0; i < ALONE; i++) {
    struct wire_request request;
    must(wire->build(question, &request), NULL);
    wire_request_done(&request);
  }
  return (cpu_us() - start) / ALONE;
}

static int events_of(struct bytes body) {
  int count = 0;
  for (const char *p = body.ptr; (p = strstr(p, "data:")); p += 5) count++;
  return count;
}

/* ---- in turn ---- */

struct bench {
  struct loop *loop;
  struct provider *provider;
  struct hub *hub; /* NULL = nobody listens */
  struct agent_binding binding;
  const struct wire *wire;
  struct wire_request request;
  struct bare_curl *bare;
  struct asker *asker;
};

/* A figure of each pair of blocks. */
struct figures {
  double bare_us[PAIRS], asked_us[PAIRS], above_us[PAIRS]; /* a call */
  double decode_us[PAIRS], by_event_us[PAIRS], build_us[PAIRS];
};

static double bare_block(struct bench *b, long calls) {
  double start = cpu_us();
  bare_curl_run(b->bare, calls);
  return (cpu_us() - start) / (double)calls;
}

static double asked_block(struct bench *b, long calls) {
  double start = cpu_us();
  asker_run(b->asker, calls);
  return (cpu_us() - start) / (double)calls;
}

static void measure(struct bench *b, long calls, struct figures *f) {
  const struct ask_spec question = asker_question(&b->binding);
  bare_curl_run(b->bare, WARM_UP);
  asker_run(b->asker, WARM_UP);
  for (int i = 0; i < PAIRS; i++) {
    if (i % 2) f->asked_us[i] = asked_block(b, calls);
    f->bare_us[i] = bare_block(b, calls);
    if (i % 2 == 0) f->asked_us[i] = asked_block(b, calls);
    f->above_us[i] = f->asked_us[i] - f->bare_us[i];
    f->decode_us[i] = decode_us(b->wire, bare_curl_body(b->bare), false);
    f->by_event_us[i] = decode_us(b->wire, bare_curl_body(b->bare), true);
    f->build_us[i] = build_us(b->wire, &question);
  }
  if (asker_counts(b->asker)->done[OUTCOME_OK] != PAIRS * calls + WARM_UP)
    must(STATUS_UNAVAILABLE, NULL);
}

static void open_all(struct bench *b, char *base_url, bool hub) {
  struct error err = {0};
  const struct provider_options options = {.connections_per_host = 64,
                                           .max_queued = 1024,
                                           .connect_timeout_ms = 5000,
                                           .idle_timeout_ms = 60000,
                                           .max_answer_bytes = ANSWER_MAX};
  b->binding = (struct agent_binding){.type = "openai-api",
                                      .provider = "openai",
                                      .model = "gpt-5.2",
                                      .wire = WIRE_OPENAI,
                                      .base_url = base_url,
                                      .key = "bench",
                                      .key_variable = "OPENAI_API_KEY",
                                      .output_tokens_max = 8192,
                                      .price_input_usd_micro = 1750000,
                                      .price_output_usd_micro = 14000000,
                                      .available = true};
  const struct ask_spec question = asker_question(&b->binding);
  must(log_open(LOG_LEVEL_ERROR, NULL, true, &err), &err);
  must(loop_create(&b->loop, &err), &err);
  must(provider_create(b->loop, &options, &b->provider, &err), &err);
  if (hub) must(hub_create(1000, &b->hub, &err), &err);
  b->wire = wire_of(WIRE_OPENAI);
  must(b->wire->build(&question, &b->request), NULL);
  b->bare = bare_curl_create(b->loop, &b->request, AT_ONCE);
  b->asker = asker_create(b->loop, b->provider, &b->binding, b->hub, AT_ONCE);
}

static void close_all(struct bench *b) {
  asker_destroy(b->asker);
  bare_curl_destroy(b->bare);
  wire_request_done(&b->request);
  provider_destroy(b->provider);
  hub_destroy(b->hub);
  loop_destroy(b->loop);
}

static void print_work(const struct bench *b) {
  struct bytes body = bare_curl_body(b->bare);
  print("events", events_of(body), "events", "an answer");
  print("bytes", (double)body.len, "bytes", "an answer's body");
  print("bytes sent", (double)b->request.body.len, "bytes", "a request's body");
}

static void print_costs(struct figures *f, bool stream) {
  double bare = median(f->bare_us, PAIRS);
  double asked = median(f->asked_us, PAIRS);
  double above = median(f->above_us, PAIRS);
  double decoded = median(f->decode_us, PAIRS);
  print("libcurl alone (a)", bare, "us CPU", "a call, 16 at once, body collected");
  print(stream ? "asked and shown (b)" : "asked (b)", asked, "us CPU",
        stream ? "the same by ask.h, words to one subscriber" : "the same by ask.h");
  print("(b) / (a)", asked / bare, "times", "a call");
  print("decoding alone (c)", decoded, "us CPU", "its body from memory, 8 KiB a read");
  print("decoding alone, by event", median(f->by_event_us, PAIRS), "us CPU", "an event a read");
  print("request alone", median(f->build_us, PAIRS), "us CPU", "its request built");
  print("(b) - (a)", above, "us CPU", stream ? "an answer, goal 40" : "a call, goal 20");
  print("(b) - (a) - (c)", above - decoded, "us CPU", "a call, without decoding");
}

int main(int argc, char **argv) {
  bool stream = argc > 2 && strcmp(argv[1], "stream") == 0;
  if (argc < 3 || (!stream && strcmp(argv[1], "call") != 0)) {
    fprintf(stderr, "usage: bench_call call|stream PORT [calls a block]\n");
    return 2;
  }
  struct bench b = {0};
  struct figures f;
  char base_url[64];
  long calls = argc > 3 ? atol(argv[3]) : 1600;
  snprintf(base_url, sizeof base_url, "http://127.0.0.1:%d/v1", atoi(argv[2]));
  open_all(&b, base_url, stream);
  measure(&b, calls, &f);
  print_work(&b);
  print_costs(&f, stream);
  if (stream)
    print("frames", (double)asker_counts(b.asker)->frames / (double)(PAIRS * calls + WARM_UP),
          "frames", "an answer, to its subscriber");
  close_all(&b);
  return 0;
}
