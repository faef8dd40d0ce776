/* A JSON schema cut down to the subset that a vendor's structured replies accept. What is dropped
 * are bounds that the reply's reader checks anyway. Pure; any thread.
 */
#ifndef ARAGORA_PROVIDER_VENDOR_SCHEMA_H
#define ARAGORA_PROVIDER_VENDOR_SCHEMA_H

#include "base/bytes.h"

struct schema_dialect {
  const char *const *dropped; /* keywords, NULL-terminated */
  bool upper_types;           /* "STRING", as the Type enum of the Gemini API is spelled */
};

extern const struct schema_dialect schema_anthropic, schema_gemini;

/* Appends the schema. False when it is not JSON or `out` is full. */
bool vendor_schema_append(struct buffer *out, struct bytes schema,
                          const struct schema_dialect *dialect);

#endif
