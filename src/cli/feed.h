/* Where frames come from: the hub of this process, a store that another process may be writing, or
 * a server. The reader does not know which. Main thread.
 */
#ifndef ARAGORA_CLI_FEED_H
#define ARAGORA_CLI_FEED_H

#include "base/bytes.h"
#include "hub/hub.h"
#include "store/store.h"

enum feed_answer {
  FEED_FRAME,       /* one frame's JSON is in the buffer */
  FEED_NOTHING,     /* none came in the time given */
  FEED_LOST,        /* the connection broke, *err says how; it is tried again, and told of once */
  FEED_INTERRUPTED, /* Ctrl-C; the feed can be read on */
  FEED_END,         /* nothing will follow */
  FEED_FAILED,      /* *err says why */
};

struct feed {
  /* Waits at most timeout_ms. `frame` is cleared first. */
  enum feed_answer (*next)(struct feed *feed, int timeout_ms, struct buffer *frame,
                           struct error *err);
  void (*close)(struct feed *feed); /* frees it */
};

enum { FEED_FRAME_MAX = 16 << 20 }; /* bytes of one frame */

/* Events of a debate in the store as frames, from the first. With `follow` it goes on until
 * debate_end, looking for new ones; without it ends where the log ends now. The id, not the slug.
 */
MUST_CHECK enum status feed_open_store(struct store *store, const char *debate_id, bool follow,
                                       struct feed **ret_feed, struct error *err);

/* A debate that runs in this process, from its first event. */
MUST_CHECK enum status feed_open_hub(struct hub *hub, struct store *store, const char *debate_id,
                                     struct feed **ret_feed, struct error *err);

/* A debate of a server, from its first event; connects anew where the connection breaks. */
struct remote;
MUST_CHECK enum status feed_open_remote(struct remote *remote, const char *debate_id,
                                        struct feed **ret_feed, struct error *err);

#endif
