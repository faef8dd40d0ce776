/* A gzip stream of zeros that unpacks to about 158 times its size. Pure. */
#ifndef ARAGORA_FAKE_GZIP_BOMB_H
#define ARAGORA_FAKE_GZIP_BOMB_H

#include "base/bytes.h"

/* Appends about `bytes` bytes; they end within the stream, which never says that it is over. */
void gzip_bomb_append(struct buffer *out, size_t bytes);

#endif
