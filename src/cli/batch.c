/* `aragora batch`: a file of questions to a server, as one batch. */
#include "cli/interrupt.h"
#include "cli/invocation.h"
#include "cli/output.h"
#include "cli/remote.h"
#include "cli/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { CALL_MS = 30000, FILE_MAX = 64 << 20, PIECE = 65536, POLL_MS = 1000, OUT_MAX = 4 << 20 };

struct batch_values {
  const char *server;
  int64_t parallel;
  bool wait, json;
};

#define AT(field) offsetof(struct batch_values, field)
const struct flag batch_flags[] = {
    {"--server", 0, FLAG_TEXT, AT(server), 0, 0, "URL",
     "the server [ARAGORA_API_URL]; default this machine at ARAGORA_PORT or 8080"},
    {"--parallel", 0, FLAG_COUNT, AT(parallel), 1, 50, "N", "debates of it at once; default 10"},
    {"--wait", 'w', FLAG_SWITCH, AT(wait), 0, 0, NULL,
     "until all have ended; exit code 1 unless all completed"},
    {"--json", 0, FLAG_SWITCH, AT(json), 0, 0, NULL, "print one JSON object"},
    {0},
};

static const struct command *self(void) {
  return command_find("batch");
}

/* ---- the file ---- */

static enum status read_file(const char *path, struct buffer *out, struct error *err) {
  FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
  if (!file) return error_set(err, STATUS_IO, NULL, "%.200s cannot be opened", path);
  char piece[PIECE];
  size_t got;
  while ((got = fread(piece, 1, sizeof piece, file)) > 0) buffer_append(out, piece, got);
  bool failed = ferror(file);
  if (file != stdin) fclose(file);
  if (failed) return error_set(err, STATUS_IO, NULL, "%.200s cannot be read", path);
  if (out->overflow)
    return error_set(err, STATUS_TOO_LARGE, NULL, "%.200s is longer than %d MiB", path,
                     FILE_MAX >> 20);
  return STATUS_OK;
}

/* A list of starts, or the whole body with one under "items". */
static enum status read_body(const struct batch_values *v, const char *path, json_t **ret_body,
                             struct error *err) {
  BUFFER_LATER struct buffer text;
  buffer_init(&text, FILE_MAX);
  json_t *body = NULL;
  enum status s = read_file(path, &text, err);
  if (!s) s = json_parse(buffer_bytes(&text), &body, err);
  if (s) return s;
  if (json_is_array(body)) body = json_pack("{s:o}", "items", body);
  if (body && !json_is_object(body)) {
    json_decref(body);
    return error_set(err, STATUS_INVALID, NULL, "%.200s must hold a JSON list of starts", path);
  }
  if (!body ||
      (v->parallel > 0 && json_object_set_new(body, "max_parallel", json_integer(v->parallel)))) {
    json_decref(body);
    return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  }
  *ret_body = body;
  return STATUS_OK;
}

/* ---- the batch ---- */

static bool has_ended(const json_t *batch) {
  const char *status = json_get_text(batch, "status", "");
  return strcmp(status, "completed") == 0 || strcmp(status, "partial_failure") == 0;
}

static int print(const struct batch_values *v, const json_t *batch) {
  if (v->json) return output_json(STDOUT_FILENO, batch) ? CLI_OK : CLI_ERROR;
  BUFFER_LATER struct buffer out;
  buffer_init(&out, OUT_MAX);
  buffer_printf(&out, "%s  %s  %lld of %lld completed, %lld failed\n",
                json_get_text(batch, "batch_id", ""), json_get_text(batch, "status", ""),
                (long long)json_get_int(batch, "completed_items", 0),
                (long long)json_get_int(batch, "total_items", 0),
                (long long)json_get_int(batch, "failed_items", 0));
  const json_t *items = json_object_get(batch, "items");
  for (size_t i = 0; i < json_array_size(items); i++) {
    const json_t *item = json_array_get(items, i);
    FREE_LATER char *question = text_clean(bytes_of(json_get_text(item, "question", "")));
    FREE_LATER char *error = text_clean(bytes_of(json_get_text(item, "error", "")));
    buffer_printf(&out, "%5zu  %-10s  %-26s  %.100s%s%s\n", i, json_get_text(item, "status", ""),
                  json_get_text(item, "debate_id", "-"), question ? question : "",
                  error && *error ? ": " : "", error ? error : "");
  }
  return output_buffer(STDOUT_FILENO, &out) ? CLI_OK : CLI_ERROR;
}

static int await(const struct batch_values *v, const struct remote *remote, const char *id) {
  char path[256];
  snprintf(path, sizeof path, "/api/debates/batch/%s/status", id);
  interrupt_catch(2);
  for (;;) {
    struct error err = {0};
    JSON_LATER json_t *batch = NULL;
    if (remote_call(remote, path, NULL, CALL_MS, &batch, &err)) return remote_error(&err);
    if (has_ended(batch)) {
      int code = print(v, batch);
      bool all = strcmp(json_get_text(batch, "status", ""), "completed") == 0;
      return code ? code : all ? CLI_OK : CLI_ERROR;
    }
    if (interrupt_wait(-1, POLL_MS) && interrupt_take()) return CLI_INTERRUPTED;
  }
}

static int send_batch(const struct batch_values *v, const struct remote *remote,
                      const json_t *body) {
  struct error err = {0};
  JSON_LATER json_t *answer = NULL;
  if (remote_call(remote, "/api/debates/batch", body, CALL_MS, &answer, &err))
    return remote_error(&err);
  const char *id = json_get_text(answer, "batch_id", "");
  if (v->wait) return await(v, remote, id);
  if (v->json) return output_json(STDOUT_FILENO, answer) ? CLI_OK : CLI_ERROR;
  BUFFER_LATER struct buffer line;
  buffer_init(&line, 4096);
  buffer_printf(&line, "%s  %lld items queued\n", id,
                (long long)json_get_int(answer, "items_queued", 0));
  return output_buffer(STDOUT_FILENO, &line) ? CLI_OK : CLI_ERROR;
}

static int check_and_run(const void *values, const struct arguments *a, struct options *options) {
  const struct batch_values *v = values;
  if (a->count != 1) return arguments_wrong(self(), "batch needs one file, or - for its input");
  BUFFER_LATER struct buffer own;
  buffer_init(&own, 4096);
  remote_append_own_url(&own, options);
  struct error err = {0};
  struct remote remote;
  JSON_LATER json_t *body = NULL;
  const char *url = remote_url(v->server);
  if (read_body(v, a->positional[0], &body, &err)) return output_error(&err);
  if (remote_open(url ? url : own.ptr, options, &remote, &err)) return remote_error(&err);
  int code = send_batch(v, &remote, body);
  remote_close(&remote);
  return code;
}

int cli_batch(int argc, char **argv) {
  struct batch_values v = {0};
  return invocation_ask(self(), REMOTE_ALWAYS, argc, argv, &v, check_and_run);
}
