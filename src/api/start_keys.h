/* The starts with an Idempotency-Key that are under way: from before the store is asked for the key
 * until the debate is on disk, or nothing came of it. Who brings a key that is in here waits for
 * the one that came first, whatever its request: so there is never a moment in which two look and
 * neither finds, and nobody is refused for a request that comes to nothing.
 *
 * After that the store knows the key (store_find_start_key). Any thread.
 */
#ifndef ARAGORA_API_START_KEYS_H
#define ARAGORA_API_START_KEYS_H

#include "base/principal.h"
#include "http/server.h"
#include "store/store.h"

struct start_keys;
struct start_entry; /* a key that is under way */

/* Part of what waits for an answer; the list is in the order of arrival. */
struct start_waiter {
  struct start_waiter *next;
};

enum start_keys_answer {
  START_KEYS_FIRST, /* it is this one's to look and start, and then to call start_keys_leave */
  START_KEYS_WAITS, /* the first one gets the waiter when it leaves */
  START_KEYS_NO_MEMORY,
};

struct start_keys *start_keys_create(void); /* NULL when memory is short */
/* Nothing is under way any more. NULL is fine. */
void start_keys_destroy(struct start_keys *keys);

/* The text is copied. *ret_entry is written for the first one. */
enum start_keys_answer start_keys_enter(struct start_keys *keys, const struct principal *who,
                                        const char *key, struct start_waiter *waiter,
                                        struct start_entry **ret_entry);
/* Frees the entry. Those who waited behind the first, for it to answer; NULL = none. */
struct start_waiter *start_keys_leave(struct start_keys *keys, struct start_entry *entry);

enum { START_KEY_MAX = 255 };

/* 1 to 255 visible ASCII characters. */
bool start_key_valid(const char *text);
/* Of a body, whatever the order of its keys and its white space. False when memory is short. */
bool start_key_digest(const json_t *body, uint8_t ret_digest[32]);

#endif
