/* The one table of routes. */
#include "api/app.h"
#include "api/handlers.h"

/* method, path, handler, pool, cheap, role, summary */
const struct http_route api_routes[] = {
    {"POST", "/api/debates", handle_debate_create, false, false, "user", "Start a debate"},
    {"POST", "/api/debate", handle_debate_create_deprecated, false, false, "user",
     "Start a debate (deprecated: POST /api/debates)"},
    {"GET", "/api/debates", handle_debates_list, true, false, "user", "List debates, newest first"},
    {"GET", "/api/debates/{id}", handle_debate_show, true, false, "user",
     "One debate whole, by id or slug"},
    {"DELETE", "/api/debates/{id}", handle_debate_delete, true, false, "user",
     "Delete a debate's content; its chain and a tombstone stay"},
    {"GET", "/api/debates/slug/{id}", handle_debate_show, true, false, "user", "The same, by slug"},
    {"GET", "/api/debates/{id}/messages", handle_debate_messages, true, false, "user",
     "What was said, a page at a time"},
    {"GET", "/api/debates/{id}/events", handle_debate_events, true, false, "user",
     "The log: an event stream, or a page of JSON"},
    {"GET", "/api/debates/{id}/stream", handle_debate_events, true, false, "user",
     "The same as /events"},
    {"GET", "/api/debates/export", handle_debates_export, true, false, "user",
     "All debates, or those that match, as one file"},
    {"GET", "/api/debates/{id}/export/{format}", handle_debate_export, true, false, "user",
     "One debate as a file: json, csv, html, md"},
    {"POST", "/api/debates/{id}/cancel", handle_debate_cancel, true, false, "user",
     "Stop a debate"},
    {"GET", "/api/replays", handle_replays_list, true, false, "user",
     "Replays: debates that have ended, newest first"},
    {"GET", "/api/replays/{id}", handle_replay_show, true, false, "user",
     "The events of one, a page at a time"},
    {"GET", "/api/replays/{id}/export", handle_replay_export, true, false, "user",
     "Its log as JSON or CSV text, or as events.jsonl"},
    {"GET", "/api/replays/{id}/html", handle_replay_page, true, false, "user",
     "The debate as a page"},
    {"GET", "/api/agents", handle_agents_list, false, false, "public",
     "Agents, and which of them can be asked"},
    {"GET", "/api/agents/health", handle_agents_health, false, false, "public",
     "How the agents' services do"},
    {"GET", "/api/circuit-breakers", handle_breakers_list, false, false, "public",
     "Circuit breakers of the agents"},
    {"GET", "/api/system/circuit-breakers", handle_breakers_system, false, false, "admin",
     "The same, for the administrator's page"},
    {"POST", "/api/system/circuit-breakers/{agent}/reset", handle_breaker_reset, false, false,
     "admin", "Close a circuit breaker"},
    {"GET", "/api/budgets", handle_budgets_show, false, false, "admin",
     "Caps on spending, and what is left"},
    {"GET", "/api/health", handle_health_show, false, true, "public",
     "Health of the server's parts"},
    {"GET", "/healthz", handle_health_alive, false, true, "public", "The process answers"},
    {"GET", "/readyz", handle_health_ready, false, true, "public", "New debates are accepted"},
    {"GET", "/api/metrics", handle_metrics_show, false, true, "public",
     "Metrics (Prometheus text)"},
    {"GET", "/metrics", handle_metrics_show, false, true, "public", "The same"},
    {"GET", "/", handle_root_show, false, false, "public", "What is here"},
};
const size_t api_route_count = sizeof api_routes / sizeof *api_routes;

/* path, any unmatched path on the second port, pool */
const struct http_ws_route api_ws_routes[] = {
    {"/ws/debates/{id}", false, true},
    {"/ws", false, true},
    {"/", true, true},
};
const size_t api_ws_route_count = sizeof api_ws_routes / sizeof *api_ws_routes;
