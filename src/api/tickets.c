#include "api/tickets.h"

#include "base/sha256.h"

#include <pthread.h>
#include <stdlib.h>
#include <uthash.h>

struct ticket {
  UT_hash_handle hh;
  uint8_t hash[SHA256_SIZE];
  int64_t expires_us;
  struct identity identity;
};

/* All live equally long: those that were drawn first, which the table keeps in their order, expire
 * first. */
struct tickets {
  size_t max;
  pthread_mutex_t lock;
  struct ticket *table;
};

struct tickets *tickets_create(size_t max) {
  struct tickets *tickets = calloc(1, sizeof *tickets);
  if (!tickets) return NULL;
  tickets->max = max;
  pthread_mutex_init(&tickets->lock, NULL);
  return tickets;
}

static void drop(struct tickets *tickets, struct ticket *ticket) {
  HASH_DEL(tickets->table, ticket);
  free(ticket);
}

void tickets_destroy(struct tickets *tickets) {
  if (!tickets) return;
  while (tickets->table) drop(tickets, tickets->table);
  pthread_mutex_destroy(&tickets->lock);
  free(tickets);
}

void tickets_draw(struct tickets *tickets, const struct identity *identity, int64_t now_us,
                  char ret_ticket[ID_SIZE]) {
  id_generate(ret_ticket);
  struct ticket *ticket = calloc(1, sizeof *ticket);
  if (!ticket) return; /* one that nobody knows */
  sha256_of(bytes_of(ret_ticket), ticket->hash);
  ticket->expires_us = now_us + TICKET_TTL_S * 1000000LL;
  ticket->identity = *identity;
  pthread_mutex_lock(&tickets->lock);
  while (tickets->table &&
         (tickets->table->expires_us <= now_us || HASH_COUNT(tickets->table) >= tickets->max))
    drop(tickets, tickets->table);
  HASH_ADD(hh, tickets->table, hash, sizeof ticket->hash, ticket);
  pthread_mutex_unlock(&tickets->lock);
}

bool tickets_take(struct tickets *tickets, const char *text, int64_t now_us,
                  struct identity *ret_identity) {
  uint8_t hash[SHA256_SIZE];
  struct ticket *ticket;
  sha256_of(bytes_of(text), hash);
  pthread_mutex_lock(&tickets->lock);
  HASH_FIND(hh, tickets->table, hash, sizeof hash, ticket);
  bool good = ticket && ticket->expires_us > now_us;
  if (good) *ret_identity = ticket->identity;
  if (ticket) drop(tickets, ticket);
  pthread_mutex_unlock(&tickets->lock);
  return good;
}
