#include "debate/reply.h"

#include "base/json_tree.h"
#include "base/utf8.h"
#include "debate/blank.h"
#include "debate/reply_fields.h"
#include "debate/reply_lines.h"

#include <stdlib.h>

enum { SCANS_MAX = 32 }; /* of the whole text, in search of objects within it: bounds the work */

void reply_done(struct reply *reply) {
  free(reply->answer);
  free(reply->key);
  for (int i = 0; i < reply->claim_count; i++) free(reply->claims[i]);
  for (int i = 0; i < reply->verdict_count; i++) free(reply->verdicts[i].reason);
  for (int i = 0; i < reply->reply_item_count; i++) {
    free(reply->reply_items[i].claim);
    free(reply->reply_items[i].problem);
    free(reply->reply_items[i].why);
    free(reply->reply_items[i].fix);
  }
  free(reply->verdicts);
  free(reply->reply_items);
  *reply = (struct reply){0};
}

static enum status read_object(const struct reply_form *form, const json_t *object, bool lenient,
                               struct reply *ret_reply, struct error *err) {
  struct reply reply;
  enum status s = reply_fields_read(form, object, lenient, &reply, err);
  if (s)
    reply_done(&reply);
  else
    *ret_reply = reply;
  return s;
}

/* ---- strict ---- */

/* The inside of one code fence that is all of `text`; `text` itself when it does not begin so. */
static struct bytes without_code_fence(struct bytes text) {
  if (text.len < 6 || memcmp(text.ptr, "```", 3) != 0) return text;
  size_t from = 3;
  while (from < text.len && ((text.ptr[from] | 0x20) >= 'a' && (text.ptr[from] | 0x20) <= 'z'))
    from++;
  struct bytes inside = {text.ptr + from, text.len - from};
  if (!bytes_ends_with(inside, BYTES_LITERAL("```"))) return text;
  inside.len -= 3;
  return blank_trim(inside);
}

static enum status read_strictly(const struct reply_form *form, struct bytes text,
                                 struct reply *ret_reply, struct error *err) {
  text = without_code_fence(text);
  JSON_LATER json_t *value = json_tree_read(text);
  struct error why;
  enum status s = value ? STATUS_OK : json_parse(text, &value, &why);
  if (s == STATUS_INVALID)
    return error_set(err, s, NULL, "it is not one JSON object alone: %s", why.message);
  if (s) return s;
  if (!json_is_object(value)) return error_set(err, STATUS_INVALID, NULL, "it is no JSON object");
  return read_object(form, value, false, ret_reply, err);
}

/* ---- lenient ---- */

/* The length of the balanced object at the start of `text`, or 0. */
static size_t object_length(struct bytes text) {
  size_t depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.len; i++) {
    char c = text.ptr[i];
    if (in_string) {
      if (c == '\\')
        i++;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{') {
      depth++;
    } else if (c == '}' && --depth == 0) {
      return i + 1;
    }
  }
  return 0;
}

/* Whether the brace at the start of `text` may begin an object with fields: "\frac{1}{2}" does not.
 */
static bool begins_object(struct bytes text) {
  size_t at = 1;
  while (at < text.len && strchr(" \t\r\n", text.ptr[at])) at++;
  return at < text.len && text.ptr[at] == '"';
}

