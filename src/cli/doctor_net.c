#include "cli/agents_check.h"
#include "cli/doctor.h"
#include "cli/remote.h"
#include "http/ports.h"
#include "io/libcurl.h"

#include <stdio.h>

enum { CALL_MS = 3000, FIX_SIZE = 160, URL_BYTES_MAX = 512 };

/* ---- ports ---- */

/* Whether what listens there answers as this program does; its version, where it tells. */
static bool is_ours(const struct options *options, int64_t port, char *version, size_t size) {
  struct options at = *options; /* borrowed */
  struct error err = {0};
  struct remote remote;
  BUFFER_LATER struct buffer url;
  JSON_LATER json_t *alive = NULL;
  JSON_LATER json_t *health = NULL;
  buffer_init(&url, URL_BYTES_MAX);
  at.port = port;
  at.api_token = NULL; /* both are public, and it may be anybody who listens there */
  remote_append_own_url(&url, &at);
  if (url.overflow || remote_open(url.ptr, &at, &remote, &err)) return false;
  bool ours = !remote_call(&remote, "/healthz", NULL, CALL_MS, &alive, &err) &&
              strcmp(json_get_text(alive, "status", ""), "ok") == 0;
  if (ours && !remote_call(&remote, "/api/health", NULL, CALL_MS, &health, &err))
    snprintf(version, size, " %.32s", json_get_text(health, "version", ""));
  remote_close(&remote);
  return ours;
}

/* Why it cannot be listened on, and what to do. */
static void tell_refused(enum status status, const struct error *why, const char *variable,
                         const struct findings *to) {
  char fix[FIX_SIZE];
  if (status == STATUS_INVALID || status == STATUS_UNSUPPORTED)
    snprintf(fix, sizeof fix, "set ARAGORA_HOST to an address of this machine");
  else
    snprintf(fix, sizeof fix, "%sset %s to another one",
             status == STATUS_IO ? "stop the program that has it (ss -ltnp), or " : "", variable);
  finding_tell(to, FINDING_FAIL, "port", fix, "%s", why->message);
}

/* As a start would bind it. */
static void check_port(const struct options *options, int64_t port, const char *variable,
                       const struct findings *to) {
  char version[40] = "";
  struct error why = {0}, unloaded = {0};
  struct ports ports = {0};
  enum status status = port ? ports_bind(&ports, options->host, (int)port, 0, &why) : STATUS_OK;
  ports_close(&ports);
  if (!status)
    finding_tell(to, FINDING_OK, "port", NULL, "%lld %s", (long long)port,
                 port ? "is free" : "is any free one");
  else if (status == STATUS_IO && libcurl_load(&unloaded))
    finding_tell(to, FINDING_FAIL, "port", "install libcurl (Debian: libcurl4)",
                 "%s, and who has it cannot be asked: %s", why.message, unloaded.message);
  else if (status == STATUS_IO && is_ours(options, port, version, sizeof version))
    finding_tell(to, FINDING_OK, "port", NULL, "%lld is served by aragora%s", (long long)port,
                 version);
  else
    tell_refused(status, &why, variable, to);
}

void doctor_check_ports(const struct options *options, const struct findings *to) {
  check_port(options, options->port, "ARAGORA_PORT", to);
  if (options->ws_port) check_port(options, options->ws_port, "ARAGORA_WS_PORT", to);
}

/* ---- providers ---- */

static void tell_row(const json_t *row, const struct findings *to) {
  const char *agent = json_get_text(row, "agent", "?"), *result = json_get_text(row, "result", "?");
  const char *detail = json_get_text(row, "detail", ""), *fix = json_get_text(row, "fix", "");
  bool good = strcmp(result, "ok") == 0, unknown = strcmp(result, "not_checked") == 0;
  bool needed = json_get_bool(row, "needed", false);
  enum finding_level level = FINDING_OK;
  if (!good && !unknown) level = needed ? FINDING_FAIL : FINDING_WARN;
  int64_t ms = json_get_int(row, "latency_ms", -1);
  char latency[32] = "";
  if (good && ms >= 0) snprintf(latency, sizeof latency, ", %lld ms", (long long)ms);
  finding_tell(to, level, "provider", *fix ? fix : NULL, "%s (%s %s): %s%s%s%s", agent,
               json_get_text(row, "provider", "?"), json_get_text(row, "model", "?"), result,
               latency, *detail ? ": " : "", detail);
}

void doctor_check_providers(const struct options *options, const struct findings *to) {
  JSON_LATER json_t *rows = NULL;
  struct error err = {0};
  const json_t *row;
  size_t i, told = 0;
  if (agents_check_ask(options, &rows, &err)) {
    finding_tell(to, FINDING_FAIL, "provider", NULL, "%s", err.message);
    return;
  }
  json_array_foreach(rows, i, row) {
    if (strcmp(json_get_text(row, "provider", ""), "demo") == 0) continue;
    tell_row(row, to);
    told++;
  }
  if (!told) finding_tell(to, FINDING_OK, "provider", NULL, "without a key there is nobody to ask");
}
