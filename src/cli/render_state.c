#include "cli/render_state.h"

#include "cli/text.h"

#include <stdlib.h>

struct render *render_create(const struct render_options *options) {
  struct render *r = calloc(1, sizeof *r);
  if (!r) return NULL;
  r->options = *options;
  r->page = (struct page){NULL, (size_t)options->width, options->colour};
  r->critiques = json_array();
  r->ballots = json_array();
  if (!r->critiques || !r->ballots) {
    render_destroy(r);
    return NULL;
  }
  return r;
}

void render_destroy(struct render *r) {
  if (!r) return;
  cast_done(&r->cast);
  json_decref(r->critiques);
  json_decref(r->ballots);
  json_decref(r->start);
  json_decref(r->consensus);
  json_decref(r->error);
  json_decref(r->end);
  free(r->debate_id);
  free(r);
}

char *render_text(struct render *r, const json_t *object, const char *key) {
  char *text = text_clean(bytes_of(json_get_text(object, key, "")));
  if (!text) r->page.out->overflow = true;
  return text ? text : calloc(1, 1);
}

struct page_gutter render_gutter_of(struct render *r, const char *agent) {
  return (struct page_gutter){agent, cast_style(&r->cast, agent), r->cast.columns};
}

void render_gutter(struct render *r, struct page_gutter *g, const char *lead, int lead_style,
                   int style, const char *text) {
  FREE_LATER char *clean = text_clean(bytes_of(text));
  if (!clean) r->page.out->overflow = true;
  struct page_text t = {lead, lead_style, lead ? text_columns(bytes_of(lead)) : 0, style,
                        bytes_of(clean)};
  if (t.hang > 4) t.hang = 2;
  page_gutter_text(&r->page, g, &t);
}
