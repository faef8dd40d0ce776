#include "cli/question.h"

#include "base/utf8.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { INPUT_MAX = 64 << 20 }; /* what may be too long is decided by the debate's own limits */

static enum status read_stream(FILE *file, const char *name, char **ret_text, struct error *err) {
  BUFFER_LATER struct buffer text;
  char piece[65536];
  size_t n;
  buffer_init(&text, INPUT_MAX);
  while ((n = fread(piece, 1, sizeof piece, file)) > 0 && buffer_append(&text, piece, n)) continue;
  if (ferror(file)) return error_set(err, STATUS_IO, NULL, "cannot read %s", name);
  if (text.overflow) return error_set(err, STATUS_TOO_LARGE, NULL, "%s is too long", name);
  if (!utf8_valid(buffer_bytes(&text)))
    return error_set(err, STATUS_INVALID, NULL, "%s is not UTF-8 text", name);
  *ret_text = buffer_steal(&text);
  return *ret_text ? STATUS_OK : error_set(err, STATUS_NOMEM, NULL, "out of memory");
}

static enum status read_file(const char *path, char **ret_text, struct error *err) {
  FILE *file = fopen(path, "re");
  if (!file)
    return error_set(err, STATUS_INVALID, "--context", "--context: cannot read %s: %s", path,
                     strerror(errno));
  enum status s = read_stream(file, path, ret_text, err);
  fclose(file);
  return s;
}

/* A text that stands for itself, or "-" for standard input. */
static enum status read_text(const char *given, char **ret_text, struct error *err) {
  if (strcmp(given, "-") == 0) return read_stream(stdin, "standard input", ret_text, err);
  if (!utf8_valid(bytes_of(given)))
    return error_set(err, STATUS_INVALID, NULL, "the text is not UTF-8");
  *ret_text = strdup(given);
  return *ret_text ? STATUS_OK : error_set(err, STATUS_NOMEM, NULL, "out of memory");
}

static enum status put_texts(json_t *body, const struct question *q, struct error *err) {
  FREE_LATER char *text = NULL, *context = NULL;
  if (q->context && strcmp(q->context, "-") == 0 && strcmp(q->text, "-") == 0)
    return error_set(err, STATUS_INVALID, "--context",
                     "only one of question and --context can be \"-\"");
  enum status s = read_text(q->text, &text, err);
  if (!s && q->context)
    s = q->context[0] == '@' ? read_file(q->context + 1, &context, err)
                             : read_text(q->context, &context, err);
  if (s) return s;
  /* The newline that `echo` and editors add is no part of a question. */
  for (size_t len = text ? strlen(text) : 0; len && text[len - 1] == '\n'; len--) text[len - 1] = 0;
  int failed = json_object_set_new(body, "task", json_string(text));
  if (context) failed |= json_object_set_new(body, "context", json_string(context));
  return failed ? error_set(err, STATUS_NOMEM, NULL, "out of memory") : STATUS_OK;
}

static bool put(json_t *body, const char *key, json_t *value) {
  return json_object_set_new(body, key, value) == 0;
}

static bool put_settings(json_t *body, const struct question *q) {
  bool ok = true;
  const char *agents = q->agents;
  if (!agents && q->demo) agents = "demo,demo,demo,demo";
  if (agents) ok &= put(body, "agents", json_string(agents));
  if (q->consensus) ok &= put(body, "consensus", json_string(q->consensus));
  if (q->mode) ok &= put(body, "mode", json_string(q->mode));
  if (q->topology) ok &= put(body, "topology", json_string(q->topology));
  if (q->seed) ok &= put(body, "seed", json_string(q->seed));
  if (q->rounds >= 0) ok &= put(body, "rounds", json_integer(q->rounds));
  if (q->threshold >= 0) ok &= put(body, "consensus_threshold", json_real(q->threshold));
  if (q->budget_usd >= 0) ok &= put(body, "budget_usd", json_real(q->budget_usd));
  if (q->budget_tokens > 0) ok &= put(body, "budget_tokens", json_integer(q->budget_tokens));
  if (q->allow_unknown_price) ok &= put(body, "allow_unknown_price", json_true());
  if (q->deadline_s >= 0) ok &= put(body, "deadline_seconds", json_integer(q->deadline_s));
  return ok;
}

enum status question_body(const struct question *q, json_t **ret_body, struct error *err) {
  json_t *body = json_object();
  enum status s =
      body ? put_texts(body, q, err) : error_set(err, STATUS_NOMEM, NULL, "out of memory");
  if (!s && !put_settings(body, q))
    s = error_set(err, STATUS_INVALID, NULL, "a flag's value is not UTF-8 text");
  if (s)
    json_decref(body);
  else
    *ret_body = body;
  return s;
}

const char *question_flag_of(const char *field) {
  static const struct {
    const char *field, *flag;
  } rows[] = {{"agents", "--agents"},
              {"consensus", "--consensus"},
              {"mode", "--mode"},
              {"topology", "--topology"},
              {"seed", "--seed"},
              {"rounds", "--rounds"},
              {"max_rounds", "--rounds"},
              {"consensus_threshold", "--threshold"},
              {"budget_usd", "--budget-usd"},
              {"budget_tokens", "--budget-tokens"},
              {"allow_unknown_price", "--allow-unknown-price"},
              {"deadline_seconds", "--deadline"},
              {"context", "--context"},
              {"task", "question"}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    size_t len = strlen(rows[i].field);
    if (strncmp(field, rows[i].field, len) == 0 && (!field[len] || field[len] == '['))
      return rows[i].flag;
  }
  return field;
}
