/* Numbers as people read them. On the wire shares are 0..1 and money is dollars; here they are
 * counted again, so that 0.6 is 600000 and not nearly so. Pure.
 */
#ifndef ARAGORA_BASE_FIGURE_H
#define ARAGORA_BASE_FIGURE_H

#include "base/json.h"

/* A number 0..1 in ppm; -1 when it is none. */
int64_t figure_ppm(const json_t *object, const char *name);
/* Dollars in micro-dollars; -1 when unknown. */
int64_t figure_usd_micro(const json_t *object, const char *name);

/* "67 %", "100 %"; rounded down, as nothing may look reached that is not. */
void figure_append_percent(struct buffer *out, int64_t ppm);
/* "0.72" */
void figure_append_share(struct buffer *out, int64_t ppm);
/* "12,345" */
void figure_append_count(struct buffer *out, int64_t count);
/* "$0.0123", "$1.20", "$0"; "price unknown" when negative. */
void figure_append_money(struct buffer *out, int64_t usd_micro);
/* "812 bytes", "84 KiB", "1.2 MiB", "3.4 GiB" */
void figure_append_bytes(struct buffer *out, int64_t bytes);
/* "340 ms", "12.3 s", "4 min 05 s" */
void figure_append_duration(struct buffer *out, int64_t ms);
/* "just now", "5 min ago", "3 h ago", "2 days ago" */
void figure_append_ago(struct buffer *out, int64_t ms);

#endif
