/* Prompts of hostile texts: every fence that was opened is closed once and by us, the stable part
 * depends on question and context alone, and what goes in as UTF-8 comes out as UTF-8. The input
 * is split at 0xff into the texts of a turn; its first byte chooses kind and budget. */
#include "base/utf8.h"
#include "debate/prompt.h"
#include "debate/scrub.h"

#include <stdlib.h>
#include <strings.h>

#define NONCE "00112233445566778899aabbccddeeff"
enum { TEXTS = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
  if (!holds) abort();
}

static int count_of(const char *text, const char *what) {
  int n = 0;
  size_t len = strlen(what);
  for (; *text; text++) n += strncasecmp(text, what, len) == 0;
  return n;
}

/* The texts between the separators, cleaned as everything is that reaches a prompt. */
static void split(struct bytes input, char **texts) {
  for (int i = 0; i < TEXTS; i++) {
    const char *end = input.len ? memchr(input.ptr, 0xff, input.len) : NULL;
    size_t len = end ? (size_t)(end - input.ptr) : input.len;
    texts[i] = utf8_clean((struct bytes){input.ptr, len});
    if (!texts[i]) abort();
    size_t used = len + (end ? 1 : 0);
    input = (struct bytes){input.ptr + used, input.len - used};
  }
}

static void check(const struct prompt_input *in) {
  struct prompt prompt;
  require(prompt_build(in, &prompt) == STATUS_OK);
  int fences =
      in->response_count + in->item_count + (in->own_answer ? 1 : 0) + (in->bad_reply ? 1 : 0);
  require(count_of(prompt.text, NONCE) == 2 * fences);
  require(count_of(prompt.text, "\n<<<<< " NONCE "\n") == fences);
  require(count_of(prompt.text, "\n>>>>> " NONCE "\n") == fences);
  require(utf8_valid(bytes_of(prompt.text)) && utf8_valid(bytes_of(prompt.prefix)));
  prompt_done(&prompt);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const names[] = {"openai-api", "gpt-5.2", "demo", NULL};
  if (size < 2) return 0;
  char *t[TEXTS];
  split((struct bytes){(const char *)data + 2, size - 2}, t);
  const char *const responses[] = {t[0], t[1], t[2]};
  const struct prompt_item item = {t[2], t[3], t[4], t[0], (int64_t)data[1] * 3900};
  const char *context = data[0] & 0x40 ? t[5] : NULL;
  struct scrub scrub;
  require(scrub_init(&scrub, names, "Does it hold?", context) == STATUS_OK);
  struct prompt_input in = {.kind = (enum turn_kind)(data[0] % TURN_KIND_COUNT),
                            .task = "Does it hold?",
                            .context = context,
                            .nonce = NONCE,
                            .role = t[6],
                            .own_key = "",
                            .context_bytes = data[0] & 0x80 ? SIZE_MAX : data[1],
                            .scrub = &scrub,
                            .bad_reply = data[0] & 0x20 ? t[7] : NULL,
                            .bad_reply_error = t[6]};
  if (in.kind != TURN_PROPOSAL) {
    in.responses = responses;
    in.response_count = 3;
  }
  if (in.kind == TURN_REVISION) {
    in.own_answer = t[5];
    in.own_key = t[6];
    in.items = &item;
    in.item_count = 1;
  }
  check(&in);
  scrub_done(&scrub);
  for (int i = 0; i < TEXTS; i++) free(t[i]);
  return 0;
}
