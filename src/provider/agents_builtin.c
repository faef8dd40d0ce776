/* Which models exist, where they are reached and what they cost. This ages in weeks: whoever needs
 * another model names it in the agents file, and nothing else in the code knows one.
 *
 * Sources: model names of Anthropic, OpenAI and Gemini from their SDKs (June to August 2026), xAI's
 * from its model page (September 2026), DeepSeek's from its pages; names behind OpenRouter and
 * Kimi's are unverified. A price is given only where the vendor's page was read: -1 is unknown, and
 * what an answer cost is then unknown too. */
#include "provider/agents_builtin.h"

#define UNKNOWN_PRICE -1, -1
#define USD(x)        ((int64_t)((x)*1000000))

#define ANTHROPIC(type, model, context, output)                                               \
  {                                                                                           \
    type, "anthropic", model, WIRE_ANTHROPIC, "https://api.anthropic.com/v1",                 \
        "ANTHROPIC_BASE_URL", {"ANTHROPIC_API_KEY", NULL}, 0, context, output, UNKNOWN_PRICE, \
        true, 0, NULL, NULL, "anthropic/" model, false                                        \
  }
#define OPENAI(type, model, context, output)                                              \
  {                                                                                       \
    type, "openai", model, WIRE_OPENAI, "https://api.openai.com/v1", "OPENAI_BASE_URL",   \
        {"OPENAI_API_KEY", NULL}, 0, context, output, UNKNOWN_PRICE, true, 0, NULL, NULL, \
        "openai/" model, false                                                            \
  }
#define GEMINI(type, model)                                                                        \
  {                                                                                                \
    type, "gemini", model, WIRE_GEMINI, "https://generativelanguage.googleapis.com/v1beta",        \
        "GEMINI_BASE_URL", {"GEMINI_API_KEY", "GOOGLE_API_KEY"}, 0, 1000000, 65536, UNKNOWN_PRICE, \
        true, 0, NULL, NULL, "google/" model, false                                                \
  }
#define GROK(type, model, context, price_in, price_out)                                         \
  {                                                                                             \
    type, "xai", model, WIRE_OPENAI, "https://api.x.ai/v1", "XAI_BASE_URL",                     \
        {"XAI_API_KEY", "GROK_API_KEY"}, 0, context, 32768, price_in, price_out, true, 0, NULL, \
        NULL, "x-ai/" model, false                                                              \
  }
#define MISTRAL(type, model, seat)                                                              \
  {                                                                                             \
    type, "mistral", model, WIRE_OPENAI, "https://api.mistral.ai/v1", "MISTRAL_BASE_URL",       \
        {"MISTRAL_API_KEY", NULL}, QUIRK_MAX_TOKENS_OLD_NAME | QUIRK_NO_STREAM_OPTIONS, 128000, \
        32768, UNKNOWN_PRICE, seat, 0, NULL, NULL, "mistralai/" model, false                    \
  }
#define DEEPSEEK(type, model)                                                                  \
  {                                                                                            \
    type, "deepseek", model, WIRE_OPENAI, "https://api.deepseek.com", "DEEPSEEK_BASE_URL",     \
        {"DEEPSEEK_API_KEY", NULL}, QUIRK_MAX_TOKENS_OLD_NAME | QUIRK_NO_JSON_SCHEMA, 1000000, \
        384000, UNKNOWN_PRICE, true, 0, NULL, NULL, "deepseek/" model, true                    \
  }
#define OPENROUTER(type, model, seat)                                                              \
  {                                                                                                \
    type, "openrouter", model, WIRE_OPENAI, "https://openrouter.ai/api/v1", "OPENROUTER_BASE_URL", \
        {"OPENROUTER_API_KEY", NULL}, QUIRK_MAX_TOKENS_OLD_NAME | QUIRK_OPENROUTER_HEADERS,        \
        128000, 16384, UNKNOWN_PRICE, seat, 0, NULL, NULL, NULL, false                             \
  }
#define LOCAL(type, model, wire, host_variable, port, path, model_variable)                       \
  {                                                                                               \
    type, type, model, wire, NULL, host_variable, {NULL, NULL}, QUIRK_MAX_TOKENS_OLD_NAME, 16384, \
        4096, 0, 0, true, port, path, model_variable, NULL, false                                 \
  }

