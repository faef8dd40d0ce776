/* The body of a request for a debate: whatever is accepted lies within the documented ranges, and
 * whatever is refused says why. */
#include "base/json.h"
#include "base/utf8.h"
#include "debate/blank.h"
#include "debate/spec.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct debate_spec_limits limits = {.max_question_chars = 10000,
                                                 .max_context_bytes = 65536};

static void require(bool holds) {
  if (!holds) abort();
}

static void require_range(int64_t value, int64_t unset, int64_t min, int64_t max) {
  require(value == unset || (value >= min && value <= max));
}

static void check(const struct debate_spec *spec) {
  struct bytes task = bytes_of(spec->task);
  require(blank_trim(task).len == task.len && task.len > 0);
  require(utf8_valid(task) && utf8_count(task) <= (size_t)limits.max_question_chars);
  require(!spec->context || strlen(spec->context) <= (size_t)limits.max_context_bytes);
  require(!spec->metadata || strlen(spec->metadata) <= 16 * 1024);
  bool one = spec->mode == MODE_SINGLE || spec->mode == MODE_SELF_CONSISTENCY;
  require_range(spec->agent_count, 0, one ? 1 : DEBATE_AGENTS_MIN, one ? 1 : DEBATE_AGENTS_MAX);
  for (int i = 0; i < spec->agent_count; i++) {
    struct bytes agent = bytes_of(spec->agents[i]);
    const char *colon = memchr(agent.ptr, ':', agent.len);
    size_t type = colon ? (size_t)(colon - agent.ptr) : agent.len;
    require(utf8_valid(agent) && type >= 1 && type <= 32);
  }
  require(spec->mode < MODE_COUNT && spec->rule < RULE_COUNT);
  require_range(spec->topology, -1, 0, TOPOLOGY_COUNT - 1);
  require_range(spec->rounds, -1, 0, DEBATE_ROUNDS_MAX);
  require_range(spec->threshold_ppm, -2, PPM / 2, PPM);
  require_range(spec->quorum, 0, 2, DEBATE_AGENTS_MAX);
  require_range(spec->samples, -2, DEBATE_SAMPLES_MIN, DEBATE_MEMBERS_MAX);
  require_range(spec->deadline_ms, -1, 5000, 86400000);
  require_range(spec->turn_timeout_ms, -1, 1000, 600000);
  require_range(spec->budget_usd_micro, -1, 1, INT64_C(1000000000000));
  require_range(spec->budget_tokens, -1, 1, INT64_C(1000000000000));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  JSON_LATER json_t *body = NULL;
  if (json_parse((struct bytes){(const char *)data, size}, &body, NULL)) return 0;
  struct debate_spec spec;
  struct error err = {0};
  enum status s = debate_spec_parse(body, &limits, &spec, &err);
  if (s) {
    require(s == STATUS_INVALID && err.message[0] && utf8_valid(bytes_of(err.message)));
    return 0;
  }
  check(&spec);
  debate_spec_done(&spec);
  return 0;
}
