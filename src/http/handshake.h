/* The opening handshake of RFC 6455 section 4.2, apart from sockets. Any thread. */
#ifndef ARAGORA_HTTP_HANDSHAKE_H
#define ARAGORA_HTTP_HANDSHAKE_H

#include "base/bytes.h"

enum { HANDSHAKE_ACCEPT_SIZE = 29 };

/* True when a comma list of tokens (Connection, Upgrade) holds `token`, in any case. */
bool handshake_list_has(const char *list, const char *token);

/* The Sec-WebSocket-Accept of a key. False when the key is not the base64 of 16 bytes. */
bool handshake_accept(const char *key, char out[HANDSHAKE_ACCEPT_SIZE]);

#endif
