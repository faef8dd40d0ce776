#include "store/segment.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#define XXH_INLINE_ALL /* the state of a hash on the stack needs it */
#include <xxhash.h>
#include <zstd.h>

/* A segment is bounded by its option, and a record by the largest batch. */
enum { SEGMENT_MAX_BYTES = 2000000000, CHAIN_BYTES = 16, HEAD_HASHED = SEGMENT_HEAD - 8 };

static const char magic[8] = {'A', 'R', 'A', 'S', 'E', 'G', '1', '\n'};

static void put32(uint8_t *at, uint32_t value) {
  value = htole32(value);
  memcpy(at, &value, sizeof value);
}

static void put64(uint8_t *at, uint64_t value) {
  value = htole64(value);
  memcpy(at, &value, sizeof value);
}

static uint32_t get32(const char *at) {
  uint32_t value;
  memcpy(&value, at, sizeof value);
  return le32toh(value);
}

static uint64_t get64(const char *at) {
  uint64_t value;
  memcpy(&value, at, sizeof value);
  return le64toh(value);
}

void segment_write_head(const struct segment_head *head, uint8_t out[SEGMENT_HEAD]) {
  memcpy(out, magic, sizeof magic);
  put32(out + 8, SEGMENT_VERSION);
  put32(out + 12, head->schema);
  memset(out + 16, 0, CHAIN_BYTES);
  (void)bytes_from_hex(bytes_of(head->chain), out + 16, CHAIN_BYTES);
  put64(out + 32, head->first);
  put64(out + 40, (uint64_t)head->previous_ms);
  put64(out + 48, (uint64_t)head->begun_ms);
  put64(out + 56, head->order);
  put64(out + HEAD_HASHED, XXH3_64bits(out, HEAD_HASHED));
}

void segment_write_record(uint64_t number, int64_t ts_ms, const struct iovec *pieces, size_t count,
                          uint8_t out[RECORD_HEAD]) {
  size_t length = 0;
  for (size_t i = 0; i < count; i++) length += pieces[i].iov_len;
  put64(out + 8, number);
  put64(out + 16, (uint64_t)ts_ms);
  put32(out + 24, (uint32_t)length);
  put32(out + 28, (uint32_t)XXH3_64bits(out + 8, 20));
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  XXH3_64bits_update(&state, out + 8, RECORD_HEAD - 8);
  for (size_t i = 0; i < count; i++)
    XXH3_64bits_update(&state, pieces[i].iov_base, pieces[i].iov_len);
  put64(out, XXH3_64bits_digest(&state));
}

/* --- reading -------------------------------------------------------------------------------- */

/* `enough` bytes may do. */
static enum status read_plain(int fd, size_t enough, struct buffer *out, const char *path,
                              struct error *err) {
  enum { CHUNK = 1 << 20, SHORT_CHUNK = 4096 };
  size_t chunk = enough < SHORT_CHUNK ? SHORT_CHUNK : CHUNK;
  for (ssize_t got = 1; got > 0 && out->len < enough;) {
    if (!buffer_reserve(out, chunk))
      return error_set(err, STATUS_TOO_LARGE, NULL, "%s: is too large for memory", path);
    got = read(fd, out->ptr + out->len, chunk);
    if (got < 0 && errno != EINTR)
      return error_set(err, STATUS_IO, NULL, "%s: %s", path, strerror(errno));
    if (got < 0)
      got = 1;
    else
      out->len += (size_t)got;
  }
  return STATUS_OK;
}

static enum status inflate(struct bytes in, size_t enough, struct buffer *out, const char *path,
                           struct error *err) {
  ZSTD_DStream *stream = ZSTD_createDStream();
  if (!stream) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  ZSTD_inBuffer from = {in.ptr, in.len, 0};
  enum status status = STATUS_OK;
  size_t left = 1; /* 0 at the end of a frame */
  while (!status && out->len < enough && (from.pos < from.size || left > 0)) {
    if (!buffer_reserve(out, ZSTD_DStreamOutSize())) {
      status = error_set(err, STATUS_TOO_LARGE, NULL, "%s: is too large for memory", path);
      break;
    }
    ZSTD_outBuffer to = {out->ptr + out->len, ZSTD_DStreamOutSize(), 0};
    left = ZSTD_decompressStream(stream, &to, &from);
    out->len += ZSTD_isError(left) ? 0 : to.pos;
    if (ZSTD_isError(left) || (left > 0 && from.pos == from.size && to.pos < to.size))
      status =
          error_set(err, STATUS_CORRUPT, NULL, "%s: is damaged: it cannot be uncompressed", path);
  }
  ZSTD_freeDStream(stream);
  return status;
}

