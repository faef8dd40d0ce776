/* `aragora user`: accounts by hand, in the databases here, also beside a server that runs: it sees
 * a change within seconds. A password never stands on a command line: it comes from a file, or is
 * made and shown once. */
#include "auth/account_rules.h"
#include "auth/accounts.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/options_load.h"
#include "base/secret.h"
#include "cli/arguments.h"
#include "cli/engine.h"
#include "cli/output.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MADE_CHARS = 24, LIST_AT_ONCE = 500, OUT_MAX = 1 << 20 };

struct user_values {
  const char *role, *name, *organization, *password_file;
  bool json;
};

#define AT(field) offsetof(struct user_values, field)
const struct flag user_flags[] = {
    {"--role", 0, FLAG_TEXT, AT(role), 0, 0, "ROLE",
     "create: member, owner or admin; default admin"},
    {"--name", 0, FLAG_TEXT, AT(name), 0, 0, "NAME", "create: how the user is called"},
    {"--organization", 0, FLAG_TEXT, AT(organization), 0, 0, "NAME",
     "create: of a member or owner"},
    {"--password-file", 0, FLAG_TEXT, AT(password_file), 0, 0, "FILE",
     "create, password: its first line; default one that is made and shown"},
    {"--json", 0, FLAG_SWITCH, AT(json), 0, 0, NULL, "print JSON"},
    {0},
};
#undef AT

static const struct command *self(void) {
  return command_find("user");
}

struct user_job {
  const struct user_values *values;
  struct store *store;
  struct accounts *accounts;
  const char *email; /* NULL = of all */
  const char *word;  /* a role */
  json_t *list;
  bool more;
  int64_t before_ms;
  char before_id[STORE_ID_SIZE];
  char password[MADE_CHARS + 1]; /* that was made here, "" = none */
  char *given;                   /* from the file */
};

static const struct audit_origin by_hand = {"local", "cli", "", ""};

/* ---- showing ---- */

static json_t *user_body(const struct store_user *u) {
  return json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:o, s:o}", "id", u->id, "email", u->email,
                   "name", u->name, "tenant_id", u->tenant_id, "role", u->role, "active", u->active,
                   "created_at", json_time_or_null(u->created_ms), "last_login_at",
                   json_time_or_null(u->last_login_ms));
}

static void append_user(struct buffer *out, const json_t *u) {
  buffer_printf(out, "%-40s %-7s %-9s %s  %s\n", json_get_text(u, "email", "?"),
                json_get_text(u, "role", "?"),
                json_get_bool(u, "active", false) ? "active" : "disabled",
                json_get_text(u, "last_login_at", "never"), json_get_text(u, "id", "?"));
}

static bool print_users(const struct user_job *job) {
  BUFFER_LATER struct buffer out;
  size_t i;
  json_t *user;
  buffer_init(&out, OUT_MAX);
  if (job->values->json) return output_json(STDOUT_FILENO, job->list);
  buffer_printf(&out, "%-40s %-7s %-9s %-24s  %s\n", "EMAIL", "ROLE", "STATE", "LAST LOGIN", "ID");
  json_array_foreach(job->list, i, user) append_user(&out, user);
  return output_buffer(STDOUT_FILENO, &out);
}

static bool print_user(const struct user_job *job, const struct store_user *user) {
  BUFFER_LATER struct buffer out;
  buffer_init(&out, OUT_MAX);
  JSON_LATER json_t *body = user_body(user);
  if (body && *job->password) json_object_set_new(body, "password", json_string(job->password));
  if (job->values->json) return output_json(STDOUT_FILENO, body);
  append_user(&out, body);
  if (*job->password) buffer_printf(&out, "password: %s   (shown this once)\n", job->password);
  return output_buffer(STDOUT_FILENO, &out);
}

/* ---- passwords ---- */

/* About 142 bits. */
static void make_password(char out[MADE_CHARS + 1]) {
  static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  for (int i = 0; i < MADE_CHARS; i++) out[i] = digits[randombytes_uniform(sizeof digits - 1)];
  out[MADE_CHARS] = '\0';
}

static enum status choose_password(struct user_job *job, struct bytes *ret, struct error *err) {
  const char *path = job->values->password_file;
  if (path) {
    enum status s = secret_read_file("--password-file", path, &job->given, err);
    if (!s) *ret = bytes_of(job->given);
    return s;
  }
  make_password(job->password);
  *ret = bytes_of(job->password);
  return STATUS_OK;
}

/* ---- doing ---- */

static enum status status_of(enum account_answer answer, const struct error *err) {
  if (!answer) return STATUS_OK;
  return answer == ACCOUNT_FAILED ? err->status : STATUS_DENIED;
}

static enum status find(struct user_job *job, struct store_user *ret, struct error *err) {
  char email[STORE_EMAIL_SIZE];
  enum status s = account_read_email(bytes_of(job->email), email, err);
  return s ? s : store_find_user(job->store, email, ret, err);
}

