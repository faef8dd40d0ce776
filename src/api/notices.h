/* The messages that a WebSocket connection itself is told: they are not in the log, so they
 * have no seq. */
#ifndef ARAGORA_API_NOTICES_H
#define ARAGORA_API_NOTICES_H

#include "base/json.h"
#include "http/server.h"
#include "store/store.h"

/* Sends {"type","debate_id","loop_id","timestamp","data"}; takes the reference of `data`. What
 * cannot be sent (memory, a full send buffer) is dropped: nothing here is ever a debate's. */
void notice_send(struct http_websocket *ws, const char *type, const char *debate_id, json_t *data);

/* The same as a frame (a reference) for subscribers; NULL when memory is short. */
struct frame *notice_frame(const char *type, const char *debate_id, json_t *data);

/* data of `warning`: {code, message} */
void notice_warn(struct http_websocket *ws, const char *debate_id, const char *code,
                 const char *message);

/* connection_established and connection_info; `client_id` names the connection. */
void notice_greet(struct http_websocket *ws, const char *client_id, bool authenticated);

/* server_stopping, as a frame (a reference), or NULL when memory is short: the server closes the
 * connection, and another one may go on from these points. Takes the reference of `points`. */
struct frame *notice_stopping(json_t *points);

/* data of `sync`: what a debate is now, and the last seq, before its events follow. */
json_t *notice_sync_data(const struct store_debate *row);

/* data of `loop_list`: the debates that run. */
json_t *notice_loops_data(const struct store_debate *rows, size_t count);

#endif
