#include "api/quota_reply.h"

#include "api/reply.h"
#include "store/plans.h"

#include <stdlib.h>

struct refusal {
  struct http_request *request;
  struct api *api;
  struct error err;
  const char *const *headers;
};

/* `plan` NULL = it is not known. */
static void answer(struct http_request *request, const struct error *err,
                   const char *const *headers, const struct store_plan *plan) {
  int64_t month = plan ? plan->month : plan_month(clock_wall_ms(&clock_system));
  int64_t limit = plan ? plan->plan->debates_per_month : 0;
  reply_failure_with(
      request, STATUS_QUOTA, err, headers,
      json_pack("{s:o, s:o, s:o, s:o}", "plan", json_text_or_null(plan ? plan->plan->id : NULL),
                "limit", json_int_or_null(limit ? limit : -1), "used",
                json_int_or_null(plan ? plan->debates_used : -1), "resets_at",
                json_time_or_null(plan_month_start_ms(month + 1))));
}

static void read_and_answer(void *arg) {
  struct refusal *r = arg;
  struct store_plan plan;
  struct error unread;
  struct principal who = api_principal(r->request);
  enum status s =
      store_get_plan(r->api->parts.store, &who, clock_wall_ms(&clock_system), &plan, &unread);
  answer(r->request, &r->err, r->headers, s ? NULL : &plan);
  free(r);
}

void quota_reply(struct http_request *request, struct api *api, const struct error *err,
                 const char *const *headers) {
  struct refusal *r = calloc(1, sizeof *r);
  if (r) *r = (struct refusal){request, api, *err, headers};
  if (r && !pool_submit(api->parts.pool, read_and_answer, r)) return;
  free(r);
  answer(request, err, headers, NULL);
}
