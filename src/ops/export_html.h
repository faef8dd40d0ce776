/* Debates as one HTML page that needs nothing else: no script, no picture, no address; what models
 * wrote is text and never markup, and the page's own policy forbids everything but its style. Made
 * of the debate object that view_debate makes. Pure; any thread.
 */
#ifndef ARAGORA_OPS_EXPORT_HTML_H
#define ARAGORA_OPS_EXPORT_HTML_H

#include "base/json.h"

/* Until the first debate. `debate` is the one that the page is about; NULL = it holds several.
 * `exported_at` is ISO text. */
void export_html_begin(struct buffer *out, const json_t *debate, const char *exported_at);
/* One debate: open when the page is about it alone, else folded up. */
void export_html_debate(struct buffer *out, const json_t *debate, bool alone);
/* One whose log cannot be read: what its row says, and why. */
void export_html_unreadable(struct buffer *out, const json_t *row, const char *why);
/* `count` debates were shown; -1 on the page of one. */
void export_html_end(struct buffer *out, int64_t count, const char *exported_at);

enum { EXPORT_HTML_POLICY_SIZE = 256 };
/* The Content-Security-Policy of the page; for a header with `sandbox` in front of it. */
void export_html_policy(char ret_policy[EXPORT_HTML_POLICY_SIZE]);

#endif
