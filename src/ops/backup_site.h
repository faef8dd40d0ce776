/* A backup site as the options set it: which databases, and where their backups lie. */
#ifndef ARAGORA_OPS_BACKUP_SITE_H
#define ARAGORA_OPS_BACKUP_SITE_H

#include "base/options.h"
#include "ops/backup.h"

/* Opens the place: options->backup_to, else `backups` in the data directory (options_place_files
 * was called). `progress` (or NULL) and the options outlive the site. As place_open. */
MUST_CHECK enum status backup_site_open(const struct options *options,
                                        const struct progress *progress,
                                        struct backup_site *ret_site, struct error *err);
void backup_site_close(struct backup_site *site); /* one that is all zeros is fine */

#endif
