#include "store/batch.h"

#include <stdlib.h>

/* SQLite refuses texts of a billion bytes; nothing that is queued comes near it. */
enum { SLUG_SIZE = 128, BATCH_MAX_BYTES = 256 * 1024 * 1024 };

static size_t text_size(const char *text) {
  return text ? strlen(text) + 1 : 0;
}

static size_t row_size(const struct store_debate *row) {
  return text_size(row->tenant_id) + text_size(row->owner_id) + text_size(row->slug) +
         text_size(row->task) + text_size(row->agents) + text_size(row->metadata) +
         text_size(row->status) + text_size(row->outcome) + text_size(row->consensus) +
         text_size(row->key_id) + SLUG_SIZE;
}

/* Copies to *at and moves it on. */
static char *put(char **at, const void *data, size_t len) {
  char *copy = *at;
  memcpy(copy, data, len);
  *at += len;
  return copy;
}

static char *put_text(char **at, const char *text) {
  return text ? put(at, text, strlen(text) + 1) : NULL;
}

static void put_row(char **at, struct batch *batch, const struct store_debate *row) {
  struct store_debate *copy = &batch->row;
  *copy = *row;
  copy->id = NULL; /* the batch's debate_id is the one */
  copy->tenant_id = put_text(at, row->tenant_id);
  copy->owner_id = put_text(at, row->owner_id);
  copy->slug = put_text(at, row->slug);
  copy->task = put_text(at, row->task);
  copy->agents = put_text(at, row->agents);
  copy->metadata = put_text(at, row->metadata);
  copy->status = put_text(at, row->status);
  copy->outcome = put_text(at, row->outcome);
  copy->consensus = put_text(at, row->consensus);
  copy->key_id = put_text(at, row->key_id);
  if (copy->slug || batch->change != STORE_ROW_INSERT) return;
  copy->slug = *at;
  store_make_slug(bytes_of(row->task), row->created_ms, batch->debate_id, copy->slug, SLUG_SIZE);
  *at += SLUG_SIZE;
}

static void put_event(char **at, struct store_event *copy, const struct store_event *event) {
  *copy = *event;
  copy->type = put_text(at, event->type);
  copy->agent = put_text(at, event->agent);
  if (event->data.ptr) copy->data.ptr = put(at, event->data.ptr, event->data.len);
}

static size_t spending_size(const struct store_spending *spending) {
  size_t size = sizeof *spending + spending->usage_count * sizeof *spending->usage;
  size += text_size(spending->tenant_id) + text_size(spending->owner_id);
  size += text_size(spending->key_id);
  for (size_t i = 0; i < spending->usage_count; i++)
    size += text_size(spending->usage[i].provider) + text_size(spending->usage[i].model);
  return size;
}

/* `usage` is where the copies of those stand. */
static void put_spending(char **at, struct store_spending *copy,
                         const struct store_spending *spending, struct store_usage *usage) {
  *copy = *spending;
  copy->tenant_id = put_text(at, spending->tenant_id);
  copy->owner_id = put_text(at, spending->owner_id);
  copy->key_id = put_text(at, spending->key_id);
  copy->usage = usage;
  for (size_t i = 0; i < spending->usage_count; i++) {
    usage[i] = spending->usage[i];
    usage[i].provider = put_text(at, spending->usage[i].provider);
    usage[i].model = put_text(at, spending->usage[i].model);
  }
}

/* First in what follows the arrays, so that it is aligned. */
static void put_key(char **at, struct batch *batch, const struct store_start_key *key) {
  struct store_start_key *copy = (struct store_start_key *)*at;
  *copy = *key;
  *at += sizeof *copy;
  copy->text = put_text(at, key->text);
  batch->key = copy;
}

static void put_origin(char **at, struct batch *batch, const struct store_origin *origin) {
  batch->origin = *origin;
  batch->origin.parent_id = put_text(at, origin->parent_id);
  batch->origin.batch_id = put_text(at, origin->batch_id);
}

static bool is_complete(const char *debate_id, const struct store_event *events, size_t count,
                        enum store_row_change change, const struct store_debate *row) {
  if (!debate_id || !*debate_id) return false;
  if (change == STORE_ROW_NONE && count == 0) return false;
  if (change != STORE_ROW_NONE && (!row || !row->status)) return false;
  if (change == STORE_ROW_INSERT && !row->task) return false;
  for (size_t i = 0; i < count; i++)
    if (!events[i].type) return false;
  return true;
}

