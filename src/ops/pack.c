#include "ops/pack.h"

#include "base/sha256.h"
#include "ops/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

enum {
  PIECE = 256 << 10,
  WRITEBACK_BYTES = 4 << 20,
  WINDOW_LOG_MAX = 27, /* 128 MiB: what a file may ask of our memory */
};

/* ---- a file that grows, hashed ---- */

struct sink {
  int fd;
  const char *path;
  struct sha256_stream sha;
  int64_t bytes, written_back;
  bool durable; /* on disk in the end */
};

static enum status sink_write(struct sink *s, struct bytes data, struct error *err) {
  sha256_add(&s->sha, data);
  s->bytes += (int64_t)data.len;
  if (s->path && !bytes_write(data, s->fd)) return disk_error(err, "write", s->path);
  /* In small portions, so that no fsync of others waits for a heap of ours. */
  if (s->durable && s->bytes - s->written_back >= WRITEBACK_BYTES) {
    sync_file_range(s->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    s->written_back = s->bytes;
  }
  return STATUS_OK;
}

static enum status sink_open(struct sink *s, const char *path, bool durable, struct error *err) {
  *s = (struct sink){.path = path, .durable = durable};
  sha256_start(&s->sha);
  s->fd = -1;
  if (!path) return STATUS_OK;
  s->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  return s->fd < 0 ? disk_error(err, "make", path) : STATUS_OK;
}

/* ---- packing ---- */

struct packer {
  ZSTD_CCtx *zstd;
  int in;
  const char *from, *what;
  int64_t total, raw_bytes;
  struct sha256_stream raw_sha;
  struct sink out;
  char *raw, *packed;
};

static enum status compress(struct packer *p, struct bytes piece, ZSTD_EndDirective mode,
                            struct error *err) {
  ZSTD_inBuffer in = {piece.ptr, piece.len, 0};
  for (bool done = false; !done;) {
    ZSTD_outBuffer out = {p->packed, PIECE, 0};
    size_t left = ZSTD_compressStream2(p->zstd, &out, &in, mode);
    if (ZSTD_isError(left))
      return error_set(err, STATUS_INTERNAL, NULL, "%s: %s", p->from, ZSTD_getErrorName(left));
    enum status s = sink_write(&p->out, (struct bytes){p->packed, out.pos}, err);
    if (s) return s;
    done = mode == ZSTD_e_end ? left == 0 : in.pos == in.size;
  }
  return STATUS_OK;
}

static enum status pack_all(struct packer *p, const struct progress *progress, struct error *err) {
  for (;;) {
    ssize_t n = read(p->in, p->raw, PIECE);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return disk_error(err, "read", p->from);
    struct bytes piece = {p->raw, (size_t)n};
    sha256_add(&p->raw_sha, piece);
    p->raw_bytes += n;
    enum status s = compress(p, piece, n ? ZSTD_e_continue : ZSTD_e_end, err);
    if (s || n == 0) return s;
    if (!progress_step(progress, p->what, p->raw_bytes, p->total))
      return error_set(err, STATUS_CANCELLED, NULL, "stopped");
  }
}

static enum status packer_open(struct packer *p, const char *to, struct error *err) {
  struct stat st;
  p->in = open(p->from, O_RDONLY | O_CLOEXEC);
  if (p->in < 0 || fstat(p->in, &st) < 0) return disk_error(err, "open", p->from);
  p->total = st.st_size;
  p->zstd = ZSTD_createCCtx();
  p->raw = malloc(PIECE);
  p->packed = malloc(PIECE);
  if (!p->zstd || !p->raw || !p->packed) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  ZSTD_CCtx_setParameter(p->zstd, ZSTD_c_compressionLevel, PACK_LEVEL);
  ZSTD_CCtx_setParameter(p->zstd, ZSTD_c_checksumFlag, 1);
  ZSTD_CCtx_setPledgedSrcSize(p->zstd, (unsigned long long)st.st_size);
  sha256_start(&p->raw_sha);
  return sink_open(&p->out, to, true, err);
}

static void packer_close(struct packer *p) {
  if (p->in >= 0) close(p->in);
  if (p->out.fd >= 0) close(p->out.fd);
  ZSTD_freeCCtx(p->zstd);
  free(p->raw);
  free(p->packed);
}

enum status pack_file(const char *from, const char *to, const char *what,
                      const struct progress *progress, struct pack_sums *ret_sums,
                      struct error *err) {
  struct packer p = {.in = -1, .from = from, .what = what, .out = {.fd = -1}};
  enum status s = packer_open(&p, to, err);
  if (!s) s = pack_all(&p, progress, err);
  if (!s && fsync(p.out.fd) < 0) s = disk_error(err, "sync", to);
  if (!s) {
    *ret_sums = (struct pack_sums){.raw_bytes = p.raw_bytes, .bytes = p.out.bytes};
    sha256_finish(&p.raw_sha, ret_sums->raw_sha256);
    sha256_finish(&p.out.sha, ret_sums->sha256);
  }
  bool made = p.out.fd >= 0;
  packer_close(&p);
  if (s && made) unlink(to);
  return s;
}

/* ---- unpacking ---- */

struct unpack {
  ZSTD_DCtx *zstd;
  struct sha256_stream sha;
  int64_t bytes, max_raw_bytes;
  bool ended;   /* the frame */
  bool kept;    /* the file */
  bool durable; /* on disk in the end */
  struct sink out;
  char *path, *raw;
};

enum status unpack_create(const char *to, int64_t max_raw_bytes, bool durable,
                          struct unpack **ret_unpack, struct error *err) {
  struct unpack *u = calloc(1, sizeof *u);
  if (!u) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  u->out.fd = -1;
  u->zstd = ZSTD_createDCtx();
  u->raw = malloc(PIECE);
  u->path = to ? strdup(to) : NULL;
  u->max_raw_bytes = max_raw_bytes;
  u->durable = durable && to;
  sha256_start(&u->sha);
  enum status s = u->zstd && u->raw && (u->path || !to)
                      ? sink_open(&u->out, u->path, u->durable, err)
                      : error_set(err, STATUS_NOMEM, NULL, "out of memory");
  if (s) {
    unpack_destroy(u);
    return s;
  }
  ZSTD_DCtx_setParameter(u->zstd, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
  *ret_unpack = u;
  return STATUS_OK;
}

/* Of one frame; what comes behind it is none of ours. */
static enum status decompress(struct unpack *u, ZSTD_inBuffer *in, struct error *err) {
  ZSTD_outBuffer out = {u->raw, PIECE, 0};
  size_t left = ZSTD_decompressStream(u->zstd, &out, in);
  if (ZSTD_isError(left))
    return error_set(err, STATUS_CORRUPT, NULL, "it does not unpack: %s", ZSTD_getErrorName(left));
  if (u->out.bytes + (int64_t)out.pos > u->max_raw_bytes)
    return error_set(err, STATUS_CORRUPT, NULL, "it holds more than its manifest says");
  u->ended = left == 0;
  return sink_write(&u->out, (struct bytes){u->raw, out.pos}, err);
}

enum status unpack_feed(struct unpack *u, struct bytes piece, struct error *err) {
  ZSTD_inBuffer in = {piece.ptr, piece.len, 0};
  enum status s = STATUS_OK;
  sha256_add(&u->sha, piece);
  u->bytes += (int64_t)piece.len;
  while (!s && in.pos < in.size) {
    if (u->ended) return error_set(err, STATUS_CORRUPT, NULL, "there is something behind its end");
    s = decompress(u, &in, err);
  }
  return s;
}

/* zstd may hold output back that did not fit. */
static enum status flush(struct unpack *u, struct error *err) {
  enum status s = STATUS_OK;
  for (int64_t before = -1; !s && !u->ended && before != u->out.bytes;) {
    ZSTD_inBuffer nothing = {NULL, 0, 0};
    before = u->out.bytes;
    s = decompress(u, &nothing, err);
  }
  return s;
}

enum status unpack_finish(struct unpack *u, struct pack_sums *ret_sums, struct error *err) {
  enum status s = flush(u, err);
  if (!s && !u->ended) s = error_set(err, STATUS_CORRUPT, NULL, "its end is missing");
  if (!s && u->durable && fsync(u->out.fd) < 0) s = disk_error(err, "sync", u->path);
  if (s) return s;
  *ret_sums = (struct pack_sums){.raw_bytes = u->out.bytes, .bytes = u->bytes};
  sha256_finish(&u->sha, ret_sums->sha256);
  sha256_finish(&u->out.sha, ret_sums->raw_sha256);
  u->kept = true;
  return STATUS_OK;
}

void unpack_destroy(struct unpack *u) {
  if (!u) return;
  if (u->out.fd >= 0) {
    close(u->out.fd);
    if (!u->kept && u->path) unlink(u->path);
  }
  ZSTD_freeDCtx(u->zstd);
  free(u->raw);
  free(u->path);
  free(u);
}
