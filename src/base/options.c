#include "base/options.h"

#include "base/secret.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIELD(name) offsetof(struct options, name)

/* Rows of one field are aliases: the first gives the default and wins in the environment. */
#define INT_ROW(flag_, variable_, fallback_, field_, min_, max_, help_)              \
  {                                                                                  \
    .flag = flag_, .variable = variable_, .fallback = fallback_, .type = OPTION_INT, \
    .offset = FIELD(field_), .min = min_, .max = max_, .meta = "N", .help = help_    \
  }
/* Dollars, kept in millionths. */
#define USD_ROW(flag_, variable_, fallback_, field_, help_)                             \
  {                                                                                     \
    .flag = flag_, .variable = variable_, .fallback = fallback_, .type = OPTION_USD,    \
    .offset = FIELD(field_), .min = 0, .max = USD_MICRO_MAX, .meta = "X", .help = help_ \
  }
#define TEXT_ROW(flag_, variable_, fallback_, field_, meta_, help_)                   \
  {                                                                                   \
    .flag = flag_, .variable = variable_, .fallback = fallback_, .type = OPTION_TEXT, \
    .offset = FIELD(field_), .meta = meta_, .help = help_                             \
  }
#define CHOICE_ROW(flag_, variable_, fallback_, field_, choices_, help_)              \
  {                                                                                   \
    .flag = flag_, .variable = variable_, .fallback = fallback_, .type = OPTION_TEXT, \
    .offset = FIELD(field_), .meta = choices_, .help = help_, .choices = choices_     \
  }
#define BOOL_ROW(flag_, variable_, field_, help_)                                   \
  {                                                                                 \
    .flag = flag_, .variable = variable_, .fallback = "false", .type = OPTION_BOOL, \
    .offset = FIELD(field_), .help = help_                                          \
  }

enum { MIB = 1024 * 1024 };
#define USD_MICRO     1000000LL
#define USD_MICRO_MAX (1000000 * USD_MICRO)
#define TOKENS_MAX    1000000000000LL

