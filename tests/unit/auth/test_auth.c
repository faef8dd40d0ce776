/* From what a request brings to an identity: the order of the kinds, and what each may answer. */
#include "auth/auth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

/* A verifier that answers what it is told to, and notes what it was asked. */
struct scripted {
  enum credential answer;
  char asked[64];
  bool might_block, stands;
};

struct fixture {
  struct auth *auth;
  struct scripted keys, sessions;
  int64_t now_ms;
  struct clock clock;
};

static int64_t wall_ms(void *ctx) {
  return ((struct fixture *)ctx)->now_ms;
}

static int64_t mono_us(void *ctx) {
  return 0;
}

static enum credential verify(void *ctx, struct bytes text, bool may_block, struct identity *ret,
                              struct error *err) {
  struct scripted *s = ctx;
  memcpy(s->asked, text.ptr, text.len);
  s->asked[text.len] = '\0';
  s->might_block = may_block;
  *ret = (struct identity){.kind = IDENTITY_SESSION, .role = ROLE_MEMBER};
  return s->answer;
}

static bool stands(void *ctx, const struct identity *identity) {
  return ((struct scripted *)ctx)->stands;
}

static int start(void **state, const char *token) {
  struct fixture *f = calloc(1, sizeof *f);
  f->clock = (struct clock){wall_ms, mono_us, f};
  f->now_ms = 1800000000000;
  struct auth_options options = {token, &f->clock};
  *state = f;
  return auth_create(&options, &f->auth, NULL);
}

static int setup(void **state) {
  return start(state, "open-sesame");
}

static int setup_open(void **state) {
  return start(state, NULL);
}

static int teardown(void **state) {
  struct fixture *f = *state;
  auth_destroy(f->auth);
  free(f);
  return 0;
}

static void plug(struct fixture *f) {
  auth_plug_keys(f->auth, &(struct auth_verifier){verify, stands, &f->keys});
  auth_plug_sessions(f->auth, &(struct auth_verifier){verify, stands, &f->sessions});
}

static enum credential ask(struct fixture *f, const char *header, struct identity *ret) {
  struct error err = {0};
  return auth_identify(f->auth, header, NULL, false, ret, &err);
}

static void test_the_token(void **state) {
  struct fixture *f = *state;
  struct identity who;
  assert_true(auth_enabled(f->auth));
  assert_int_equal(ask(f, "Bearer open-sesame", &who), CREDENTIAL_GOOD);
  assert_int_equal(who.kind, IDENTITY_API_TOKEN);
  assert_true(who.allowed == identity_local.allowed);
  assert_string_equal(who.tenant_id, "local");
  assert_int_equal(ask(f, "bearer   open-sesame", &who), CREDENTIAL_GOOD);
  assert_int_equal(ask(f, "Bearer open-sesam", &who), CREDENTIAL_BAD);
  assert_int_equal(ask(f, "Bearer", &who), CREDENTIAL_BAD);
  assert_int_equal(ask(f, "Bearer ", &who), CREDENTIAL_BAD);
}

static void test_nothing_brought(void **state) {
  struct fixture *f = *state;
  struct identity who;
  assert_int_equal(ask(f, NULL, &who), CREDENTIAL_NONE);
  assert_int_equal(ask(f, "", &who), CREDENTIAL_NONE);
  assert_int_equal(ask(f, "open-sesame", &who), CREDENTIAL_NONE);
  assert_int_equal(ask(f, "Basic b3BlbjpzZXNhbWU=", &who), CREDENTIAL_NONE);
  assert_int_equal(ask(f, "Bearers open-sesame", &who), CREDENTIAL_NONE);
}

static void test_a_signed_token_expires(void **state) {
  struct fixture *f = *state;
  struct identity who;
  static const char header[] =
      "Bearer web:1800003600:c20a78ba80a2cec9a657b1d7dcbadd3ca268abfa96f1af0827e0ab6aefdb7d36";
  assert_int_equal(ask(f, header, &who), CREDENTIAL_GOOD);
  assert_true(who.expires_us == 1800003600000000);
  assert_string_not_equal(who.credential_id, "token");
  assert_true(auth_stands(f->auth, &who));
  f->now_ms += 3600 * 1000;
  assert_int_equal(ask(f, header, &who), CREDENTIAL_BAD);
  assert_false(auth_stands(f->auth, &who));
}

