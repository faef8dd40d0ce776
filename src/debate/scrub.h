/* The names that must not show in what agents read of each other, made ready once a debate.
 * prompt_scrub() is declared in prompt.h. Pure; one owner. */
#ifndef ARAGORA_DEBATE_SCRUB_H
#define ARAGORA_DEBATE_SCRUB_H

#include "base/bytes.h"
#include "debate/config.h"

#include <stdint.h>

struct scrub_name {
  const char *text; /* borrowed */
  size_t len;
  bool family;  /* of a vendor or model: a version that follows goes with it ("GPT-5.2 Pro") */
  bool word;    /* means something else without a version: then as if mild */
  bool mild;    /* taken out of self-introductions only */
  int16_t next; /* the next name with the same first letter, not longer, -1 = none */
};

struct scrub {
  struct scrub_name *names;
  size_t count;
  int16_t first[256]; /* the longest name by its first letter in lower case, -1 = none */
  bool begins[256];   /* whether a name begins with the byte, in either case */
};

/* `names` as in prompt_scrub; borrowed until scrub_done. */
MUST_CHECK enum status scrub_init(struct scrub *scrub, const char *const *names, const char *task,
                                  const char *context);
/* The names of a debate, whose configuration is borrowed until scrub_done. */
MUST_CHECK enum status scrub_init_debate(struct scrub *scrub, const struct debate_config *config);
void scrub_done(struct scrub *scrub);

/* Appends `text` without the names. Linear in the text. */
void scrub_append(const struct scrub *scrub, struct bytes text, struct buffer *out);

#endif
