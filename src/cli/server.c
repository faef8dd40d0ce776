/* `aragora server`: puts the parts together, serves, and takes them apart again.
 *
 * Starting: limits -> log -> claim -> ports -> migrations, with --migrate -> store -> engine -> API
 * -> listen -> libcurl -> replays and ratings -> resume what a crash left -> ready.
 *
 * Stopping: the first signal drains (new debates are refused, running ones end), at most for the
 * time of --shutdown-timeout; the second leaves at once. Debates that have not ended, or had not
 * begun, go on at the next start. A third signal ends the process wherever it is.
 */
#include "api/app.h"
#include "api/unavailable.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/log_ring.h"
#include "base/options_load.h"
#include "cli/arguments.h"
#include "cli/dev_watch.h"
#include "cli/engine.h"
#include "cli/exposure.h"
#include "cli/interrupt.h"
#include "cli/migrate.h"
#include "cli/output.h"
#include "cli/process.h"
#include "cli/supervisor.h"
#include "http/proxies.h"
#include "io/libcurl.h"
#include "io/pool.h"
#include "ops/shipper.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
  CHANGES_MAX = 2048,
  POOL_QUEUE = 4096,
  KEYS_KEPT = 10000,
  GRACE_DRAINED_MS = 2000,
  LAST_SIGNAL = 3
};

const struct flag server_flags[] = {{0}};

struct server {
  struct engine engine;
  struct pool *pool;
  struct janitor *janitor;
  struct jobs *jobs;
  struct shipper *shipper;
  struct auth *auth;
  struct key_ring *keys;
  struct accounts *accounts;
  struct api *api;
  struct ports ports; /* until the HTTP server takes them */
  struct http_server *http;
  struct supervisor *supervisor;
  int idle_fd; /* readable once a drain has nothing left to wait for */
};

/* ---- what it may do ---- */

static enum status place_log(struct options *o) {
  /* The runbook's place, where the system was set up for it. */
  bool there = access("/var/log/aragora", W_OK | X_OK) == 0;
  if (o->log_file || !there) return STATUS_OK;
  return bytes_replace(&o->log_file, BYTES_LITERAL("/var/log/aragora/server.log"));
}

static enum status open_log(struct options *o, struct error *err) {
  if (place_log(o)) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  enum log_level level = LOG_LEVEL_INFO;
  enum status s = log_level_parse(o->log_level, &level);
  if (s) return error_set(err, s, "--log-level", "unknown log level \"%.32s\"", o->log_level);
  bool plain = o->dev || strcmp(o->log_format, "text") == 0;
  if (!log_ring_open((size_t)o->error_buffer_size))
    return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  log_rotate(o->log_max_bytes, (int)o->log_backup_count);
  return log_open(level, o->log_file, plain, err);
}

/* ---- what it says ---- */

/* The address a person on this machine would type. */
static void print_address(const char *scheme, const char *host, int port, char *out, size_t size) {
  bool any = !host || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
  bool six = !any && strchr(host, ':');
  snprintf(out, size, "%s://%s%s%s:%d", scheme, six ? "[" : "", any ? "127.0.0.1" : host,
           six ? "]" : "", port);
}

static void warn_about_agents(const struct engine *e) {
  const struct agent_binding *panel[DEBATE_MEMBERS_MAX];
  bool demo = false;
  agents_default_panel(e->agents, panel, DEBATE_MEMBERS_MAX, &demo);
  if (!demo || e->options.default_agents) return;
  if (strcmp(e->options.env, "production") == 0)
    log_warning("server", NULL,
                "agents=none no API key is set: debates without named agents are refused; set "
                "ANTHROPIC_API_KEY or OPENAI_API_KEY");
  else
    log_warning("server", NULL,
                "agents=demo no API key is set: demo agents answer, and what they say means "
                "nothing; set ANTHROPIC_API_KEY or OPENAI_API_KEY for real ones");
}

