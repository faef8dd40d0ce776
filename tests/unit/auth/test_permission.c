/* The table of permissions and roles. */
#include "auth/identity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_every_permission_has_a_name(void **state) {
  for (enum permission p = 0; p < PERMISSION_COUNT; p++) {
    enum permission found;
    assert_non_null(permission_name(p));
    assert_true(permission_find(bytes_of(permission_name(p)), &found));
    assert_int_equal(found, p);
  }
  enum permission none;
  assert_false(permission_find(BYTES_LITERAL("debates:rea"), &none));
  assert_false(permission_find(BYTES_LITERAL(""), &none));
  assert_false(permission_find(BYTES_LITERAL("user"), &none));
}

static void test_roles_contain_each_other(void **state) {
  permission_set anonymous = permission_of_role(ROLE_ANONYMOUS);
  permission_set member = permission_of_role(ROLE_MEMBER), owner = permission_of_role(ROLE_OWNER);
  permission_set admin = permission_of_role(ROLE_ADMIN);
  assert_true((anonymous & ~member) == 0);
  assert_true((member & ~owner) == 0);
  assert_true((owner & ~admin) == 0);
  assert_true(anonymous == identity_anonymous.allowed);
  assert_true(admin == identity_local.allowed);
}

static void test_only_admins_operate(void **state) {
  for (enum permission p = 0; p < PERMISSION_COUNT; p++) {
    bool operators = strncmp(permission_name(p), "admin:", 6) == 0;
    assert_int_equal(permission_in(permission_of_role(ROLE_OWNER), p), !operators);
    assert_true(permission_in(permission_of_role(ROLE_ADMIN), p));
  }
}

static void test_anonymous_may_view_alone(void **state) {
  for (enum permission p = 0; p < PERMISSION_COUNT; p++) {
    bool may = p == PERMISSION_PUBLIC || p == PERMISSION_DEBATES_VIEW;
    assert_int_equal(permission_in(identity_anonymous.allowed, p), may);
  }
}

/* Whoever found a key cannot make more of it. */
static void test_keys_make_no_keys(void **state) {
  static const enum permission never[] = {PERMISSION_APIKEYS_CREATE, PERMISSION_APIKEYS_DELETE,
                                          PERMISSION_ACCOUNT_UPDATE, PERMISSION_ADMIN_USERS};
  for (size_t i = 0; i < sizeof never / sizeof *never; i++)
    assert_false(permission_in(permission_of_keys(), never[i]));
  assert_true(permission_in(permission_of_keys(), PERMISSION_DEBATES_CREATE));
}

static void test_reading_implies_viewing(void **state) {
  permission_set set = permission_add(0, PERMISSION_DEBATES_READ);
  assert_true(permission_in(set, PERMISSION_DEBATES_VIEW));
  assert_true(permission_in(set, PERMISSION_PUBLIC));
  assert_false(
      permission_in(permission_add(0, PERMISSION_DEBATES_CREATE), PERMISSION_DEBATES_VIEW));
}

static void test_roles_by_name(void **state) {
  enum role role;
  assert_true(role_parse(BYTES_LITERAL("member"), &role) && role == ROLE_MEMBER);
  assert_true(role_parse(BYTES_LITERAL("owner"), &role) && role == ROLE_OWNER);
  assert_true(role_parse(BYTES_LITERAL("admin"), &role) && role == ROLE_ADMIN);
  assert_false(role_parse(BYTES_LITERAL("anonymous"), &role));
  assert_false(role_parse(BYTES_LITERAL("Admin"), &role));
}

static void test_principals(void **state) {
  struct principal local = identity_principal(&identity_local);
  assert_string_equal(local.tenant_id, "local");
  assert_true(local.all_owners);
  assert_false(local.system);
  assert_null(local.key_id);
  assert_false(identity_principal(&identity_anonymous).all_owners);
  struct identity member = {.role = ROLE_MEMBER, .tenant_id = "t", .user_id = "u", .key_id = "k"};
  struct principal who = identity_principal(&member);
  assert_false(who.all_owners);
  assert_string_equal(who.key_id, "k");
  char text[IDENTITY_TEXT_SIZE] = "before";
  char long_one[IDENTITY_TEXT_SIZE + 1];
  memset(long_one, 'x', sizeof long_one);
  long_one[IDENTITY_TEXT_SIZE] = '\0';
  assert_int_equal(identity_set(text, long_one), STATUS_TOO_LARGE);
  assert_string_equal(text, "before");
  assert_int_equal(identity_set(text, long_one + 1), STATUS_OK);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_permission_has_a_name),
      cmocka_unit_test(test_roles_contain_each_other),
      cmocka_unit_test(test_only_admins_operate),
      cmocka_unit_test(test_anonymous_may_view_alone),
      cmocka_unit_test(test_keys_make_no_keys),
      cmocka_unit_test(test_reading_implies_viewing),
      cmocka_unit_test(test_roles_by_name),
      cmocka_unit_test(test_principals),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