static bool same_text(const char *a, const char *b) {
  return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool same_lists(const struct reply *a, const struct reply *b) {
  bool same = a->claim_count == b->claim_count && a->verdict_count == b->verdict_count &&
              a->reply_item_count == b->reply_item_count;
  for (int i = 0; i < a->claim_count && same; i++) same = same_text(a->claims[i], b->claims[i]);
  for (int i = 0; i < a->verdict_count && same; i++) {
    const struct reply_verdict *x = &a->verdicts[i];
    const struct reply_verdict *y = &b->verdicts[i];
    same = x->item == y->item && x->accept == y->accept && same_text(x->reason, y->reason);
  }
  for (int i = 0; i < a->reply_item_count && same; i++) {
    const struct reply_item *x = &a->reply_items[i];
    const struct reply_item *y = &b->reply_items[i];
    same = x->label == y->label && x->severity_ppm == y->severity_ppm &&
           same_text(x->claim, y->claim) && same_text(x->problem, y->problem) &&
           same_text(x->why, y->why) && same_text(x->fix, y->fix);
  }
  return same;
}

/* Whether both say the same, field by field; what is not of their kind is zero in both. */
static bool same_reply(const struct reply *a, const struct reply *b) {
  return same_text(a->answer, b->answer) && same_text(a->key, b->key) &&
         a->confidence_ppm == b->confidence_ppm && a->changed == b->changed &&
         a->choice == b->choice && memcmp(a->ranking, b->ranking, sizeof a->ranking) == 0 &&
         memcmp(a->scores_ppm, b->scores_ppm, sizeof a->scores_ppm) == 0 && same_lists(a, b);
}

struct found { /* in a text that may quote other replies beside its own */
  struct reply reply;
  bool any;
  bool differ; /* several, and which is meant cannot be known */
};

/* Adds the reply that `object` is, if it is one; else *err says why not. */
static enum status add_found(const struct reply_form *form, const json_t *object,
                             struct found *found, struct error *err) {
  struct reply reply;
  enum status s = read_object(form, object, true, &reply, err);
  if (s) return s == STATUS_INVALID ? STATUS_OK : s;
  if (found->any) {
    found->differ = found->differ || !same_reply(&found->reply, &reply);
    reply_done(&reply);
  } else {
    found->reply = reply;
    found->any = true;
  }
  return STATUS_OK;
}

static enum status add_text(const struct reply_form *form, struct bytes text, struct found *found,
                            struct error *err) {
  JSON_LATER json_t *value = NULL;
  enum status s = json_parse(text, &value, NULL);
  if (s) return s == STATUS_INVALID ? STATUS_OK : s;
  return add_found(form, value, found, err);
}

/* Every object within other text, but none within another: a part of something else is no reply. */
static enum status find_objects(const struct reply_form *form, struct bytes text,
                                struct found *found, struct error *err) {
  size_t budget = SCANS_MAX * text.len;
  const char *brace;
  while ((brace = memchr(text.ptr, '{', text.len))) {
    text = (struct bytes){brace, text.len - (size_t)(brace - text.ptr)};
    size_t used = 1;
    if (begins_object(text)) {
      size_t length = object_length(text);
      size_t cost = length ? length : text.len;
      if (cost > budget)
        return error_set(err, STATUS_INVALID, NULL, "it begins too many JSON objects");
      budget -= cost;
      if (length) used = length;
      enum status s = add_text(form, (struct bytes){text.ptr, length}, found, err);
      if (s) return s;
    }
    text = (struct bytes){text.ptr + used, text.len - used};
  }
  return STATUS_OK;
}

static enum status find_lines(const struct reply_form *form, struct bytes text, struct found *found,
                              struct error *err) {
  JSON_LATER json_t *object = reply_lines_read(form, text);
  return object ? add_found(form, object, found, err) : STATUS_OK;
}

/* What a model thought aloud before its reply is not the reply. */
static struct bytes without_thoughts(struct bytes text) {
  static const char open[] = "<think>";
  static const char close[] = "</think>";
  if (text.len < sizeof open || memcmp(text.ptr, open, sizeof open - 1) != 0) return text;
  const char *end = memmem(text.ptr, text.len, close, sizeof close - 1);
  if (!end) return text;
  end += sizeof close - 1;
  return (struct bytes){end, text.len - (size_t)(end - text.ptr)};
}

static enum status read_leniently(const struct reply_form *form, struct bytes text,
                                  struct reply *ret_reply, struct error *err) {
  struct found found = {.any = false};
  text = without_thoughts(text);
  enum status none =
      error_set(err, STATUS_INVALID, NULL, "it has neither a JSON object nor the labelled lines");
  enum status s = find_objects(form, text, &found, err);
  if (!s) s = find_lines(form, text, &found, err);
  if (!s && !found.any) return none;
  if (!s && found.differ)
    s = error_set(err, STATUS_INVALID, NULL, "it holds several replies that differ");
  if (s)
    reply_done(&found.reply);
  else
    *ret_reply = found.reply;
  return s;
}

static enum status check_form(const struct reply_form *form, struct bytes text, struct error *err) {
  bool ranked = form->kind == TURN_BALLOT || form->kind == TURN_JUDGMENT;
  if (form->labels < (ranked ? 1 : 0) || form->labels > DEBATE_MEMBERS_MAX || form->items < 0 ||
      form->items > PROMPT_ITEMS_MAX)
    return error_set(err, STATUS_INVALID, NULL, "nothing of this form was asked");
  if (!text.len) return error_set(err, STATUS_INVALID, NULL, "it is empty");
  if (text.len > REPLY_TEXT_MAX)
    return error_set(err, STATUS_INVALID, NULL, "it is longer than %d bytes", REPLY_TEXT_MAX);
  if (memchr(text.ptr, '\0', text.len) || !utf8_valid(text))
    return error_set(err, STATUS_INVALID, NULL, "it is not valid UTF-8 text");
  return STATUS_OK;
}

enum status reply_parse(const struct reply_form *form, struct bytes text, bool lenient,
                        struct reply *ret_reply, struct error *err) {
  if (text.len <= REPLY_TEXT_MAX) text = blank_trim(text);
  enum status s = check_form(form, text, err);
  if (s) return s;
  return lenient ? read_leniently(form, text, ret_reply, err)
                 : read_strictly(form, text, ret_reply, err);
}
