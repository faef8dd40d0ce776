#include "debate/prompt.h"

#include "base/utf8.h"
#include "debate/fence.h"
#include "debate/reply.h"
#include "debate/scrub.h"
#include "debate/wording.h"

#include <inttypes.h>
#include <stdlib.h>

enum { PROMPT_MAX = 64 * 1024 * 1024 };

void prompt_done(struct prompt *prompt) {
  free(prompt->prefix);
  free(prompt->text);
  free(prompt->schema);
  *prompt = (struct prompt){0};
}

/* ---- other agents' texts: scrubbed, and cut by one rule ---- */

struct quotes {
  struct buffer *texts; /* the responses, then the items */
  int count;
  size_t max; /* bytes of each that are shown */
};

static const char *severity_word(int64_t ppm) {
  if (ppm < 300000) return "minor";
  if (ppm < 600000) return "moderate";
  return ppm < 850000 ? "serious" : "critical";
}

static void append_item(const struct prompt_item *item, const struct scrub *scrub,
                        struct buffer *out) {
  buffer_append_text(out, "Claim: ");
  scrub_append(scrub, bytes_of(item->claim), out);
  buffer_append_text(out, "\nProblem: ");
  scrub_append(scrub, bytes_of(item->problem), out);
  int64_t hundredths = (item->severity_ppm + 5000) / 10000;
  buffer_printf(out, "\nSeverity: %s (%" PRId64 ".%02" PRId64 ")\nWhy: ",
                severity_word(item->severity_ppm), hundredths / 100, hundredths % 100);
  scrub_append(scrub, bytes_of(item->why), out);
  buffer_append_text(out, "\nFix: ");
  scrub_append(scrub, bytes_of(item->fix), out);
}

static int by_size(const void *a, const void *b) {
  size_t x = *(const size_t *)a;
  size_t y = *(const size_t *)b;
  return (x > y) - (x < y);
}

/* The largest size such that all texts, each cut to it, fit the budget: short ones stay whole, and
 * what they leave goes to the long ones. */
static size_t common_maximum(size_t *sizes, size_t count, size_t budget) {
  qsort(sizes, count, sizeof *sizes, by_size);
  for (size_t i = 0; i < count; i++) {
    size_t share = budget / (count - i);
    if (sizes[i] > share) return share;
    budget -= sizes[i];
  }
  return SIZE_MAX;
}

static void quotes_done(struct quotes *quotes) {
  for (int i = 0; i < quotes->count; i++) buffer_done(&quotes->texts[i]);
  free(quotes->texts);
}

static enum status quotes_fill(const struct prompt_input *in, struct quotes *quotes) {
  int total = in->response_count + in->item_count;
  FREE_LATER size_t *sizes = calloc((size_t)total + 1, sizeof *sizes);
  quotes->texts = calloc((size_t)total + 1, sizeof *quotes->texts);
  if (!sizes || !quotes->texts) return STATUS_NOMEM;
  for (int i = 0; i < total; i++) {
    struct buffer *text = &quotes->texts[i];
    buffer_init(text, PROMPT_MAX);
    quotes->count++;
    if (i < in->response_count)
      scrub_append(in->scrub, bytes_of(in->responses[i]), text);
    else
      append_item(&in->items[i - in->response_count], in->scrub, text);
    if (!buffer_reserve(text, 0)) return STATUS_NOMEM;
    text->ptr[text->len] = '\0';
    sizes[i] = text->len;
  }
  quotes->max = common_maximum(sizes, (size_t)total, in->context_bytes);
  return STATUS_OK;
}

static enum status quotes_init(const struct prompt_input *in, struct quotes *ret_quotes) {
  struct quotes quotes = {0};
  if (in->response_count > 0 || in->item_count > 0) {
    if (!in->scrub) return STATUS_INTERNAL; /* nothing is quoted with names in it */
    enum status s = quotes_fill(in, &quotes);
    if (s) {
      quotes_done(&quotes);
      return s;
    }
  }
  *ret_quotes = quotes;
  return STATUS_OK;
}

/* ---- the parts of a turn ---- */

static void append_role(struct buffer *out, const struct prompt_input *in) {
  /* Whoever plays the advocate still votes for what he finds right. */
  if (!in->role || !*in->role || in->kind == TURN_BALLOT || in->kind == TURN_JUDGMENT) return;
  buffer_append_text(out, "\n## Your role\n");
  fence_append_without(out, in->nonce, bytes_of(in->role));
  buffer_append_text(out,
                     "\nThis is the viewpoint from which you argue. It changes none of the "
                     "rules.\n");
}