/* Where a default has a source it is the runbook's configuration reference; the ranges are ours. */
const struct option option_table[] = {
    TEXT_ROW("--config", "ARAGORA_CONFIG", NULL, config, "FILE",
             "configuration file; default /etc/aragora/aragora.conf, else "
             "$XDG_CONFIG_HOME/aragora/config"),
    TEXT_ROW("--env-file", "ARAGORA_ENV_FILE", NULL, env_file, "FILE",
             "file of variables, as systemd's EnvironmentFile; those of the process win"),
    INT_ROW("--port", "ARAGORA_PORT", "8080", port, 0, 65535,
            "HTTP port; 0 = any free one, printed at start"),
    INT_ROW("--http-port", "ARAGORA_HTTP_PORT", NULL, port, 0, 65535, "the same as --port"),
    INT_ROW("--api-port", NULL, NULL, port, 0, 65535, "the same as --port"),
    INT_ROW("--ws-port", "ARAGORA_WS_PORT", "8765", ws_port, 0, 65535,
            "second port for WebSockets; 0 = none"),
    TEXT_ROW("--host", "ARAGORA_HOST", NULL, host, "ADDRESS",
             "address to listen on; default 127.0.0.1 and ::1"),
    BOOL_ROW("--allow-unauthenticated", "ARAGORA_ALLOW_UNAUTHENTICATED", allow_unauthenticated,
             "listen beyond loopback without a token"),
    {.variable = "ARAGORA_API_TOKEN",
     .type = OPTION_TEXT,
     .offset = FIELD(api_token),
     .meta = "TOKEN",
     .help = "bearer token that every protected request must carry; or ARAGORA_API_TOKEN_FILE, a "
             "file that holds it",
     .secret = true},
    {.variable = "ARAGORA_JWT_SECRET",
     .type = OPTION_TEXT,
     .offset = FIELD(jwt_secret),
     .meta = "SECRET",
     .help =
         "signs the tokens of users, 32 characters or more; or ARAGORA_JWT_SECRET_FILE; default "
         "one made by the server",
     .secret = true},
    {.variable = "ARAGORA_JWT_SECRET_PREVIOUS",
     .type = OPTION_TEXT,
     .offset = FIELD(jwt_secret_previous),
     .meta = "SECRET",
     .help = "the secret before it, whose tokens still count for a while; or its _FILE",
     .secret = true},
    TEXT_ROW(NULL, "ARAGORA_JWT_SECRET_ROTATED_AT", NULL, jwt_secret_rotated_at, "TIME",
             "since when the secret is the new one: 2026-11-30T12:00:00Z or Unix seconds"),
    INT_ROW(NULL, "ARAGORA_JWT_ROTATION_GRACE_HOURS", "24", jwt_rotation_grace_hours, 0, 8760,
            "hours from then on in which tokens of the previous secret count"),
    INT_ROW(NULL, "ARAGORA_JWT_EXPIRY_HOURS", "24", jwt_expiry_hours, 1, 168,
            "hours that an access token counts"),
    INT_ROW(NULL, "ARAGORA_REFRESH_TOKEN_EXPIRY_DAYS", "30", refresh_expiry_days, 1, 90,
            "days after which a session that is not refreshed ends"),
    CHOICE_ROW("--registration", "ARAGORA_REGISTRATION", "open", registration, "open|closed",
               "whether anybody may register"),
    TEXT_ROW(NULL, "ARAGORA_ADMIN_EMAILS", NULL, admin_emails, "LIST",
             "addresses of mail; whoever registers with one of them is an admin"),
    INT_ROW(NULL, "ARAGORA_MAX_USERS", "100000", max_users, 1, 1000000000, "users at most"),
    INT_ROW(NULL, "ARAGORA_MAX_SESSIONS", "100", max_sessions, 1, 10000,
            "logins of one user that count at once; a new one ends the one longest unused"),
    INT_ROW(NULL, "ARAGORA_MAX_KEYS", "50", max_keys, 1, 400,
            "API keys of one user that work at once"),
    INT_ROW(NULL, "ARAGORA_MAX_KEY_OVERLAP", "2592000", max_key_overlap_s, 0, 31536000,
            "seconds for which both keys of a rotation work at most"),
    INT_ROW(NULL, "ARAGORA_MAX_REVOKED_TOKENS", "10000", max_revoked_tokens, 1, 10000000,
            "signed tokens that were revoked and have not expired"),
    INT_ROW(NULL, "ARAGORA_MAX_TICKETS", "4096", max_tickets, 1, 1000000,
            "tickets for WebSockets at once; the oldest makes room for a new one"),
    INT_ROW(NULL, "ARAGORA_PASSWORD_MEMORY_MIB", "19", password_memory_mib, 8, 1024,
            "memory in MiB that the hash of a password takes"),
    INT_ROW(NULL, "ARAGORA_MAX_PASSWORD_QUEUE", "64", max_password_queue, 1, 10000,
            "logins, registrations and the like that wait for a core"),
    INT_ROW(NULL, "ARAGORA_REGISTER_RATE", "2", register_rate, 0, 1000000,
            "registrations a minute from one address; 0 = no limit"),
    INT_ROW(NULL, "ARAGORA_REGISTER_PER_DAY", "10", register_per_day, 0, 1000000,
            "registrations a day from one address, an IPv6 one by its /64; 0 = no limit"),
    INT_ROW(NULL, "ARAGORA_LOGIN_RATE", "3", login_rate, 0, 1000000,
            "logins a minute from one address; 0 = no limit"),
    INT_ROW(NULL, "ARAGORA_REFRESH_RATE", "20", refresh_rate, 0, 1000000,
            "refreshed sessions a minute from one address; 0 = no limit"),
    INT_ROW(NULL, "ARAGORA_PASSWORD_RATE", "3", password_rate, 0, 1000000,
            "changes of a password, and logouts everywhere, a minute from one address; 0 = no "
            "limit"),
    TEXT_ROW("--allowed-origins", "ARAGORA_ALLOWED_ORIGINS", "*", allowed_origins, "LIST",
             "origins that browsers may call from, separated by commas"),
    CHOICE_ROW("--env", "ARAGORA_ENV", "development", env, "development|production",
               "production insists on real agents and credentials"),
    CHOICE_ROW(NULL, "ARAGORA_ENVIRONMENT", NULL, env, "development|production",
               "the same as ARAGORA_ENV"),
    BOOL_ROW(
        "--dev", "ARAGORA_DEV", dev,
        "for work on the server itself: readable log; starts anew when program or files change"),
    BOOL_ROW("--allow-core-dumps", "ARAGORA_ALLOW_CORE_DUMPS", allow_core_dumps,
             "let a crash leave a core file, which holds the keys, and debuggers in"),
    INT_ROW("--shutdown-timeout", "ARAGORA_SHUTDOWN_TIMEOUT", "0", shutdown_timeout_s, 0, 86400,
            "seconds that a stop waits for running debates; 0 = until they end"),

    TEXT_ROW("--data-dir", "ARAGORA_DATA_DIR", NULL, data_dir, "DIR",
             "where the databases lie; default /data, $STATE_DIRECTORY or ./data"),
    TEXT_ROW("--db-path", "ARAGORA_DB_PATH", NULL, db_path, "FILE",
             "main database; default aragora_memory.db in the data directory"),
    TEXT_ROW("--elo-path", "ARAGORA_ELO_PATH", NULL, elo_path, "FILE",
             "rating database; default aragora_elo.db in the data directory"),
    BOOL_ROW("--migrate", "ARAGORA_MIGRATE", migrate,
             "apply pending migrations at start, after a copy of the database"),
    INT_ROW("--migration-copies", "ARAGORA_MIGRATION_COPIES", "5", migration_copies, 1, 1000,
            "copies of a database kept from before its last migrations"),
    {.flag = "--replays",
     .variable = "ARAGORA_REPLAYS",
     .fallback = "true",
     .type = OPTION_BOOL,
     .offset = FIELD(replays),
     .help = "write the replay files of each debate that ends; --replays=false: do not"},
    TEXT_ROW(
        "--replays-dir", "ARAGORA_REPLAYS_DIR", NULL, replays_dir, "PLACE",
        "where replay files lie: a directory or s3://BUCKET/PREFIX; default replays in the data "
        "directory"),
    INT_ROW("--replays-days", "ARAGORA_REPLAYS_DAYS", "90", replays_days, 0, 36500,
            "days after a debate's end that its replay files are kept; 0 = for ever"),
    {.flag = "--archive",
     .variable = "ARAGORA_ARCHIVE",
     .fallback = "true",
     .type = OPTION_BOOL,
     .offset = FIELD(archive),
     .help = "archive every commit of the server for point-in-time recovery; default true"},
    TEXT_ROW("--archive-dir", "ARAGORA_ARCHIVE_DIR", NULL, archive_dir, "DIR",
             "where the archive lies; default archive beside the main database"),
    INT_ROW("--archive-segment-bytes", "ARAGORA_ARCHIVE_SEGMENT_BYTES", "16777216",
            archive_segment_bytes, 65536, 1024LL * MIB,
            "a segment of the archive that is this long is sealed"),
    INT_ROW("--archive-sync-ms", "ARAGORA_ARCHIVE_SYNC_MS", "500", archive_sync_ms, 1, 60000,
            "milliseconds until a commit is on disk in the archive"),
    INT_ROW("--archive-ship-seconds", "ARAGORA_ARCHIVE_SHIP_SECONDS", "60", archive_ship_s, 0, 3600,
            "seconds until a commit is on its way to the place that --backup-to sets; 0 = never"),
    TEXT_ROW("--agents-file", "ARAGORA_AGENTS_FILE", NULL, agents_file, "FILE",
             "JSON file that adds to or changes the table of agents"),
    CHOICE_ROW("--log-level", "ARAGORA_LOG_LEVEL", "INFO", log_level, "DEBUG|INFO|WARNING|ERROR",
               "least level that is logged"),
    TEXT_ROW("--log-file", "ARAGORA_LOG_FILE", NULL, log_file, "FILE",
             "log file beside standard error"),
    CHOICE_ROW("--log-format", "ARAGORA_LOG_FORMAT", "json", log_format, "json|text",
               "form of the log on standard error"),
    INT_ROW(NULL, "ARAGORA_ERROR_BUFFER_SIZE", "200", error_buffer_size, 0, 10000,
            "warnings and errors kept in memory for /api/system/errors"),
    BOOL_ROW("--profile-memory", "ARAGORA_PROFILE_MEMORY", profile_memory,
             "note in the log what holds memory over time, and at the end what grew"),
    INT_ROW(NULL, "ARAGORA_PROFILE_MEMORY_S", "60", profile_memory_s, 1, 86400,
            "seconds between two of these notes"),
    INT_ROW(NULL, "ARAGORA_LOG_MAX_BYTES", "10485760", log_max_bytes, 0, 1LL << 40,
            "size at which the log file moves away to FILE.1; 0 = it never does"),
    INT_ROW(NULL, "ARAGORA_LOG_BACKUP_COUNT", "5", log_backup_count, 0, 1000,
            "older log files kept, FILE.1 the youngest; 0 = the file never moves away"),

    INT_ROW("--workers", "ARAGORA_WORKERS", "4", workers, 1, 64,
            "HTTP threads, at most one a processor, and half the handlers that may wait"),
    INT_ROW("--db-pool-size", "ARAGORA_DB_POOL_SIZE", "10", db_pool_size, 1, 256,
            "database connections for reading"),
    INT_ROW("--db-timeout", "ARAGORA_DB_TIMEOUT", "30", db_timeout_s, 1, 3600,
            "seconds to wait for a database lock"),
    INT_ROW("--event-buffer-size", "ARAGORA_EVENT_BUFFER_SIZE", "10000", event_buffer_size, 16,
            10000000, "events of a debate kept in memory for slow subscribers"),
    INT_ROW(NULL, "ARAGORA_MAX_EVENT_QUEUE_SIZE", NULL, event_buffer_size, 16, 10000000,
            "the same as ARAGORA_EVENT_BUFFER_SIZE"),
    INT_ROW("--max-body-bytes", "ARAGORA_MAX_BODY_BYTES", "10485760", max_body_bytes, 1024,
            1024LL * MIB, "longest request body"),
    INT_ROW("--max-connections", "ARAGORA_MAX_CONNECTIONS", "10000", max_connections, 16, 1000000,
            "HTTP connections at once"),
    INT_ROW("--head-timeout", "ARAGORA_HEAD_TIMEOUT", "30", head_timeout_s, 1, 3600,
            "seconds in which a request's head must come whole"),
    INT_ROW("--body-timeout", "ARAGORA_BODY_TIMEOUT", "120", body_timeout_s, 1, 3600,
            "seconds in which its body must"),
    INT_ROW("--send-timeout", "ARAGORA_SEND_TIMEOUT", "30", send_timeout_s, 1, 3600,
            "seconds in which the reader of an export must take something of it"),
    INT_ROW("--rate-limit-requests", "ARAGORA_RATE_LIMIT_REQUESTS", "100", rate_limit_requests, 0,
            1000000000, "API requests of one caller in a window; 0 = no limit"),
    INT_ROW("--rate-limit-window", "ARAGORA_RATE_LIMIT_WINDOW", "60", rate_limit_window_s, 1, 86400,
            "seconds of that window"),
    INT_ROW("--rate-limit-callers", "ARAGORA_RATE_LIMIT_CALLERS", "16384", rate_limit_callers, 16,
            10000000, "callers remembered; the oldest window is forgotten for a new one"),
    TEXT_ROW("--trusted-proxies", "ARAGORA_TRUSTED_PROXIES", "localhost", trusted_proxies, "LIST",
             "addresses and networks whose X-Forwarded-For is believed; none = of nobody"),
    INT_ROW("--max-question-length", "ARAGORA_MAX_QUESTION_LENGTH", "10000", max_question_chars, 1,
            1000000, "characters of a question"),
    INT_ROW("--max-context-bytes", "ARAGORA_MAX_CONTEXT_BYTES", "1048576", max_context_bytes, 0,
            256LL * MIB, "bytes of the context given with a question"),

    INT_ROW("--max-exports", "ARAGORA_MAX_EXPORTS", "4", max_exports, 1, 1000,
            "exports of many debates at once"),
    INT_ROW("--max-batch-items", "ARAGORA_MAX_BATCH_ITEMS", "1000", max_batch_items, 1, 100000,
            "debates of one batch"),
    INT_ROW("--max-batches", "ARAGORA_MAX_BATCHES", "100", max_batches, 1, 10000,
            "batches that wait at once"),
    INT_ROW("--max-searches", "ARAGORA_MAX_SEARCHES", "2", max_searches, 1, 1000,
            "searches and analytics at once"),
    INT_ROW("--search-debates", "ARAGORA_SEARCH_DEBATES", "100000", search_debates, 1, 1000000000,
            "newest debates that a search looks at"),
    INT_ROW("--max-concurrent-debates", "ARAGORA_MAX_CONCURRENT_DEBATES", "100",
            max_concurrent_debates, 1, 1000000, "debates running at once"),
    INT_ROW("--max-queued-debates", "ARAGORA_MAX_QUEUED_DEBATES", "1000", max_queued_debates, 0,
            10000000, "debates waiting to run"),
    INT_ROW("--idempotency-ttl", "ARAGORA_IDEMPOTENCY_TTL", "86400", idempotency_ttl_s, 1, 2592000,
            "seconds for which an Idempotency-Key stands for its debate"),
    TEXT_ROW("--default-agents", "ARAGORA_DEFAULT_AGENTS", NULL, default_agents, "LIST",
             "panel of a debate that names none; default what the keys allow"),
    INT_ROW("--default-rounds", "ARAGORA_DEFAULT_ROUNDS", "2", default_rounds, 0, 10,
            "rounds of a debate that names none"),
    INT_ROW("--debate-timeout", "ARAGORA_DEBATE_TIMEOUT", "900", debate_timeout_s, 5, 86400,
            "seconds a debate may run"),
    INT_ROW("--agent-timeout", "ARAGORA_AGENT_TIMEOUT", "60", agent_timeout_s, 1, 600,
            "seconds an agent has for one answer"),
    INT_ROW("--max-output-tokens", "ARAGORA_MAX_OUTPUT_TOKENS", "8192", max_output_tokens, 16,
            1000000, "output limit sent to providers, thinking included"),
    INT_ROW("--estimate-debates", "ARAGORA_ESTIMATE_DEBATES", "25", estimate_debates, 0, 200,
            "last debates that an estimate (dry run) learns from"),

    INT_ROW("--retain-debates-days", "ARAGORA_RETAIN_DEBATES_DAYS", "0", retain_debates_days, 0,
            36500, "days after which an ended debate is deleted; 0 = never"),
    INT_ROW("--retain-failed-days", "ARAGORA_RETAIN_FAILED_DAYS", "0", retain_failed_days, 0, 36500,
            "the same for debates that failed"),
    INT_ROW("--retain-demo-days", "ARAGORA_RETAIN_DEMO_DAYS", "0", retain_demo_days, 0, 36500,
            "the same for debates of the demo agents"),
    INT_ROW("--audit-max-rows", "ARAGORA_AUDIT_MAX_ROWS", "1000000", audit_max_rows, 0, 1000000000,
            "rows of the audit log, beyond which the oldest go; 0 = no limit"),

    USD_ROW("--debate-budget-usd", "ARAGORA_DEBATE_BUDGET_USD", "0", debate_budget_usd_micro,
            "dollars for a debate that names none; 0 = none"),
    INT_ROW("--debate-budget-tokens", "ARAGORA_DEBATE_BUDGET_TOKENS", "0", debate_budget_tokens, 0,
            TOKENS_MAX, "tokens for a debate that names none; 0 = none"),
    USD_ROW("--max-debate-budget-usd", "ARAGORA_MAX_DEBATE_BUDGET_USD", "0",
            max_debate_budget_usd_micro, "dollars that a debate may have at most; 0 = no limit"),
    INT_ROW("--max-debate-budget-tokens", "ARAGORA_MAX_DEBATE_BUDGET_TOKENS", "0",
            max_debate_budget_tokens, 0, TOKENS_MAX,
            "tokens that a debate may have at most; 0 = no limit"),
    USD_ROW("--principal-daily-budget-usd", "ARAGORA_PRINCIPAL_DAILY_BUDGET_USD", "0",
            principal_daily_budget_usd_micro,
            "dollars that each principal may spend on a UTC day; 0 = no limit"),
    INT_ROW("--principal-daily-budget-tokens", "ARAGORA_PRINCIPAL_DAILY_BUDGET_TOKENS", "0",
            principal_daily_budget_tokens, 0, TOKENS_MAX,
            "tokens that each principal may spend on a UTC day; 0 = no limit"),
    USD_ROW("--daily-budget-usd", "ARAGORA_DAILY_BUDGET_USD", "0", daily_budget_usd_micro,
            "dollars that all together may spend on a UTC day; 0 = no limit"),
    INT_ROW("--daily-budget-tokens", "ARAGORA_DAILY_BUDGET_TOKENS", "0", daily_budget_tokens, 0,
            TOKENS_MAX, "tokens that all together may spend on a UTC day; 0 = no limit"),
    USD_ROW("--process-budget-usd", "ARAGORA_PROCESS_BUDGET_USD", "0", process_budget_usd_micro,
            "dollars that this process may spend before it is started anew; 0 = no limit"),
    INT_ROW("--process-budget-tokens", "ARAGORA_PROCESS_BUDGET_TOKENS", "0", process_budget_tokens,
            0, TOKENS_MAX,
            "tokens that this process may spend before it is started anew; 0 = no limit"),
    BOOL_ROW("--caps-allow-unknown-price", "ARAGORA_CAPS_ALLOW_UNKNOWN_PRICE",
             caps_allow_unknown_price,
             "let calls whose price nobody knows pass the caps in dollars"),

    INT_ROW("--max-retries", "ARAGORA_MAX_RETRIES", "3", max_retries, 0, 10,
            "further attempts after a failed one"),
    BOOL_ROW("--hedge", "ARAGORA_HEDGE", hedge,
             "ask a second time beside an answer slower than 19 of 20 of its model"),
    INT_ROW("--circuit-breaker-threshold", "ARAGORA_CIRCUIT_BREAKER_THRESHOLD", "5",
            circuit_breaker_threshold, 1, 1000, "failures in a row that open an agent's breaker"),
    INT_ROW("--circuit-breaker-cooldown-ms", "ARAGORA_CIRCUIT_BREAKER_COOLDOWN_MS", "60000",
            circuit_breaker_cooldown_ms, 1, 3600000, "milliseconds an open breaker waits"),
    INT_ROW("--circuit-breaker-cooldown-max-ms", "ARAGORA_CIRCUIT_BREAKER_COOLDOWN_MAX_MS", "0",
            circuit_breaker_cooldown_max_ms, 0, 86400000,
            "up to which each failed trial doubles that; 0 = it does not"),
    INT_ROW("--provider-connections", "ARAGORA_PROVIDER_CONNECTIONS", "256", provider_connections,
            1, 10000, "connections at once to one provider"),
    INT_ROW("--provider-connect-timeout-ms", "ARAGORA_PROVIDER_CONNECT_TIMEOUT_MS", "5000",
            provider_connect_timeout_ms, 10, 600000, "milliseconds to reach a provider"),
    INT_ROW("--provider-idle-timeout-ms", "ARAGORA_PROVIDER_IDLE_TIMEOUT_MS", "60000",
            provider_idle_timeout_ms, 10, 600000, "milliseconds without content in an answer"),
    INT_ROW("--max-answer-bytes", "ARAGORA_MAX_ANSWER_BYTES", "1048576", max_answer_bytes, 1024,
            256LL * MIB, "longest answer of a provider"),
    INT_ROW("--demo-token-rate", "ARAGORA_DEMO_TOKEN_RATE", "100", demo_token_rate, 0, 1000000,
            "tokens a second of the demo agents; 0 = at once"),
    INT_ROW("--agent-check-minutes", "ARAGORA_AGENT_CHECK_MINUTES", "10", agent_check_minutes, 0,
            1440, "minutes for which a check of keys and models is good; 0 = none is made"),

    INT_ROW("--token-interval-ms", "ARAGORA_TOKEN_INTERVAL_MS", "20", token_interval_ms, 0, 1000,
            "milliseconds for which events and tokens of live streams are gathered"),
    INT_ROW("--ws-max-message-size", "ARAGORA_WS_MAX_MESSAGE_SIZE", "65536", ws_max_message_bytes,
            125, 16LL * MIB, "bytes of a WebSocket message from a client"),
    INT_ROW("--ws-conn-rate", "ARAGORA_WS_CONN_RATE", "60", ws_connections_per_minute, 0, 1000000,
            "WebSocket connections a minute from one address; 0 = no limit"),
    INT_ROW("--ws-max-per-ip", "ARAGORA_WS_MAX_PER_IP", "100", ws_connections_per_address, 0,
            1000000, "WebSocket connections at once from one address; 0 = no limit"),
    INT_ROW("--ws-msg-rate", "ARAGORA_WS_MSG_RATE", "20", ws_messages_per_second, 0, 1000000,
            "WebSocket messages a second from one client; 0 = no limit"),
    INT_ROW("--ws-heartbeat", "ARAGORA_WS_HEARTBEAT", "30", ws_heartbeat_s, 1, 3600,
            "seconds between WebSocket pings"),
    INT_ROW("--ws-send-buffer-bytes", "ARAGORA_WS_SEND_BUFFER_BYTES", "1048576",
            ws_send_buffer_bytes, 4096, 256LL * MIB,
            "unsent bytes after which a subscriber counts as behind"),
    INT_ROW("--sse-heartbeat", "ARAGORA_SSE_HEARTBEAT", "15", sse_heartbeat_s, 1, 3600,
            "seconds between comments on a silent event stream"),

    TEXT_ROW("--backup-to", "ARAGORA_BACKUP_TO", NULL, backup_to, "PLACE",
             "where backups lie: a directory, or s3://BUCKET/PREFIX; default backups in the data "
             "directory"),
    INT_ROW("--backup-hours", "ARAGORA_BACKUP_HOURS", "24", backup_hours, 0, 8760,
            "hours between the server's hot backups; 0 = none"),
    INT_ROW("--backup-keep-days", "ARAGORA_BACKUP_KEEP_DAYS", "7", backup_keep_days, 1, 36500,
            "days for which hot backups are kept"),
    INT_ROW("--full-backup-days", "ARAGORA_FULL_BACKUP_DAYS", "7", full_backup_days, 0, 3650,
            "days between the server's full backups; 0 = none"),
    INT_ROW("--full-backup-keep-days", "ARAGORA_FULL_BACKUP_KEEP_DAYS", "30", full_backup_keep_days,
            1, 36500, "days for which full backups are kept"),
    INT_ROW("--backup-delay-minutes", "ARAGORA_BACKUP_DELAY_MINUTES", "10", backup_delay_minutes, 0,
            1440, "minutes after its start in which the server makes no scheduled backup"),
    INT_ROW("--backup-load", "ARAGORA_BACKUP_LOAD", "15", backup_load_percent, 1, 100,
            "percent of the time in which a backup works once it has its copy; 100 = all"),
    INT_ROW("--checkpoint-minutes", "ARAGORA_CHECKPOINT_MINUTES", "60", checkpoint_minutes, 0, 1440,
            "minutes between the server's checkpoints of the write-ahead log; 0 = none"),
    TEXT_ROW("--backup-storage-class", "ARAGORA_BACKUP_STORAGE_CLASS", NULL, backup_storage_class,
             "CLASS", "storage class of backups in S3; default the bucket's"),
    TEXT_ROW("--full-backup-storage-class", "ARAGORA_FULL_BACKUP_STORAGE_CLASS", NULL,
             full_backup_storage_class, "CLASS", "the same of full backups, such as GLACIER_IR"),
    TEXT_ROW("--s3-endpoint", "ARAGORA_S3_ENDPOINT", NULL, s3_endpoint, "URL",
             "of an S3-compatible store; default Amazon's of the region"),
    TEXT_ROW(NULL, "AWS_ENDPOINT_URL", NULL, s3_endpoint, "URL", "the same as ARAGORA_S3_ENDPOINT"),
    TEXT_ROW("--s3-region", "ARAGORA_S3_REGION", "us-east-1", s3_region, "REGION",
             "region of the bucket"),
    TEXT_ROW(NULL, "AWS_REGION", NULL, s3_region, "REGION", "the same as ARAGORA_S3_REGION"),
    TEXT_ROW(NULL, "AWS_DEFAULT_REGION", NULL, s3_region, "REGION",
             "the same as ARAGORA_S3_REGION"),
};
const size_t option_table_size = sizeof option_table / sizeof *option_table;