enum status batch_make(const char *debate_id, const struct store_event *events, size_t count,
                       enum store_row_change change, const struct store_debate *row,
                       const struct store_start_key *key, const struct store_origin *origin,
                       const struct store_spending *spending, size_t spending_count,
                       struct batch **ret_batch) {
  if (!is_complete(debate_id, events, count, change, row)) return STATUS_INVALID;
  if (key && (change != STORE_ROW_INSERT || !key->text || !*key->text)) return STATUS_INVALID;
  size_t size = sizeof(struct batch) + count * sizeof *events + text_size(debate_id);
  size_t usage_count = 0;
  for (size_t i = 0; i < spending_count; i++) size += spending_size(&spending[i]);
  for (size_t i = 0; i < spending_count; i++) usage_count += spending[i].usage_count;
  if (key) size += sizeof *key + text_size(key->text);
  if (origin) size += text_size(origin->parent_id) + text_size(origin->batch_id);
  if (change != STORE_ROW_NONE) size += row_size(row);
  for (size_t i = 0; i < count; i++)
    size += text_size(events[i].type) + text_size(events[i].agent) + events[i].data.len;
  if (size > BATCH_MAX_BYTES) return STATUS_TOO_LARGE;
  struct batch *batch = malloc(size);
  if (!batch) return STATUS_NOMEM;
  *batch = (struct batch){
      .size = size, .count = count, .spending_count = spending_count, .change = change};
  batch->events = (struct store_event *)(batch + 1);
  batch->spending = (struct store_spending *)(batch->events + count);
  struct store_usage *usage = (struct store_usage *)(batch->spending + spending_count);
  char *at = (char *)(usage + usage_count);
  if (key) put_key(&at, batch, key);
  batch->debate_id = put_text(&at, debate_id);
  if (origin) put_origin(&at, batch, origin);
  if (change != STORE_ROW_NONE) put_row(&at, batch, row);
  for (size_t i = 0; i < count; i++) put_event(&at, &batch->events[i], &events[i]);
  for (size_t i = 0; i < spending_count; i++) {
    put_spending(&at, &batch->spending[i], &spending[i], usage);
    usage += spending[i].usage_count;
  }
  *ret_batch = batch;
  return STATUS_OK;
}

enum status batch_make_breaker(const struct store_breaker *breaker, struct batch **ret_batch) {
  if (!breaker->name || !*breaker->name || !breaker->misconfigured) return STATUS_INVALID;
  size_t size = sizeof(struct batch) + sizeof *breaker + text_size(breaker->name) +
                text_size(breaker->misconfigured);
  if (size > BATCH_MAX_BYTES) return STATUS_TOO_LARGE;
  struct batch *batch = malloc(size);
  if (!batch) return STATUS_NOMEM;
  *batch = (struct batch){.size = size, .debate_id = ""};
  struct store_breaker *copy = (struct store_breaker *)(batch + 1);
  char *at = (char *)(copy + 1);
  *copy = *breaker;
  copy->name = put_text(&at, breaker->name);
  copy->misconfigured = put_text(&at, breaker->misconfigured);
  batch->breaker = copy;
  *ret_batch = batch;
  return STATUS_OK;
}

enum status batch_make_deletion(const struct deletion *deletion, struct batch **ret_batch) {
  const struct store_deletion *what = &deletion->what;
  const struct principal *who = &deletion->who;
  if (!what->debate_id || !*what->debate_id || !what->reason || !what->deleted_by)
    return STATUS_INVALID;
  size_t size = sizeof(struct batch) + sizeof *deletion + text_size(what->debate_id) +
                text_size(what->reason) + text_size(what->deleted_by) + text_size(who->tenant_id) +
                text_size(who->owner_id);
  if (size > BATCH_MAX_BYTES) return STATUS_TOO_LARGE;
  struct batch *batch = malloc(size);
  if (!batch) return STATUS_NOMEM;
  *batch = (struct batch){.size = size};
  struct deletion *copy = (struct deletion *)(batch + 1);
  char *at = (char *)(copy + 1);
  *copy = *deletion;
  copy->what.debate_id = batch->debate_id = put_text(&at, what->debate_id);
  copy->what.reason = put_text(&at, what->reason);
  copy->what.deleted_by = put_text(&at, what->deleted_by);
  copy->who.tenant_id = put_text(&at, who->tenant_id);
  copy->who.owner_id = put_text(&at, who->owner_id);
  batch->deletion = copy;
  *ret_batch = batch;
  return STATUS_OK;
}

enum status batch_make_traces(const struct store_trace *traces, size_t count,
                              struct batch **ret_batch) {
  if (!count) return STATUS_INVALID;
  size_t size = sizeof(struct batch) + count * sizeof *traces;
  for (size_t i = 0; i < count; i++) size += text_size(traces[i].debate_id);
  if (size > BATCH_MAX_BYTES) return STATUS_TOO_LARGE;
  struct batch *batch = malloc(size);
  if (!batch) return STATUS_NOMEM;
  *batch = (struct batch){.size = size, .debate_id = "", .count = count};
  struct store_trace *copies = (struct store_trace *)(batch + 1);
  char *at = (char *)(copies + count);
  for (size_t i = 0; i < count; i++) {
    copies[i] = traces[i];
    copies[i].debate_id = put_text(&at, traces[i].debate_id);
  }
  batch->traces = copies;
  *ret_batch = batch;
  return STATUS_OK;
}