static void append_own_answer(struct buffer *out, const struct prompt_input *in) {
  if (!in->own_answer) return;
  buffer_append_text(out, "\n## Your current answer\n");
  prompt_append_fenced(out, in->nonce, NULL, in->own_answer, SIZE_MAX);
  if (!in->own_key || !*in->own_key) return;
  buffer_append_text(out, "Its answer_key: ");
  fence_append_without(out, in->nonce, bytes_of(in->own_key));
  buffer_append_char(out, '\n');
}

static void append_quotes(struct buffer *out, const struct prompt_input *in,
                          const struct quotes *quotes) {
  char label[32];
  if (in->item_count) buffer_append_text(out, "\n## Items\n");
  for (int i = 0; i < in->item_count; i++) {
    snprintf(label, sizeof label, "Item %d", i + 1);
    prompt_append_fenced(out, in->nonce, label, quotes->texts[in->response_count + i].ptr,
                         quotes->max);
  }
  if (in->response_count) buffer_append_text(out, "\n## Responses\n");
  for (int i = 0; i < in->response_count; i++) {
    snprintf(label, sizeof label, "Response %c", 'A' + i);
    prompt_append_fenced(out, in->nonce, label, quotes->texts[i].ptr, quotes->max);
  }
}

static void append_repair(struct buffer *out, const struct prompt_input *in) {
  if (!in->bad_reply) return;
  buffer_append_text(out, "\n## Repair\nYour last reply to this task could not be used: ");
  FREE_LATER char *error =
      utf8_clean(bytes_of(in->bad_reply_error ? in->bad_reply_error : "it has another form"));
  if (error)
    fence_append_without(out, in->nonce, bytes_of(error));
  else
    out->overflow = true; /* memory is short */
  buffer_append_text(out, ".\nThat reply was:\n");
  prompt_append_fenced(out, in->nonce, NULL, in->bad_reply, in->context_bytes);
  buffer_append_text(out,
                     "Give the same content again as one JSON object as described under "
                     "Reply. If you cannot write JSON, write these lines instead, each "
                     "beginning with its label in capitals, and nothing else:\n");
  buffer_append_text(out, wording_lines[in->kind]);
}

static char *build_prefix(const struct prompt_input *in) {
  BUFFER_LATER struct buffer out;
  buffer_init(&out, PROMPT_MAX);
  buffer_append_text(&out, "## Question\n");
  buffer_append_text(&out, in->task);
  buffer_append_text(&out, "\n\n");
  if (in->context && *in->context) {
    char marker[FENCE_MARKER_SIZE];
    fence_marker_of(bytes_of(in->context), marker);
    buffer_append_text(&out, "## Context\nBackground that came with the question:\n");
    prompt_append_fenced(&out, marker, NULL, in->context, SIZE_MAX);
    buffer_append_char(&out, '\n');
  }
  return buffer_steal(&out);
}

static char *build_text(const struct prompt_input *in, const struct quotes *quotes) {
  BUFFER_LATER struct buffer out;
  buffer_init(&out, PROMPT_MAX);
  buffer_append_text(&out, "## Your task\n");
  buffer_append_text(&out, wording_task[in->kind]);
  append_role(&out, in);
  append_own_answer(&out, in);
  append_quotes(&out, in, quotes);
  buffer_append_text(&out, "\n## Reply\n");
  buffer_append_text(&out, wording_reply[in->kind]);
  append_repair(&out, in);
  return buffer_steal(&out);
}

enum status prompt_build(const struct prompt_input *in, struct prompt *ret_prompt) {
  struct quotes quotes;
  enum status s = quotes_init(in, &quotes);
  if (s) return s;
  struct prompt prompt = {.system = wording_system,
                          .prefix = build_prefix(in),
                          .text = build_text(in, &quotes),
                          .schema = prompt_schema(in->kind, in->response_count, in->item_count)};
  quotes_done(&quotes);
  if (!prompt.prefix || !prompt.text || !prompt.schema) {
    prompt_done(&prompt);
    return STATUS_NOMEM;
  }
  *ret_prompt = prompt;
  return STATUS_OK;
}
