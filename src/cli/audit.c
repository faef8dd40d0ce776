/* `aragora audit`: who did what to this server, and the proof that the log of it is whole. */
#include "base/clock.h"
#include "base/log.h"
#include "base/options_load.h"
#include "cli/engine.h"
#include "cli/invocation.h"
#include "cli/output.h"
#include "cli/page.h"
#include "cli/terminal.h"
#include "ops/audit_file.h"
#include "store/inspect.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LIST_DEFAULT = 20, LIST_MAX = 10000, TABLE_MAX = 8 << 20, PIECE_MAX = 16 << 20 };
enum {
  SEQ_COLUMNS = 8,
  WHEN_COLUMNS = 20,
  ACTION_COLUMNS = 19,
  OUTCOME_COLUMNS = 9,
  ACTOR_COLUMNS = 28,
  ADDRESS_COLUMNS = 16,
  REST_COLUMNS = 40
};

struct audit_values {
  struct audit_words words;
  const char *format, *head, *log;
  int64_t limit;
  bool json, no_colour;
};

#define AT(field) offsetof(struct audit_values, field)
const struct flag audit_flags[] = {
    {"--action", 0, FLAG_TEXT, AT(words.action), 0, 0, "NAME",
     "only these acts: key.create, key.*"},
    {"--outcome", 0, FLAG_TEXT, AT(words.outcome), 0, 0, "WORD", "only ok, refused or failed ones"},
    {"--actor", 0, FLAG_TEXT, AT(words.actor), 0, 0, "ID", "only those of this user"},
    {"--tenant", 0, FLAG_TEXT, AT(words.tenant), 0, 0, "ID", "only those of this tenant"},
    {"--resource", 0, FLAG_TEXT, AT(words.resource), 0, 0, "ID", "only those done to this"},
    {"--since", 0, FLAG_TEXT, AT(words.since), 0, 0, "TIME", "only then or later"},
    {"--until", 0, FLAG_TEXT, AT(words.until), 0, 0, "TIME", "only until then"},
    {"--limit", 'n', FLAG_COUNT, AT(limit), 1, LIST_MAX, "N", "list: so many, newest first (20)"},
    {"--format", 'f', FLAG_TEXT, AT(format), 0, 0, "FORMAT", "export: jsonl or csv (jsonl)"},
    {"--head", 0, FLAG_TEXT, AT(head), 0, 0, "SEQ:HASH",
     "verify: a row as it was noted elsewhere must be there"},
    {"--log", 0, FLAG_TEXT, AT(log), 0, 0, "FILE",
     "verify: so must every row that this log of the server names"},
    {"--json", 0, FLAG_SWITCH, AT(json), 0, 0, NULL, "print JSON"},
    {"--no-color", 0, FLAG_SWITCH, AT(no_colour), 0, 0, NULL, "no colours [NO_COLOR]"},
    {0},
};

static const struct command *self(void) {
  return command_find("audit");
}

/* ---- list ---- */

struct list {
  struct page page;
  json_t *rows; /* NULL = as a table */
  size_t count;
};

static void cell(struct list *l, int style, struct bytes text, size_t columns, bool last) {
  FREE_LATER char *copy = bytes_dup(text);
  page_cell(&l->page, style, copy ? copy : "", columns, last);
}

static int style_of(struct bytes outcome) {
  if (bytes_equal(outcome, BYTES_LITERAL("ok"))) return PAGE_PLAIN;
  return bytes_equal(outcome, BYTES_LITERAL("refused")) ? PAGE_WARN : PAGE_BAD;
}

static void show_row(void *ctx, const struct audit_row *row) {
  struct list *l = ctx;
  const struct audit_entry *e = &row->entry;
  char seq[BYTES_INT_SIZE], at[CLOCK_ISO_SIZE];
  l->count++;
  if (l->rows) {
    json_array_append_new(l->rows, audit_file_object(row));
    return;
  }
  bytes_from_int(row->seq, seq);
  clock_format_iso(e->at_ms, at);
  memcpy(at + 19, "Z", 2);
  at[10] = ' ';
  page_cell(&l->page, PAGE_DIM, seq, SEQ_COLUMNS, false);
  page_cell(&l->page, PAGE_PLAIN, at, WHEN_COLUMNS + 1, false);
  cell(l, PAGE_BOLD, e->action, ACTION_COLUMNS, false);
  cell(l, style_of(e->outcome), e->outcome, OUTCOME_COLUMNS, false);
  cell(l, PAGE_PLAIN, e->actor, ACTOR_COLUMNS, false);
  cell(l, PAGE_PLAIN, e->address, ADDRESS_COLUMNS, false);
  cell(l, PAGE_PLAIN, e->resource, REST_COLUMNS, true);
  page_newline(&l->page);
}

