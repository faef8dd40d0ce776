/* POST /api/ws/ticket: a ticket for one WebSocket, /ws?ticket=... */
#include "api/handlers.h"
#include "api/reply.h"
#include "api/state.h"
#include "api/tickets.h"

void handle_ws_ticket(struct http_request *request, void *app) {
  struct api *api = app;
  char ticket[ID_SIZE];
  tickets_draw(api->tickets, api_identity(request), clock_mono_us(&clock_system), ticket);
  reply_json(request, 200,
             json_pack("{s:s, s:i}", "ticket", ticket, "expires_in", (int)TICKET_TTL_S),
             (const char *const[]){"Cache-Control: no-store", NULL});
}
