#include "io/s3.h"

#include "base/clock.h"
#include "base/secret.h"
#include "io/libcurl.h"
#include "io/s3_answer.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
  TRIES = 5,
  WAIT_FIRST_MS = 200, /* between tries, doubled each time */
  WAIT_PIECE_MS = 50,
  CONNECT_MS = 10000,
  SILENCE_S = 60,
  URL_MAX = 8192,
  ANSWER_MAX = 8 << 20, /* a page of 1000 keys is under 1 MiB */
  REGION_MAX = 32,
  HEADER_MAX = 8192,
};

/* SHA-256 of nothing: the body of every request but put. */
static const char empty_sha256[] =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

struct s3 {
  CURL *curl; /* one handle, so that its connection is used again */
  char *base; /* "https://host/bucket" or "https://bucket.host" */
  char *bucket;
  char *login; /* "key:secret" */
  char *session_header;
  char signing[64 + REGION_MAX];
  bool (*go_on)(void *ctx);
  void *ctx;
};

/* ---- opening ---- */

static bool is_bucket(const char *name) {
  size_t len = strlen(name);
  if (len < 3 || len > 63) return false;
  for (size_t i = 0; i < len; i++) {
    char c = name[i];
    bool inner = i > 0 && i + 1 < len && (c == '-' || c == '.');
    if (!(c >= 'a' && c <= 'z') && !isdigit((unsigned char)c) && !inner) return false;
  }
  return !strstr(name, "..");
}

static bool is_region(const char *region) {
  size_t len = strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-");
  return len > 0 && len < REGION_MAX && !region[len];
}

/* Scheme and host, perhaps with a port, nothing behind it. */
static bool is_endpoint(const char *url) {
  const char *host = strncmp(url, "https://", 8) == 0  ? url + 8
                     : strncmp(url, "http://", 7) == 0 ? url + 7
                                                       : "";
  size_t len = strcspn(host, "/");
  return len > 0 && strcspn(host, "@?# \t") >= len && (!host[len] || !host[len + 1]);
}

static enum status check_options(const struct s3_options *o, struct error *err) {
  if (!is_bucket(o->bucket))
    return error_set(err, STATUS_INVALID, "backup_to", "\"%.64s\" is no name of a bucket",
                     o->bucket);
  if (!o->region || !is_region(o->region))
    return error_set(err, STATUS_INVALID, "s3_region", "\"%.64s\" is no name of a region",
                     o->region ? o->region : "");
  if (o->endpoint && !is_endpoint(o->endpoint))
    return error_set(err, STATUS_INVALID, "s3_endpoint",
                     "the S3 endpoint must be https://HOST[:PORT] and nothing else");
  return STATUS_OK;
}

/* A name with dots has no certificate as the name of a host. */
static char *make_base(const struct s3_options *o) {
  BUFFER_LATER struct buffer base;
  buffer_init(&base, URL_MAX);
  if (o->endpoint) {
    size_t len = strlen(o->endpoint);
    if (o->endpoint[len - 1] == '/') len--;
    buffer_printf(&base, "%.*s/%s", (int)len, o->endpoint, o->bucket);
  } else if (strchr(o->bucket, '.')) {
    buffer_printf(&base, "https://s3.%s.amazonaws.com/%s", o->region, o->bucket);
  } else {
    buffer_printf(&base, "https://%s.s3.%s.amazonaws.com", o->bucket, o->region);
  }
  return buffer_steal(&base);
}

static enum status require_secret(const char *name, char **ret_secret, struct error *err) {
  enum status s = secret_read(name, ret_secret, err);
  if (s || *ret_secret) return s;
  return error_set(err, STATUS_INVALID, name, "S3 needs %s, or %s_FILE with a file that holds it",
                   name, name);
}

/* "first" and "second" in one text; what it was made of is overwritten. */
static char *join_secret(const char *first, const char *second) {
  size_t size = strlen(first) + strlen(second) + 1;
  char *out = malloc(size);
  if (out) snprintf(out, size, "%s%s", first, second);
  return out;
}

static enum status read_credentials(struct s3 *s3, struct error *err) {
  char *key = NULL, *secret = NULL, *token = NULL, *start = NULL;
  enum status s = require_secret("AWS_ACCESS_KEY_ID", &key, err);
  if (!s) s = require_secret("AWS_SECRET_ACCESS_KEY", &secret, err);
  if (!s) s = secret_read("AWS_SESSION_TOKEN", &token, err);
  if (!s) {
    start = join_secret(key, ":");
    s3->login = start ? join_secret(start, secret) : NULL;
    if (token) s3->session_header = join_secret("x-amz-security-token: ", token);
    if (!s3->login || (token && !s3->session_header))
      s = error_set(err, STATUS_NOMEM, NULL, "out of memory");
  }
  secret_free(key);
  secret_free(secret);
  secret_free(token);
  secret_free(start);
  return s;
}

