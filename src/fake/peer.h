/* One connection of the fake provider: cuts requests out of what it reads, has each answered, and
 * plays the answer: at once, paced, byte by byte, for ever, or not at all. Requests that come while
 * another waits for its latency, or an answer is under way, wait too, in a bounded buffer. Loop
 * thread.
 */
#ifndef ARAGORA_FAKE_PEER_H
#define ARAGORA_FAKE_PEER_H

#include "fake/inbound.h"
#include "fake/outbound.h"
#include "io/loop.h"

struct peer;

/* What a connection needs of its server; outlives every peer. */
struct peer_host {
  struct loop *loop;
  struct outbound *outbound; /* filled by `answer`; one for all peers */
  char *read_space;          /* one for all peers: read and looked at before the next read */
  size_t read_size;
  void *ctx;
  /* How long a request that has come waits before `answer`; 0 = not at all. Asked once. */
  uint64_t (*wait_ms)(void *ctx, const struct inbound *request);
  /* Fills *host->outbound, cleared before, for a request, which may have waited. */
  void (*answer)(void *ctx, const struct inbound *request, bool waited);
  /* The same for bytes that are no request; closes. */
  void (*refuse)(void *ctx, int status);
  void (*sent)(void *ctx, size_t bytes);
  /* The peer is freed after this; `early`: the client left within an answer. */
  void (*closed)(void *ctx, struct peer *peer, bool early);
};

/* Accepts from a listener that has a connection waiting; NULL when that failed. */
struct peer *peer_accept(struct peer_host *host, uv_stream_t *listener);
/* `closed` follows from the loop. */
void peer_close(struct peer *peer);
/* A place for the server's list of peers. */
struct peer **peer_next(struct peer *peer);
struct peer **peer_previous(struct peer *peer);

#endif