const struct agent_builtin agents_builtin[] = {
    ANTHROPIC("anthropic-api", "claude-opus-5", 200000, 64000),
    ANTHROPIC("claude-sonnet", "claude-sonnet-5", 200000, 64000),
    ANTHROPIC("claude-haiku", "claude-haiku-4-5", 200000, 64000),
    OPENAI("openai-api", "gpt-5.2", 400000, 128000),
    OPENAI("openai-mini", "gpt-5.4-mini", 400000, 128000),
    OPENAI("openai-41", "gpt-4.1", 1000000, 32768),
    GEMINI("gemini", "gemini-3.5-flash"),
    GEMINI("gemini-pro", "gemini-3.1-pro"),
    GEMINI("gemini-25", "gemini-2.5-flash"),
    GROK("grok", "grok-4.7", 500000, USD(2), USD(6)),
    GROK("grok-46", "grok-4.6", 256000, -1, -1),
    GROK("grok-45", "grok-4.5", 256000, -1, -1),
    MISTRAL("mistral-api", "mistral-large-latest", true),
    MISTRAL("mistral-medium", "mistral-medium-latest", true),
    MISTRAL("mistral-small", "mistral-small-latest", true),
    MISTRAL("codestral", "codestral-latest", false),
    DEEPSEEK("deepseek", "deepseek-v4-flash"),
    DEEPSEEK("deepseek-r1", "deepseek-v4-pro"),
    {"kimi",
     "kimi",
     "kimi-latest",
     WIRE_OPENAI,
     "https://api.moonshot.cn/v1",
     "KIMI_BASE_URL",
     {"KIMI_API_KEY", "MOONSHOT_API_KEY"},
     QUIRK_MAX_TOKENS_OLD_NAME | QUIRK_NO_JSON_SCHEMA,
     128000,
     16384,
     UNKNOWN_PRICE,
     true,
     0,
     NULL,
     NULL,
     NULL,
     false},
    OPENROUTER("openrouter", "openrouter/auto", true),
    OPENROUTER("llama", "meta-llama/llama-3.3-70b-instruct", true),
    OPENROUTER("qwen", "qwen/qwen-2.5-72b-instruct", true),
    OPENROUTER("mistral", "mistralai/mistral-large", false),
    OPENROUTER("qwen-max", "qwen/qwen-max", false),
    OPENROUTER("yi", "01-ai/yi-large", false),
    LOCAL("ollama", "llama3.3", WIRE_OLLAMA, "OLLAMA_HOST", 11434, "", "OLLAMA_MODEL"),
    LOCAL("lm-studio", "local-model", WIRE_OPENAI, "LM_STUDIO_HOST", 1234, "/v1",
          "LM_STUDIO_MODEL"),
    LOCAL("vllm", "default", WIRE_OPENAI, "VLLM_HOST", 8000, "/v1", "VLLM_MODEL"),
    {"demo",
     "demo",
     "demo",
     WIRE_DEMO,
     NULL,
     NULL,
     {NULL, NULL},
     0,
     1000000,
     100000,
     0,
     0,
     false,
     0,
     NULL,
     NULL,
     NULL,
     false},
};
const size_t agents_builtin_count = sizeof agents_builtin / sizeof *agents_builtin;

/* Names that existing clients and their examples use. */
const struct agent_alias agents_aliases[] = {
    {"claude", "anthropic-api"},
    {"anthropic", "anthropic-api"},
    {"claude-opus", "anthropic-api"},
    {"openai", "openai-api"},
    {"codex", "openai-api"},
    {"gpt", "openai-api"},
    {"gpt-4", "openai-api"},
    {"gpt-4o", "openai-api"},
    {"gpt-5", "openai-api"},
    {"gpt-4.1", "openai-41"},
    {"gemini-api", "gemini"},
    {"gemini-cli", "gemini"},
    {"google", "gemini"},
    {"xai", "grok"},
    {"grok-cli", "grok"},
    {"deepseek-cli", "deepseek"},
    {"qwen-cli", "qwen"},
    {"lmstudio", "lm-studio"},
    {"local", "vllm"},
};
const size_t agents_aliases_count = sizeof agents_aliases / sizeof *agents_aliases;
