#include "io/libcurl.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

/* As the library is called since 2006 and in every distribution, whatever TLS is behind it. */
static const char name[] = "libcurl.so.4";

#define FUNCTIONS(X)          \
  X(curl_easy_cleanup)        \
  X(curl_easy_escape)         \
  X(curl_easy_getinfo)        \
  X(curl_easy_header)         \
  X(curl_easy_init)           \
  X(curl_easy_perform)        \
  X(curl_easy_recv)           \
  X(curl_easy_reset)          \
  X(curl_easy_send)           \
  X(curl_easy_setopt)         \
  X(curl_easy_strerror)       \
  X(curl_free)                \
  X(curl_global_init)         \
  X(curl_multi_add_handle)    \
  X(curl_multi_assign)        \
  X(curl_multi_cleanup)       \
  X(curl_multi_info_read)     \
  X(curl_multi_init)          \
  X(curl_multi_perform)       \
  X(curl_multi_poll)          \
  X(curl_multi_remove_handle) \
  X(curl_multi_setopt)        \
  X(curl_multi_socket_action) \
  X(curl_slist_append)        \
  X(curl_slist_free_all)      \
  X(curl_url)                 \
  X(curl_url_cleanup)         \
  X(curl_url_get)             \
  X(curl_url_set)

/* Of the types that curl.h declares. Written once, by load; who has a handle of curl's has it from
 * a call that came after. */
static struct {
#define X(function) __typeof__(&(function)) function;
  FUNCTIONS(X)
#undef X
} curl;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static char trouble[256]; /* "" once it is ready */

static bool find(void *library, const char *function, void *ret_address) {
  void *address = dlsym(library, function);
  *(void **)ret_address = address;
  return address != NULL;
}

static bool find_all(void *library) {
#define X(function) &&find(library, #function, &curl.function)
  return true FUNCTIONS(X);
#undef X
}

