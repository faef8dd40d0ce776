/* Accounts against a real store: what a credential is worth, from the first login to the last
 * logout. */
#include "auth/accounts.h"

#include "../store/fixture.h"
#include "auth/account_rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET   "0123456789abcdef0123456789abcdef"
#define PASSWORD "correct horse battery"

struct world {
  struct fixture *f;
  struct options options;
  struct auth *auth;
  struct accounts *accounts;
  int64_t now_ms;
  struct clock clock;
  char setup[64];
  void (*meanwhile)(struct world *w); /* done, once, when the time is asked for next */
  const char *user_id;                /* its */
};

static int64_t wall_ms(void *ctx) {
  struct world *w = ctx;
  void (*meanwhile)(struct world * w) = w->meanwhile;
  w->meanwhile = NULL;
  if (meanwhile) meanwhile(w);
  return w->now_ms;
}

static void note_setup(void *ctx, const char *token) {
  struct world *w = ctx;
  snprintf(w->setup, sizeof w->setup, "%s", token);
}

static void begin(struct world *w) {
  struct error err = {0};
  const struct auth_options auth = {.api_token = NULL, .clock = &w->clock};
  const struct accounts_parts parts = {.store = w->f->store,
                                       .options = &w->options,
                                       .clock = &w->clock,
                                       .announce = note_setup,
                                       .announce_ctx = w};
  *w->setup = '\0';
  assert_int_equal(auth_create(&auth, &w->auth, &err), STATUS_OK);
  struct accounts_parts all = parts;
  all.auth = w->auth;
  assert_int_equal(accounts_create(&all, &w->accounts, &err), STATUS_OK);
}

static void end(struct world *w) {
  accounts_stop(w->accounts);
  accounts_destroy(w->accounts);
  auth_destroy(w->auth);
}

static int set_up(void **state) {
  struct world *w = calloc(1, sizeof *w);
  void *f = NULL;
  struct error err;
  if (!w || fixture_setup(&f)) return -1;
  w->f = f;
  w->now_ms = 1764464400000;
  w->clock = (struct clock){wall_ms, clock_system.mono_us, w};
  assert_int_equal(options_set_defaults(&w->options, &err), STATUS_OK);
  w->options.data_dir = strdup(w->f->dir);
  w->options.password_memory_mib = 8;
  begin(w);
  *state = w;
  return 0;
}

static int tear_down(void **state) {
  struct world *w = *state;
  void *f = w->f;
  char path[128];
  end(w);
  snprintf(path, sizeof path, "%s/jwt_secret", w->f->dir);
  unlink(path);
  options_done(&w->options);
  free(w);
  return fixture_teardown(&f);
}

/* ---- asking ---- */

static const struct account_from from = {"192.0.2.1", "req-1"};

static struct account_form form_of(const char *email) {
  return (struct account_form){.email = bytes_of(email), .password = BYTES_LITERAL(PASSWORD)};
}

static struct account sign_up(struct world *w, const char *email, struct account_tokens *tokens) {
  struct account account;
  struct error err = {0};
  const struct account_form form = form_of(email);
  assert_int_equal(accounts_register(w->accounts, &form, &from, &account, tokens, &err),
                   ACCOUNT_OK);
  return account;
}

static enum account_answer log_in(struct world *w, const char *email, const char *password,
                                  struct account_tokens *tokens) {
  struct account account;
  struct error err = {0};
  enum account_answer answer = accounts_try(w->accounts, email, &err);
  if (answer) return answer;
  return accounts_login(w->accounts, email, bytes_of(password), &from, &account, tokens, &err);
}

static enum credential call_with(struct world *w, const char *token, struct identity *who) {
  struct error err = {0};
  char header[JWS_TEXT_MAX + 16];
  snprintf(header, sizeof header, "Bearer %s", token);
  return auth_identify(w->auth, header, NULL, true, who, &err);
}

static bool is_let_in(struct world *w, const char *token) {
  struct identity who;
  return call_with(w, token, &who) == CREDENTIAL_GOOD;
}

