/* What vendors answer when they are asked about a model or a key and not for a text: lists of
 * models, one model, a balance. Bytes from outside; nothing of them is kept. Pure.
 *
 * Sources: the vendors' API references (2026): Anthropic GET /v1/models/{id}, Gemini GET
 * /v1beta/models/{id} (inputTokenLimit), OpenAI GET /v1/models and its family's, OpenRouter GET
 * /api/v1/key (limit_remaining) and /api/v1/models (context_length), DeepSeek GET /user/balance
 * (is_available), Ollama POST /api/show (model_info "*.context_length").
 */
#ifndef ARAGORA_PROVIDER_PROBE_BODY_H
#define ARAGORA_PROVIDER_PROBE_BODY_H

#include "base/bytes.h"

/* Whether the body of such an error is the vendor's own word about a key or a model, and not a
 * proxy's, a firewall's or a router's: JSON, and with a 401 whatever is no page. */
bool probe_error_is_vendors(int status_code, struct bytes body);
/* Whether an error's words speak of a model. The path of the request ("/models/x"), which routers
 * repeat, is not that. */
bool probe_words_name_model(const char *words);
/* Whether they say that the key may not do this and perhaps other things: OpenAI's restricted keys
 * ("Missing scopes: api.model.read") answer questions without being shown a list of models. */
bool probe_words_lack_scope(const char *words);

/* Each returns false for a body that is not of its form; its outputs are then unset. Contexts are
 * in tokens, -1 where the vendor does not say. */

/* {"id" | "name" | "model_info": ..., ...}: one model. */
MUST_CHECK bool probe_body_model(struct bytes body, int64_t *ret_context_tokens);
/* {"data": [{"id", ...}, ...]}: whether `model` is among them. */
MUST_CHECK bool probe_body_list(struct bytes body, const char *model, bool *ret_found,
                                int64_t *ret_context_tokens);
/* {"data": {"limit_remaining": X | null}}: whether the key has spent what it may. */
MUST_CHECK bool probe_body_key(struct bytes body, bool *ret_spent);
/* {"is_available": B}: whether there is money to answer with. */
MUST_CHECK bool probe_body_balance(struct bytes body, bool *ret_spent);

#endif