/* It is never closed: OpenSSL's exit handlers are in it. */
static void load(void) {
  void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (!library || !find_all(library))
    snprintf(trouble, sizeof trouble, "%s", dlerror());
  else if (curl.curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    snprintf(trouble, sizeof trouble, "%s cannot start", name);
}

static bool is_ready(void) {
  pthread_once(&once, load);
  return !*trouble;
}

enum status libcurl_load(struct error *err) {
  return is_ready() ? STATUS_OK : error_set(err, STATUS_IO, NULL, "%s", trouble);
}

/* Our names of parameters are not curl.h's, and branches that are alike in writing differ in the
 * type that they take from a va_list.
 * NOLINTBEGIN(readability-inconsistent-declaration-parameter-name,bugprone-branch-clone) */

/* ---- those that can come first ---- */

CURLcode curl_global_init(long flags) {
  return is_ready() ? curl.curl_global_init(flags) : CURLE_FAILED_INIT;
}

CURL *curl_easy_init(void) {
  return is_ready() ? curl.curl_easy_init() : NULL;
}

CURLM *curl_multi_init(void) {
  return is_ready() ? curl.curl_multi_init() : NULL;
}

CURLU *curl_url(void) {
  return is_ready() ? curl.curl_url() : NULL;
}

struct curl_slist *curl_slist_append(struct curl_slist *list, const char *text) {
  return is_ready() ? curl.curl_slist_append(list, text) : NULL;
}

char *curl_easy_escape(CURL *easy, const char *text, int length) {
  return is_ready() ? curl.curl_easy_escape(easy, text, length) : NULL;
}

const char *curl_easy_strerror(CURLcode code) {
  return is_ready() ? curl.curl_easy_strerror(code) : trouble;
}

/* ---- those that let go, also of nothing ---- */

void curl_easy_cleanup(CURL *easy) {
  if (easy) curl.curl_easy_cleanup(easy);
}

CURLMcode curl_multi_cleanup(CURLM *multi) {
  return multi ? curl.curl_multi_cleanup(multi) : CURLM_BAD_HANDLE;
}

void curl_url_cleanup(CURLU *url) {
  if (url) curl.curl_url_cleanup(url);
}

void curl_slist_free_all(struct curl_slist *list) {
  if (list) curl.curl_slist_free_all(list);
}

void curl_free(void *memory) {
  if (memory) curl.curl_free(memory);
}

/* ---- those that take what a call before returned ---- */

/* An option's number says the type of its value (curl.h, CURLOPTTYPE_*); blobs, lists, texts and
 * functions are all pointers. */
CURLcode(curl_easy_setopt)(CURL *easy, CURLoption option, ...) {
  va_list value;
  CURLcode code;
  va_start(value, option);
  if (option < CURLOPTTYPE_OBJECTPOINT)
    code = (curl.curl_easy_setopt)(easy, option, va_arg(value, long));
  else if (option >= CURLOPTTYPE_OFF_T && option < CURLOPTTYPE_BLOB)
    code = (curl.curl_easy_setopt)(easy, option, va_arg(value, curl_off_t));
  else
    code = (curl.curl_easy_setopt)(easy, option, va_arg(value, void *));
  va_end(value);
  return code;
}

CURLMcode(curl_multi_setopt)(CURLM *multi, CURLMoption option, ...) {
  va_list value;
  CURLMcode code;
  va_start(value, option);
  if ((int)option < CURLOPTTYPE_OBJECTPOINT)
    code = (curl.curl_multi_setopt)(multi, option, va_arg(value, long));
  else
    code = (curl.curl_multi_setopt)(multi, option, va_arg(value, void *));
  va_end(value);
  return code;
}

/* Always the address of what it is to write. */
CURLcode(curl_easy_getinfo)(CURL *easy, CURLINFO info, ...) {
  va_list value;
  va_start(value, info);
  CURLcode code = (curl.curl_easy_getinfo)(easy, info, va_arg(value, void *));
  va_end(value);
  return code;
}

CURLcode curl_easy_perform(CURL *easy) {
  return curl.curl_easy_perform(easy);
}

void curl_easy_reset(CURL *easy) {
  curl.curl_easy_reset(easy);
}

CURLcode curl_easy_recv(CURL *easy, void *into, size_t size, size_t *ret_n) {
  return curl.curl_easy_recv(easy, into, size, ret_n);
}

CURLcode curl_easy_send(CURL *easy, const void *data, size_t size, size_t *ret_n) {
  return curl.curl_easy_send(easy, data, size, ret_n);
}

CURLHcode curl_easy_header(CURL *easy, const char *header, size_t index, unsigned origin,
                           int request, struct curl_header **ret_header) {
  return curl.curl_easy_header(easy, header, index, origin, request, ret_header);
}

CURLMcode curl_multi_add_handle(CURLM *multi, CURL *easy) {
  return curl.curl_multi_add_handle(multi, easy);
}

CURLMcode curl_multi_remove_handle(CURLM *multi, CURL *easy) {
  return curl.curl_multi_remove_handle(multi, easy);
}

CURLMcode curl_multi_perform(CURLM *multi, int *ret_running) {
  return curl.curl_multi_perform(multi, ret_running);
}

CURLMcode curl_multi_poll(CURLM *multi, struct curl_waitfd fds[], unsigned n, int timeout_ms,
                          int *ret_ready) {
  return curl.curl_multi_poll(multi, fds, n, timeout_ms, ret_ready);
}

CURLMcode curl_multi_socket_action(CURLM *multi, curl_socket_t fd, int events, int *ret_running) {
  return curl.curl_multi_socket_action(multi, fd, events, ret_running);
}

CURLMcode curl_multi_assign(CURLM *multi, curl_socket_t fd, void *data) {
  return curl.curl_multi_assign(multi, fd, data);
}

CURLMsg *curl_multi_info_read(CURLM *multi, int *ret_left) {
  return curl.curl_multi_info_read(multi, ret_left);
}

CURLUcode curl_url_get(CURLU *url, CURLUPart part, char **ret_text, unsigned flags) {
  return curl.curl_url_get(url, part, ret_text, flags);
}

CURLUcode curl_url_set(CURLU *url, CURLUPart part, const char *text, unsigned flags) {
  return curl.curl_url_set(url, part, text, flags);
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name,bugprone-branch-clone) */