static enum account_answer renew(struct world *w, const char *token, struct account_tokens *ret) {
  struct error err = {0};
  return accounts_refresh(w->accounts, bytes_of(token), &from, ret, &err);
}

/* ---- tests ---- */

static void registering_lets_in(void **state) {
  struct world *w = *state;
  struct account_tokens tokens;
  struct identity who;
  assert_false(auth_enabled(w->auth));
  struct account a = sign_up(w, "Ann@Example.org", &tokens);
  assert_true(auth_enabled(w->auth));
  assert_string_equal(a.user.email, "ann@example.org");
  assert_string_equal(a.user.role, "member");
  assert_string_equal(a.tenant.plan, "free");
  assert_string_equal(a.tenant.name, "");
  assert_int_equal(call_with(w, tokens.access, &who), CREDENTIAL_GOOD);
  assert_int_equal(who.kind, IDENTITY_SESSION);
  assert_string_equal(who.user_id, a.user.id);
  assert_string_equal(who.tenant_id, a.tenant.id);
  assert_int_equal(who.role, ROLE_MEMBER);
  assert_false(is_let_in(w, tokens.refresh));
  assert_int_equal(log_in(w, "ann@example.org", PASSWORD, &tokens), ACCOUNT_OK);
  assert_true(is_let_in(w, tokens.access));
}

static void an_organization_has_an_owner_who_is_no_admin(void **state) {
  struct world *w = *state;
  struct account_tokens tokens;
  struct account a;
  struct identity who;
  struct error err;
  struct account_form form = form_of("ann@example.org");
  form.organization = BYTES_LITERAL(" Ann & Sons ");
  assert_int_equal(accounts_register(w->accounts, &form, &from, &a, &tokens, &err), ACCOUNT_OK);
  assert_string_equal(a.tenant.name, "Ann & Sons");
  assert_memory_equal(a.tenant.slug, "ann-sons-", 9);
  assert_int_equal(call_with(w, tokens.access, &who), CREDENTIAL_GOOD);
  assert_int_equal(who.role, ROLE_OWNER);
  assert_false(permission_in(who.allowed, PERMISSION_ADMIN_SYSTEM));
  assert_string_not_equal(who.tenant_id, "local");
}

static void bad_forms_are_refused(void **state) {
  struct world *w = *state;
  static const char *const emails[] = {"",         "a",         "@b.org",         "a@b",
                                       "a@b.c",    "a b@c.org", "a@c.org\n",      "a@c.o1",
                                       "a@@c.org", "<a@c.org>", "a@c.org,b@d.org"};
  static const char *const passwords[] = {"", "seven77", "ann@example.org"};
  struct account a;
  struct account_tokens tokens;
  struct error err;
  for (size_t i = 0; i < sizeof emails / sizeof *emails; i++) {
    const struct account_form form = form_of(emails[i]);
    assert_int_equal(accounts_register(w->accounts, &form, &from, &a, &tokens, &err),
                     ACCOUNT_FAILED);
    assert_string_equal(err.field, "email");
  }
  for (size_t i = 0; i < sizeof passwords / sizeof *passwords; i++) {
    struct account_form form = form_of("ann@example.org");
    form.password = bytes_of(passwords[i]);
    assert_int_equal(accounts_register(w->accounts, &form, &from, &a, &tokens, &err),
                     ACCOUNT_FAILED);
    assert_string_equal(err.field, "password");
  }
  struct account_form form = form_of("ann@example.org");
  form.name = BYTES_LITERAL("a\nb");
  assert_int_equal(accounts_register(w->accounts, &form, &from, &a, &tokens, &err), ACCOUNT_FAILED);
  assert_string_equal(err.field, "name");
}