static void say_ready(const struct server *s, size_t resumed) {
  const struct options *o = &s->engine.options;
  char url[300], ws_url[300] = "none";
  print_address("http", o->host, http_server_port(s->http), url, sizeof url);
  int ws_port = http_server_ws_port(s->http);
  if (ws_port) print_address("ws", o->host, ws_port, ws_url, sizeof ws_url);
  warn_about_agents(&s->engine);
  if (!auth_enabled(s->auth) && o->host && !exposure_is_loopback(o->host))
    log_warning("server", NULL, "auth=none whoever reaches %s may start debates", url);
  if (resumed) log_info("server", NULL, "resumed=%zu unfinished debates go on", resumed);
  log_info("server", NULL, "ready version=%s url=%s ws_url=%s health=%s/api/health db=%s pid=%d",
           ARAGORA_VERSION, url, ws_url, url, o->db_path, (int)getpid());
}

/* On standard output, and never in the log: whoever reads it first is the first admin. */
static void say_setup(void *ctx, const char *token) {
  (void)ctx;
  printf("setup token: %s (no admin exists yet: POST /api/auth/setup, or aragora user create)\n",
         token);
  fflush(stdout);
}

/* ---- starting ---- */

/* Any thread. Without memory the key keeps the cap that it had; it is read again with the next
 * change of any key. */
static void on_key_read(void *provider, const struct store_key *key) {
  enum status s = budgets_cap_key(provider_budgets(provider), key->id, key->usd_micro_per_day);
  if (s) log_error("server", NULL, "key=%s cap=unknown error=%s", key->id, status_name(s));
}

static enum status open_keys(struct server *s, struct error *err) {
  const struct key_ring_options options = {.store = s->engine.store,
                                           .max_keys = KEYS_KEPT,
                                           .on_read = on_key_read,
                                           .ctx = s->engine.provider,
                                           .pool = s->pool,
                                           .auth = s->auth};
  enum status status = key_ring_create(&options, &s->keys, err);
  if (status) return status;
  const struct auth_verifier verifier = key_ring_verifier(s->keys);
  auth_plug_keys(s->auth, &verifier);
  return STATUS_OK;
}

static enum status open_api(struct server *s, struct error *err) {
  struct engine *e = &s->engine;
  /* Handlers that block are SQL, and estimates now and then: two for each thread that may ask. */
  enum status status = pool_create(2 * (size_t)e->options.workers, POOL_QUEUE, &s->pool, err);
  if (!status) status = janitor_create(&e->options, &s->janitor, err);
  if (!status && !(s->jobs = jobs_create(e->runner, e->store, &e->options)))
    status = error_set(err, STATUS_NOMEM, NULL, "out of memory");
  struct auth_options auth = {.api_token = e->options.api_token};
  if (!status) status = auth_create(&auth, &s->auth, err);
  if (!status) status = open_keys(s, err);
  const struct accounts_parts accounts = {.store = e->store,
                                          .auth = s->auth,
                                          .audit = e->audit,
                                          .options = &e->options,
                                          .pool = s->pool,
                                          .announce = say_setup};
  if (!status) status = accounts_create(&accounts, &s->accounts, err);
  if (status) return status;
  struct api_parts parts = {e->loop,     s->pool,   e->store,    e->hub,     e->runner,
                            e->provider, e->agents, &e->options, s->janitor, s->jobs,
                            e->audit,    s->auth,   s->keys,     s->accounts};
  return api_create(&parts, &s->api, err);
}

static int64_t bounded_connections(const struct options *o) {
  int64_t most = process_connections(o->max_connections);
  if (most < o->max_connections)
    log_warning("server", NULL,
                "max_connections=%lld not %lld: the system allows too few descriptors",
                (long long)most, (long long)o->max_connections);
  return most;
}

