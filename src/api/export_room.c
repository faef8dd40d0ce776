#include "api/export_room.h"

#include <pthread.h>
#include <stdlib.h>

enum { RETRY_AFTER_S = 5 };

struct export_room {
  pthread_mutex_t lock;
  size_t count;
  char (*tenants)[IDENTITY_TEXT_SIZE]; /* of each place; "" = it is free */
};

struct export_room *export_room_create(size_t places) {
  struct export_room *room = calloc(1, sizeof *room);
  if (!room) return NULL;
  room->count = places;
  room->tenants = calloc(places, sizeof *room->tenants);
  pthread_mutex_init(&room->lock, NULL);
  if (room->tenants) return room;
  export_room_destroy(room);
  return NULL;
}

void export_room_destroy(struct export_room *room) {
  if (!room) return;
  pthread_mutex_destroy(&room->lock);
  free(room->tenants);
  free(room);
}

static size_t share_of(const struct export_room *room, const struct identity *who) {
  if (who->kind == IDENTITY_LOCAL) return room->count;
  return room->count > 1 ? room->count / 2 : 1;
}

/* Locked. `room->count` when there is none. */
static size_t find_place(const struct export_room *room, const char *tenant_id, size_t *ret_held) {
  size_t place = room->count;
  *ret_held = 0;
  for (size_t i = 0; i < room->count; i++) {
    if (!*room->tenants[i])
      place = i;
    else if (strcmp(room->tenants[i], tenant_id) == 0)
      ++*ret_held;
  }
  return place;
}

static enum status refuse(enum status status, size_t limit, struct error *err) {
  if (status == STATUS_LIMITED)
    error_set(err, status, NULL,
              "%zu exports of yours are under way, which is the limit of one tenant: try later",
              limit);
  else
    error_set(err, status, NULL, "%zu exports are under way, which is the limit: try later", limit);
  err->retry_after_s = RETRY_AFTER_S;
  return status;
}

enum status export_room_enter(struct export_room *room, const struct identity *who,
                              size_t *ret_place, struct error *err) {
  size_t held, share = share_of(room, who);
  pthread_mutex_lock(&room->lock);
  size_t place = find_place(room, who->tenant_id, &held);
  bool admitted = place < room->count && held < share;
  if (admitted) memcpy(room->tenants[place], who->tenant_id, sizeof room->tenants[place]);
  pthread_mutex_unlock(&room->lock);
  if (!admitted && held >= share && share < room->count) return refuse(STATUS_LIMITED, share, err);
  if (!admitted) return refuse(STATUS_FULL, room->count, err);
  *ret_place = place;
  return STATUS_OK;
}

void export_room_leave(struct export_room *room, size_t place) {
  pthread_mutex_lock(&room->lock);
  room->tenants[place][0] = '\0';
  pthread_mutex_unlock(&room->lock);
}
