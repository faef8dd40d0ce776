/* What a caller hears of a debate whose content was deleted: 410, when, why and by whom. Handlers
 * that may block. */
#ifndef ARAGORA_API_DELETED_H
#define ARAGORA_API_DELETED_H

#include "api/state.h"

/* Answers the request when `id` is a deleted debate that its principal may see; else false, and
 * nothing was answered. */
bool deleted_reply(struct http_request *request, struct api *api, const char *id);
/* The same for one on whose behalf others ask: the operator sees everybody's. */
bool deleted_reply_to(struct http_request *request, struct api *api, const struct principal *who,
                      const char *id);
/* The same for a request to delete it again, which is answered with 200. */
bool deleted_reply_again(struct http_request *request, struct api *api, const char *id);

/* The same as an object: {debate_id, status, created_at, deleted_at, deleted_by, reason, events}.
 */
json_t *deleted_object(const struct store_tombstone *tombstone);

#endif