enum status s3_open(const struct s3_options *o, struct s3 **ret_s3, struct error *err) {
  enum status s = check_options(o, err);
  if (!s) s = libcurl_load(err);
  if (s) return s;
  struct s3 *s3 = calloc(1, sizeof *s3);
  if (!s3) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  s3->go_on = o->go_on;
  s3->ctx = o->ctx;
  s3->base = make_base(o);
  s3->bucket = strdup(o->bucket);
  s3->curl = curl_easy_init();
  snprintf(s3->signing, sizeof s3->signing, "aws:amz:%s:s3", o->region);
  s = s3->base && s3->bucket && s3->curl ? read_credentials(s3, err)
                                         : error_set(err, STATUS_NOMEM, NULL, "out of memory");
  if (s) {
    s3_close(s3);
    return s;
  }
  *ret_s3 = s3;
  return STATUS_OK;
}

void s3_close(struct s3 *s3) {
  if (!s3) return;
  curl_easy_cleanup(s3->curl);
  secret_free(s3->login);
  secret_free(s3->session_header);
  free(s3->base);
  free(s3->bucket);
  free(s3);
}

/* ---- one request ---- */

struct request {
  struct s3 *s3;
  const char *method, *key; /* "" = the bucket itself */
  const char *query;        /* encoded, its names in order, as the signature wants them; or NULL */
  const char *sha256;       /* of the body, hexadecimal */
  const char *storage_class;
  int in; /* put: the file */
  int64_t in_bytes;
  s3_piece_fn *each; /* or NULL: the answer is kept */
  void *ctx;
  int64_t got;        /* bytes that `each` has taken */
  bool resumed;       /* this try began behind them */
  enum status status; /* what it answered */
  struct error *err;
  struct buffer answer; /* of a refusal, or where nobody takes it */
  long http_status;
  bool stopped;
  char detail[CURL_ERROR_SIZE];
};

static size_t take_body(char *data, size_t size, size_t count, void *ctx) {
  struct request *r = ctx;
  struct bytes piece = {data, size * count};
  curl_easy_getinfo(r->s3->curl, CURLINFO_RESPONSE_CODE, &r->http_status);
  bool fine = r->http_status >= 200 && r->http_status <= 299;
  if (!fine || !r->each) return buffer_append_bytes(&r->answer, piece) ? piece.len : 0;
  if (r->resumed && r->http_status != 206) return 0; /* it begins at its beginning again */
  r->status = r->each(r->ctx, piece, r->err);
  if (r->status) return piece.len ? 0 : 1;
  r->got += (int64_t)piece.len;
  return piece.len;
}

static size_t give_body(char *out, size_t size, size_t count, void *ctx) {
  struct request *r = ctx;
  ssize_t n;
  do n = read(r->in, out, size * count);
  while (n < 0 && errno == EINTR);
  return n < 0 ? CURL_READFUNC_ABORT : (size_t)n;
}

static int rewind_body(void *ctx, curl_off_t offset, int origin) {
  const struct request *r = ctx;
  return lseek(r->in, offset, origin) < 0 ? CURL_SEEKFUNC_FAIL : CURL_SEEKFUNC_OK;
}

static int ask_to_go_on(void *ctx, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                        curl_off_t up) {
  struct request *r = ctx;
  (void)down_total;
  (void)down;
  (void)up_total;
  (void)up;
  r->stopped = r->s3->go_on && !r->s3->go_on(r->s3->ctx);
  return r->stopped;
}

static bool add_header(struct curl_slist **list, const char *name, const char *value) {
  char line[HEADER_MAX];
  int n = snprintf(line, sizeof line, "%s%s", name, value);
  struct curl_slist *more =
      n > 0 && (size_t)n < sizeof line ? curl_slist_append(*list, line) : NULL;
  explicit_bzero(line, sizeof line);
  if (more) *list = more;
  return more != NULL;
}

static struct curl_slist *headers_of(const struct request *r) {
  struct curl_slist *list = NULL;
  bool ok = add_header(&list, "x-amz-content-sha256: ", r->sha256);
  if (ok && r->s3->session_header) ok = add_header(&list, r->s3->session_header, "");
  if (ok && r->storage_class) ok = add_header(&list, "x-amz-storage-class: ", r->storage_class);
  if (ok) return list;
  curl_slist_free_all(list);
  return NULL;
}

