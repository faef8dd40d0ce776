/* A fake provider on a free port and a thread of its own, and a plain HTTP client on a blocking
 * socket that shows the bytes as they came. */
#ifndef ARAGORA_TESTS_FAKE_FIXTURE_H
#define ARAGORA_TESTS_FAKE_FIXTURE_H

#include "fake/fake_server.h"

struct response {
  int status;         /* 0 = the connection ended before a head */
  struct buffer head; /* with its blank line */
  struct buffer body; /* without chunk framing */
  bool whole;         /* the framing came to its end */
  bool reset;         /* RST */
  int reads;          /* that brought bytes */
};

void fixture_start(const struct fake_options *options);
void fixture_stop(void);

int fixture_connect(void);
void fixture_send(int fd, struct bytes data);
/* A POST with a body; `extra` are header lines with CRLF, or "". */
void fixture_post(int fd, const char *path, const char *extra, const char *body);
/* Reads one response to its end, or the connection's, or until `body_max` bytes of body came. */
struct response fixture_read(int fd, size_t body_max);
void response_done(struct response *r);
/* The three in one, on a connection of its own. */
struct response fixture_ask(const char *path, const char *extra, const char *body);
/* POST /_fake/script, which must be taken. */
void fixture_script(const char *script);
/* The value of a header, or NULL; static. */
const char *response_header(const struct response *r, const char *name);

#endif
