#include "ops/export_csv.h"

#include "ops/csv.h"

/* A column: its name, and where in the object its value stands. */
struct column {
  const char *name, *key;
};

/* The first ones are those of the earlier server; `reason` is always empty: a ballot gives none. */
static const struct column summary[] = {{"id", "id"},
                                        {"slug", "slug"},
                                        {"task", "task"},
                                        {"status", "status"},
                                        {"agents", "agents"},
                                        {"rounds_used", "rounds_used"},
                                        {"consensus_reached", "consensus_reached"},
                                        {"confidence", "confidence"},
                                        {"final_answer", "final_answer"},
                                        {"created_at", "created_at"},
                                        {"completed_at", "completed_at"},
                                        {"duration_seconds", "duration_seconds"},
                                        {"outcome", "outcome"},
                                        {"degraded", "degraded"},
                                        {"demo", "demo"},
                                        {"cost_usd", "cost_usd"},
                                        {NULL, NULL}};
static const struct column messages[] = {
    {"round", "round"},       {"agent", "agent"},         {"role", "role"},
    {"content", "content"},   {"timestamp", "timestamp"}, {"kind", "kind"},
    {"position", "position"}, {"stance", "stance"},       {"confidence", "confidence"},
    {"provider", "provider"}, {"model", "model"},         {NULL, NULL}};
static const struct column critiques[] = {{"round", "round"},
                                          {"critic", "critic_id"},
                                          {"target", "target"},
                                          {"severity", "severity_score"},
                                          {"summary", "content"},
                                          {"timestamp", "timestamp"},
                                          {"provider", "provider"},
                                          {"model", "model"},
                                          {NULL, NULL}};
static const struct column votes[] = {
    {"round", "round"},           {"voter", "voter_id"},        {"choice", "choice"},
    {"reason", "reason"},         {"timestamp", "timestamp"},   {"ranking", "ranking"},
    {"self_first", "self_first"}, {"confidence", "confidence"}, {NULL, NULL}};
static const struct column turns[] = {{"round", "round"},
                                      {"agent", "agent"},
                                      {"kind", "kind"},
                                      {"outcome", "outcome"},
                                      {"provider", "provider"},
                                      {"model", "model"},
                                      {"attempts", "attempts"},
                                      {"tokens_in", "tokens_in"},
                                      {"tokens_out", "tokens_out"},
                                      {"cost_usd", "cost_usd"},
                                      {"ttft_ms", "ttft_ms"},
                                      {"latency_ms", "latency_ms"},
                                      {NULL, NULL}};

/* Beside the summary's own, in the summary of one debate. */
static const struct column alone_fields[] = {{"debate_id", "id"},
                                             {"topic", "task"},
                                             {"started_at", "created_at"},
                                             {"ended_at", "completed_at"},
                                             {"rounds_used", "rounds_used"},
                                             {"consensus_reached", "consensus_reached"},
                                             {"final_answer", "final_answer"},
                                             {NULL, NULL}};
static const struct column alone_more[] = {{"slug", "slug"},
                                           {"status", "status"},
                                           {"outcome", "outcome"},
                                           {"agents", "agents"},
                                           {"confidence", "confidence"},
                                           {"duration_seconds", "duration_seconds"},
                                           {"degraded", "degraded"},
                                           {"demo", "demo"},
                                           {"head_hash", "head_hash"},
                                           {NULL, NULL}};

struct table {
  const struct column *columns;
  const char *rows; /* the array of the object that gives a line each; NULL = the object itself */
};

static const struct table *table_of(enum export_table table) {
  static const struct table tables[EXPORT_TABLES] = {
      [EXPORT_FULL] = {summary, NULL}, /* no table of CSV; see export_query_read */
      [EXPORT_SUMMARY] = {summary, NULL},
      [EXPORT_MESSAGES] = {messages, "messages"},
      [EXPORT_CRITIQUES] = {critiques, "critiques"},
      [EXPORT_VOTES] = {votes, "votes"},
      [EXPORT_TURNS] = {turns, "turns"},
  };
  return &tables[table];
}

void export_csv_head(struct buffer *out, enum export_table table, bool alone) {
  struct csv csv = {out, false};
  if (alone && table == EXPORT_SUMMARY) {
    csv_line(&csv, (const char *const[]){"field", "value", NULL});
    return;
  }
  if (!alone && table != EXPORT_SUMMARY) csv_text(&csv, BYTES_LITERAL("debate_id"));
  for (const struct column *c = table_of(table)->columns; c->name; c++)
    csv_text(&csv, bytes_of(c->name));
  csv_end(&csv);
}

static bool is_critique(const json_t *message) {
  return strcmp(json_get_text(message, "kind", ""), "critique") == 0;
}

static void put_fields(struct csv *csv, const struct column *columns, const json_t *debate) {
  for (; columns->name; columns++) {
    csv_text(csv, bytes_of(columns->name));
    csv_value(csv, json_object_get(debate, columns->key));
    csv_end(csv);
  }
}

static void put_count(struct csv *csv, const char *name, size_t count) {
  csv_text(csv, bytes_of(name));
  csv_int(csv, (int64_t)count);
  csv_end(csv);
}

static void put_alone(struct csv *csv, const json_t *debate) {
  const json_t *said = json_object_get(debate, "messages");
  size_t answers = 0;
  for (size_t i = 0; i < json_array_size(said); i++)
    answers += !is_critique(json_array_get(said, i));
  put_fields(csv, alone_fields, debate);
  put_count(csv, "message_count", answers);
  put_count(csv, "critique_count", json_array_size(json_object_get(debate, "critiques")));
  put_count(csv, "vote_count", json_array_size(json_object_get(debate, "votes")));
  put_fields(csv, alone_more, debate);
  csv_text(csv, BYTES_LITERAL("cost_usd"));
  csv_value(csv, json_object_get(json_object_get(debate, "usage"), "cost_usd"));
  csv_end(csv);
}

static void put_line(struct csv *csv, const struct column *columns, const json_t *debate_id,
                     const json_t *row) {
  if (debate_id) csv_value(csv, debate_id);
  for (; columns->name; columns++) csv_value(csv, json_object_get(row, columns->key));
  csv_end(csv);
}

void export_csv_debate(struct buffer *out, enum export_table table, bool alone,
                       const json_t *debate) {
  const struct table *t = table_of(table);
  struct csv csv = {out, false};
  if (table == EXPORT_SUMMARY) {
    if (alone)
      put_alone(&csv, debate);
    else
      put_line(&csv, t->columns, NULL, debate);
    return;
  }
  const json_t *rows = json_object_get(debate, t->rows);
  const json_t *id = alone ? NULL : json_object_get(debate, "id");
  for (size_t i = 0; i < json_array_size(rows); i++) {
    const json_t *row = json_array_get(rows, i);
    if (table != EXPORT_MESSAGES || !is_critique(row)) put_line(&csv, t->columns, id, row);
  }
}
