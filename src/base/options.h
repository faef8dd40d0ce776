/* The option table: everything that can be set, once. A row names the flag, the environment
 * variable, the default, the range and the help text; the command line, `--help`, the environment
 * and the documentation are read from it.
 *
 * Precedence: flag, environment, environment file (--env-file), configuration file (--config),
 * default; options_load.h reads the files. An empty variable counts as unset.
 * The struct is filled before the first thread and is read-only afterwards.
 */
#ifndef ARAGORA_BASE_OPTIONS_H
#define ARAGORA_BASE_OPTIONS_H

#include "base/bytes.h"

struct options {
  /* where all this comes from */
  char *config;                  /* the file that was read; NULL = none is there */
  char *config_unread;           /* was passed over: see options_load_readable; or NULL */
  char *env_file;                /* --env-file, ARAGORA_ENV_FILE */
  struct option_source *sources; /* of each row of the table; options_source reads it */
  /* where it listens */
  int64_t port;    /* --port, ARAGORA_PORT, 8080 */
  int64_t ws_port; /* --ws-port, ARAGORA_WS_PORT, 8765; 0 = no second listener */
  char *host;      /* --host, ARAGORA_HOST; NULL = 127.0.0.1 and, where it exists, ::1 */
  bool allow_unauthenticated;
  char *api_token; /* ARAGORA_API_TOKEN or its _FILE, never a flag: argv is public */
  /* accounts */
  char *jwt_secret, *jwt_secret_previous; /* likewise; NULL = see auth/jwt_secret.h */
  char *jwt_secret_rotated_at;            /* a time; with a previous one */
  int64_t jwt_rotation_grace_hours;       /* from then on the previous one still counts */
  int64_t jwt_expiry_hours;               /* of an access token */
  int64_t refresh_expiry_days;            /* of a session that nobody refreshes */
  char *registration;                     /* open, closed */
  char *admin_emails;                     /* who registers with one of these is an admin */
  int64_t max_users, max_sessions;        /* max_sessions: of one user */
  int64_t max_keys; /* of one user; with those that a rotation still leaves, twice as many */
  int64_t max_key_overlap_s;   /* both keys of a rotation work at most so long */
  int64_t max_revoked_tokens;  /* signed ones, until they expire */
  int64_t max_tickets;         /* of WebSockets, at once */
  int64_t password_memory_mib; /* that one hash takes */
  int64_t max_password_queue;  /* logins and the like that wait for a core */
  int64_t register_rate, login_rate, refresh_rate, password_rate; /* a minute, of one address */
  int64_t register_per_day; /* registrations of one address; 0 = no limit */
  char *allowed_origins;    /* ARAGORA_ALLOWED_ORIGINS, "*" */
  char *env;                /* ARAGORA_ENV: development, production */
  bool dev;
  bool allow_core_dumps;      /* see process_forbid_dumps */
  int64_t shutdown_timeout_s; /* how long a stop waits for running debates; 0 = until they end */
  /* files */
  char *data_dir;       /* --data-dir, ARAGORA_DATA_DIR; NULL = see options_place_files */
  char *db_path;        /* --db-path, ARAGORA_DB_PATH */
  char *elo_path;       /* --elo-path, ARAGORA_ELO_PATH */
  char *replays_dir;    /* ARAGORA_REPLAYS_DIR; see options_place_files */
  bool replays;         /* ARAGORA_REPLAYS: replay files are written */
  int64_t replays_days; /* ARAGORA_REPLAYS_DAYS, 90: they are kept; 0 = for ever */
  bool archive;         /* --archive, ARAGORA_ARCHIVE, true: the server archives every commit */
  char *archive_dir;    /* --archive-dir; NULL = `archive` beside the main database */
  int64_t archive_segment_bytes;
  int64_t archive_sync_ms;
  int64_t archive_ship_s; /* to the place of backups, where one is set; 0 = never */
  bool migrate;           /* --migrate, ARAGORA_MIGRATE: pending migrations are applied at start */
  int64_t migration_copies; /* of a database, from before its last migrations */
  char *agents_file;
  char *log_level;
  char *log_file;
  char *log_format; /* json, text */
  int64_t
      error_buffer_size;    /* ARAGORA_ERROR_BUFFER_SIZE, 200: warnings and errors kept in memory */
  bool profile_memory;      /* --profile-memory: what holds memory is noted over time */
  int64_t profile_memory_s; /* ARAGORA_PROFILE_MEMORY_S, 60: between two notes */
  int64_t log_max_bytes;    /* ARAGORA_LOG_MAX_BYTES, 10 MiB: it then moves away; 0 = never */
  int64_t log_backup_count; /* ARAGORA_LOG_BACKUP_COUNT, 5: older ones kept; 0 = it never moves */
  /* sizes */
  int64_t workers;           /* ARAGORA_WORKERS, 4 */
  int64_t db_pool_size;      /* ARAGORA_DB_POOL_SIZE, 10 */
  int64_t db_timeout_s;      /* ARAGORA_DB_TIMEOUT, 30 */
  int64_t event_buffer_size; /* ARAGORA_EVENT_BUFFER_SIZE, 10000: events a debate kept in memory */
  int64_t max_body_bytes;    /* ARAGORA_MAX_BODY_BYTES, 10 MiB */
  int64_t max_connections;   /* ARAGORA_MAX_CONNECTIONS: HTTP connections at once */
  int64_t head_timeout_s;    /* ARAGORA_HEAD_TIMEOUT: a request's head must be whole by then */
  int64_t body_timeout_s;    /* ARAGORA_BODY_TIMEOUT: and its body */
  int64_t send_timeout_s; /* ARAGORA_SEND_TIMEOUT: of an export something must be taken by then */
  int64_t max_question_chars;
  int64_t max_context_bytes;   /* longest `context` of a debate */
  int64_t max_exports;         /* of many debates, at once */
  int64_t max_batch_items;     /* of one batch */
  int64_t max_batches;         /* that have items to start */
  int64_t max_searches;        /* searches and analytics, at once */
  int64_t search_debates;      /* the newest ones, that a search looks at */
  int64_t rate_limit_requests; /* ARAGORA_RATE_LIMIT_REQUESTS, 100, of a caller in a window */
  int64_t rate_limit_window_s; /* ARAGORA_RATE_LIMIT_WINDOW, 60 */
  int64_t rate_limit_callers;  /* remembered */
  char *trusted_proxies;       /* ARAGORA_TRUSTED_PROXIES: whose X-Forwarded-For is believed */
  /* debates */
  int64_t max_concurrent_debates; /* ARAGORA_MAX_CONCURRENT_DEBATES, 100 */
  int64_t max_queued_debates;     /* ARAGORA_MAX_QUEUED_DEBATES, 1000 */
  int64_t idempotency_ttl_s;      /* for how long an Idempotency-Key stands for its debate */
  char *default_agents;           /* ARAGORA_DEFAULT_AGENTS; NULL = what the keys allow */
  int64_t default_rounds;         /* ARAGORA_DEFAULT_ROUNDS, 2 */
  int64_t debate_timeout_s;       /* ARAGORA_DEBATE_TIMEOUT, 900 */
  int64_t agent_timeout_s;        /* ARAGORA_AGENT_TIMEOUT, 60 */
  int64_t max_output_tokens;      /* ARAGORA_MAX_OUTPUT_TOKENS: output limit sent to providers */
  int64_t estimate_debates;       /* ARAGORA_ESTIMATE_DEBATES: past debates an estimate reads */
  int64_t retain_debates_days, retain_failed_days, retain_demo_days; /* 0 = for ever */
  int64_t audit_max_rows; /* ARAGORA_AUDIT_MAX_ROWS: beyond it the oldest go; 0 = for ever */
  /* budgets; 0 = none; money in millionths of a dollar */
  int64_t debate_budget_usd_micro, debate_budget_tokens;         /* of a debate that names none */
  int64_t max_debate_budget_usd_micro, max_debate_budget_tokens; /* that a debate may name */
  int64_t principal_daily_budget_usd_micro, principal_daily_budget_tokens; /* UTC days */
  int64_t daily_budget_usd_micro, daily_budget_tokens;
  int64_t process_budget_usd_micro, process_budget_tokens; /* since the process started */
  bool caps_allow_unknown_price; /* of the last three in money: calls whose price nobody knows pass
                                  */
  /* providers */
  int64_t max_retries;                     /* ARAGORA_MAX_RETRIES, 3 */
  bool hedge;                              /* ARAGORA_HEDGE: see ask.h */
  int64_t circuit_breaker_threshold;       /* ARAGORA_CIRCUIT_BREAKER_THRESHOLD, 5 */
  int64_t circuit_breaker_cooldown_ms;     /* ARAGORA_CIRCUIT_BREAKER_COOLDOWN_MS, 60,000 */
  int64_t circuit_breaker_cooldown_max_ms; /* grows up to this; 0 = it does not */
  int64_t provider_connections;            /* at once to one host */
  int64_t provider_connect_timeout_ms;
  int64_t provider_idle_timeout_ms;
  int64_t max_answer_bytes;    /* longest answer of a provider */
  int64_t demo_token_rate;     /* demo agents: tokens a second, 0 = at once */
  int64_t agent_check_minutes; /* a check of keys and models is good for this long; 0 = none */
  /* live streams */
  int64_t token_interval_ms; /* ARAGORA_TOKEN_INTERVAL_MS: streams gather for this long */
  int64_t ws_max_message_bytes;
  int64_t ws_connections_per_minute; /* from one address */
  int64_t ws_connections_per_address;
  int64_t ws_messages_per_second;
  int64_t ws_heartbeat_s;
  int64_t ws_send_buffer_bytes; /* unsent bytes after which a subscriber counts as behind */
  int64_t sse_heartbeat_s;
  /* backups; days and hours are 24 and 1 of them, whatever the calendar says */
  char *backup_to;               /* ARAGORA_BACKUP_TO; NULL = `backups` in the data directory */
  int64_t backup_hours;          /* between hot backups; 0 = none are made */
  int64_t backup_keep_days;      /* of hot backups */
  int64_t full_backup_days;      /* between full backups; 0 = none are made */
  int64_t full_backup_keep_days; /* of full backups */
  int64_t backup_delay_minutes;  /* from the start of the server to its first backup */
  int64_t backup_load_percent;   /* of the time in which a backup works */
  int64_t checkpoint_minutes;    /* between checkpoints of an idle server; 0 = none */
  char *backup_storage_class;    /* of an S3-compatible store; NULL = its default */
  char *full_backup_storage_class;
  char *s3_endpoint; /* NULL = Amazon's of the region */
  char *s3_region;
};