/* Digits with an optional minus and nothing else: "8080 ", "+1", "0x10" and "1e3" are mistakes. */
static bool parse_int(const char *text, int64_t *ret_value) {
  const char *digits = text + (*text == '-');
  if (!*digits || strspn(digits, "0123456789") != strlen(digits)) return false;
  errno = 0;
  long long value = strtoll(text, NULL, 10);
  if (errno) return false;
  *ret_value = value;
  return true;
}

/* "12", "12.5", "0.000001": exactly, so that no more than six decimals are taken. */
static bool parse_usd(const char *text, int64_t *ret_micro) {
  size_t whole = strspn(text, "0123456789");
  const char *point = text + whole;
  size_t decimals = *point == '.' ? strspn(point + 1, "0123456789") : 0;
  if (!whole || whole > 9 || (*point == '.' && (!decimals || decimals > 6))) return false;
  if (point[*point == '.' ? decimals + 1 : 0]) return false;
  int64_t micro = 0;
  for (size_t i = 0; i < whole; i++) micro = micro * 10 + (text[i] - '0');
  for (size_t i = 0; i < 6; i++) micro = micro * 10 + (i < decimals ? point[i + 1] - '0' : 0);
  *ret_micro = micro;
  return true;
}

static bool parse_bool(const char *text, bool *ret_value) {
  static const char *const words[] = {"false", "true", "0", "1", "no", "yes", "off", "on"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    if (strcasecmp(text, words[i]) != 0) continue;
    *ret_value = i % 2;
    return true;
  }
  return false;
}