static void wrong_passwords_and_unknown_addresses_look_alike(void **state) {
  struct world *w = *state;
  struct account_tokens tokens;
  sign_up(w, "ann@example.org", &tokens);
  static const char *const emails[] = {"ann@example.org", "nobody@example.org"};
  for (int i = 0; i < 2; i++) {
    for (int k = 0; k < 5; k++)
      assert_int_equal(log_in(w, emails[i], "wrong password", &tokens), ACCOUNT_WRONG);
    assert_int_equal(log_in(w, emails[i], PASSWORD, &tokens), ACCOUNT_LOCKED);
  }
  w->now_ms += 15 * 60000;
  assert_int_equal(log_in(w, "ann@example.org", PASSWORD, &tokens), ACCOUNT_OK);
}

static void a_refresh_token_counts_once(void **state) {
  struct world *w = *state;
  struct account_tokens first, second, third;
  sign_up(w, "ann@example.org", &first);
  assert_int_equal(renew(w, first.access, &second), ACCOUNT_WRONG);
  assert_int_equal(renew(w, first.refresh, &second), ACCOUNT_OK);
  assert_true(is_let_in(w, second.access));
  /* Shown again, it ends the session for whoever has the newer ones too. */
  assert_int_equal(renew(w, first.refresh, &third), ACCOUNT_WRONG);
  assert_int_equal(renew(w, second.refresh, &third), ACCOUNT_WRONG);
  assert_false(is_let_in(w, first.access));
  assert_false(is_let_in(w, second.access));
}

static void logging_out_ends_one_session(void **state) {
  struct world *w = *state;
  struct account_tokens one, two;
  struct identity who;
  struct error err;
  sign_up(w, "ann@example.org", &one);
  assert_int_equal(log_in(w, "ann@example.org", PASSWORD, &two), ACCOUNT_OK);
  assert_int_equal(call_with(w, one.access, &who), CREDENTIAL_GOOD);
  assert_true(auth_stands(w->auth, &who));
  assert_int_equal(accounts_logout(w->accounts, &who, &from, &err), ACCOUNT_OK);
  assert_false(auth_stands(w->auth, &who));
  assert_false(is_let_in(w, one.access));
  assert_true(is_let_in(w, two.access));
  assert_int_equal(renew(w, one.refresh, &one), ACCOUNT_WRONG);
}

static void logging_out_everywhere_ends_all(void **state) {
  struct world *w = *state;
  struct account_tokens one, two;
  struct identity who;
  struct error err;
  int64_t version = 0;
  sign_up(w, "ann@example.org", &one);
  assert_int_equal(log_in(w, "ann@example.org", PASSWORD, &two), ACCOUNT_OK);
  assert_int_equal(call_with(w, one.access, &who), CREDENTIAL_GOOD);
  assert_int_equal(accounts_logout_all(w->accounts, &who, &from, &version, &err), ACCOUNT_OK);
  assert_int_equal(version, 2);
  assert_false(is_let_in(w, one.access));
  assert_false(is_let_in(w, two.access));
  assert_int_equal(log_in(w, "ann@example.org", PASSWORD, &two), ACCOUNT_OK);
  assert_true(is_let_in(w, two.access));
}

static void a_token_of_ours_can_be_revoked_by_who_has_it(void **state) {
  struct world *w = *state;
  struct account_tokens tokens;
  struct error err;
  int ended = -1;
  sign_up(w, "ann@example.org", &tokens);
  assert_int_equal(accounts_revoke(w->accounts, BYTES_LITERAL("a.b.c"), &from, &ended, &err),
                   ACCOUNT_OK);
  assert_int_equal(ended, 0);
  assert_int_equal(accounts_revoke(w->accounts, bytes_of(tokens.refresh), &from, &ended, &err),
                   ACCOUNT_OK);
  assert_int_equal(ended, 1);
  assert_false(is_let_in(w, tokens.access));
}

