/* Room for exports of many things: so many at once, whatever they are of. Any thread. */
#ifndef ARAGORA_API_EXPORTS_H
#define ARAGORA_API_EXPORTS_H

#include "api/state.h"

/* STATUS_FULL, with when to try again; else exports_leave once the export is over. */
MUST_CHECK enum status exports_admit(struct api *api, struct error *err);
void exports_leave(struct api *api);

#endif