static enum status open_http(struct server *s, struct error *err) {
  const struct options *o = &s->engine.options;
  struct http_options http = {
      .workers = (size_t)o->workers,
      .max_connections = (size_t)bounded_connections(o),
      .max_body_bytes = (size_t)o->max_body_bytes,
      .allowed_origins = o->allowed_origins,
      .guard_local = !auth_enabled(s->auth) && !o->allow_unauthenticated,
      .unrouted = unavailable_answer,
      .secret_after = API_SECRET_AFTER,
      .gate = &api_gate,
      .head_timeout_s = (int)o->head_timeout_s,
      .send_timeout_s = (int)o->send_timeout_s,
      .body_timeout_s = (int)o->body_timeout_s,
      .rate_limit_requests = o->rate_limit_requests,
      .rate_limit_window_s = o->rate_limit_window_s,
      .rate_limit_callers = o->rate_limit_callers,
      .trusted_proxies = o->trusted_proxies,
      .ws_max_message_bytes = o->ws_max_message_bytes,
      .ws_connections_per_minute = o->ws_connections_per_minute,
      .ws_connections_per_address = o->ws_connections_per_address,
      .ws_messages_per_second = o->ws_messages_per_second,
      .ws_heartbeat_s = o->ws_heartbeat_s,
      .ws_send_buffer_bytes = o->ws_send_buffer_bytes,
      .sse_heartbeat_s = o->sse_heartbeat_s,
  };
  enum status status =
      http_server_create(s->engine.loop, s->pool, &http, api_routes, api_route_count, api_ws_routes,
                         api_ws_route_count, &api_ws_ops, s->api, &s->http, err);
  if (!status) api_set_server(s->api, s->http);
  return status;
}

/* Once it answers, and before it asks: the first call to a provider would load it too, but on the
 * loop. A library that cannot be loaded is told of before it is missed. */
static void load_libcurl(void) {
  struct error err = {0};
  if (libcurl_load(&err)) log_error("server", NULL, "providers=unreachable %s", err.message);
}

/* Before anything is opened: what belongs to another server is not even looked at. Files that are
 * not there yet, or were replaced by a restore, are claimed once they are open; what else is wrong
 * with one the store says better. */
static enum status claim_present(const struct options *o, struct error *err) {
  if (process_claim(o->db_path, err) == STATUS_CONFLICT) return STATUS_CONFLICT;
  return process_claim(o->elo_path, err) == STATUS_CONFLICT ? STATUS_CONFLICT : STATUS_OK;
}

/* Nothing is made or migrated by a start that ends on a port that another program has. */
static enum status bind_ports(struct server *s, const struct options *o, struct error *err) {
  return ports_bind(&s->ports, o->host, (int)o->port, (int)o->ws_port, err);
}

static enum status start(struct server *s, struct options *options, struct error *err) {
  size_t resumed = 0;
  s->idle_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  enum status status = claim_present(options, err);
  if (!status) status = bind_ports(s, options, err);
  if (!status && options->migrate) status = migrate_at_start(options, err);
  if (!status) status = engine_open(&s->engine, options, err);
  if (!status) status = open_api(s, err);
  if (!status) status = open_http(s, err);
  s->engine.rated = api_on_match;
  s->engine.rated_ctx = s->api;
  if (!status) status = engine_start(&s->engine, err);
  /* Listening first: one who starts a second server by mistake must not take up the debates of the
   * first. Who subscribes to a debate before it is taken up waits for it in the hub. */
  if (!status) status = http_server_start(s->http, &s->ports, err);
  if (!status) status = process_claim(s->engine.options.db_path, err);
  if (!status) status = process_claim(s->engine.options.elo_path, err);
  if (!status) load_libcurl();
  if (!status) status = engine_follow(&s->engine, err);
  if (!status) api_set_rater(s->api, s->engine.rater);
  if (!status) status = runner_resume(s->engine.runner, &resumed, err);
  if (!status) status = jobs_start(s->jobs, err);
  if (!status) status = janitor_start(s->janitor, s->engine.store, err);
  if (!status) status = shipper_start(&s->engine.options, s->engine.store, &s->shipper, err);
  if (!status && s->engine.options.profile_memory) status = api_profile_memory(s->api, err);
  if (!status)
    status =
        supervisor_start(s->engine.loop, s->engine.store, s->engine.runner, &s->supervisor, err);
  if (!status) say_ready(s, resumed);
  return status;
}

/* ---- reading anew what may change ---- */

/* `changes` names what differs, without values. */
static void note_reload(const struct server *s, bool done, const struct buffer *changes) {
  JSON_LATER json_t *detail =
      changes->len ? json_pack("{s:o}", "changes", json_text(buffer_bytes(changes))) : NULL;
  const struct audit_act act = {AUDIT_CONFIG_RELOAD, done ? AUDIT_OK : AUDIT_FAILED, AUDIT_SYSTEM,
                                "agents", detail};
  audit_note(s->engine.audit, &act);
}

