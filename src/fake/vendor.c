#include "fake/vendor.h"

#include "base/utf8.h"

const char vendor_thought[] = "Let me weigh what is known before I settle on an answer.";
const char vendor_refusal[] = "I can't help with that.";

const struct vendor *vendor_of(enum question_format format) {
  switch (format) {
    case QUESTION_ANTHROPIC: return &vendor_anthropic;
    case QUESTION_OPENAI: return &vendor_openai;
    case QUESTION_OPENROUTER: return &vendor_openrouter;
    case QUESTION_GEMINI: return &vendor_gemini;
    case QUESTION_OLLAMA: break;
  }
  return &vendor_ollama;
}

struct bytes vendor_next_token(struct bytes *rest) {
  enum { TOKEN_MAX = 48 };
  size_t n = 0;
  size_t max = rest->len < TOKEN_MAX ? rest->len : TOKEN_MAX;
  while (n < max && (unsigned char)rest->ptr[n] <= ' ') n++;
  while (n < max && (unsigned char)rest->ptr[n] > ' ') n++;
  if (n < rest->len && n == TOKEN_MAX) n = utf8_prefix(*rest, n);
  struct bytes token = {rest->ptr, n};
  rest->ptr += n;
  rest->len -= n;
  return token;
}

const char *vendor_words_of(const struct vendor_error *error) {
  if (error->text) return error->text;
  /* Anthropic's own words begin so. OpenAI's "check your plan and billing details" would not do for
   * all: Gemini says that of a minute's limit too. */
  if (error->quota) return "Your credit balance is too low. Go to Plans & Billing to add credits.";
  switch (error->status) {
    case 400: return "The request was not valid.";
    case 401: return "The API key is not valid.";
    case 403: return "You are not permitted to do this.";
    case 404: return "The model does not exist.";
    case 408: return "The request took too long.";
    case 409: return "The request conflicts with another.";
    case 413: return "The request is too large.";
    case 422: return "The request could not be processed.";
    case 429: return "Too many requests, slow down.";
    case 502: return "The upstream answered badly.";
    case 503: return "The service is overloaded, try again later.";
    case 504: return "The upstream did not answer in time.";
    case 529: return "Overloaded";
    default: return "An internal error occurred.";
  }
}