static void tokens_end_to_the_second(void **state) {
  struct world *w = *state;
  struct account_tokens tokens, next;
  sign_up(w, "ann@example.org", &tokens);
  w->now_ms += 24 * 3600000 - 1000;
  assert_true(is_let_in(w, tokens.access));
  w->now_ms += 1000;
  assert_false(is_let_in(w, tokens.access));
  w->now_ms += INT64_C(29) * 86400000 - 1000;
  assert_int_equal(renew(w, tokens.refresh, &next), ACCOUNT_OK);
  assert_true(is_let_in(w, next.access));
  w->now_ms += INT64_C(30) * 86400000;
  assert_int_equal(renew(w, next.refresh, &next), ACCOUNT_WRONG);
}

/* Beside the right secret a token of somebody else's user is refused too. */
static void a_token_is_worth_what_the_rows_say(void **state) {
  struct world *w = *state;
  struct account_tokens ann, bob;
  struct identity who;
  struct error err;
  struct account a = sign_up(w, "ann@example.org", &ann);
  sign_up(w, "bob@example.org", &bob);
  const struct audit_origin admin = {"local", "cli", "", ""};
  assert_int_equal(accounts_set_role(w->accounts, a.user.id, ROLE_ADMIN, true, &admin, &err),
                   ACCOUNT_OK);
  assert_int_equal(call_with(w, ann.access, &who), CREDENTIAL_GOOD);
  assert_int_equal(who.role, ROLE_ADMIN);
  assert_int_equal(accounts_set_active(w->accounts, a.user.id, false, true, &admin, &err),
                   ACCOUNT_OK);
  assert_false(is_let_in(w, ann.access));
  assert_true(is_let_in(w, bob.access));
  assert_int_equal(log_in(w, "ann@example.org", PASSWORD, &ann), ACCOUNT_DISABLED);
  assert_int_equal(log_in(w, "ann@example.org", "wrong password", &ann), ACCOUNT_WRONG);
  assert_int_equal(accounts_set_active(w->accounts, a.user.id, true, true, &admin, &err),
                   ACCOUNT_OK);
  assert_int_equal(log_in(w, "ann@example.org", PASSWORD, &ann), ACCOUNT_OK);
  assert_int_equal(accounts_set_role(w->accounts, "nobody", ROLE_ADMIN, true, &admin, &err),
                   ACCOUNT_FAILED);
  assert_int_equal(err.status, STATUS_NOT_FOUND);
}

static void a_new_password_ends_the_other_sessions(void **state) {
  struct world *w = *state;
  struct account_tokens one, two;
  struct identity who;
  struct error err;
  struct bytes current = BYTES_LITERAL(PASSWORD), next = BYTES_LITERAL("another password");
  sign_up(w, "ann@example.org", &one);
  assert_int_equal(log_in(w, "ann@example.org", PASSWORD, &two), ACCOUNT_OK);
  assert_int_equal(call_with(w, one.access, &who), CREDENTIAL_GOOD);
  assert_int_equal(accounts_change_password(w->accounts, &who, next, next, &from, &err),
                   ACCOUNT_WRONG);
  assert_int_equal(
      accounts_change_password(w->accounts, &who, current, BYTES_LITERAL("short"), &from, &err),
      ACCOUNT_FAILED);
  assert_true(is_let_in(w, two.access));
  assert_int_equal(accounts_change_password(w->accounts, &who, current, next, &from, &err),
                   ACCOUNT_OK);
  assert_true(is_let_in(w, one.access));
  assert_false(is_let_in(w, two.access));
  assert_int_equal(log_in(w, "ann@example.org", PASSWORD, &two), ACCOUNT_WRONG);
  assert_int_equal(log_in(w, "ann@example.org", "another password", &two), ACCOUNT_OK);
}

static const struct audit_origin an_admin = {"local", "cli", "", ""};

static void change_password(struct world *w) {
  struct error err;
  assert_int_equal(accounts_set_password(w->accounts, w->user_id, BYTES_LITERAL("another password"),
                                         &an_admin, &err),
                   ACCOUNT_OK);
}

static void disable(struct world *w) {
  struct error err;
  assert_int_equal(accounts_set_active(w->accounts, w->user_id, false, true, &an_admin, &err),
                   ACCOUNT_OK);
}