enum option_type {
  OPTION_BOOL,
  OPTION_INT,
  OPTION_TEXT,
  OPTION_USD, /* dollars with up to six decimals, kept as int64_t millionths; min, max in these */
};

struct option {
  const char *flag;     /* "--port", or NULL when it has none */
  const char *variable; /* "ARAGORA_PORT", or NULL */
  const char *fallback; /* the default as text, or NULL */
  enum option_type type;
  size_t offset; /* into struct options */
  int64_t min, max;
  const char *meta;    /* "N", "PATH" in the help text */
  const char *help;    /* one line */
  const char *choices; /* "json|text": any case is accepted, this one is stored; or NULL */
  bool secret;
};

extern const struct option option_table[];
extern const size_t option_table_size;

/* Who set a value; the later ones win. */
enum option_origin {
  OPTION_DEFAULT,
  OPTION_CONFIG,      /* a line of the configuration file */
  OPTION_ENV_FILE,    /* a line of the environment file */
  OPTION_ENVIRONMENT, /* a variable of the process */
  OPTION_FLAG,
};

struct option_source {
  enum option_origin origin;
  char name[64]; /* as it was written there: "HTTP_PORT", "ARAGORA_PORT", "--port"; "" of a default
                  */
  int line;      /* in its file; 0 of what stands in none */
};