enum status batch_make_job(const struct job_change *change, struct batch **ret_batch) {
  const struct store_job *job = &change->job;
  size_t requests = change->kind == JOB_PUT ? (size_t)job->items : 0;
  if (!job->id || !*job->id) return STATUS_INVALID;
  size_t size = sizeof(struct batch) + sizeof *change + requests * sizeof(char *);
  size += text_size(job->id) + text_size(job->tenant_id) + text_size(job->owner_id);
  size += text_size(job->key_id) + text_size(change->why);
  for (size_t i = 0; i < requests; i++) size += text_size(change->requests[i]);
  if (size > BATCH_MAX_BYTES) return STATUS_TOO_LARGE;
  struct batch *batch = malloc(size);
  if (!batch) return STATUS_NOMEM;
  *batch = (struct batch){.size = size, .debate_id = ""};
  struct job_change *copy = (struct job_change *)(batch + 1);
  char **texts = (char **)(copy + 1);
  char *at = (char *)(texts + requests);
  *copy = *change;
  copy->requests = (const char *const *)texts;
  copy->job.id = put_text(&at, job->id);
  copy->job.tenant_id = put_text(&at, job->tenant_id);
  copy->job.owner_id = put_text(&at, job->owner_id);
  copy->job.key_id = put_text(&at, job->key_id);
  copy->why = put_text(&at, change->why);
  for (size_t i = 0; i < requests; i++) texts[i] = put_text(&at, change->requests[i]);
  batch->job = copy;
  *ret_batch = batch;
  return STATUS_OK;
}

enum status batch_attach_audit(struct batch *batch, const struct audit_entry *entry) {
  if (!entry) return STATUS_OK;
  enum status s = audit_pending_make(entry, &batch->audit);
  if (!s) batch->size += batch->audit->size;
  return s;
}

enum status batch_make_audit(const struct audit_entry *entry, struct batch **ret_batch) {
  struct batch *batch = malloc(sizeof *batch);
  if (!batch) return STATUS_NOMEM;
  *batch = (struct batch){.size = sizeof *batch, .debate_id = "", .only_audit = true};
  enum status s = batch_attach_audit(batch, entry);
  if (s)
    batch_free(batch);
  else
    *ret_batch = batch;
  return s;
}

enum status batch_make_user(const struct user_change *change, struct batch **ret_batch) {
  size_t size = sizeof(struct batch) + sizeof *change;
  struct batch *batch = malloc(size);
  if (!batch) return STATUS_NOMEM;
  *batch = (struct batch){.size = size, .debate_id = ""};
  struct user_change *copy = (struct user_change *)(batch + 1);
  *copy = *change;
  batch->user = copy;
  *ret_batch = batch;
  return STATUS_OK;
}

enum status batch_make_key(const struct key_change *change, struct batch **ret_batch) {
  const struct store_key *key = &change->key;
  const char *texts[] = {change->id,           change->plan, change->who.tenant_id,
                         change->who.owner_id, key->id,      key->tenant_id,
                         key->owner_id,        key->name,    key->scopes};
  size_t size = sizeof(struct batch) + sizeof *change;
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) size += text_size(texts[i]);
  if (size > BATCH_MAX_BYTES) return STATUS_TOO_LARGE;
  struct batch *batch = malloc(size);
  if (!batch) return STATUS_NOMEM;
  *batch = (struct batch){.size = size, .debate_id = ""};
  struct key_change *copy = (struct key_change *)(batch + 1);
  char *at = (char *)(copy + 1);
  *copy = *change;
  copy->id = put_text(&at, change->id);
  copy->plan = put_text(&at, change->plan);
  copy->who.tenant_id = put_text(&at, change->who.tenant_id);
  copy->who.owner_id = put_text(&at, change->who.owner_id);
  copy->key.id = put_text(&at, key->id);
  copy->key.tenant_id = put_text(&at, key->tenant_id);
  copy->key.owner_id = put_text(&at, key->owner_id);
  copy->key.name = put_text(&at, key->name);
  copy->key.scopes = put_text(&at, key->scopes);
  copy->key.replaced_by = NULL;
  batch->key_change = copy;
  *ret_batch = batch;
  return STATUS_OK;
}

enum status batch_make_share(const struct share_change *change, struct batch **ret_batch) {
  if (!change->debate_id || !*change->debate_id) return STATUS_INVALID;
  size_t size = sizeof(struct batch) + sizeof *change + text_size(change->debate_id) +
                text_size(change->who.tenant_id) + text_size(change->who.owner_id);
  struct batch *batch = malloc(size);
  if (!batch) return STATUS_NOMEM;
  *batch = (struct batch){.size = size, .debate_id = ""};
  struct share_change *copy = (struct share_change *)(batch + 1);
  char *at = (char *)(copy + 1);
  *copy = *change;
  copy->debate_id = put_text(&at, change->debate_id);
  copy->who.tenant_id = put_text(&at, change->who.tenant_id);
  copy->who.owner_id = put_text(&at, change->who.owner_id);
  copy->who.key_id = NULL;
  batch->share = copy;
  *ret_batch = batch;
  return STATUS_OK;
}

void batch_free(struct batch *batch) {
  if (batch) free(batch->audit);
  free(batch);
}

bool batch_same_debate(const struct batch *one, const struct batch *other) {
  return *one->debate_id && strcmp(one->debate_id, other->debate_id) == 0;
}
