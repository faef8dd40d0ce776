/* Writing HTML: text is escaped, tags and class names are ours. Pure; any thread. */
#ifndef ARAGORA_OPS_HTML_H
#define ARAGORA_OPS_HTML_H

#include "base/json.h"

/* Any text as text: < > & and quotes escaped, and what ops/wary_text.h lets through. */
void html_text(struct buffer *out, struct bytes text);
/* <tag class="..."> and </tag>; `class_name` may be NULL. Neither is escaped. */
void html_open(struct buffer *out, const char *tag, const char *class_name);
/* The same for somebody's text, which has a direction of its own. */
void html_open_auto(struct buffer *out, const char *tag, const char *class_name);
void html_close(struct buffer *out, const char *tag);
/* A share of the object as "67 %", "–" where it has none. */
void html_percent(struct buffer *out, const json_t *object, const char *key);
/* A block of somebody's text. */
void html_block(struct buffer *out, const char *class_name, const char *text);

#endif
