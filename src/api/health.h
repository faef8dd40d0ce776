/* The answer of /api/health: made at most once a second, on the pool, and shared by all who ask.
 * Any thread. */
#ifndef ARAGORA_API_HEALTH_H
#define ARAGORA_API_HEALTH_H

struct health_page;

struct health_page *health_page_create(void); /* NULL when memory is short */
void health_page_destroy(struct health_page *page);

#endif