static enum status read_file(const char *path, size_t enough, struct buffer *out,
                             struct error *err) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return error_set(err, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO, NULL, "%s: %s", path,
                     strerror(errno));
  bool packed = bytes_ends_with(bytes_of(path), bytes_of(".zst"));
  enum status status = read_plain(fd, packed ? SIZE_MAX : enough, out, path, err);
  close(fd);
  if (status || !packed) return status;
  struct buffer plain;
  buffer_init(&plain, SEGMENT_MAX_BYTES);
  status = inflate(buffer_bytes(out), enough, &plain, path, err);
  buffer_done(out);
  *out = plain;
  return status;
}

static bool read_head(const struct buffer *b, struct segment_head *ret_head) {
  const char *p = b->ptr;
  if (b->len < SEGMENT_HEAD || memcmp(p, magic, sizeof magic) != 0) return false;
  if (get64(p + HEAD_HASHED) != XXH3_64bits(p, HEAD_HASHED)) return false;
  struct segment_head head = {.schema = get32(p + 12),
                              .first = get64(p + 32),
                              .previous_ms = (int64_t)get64(p + 40),
                              .begun_ms = (int64_t)get64(p + 48),
                              .order = get64(p + 56)};
  bytes_to_hex((const uint8_t *)p + 16, CHAIN_BYTES, head.chain);
  *ret_head = head;
  return true;
}

static enum status load(const char *path, size_t enough, struct segment *ret_segment,
                        struct error *err) {
  struct segment s = {.at = SEGMENT_HEAD};
  buffer_init(&s.bytes, SEGMENT_MAX_BYTES);
  enum status status = read_file(path, enough, &s.bytes, err);
  if (!status && !read_head(&s.bytes, &s.head))
    status =
        error_set(err, STATUS_CORRUPT, NULL, "%s: is no segment, or its head is damaged", path);
  if (!status && get32(s.bytes.ptr + 8) != SEGMENT_VERSION)
    status = error_set(err, STATUS_UNSUPPORTED, NULL, "%s: was made by a newer version", path);
  if (status) {
    buffer_done(&s.bytes);
    return status;
  }
  s.next = s.head.first;
  *ret_segment = s;
  return STATUS_OK;
}

enum status segment_load(const char *path, struct segment *ret_segment, struct error *err) {
  return load(path, SIZE_MAX, ret_segment, err);
}

enum status segment_load_head(const char *path, struct segment_head *ret_head, struct error *err) {
  struct segment s;
  enum status status = load(path, SEGMENT_HEAD, &s, err);
  if (status) return status;
  *ret_head = s.head;
  segment_free(&s);
  return STATUS_OK;
}

void segment_free(struct segment *segment) {
  buffer_done(&segment->bytes);
}

static enum status stop(struct segment *s, enum segment_end end) {
  s->end = end;
  return STATUS_NOT_FOUND;
}

enum status segment_next(struct segment *s, struct segment_record *ret_record) {
  size_t left = s->bytes.len - s->at;
  const char *p = s->bytes.ptr + s->at;
  if (left == 0) return stop(s, SEGMENT_WHOLE);
  if (left < RECORD_HEAD) return stop(s, SEGMENT_TORN);
  if ((uint32_t)XXH3_64bits(p + 8, 20) != get32(p + 28)) return stop(s, SEGMENT_BAD);
  size_t length = get32(p + 24);
  if (left - RECORD_HEAD < length) return stop(s, SEGMENT_TORN);
  if (XXH3_64bits(p + 8, RECORD_HEAD - 8 + length) != get64(p)) return stop(s, SEGMENT_BAD);
  if (get64(p + 8) != s->next) return stop(s, SEGMENT_BAD);
  *ret_record = (struct segment_record){s->next, (int64_t)get64(p + 16), {p + RECORD_HEAD, length}};
  s->at += RECORD_HEAD + length;
  s->next++;
  return STATUS_OK;
}