static void reload_agents(struct server *s) {
  struct error err = {0};
  BUFFER_LATER struct buffer changes;
  buffer_init(&changes, CHANGES_MAX);
  const char *file = s->engine.options.agents_file;
  enum status status = engine_reload_agents(&s->engine, &changes, &err);
  if (!status && changes.len) status = api_use_agents(s->api, s->engine.agents);
  note_reload(s, !status, &changes);
  if (status)
    log_error("server", NULL,
              "reload=failed agents_file=%s field=%s error=\"%s\" the agents stay as they were",
              file ? file : "-", *err.field ? err.field : "-",
              *err.message ? err.message : status_name(status));
  else
    log_info("server", NULL, "reload=done agents%s", changes.len ? changes.ptr : "=unchanged");
}

/* SIGHUP. Debates that run notice it at their next turn. */
static void reload(struct server *s) {
  struct error err = {0};
  if (log_reopen(s->engine.options.log_file, &err))
    log_error("server", NULL, "reload=failed field=%s error=\"%s\" the old file is written on",
              err.field, err.message);
  reload_agents(s);
}

static void reload_and_notify(struct server *s) {
  char state[64];
  snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%lld",
           (long long)clock_mono_us(&clock_system));
  process_notify(state);
  reload(s);
  process_notify("READY=1");
}

/* ---- stopping ---- */

static void became_idle(void *ctx) {
  struct server *s = ctx;
  uint64_t one = 1;
  ssize_t n = write(s->idle_fd, &one, sizeof one);
  (void)n; /* the first write of a counter does not fail */
}

/* The first line of a stop; from here on nothing new begins. */
static void begin_drain(struct server *s) {
  runner_drain(s->engine.runner, became_idle, s);
  struct runner_stats stats = runner_stats(s->engine.runner);
  char limit[64] = "";
  if (s->engine.options.shutdown_timeout_s)
    snprintf(limit, sizeof limit, "at most %lld s, ",
             (long long)s->engine.options.shutdown_timeout_s);
  log_info("server", NULL,
           "stopping debates=%lld queued=%lld waiting for the running ones to end, %sa second "
           "signal leaves at once",
           (long long)stats.running, (long long)stats.queued, limit);
  process_notify("STOPPING=1");
  supervisor_drain(s->supervisor);
}

static void say_left(struct server *s, const char *why) {
  struct runner_stats stats = runner_stats(s->engine.runner);
  if (why)
    log_warning("server", NULL,
                "stopping=%s debates=%lld unfinished, %lld more waited; they go on at the next "
                "start",
                why, (long long)stats.running, (long long)stats.queued);
  else if (stats.queued)
    log_info("server", NULL, "stopping=drained debates=%lld waited; they go on at the next start",
             (long long)stats.queued);
}

/* True when every running debate has ended. */
static bool drain(struct server *s) {
  int64_t limit_ms = s->engine.options.shutdown_timeout_s * 1000;
  int64_t until_ms = clock_mono_us(&clock_system) / 1000 + limit_ms;
  const char *why = NULL;
  uint64_t value;
  begin_drain(s);
  while (!why && read(s->idle_fd, &value, sizeof value) < 0) {
    int64_t left_ms = until_ms - clock_mono_us(&clock_system) / 1000;
    if (limit_ms && left_ms <= 0)
      why = "timeout";
    else if (interrupt_wait(s->idle_fd, limit_ms ? (int)left_ms : -1) && interrupt_take() > 1)
      why = "now";
    if (interrupt_take_reload()) reload(s);
  }
  say_left(s, why);
  return !why;
}

static void stop(struct server *s, bool drained) {
  jobs_stop(s->jobs);
  janitor_stop(s->janitor);
  if (s->http) http_server_stop(s->http, drained ? GRACE_DRAINED_MS : 0);
  accounts_stop(s->accounts);
  api_end_profile(s->api);
  supervisor_stop(s->supervisor);
  engine_stop(&s->engine, s->pool);
  shipper_stop(s->shipper, drained);
  http_server_destroy(s->http);
  ports_close(&s->ports);
  api_destroy(s->api);
  accounts_destroy(s->accounts);
  auth_destroy(s->auth);
  key_ring_destroy(s->keys);
  pool_destroy(s->pool);
  janitor_destroy(s->janitor);
  jobs_destroy(s->jobs);
  engine_close(&s->engine);
  supervisor_destroy(s->supervisor);
  close(s->idle_fd);
}