/* The time is asked for after the password was found right, and before the session is written. */
static void a_login_under_way_does_not_outlive_its_password(void **state) {
  struct world *w = *state;
  struct account_tokens tokens;
  struct account a = sign_up(w, "ann@example.org", &tokens), found;
  struct error err;
  struct identity who;
  w->user_id = a.user.id;
  w->meanwhile = change_password;
  assert_int_equal(accounts_login(w->accounts, "ann@example.org", BYTES_LITERAL(PASSWORD), &from,
                                  &found, &tokens, &err),
                   ACCOUNT_WRONG);
  assert_null(w->meanwhile);
  assert_string_equal(err.message, "Invalid email or password");
  assert_int_equal(log_in(w, "ann@example.org", "another password", &tokens), ACCOUNT_OK);
  assert_int_equal(call_with(w, tokens.access, &who), CREDENTIAL_GOOD);
  w->meanwhile = disable;
  assert_int_equal(accounts_login(w->accounts, "ann@example.org", BYTES_LITERAL("another password"),
                                  &from, &found, &tokens, &err),
                   ACCOUNT_WRONG);
}

static void a_renewed_hash_lets_in(void **state) {
  struct world *w = *state;
  struct account_tokens tokens;
  sign_up(w, "ann@example.org", &tokens);
  end(w);
  w->options.password_memory_mib = 9;
  begin(w);
  assert_int_equal(log_in(w, "ann@example.org", PASSWORD, &tokens), ACCOUNT_OK);
  assert_int_equal(log_in(w, "ann@example.org", PASSWORD, &tokens), ACCOUNT_OK);
}

/* What a role granted to an open stream ends with it, seen at once or looked up behind. */
static void a_stream_does_not_outlive_its_role(void **state) {
  struct world *w = *state;
  struct account_tokens tokens;
  struct identity who, now;
  struct error err;
  struct account a = sign_up(w, "ann@example.org", &tokens);
  assert_int_equal(accounts_set_role(w->accounts, a.user.id, ROLE_ADMIN, true, &an_admin, &err),
                   ACCOUNT_OK);
  assert_int_equal(call_with(w, tokens.access, &who), CREDENTIAL_GOOD);
  assert_true(auth_stands(w->auth, &who));
  assert_int_equal(accounts_set_role(w->accounts, a.user.id, ROLE_MEMBER, true, &an_admin, &err),
                   ACCOUNT_OK);
  assert_int_equal(call_with(w, tokens.access, &now), CREDENTIAL_GOOD);
  assert_false(auth_stands(w->auth, &who));
  assert_true(auth_stands(w->auth, &now));
}

static void count_wakes(void *ctx) {
  ++*(int *)ctx;
}

/* A user that another process made, found by looking or by its login. */
static void the_first_user_ends_what_was_open(void **state) {
  struct world *w = *state;
  struct accounts *other;
  struct account a;
  struct error err;
  int wakes = 0;
  const struct accounts_parts beside = {
      .store = w->f->store, .options = &w->options, .clock = &w->clock};
  const struct account_form form = form_of("ann@example.org");
  accounts_look_for_users(w->accounts);
  assert_true(auth_stands(w->auth, &identity_local));
  auth_on_revoked(w->auth, count_wakes, &wakes);
  assert_int_equal(accounts_create(&beside, &other, &err), STATUS_OK);
  assert_int_equal(accounts_add_user(other, &form, ROLE_MEMBER, &an_admin, &a, &err), ACCOUNT_OK);
  accounts_destroy(other);
  assert_int_equal(wakes, 0);
  accounts_look_for_users(w->accounts);
  assert_int_equal(wakes, 1);
  assert_false(auth_stands(w->auth, &identity_local));
  assert_int_equal(strlen(w->setup), 32);
}

