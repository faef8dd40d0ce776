/* What a store answers with: a page of keys, or a refusal. */
#include "io/s3_answer.h"

#include <stdlib.h>

static enum status take(void *ctx, const struct s3_object *object, struct error *err) {
  size_t *count = ctx;
  (void)err;
  return strlen(object->key) && ++*count > 100 ? STATUS_TOO_LARGE : STATUS_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct bytes text = {(const char *)data, size};
  struct s3_page page;
  struct s3_refusal refusal;
  size_t count = 0;
  enum status s = s3_answer_read_page(text, take, &count, &page, NULL);
  if (!s && page.truncated && !page.token[0]) abort(); /* a list that never ends */
  s3_answer_read_refusal(text, &refusal);
  return 0;
}