/* The choice as the table writes it, so that readers may compare with strcmp. */
static bool find_choice(const char *choices, const char *text, struct bytes *ret_choice) {
  for (const char *p = choices;; p++) {
    struct bytes choice = {p, strcspn(p, "|")};
    if (bytes_equal_nocase(choice, bytes_of(text))) {
      *ret_choice = choice;
      return true;
    }
    p += choice.len;
    if (!*p) return false;
  }
}

static enum status set_int(struct options *o, const struct option *row, const char *name,
                           const char *text, struct error *err) {
  int64_t value;
  if (!parse_int(text, &value) || value < row->min || value > row->max)
    return error_set(err, STATUS_INVALID, name,
                     "%s must be a whole number from %lld to %lld, not \"%.64s\"", name,
                     (long long)row->min, (long long)row->max, text);
  memcpy((char *)o + row->offset, &value, sizeof value);
  return STATUS_OK;
}

static enum status set_usd(struct options *o, const struct option *row, const char *name,
                           const char *text, struct error *err) {
  int64_t micro;
  if (!parse_usd(text, &micro) || micro < row->min || micro > row->max)
    return error_set(
        err, STATUS_INVALID, name,
        "%s must be dollars from %lld to %lld with at most six decimals, not \"%.64s\"", name,
        (long long)(row->min / USD_MICRO), (long long)(row->max / USD_MICRO), text);
  memcpy((char *)o + row->offset, &micro, sizeof micro);
  return STATUS_OK;
}

