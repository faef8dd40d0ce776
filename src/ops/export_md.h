/* Debates as Markdown (CommonMark with the tables of GitHub's), of the debate object that
 * view_debate makes. What models wrote stands in quotes, escaped: it comes out of a renderer as it
 * was written, and is neither a heading nor a link, an image, HTML or a fence that swallows what
 * follows. Pure; any thread.
 */
#ifndef ARAGORA_OPS_EXPORT_MD_H
#define ARAGORA_OPS_EXPORT_MD_H

#include "base/json.h"

/* Before the first debate of several. */
void export_md_begin(struct buffer *out, const char *exported_at);
void export_md_debate(struct buffer *out, const json_t *debate, bool alone);
/* One whose log cannot be read: what its row says, and why. */
void export_md_unreadable(struct buffer *out, const json_t *row, const char *why);
/* `count` debates were shown; -1 after one alone. */
void export_md_end(struct buffer *out, int64_t count, const char *exported_at);

#endif
