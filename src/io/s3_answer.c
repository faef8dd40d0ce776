#include "io/s3_answer.h"

#include "base/clock.h"

#include <expat.h>
#include <limits.h>

enum { DEPTH_MAX = 8, TEXT_MAX = 4096 };

struct reading {
  XML_Parser parser;
  char path[DEPTH_MAX][32]; /* names of the open elements */
  int depth;
  char text[TEXT_MAX]; /* of the innermost one */
  size_t text_len;
  bool too_long;
  void (*leaf)(struct reading *r, const char *parent, const char *name);
  /* of a page */
  s3_object_fn *each;
  char key[S3_KEY_SIZE]; /* of the object that is read; "" = none that fits */
  int64_t modified_ms;
  void *ctx;
  struct s3_page *page;
  enum status status;
  struct error *err;
  bool is_page;
  /* of a refusal */
  struct s3_refusal *refusal;
};

static void XMLCALL begin(void *ctx, const XML_Char *name, const XML_Char **attributes) {
  struct reading *r = ctx;
  (void)attributes;
  if (r->depth < DEPTH_MAX) {
    size_t len = strnlen(name, sizeof r->path[0] - 1);
    memcpy(r->path[r->depth], name, len);
    r->path[r->depth][len] = 0;
  }
  r->depth++;
  r->text_len = 0;
  r->too_long = false;
}

static void XMLCALL text(void *ctx, const XML_Char *data, int len) {
  struct reading *r = ctx;
  if (r->text_len + (size_t)len >= TEXT_MAX) {
    r->too_long = true;
    return;
  }
  memcpy(r->text + r->text_len, data, (size_t)len);
  r->text_len += (size_t)len;
}

static void XMLCALL end(void *ctx, const XML_Char *name) {
  struct reading *r = ctx;
  (void)name;
  r->depth--;
  r->text[r->text_len] = 0;
  if (r->depth >= 0 && r->depth < DEPTH_MAX && !r->too_long)
    r->leaf(r, r->depth > 0 ? r->path[r->depth - 1] : "", r->path[r->depth]);
  r->text_len = 0;
  r->too_long = false;
}

static bool parse(struct reading *r, struct bytes data) {
  r->parser = XML_ParserCreate("UTF-8");
  if (!r->parser || data.len > INT_MAX) return false;
  XML_SetUserData(r->parser, r);
  XML_SetElementHandler(r->parser, begin, end);
  XML_SetCharacterDataHandler(r->parser, text);
  bool ok = XML_Parse(r->parser, data.ptr, (int)data.len, 1) == XML_STATUS_OK;
  XML_ParserFree(r->parser);
  return ok;
}

static bool fits(const struct reading *r, char *out, size_t size) {
  if (r->text_len >= size) return false;
  memcpy(out, r->text, r->text_len + 1);
  return true;
}

/* ---- a page ---- */

/* The order of an object's fields is the store's. */
static void object_leaf(struct reading *r, const char *name) {
  bool date_only;
  if (strcmp(name, "Key") == 0 && !fits(r, r->key, sizeof r->key)) r->key[0] = 0;
  if (strcmp(name, "LastModified") == 0 && !clock_parse_iso(r->text, &r->modified_ms, &date_only))
    r->modified_ms = -1;
}

static void object_end(struct reading *r) {
  const struct s3_object object = {r->key, r->modified_ms};
  if (r->key[0]) r->status = r->each(r->ctx, &object, r->err);
  r->key[0] = 0;
  r->modified_ms = -1;
}

static void page_leaf(struct reading *r, const char *parent, const char *name) {
  bool top = strcmp(parent, "ListBucketResult") == 0;
  if (r->status) return;
  if (strcmp(parent, "Contents") == 0)
    object_leaf(r, name);
  else if (top && strcmp(name, "Contents") == 0)
    object_end(r);
  else if (top && strcmp(name, "IsTruncated") == 0)
    r->page->truncated = strcmp(r->text, "true") == 0;
  else if (top && strcmp(name, "NextContinuationToken") == 0)
    r->is_page &= fits(r, r->page->token, S3_TOKEN_SIZE);
  else if (r->depth == 0 && strcmp(name, "ListBucketResult") != 0)
    r->is_page = false;
}

enum status s3_answer_read_page(struct bytes data, s3_object_fn *each, void *ctx,
                                struct s3_page *ret_page, struct error *err) {
  struct s3_page page = {0};
  struct reading r = {.leaf = page_leaf,
                      .each = each,
                      .ctx = ctx,
                      .modified_ms = -1,
                      .page = &page,
                      .err = err,
                      .is_page = true};
  bool ok = parse(&r, data) && r.is_page && (!page.truncated || page.token[0]);
  if (r.status) return r.status;
  if (!ok) return error_set(err, STATUS_CORRUPT, NULL, "the store's list cannot be read");
  *ret_page = page;
  return STATUS_OK;
}

/* ---- a refusal ---- */

static void refusal_leaf(struct reading *r, const char *parent, const char *name) {
  if (strcmp(parent, "Error") != 0) return;
  bool kept = true;
  if (strcmp(name, "Code") == 0) kept = fits(r, r->refusal->code, S3_CODE_SIZE);
  if (strcmp(name, "Message") == 0) kept = fits(r, r->refusal->message, S3_MESSAGE_SIZE);
  if (!kept) r->refusal->code[0] = 0;
}

void s3_answer_read_refusal(struct bytes data, struct s3_refusal *ret_refusal) {
  struct reading r = {.leaf = refusal_leaf, .refusal = ret_refusal};
  *ret_refusal = (struct s3_refusal){0};
  if (data.len && !parse(&r, data)) *ret_refusal = (struct s3_refusal){0};
}