static enum status read_list(struct store *store, struct store_audit_query *q, size_t limit,
                             struct list *l, struct error *err) {
  const struct principal who = PRINCIPAL_SYSTEM;
  enum status s = STATUS_OK;
  q->newest_first = true;
  do {
    q->limit = limit - l->count;
    s = store_read_audit(store, &who, q, show_row, l, &q->before, err);
  } while (!s && q->before && l->count < limit);
  return s;
}

static int list(const struct audit_values *v, struct store_audit_query *q, struct store *store) {
  struct terminal terminal = terminal_look(STDOUT_FILENO, v->no_colour);
  BUFFER_LATER struct buffer out;
  JSON_LATER json_t *rows = v->json ? json_array() : NULL;
  struct error err = {0};
  buffer_init(&out, TABLE_MAX);
  struct list l = {.page = {&out, (size_t)terminal.width, terminal.colour}, .rows = rows};
  if (read_list(store, q, (size_t)v->limit, &l, &err)) return output_error(&err);
  if (!rows) return output_buffer(STDOUT_FILENO, &out) ? CLI_OK : CLI_ERROR;
  JSON_LATER json_t *body = json_pack("{s:O, s:I}", "entries", rows, "count", (json_int_t)l.count);
  return body && output_json(STDOUT_FILENO, body) ? CLI_OK : CLI_ERROR;
}

/* ---- export ---- */

static int export(const struct audit_values *v, const struct store_audit_query *q,
                  struct store *store) {
  struct audit_export e = {.store = store, .who = PRINCIPAL_SYSTEM, .query = *q};
  struct error err = {0};
  bool done = false;
  if (audit_format_read(v->format, &e.format, &err))
    return arguments_wrong(self(), "--%s %s", err.field, err.message);
  while (!done) {
    BUFFER_LATER struct buffer piece;
    buffer_init(&piece, PIECE_MAX);
    if (audit_export_step(&e, &piece, &done, &err)) return output_error(&err);
    if (!output_buffer(STDOUT_FILENO, &piece)) return CLI_ERROR;
  }
  return CLI_OK;
}

static int run_on_store(const struct audit_values *v, bool exports, struct options *o) {
  struct engine engine;
  struct error err = {0};
  struct store_audit_query query;
  if (audit_words_read(&v->words, &query, &err))
    return arguments_wrong(self(), "--%s %s", err.field, err.message);
  if (log_open(LOG_LEVEL_ERROR, NULL, true, &err)) return output_error(&err);
  enum status s = engine_open_archive(&engine, o, &err);
  int code = s         ? output_error(&err)
             : exports ? export(v, &query, engine.store)
                       : list(v, &query, engine.store);
  engine_close(&engine);
  return code;
}

/* ---- verify ---- */

typedef enum status line_fn(void *ctx, struct bytes line, struct error *err);

static enum status each_line(const char *path, line_fn *each, void *ctx, struct error *err) {
  bool standard = strcmp(path, "-") == 0;
  FILE *file = standard ? stdin : fopen(path, "re");
  char *line = NULL;
  size_t size = 0;
  ssize_t len;
  enum status s = STATUS_OK;
  if (!file)
    return error_set(err, STATUS_IO, NULL, "cannot read %.200s: %s", path, strerror(errno));
  while (!s && (len = getline(&line, &size, file)) >= 0) {
    if (len && line[len - 1] == '\n') len--;
    s = each(ctx, (struct bytes){line, (size_t)len}, err);
  }
  if (!s && ferror(file))
    s = error_set(err, STATUS_IO, NULL, "cannot read %.200s: %s", path, strerror(errno));
  free(line);
  if (!standard) fclose(file);
  return s;
}

static enum status take_anchor(void *ctx, struct bytes line, struct error *err) {
  if (audit_anchors_take_line(ctx, line)) return STATUS_OK;
  return error_set(err, STATUS_TOO_LARGE, NULL, "the log names too many rows");
}

static enum status take_file_row(void *ctx, struct bytes line, struct error *err) {
  return audit_file_walk(ctx, line, err);
}

static enum status read_anchors(const struct audit_values *v, struct audit_anchors *anchors,
                                struct error *err) {
  struct audit_mark mark;
  if (v->head && !audit_mark_parse(v->head, &mark))
    return error_set(err, STATUS_INVALID, NULL, "--head must be SEQ:HASH, as the log has them");
  if (v->head && !audit_anchors_add(anchors, &mark))
    return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  enum status s = v->log ? each_line(v->log, take_anchor, anchors, err) : STATUS_OK;
  audit_anchors_sort(anchors);
  return s;
}

