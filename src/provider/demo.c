#include "provider/demo.h"

#include "provider/scripted_reply.h"

#include <stdlib.h>

enum { TICK_MS = 20, PROMPT_MAX = 32 << 20 };

struct demo_run {
  struct loop *loop;
  struct loop_timer *timer;
  const struct demo_ops *ops;
  void *ctx;
  char *text; /* the whole answer */
  size_t len, sent;
  int64_t tokens_sent, tokens_per_second;
  uint64_t started_ms;
  struct ask_usage usage;
};

static int64_t count_words(struct bytes text) {
  int64_t words = 0;
  bool inside = false;
  for (size_t i = 0; i < text.len; i++) {
    bool space = text.ptr[i] == ' ' || text.ptr[i] == '\n' || text.ptr[i] == '\t';
    if (!space && !inside) words++;
    inside = !space;
  }
  return words;
}

static char *compose(const struct ask_spec *spec) {
  BUFFER_LATER struct buffer prompt;
  buffer_init(&prompt, PROMPT_MAX);
  buffer_append_bytes(&prompt, spec->system);
  buffer_append_text(&prompt, "\n\n");
  buffer_append_bytes(&prompt, spec->prefix);
  buffer_append_text(&prompt, "\n\n");
  if (!buffer_append_bytes(&prompt, spec->prompt)) return NULL;
  struct scripted_options options = SCRIPTED_OPTIONS_DEFAULT;
  options.persona = spec->agent_index;
  options.label = "[demo] ";
  char *text = NULL;
  if (scripted_reply_make(spec->schema_name, spec->schema, buffer_bytes(&prompt), &options, &text))
    return NULL;
  return text;
}

static void run_free(struct demo_run *run) {
  free(run->text);
  free(run);
}

static void on_tick(void *arg);

static void finish(struct demo_run *run) {
  run->ops->done(run->ctx, run->text, &run->usage);
  run_free(run);
}

/* Bytes up to the end of the next `tokens` words. */
static size_t words_ahead(const struct demo_run *run, int64_t tokens) {
  size_t at = run->sent;
  for (; tokens > 0 && at < run->len; tokens--) {
    while (at < run->len && run->text[at] == ' ') at++;
    while (at < run->len && run->text[at] != ' ') at++;
  }
  return at - run->sent;
}

static void on_tick(void *arg) {
  struct demo_run *run = arg;
  run->timer = NULL;
  if (!run->text) {
    finish(run);
    return;
  }
  size_t n = run->len - run->sent;
  if (run->tokens_per_second > 0) {
    int64_t elapsed = (int64_t)(loop_now_ms(run->loop) - run->started_ms);
    int64_t due = elapsed * run->tokens_per_second / 1000;
    n = words_ahead(run, due - run->tokens_sent);
    run->tokens_sent = due > run->tokens_sent ? due : run->tokens_sent;
  }
  struct bytes piece = {run->text + run->sent, n};
  run->sent += n;
  bool last = run->sent == run->len;
  /* The owner may cancel within the callback, so what follows is put in place before it. */
  run->timer = loop_timer_start(run->loop, last ? 0 : TICK_MS, on_tick, run);
  if (n) {
    run->ops->token(run->ctx, piece);
    return;
  }
  if (last) {
    loop_timer_cancel(run->timer);
    finish(run);
  }
}

struct demo_run *demo_start(struct loop *loop, const struct ask_spec *spec,
                            int64_t tokens_per_second, const struct demo_ops *ops, void *ctx) {
  struct demo_run *run = calloc(1, sizeof *run);
  if (!run) return NULL;
  run->loop = loop;
  run->ops = ops;
  run->ctx = ctx;
  run->tokens_per_second = tokens_per_second;
  run->started_ms = loop_now_ms(loop);
  run->text = compose(spec);
  run->len = run->text ? strlen(run->text) : 0;
  run->usage = (struct ask_usage){
      .input = count_words(spec->system) + count_words(spec->prefix) + count_words(spec->prompt),
      .output = count_words((struct bytes){run->text, run->len})};
  run->timer = loop_timer_start(loop, 0, on_tick, run);
  return run;
}

void demo_cancel(struct demo_run *run) {
  if (!run) return;
  loop_timer_cancel(run->timer);
  run_free(run);
}
