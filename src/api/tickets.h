/* Tickets: how a browser's page, which can set no header on a WebSocket, opens one as whoever it
 * is. Each is 128 random bits, counts once, and for TICKET_TTL_S; only its hash is kept. Any
 * thread.
 */
#ifndef ARAGORA_API_TICKETS_H
#define ARAGORA_API_TICKETS_H

#include "auth/identity.h"
#include "base/id.h"

enum { TICKET_TTL_S = 30 };

struct tickets;

struct tickets *tickets_create(size_t max); /* at once; NULL when memory is short */
void tickets_destroy(struct tickets *tickets);

/* For whoever drew it. The oldest makes room for it. `now_us`: monotonic. */
void tickets_draw(struct tickets *tickets, const struct identity *identity, int64_t now_us,
                  char ret_ticket[ID_SIZE]);
/* True, once, for a ticket that was drawn and has not expired. */
bool tickets_take(struct tickets *tickets, const char *ticket, int64_t now_us,
                  struct identity *ret_identity);

#endif
