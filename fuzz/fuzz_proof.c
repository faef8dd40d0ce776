/* Logs in files of unknown origin: whatever comes in is checked or refused with a reason, and what
 * is called whole has a head. */
#include "ops/proof.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
  if (!holds) abort();
}

static bool take(void *ctx, const char *debate_id, const struct check_result *result) {
  (void)debate_id;
  ++*(int *)ctx;
  require(strlen(result->head_hash) == 64);
  require(result->ok ? result->bad_seq == 0 : *result->problem != '\0');
  return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct error err = {0};
  int debates = 0;
  FILE *file = size ? fmemopen((void *)data, size, "r") : NULL;
  if (!file) return 0;
  enum status s = proof_read_file(file, "the file", take, &debates, &err);
  fclose(file);
  require(s == STATUS_OK || err.message[0]);
  return 0;
}
