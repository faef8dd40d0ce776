/* libcurl, loaded when it is first needed.
 *
 * With it come 19 more libraries, a tenth of the time until a server answers, and nothing of it is
 * needed by then. So the program is linked without it: libcurl.c defines the functions of
 * <curl/curl.h> that the program uses, each passes its call on, and the first one that can come
 * first loads the library.
 */
#ifndef ARAGORA_IO_LIBCURL_H
#define ARAGORA_IO_LIBCURL_H

#include "base/status.h"

/* Loads the library and readies it (curl_global_init), once in a process; several milliseconds the
 * first time. STATUS_IO with the loader's reason, and the same every time after. Any thread.
 *
 * Who calls curl without it gets CURLE_FAILED_INIT or NULL from a library that cannot be loaded.
 */
MUST_CHECK enum status libcurl_load(struct error *err);

#endif