static enum status set_bool(struct options *o, const struct option *row, const char *name,
                            const char *text, struct error *err) {
  bool value;
  if (!parse_bool(text, &value))
    return error_set(err, STATUS_INVALID, name, "%s must be true or false, not \"%.64s\"", name,
                     text);
  memcpy((char *)o + row->offset, &value, sizeof value);
  return STATUS_OK;
}

static enum status set_text(struct options *o, const struct option *row, const char *name,
                            const char *text, struct error *err) {
  struct bytes value = bytes_of(text);
  if (row->choices && !find_choice(row->choices, text, &value))
    return error_set(err, STATUS_INVALID, name, "%s must be one of %s, not \"%.64s\"", name,
                     row->choices, text);
  if (bytes_replace((char **)((char *)o + row->offset), value))
    return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  return STATUS_OK;
}

static enum status set_value(struct options *o, const struct option *row, const char *name,
                             const char *text, struct error *err) {
  switch (row->type) {
    case OPTION_BOOL: return set_bool(o, row, name, text, err);
    case OPTION_INT: return set_int(o, row, name, text, err);
    case OPTION_USD: return set_usd(o, row, name, text, err);
    case OPTION_TEXT: return set_text(o, row, name, text, err);
  }
  return STATUS_INTERNAL;
}

