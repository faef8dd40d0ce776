/* The answers of /api/health, /api/health/deep and /api/health/detailed: each is made at most once
 * a second, on the pool, and shared by all who ask. Any thread. */
#ifndef ARAGORA_API_HEALTH_H
#define ARAGORA_API_HEALTH_H

struct api;
struct health_page;
struct http_shared;

/* Makes an answer, NULL when memory is short, and says its HTTP status. Pool; may block. */
typedef struct http_shared *health_maker(struct api *api, int *ret_http_status);

/* NULL when memory is short. */
struct health_page *health_page_create(struct api *api, health_maker *make);
void health_page_destroy(struct health_page *page);

#endif