/* Until somebody wants it to stop. True when it is to start anew instead. */
static bool wait_for_end(struct server *s, struct dev_watch *watch) {
  for (;;) {
    if (interrupt_wait(dev_watch_fd(watch), dev_watch_timeout_ms(watch))) {
      if (interrupt_take() > 0) return false;
      if (interrupt_take_reload()) reload_and_notify(s);
    }
    if (dev_watch_is_due(watch)) return true;
  }
}

/* Debates stay where they stand in their logs; the new program takes them up. */
static int start_anew(struct server *s, struct dev_watch *watch) {
  int port = http_server_port(s->http), ws_port = http_server_ws_port(s->http);
  log_info("server", NULL, "dev=restart the new program takes over");
  stop(s, false);
  dev_watch_restart(watch, port, ws_port);
  return CLI_ERROR;
}

/* Also where the log is read, and not only where the command was typed. The log may be the one of a
 * server that has the database, and runs well. */
static void log_refusal(enum status status, const struct error *err) {
  struct log_quoted reason;
  if (status == STATUS_CONFLICT)
    log_warning("server", NULL, "another process could not start: %s", err->message);
  else
    log_error("server", NULL, "start=failed reason=%s", log_quote(&reason, err->message));
}

/* "is malformed" alone helps nobody. */
static void advise(struct error *err) {
  const struct error why = *err;
  error_set(err, why.status, why.field,
            "%s; aragora doctor looks at it, aragora backup restore latest --force puts the last "
            "backup in its place",
            why.message);
}

static int serve(struct options *options, int argc, char **argv) {
  struct server server = {0};
  struct error err = {0};
  struct dev_watch *watch = NULL;
  interrupt_catch(LAST_SIGNAL);
  interrupt_catch_reload();
  /* Before it says that it is ready: who waits for that may change a file at once. */
  if (options->dev && dev_watch_open(options, argc, argv, &watch, &err)) {
    output_error(&err);
    return CLI_ERROR;
  }
  bool logged = options->log_file != NULL; /* else standard error is the log */
  enum status status = start(&server, options, &err);
  if (status) {
    if (status == STATUS_CORRUPT) advise(&err);
    if (logged) log_refusal(status, &err);
    output_error(&err);
    stop(&server, false);
    dev_watch_close(watch);
    return CLI_ERROR;
  }
  process_notify("READY=1");
  int code = CLI_OK;
  if (wait_for_end(&server, watch))
    code = start_anew(&server, watch);
  else
    stop(&server, drain(&server));
  dev_watch_close(watch);
  log_info("server", NULL, "stopped");
  log_close();
  return code;
}

/* The same that the HTTP server does with it, before anything is opened. */
static enum status check_proxies(const struct options *o, struct error *err) {
  struct proxies unused;
  return proxies_init(&unused, o->trusted_proxies, err);
}

int cli_server(int argc, char **argv) {
  struct arguments arguments;
  struct options options;
  struct error err = {0};
  const struct command *self = command_find("server");
  if (options_load(&options, argc, argv, &err)) {
    output_error(&err);
    return CLI_USAGE;
  }
  int code = CLI_USAGE;
  if (!arguments_read(self, argc, argv, NULL, &options, &arguments)) {
    /* said already */
  } else if (arguments.count) {
    arguments_wrong(self, "it takes no \"%.64s\"", arguments.positional[0]);
  } else if (check_proxies(&options, &err)) {
    code = output_error(&err);
  } else if (options_name_files(&options, &err) || exposure_check(&options, &err) ||
             open_log(&options, &err)) {
    output_error(&err);
    code = CLI_ERROR;
  } else {
    if (options.allow_core_dumps) process_allow_dumps();
    process_name_server(argc, argv);
    process_keep_heap();
    process_raise_descriptors();
    code = serve(&options, argc, argv);
  }
  options_done(&options);
  return code;
}