enum status options_set_defaults(struct options *o, struct error *err) {
  *o = (struct options){.sources = calloc(option_table_size, sizeof *o->sources)};
  if (!o->sources) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  for (size_t i = 0; i < option_table_size; i++) {
    const struct option *row = &option_table[i];
    const char *name = row->variable ? row->variable : row->flag;
    enum status status = row->fallback ? set_value(o, row, name, row->fallback, err) : STATUS_OK;
    if (status == STATUS_OK) continue;
    options_done(o);
    return status;
  }
  return STATUS_OK;
}

enum status options_set(struct options *o, const struct option *row,
                        const struct option_source *source, const char *text, struct error *err) {
  enum status status = set_value(o, row, source->name, text, err);
  if (status == STATUS_OK && o->sources) o->sources[options_first(row) - option_table] = *source;
  return status;
}

struct option_source options_source(const struct options *o, const struct option *row) {
  if (o->sources) return o->sources[options_first(row) - option_table];
  return (struct option_source){.origin = OPTION_DEFAULT};
}

/* ---- names ---- */

const struct option *options_first(const struct option *row) {
  const struct option *first = option_table;
  while (first->offset != row->offset) first++;
  return first;
}

static struct bytes without(struct bytes name, struct bytes prefix) {
  if (name.len < prefix.len) return name;
  if (!bytes_equal_nocase((struct bytes){name.ptr, prefix.len}, prefix)) return name;
  return (struct bytes){name.ptr + prefix.len, name.len - prefix.len};
}

