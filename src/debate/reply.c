#include "debate/reply.h"

#include "base/json_tree.h"
#include "base/utf8.h"
#include "debate/blank.h"
#include "debate/reply_fields.h"
#include "debate/reply_lines.h"

#include <stdlib.h>

enum { CANDIDATES_MAX = 32 }; /* objects looked at within other text: bounds the work */

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

/* The first object of the schema within other text. */
static enum status read_within(const struct reply_form *form, struct bytes text,
                               struct reply *ret_reply, struct error *err) {
  enum status result =
      error_set(err, STATUS_INVALID, NULL, "it has neither a JSON object nor the labelled lines");
  for (int i = 0; i < CANDIDATES_MAX && text.len; i++) {
    const char *brace = memchr(text.ptr, '{', text.len);
    if (!brace) break;
    text = (struct bytes){brace, text.len - (size_t)(brace - text.ptr)};
    size_t used = 1;
    size_t length = object_length(text);
    JSON_LATER json_t *value = NULL;
    enum status s =
        length ? json_parse((struct bytes){text.ptr, length}, &value, NULL) : STATUS_INVALID;
    if (!s) {
      used = length;
      s = read_object(form, value, true, ret_reply, err);
      result = s;
    }
    if (s != STATUS_INVALID) return s;
    text = (struct bytes){text.ptr + used, text.len - used};
  }
  return result;
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
  text = without_thoughts(text);
  enum status s = read_within(form, text, ret_reply, err);
  if (s != STATUS_INVALID) return s;
  JSON_LATER json_t *object = reply_lines_read(form, text);
  return object ? read_object(form, object, true, ret_reply, err) : s;
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
