#include "fake/persona.h"

#include "base/json_scan.h"
#include "provider/scripted_reply.h"

#include <stdlib.h>

enum { ANSWER_MAX = 256 * 1024 };

/* Eight bytes a step, mixed as in MurmurHash3's finaliser: prompts are long and many, and nobody
 * attacks this table. */
static uint64_t mix(uint64_t z) {
  z = (z ^ z >> 33) * 0xff51afd7ed558ccdu;
  return z ^ z >> 29;
}

static uint64_t hash_of(struct bytes text, uint64_t seed) {
  uint64_t h = mix(seed ^ text.len ^ 0x9e3779b97f4a7c15u);
  uint64_t w = 0;
  size_t i = 0;
  for (; i + 8 <= text.len; i += 8) {
    memcpy(&w, text.ptr + i, 8);
    h = mix(h ^ w) + i;
  }
  w = 0;
  if (i < text.len) memcpy(&w, text.ptr + i, text.len - i);
  return mix(mix(h ^ w));
}

static struct bytes trimmed(struct bytes text) {
  while (text.len && (unsigned char)text.ptr[text.len - 1] <= ' ') text.len--;
  while (text.len && (unsigned char)*text.ptr <= ' ') text.ptr++, text.len--;
  return text;
}

static const char own_answer[] = "\n## Your current answer\n";

/* The quoted text under the heading of a revision, len 0 when there is none. */
static struct bytes own_answer_of(struct bytes prompt) {
  const char *end = prompt.ptr + prompt.len;
  const char *p = memmem(prompt.ptr, prompt.len, own_answer, sizeof own_answer - 1);
  if (!p) return (struct bytes){0};
  p += sizeof own_answer - 1;
  const char *line = memchr(p, '\n', (size_t)(end - p)); /* the fence's opening line */
  if (!line) return (struct bytes){0};
  struct bytes quoted = {line + 1, (size_t)(end - line - 1)};
  return trimmed(bytes_until(quoted, BYTES_LITERAL("\n>>>>> ")));
}

static int deal(struct personas *personas, struct bytes model, uint64_t hash) {
  struct persona_prompt *entry = &personas->prompts[hash % PERSONA_TABLE_SIZE];
  int wanted = (int)(hash_of(model, personas->seed) % SCRIPTED_PERSONAS);
  uint32_t all = (1u << SCRIPTED_PERSONAS) - 1;
  if (entry->hash != hash || entry->taken == all) *entry = (struct persona_prompt){.hash = hash};
  while (entry->taken & 1u << wanted) wanted = (wanted + 1) % SCRIPTED_PERSONAS;
  entry->taken |= 1u << wanted;
  return wanted;
}

int personas_deal(struct personas *personas, struct bytes model, struct bytes prompt) {
  struct bytes own = own_answer_of(prompt);
  if (own.len) {
    uint64_t hash = hash_of(own, personas->seed);
    const struct persona_answer *entry = &personas->answers[hash % PERSONA_TABLE_SIZE];
    return entry->hash == hash ? entry->persona : (int)(hash % SCRIPTED_PERSONAS);
  }
  struct bytes stable = bytes_until(bytes_until(prompt, BYTES_LITERAL("\n## Items\n")),
                                    BYTES_LITERAL("\n## Responses\n"));
  return deal(personas, model, hash_of(stable, personas->seed));
}

void personas_remember(struct personas *personas, struct bytes reply, int persona) {
  BUFFER_LATER struct buffer answer;
  struct json_scan s;
  buffer_init(&answer, ANSWER_MAX);
  json_scan_begin(&s, reply);
  if (json_scan_object(&s))
    while (json_scan_member(&s)) {
      if (json_scan_key_is(&s, "answer"))
        json_scan_string(&s, &answer);
      else
        json_scan_skip(&s);
    }
  struct bytes text = trimmed(buffer_bytes(&answer));
  if (!json_scan_end(&s) || !text.len) return;
  uint64_t hash = hash_of(text, personas->seed);
  personas->answers[hash % PERSONA_TABLE_SIZE] = (struct persona_answer){hash, persona};
}
