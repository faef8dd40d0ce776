#include "fake/tally.h"

#include <assert.h>
#include <inttypes.h>

void tally_answer(struct tally *tally, int format, int status, const struct fault *fault) {
  size_t row = (size_t)(fault - fault_table);
  assert(row < TALLY_FAULTS_MAX && fault_table_size <= TALLY_FAULTS_MAX);
  tally->answers[format < 0 ? TALLY_OTHER : format]
                [status >= 0 && status < TALLY_STATUS_MAX ? status : 0]++;
  if (fault->kind != FAULT_NONE) tally->faults[row]++;
}

static void append_row(const struct tally *tally, int row, struct buffer *out) {
  bool first = true;
  buffer_printf(out, "%s\"%s\":{", row ? "," : "",
                row == TALLY_OTHER ? "other" : question_format_name((enum question_format)row));
  for (int status = 0; status < TALLY_STATUS_MAX; status++) {
    if (!tally->answers[row][status]) continue;
    buffer_printf(out, "%s\"%d\":%" PRIu64, first ? "" : ",", status, tally->answers[row][status]);
    first = false;
  }
  buffer_append_char(out, '}');
}

void tally_append_json(const struct tally *tally, int rules, struct buffer *out) {
  bool first = true;
  buffer_append_text(out, "{\"answers\":{");
  for (int row = 0; row <= TALLY_OTHER; row++) append_row(tally, row, out);
  buffer_append_text(out, "},\"faults\":{");
  for (size_t i = 0; i < fault_table_size; i++) {
    if (!tally->faults[i]) continue;
    buffer_printf(out, "%s\"%s\":%" PRIu64, first ? "" : ",", fault_table[i].name,
                  tally->faults[i]);
    first = false;
  }
  buffer_printf(out,
                "},\"requests\":%" PRIu64 ",\"bad_requests\":%" PRIu64
                ",\"connections\":{\"open\":%" PRIu64 ",\"peak\":%" PRIu64 ",\"accepted\":%" PRIu64
                ",\"refused\":%" PRIu64 ",\"closed_early\":%" PRIu64 "},\"bytes_sent\":%" PRIu64
                ",\"rules\":%d}\n",
                tally->requests, tally->bad_requests, tally->open, tally->open_peak,
                tally->accepted, tally->refused, tally->closed_early, tally->bytes_sent, rules);
}