static void test_each_form_has_its_verifier(void **state) {
  struct fixture *f = *state;
  struct identity who;
  assert_int_equal(ask(f, "Bearer ara_12345678", &who), CREDENTIAL_BAD); /* none is plugged */
  assert_int_equal(ask(f, "Bearer a.b.c", &who), CREDENTIAL_BAD);
  plug(f);
  f->keys.answer = f->sessions.answer = CREDENTIAL_GOOD;
  assert_int_equal(ask(f, "Bearer ara_12345678", &who), CREDENTIAL_GOOD);
  assert_string_equal(f->keys.asked, "ara_12345678");
  assert_string_equal(f->sessions.asked, "");
  assert_int_equal(ask(f, "Bearer a.b.c", &who), CREDENTIAL_GOOD);
  assert_string_equal(f->sessions.asked, "a.b.c");
  assert_int_equal(ask(f, "Bearer a.b", &who), CREDENTIAL_BAD);
  assert_int_equal(ask(f, "Bearer a.b.c.d", &who), CREDENTIAL_BAD);
  assert_string_equal(f->sessions.asked, "a.b.c");
  assert_int_equal(ask(f, "Bearer open-sesame", &who), CREDENTIAL_GOOD);
  assert_int_equal(who.kind, IDENTITY_API_TOKEN);
}

static void test_answers_pass_through(void **state) {
  struct fixture *f = *state;
  struct error err = {0};
  struct identity who = {.role = ROLE_OWNER};
  plug(f);
  for (enum credential answer = CREDENTIAL_BAD; answer <= CREDENTIAL_FAILED; answer++) {
    f->keys.answer = answer;
    assert_int_equal(ask(f, "Bearer ara_x", &who), answer);
    assert_int_equal(who.role, ROLE_OWNER);
    assert_false(f->keys.might_block);
  }
  assert_int_equal(auth_identify(f->auth, "Bearer ara_x", NULL, true, &who, &err),
                   CREDENTIAL_FAILED);
  assert_true(f->keys.might_block);
}

static void test_the_header_wins_over_the_cookie(void **state) {
  struct fixture *f = *state;
  struct error err = {0};
  struct identity who;
  plug(f);
  f->sessions.answer = f->keys.answer = CREDENTIAL_GOOD;
  assert_int_equal(auth_identify(f->auth, NULL, "a.b.c", false, &who, &err), CREDENTIAL_GOOD);
  assert_true(who.from_cookie);
  assert_int_equal(auth_identify(f->auth, "Bearer ara_x", "a.b.c", false, &who, &err),
                   CREDENTIAL_GOOD);
  assert_false(who.from_cookie);
  assert_int_equal(auth_identify(f->auth, "Bearer wrong", "a.b.c", false, &who, &err),
                   CREDENTIAL_BAD);
  /* Only a session comes in a cookie: the token and keys are refused there. */
  f->sessions.answer = CREDENTIAL_BAD;
  assert_int_equal(auth_identify(f->auth, NULL, "open-sesame", false, &who, &err), CREDENTIAL_BAD);
}

static void test_what_stands(void **state) {
  struct fixture *f = *state;
  plug(f);
  struct identity key = {.kind = IDENTITY_KEY, .key_id = "k"};
  struct identity session = {.kind = IDENTITY_SESSION};
  assert_false(auth_stands(f->auth, &key));
  f->keys.stands = true;
  assert_true(auth_stands(f->auth, &key));
  assert_false(auth_stands(f->auth, &session));
  f->sessions.stands = true;
  assert_true(auth_stands(f->auth, &session));
  f->keys.stands = false;
  assert_false(auth_stands(f->auth, &key));
  assert_true(auth_stands(f->auth, &identity_anonymous));
}

static void test_open_until_required(void **state) {
  struct fixture *f = *state;
  struct identity who;
  assert_false(auth_enabled(f->auth));
  assert_int_equal(ask(f, "Bearer ", &who), CREDENTIAL_BAD);
  assert_int_equal(ask(f, "Bearer anything", &who), CREDENTIAL_BAD);
  assert_true(auth_stands(f->auth, &identity_local));
  auth_require(f->auth);
  assert_false(auth_stands(f->auth, &identity_local));
  assert_true(auth_enabled(f->auth));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_the_token, setup, teardown),
      cmocka_unit_test_setup_teardown(test_nothing_brought, setup, teardown),
      cmocka_unit_test_setup_teardown(test_a_signed_token_expires, setup, teardown),
      cmocka_unit_test_setup_teardown(test_each_form_has_its_verifier, setup, teardown),
      cmocka_unit_test_setup_teardown(test_answers_pass_through, setup, teardown),
      cmocka_unit_test_setup_teardown(test_the_header_wins_over_the_cookie, setup, teardown),
      cmocka_unit_test_setup_teardown(test_what_stands, setup, teardown),
      cmocka_unit_test_setup_teardown(test_open_until_required, setup_open, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