/* RFC 3986 section 2.3, and '/' between the parts of a key. */
static void append_escaped(struct buffer *out, const char *text, const char *also) {
  for (const char *p = text; *p; p++) {
    if (isalnum((unsigned char)*p) || strchr("-._~", *p) || strchr(also, *p))
      buffer_append_char(out, *p);
    else
      buffer_printf(out, "%%%02X", (unsigned char)*p);
  }
}

static void set_up(struct request *r, const char *url, struct curl_slist *headers) {
  CURL *c = r->s3->curl;
  curl_easy_reset(c);
  curl_easy_setopt(c, CURLOPT_URL, url);
  curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(c, CURLOPT_AWS_SIGV4, r->s3->signing);
  curl_easy_setopt(c, CURLOPT_USERPWD, r->s3->login);
  curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, r->method);
  curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(c, CURLOPT_WRITEDATA, r);
  curl_easy_setopt(c, CURLOPT_ERRORBUFFER, r->detail);
  curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, ask_to_go_on);
  curl_easy_setopt(c, CURLOPT_XFERINFODATA, r);
  curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
  curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)SILENCE_S);
  r->resumed = r->got > 0;
  if (r->resumed) curl_easy_setopt(c, CURLOPT_RESUME_FROM_LARGE, (curl_off_t)r->got);
  if (r->in < 0) return;
  curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
  curl_easy_setopt(c, CURLOPT_READFUNCTION, give_body);
  curl_easy_setopt(c, CURLOPT_READDATA, r);
  curl_easy_setopt(c, CURLOPT_SEEKFUNCTION, rewind_body);
  curl_easy_setopt(c, CURLOPT_SEEKDATA, r);
  curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)r->in_bytes);
}

static CURLcode send_once(struct request *r) {
  BUFFER_LATER struct buffer url;
  buffer_init(&url, URL_MAX);
  buffer_printf(&url, "%s/", r->s3->base);
  append_escaped(&url, r->key, "/");
  if (r->query) buffer_printf(&url, "?%s", r->query);
  struct curl_slist *headers = headers_of(r);
  CURLcode code = CURLE_OUT_OF_MEMORY;
  r->http_status = 0;
  r->detail[0] = 0;
  buffer_clear(&r->answer);
  if (headers && !url.overflow && (r->in < 0 || lseek(r->in, 0, SEEK_SET) == 0)) {
    set_up(r, url.ptr, headers);
    code = curl_easy_perform(r->s3->curl);
    if (code == CURLE_OK) curl_easy_getinfo(r->s3->curl, CURLINFO_RESPONSE_CODE, &r->http_status);
  }
  curl_slist_free_all(headers);
  return code;
}

/* ---- what came of it ---- */

static bool is_momentary(const struct request *r, CURLcode code) {
  if (r->stopped || r->status) return false;
  if (code == CURLE_OK)
    return r->http_status >= 500 || r->http_status == 429 || r->http_status == 408;
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_PARTIAL_FILE:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_SSL_CONNECT_ERROR: return true;
    default: return false;
  }
}

/* False when somebody wants it to stop. */
static bool wait_ms(const struct s3 *s3, int ms) {
  const struct timespec piece = {0, WAIT_PIECE_MS * 1000000L};
  for (int waited = 0; waited < ms; waited += WAIT_PIECE_MS) {
    if (s3->go_on && !s3->go_on(s3->ctx)) return false;
    nanosleep(&piece, NULL);
  }
  return true;
}

static enum status status_of(long http_status) {
  switch (http_status) {
    case 400: return STATUS_INVALID;
    case 401:
    case 403: return STATUS_DENIED;
    case 404: return STATUS_NOT_FOUND;
    case 409:
    case 412: return STATUS_CONFLICT;
    case 413: return STATUS_TOO_LARGE;
    default: return STATUS_UNAVAILABLE;
  }
}

static enum status refusal(const struct request *r, struct error *err) {
  struct s3_refusal said;
  s3_answer_read_refusal(buffer_bytes(&r->answer), &said);
  return error_set(err, status_of(r->http_status), NULL,
                   "s3://%s%s%.128s: the store answers with HTTP %ld%s%s%s%.160s", r->s3->bucket,
                   *r->key ? "/" : "", r->key, r->http_status, said.code[0] ? " " : "", said.code,
                   said.message[0] ? ": " : "", said.message);
}

