/* The configuration file, a line at a time: "NAME = value", with "#" before a comment. Pure; the
 * caller has read the file.
 *
 *     # Server settings
 *     HTTP_PORT = 8080
 *     log-file = "/var/log/aragora/server.log"   # a comment
 *
 * A value is freed of blanks at both ends; one that holds " #" or such blanks stands in quotation
 * marks, '...' or "...", in which nothing is special.
 */
#ifndef ARAGORA_BASE_CONFIG_FILE_H
#define ARAGORA_BASE_CONFIG_FILE_H

#include "base/bytes.h"

struct config_file {
  struct bytes rest;        /* at the start the whole text */
  int line;                 /* 0 at the start */
  struct bytes name, value; /* into the text */
};

/* The next setting. STATUS_NOT_FOUND at the end. STATUS_INVALID with the reason, at `line`; the
 * next call goes on after it. */
MUST_CHECK enum status config_file_next(struct config_file *file, struct error *err);

#endif