/* Every row's default. STATUS_NOMEM. options_init of options_load.h adds what was set. */
MUST_CHECK enum status options_set_defaults(struct options *o, struct error *err);
void options_done(struct options *o);

/* Sets one row. STATUS_INVALID names `source` in err->field, and in the message with the value and
 * what it may be. */
MUST_CHECK enum status options_set(struct options *o, const struct option *row,
                                   const struct option_source *source, const char *text,
                                   struct error *err);
/* Who set the row's field, by whichever of its names. */
struct option_source options_source(const struct options *o, const struct option *row);

/* The row that `name` stands for: a variable with or without ARAGORA_, or a flag, "-" and "_" and
 * either case alike: HTTP_PORT, http-port, --http-port. NULL when there is none. */
const struct option *options_find(struct bytes name);
/* The first row of the field that this row sets: the one whose name is shown. */
const struct option *options_first(const struct option *row);

/* Sets what `argv[*index]` ("--port", "--port=80") says, leaving *index on the last argument used.
 * A flag without a value is true ("--dev", or "--dev=false"). STATUS_NOT_FOUND when it is no flag
 * of the table (nothing changed), STATUS_INVALID when its value is bad or missing. */
MUST_CHECK enum status options_set_flag(struct options *o, int argc, char **argv, int *index,
                                        struct error *err);

/* Fills data_dir, db_path, elo_path and archive_dir where they are unset: the directory of db_path,
 * else /data when it exists and is writable, else $STATE_DIRECTORY, else ./data. Makes nothing. */
MUST_CHECK enum status options_name_files(struct options *o, struct error *err);
/* The same, and makes a missing directory with mode 0750, its parents and archive_dir not.
 * STATUS_IO with the path when it cannot be written. */
MUST_CHECK enum status options_place_files(struct options *o, struct error *err);

#endif
