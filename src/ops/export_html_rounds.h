/* What was said in a debate, round by round, as a part of the page of export_html.h. Pure; any
 * thread.
 */
#ifndef ARAGORA_OPS_EXPORT_HTML_ROUNDS_H
#define ARAGORA_OPS_EXPORT_HTML_ROUNDS_H

#include "base/json.h"

/* Of the debate object that view_debate makes. */
void export_html_rounds(struct buffer *out, const json_t *debate);

#endif