static enum status create(struct user_job *job, struct error *err) {
  const struct user_values *v = job->values;
  struct account account;
  enum role role = ROLE_ADMIN;
  struct account_form form = {.email = bytes_of(job->email),
                              .name = bytes_of(v->name ? v->name : ""),
                              .organization = bytes_of(v->organization ? v->organization : "")};
  if (v->role && !role_parse(bytes_of(v->role), &role))
    return error_set(err, STATUS_INVALID, "--role", "a role is member, owner or admin");
  enum status s = choose_password(job, &form.password, err);
  if (!s)
    s = status_of(accounts_add_user(job->accounts, &form, role, &by_hand, &account, err), err);
  if (s) return s;
  return print_user(job, &account.user) ? STATUS_OK : STATUS_IO;
}

static void take_user(void *ctx, const struct store_user *user) {
  struct user_job *job = ctx;
  json_array_append_new(job->list, user_body(user));
  job->before_ms = user->created_ms;
  memcpy(job->before_id, user->id, sizeof job->before_id);
  job->more = true;
}

static enum status list(struct user_job *job, struct error *err) {
  enum status s = STATUS_OK;
  job->before_ms = -1;
  job->list = json_array();
  do {
    job->more = false;
    const struct store_user_query query = {.before_ms = job->before_ms,
                                           .before_id = job->before_id,
                                           .limit = LIST_AT_ONCE,
                                           .active = -1};
    s = store_list_users(job->store, &query, take_user, job, err);
  } while (!s && job->more);
  if (!s && !print_users(job)) s = STATUS_IO;
  json_decref(job->list);
  return s;
}

static enum status show_after(struct user_job *job, enum status s, struct error *err) {
  struct store_user user;
  if (!s) s = find(job, &user, err);
  if (s) return s;
  return print_user(job, &user) ? STATUS_OK : STATUS_IO;
}

static enum status set_role(struct user_job *job, struct error *err) {
  struct store_user user;
  enum role role;
  if (!role_parse(bytes_of(job->word), &role))
    return error_set(err, STATUS_INVALID, NULL, "a role is member, owner or admin, not \"%.32s\"",
                     job->word);
  enum status s = find(job, &user, err);
  if (!s) s = status_of(accounts_set_role(job->accounts, user.id, role, true, &by_hand, err), err);
  return show_after(job, s, err);
}

static enum status set_plan(struct user_job *job, struct error *err) {
  struct store_user user;
  enum status s = find(job, &user, err);
  if (!s) s = status_of(accounts_set_plan(job->accounts, &user, job->word, &by_hand, err), err);
  return show_after(job, s, err);
}

static enum status set_active(struct user_job *job, bool active, struct error *err) {
  struct store_user user;
  enum status s = find(job, &user, err);
  if (!s)
    s = status_of(accounts_set_active(job->accounts, user.id, active, true, &by_hand, err), err);
  return show_after(job, s, err);
}

static enum status enable(struct user_job *job, struct error *err) {
  return set_active(job, true, err);
}

static enum status disable(struct user_job *job, struct error *err) {
  return set_active(job, false, err);
}

static enum status set_password(struct user_job *job, struct error *err) {
  struct store_user user;
  struct bytes password = {0};
  enum status s = find(job, &user, err);
  if (!s) s = choose_password(job, &password, err);
  if (!s)
    s = status_of(accounts_set_password(job->accounts, user.id, password, &by_hand, err), err);
  return show_after(job, s, err);
}

static const struct action {
  const char *name;
  int arguments; /* after the name */
  enum status (*run)(struct user_job *job, struct error *err);
} actions[] = {
    {"create", 1, create},   {"list", 0, list},     {"role", 2, set_role},
    {"disable", 1, disable}, {"enable", 1, enable}, {"password", 1, set_password},
    {"plan", 2, set_plan},
};

static const struct action *find_action(const struct arguments *a) {
  for (size_t i = 0; a->count && i < sizeof actions / sizeof *actions; i++)
    if (strcmp(a->positional[0], actions[i].name) == 0) return &actions[i];
  return NULL;
}

static int run(const struct action *action, struct user_job *job, struct options *options) {
  struct engine e = {0};
  struct error err = {0};
  enum status s = engine_open_store(&e, options, &err);
  const struct accounts_parts parts = {.store = e.store, .options = &e.options};
  job->store = e.store;
  if (!s) s = accounts_create(&parts, &job->accounts, &err);
  if (!s) s = action->run(job, &err);
  accounts_destroy(job->accounts);
  engine_close(&e);
  secret_free(job->given);
  sodium_memzero(job->password, sizeof job->password);
  return s ? output_error(&err) : CLI_OK;
}

int cli_user(int argc, char **argv) {
  struct user_values values = {0};
  struct arguments arguments;
  struct options options;
  struct error err = {0};
  if (options_load(&options, argc, argv, &err)) {
    output_error(&err);
    return CLI_USAGE;
  }
  int code = CLI_USAGE;
  if (arguments_read(self(), argc, argv, &values, &options, &arguments)) {
    const struct action *action = find_action(&arguments);
    if (!action || arguments.count != action->arguments + 1) {
      code = arguments_wrong(self(),
                             "it takes create, password, enable or disable EMAIL, role EMAIL "
                             "ROLE, plan EMAIL PLAN, or list");
    } else {
      struct user_job job = {.values = &values,
                             .email = action->arguments > 0 ? arguments.positional[1] : NULL,
                             .word = action->arguments > 1 ? arguments.positional[2] : NULL};
      code = log_open(LOG_LEVEL_ERROR, NULL, true, &err) ? output_error(&err)
                                                         : run(action, &job, &options);
    }
  }
  options_done(&options);
  return code;
}
