/* Replies of every kind, read strictly and leniently: what is accepted keeps the promises of
 * debate/reply.h. The first byte chooses the kind and the reading, the second the labels, the third
 * the items; the rest is the reply. */
#include "base/utf8.h"
#include "debate/blank.h"
#include "debate/reply.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
  if (!holds) abort();
}

static void require_text(const char *text) {
  require(text && blank_trim(bytes_of(text)).len > 0 && utf8_valid(bytes_of(text)));
}

static void require_ppm(int64_t ppm, int64_t least) {
  require(ppm >= least && ppm <= PPM);
}

static void require_key(const char *key) {
  char again[REPLY_KEY_MAX + 1];
  require(key && strlen(key) <= REPLY_KEY_MAX && utf8_valid(bytes_of(key)));
  reply_normalise_key(bytes_of(key), again);
  require(strcmp(key, again) == 0);
}

static void check_answer(const struct reply_form *form, const struct reply *reply) {
  if (form->kind == TURN_PROPOSAL || reply->changed || reply->answer) require_text(reply->answer);
  require_key(reply->key);
  require_ppm(reply->confidence_ppm, -1);
  require(reply->claim_count >= 0 && reply->claim_count <= REPLY_CLAIMS_MAX);
  for (int i = 0; i < reply->claim_count; i++) require_text(reply->claims[i]);
  bool seen[PROMPT_ITEMS_MAX] = {false};
  for (int i = 0; i < reply->verdict_count; i++) {
    int item = reply->verdicts[i].item;
    require(item >= 0 && item < form->items && !seen[item] && reply->verdicts[i].reason);
    seen[item] = true;
  }
}

static void check_critique(const struct reply_form *form, const struct reply *reply) {
  int counts[DEBATE_MEMBERS_MAX] = {0};
  for (int i = 0; i < reply->reply_item_count; i++) {
    const struct reply_item *item = &reply->reply_items[i];
    require(item->label >= 0 && item->label < form->labels);
    require(++counts[item->label] <= DEBATE_ITEMS_MAX);
    require_text(item->problem);
    require(item->claim && item->why && item->fix);
    require_ppm(item->severity_ppm, 0);
  }
}

static void check_votes(const struct reply_form *form, const struct reply *reply) {
  if (form->kind == TURN_JUDGMENT) {
    require(reply->choice >= 0 && reply->choice < form->labels);
    for (int i = 0; i < form->labels; i++)
      for (int k = 0; k < SCORE_COUNT; k++)
        require_ppm(reply->scores_ppm[i][k], reply->lenient ? -1 : 0);
    return;
  }
  bool seen[DEBATE_MEMBERS_MAX] = {false};
  require(reply->ranking_count == form->labels);
  for (int i = 0; i < form->labels; i++) {
    int label = reply->ranking[i];
    require(label >= 0 && label < form->labels && !seen[label]);
    seen[label] = true;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 3) return 0;
  struct reply_form form = {.kind = (enum turn_kind)(data[0] % TURN_KIND_COUNT),
                            .labels = data[1] % (DEBATE_MEMBERS_MAX + 1),
                            .items = data[2] % (PROMPT_ITEMS_MAX + 1)};
  bool lenient = data[0] & 0x80;
  struct bytes text = {(const char *)data + 3, size - 3};
  struct reply reply;
  struct error err = {0};
  enum status s = reply_parse(&form, text, lenient, &reply, &err);
  if (s) {
    require(s != STATUS_INVALID || err.message[0]);
    return 0;
  }
  require(reply.kind == form.kind && reply.lenient == lenient);
  switch (form.kind) {
    case TURN_PROPOSAL:
    case TURN_REVISION: check_answer(&form, &reply); break;
    case TURN_CRITIQUE: check_critique(&form, &reply); break;
    case TURN_BALLOT:
    case TURN_JUDGMENT: check_votes(&form, &reply); break;
  }
  reply_done(&reply);
  return 0;
}