static void the_login_of_a_user_made_beside_turns_it_on(void **state) {
  struct world *w = *state;
  struct account_tokens tokens;
  struct accounts *other;
  struct account a;
  struct error err;
  const struct accounts_parts beside = {
      .store = w->f->store, .options = &w->options, .clock = &w->clock};
  const struct account_form form = form_of("ann@example.org");
  assert_int_equal(accounts_create(&beside, &other, &err), STATUS_OK);
  assert_int_equal(accounts_add_user(other, &form, ROLE_MEMBER, &an_admin, &a, &err), ACCOUNT_OK);
  accounts_destroy(other);
  assert_false(auth_enabled(w->auth));
  assert_int_equal(log_in(w, "ann@example.org", PASSWORD, &tokens), ACCOUNT_OK);
  assert_true(auth_enabled(w->auth));
}

/* A stranger closes the login at an address, not the change of whoever is logged in there. */
static void strangers_do_not_close_the_change_of_a_password(void **state) {
  struct world *w = *state;
  struct account_tokens tokens;
  struct identity who;
  struct error err;
  struct bytes wrong = BYTES_LITERAL("wrong password"), next = BYTES_LITERAL("another password");
  sign_up(w, "ann@example.org", &tokens);
  assert_int_equal(call_with(w, tokens.access, &who), CREDENTIAL_GOOD);
  for (int i = 0; i < 5; i++)
    assert_int_equal(log_in(w, "ann@example.org", "wrong password", &tokens), ACCOUNT_WRONG);
  assert_int_equal(log_in(w, "ann@example.org", PASSWORD, &tokens), ACCOUNT_LOCKED);
  assert_int_equal(
      accounts_change_password(w->accounts, &who, BYTES_LITERAL(PASSWORD), next, &from, &err),
      ACCOUNT_OK);
  for (int i = 0; i < 5; i++)
    assert_int_equal(accounts_change_password(w->accounts, &who, wrong, next, &from, &err),
                     ACCOUNT_WRONG);
  assert_int_equal(accounts_change_password(w->accounts, &who, next, next, &from, &err),
                   ACCOUNT_LOCKED);
}

static void the_setup_token_makes_one_admin(void **state) {
  struct world *w = *state;
  struct account_tokens tokens;
  struct account a;
  struct identity who;
  struct error err;
  const struct account_form form = form_of("root@example.org");
  const struct account_form other = form_of("other@example.org");
  assert_string_equal(w->setup, "");
  assert_int_equal(accounts_set_up(w->accounts, BYTES_LITERAL(""), &form, &from, &a, &tokens, &err),
                   ACCOUNT_REFUSED);
  sign_up(w, "ann@example.org", &tokens);
  assert_int_equal(strlen(w->setup), 32);
  struct bytes token = bytes_of(w->setup);
  assert_int_equal(
      accounts_set_up(w->accounts, (struct bytes){token.ptr, 31}, &form, &from, &a, &tokens, &err),
      ACCOUNT_REFUSED);
  const struct account_form taken = form_of("ann@example.org");
  assert_int_equal(accounts_set_up(w->accounts, token, &taken, &from, &a, &tokens, &err),
                   ACCOUNT_FAILED);
  assert_int_equal(accounts_set_up(w->accounts, token, &form, &from, &a, &tokens, &err),
                   ACCOUNT_OK);
  assert_int_equal(call_with(w, tokens.access, &who), CREDENTIAL_GOOD);
  assert_int_equal(who.role, ROLE_ADMIN);
  assert_string_equal(who.tenant_id, "local");
  assert_int_equal(accounts_set_up(w->accounts, token, &other, &from, &a, &tokens, &err),
                   ACCOUNT_REFUSED);
  end(w);
  begin(w);
  assert_string_equal(w->setup, "");
}

static void listed_addresses_are_admins(void **state) {
  struct world *w = *state;
  struct account_tokens tokens;
  w->options.admin_emails = strdup("root@example.org, Boss@Example.org");
  assert_string_equal(sign_up(w, "boss@example.org", &tokens).user.role, "admin");
  assert_string_equal(sign_up(w, "oss@example.org", &tokens).user.role, "member");
}

