/* Watches, while a server asks for no credential, whether `aragora user` made a user beside it. */
#ifndef ARAGORA_API_USER_WATCH_H
#define ARAGORA_API_USER_WATCH_H

#include "api/state.h"

/* Looks every 5 s until credentials are required. Any thread; ends with the loop. */
void user_watch_start(struct api *api);

#endif
