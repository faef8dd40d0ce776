#include "api/history.h"

#include "base/id.h"
#include "base/log.h"
#include "debate/config.h"
#include "ops/stored_event.h"

#include <stdlib.h>

enum {
  PAGE_EVENTS_MAX = 256,
  PAGE_BYTES_MAX = 1 << 20,   /* a page ends with the frame that reaches this */
  FRAME_BYTES_MAX = 64 << 20, /* as the runner: a decision repeats every answer */
  AGENTS_MAX = DEBATE_MEMBERS_MAX + DEBATE_JUDGES_MAX,
  POOL_RETRY_MS = 50,
};

/* agent_seq of an event is how many of the log so far are that agent's. It is not stored: whoever
 * reads pages counts along, and one who begins in the middle counts what lies before, once. */
struct agent_count {
  char agent[ID_AGENT_MAX_TEXT];
  uint64_t count;
};

/* Belongs to the subscription. While a request is outstanding the reader of the page has it alone.
 */
struct history {
  struct api *api;
  struct identity identity;
  struct principal who; /* the identity's */
  char debate_id[ID_DEBATE_MAX + 1];
  struct agent_count counts[AGENTS_MAX];
  uint64_t counted;                      /* the counts stand for the events up to this seq */
  struct hub_subscription *subscription; /* who asked */
  uint64_t after;                        /* and from where */
};

struct page {
  struct history *history;
  struct frame *frames[PAGE_EVENTS_MAX];
  size_t count, bytes;
  bool more;
  struct buffer scratch;
  enum status status;
  struct error err;
};

static uint64_t count_agent(struct history *h, const char *agent) {
  if (!agent) return 0;
  for (size_t i = 0; i < AGENTS_MAX; i++) {
    struct agent_count *c = &h->counts[i];
    if (!c->agent[0]) {
      size_t len = strlen(agent);
      if (len >= sizeof c->agent) return 0;
      memcpy(c->agent, agent, len + 1);
    }
    if (strcmp(c->agent, agent) == 0) return ++c->count;
  }
  return 0;
}

static bool add_event(void *ctx, const struct store_event *stored) {
  struct page *page = ctx;
  struct history *h = page->history;
  if (stored->seq <= h->after) {
    count_agent(h, stored->agent);
    h->counted = stored->seq;
    return true;
  }
  if (page->count == PAGE_EVENTS_MAX || page->bytes >= PAGE_BYTES_MAX) {
    page->more = true;
    return false;
  }
  uint64_t agent_seq = count_agent(h, stored->agent);
  h->counted = stored->seq;
  struct frame *frame;
  page->status =
      stored_event_frame(stored, h->debate_id, agent_seq, &page->scratch, &frame, &page->err);
  if (page->status) return false;
  page->frames[page->count++] = frame;
  page->bytes += frame->len;
  return true;
}

/* Pool thread. */
static void read_page(void *arg) {
  struct history *h = arg;
  struct page page = {.history = h};
  buffer_init(&page.scratch, FRAME_BYTES_MAX);
  if (h->counted > h->after) {
    memset(h->counts, 0, sizeof h->counts);
    h->counted = 0;
  }
  enum status s = store_read_events(h->api->parts.store, &h->who, h->debate_id, h->counted, 0,
                                    add_event, &page, &page.err);
  if (!s) s = page.status;
  if (s) {
    struct log_context context = {NULL, h->debate_id};
    log_error("api", &context, "history=failed after=%llu error=\"%s\"",
              (unsigned long long)h->after, page.err.message);
  }
  buffer_done(&page.scratch);
  /* The subscription may be freed by the feed, and this with it. */
  hub_history_feed(h->subscription, page.frames, page.count, page.more, s != STATUS_OK);
}

static void retry(void *arg);

static void submit(struct history *h) {
  enum status s = pool_submit(h->api->parts.pool, read_page, h);
  if (s == STATUS_FULL)
    loop_post(h->api->parts.loop, retry, h);
  else if (s)
    hub_history_feed(h->subscription, NULL, 0, false, true); /* the process ends */
}

static void submit_again(void *arg) {
  submit(arg);
}

/* Loop thread. The pool's queue is full: the subscriber waits its turn, it is not sent away. */
static void retry(void *arg) {
  struct history *h = arg;
  if (!loop_timer_start(h->api->parts.loop, POOL_RETRY_MS, submit_again, h))
    hub_history_feed(h->subscription, NULL, 0, false, true);
}

static void ask(void *ctx, struct hub_subscription *subscription, uint64_t after) {
  struct history *h = ctx;
  h->subscription = subscription;
  h->after = after;
  submit(h);
}

enum status history_subscribe(struct api *api, const struct identity *who, const char *debate_id,
                              uint64_t since, bool end_with_debate,
                              struct frame_source *ret_source) {
  struct history *h = calloc(1, sizeof *h);
  size_t len = strlen(debate_id);
  if (!h || len >= sizeof h->debate_id) {
    free(h);
    return STATUS_NOMEM;
  }
  h->api = api;
  h->identity = *who;
  h->who = identity_principal(&h->identity);
  memcpy(h->debate_id, debate_id, len + 1);
  struct hub_subscription *subscription;
  enum status s =
      hub_subscribe(api->parts.hub, debate_id, since, end_with_debate, ask, free, h, &subscription);
  if (s)
    free(h);
  else
    *ret_source = hub_source(subscription);
  return s;
}