static enum status outcome(const struct request *r, CURLcode code, struct error *err) {
  if (r->stopped) return error_set(err, STATUS_CANCELLED, NULL, "stopped");
  if (r->status) return r->status; /* the one who took the pieces has said why */
  if (code == CURLE_OK && r->http_status >= 200 && r->http_status <= 299) return STATUS_OK;
  if (code == CURLE_OK) return refusal(r, err);
  return error_set(err, STATUS_UNAVAILABLE, NULL, "s3://%s: %.200s", r->s3->bucket,
                   r->detail[0] ? r->detail : curl_easy_strerror(code));
}

/* The answer of a request whose `each` is NULL stays in r->answer. */
static enum status run(struct request *r, struct error *err) {
  CURLcode code = CURLE_OK;
  r->err = err;
  int wait = WAIT_FIRST_MS;
  for (int try = 1; try <= TRIES; try++, wait *= 2) {
    code = send_once(r);
    if (!is_momentary(r, code) || try == TRIES) break;
    if (!wait_ms(r->s3, wait)) {
      r->stopped = true;
      break;
    }
  }
  return outcome(r, code, err);
}

/* ---- the four ---- */

enum status s3_put(struct s3 *s3, const char *key, const char *path, const uint8_t sha256[32],
                   const char *storage_class, struct error *err) {
  char hex[65];
  struct stat st;
  bytes_to_hex(sha256, 32, hex);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &st) < 0) {
    enum status s = error_set(err, STATUS_IO, NULL, "%s: %s", path, strerror(errno));
    if (fd >= 0) close(fd);
    return s;
  }
  struct request r = {.s3 = s3,
                      .method = "PUT",
                      .key = key,
                      .sha256 = hex,
                      .storage_class = storage_class,
                      .in = fd,
                      .in_bytes = st.st_size};
  buffer_init(&r.answer, ANSWER_MAX);
  enum status s =
      st.st_size > S3_OBJECT_MAX
          ? error_set(err, STATUS_TOO_LARGE, NULL, "%s has %lld bytes; an object may have 5 GiB",
                      path, (long long)st.st_size)
          : run(&r, err);
  buffer_done(&r.answer);
  close(fd);
  return s;
}

enum status s3_get(struct s3 *s3, const char *key, s3_piece_fn *each, void *ctx,
                   struct error *err) {
  struct request r = {.s3 = s3,
                      .method = "GET",
                      .key = key,
                      .sha256 = empty_sha256,
                      .in = -1,
                      .each = each,
                      .ctx = ctx};
  buffer_init(&r.answer, ANSWER_MAX);
  enum status s = run(&r, err);
  buffer_done(&r.answer);
  return s;
}

static enum status list_page(struct s3 *s3, const char *prefix, s3_object_fn *each, void *ctx,
                             struct s3_page *page, struct error *err) {
  BUFFER_LATER struct buffer query;
  buffer_init(&query, URL_MAX);
  if (page->token[0]) {
    buffer_append_text(&query, "continuation-token=");
    append_escaped(&query, page->token, "");
    buffer_append_char(&query, '&');
  }
  buffer_append_text(&query, "list-type=2&prefix=");
  append_escaped(&query, prefix, "");
  if (query.overflow) return error_set(err, STATUS_INVALID, NULL, "the prefix is too long");
  struct request r = {
      .s3 = s3, .method = "GET", .key = "", .query = query.ptr, .sha256 = empty_sha256, .in = -1};
  buffer_init(&r.answer, ANSWER_MAX);
  enum status s = run(&r, err);
  if (!s) s = s3_answer_read_page(buffer_bytes(&r.answer), each, ctx, page, err);
  buffer_done(&r.answer);
  return s;
}

enum status s3_list(struct s3 *s3, const char *prefix, s3_object_fn *each, void *ctx,
                    struct error *err) {
  struct s3_page page = {0};
  char token[S3_TOKEN_SIZE];
  enum status s;
  do {
    memcpy(token, page.token, sizeof token);
    s = list_page(s3, prefix, each, ctx, &page, err);
    if (!s && page.truncated && strcmp(token, page.token) == 0)
      return error_set(err, STATUS_CORRUPT, NULL, "the store's list does not go on");
  } while (!s && page.truncated);
  return s;
}

enum status s3_delete(struct s3 *s3, const char *key, struct error *err) {
  struct request r = {.s3 = s3, .method = "DELETE", .key = key, .sha256 = empty_sha256, .in = -1};
  buffer_init(&r.answer, ANSWER_MAX);
  enum status s = run(&r, err);
  buffer_done(&r.answer);
  return s == STATUS_NOT_FOUND ? STATUS_OK : s;
}
