#include "api/user_watch.h"

enum { LOOK_MS = 5000 };

static void tick(void *arg);

/* Loop thread. */
static void wait(void *arg) {
  struct api *api = arg;
  loop_timer_start(api->parts.loop, LOOK_MS, tick, api);
}

/* Pool thread. */
static void look(void *arg) {
  struct api *api = arg;
  accounts_look_for_users(api->parts.accounts);
  loop_post(api->parts.loop, wait, api);
}

/* Loop thread. */
static void tick(void *arg) {
  struct api *api = arg;
  if (auth_enabled(api->parts.auth)) return;
  if (pool_submit(api->parts.pool, look, api)) wait(api);
}

void user_watch_start(struct api *api) {
  if (!auth_enabled(api->parts.auth)) loop_post(api->parts.loop, wait, api);
}
