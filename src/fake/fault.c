#include "fake/fault.h"

const struct fault fault_table[] = {
    {"none", FAULT_NONE, 200, 0, false, "an answer without fault; in a rule: stops the search"},
    /* error answers, in the vendor's shape */
    {"status-400", FAULT_STATUS, 400, 0, false, "bad request"},
    {"status-401", FAULT_STATUS, 401, 0, false, "wrong key"},
    {"status-402", FAULT_STATUS, 402, 0, true, "no credit left"},
    {"status-403", FAULT_STATUS, 403, 0, false, "not permitted"},
    {"status-403-quota", FAULT_STATUS, 403, 0, true, "not permitted: the quota is used up"},
    {"status-404", FAULT_STATUS, 404, 0, false, "no such model"},
    {"status-408", FAULT_STATUS, 408, 0, false, "request timeout"},
    {"status-409", FAULT_STATUS, 409, 0, false, "conflict"},
    {"status-413", FAULT_STATUS, 413, 0, false, "request too large"},
    {"status-422", FAULT_STATUS, 422, 0, false, "unprocessable; detail is a list"},
    {"status-429-1s", FAULT_STATUS, 429, RETRY_1_S, false, "too fast, retry-after: 1"},
    {"status-429-ms", FAULT_STATUS, 429, RETRY_250_MS, false, "too fast, retry-after-ms: 250"},
    {"status-429-none", FAULT_STATUS, 429, 0, false, "too fast, without a retry-after"},
    {"status-429-10h", FAULT_STATUS, 429, RETRY_10_H, false, "too fast, come back in ten hours"},
    {"status-429-date", FAULT_STATUS, 429, RETRY_DATE, false,
     "too fast, retry-after as a date 2 s ahead"},
    {"status-429-quota", FAULT_STATUS, 429, 0, true, "429 that means credit: never retry"},
    {"status-500", FAULT_STATUS, 500, 0, false, "internal error"},
    {"status-502", FAULT_STATUS, 502, 0, false, "bad gateway"},
    {"status-503", FAULT_STATUS, 503, 0, false, "unavailable"},
    {"status-504", FAULT_STATUS, 504, 0, false, "gateway timeout"},
    {"status-529", FAULT_STATUS, 529, 0, false, "overloaded"},
    {"html-502", FAULT_HTML, 502, 0, false, "502 with a page of HTML, as proxies send"},
    {"html-body", FAULT_HTML, 200, 0, false, "200 with a page of HTML"},
    {"empty-body", FAULT_EMPTY_BODY, 200, 0, false, "200 with nothing"},
    {"redirect", FAULT_REDIRECT, 302, 0, false, "302 to another host"},
    {"error-200", FAULT_ERROR_200, 200, 0, false, "200, and the only record is an error"},
    /* answers that break off */
    {"error-mid", FAULT_ERROR_MID, 200, 0, false, "an error record after half of the text"},
    {"cut", FAULT_CUT, 200, 0, false, "the connection closes after half of the text"},
    {"cut-clean", FAULT_CUT_CLEAN, 200, 0, false,
     "everything but the end of the stream: HTTP is whole, the answer is not"},
    {"cut-char", FAULT_CUT_CHAR, 200, 0, false, "the body ends within a UTF-8 character"},
    {"reset", FAULT_RESET, 0, 0, false, "RST instead of an answer"},
    {"reset-text", FAULT_RESET_TEXT, 200, 0, false, "RST after half of the text"},
    {"stall-head", FAULT_STALL_HEAD, 0, 0, false, "accepts the request and says nothing"},
    {"stall-text", FAULT_STALL_TEXT, 200, 0, false, "half of the text, then nothing"},
    {"comments", FAULT_COMMENTS, 200, 0, false,
     "comments (blank lines where there are none) every 100 ms, for ever"},
    {"drip", FAULT_DRIP, 200, 0, false, "one byte every 100 ms"},
    {"endless", FAULT_ENDLESS, 200, 0, false, "text for ever, as fast as it is read"},
    {"line-1mb", FAULT_LINE_1MB, 200, 0, false, "a record of 1 MiB in between"},
    {"gzip-bomb", FAULT_GZIP_BOMB, 200, 0, false,
     "content-encoding: gzip, 8 MiB that unpack to 1.3 GB, asked for or not"},
    /* whole answers in a form that a careless reader trips over */
    {"comments-first", FAULT_COMMENTS_FIRST, 200, 0, false,
     "three comments (blank lines where there are none), then the answer"},
    {"blank-lines", FAULT_BLANK_LINES, 200, 0, false, "blank lines before the answer"},
    {"crlf", FAULT_CRLF, 200, 0, false, "lines end in CR LF"},
    {"cr", FAULT_CR, 200, 0, false, "lines end in CR (server-sent events only)"},
    {"no-space", FAULT_NO_SPACE, 200, 0, false, "no space after \"data:\" and \"event:\""},
    {"utf8-split", FAULT_UTF8_SPLIT, 200, 0, false, "every byte is a write of its own"},
    {"thinking-first", FAULT_THINKING_FIRST, 200, 0, false, "reasoning before the text"},
    {"array-content", FAULT_ARRAY_CONTENT, 200, 0, false,
     "the text as a list of parts, where the format has one"},
    {"obfuscation", FAULT_OBFUSCATION, 200, 0, false, "padding fields in every record"},
    {"usage-wrong", FAULT_USAGE_WRONG, 200, 0, false, "token counts that cannot be"},
    {"usage-missing", FAULT_USAGE_MISSING, 200, 0, false, "no token counts"},
    {"malformed-event", FAULT_MALFORMED_EVENT, 200, 0, false,
     "a record that is not JSON in between"},
    /* what a model may do */
    {"refusal", FAULT_REFUSAL, 200, 0, false, "the model declines, in the vendor's way"},
    {"truncated", FAULT_TRUNCATED, 200, 0, false,
     "half of the text; the length limit is the reason"},
    {"empty-content", FAULT_EMPTY_CONTENT, 200, 0, false, "a regular answer without text"},
    {"garbage", FAULT_GARBAGE, 200, 0, false, "text that almost looks like JSON"},
    {"prose", FAULT_PROSE, 200, 0, false, "plain text although JSON was asked for"},
    {"fenced", FAULT_FENCED, 200, 0, false, "the JSON within a Markdown fence and words around it"},
};
const size_t fault_table_size = sizeof fault_table / sizeof *fault_table;
const struct fault *const fault_none = &fault_table[0];

const struct fault *fault_find(struct bytes name) {
  for (size_t i = 0; i < fault_table_size; i++)
    if (bytes_equal(bytes_of(fault_table[i].name), name)) return &fault_table[i];
  return NULL;
}
