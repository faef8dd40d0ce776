/* The one table of what the runbook names: a row is one endpoint, metric, alert, command, variable
 * or file of it, in its order. */
#include "cli/runbook.h"

#define NO_CHANGE "it changes something, and a check must not"

static const char quick_start[] = "Quick Start", management[] = "Server Management",
                  monitoring[] = "Monitoring & Observability",
                  consoles[] = "Admin Console & Developer Portal",
                  debugging[] = "Common Issues & Debugging", scaling[] = "Scaling Guide",
                  incidents[] = "Incident Response", databases[] = "Database Operations",
                  recovery[] = "Backup & Recovery", appendix[] = "Appendix";

/* section, name, kind, target, expect */
const struct runbook_check runbook_table[] = {
    {quick_start, "GET /api/health", RUNBOOK_JSON, "/api/health",
     "status:text version:text uptime:number"},
    {quick_start, "wscat -c ws://HOST:8765", RUNBOOK_WEBSOCKET, "/", NULL},
    {quick_start, "--db-path FILE", RUNBOOK_VARIABLE, "ARAGORA_DB_PATH", NULL},
    {quick_start, "--elo-path FILE", RUNBOOK_VARIABLE, "ARAGORA_ELO_PATH", NULL},
    {quick_start, "--dev", RUNBOOK_VARIABLE, "ARAGORA_DEV", NULL},
    {quick_start, "ANTHROPIC_API_KEY", RUNBOOK_VARIABLE, "ANTHROPIC_API_KEY", NULL},
    {quick_start, "OPENAI_API_KEY", RUNBOOK_VARIABLE, "OPENAI_API_KEY", NULL},
    {quick_start, "OPENROUTER_API_KEY", RUNBOOK_VARIABLE, "OPENROUTER_API_KEY", NULL},
    {quick_start, "ARAGORA_API_TOKEN", RUNBOOK_VARIABLE, "ARAGORA_API_TOKEN", NULL},
    {quick_start, "ARAGORA_ALLOWED_ORIGINS", RUNBOOK_VARIABLE, "ARAGORA_ALLOWED_ORIGINS", NULL},

    {management, "systemctl", RUNBOOK_PROGRAM, "systemctl", NULL},
    {management, "journalctl", RUNBOOK_PROGRAM, "journalctl", NULL},
    {management, "pgrep -f \"aragora.server\"", RUNBOOK_PROCESS, "aragora.server", NULL},
    {management, "kill -TERM, kill -9", RUNBOOK_LEFT_OUT, NULL, "they end the server"},

    {monitoring, "GET /api/metrics", RUNBOOK_METRIC, "aragora_info", "gauge"},
    {monitoring, "aragora_debates_total", RUNBOOK_METRIC, "aragora_debates_total", "counter"},
    {monitoring, "aragora_debates_completed", RUNBOOK_METRIC, "aragora_debates_completed",
     "counter"},
    {monitoring, "aragora_agent_response_seconds", RUNBOOK_METRIC, "aragora_agent_response_seconds",
     "histogram"},
    {monitoring, "aragora_tokens_used_total", RUNBOOK_METRIC, "aragora_tokens_used_total",
     "counter"},
    {monitoring, "aragora_ws_connections_active", RUNBOOK_METRIC, "aragora_ws_connections_active",
     "gauge"},
    {monitoring, "aragora_circuit_breaker_state", RUNBOOK_METRIC, "aragora_circuit_breaker_state",
     "gauge"},
    {monitoring, "aragora_debates_failed", RUNBOOK_METRIC, "aragora_debates_failed", "counter"},
    {monitoring, "docs/grafana/aragora-dashboard.json", RUNBOOK_FILE,
     "docs/grafana/aragora-dashboard.json", NULL},
    {monitoring, "ARAGORA_LOG_LEVEL", RUNBOOK_VARIABLE, "ARAGORA_LOG_LEVEL", NULL},
    {monitoring, "alert HighAgentLatency", RUNBOOK_ALERT, "HighAgentLatency",
     "aragora_agent_response_seconds_bucket"},
    {monitoring, "alert CircuitBreakerOpen", RUNBOOK_ALERT, "CircuitBreakerOpen",
     "aragora_circuit_breaker_state"},
    {monitoring, "alert HighErrorRate", RUNBOOK_ALERT, "HighErrorRate",
     "aragora_debates_failed aragora_debates_total"},

    {consoles, "GET /api/system/circuit-breakers", RUNBOOK_JSON, "/api/system/circuit-breakers",
     "breakers:array breakers[].agent:text breakers[].state:text"},
    {consoles, "GET /api/system/errors?limit=20", RUNBOOK_JSON, "/api/system/errors?limit=20",
     "errors:array"},
    {consoles, "GET /api/system/rate-limits", RUNBOOK_JSON, "/api/system/rate-limits",
     "limits:array"},
    {consoles, "GET /api/auth/me", RUNBOOK_JSON, "/api/auth/me", "user:object"},
    {consoles, "POST, DELETE /api/auth/api-key", RUNBOOK_LEFT_OUT, NULL, NO_CHANGE},
    {consoles, "GET /api/billing/usage", RUNBOOK_JSON, "/api/billing/usage", "usage:object"},

    {debugging, "GET /api/agents/health", RUNBOOK_JSON, "/api/agents/health",
     "overall_status:text agents:object agents{}.available:bool circuit_breakers:object"},
    {debugging, "grep /var/log/aragora/server.log", RUNBOOK_LOG, NULL, "ts level logger msg"},
    {debugging, "GET /api/ws/stats", RUNBOOK_JSON, "/api/ws/stats",
     "clients:number active_connections:number"},
    {debugging, "sqlite3", RUNBOOK_PROGRAM, "sqlite3", NULL},
    {debugging, "fuser", RUNBOOK_PROGRAM, "fuser", NULL},
    {debugging, "ps aux | grep aragora", RUNBOOK_PROCESS, "aragora", NULL},
    {debugging, "VACUUM", RUNBOOK_LEFT_OUT, NULL, NO_CHANGE},

    {scaling, "ARAGORA_WORKERS", RUNBOOK_VARIABLE, "ARAGORA_WORKERS", NULL},
    {scaling, "ARAGORA_DB_POOL_SIZE", RUNBOOK_VARIABLE, "ARAGORA_DB_POOL_SIZE", NULL},
    {scaling, "ARAGORA_EVENT_BUFFER_SIZE", RUNBOOK_VARIABLE, "ARAGORA_EVENT_BUFFER_SIZE", NULL},

    {incidents, "curl -I /api/health", RUNBOOK_HEAD, "/api/health", NULL},
    {incidents, "systemctl restart aragora", RUNBOOK_LEFT_OUT, NULL, NO_CHANGE},

    {incidents, "aragora incident NAME", RUNBOOK_COMMAND, "incident", NULL},

    {databases, "aragora_memory.db: WAL mode, integrity_check", RUNBOOK_DATABASE, "memory", NULL},
    {databases, "aragora_elo.db: WAL mode, integrity_check", RUNBOOK_DATABASE, "elo", NULL},
    {databases, "apply, status, rollback of migrations", RUNBOOK_COMMAND, "migrate", NULL},
    {databases, "the backup script", RUNBOOK_COMMAND, "backup", NULL},
    {databases, "tar", RUNBOOK_PROGRAM, "tar", NULL},

    {recovery, "restore", RUNBOOK_LEFT_OUT, NULL, NO_CHANGE},

    {appendix, "jq", RUNBOOK_PROGRAM, "jq", NULL},
    {appendix, "GET /api/debates | jq '.debates | length'", RUNBOOK_JSON, "/api/debates",
     "debates:array"},
    {appendix, "GET /api/leaderboard/rankings | jq '.agents[] | {name, elo}'", RUNBOOK_JSON,
     "/api/leaderboard/rankings", "agents:array agents[].name:text agents[].elo:number"},
    {appendix, "GET /api/circuit-breakers", RUNBOOK_JSON, "/api/circuit-breakers",
     "circuit_breakers:object circuit_breakers{}.status:text"},
    {appendix, "GET /api/debates/export?format=json", RUNBOOK_JSON,
     "/api/debates/export?format=json&table=summary&limit=1", "debates:array"},
    {appendix, "HTTP_PORT", RUNBOOK_VARIABLE, "ARAGORA_PORT", NULL},
    {appendix, "WS_PORT", RUNBOOK_VARIABLE, "ARAGORA_WS_PORT", NULL},
    {appendix, "DB_TIMEOUT", RUNBOOK_VARIABLE, "ARAGORA_DB_TIMEOUT", NULL},
    {appendix, "AGENT_TIMEOUT", RUNBOOK_VARIABLE, "ARAGORA_AGENT_TIMEOUT", NULL},
    {appendix, "MAX_RETRIES", RUNBOOK_VARIABLE, "ARAGORA_MAX_RETRIES", NULL},
    {appendix, "CIRCUIT_BREAKER_THRESHOLD", RUNBOOK_VARIABLE, "ARAGORA_CIRCUIT_BREAKER_THRESHOLD",
     NULL},
    {appendix, "RATE_LIMIT_REQUESTS", RUNBOOK_VARIABLE, "ARAGORA_RATE_LIMIT_REQUESTS", NULL},
    {appendix, "RATE_LIMIT_WINDOW", RUNBOOK_VARIABLE, "ARAGORA_RATE_LIMIT_WINDOW", NULL},
};
const size_t runbook_table_size = sizeof runbook_table / sizeof *runbook_table;
