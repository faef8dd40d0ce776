/* Who answers: from a request to an answer, without sockets. It holds the options, the script, the
 * personas and the counts. One thread.
 */
#ifndef ARAGORA_FAKE_RESPONDENT_H
#define ARAGORA_FAKE_RESPONDENT_H

#include "fake/fake_server.h"
#include "fake/inbound.h"
#include "fake/outbound.h"
#include "fake/tally.h"

struct respondent;

MUST_CHECK enum status respondent_create(const struct fake_options *options,
                                         struct respondent **ret_respondent, struct error *err);
void respondent_destroy(struct respondent *respondent); /* NULL is fine */
void respondent_set_script(struct respondent *respondent, struct script *script);
struct tally *respondent_tally(struct respondent *respondent);

/* How long a request waits before it is looked at, 0 = not at all: the latency of every answer,
 * where no script may give this one its own. One that waits is the caller's to count and to bring
 * back. Of thousands that wait the requests are kept this way, not the answers, which are many
 * times as long. */
uint64_t respondent_wait_ms(const struct respondent *respondent, const struct inbound *request);
/* Fills `o`, which was cleared, for a request, which may have waited. */
void respondent_answer(struct respondent *respondent, const struct inbound *request, bool waited,
                       struct outbound *o);
/* The same for bytes that are no request. */
void respondent_refuse(struct respondent *respondent, int status, struct outbound *o);

#endif
