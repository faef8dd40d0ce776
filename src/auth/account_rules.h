/* What may stand in an account. Pure; any thread. */
#ifndef ARAGORA_AUTH_ACCOUNT_RULES_H
#define ARAGORA_AUTH_ACCOUNT_RULES_H

#include "store/users.h"

/* In lower case. STATUS_INVALID, naming "email", for what is no address of the form
 * local@host.domain in ASCII. */
MUST_CHECK enum status account_read_email(struct bytes text, char ret_email[STORE_EMAIL_SIZE],
                                          struct error *err);
/* At most 100 characters, none of them a control character; blanks at both ends go. STATUS_INVALID
 * names the field. */
MUST_CHECK enum status account_read_name(const char *field, struct bytes text,
                                         char ret_name[STORE_NAME_SIZE], struct error *err);
/* Letters and digits of the name with '-' between, and the id's beginning. */
void account_make_slug(const char *name, const char *id, char *out, size_t size);
/* Whether the address stands in a comma list; NULL = an empty one. */
bool account_is_listed(const char *list, const char *email);

#endif