static enum status walk_database(const struct options *o, struct audit_walk *walk, bool *ret_known,
                                 struct error *err) {
  struct inspect *inspect;
  enum status s =
      inspect_open_live(o->db_path, DATABASE_MEMORY, o->db_timeout_s * 1000, &inspect, err);
  if (s) return s;
  s = inspect_walk_audit(inspect, walk, ret_known, err);
  inspect_close(inspect);
  return s;
}

static json_t *faults_of(const struct audit_walk *walk) {
  json_t *list = json_array();
  for (size_t i = 0; i < walk->fault_count && i < AUDIT_FAULTS_MAX; i++) {
    BUFFER_LATER struct buffer text;
    buffer_init(&text, 512);
    audit_fault_describe(&walk->faults[i], &text);
    json_array_append_new(list, json_pack("{s:I, s:I, s:o}", "seq", (json_int_t)walk->faults[i].seq,
                                          "last", (json_int_t)walk->faults[i].last, "message",
                                          json_text(buffer_bytes(&text))));
  }
  return list;
}

static bool show_json(const struct audit_walk *walk, bool whole) {
  char hash[2 * SHA256_SIZE + 1];
  bytes_to_hex(walk->at.hash, SHA256_SIZE, hash);
  JSON_LATER json_t *body = json_pack(
      "{s:b, s:I, s:I, s:o, s:I, s:s, s:I}", "ok", whole, "rows", (json_int_t)walk->rows, "faults",
      (json_int_t)walk->fault_count, "named", faults_of(walk), "last_seq", (json_int_t)walk->at.seq,
      "last_hash", hash, "anchors", (json_int_t)walk->anchor_count);
  return body && output_json(STDOUT_FILENO, body);
}

static bool show_text(const struct audit_walk *walk, bool whole) {
  char hash[2 * SHA256_SIZE + 1];
  BUFFER_LATER struct buffer out;
  buffer_init(&out, TABLE_MAX);
  bytes_to_hex(walk->at.hash, SHA256_SIZE, hash);
  for (size_t i = 0; i < walk->fault_count && i < AUDIT_FAULTS_MAX; i++) {
    audit_fault_describe(&walk->faults[i], &out);
    buffer_append_char(&out, '\n');
  }
  if (walk->fault_count > AUDIT_FAULTS_MAX)
    buffer_printf(&out, "and %zu more\n", walk->fault_count - AUDIT_FAULTS_MAX);
  buffer_printf(&out, "%" PRId64 " rows, %s; the last is %" PRId64 ":%s\n", walk->rows,
                whole ? "none changed, missing or added" : "the log is not as it was written",
                walk->at.seq, hash);
  return output_buffer(STDOUT_FILENO, &out);
}

static int report(const struct audit_values *v, struct audit_walk *walk) {
  bool whole = audit_walk_end(walk);
  bool shown = v->json ? show_json(walk, whole) : show_text(walk, whole);
  return !whole ? CLI_CHECK_FAILED : shown ? CLI_OK : CLI_ERROR;
}

static int verify(const struct audit_values *v, const char *file, struct options *o) {
  struct error err = {0};
  struct audit_anchors anchors = {0};
  bool known = true;
  enum status s = read_anchors(v, &anchors, &err);
  struct audit_walk walk = {.anchors = anchors.marks, .anchor_count = anchors.count};
  if (!s && file) s = each_line(file, take_file_row, &walk, &err);
  if (!s && !file) s = options_name_files(o, &err);
  if (!s && !file) s = walk_database(o, &walk, &known, &err);
  if (!s && !known)
    s = error_set(&err, STATUS_UNSUPPORTED, NULL,
                  "%s has no audit log yet; run: aragora migrate apply", o->db_path);
  int code = s ? output_error(&err) : report(v, &walk);
  free(anchors.marks);
  return code;
}

/* ---- the command ---- */

static int run(const void *values, const struct arguments *a, struct options *o) {
  const struct audit_values *v = values;
  const char *action = a->count ? a->positional[0] : "list";
  bool is_verify = strcmp(action, "verify") == 0, is_export = strcmp(action, "export") == 0;
  if (!is_verify && !is_export && strcmp(action, "list") != 0)
    return arguments_wrong(self(), "there is no \"%.64s\" here; list, export or verify", action);
  if (a->count > (is_verify ? 2 : 1))
    return arguments_wrong(self(), "%s takes no more words", action);
  if (!is_verify && (v->head || v->log))
    return arguments_wrong(self(), "--head and --log are for verify");
  if (is_verify) return verify(v, a->count > 1 ? a->positional[1] : NULL, o);
  return run_on_store(v, is_export, o);
}

int cli_audit(int argc, char **argv) {
  struct audit_values v = {.limit = LIST_DEFAULT};
  return invocation_run(self(), argc, argv, &v, run);
}
