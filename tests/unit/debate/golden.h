/* A log of tests/logs/, as events.jsonl exports it, fed line by line. Fails the test on a line that
 * cannot be read. */
#ifndef ARAGORA_TEST_GOLDEN_H
#define ARAGORA_TEST_GOLDEN_H

#include "debate/check.h"

void golden_refold(const char *path, struct check *check);

#endif
