/* Large tables of which most is never used: zeroed memory that costs only the pages that are
 * touched. calloc writes zeros over what comes from its heap, page after page, which for the tables
 * of a server that starts is 2 ms and half a MiB.
 */
#ifndef ARAGORA_BASE_SPARSE_H
#define ARAGORA_BASE_SPARSE_H

#include <stddef.h>

/* NULL when there is none. Whole pages from the system: for sizes of many of them. Any thread. */
void *sparse_alloc(size_t size);
/* With the same size. NULL is fine. */
void sparse_free(void *memory, size_t size);

#endif
