#include "debate/event.h"

#include <stdlib.h>

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

enum status drafts_add(struct drafts *drafts, enum event_kind kind, int round, const char *agent,
                       json_t *data) {
  if (!data) return STATUS_NOMEM;
  if (drafts->count == drafts->cap) {
    size_t cap = drafts->cap ? drafts->cap * 2 : 4;
    struct draft *grown = realloc(drafts->items, cap * sizeof *grown);
    if (!grown) {
      json_decref(data);
      return STATUS_NOMEM;
    }
    drafts->items = grown;
    drafts->cap = cap;
  }
  drafts->items[drafts->count++] = (struct draft){kind, round, agent, data};
  return STATUS_OK;
}

void drafts_done(struct drafts *drafts) {
  for (size_t i = 0; i < drafts->count; i++) json_decref(drafts->items[i].data);
  free(drafts->items);
  *drafts = (struct drafts){0};
}
