#include "store/known.h"

#include "base/sparse.h"

enum status known_init(struct known *known) {
  known->slots = sparse_alloc(KNOWN_SLOTS * sizeof *known->slots);
  return known->slots ? STATUS_OK : STATUS_NOMEM;
}

void known_done(struct known *known) {
  sparse_free(known->slots, KNOWN_SLOTS * sizeof *known->slots);
  known->slots = NULL;
}

void known_forget(struct known *known) {
  memset(known->slots, 0, KNOWN_SLOTS * sizeof *known->slots);
}

struct known_debate *known_place(struct known *known, const char *id) {
  uint64_t hash = 0xcbf29ce484222325; /* FNV-1a, RFC draft-eastlake-fnv */
  size_t len = 0;
  for (; id[len]; len++) {
    if (len == KNOWN_ID_SIZE - 1) return NULL;
    hash = (hash ^ (unsigned char)id[len]) * 0x100000001b3;
  }
  struct known_debate *place = &known->slots[(hash ^ hash >> 32) % KNOWN_SLOTS];
  if (memcmp(place->id, id, len + 1) != 0) {
    memcpy(place->id, id, len + 1);
    place->num = 0;
  }
  return place;
}
