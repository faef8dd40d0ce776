/* The scripted provider: a server on one port that speaks the four wire formats of
 * provider/wire.h, without a model behind it. For tests, benchmarks and exercises; it trusts
 * whoever reaches it, so it listens on loopback unless told otherwise.
 *
 *   POST .../messages                              Anthropic
 *   POST .../chat/completions                      OpenAI and its family
 *   POST .../api/v1/chat/completions               OpenRouter
 *   POST .../models/{model}:streamGenerateContent  Gemini; also :generateContent
 *   POST .../api/chat                              Ollama
 *   GET  .../models, .../models/{id}, .../api/tags, POST .../api/show     which models there are
 *   GET  .../key, .../user/balance                 credit of a key (OpenRouter, DeepSeek)
 *   GET  /_fake/stats, POST /_fake/script          what happened; another script
 *
 * Raw sockets and no HTTP library, because it must break the protocol on purpose. Which fault an
 * answer has is decided in this order: header x-fake-fault, "model@fault", script, options.
 * Everything on the loop's thread.
 */
#ifndef ARAGORA_FAKE_FAKE_SERVER_H
#define ARAGORA_FAKE_FAKE_SERVER_H

#include "fake/fault.h"
#include "fake/script.h"
#include "io/loop.h"
#include "provider/scripted_reply.h"

enum { FAKE_PEERS_MAX = 50000 }; /* further connections are accepted and closed */

struct fake_options {
  const char *host;     /* a numeric address */
  int port;             /* 0 = any that is free */
  uint64_t latency_ms;  /* before the first byte of an answer */
  int64_t token_rate;   /* records a second, 0 = the whole answer in one write */
  size_t write_bytes;   /* bytes of one write, 0 = as many as there are */
  int words;            /* of an answer; 0 = as long as it comes */
  int64_t severity_ppm; /* of critiques; -1 = each persona's own */
  enum scripted_change change;
  const struct fault *fault; /* of every answer */
  uint64_t seed;             /* who gets which persona */
  bool quiet;                /* no line on standard error for each request */
};

#define FAKE_OPTIONS_DEFAULT \
  ((struct fake_options){    \
      .host = "127.0.0.1", .severity_ppm = -1, .fault = fault_none, .quiet = true})

struct fake_server;

/* Listens from the return on. STATUS_IO when the address is taken. */
MUST_CHECK enum status fake_server_create(struct loop *loop, const struct fake_options *options,
                                          struct fake_server **ret_server, struct error *err);
int fake_server_port(const struct fake_server *server);
/* Takes over the script, NULL = none. */
void fake_server_set_script(struct fake_server *server, struct script *script);
/* Closes the listener and every connection; what they hold is freed by the loop, which must run or
 * be destroyed afterwards. NULL is fine. On the loop's thread, or after loop_run returned. */
void fake_server_destroy(struct fake_server *server);

#endif