/* A restart that forgot a variable opens nothing, and ends no session. */
static void a_restart_keeps_users_and_sessions(void **state) {
  struct world *w = *state;
  struct account_tokens tokens;
  struct stat st;
  char path[128];
  sign_up(w, "ann@example.org", &tokens);
  end(w);
  begin(w);
  assert_true(auth_enabled(w->auth));
  assert_true(is_let_in(w, tokens.access));
  snprintf(path, sizeof path, "%s/jwt_secret", w->f->dir);
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_mode & 0777, 0600);
}

static void set_text(char **field, const char *text) {
  assert_int_equal(bytes_replace(field, bytes_of(text)), STATUS_OK);
}

static void a_secret_is_rotated(void **state) {
  struct world *w = *state;
  struct account_tokens old, new;
  end(w);
  set_text(&w->options.jwt_secret, SECRET);
  begin(w);
  assert_true(auth_enabled(w->auth)); /* a secret is configured */
  sign_up(w, "ann@example.org", &old);
  end(w);
  set_text(&w->options.jwt_secret, "fedcba9876543210fedcba9876543210");
  set_text(&w->options.jwt_secret_previous, SECRET);
  set_text(&w->options.jwt_secret_rotated_at, "1764464400");
  w->options.jwt_rotation_grace_hours = 1;
  begin(w);
  assert_true(is_let_in(w, old.access));
  assert_int_equal(log_in(w, "ann@example.org", PASSWORD, &new), ACCOUNT_OK);
  w->now_ms += 3600000 - 1;
  assert_true(is_let_in(w, old.access));
  w->now_ms += 1;
  assert_false(is_let_in(w, old.access));
  assert_true(is_let_in(w, new.access));
}

static void a_flood_of_users_ends(void **state) {
  struct world *w = *state;
  struct account a;
  struct account_tokens tokens;
  struct error err;
  w->options.max_users = 2;
  sign_up(w, "a@example.org", &tokens);
  sign_up(w, "b@example.org", &tokens);
  const struct account_form form = form_of("c@example.org"), again = form_of("a@example.org");
  assert_int_equal(accounts_register(w->accounts, &form, &from, &a, &tokens, &err), ACCOUNT_FAILED);
  assert_int_equal(err.status, STATUS_FULL);
  assert_int_equal(accounts_register(w->accounts, &again, &from, &a, &tokens, &err),
                   ACCOUNT_FAILED);
  assert_int_equal(err.status, STATUS_CONFLICT);
  set_text(&w->options.registration, "closed");
  assert_int_equal(accounts_register(w->accounts, &form, &from, &a, &tokens, &err),
                   ACCOUNT_REFUSED);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(registering_lets_in),
      TEST(an_organization_has_an_owner_who_is_no_admin),
      TEST(bad_forms_are_refused),
      TEST(wrong_passwords_and_unknown_addresses_look_alike),
      TEST(a_refresh_token_counts_once),
      TEST(logging_out_ends_one_session),
      TEST(logging_out_everywhere_ends_all),
      TEST(a_token_of_ours_can_be_revoked_by_who_has_it),
      TEST(tokens_end_to_the_second),
      TEST(a_token_is_worth_what_the_rows_say),
      TEST(a_new_password_ends_the_other_sessions),
      TEST(a_login_under_way_does_not_outlive_its_password),
      TEST(a_renewed_hash_lets_in),
      TEST(a_stream_does_not_outlive_its_role),
      TEST(the_first_user_ends_what_was_open),
      TEST(the_login_of_a_user_made_beside_turns_it_on),
      TEST(strangers_do_not_close_the_change_of_a_password),
      TEST(the_setup_token_makes_one_admin),
      TEST(listed_addresses_are_admins),
      TEST(a_restart_keeps_users_and_sessions),
      TEST(a_secret_is_rotated),
      TEST(a_flood_of_users_ends),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
