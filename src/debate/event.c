#include "debate/event.h"

#include "debate/attempt_note.h"

#include <stdlib.h>

enum { NOTE_USUAL_BYTES = 500 };

static const char *const kind_names[] = {
    [EVENT_DEBATE_START] = "debate_start",
    [EVENT_ROUND_START] = "round_start",
    [EVENT_ATTEMPT_START] = "attempt_start",
    [EVENT_ATTEMPT_END] = "attempt_end",
    [EVENT_AGENT_MESSAGE] = "agent_message",
    [EVENT_CRITIQUE] = "critique",
    [EVENT_VOTE] = "vote",
    [EVENT_AGENT_ERROR] = "agent_error",
    [EVENT_STOP] = "stop",
    [EVENT_CONSENSUS] = "consensus",
    [EVENT_ERROR] = "error",
    [EVENT_DEBATE_END] = "debate_end",
    [EVENT_RESUMED] = "resumed",
    [EVENT_CANCEL_REQUESTED] = "cancel_requested",
    [EVENT_DEADLINE_REACHED] = "deadline_reached",
    [EVENT_BUDGET_EXHAUSTED] = "budget_exhausted",
    [EVENT_UNKNOWN] = "unknown",
};

const char *event_kind_name(enum event_kind kind) {
  return kind_names[kind <= EVENT_UNKNOWN ? kind : EVENT_UNKNOWN];
}

enum event_kind event_kind_parse(const char *name) {
  for (int i = 0; i < EVENT_UNKNOWN; i++)
    if (strcmp(kind_names[i], name) == 0) return (enum event_kind)i;
  return EVENT_UNKNOWN;
}

static struct draft *add(struct drafts *drafts) {
  if (drafts->count == drafts->cap) {
    size_t cap = drafts->cap ? drafts->cap * 2 : 4;
    struct draft *grown = realloc(drafts->items, cap * sizeof *grown);
    if (!grown) return NULL;
    drafts->items = grown;
    drafts->cap = cap;
  }
  return &drafts->items[drafts->count++];
}

enum status drafts_add(struct drafts *drafts, enum event_kind kind, int round, const char *agent,
                       json_t *data) {
  struct draft *draft = data ? add(drafts) : NULL;
  if (draft)
    *draft = (struct draft){.kind = kind, .round = round, .agent = agent, .data = data};
  else
    json_decref(data);
  return draft ? STATUS_OK : STATUS_NOMEM;
}

enum status drafts_add_note(struct drafts *drafts, enum event_kind kind, int round,
                            const char *agent, struct attempt_note *note) {
  struct draft *draft = note && !note->failed ? add(drafts) : NULL;
  if (draft)
    *draft = (struct draft){.kind = kind, .round = round, .agent = agent, .note = note};
  else
    attempt_note_free(note);
  return draft ? STATUS_OK : STATUS_NOMEM;
}

void drafts_done(struct drafts *drafts) {
  for (size_t i = 0; i < drafts->count; i++) {
    json_decref(drafts->items[i].data);
    attempt_note_free(drafts->items[i].note);
  }
  free(drafts->items);
  *drafts = (struct drafts){0};
}

char *draft_text(const struct draft *draft) {
  if (!draft->note) return json_canonical_dup(draft->data);
  BUFFER_LATER struct buffer out;
  buffer_init(&out, SIZE_MAX / 4);
  buffer_reserve(&out, NOTE_USUAL_BYTES);
  attempt_note_append(&out, draft->note);
  return buffer_steal(&out);
}

json_t *draft_data(struct draft *draft) {
  FREE_LATER char *text = draft->data ? NULL : draft_text(draft);
  if (text && json_parse(bytes_of(text), &draft->data, NULL)) draft->data = NULL;
  return draft->data;
}
