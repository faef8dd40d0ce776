/* Our own prompts head the form with "One JSON object with exactly" and have one line for each
 * field, "- answer (text): ...". A dozen of the lines are enough to know which of the five it is.
 */
#include "fake/worded.h"

#include <stdio.h>

#define TEXT   "{\"type\":\"string\"}"
#define NUMBER "{\"type\":\"number\"}"
#define TEXTS  "{\"type\":\"array\",\"items\":" TEXT "}"
#define ANSWER                                                                                  \
  "\"answer\":" TEXT ",\"answer_key\":" TEXT ",\"key_claims\":" TEXTS ",\"confidence\":" NUMBER \
  "},\"required\":["
#define ANSWER_NAMES "\"answer\",\"answer_key\",\"key_claims\",\"confidence\"]"
#define OBJECT       "{\"type\":\"object\",\"properties\":{"
#define CLOSED       ",\"additionalProperties\":false}"

enum { LABELS_MAX = 26, ITEMS_MAX = 400 };

/* A text of one of "Response A", ... as far as the prompt has such headings. */
static void append_choice(struct buffer *out, struct bytes prompt, bool letters) {
  char heading[32];
  bool any = false;
  for (int i = 0; i < (letters ? LABELS_MAX : ITEMS_MAX); i++) {
    int n = letters ? snprintf(heading, sizeof heading, "\n### Response %c", 'A' + i)
                    : snprintf(heading, sizeof heading, "\n### Item %d", i + 1);
    if (!memmem(prompt.ptr, prompt.len, heading, (size_t)n)) break;
    buffer_printf(out, "%s\"%s\"", any ? "," : "{\"type\":\"string\",\"enum\":[", heading + 5);
    any = true;
  }
  buffer_append_text(out, any ? "]}" : TEXT);
}

static void append_critique(struct buffer *out, struct bytes prompt) {
  buffer_append_text(out, OBJECT "\"items\":{\"type\":\"array\",\"items\":" OBJECT "\"target\":");
  append_choice(out, prompt, true);
  buffer_append_text(out, ",\"claim\":" TEXT ",\"problem\":" TEXT ",\"severity\":" NUMBER
                          ",\"why\":" TEXT ",\"fix\":" TEXT
                          "},\"required\":[\"target\",\"claim\",\"problem\",\"severity\","
                          "\"why\",\"fix\"]" CLOSED "}},\"required\":[\"items\"]" CLOSED);
}

static void append_revision(struct buffer *out, struct bytes prompt) {
  buffer_append_text(out, OBJECT "\"responses\":{\"type\":\"array\",\"items\":" OBJECT "\"item\":");
  append_choice(out, prompt, false);
  buffer_append_text(
      out, ",\"verdict\":{\"type\":\"string\",\"enum\":[\"accept\",\"reject\"]},\"reason\":" TEXT
           "},\"required\":[\"item\",\"verdict\",\"reason\"]" CLOSED
           "},\"stance\":{\"type\":"
           "\"string\",\"enum\":[\"held\",\"changed\"]}," ANSWER
           "\"responses\",\"stance\"," ANSWER_NAMES CLOSED);
}

static void append_ballot(struct buffer *out, struct bytes prompt) {
  buffer_append_text(out, OBJECT "\"reason\":" TEXT ",\"ranking\":{\"type\":\"array\",\"items\":");
  append_choice(out, prompt, true);
  buffer_append_text(out, "},\"confidence\":" NUMBER
                          "},\"required\":[\"reason\",\"ranking\",\"confidence\"]" CLOSED);
}

static void append_judgment(struct buffer *out, struct bytes prompt) {
  buffer_append_text(out,
                     OBJECT "\"scores\":{\"type\":\"array\",\"items\":" OBJECT "\"response\":");
  append_choice(out, prompt, true);
  buffer_append_text(out, ",\"correctness\":" NUMBER ",\"completeness\":" NUMBER
                          ",\"evidence\":" NUMBER ",\"risk\":" NUMBER
                          "},\"required\":[\"response\",\"correctness\",\"completeness\","
                          "\"evidence\",\"risk\"]" CLOSED "},\"reason\":" TEXT ",\"verdict\":");
  append_choice(out, prompt, true);
  buffer_append_text(out, "},\"required\":[\"scores\",\"reason\",\"verdict\"]" CLOSED);
}

static void append_proposal(struct buffer *out, struct bytes prompt) {
  (void)prompt;
  buffer_append_text(out, OBJECT ANSWER ANSWER_NAMES CLOSED);
}

bool worded_schema(struct bytes prompt, struct buffer *out) {
  static const struct {
    const char *line;
    void (*append)(struct buffer *out, struct bytes prompt);
  } forms[] = {{"\n- ranking (", append_ballot},
               {"\n- scores (", append_judgment},
               {"\n- responses (", append_revision},
               {"\n- items (", append_critique},
               {"\n- answer (", append_proposal}};
  static const char mark[] = "\nOne JSON object with exactly";
  const char *p = prompt.ptr;
  const char *form = NULL;
  /* The last one: a question may quote the words. */
  for (; (p = memmem(p, (size_t)(prompt.ptr + prompt.len - p), mark, sizeof mark - 1)); p++)
    form = p;
  if (!form) return false;
  size_t left = (size_t)(prompt.ptr + prompt.len - form);
  for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
    if (memmem(form, left, forms[i].line, strlen(forms[i].line))) {
      forms[i].append(out, prompt);
      return !out->overflow;
    }
  return false;
}
