/* The OpenAPI document of this build: src/api/openapi/, joined by scripts/embed-openapi. */
#ifndef ARAGORA_API_OPENAPI_H
#define ARAGORA_API_OPENAPI_H

#include <stddef.h>

extern const char openapi_text[]; /* JSON, ASCII */
extern const size_t openapi_size; /* bytes */

#endif
