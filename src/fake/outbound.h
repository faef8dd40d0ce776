/* An answer of the fake provider: what is sent, and how it is spread over time. Filled by whoever
 * answers, spoilt by damage.c, turned into bytes on the wire by plan.c. One is reused for many
 * answers. Loop thread.
 */
#ifndef ARAGORA_FAKE_OUTBOUND_H
#define ARAGORA_FAKE_OUTBOUND_H

#include "base/bytes.h"

enum { OUTBOUND_BODY_MAX = 64 * 1024 * 1024 };

enum outbound_end {
  OUTBOUND_KEEP,   /* the connection is ready for the next request */
  OUTBOUND_CLOSE,  /* FIN */
  OUTBOUND_RESET,  /* RST */
  OUTBOUND_HOLD,   /* says nothing more until the client goes */
  OUTBOUND_REPEAT, /* `again` for ever */
};

struct outbound {
  int status;
  const char *content_type; /* NULL = none */
  struct buffer headers;    /* further lines, each with its CRLF */
  struct buffer body;
  bool chunked;    /* transfer-encoding: chunked, else content-length */
  bool lines;      /* records are lines, not events */
  bool silent;     /* not even a head */
  bool unfinished; /* the body's framing is left open */
  size_t declared; /* content-length when it is not the body's; 0 = the body's */
  enum outbound_end end;
  struct buffer again; /* OUTBOUND_REPEAT */
  uint64_t again_ms;   /* between two of it */
  uint64_t latency_ms; /* before the first byte */
  int64_t record_rate; /* records a second, 0 = all at once; chunked only */
  size_t write_max;    /* bytes of one write, 0 = any */
  uint64_t write_ms;   /* wait after each */
  struct buffer head;  /* scratch of outbound_head */
};

void outbound_init(struct outbound *o);
void outbound_done(struct outbound *o);
/* Empty again: 200, no body, keep. Keeps memory up to a bound. */
void outbound_clear(struct outbound *o);
/* The head with its blank line, and for a chunked body that is sent as one the size line of the
 * chunk, into o->head. `old`: HTTP/1.0, which has no chunks. */
void outbound_head(struct outbound *o, bool old, bool one_chunk);
/* End of the record that begins at `from`; the body's length for the last. */
size_t outbound_record_end(const struct outbound *o, size_t from);
/* Inserts into the body. */
void outbound_insert(struct outbound *o, size_t at, struct bytes data);
/* True when memory was short or a limit passed. */
bool outbound_failed(const struct outbound *o);

#endif
