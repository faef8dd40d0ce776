/* What may be wrong with an answer, as one table: `aragora fake-provider --help`, the scripts, the
 * header x-fake-fault and the suffix of a model's name all name its rows. Any thread; constant.
 */
#ifndef ARAGORA_FAKE_FAULT_H
#define ARAGORA_FAKE_FAULT_H

#include "base/bytes.h"

enum fault_kind {
  FAULT_NONE,
  FAULT_STATUS, /* an error answer: status, words, retry */
  FAULT_HTML,   /* a page instead of JSON; status */
  FAULT_EMPTY_BODY,
  FAULT_ERROR_200,
  FAULT_ERROR_MID,
  FAULT_CUT,
  FAULT_CUT_CLEAN,
  FAULT_CUT_CHAR,
  FAULT_STALL_HEAD,
  FAULT_STALL_TEXT,
  FAULT_COMMENTS,
  FAULT_COMMENTS_FIRST,
  FAULT_DRIP,
  FAULT_LINE_1MB,
  FAULT_ENDLESS,
  FAULT_MALFORMED_EVENT,
  FAULT_USAGE_WRONG,
  FAULT_USAGE_MISSING,
  FAULT_REFUSAL,
  FAULT_TRUNCATED,
  FAULT_EMPTY_CONTENT,
  FAULT_THINKING_FIRST,
  FAULT_ARRAY_CONTENT,
  FAULT_OBFUSCATION,
  FAULT_GZIP_BOMB,
  FAULT_RESET,
  FAULT_RESET_TEXT,
  FAULT_REDIRECT,
  FAULT_BLANK_LINES,
  FAULT_CRLF,
  FAULT_CR,
  FAULT_NO_SPACE,
  FAULT_UTF8_SPLIT,
  FAULT_GARBAGE,
  FAULT_PROSE,
  FAULT_FENCED,
};

enum fault_retry {
  RETRY_NOT_SAID,
  RETRY_1_S,
  RETRY_250_MS, /* retry-after-ms */
  RETRY_10_H,
  RETRY_DATE, /* an HTTP date 2 s ahead */
};

struct fault {
  const char *name;
  enum fault_kind kind;
  int status;
  enum fault_retry retry;
  bool quota; /* the error's words speak of credit, not of speed */
  const char *help;
};

extern const struct fault fault_table[];
extern const size_t fault_table_size;
extern const struct fault *const fault_none; /* the row "none" */

/* The row of this name, or NULL. */
const struct fault *fault_find(struct bytes name);

#endif
