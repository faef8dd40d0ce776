/* What the page of a debate has to remember between frames. Private to render.c and to votes.c and
 * verdict.c, which it calls. */
#ifndef ARAGORA_CLI_RENDER_STATE_H
#define ARAGORA_CLI_RENDER_STATE_H

#include "cli/cast.h"
#include "cli/page.h"
#include "cli/render.h"

enum { RENDER_TITLE_SIZE = 64 };

struct render {
  struct render_options options;
  struct page page; /* `out` is set while a frame is rendered */
  struct cast cast;
  char title[RENDER_TITLE_SIZE]; /* of the section that is open */
  char doing[RENDER_TITLE_SIZE]; /* what is asked now */
  bool thinking[CAST_MAX];
  json_t *critiques;                       /* frames of the round, kept until all are in */
  json_t *ballots;                         /* frames, kept until the positions are known */
  json_t *start, *consensus, *error, *end; /* data of these events, or NULL */
  char *debate_id;
};

/* A clean copy of a text of a frame for free(); never NULL: "" when it is absent, and a memory
 * shortage sets the page's overflow. */
char *render_text(struct render *r, const json_t *object, const char *key);
/* `text` cleaned, in the gutter of `g`. */
void render_gutter(struct render *r, struct page_gutter *g, const char *lead, int lead_style,
                   int style, const char *text);
struct page_gutter render_gutter_of(struct render *r, const char *agent);

/* The box. */
void verdict_render(struct render *r);
/* Positions and who ranked them how. */
void votes_render(struct render *r);

#endif
