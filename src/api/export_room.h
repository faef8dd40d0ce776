/* Room for exports of many things: so many at once, whatever they are of, and of one tenant no more
 * than half of them, so that those who read slowly leave some to others. Any thread. */
#ifndef ARAGORA_API_EXPORT_ROOM_H
#define ARAGORA_API_EXPORT_ROOM_H

#include "auth/identity.h"

struct export_room;

/* NULL when memory is short. */
struct export_room *export_room_create(size_t places);
void export_room_destroy(struct export_room *room); /* NULL is fine */

/* A place, to be given back by export_room_leave once the export is over; *ret_place is its number.
 * STATUS_FULL when there is none, STATUS_LIMITED when the caller's tenant has its part, both with
 * when to try again. Where no credential is configured everybody is one, and may have all. */
MUST_CHECK enum status export_room_enter(struct export_room *room, const struct identity *who,
                                         size_t *ret_place, struct error *err);
void export_room_leave(struct export_room *room, size_t place);

#endif
