/* CPU of finding out who calls, by each kind of credential, as the gate does for every request.
 *
 *   bench_auth DIRECTORY CHECKS    DIRECTORY is empty; a database is made there
 *
 * Prints one line of `key=value` figures on standard output.
 */
#include "auth/api_key.h"
#include "auth/jwt.h"
#include "auth/key_ring.h"
#include "auth/token.h"
#include "base/sha256.h"
#include "store/keys.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

static const char secret[] = "a secret of forty characters for tokens.";

struct bench {
  struct store *store;
  struct key_ring *ring;
  struct auth *auth;
  struct jwt_keys keys;
  char key[API_KEY_SIZE];
  char token[512];
};

static double used_us(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
         (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void fail(const char *what, const struct error *err) {
  fprintf(stderr, "%s: %s\n", what, err ? err->message : "");
  exit(1);
}

static void on_done(void *ctx, enum status status) {
  if (status) fail("the key cannot be stored", NULL);
  sem_post(ctx);
}

static void open_store(struct bench *b, const char *dir) {
  char memory[512], elo[512];
  struct error err = {0};
  snprintf(memory, sizeof memory, "%s/memory.db", dir);
  snprintf(elo, sizeof elo, "%s/elo.db", dir);
  const struct store_options options = {.memory_path = memory,
                                        .elo_path = elo,
                                        .pool_size = 2,
                                        .timeout_ms = 5000,
                                        .max_queued_bytes = 1 << 20};
  if (store_open(&options, &b->store, &err)) fail("store", &err);
}

static void put_key(struct bench *b) {
  char prefix[API_KEY_PREFIX_SIZE];
  struct store_key key = {.tenant_id = "local",
                          .owner_id = "local",
                          .name = "bench",
                          .scopes = "",
                          .created_ms = 1,
                          .expires_ms = -1,
                          .revoked_ms = -1,
                          .last_used_ms = -1};
  sem_t done;
  sem_init(&done, 0, 0);
  api_key_make(b->key);
  if (!api_key_parse(bytes_of(b->key), prefix, key.hash)) fail("api_key_parse", NULL);
  key.id = prefix;
  if (store_put_key(b->store, &key, 10, 1, NULL, on_done, &done)) fail("store_put_key", NULL);
  sem_wait(&done);
  sem_destroy(&done);
}

static void make_token(struct bench *b) {
  struct error err = {0};
  struct jwt_claims claims = {.type = JWT_ACCESS,
                              .user_id = "kq3v7r5n2m8x4c6t9w1z3b5d7f",
                              .session_id = "aq3v7r5n2m8x4c6t9w1z3b5d7f",
                              .token_id = "bq3v7r5n2m8x4c6t9w1z3b5d7f",
                              .email = "somebody@example.com",
                              .tenant_id = "cq3v7r5n2m8x4c6t9w1z3b5d7f",
                              .role = "member",
                              .issued_s = (int64_t)time(NULL),
                              .token_version = 1};
  struct buffer out;
  claims.expires_s = claims.issued_s + 3600;
  buffer_init(&out, sizeof b->token - 1);
  if (jwt_keys_init(&b->keys, secret, NULL, 0, &err)) fail("jwt_keys_init", &err);
  if (jwt_sign(&b->keys, &claims, &out)) fail("jwt_sign", NULL);
  snprintf(b->token, sizeof b->token, "%s", out.ptr);
  buffer_done(&out);
}

static void plug(struct bench *b) {
  struct error err = {0};
  const struct auth_options auth = {.api_token = secret};
  const struct key_ring_options ring = {
      .store = b->store, .max_keys = 1000, .clock = &clock_system};
  if (auth_create(&auth, &b->auth, &err)) fail("auth_create", &err);
  if (key_ring_create(&ring, &b->ring, &err)) fail("key_ring_create", &err);
  const struct auth_verifier verifier = key_ring_verifier(b->ring);
  auth_plug_keys(b->auth, &verifier);
}

/* The whole way from the header. */
static double us_per_check(struct bench *b, const char *credential, long checks) {
  char header[600];
  struct identity identity;
  struct error err;
  snprintf(header, sizeof header, "Bearer %s", credential);
  (void)auth_identify(b->auth, header, NULL, true, &identity, &err); /* it is read once */
  double before = used_us();
  for (long i = 0; i < checks; i++)
    if (auth_identify(b->auth, header, NULL, false, &identity, &err) != CREDENTIAL_GOOD)
      fail("a good credential is refused", NULL);
  return (used_us() - before) / (double)checks;
}

/* Of the signature and the claims; the session's look-up is a table's. */
static double us_per_jwt(struct bench *b, long checks) {
  struct jwt_claims claims;
  int64_t now_s = (int64_t)time(NULL) + 1;
  double before = used_us();
  for (long i = 0; i < checks; i++)
    if (jwt_verify(&b->keys, bytes_of(b->token), JWT_ACCESS, now_s, &claims))
      fail("a good token is refused", NULL);
  return (used_us() - before) / (double)checks;
}

int main(int argc, char **argv) {
  struct bench b = {0};
  if (argc != 3) return 2;
  long checks = strtol(argv[2], NULL, 10);
  open_store(&b, argv[1]);
  put_key(&b);
  make_token(&b);
  plug(&b);
  double raw = us_per_check(&b, secret, checks), key = us_per_check(&b, b.key, checks);
  printf("us_per_raw=%.3f us_per_key=%.3f us_per_jwt=%.3f\n", raw, key, us_per_jwt(&b, checks));
  auth_destroy(b.auth);
  key_ring_destroy(b.ring);
  jwt_keys_done(&b.keys);
  store_close(b.store);
  return 0;
}
