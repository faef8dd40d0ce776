/* The JSON schema of a reply. Only what every vendor's strict mode takes: types, enumerations,
 * required, additionalProperties; no counts and no ranges, which reply.c checks. ASCII and compact.
 * What is to be thought about first stands first, since models write in this order: the answers to
 * the items before the stance, the scores before the verdict. */
#include "base/utf8.h"
#include "debate/prompt.h"
#include "debate/reply.h"

#include <stdlib.h>

const char *const turn_kind_names[TURN_KIND_COUNT + 1] = {"proposal", "critique", "revision",
                                                          "ballot",   "judgment", NULL};
const char *const score_names[SCORE_COUNT + 1] = {"correctness", "completeness", "evidence", "risk",
                                                  NULL};

#define TEXT   "{\"type\":\"string\"}"
#define NUMBER "{\"type\":\"number\"}"
#define CLOSED ",\"additionalProperties\":false}"

static void append_labels(struct buffer *out, int labels) {
  if (labels < 1) { /* an empty enumeration is no schema */
    buffer_append_text(out, TEXT);
    return;
  }
  buffer_append_text(out, "{\"type\":\"string\",\"enum\":[");
  for (int i = 0; i < labels; i++) buffer_printf(out, "%s\"Response %c\"", i ? "," : "", 'A' + i);
  buffer_append_text(out, "]}");
}

static void append_items(struct buffer *out, int items) {
  if (items < 1) {
    buffer_append_text(out, TEXT);
    return;
  }
  buffer_append_text(out, "{\"type\":\"string\",\"enum\":[");
  for (int i = 0; i < items; i++) buffer_printf(out, "%s\"Item %d\"", i ? "," : "", i + 1);
  buffer_append_text(out, "]}");
}

static void append_proposal(struct buffer *out) {
  buffer_append_text(
      out, "{\"type\":\"object\",\"properties\":{\"answer\":" TEXT ",\"answer_key\":" TEXT
           ",\"key_claims\":{\"type\":\"array\",\"items\":" TEXT "},\"confidence\":" NUMBER
           "},\"required\":[\"answer\",\"answer_key\",\"key_claims\",\"confidence\"]" CLOSED);
}

static void append_critique(struct buffer *out, int labels) {
  buffer_append_text(out,
                     "{\"type\":\"object\",\"properties\":{\"items\":{\"type\":\"array\",\"items\":"
                     "{\"type\":\"object\",\"properties\":{\"target\":");
  append_labels(out, labels);
  buffer_append_text(out, ",\"claim\":" TEXT ",\"problem\":" TEXT ",\"severity\":" NUMBER
                          ",\"why\":" TEXT ",\"fix\":" TEXT
                          "},\"required\":[\"target\",\"claim\",\"problem\",\"severity\",\"why\","
                          "\"fix\"]" CLOSED "}},\"required\":[\"items\"]" CLOSED);
}

static void append_revision(struct buffer *out, int items) {
  buffer_append_text(out,
                     "{\"type\":\"object\",\"properties\":{\"responses\":{\"type\":\"array\","
                     "\"items\":{\"type\":\"object\",\"properties\":{\"item\":");
  append_items(out, items);
  buffer_append_text(out,
                     ",\"verdict\":{\"type\":\"string\",\"enum\":[\"accept\",\"reject\"]},"
                     "\"reason\":" TEXT "},\"required\":[\"item\",\"verdict\",\"reason\"]" CLOSED
                     "},\"stance\":{\"type\":\"string\",\"enum\":[\"held\",\"changed\"]},"
                     "\"answer\":" TEXT ",\"answer_key\":" TEXT
                     ",\"key_claims\":{\"type\":\"array\",\"items\":" TEXT
                     "},\"confidence\":" NUMBER
                     "},\"required\":[\"responses\",\"stance\",\"answer\",\"answer_key\","
                     "\"key_claims\",\"confidence\"]" CLOSED);
}

static void append_ballot(struct buffer *out, int labels) {
  buffer_append_text(out, "{\"type\":\"object\",\"properties\":{\"reason\":" TEXT
                          ",\"ranking\":{\"type\":\"array\",\"items\":");
  append_labels(out, labels);
  buffer_append_text(out, "},\"confidence\":" NUMBER
                          "},\"required\":[\"reason\",\"ranking\",\"confidence\"]" CLOSED);
}

static void append_judgment(struct buffer *out, int labels) {
  buffer_append_text(out,
                     "{\"type\":\"object\",\"properties\":{\"scores\":{\"type\":\"array\","
                     "\"items\":{\"type\":\"object\",\"properties\":{\"response\":");
  append_labels(out, labels);
  for (int i = 0; i < SCORE_COUNT; i++) buffer_printf(out, ",\"%s\":" NUMBER, score_names[i]);
  buffer_append_text(out, "},\"required\":[\"response\"");
  for (int i = 0; i < SCORE_COUNT; i++) buffer_printf(out, ",\"%s\"", score_names[i]);
  buffer_append_text(out, "]" CLOSED "},\"reason\":" TEXT ",\"verdict\":");
  append_labels(out, labels);
  buffer_append_text(out, "},\"required\":[\"scores\",\"reason\",\"verdict\"]" CLOSED);
}

char *prompt_schema(enum turn_kind kind, int labels, int items) {
  BUFFER_LATER struct buffer out;
  buffer_init(&out, 64 * 1024);
  switch (kind) {
    case TURN_PROPOSAL: append_proposal(&out); break;
    case TURN_CRITIQUE: append_critique(&out, labels); break;
    case TURN_REVISION: append_revision(&out, items); break;
    case TURN_BALLOT: append_ballot(&out, labels); break;
    case TURN_JUDGMENT: append_judgment(&out, labels); break;
  }
  return buffer_steal(&out);
}