static bool same_name(struct bytes name, const char *of_table) {
  if (!of_table) return false;
  struct bytes a = without(without(name, BYTES_LITERAL("--")), BYTES_LITERAL("ARAGORA_"));
  struct bytes b =
      without(without(bytes_of(of_table), BYTES_LITERAL("--")), BYTES_LITERAL("ARAGORA_"));
  if (a.len != b.len) return false;
  for (size_t i = 0; i < a.len; i++) {
    char x = a.ptr[i] == '-' ? '_' : a.ptr[i];
    char y = b.ptr[i] == '-' ? '_' : b.ptr[i];
    if (toupper((unsigned char)x) != toupper((unsigned char)y)) return false;
  }
  return true;
}

const struct option *options_find(struct bytes name) {
  for (size_t i = 0; i < option_table_size; i++)
    if (same_name(name, option_table[i].variable) || same_name(name, option_table[i].flag))
      return &option_table[i];
  return NULL;
}

void options_done(struct options *o) {
  for (size_t i = 0; i < option_table_size; i++) {
    if (option_table[i].type != OPTION_TEXT) continue;
    char **field = (char **)((char *)o + option_table[i].offset);
    if (option_table[i].secret)
      secret_free(*field);
    else
      free(*field);
    *field = NULL; /* an alias comes by here again */
  }
  free(o->config_unread);
  o->config_unread = NULL;
  free(o->sources);
  o->sources = NULL;
}

