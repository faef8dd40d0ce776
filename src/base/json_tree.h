/* A JSON text as jansson's tree, read by our scanner: for the replies of agents, one a call.
 * jansson reads byte by byte through two functions; the same tree takes this reader a fifth of its
 * time.
 */
#ifndef ARAGORA_BASE_JSON_TREE_H
#define ARAGORA_BASE_JSON_TREE_H

#include "base/bytes.h"

#include <jansson.h>

/* The value, the caller's to decref; NULL for what it leaves to json_parse, which then judges and
 * says what is wrong: a text that is no JSON, keys that occur twice or are written with escapes, a
 * lack of memory. What it reads, json_parse reads the same (fuzz_json). */
MUST_CHECK json_t *json_tree_read(struct bytes text);

#endif
