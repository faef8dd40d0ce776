/* The OpenAPI document and the table of routes say the same. */
#include "api/app.h"
#include "api/openapi.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static json_t *document;

static int load(void **state) {
  json_error_t error;
  document = json_loadb(openapi_text, openapi_size, JSON_REJECT_DUPLICATES, &error);
  if (!document) printf("# %s\n", error.text);
  return document ? 0 : -1;
}

static int unload(void **state) {
  json_decref(document);
  return 0;
}

static const json_t *operation_of(const char *method, const char *path) {
  char lower[16] = "";
  for (size_t i = 0; method[i] && i + 1 < sizeof lower; i++)
    lower[i] = (char)tolower((unsigned char)method[i]);
  return json_object_get(json_object_get(json_object_get(document, "paths"), path), lower);
}

static bool has_route(const char *method, const char *path) {
  for (size_t i = 0; i < api_route_count; i++)
    if (strcasecmp(api_routes[i].method, method) == 0 && strcmp(api_routes[i].path, path) == 0)
      return true;
  return false;
}

static void test_every_route_is_described(void **state) {
  int missing = 0;
  for (size_t i = 0; i < api_route_count; i++) {
    const struct http_route *r = &api_routes[i];
    if (operation_of(r->method, r->path)) continue;
    printf("# %s %s is not in src/api/openapi/\n", r->method, r->path);
    missing++;
  }
  assert_int_equal(missing, 0);
}

static void test_every_operation_is_a_route(void **state) {
  const char *path, *method;
  json_t *item, *operation;
  int unknown = 0;
  json_object_foreach(json_object_get(document, "paths"), path, item) {
    json_object_foreach(item, method, operation) {
      if (has_route(method, path)) continue;
      printf("# %s %s is no route\n", method, path);
      unknown++;
    }
  }
  assert_int_equal(unknown, 0);
}

/* public: []; else the permission by its name. */
static const char *permission_of(const json_t *operation) {
  const json_t *security = json_object_get(operation, "security");
  if (security && json_array_size(security) == 0) return "public";
  const json_t *names = json_object_get(json_array_get(security, 0), "bearer");
  const char *name = json_string_value(json_array_get(names, 0));
  return name ? name : "none";
}

/* Also, that there is such a permission: a row that names none would be open to nobody. */
static void test_security_is_the_permission(void **state) {
  int wrong = 0;
  for (size_t i = 0; i < api_route_count; i++) {
    const struct http_route *r = &api_routes[i];
    const char *said = permission_of(operation_of(r->method, r->path));
    enum permission found;
    assert_true(permission_find(bytes_of(r->permission), &found));
    if (r->cheap) assert_int_equal(found, PERMISSION_PUBLIC);
    if (strcmp(said, r->permission) == 0) continue;
    printf("# %s %s: %s, the document says %s\n", r->method, r->path, r->permission, said);
    wrong++;
  }
  assert_int_equal(wrong, 0);
  const json_t *all = json_object_get(document, "security");
  assert_int_equal(json_array_size(all), 1);
  assert_non_null(json_object_get(json_array_get(all, 0), "bearer"));
}

static const json_t *resolved(const json_t *node) {
  static const char prefix[] = "#/components/parameters/";
  const char *ref = json_string_value(json_object_get(node, "$ref"));
  if (!ref || strncmp(ref, prefix, sizeof prefix - 1) != 0) return node;
  const json_t *all = json_object_get(json_object_get(document, "components"), "parameters");
  return json_object_get(all, ref + sizeof prefix - 1);
}

static bool has_path_parameter(const json_t *operation, const char *name, size_t len) {
  const json_t *row;
  size_t i;
  json_array_foreach(json_object_get(operation, "parameters"), i, row) {
    const json_t *parameter = resolved(row);
    const char *its = json_string_value(json_object_get(parameter, "name"));
    const char *in = json_string_value(json_object_get(parameter, "in"));
    if (its && in && strcmp(in, "path") == 0 && strlen(its) == len && strncmp(its, name, len) == 0)
      return true;
  }
  return false;
}

static void test_path_parameters_are_described(void **state) {
  for (size_t i = 0; i < api_route_count; i++) {
    const struct http_route *r = &api_routes[i];
    for (const char *at = strchr(r->path, '{'); at; at = strchr(at + 1, '{')) {
      size_t len = strcspn(at + 1, "}");
      if (has_path_parameter(operation_of(r->method, r->path), at + 1, len)) continue;
      fail_msg("%s %s: no parameter %.*s", r->method, r->path, (int)len, at + 1);
    }
  }
}

static void test_websockets_are_described(void **state) {
  const json_t *paths = json_object_get(json_object_get(document, "x-websockets"), "paths");
  for (size_t i = 0; i < api_ws_route_count; i++)
    assert_non_null(json_object_get(paths, api_ws_routes[i].path));
  assert_int_equal(json_object_size(paths), api_ws_route_count);
  enum permission found;
  for (size_t i = 0; i < api_ws_route_count; i++)
    assert_true(permission_find(bytes_of(api_ws_routes[i].permission), &found));
}

static void test_version_is_the_build(void **state) {
  const json_t *info = json_object_get(document, "info");
  assert_string_equal(json_string_value(json_object_get(info, "version")), ARAGORA_VERSION);
  assert_string_equal(json_string_value(json_object_get(document, "openapi")), "3.1.0");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_route_is_described),
      cmocka_unit_test(test_every_operation_is_a_route),
      cmocka_unit_test(test_security_is_the_permission),
      cmocka_unit_test(test_path_parameters_are_described),
      cmocka_unit_test(test_websockets_are_described),
      cmocka_unit_test(test_version_is_the_build),
  };
  return cmocka_run_group_tests(tests, load, unload);
}