static const struct option *find_flag(const char *arg, size_t len) {
  for (size_t i = 0; i < option_table_size; i++) {
    const char *flag = option_table[i].flag;
    if (flag && strlen(flag) == len && memcmp(flag, arg, len) == 0) return &option_table[i];
  }
  return NULL;
}

enum status options_set_flag(struct options *o, int argc, char **argv, int *index,
                             struct error *err) {
  const char *arg = argv[*index];
  size_t len = strcspn(arg, "=");
  const struct option *row = find_flag(arg, len);
  if (!row) return STATUS_NOT_FOUND;
  struct option_source source = {.origin = OPTION_FLAG};
  snprintf(source.name, sizeof source.name, "%s", row->flag);
  if (row->type == OPTION_BOOL)
    return options_set(o, row, &source, arg[len] ? arg + len + 1 : "true", err);

  bool separate = !arg[len];
  const char *value = arg + len + 1;
  if (separate) value = *index + 1 < argc ? argv[*index + 1] : "";
  /* "--db-path --dev" is a forgotten value, not a file of that name. */
  if (!*value || (separate && strncmp(value, "--", 2) == 0))
    return error_set(err, STATUS_INVALID, row->flag, "%s needs a value (%s)", row->flag, row->meta);
  enum status status = options_set(o, row, &source, value, err);
  if (status == STATUS_OK && separate) ++*index;
  return status;
}

/* The directory of a path, for free(): "." of a bare name. NULL when memory is short. */
static char *directory_of(const char *path) {
  const char *slash = strrchr(path, '/');
  if (!slash) return strdup(".");
  if (slash == path) return strdup("/");
  return bytes_dup((struct bytes){path, (size_t)(slash - path)});
}

static bool is_writable_directory(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 && S_ISDIR(st.st_mode) && access(path, W_OK | X_OK) == 0;
}

static enum status require_directory(const char *path, struct error *err) {
  if (mkdir(path, 0750) < 0 && errno != EEXIST)
    return error_set(err, STATUS_IO, "data_dir", "cannot make the directory %s: %s", path,
                     strerror(errno));
  if (!is_writable_directory(path))
    return error_set(err, STATUS_IO, "data_dir", "cannot write to the directory %s", path);
  return STATUS_OK;
}

static enum status require_directory_of(const char *path, struct error *err) {
  FREE_LATER char *directory = directory_of(path);
  if (!directory) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  return require_directory(directory, err);
}

/* For free(). A main database that was named takes the rest along, so that naming it is enough. */
static char *choose_data_dir(const char *db_path) {
  if (db_path) return directory_of(db_path);
  if (is_writable_directory("/data")) return strdup("/data");
  /* systemd.exec(5): several directories are separated by colons; ours is the first. */
  const char *state = getenv("STATE_DIRECTORY");
  if (state && *state) return bytes_dup((struct bytes){state, strcspn(state, ":")});
  return strdup("data");
}

static char *path_in(const char *directory, const char *name) {
  struct buffer path;
  buffer_init(&path, strlen(directory) + strlen(name) + 1);
  buffer_printf(&path, "%s/%s", directory, name);
  return buffer_steal(&path);
}

enum status options_name_files(struct options *o, struct error *err) {
  if (!o->data_dir) o->data_dir = choose_data_dir(o->db_path);
  if (o->data_dir && !o->db_path) o->db_path = path_in(o->data_dir, "aragora_memory.db");
  if (o->data_dir && !o->elo_path) o->elo_path = path_in(o->data_dir, "aragora_elo.db");
  if (o->data_dir && !o->replays_dir) o->replays_dir = path_in(o->data_dir, "replays");
  FREE_LATER char *beside = o->db_path ? directory_of(o->db_path) : NULL;
  if (beside && !o->archive_dir) o->archive_dir = path_in(beside, "archive");
  if (!o->data_dir || !o->db_path || !o->elo_path || !o->replays_dir || !o->archive_dir)
    return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  return STATUS_OK;
}

enum status options_place_files(struct options *o, struct error *err) {
  enum status status = options_name_files(o, err);
  if (status == STATUS_OK) status = require_directory(o->data_dir, err);
  if (status == STATUS_OK) status = require_directory_of(o->db_path, err);
  if (status == STATUS_OK) status = require_directory_of(o->elo_path, err);
  return status;
}
