/* Checking logs that come in files, without any database: the proof travels with the file.
 *
 * Knows events.jsonl (an event a line), a JSON export of one debate or of many, and a replay as it
 * is exported. Where a file says what came of the debate beside the log, that must be what the log
 * says: every field of it that this version knows. Blocks; any thread.
 */
#ifndef ARAGORA_OPS_PROOF_H
#define ARAGORA_OPS_PROOF_H

#include "base/json.h"
#include "debate/check.h"

#include <stdio.h>

/* One debate of the file. `debate_id` is NULL where the file does not say it. False ends the
 * reading.
 */
typedef bool proof_result_fn(void *ctx, const char *debate_id, const struct check_result *result);

/* A wrong log is a result, not an error. STATUS_CORRUPT for a file that is none of these, or that
 * is cut; STATUS_IO. `name` is for messages. */
MUST_CHECK enum status proof_read_file(FILE *file, const char *name, proof_result_fn *each,
                                       void *ctx, struct error *err);
/* A file, or the directory of a replay: meta.json and events.jsonl, which must agree. */
MUST_CHECK enum status proof_read_path(const char *path, proof_result_fn *each, void *ctx,
                                       struct error *err);

/* An event as files have it. *ret_data is the text that *ret_line's data lies in, for free().
 * STATUS_CORRUPT names what is wrong. */
MUST_CHECK enum status proof_event_read(const json_t *event, struct check_line *ret_line,
                                        char **ret_data, struct error *err);

#endif
