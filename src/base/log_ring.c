#include "base/log_ring.h"

#include "base/clock.h"
#include "base/utf8.h"

#include <pthread.h>
#include <stdlib.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards what follows */
static struct log_record *records;
static size_t capacity;
static uint64_t put_count;

bool log_ring_open(size_t count) {
  log_ring_close();
  if (!count) return true;
  records = calloc(count, sizeof *records);
  if (!records) return false;
  capacity = count;
  return true;
}

void log_ring_close(void) {
  pthread_mutex_lock(&lock);
  free(records);
  records = NULL;
  capacity = 0;
  put_count = 0;
  pthread_mutex_unlock(&lock);
}

static void copy(char *out, size_t size, const char *text) {
  size_t len = text ? utf8_prefix(bytes_of(text), size - 1) : 0;
  if (len) memcpy(out, text, len);
  out[len] = '\0';
}

void log_ring_put(enum log_level level, const char *logger, const struct log_context *context,
                  const char *message) {
  int64_t now_ms = clock_wall_ms(&clock_system);
  pthread_mutex_lock(&lock);
  if (capacity) {
    struct log_record *r = &records[put_count % capacity];
    r->id = ++put_count;
    r->ts_ms = now_ms;
    r->level = level;
    copy(r->logger, sizeof r->logger, logger);
    copy(r->request_id, sizeof r->request_id, context ? context->request_id : NULL);
    copy(r->debate_id, sizeof r->debate_id, context ? context->debate_id : NULL);
    copy(r->message, sizeof r->message, message);
  }
  pthread_mutex_unlock(&lock);
}

uint64_t log_ring_each(size_t limit, log_record_fn *each, void *ctx) {
  pthread_mutex_lock(&lock);
  uint64_t held = put_count < capacity ? put_count : capacity;
  if (limit > held) limit = (size_t)held;
  for (uint64_t i = 0; i < limit; i++) each(ctx, &records[(put_count - 1 - i) % capacity]);
  uint64_t count = put_count;
  pthread_mutex_unlock(&lock);
  return count;
}

size_t log_ring_bytes(void) {
  pthread_mutex_lock(&lock);
  size_t bytes = capacity * sizeof *records;
  pthread_mutex_unlock(&lock);
  return bytes;
}
