/* failure: classification by status first, then by the words that providers use for what the status does not tell. Any
 * thread. */
#include "gate/attempt/failure.h"

#include <string.h>
#include <strings.h>

#include "base/must.h"

static const struct failure_row rows[FAILURE_COUNT] = {
#define FAILURE(id, name, next_target, counts_against_health, doc) {name, next_target, counts_against_health, doc},
#include "gate/attempt/failure_table.h"
#undef FAILURE
};

const struct failure_row *failure_row(enum failure_class c) {
  must(c < FAILURE_COUNT);
  return &rows[c];
}

enum failure_class failure_named(struct slice name) {
  for (enum failure_class c = FAILURE_NONE; c < FAILURE_COUNT; c++)
    if (slice_eq(name, slice_text(rows[c].name))) return c;
  return FAILURE_NONE;
}

static bool has(const char *text, const char *part) {
  return strcasestr(text, part) != NULL;
}

static bool fits(const struct failure_rule *rule, unsigned status, const char *error_type, const char *error_text) {
  return (rule->status == 0 || rule->status == status) && (rule->name == NULL || strcmp(rule->name, error_type) == 0) &&
         (rule->match == NULL || has(error_text, rule->match));
}

enum failure_class failure_classify(unsigned status, const char *error_type, const char *error_text,
                                    const struct failure_rule *rules, uint32_t rule_count) {
  for (uint32_t i = 0; i < rule_count; i++)
    if (fits(&rules[i], status, error_type, error_text)) return rules[i].class;
  bool money = has(error_type, "insufficient_quota") || has(error_type, "billing") || has(error_type, "credit") ||
               has(error_text, "exceeded your current quota") || has(error_text, "credit balance") ||
               has(error_text, "spend limit") || has(error_text, "insufficient balance");
  if (status >= 300 && status < 400) return FAILURE_REDIRECT;
  switch (status) {
  case 401: return FAILURE_AUTH;
  case 402: return FAILURE_QUOTA;
  case 403: return money ? FAILURE_QUOTA : FAILURE_AUTH;
  case 404: return FAILURE_NOT_FOUND;
  case 408:
  case 409: return FAILURE_REQUEST_TIMEOUT;
  case 429: return money ? FAILURE_QUOTA : FAILURE_RATE_LIMITED;
  case 503:
  case 529: return FAILURE_OVERLOADED;
  default: break;
  }
  if (status >= 500) return has(error_type, "overloaded") ? FAILURE_OVERLOADED : FAILURE_SERVER_ERROR;
  if (has(error_type, "context_length") || has(error_type, "too_many_prompt_tokens") ||
      has(error_text, "context length") || has(error_text, "context window") || has(error_text, "prompt is too long") ||
      has(error_text, "maximum context") || has(error_text, "input is too long") ||
      has(error_text, "maximum number of tokens") || has(error_text, "too many tokens") ||
      has(error_text, "available context"))
    return FAILURE_CONTEXT_LENGTH;
  if (has(error_type, "content_policy") || has(error_type, "content_filter")) return FAILURE_CONTENT_POLICY;
  /* Some tell of a bad key with 400 (Gemini's and xAI's Chat Completions). */
  if (has(error_type, "api_key") || has(error_text, "api key not valid") || has(error_text, "incorrect api key"))
    return FAILURE_AUTH;
  if (money) return FAILURE_QUOTA; /* Anthropic tells of an empty balance with 400. */
  return FAILURE_INVALID;
}

enum failure_class failure_classify_inner(const char *error_type, const char *error_text,
                                          const struct failure_rule *rules, uint32_t rule_count,
                                          enum failure_class otherwise) {
  for (uint32_t i = 0; i < rule_count; i++)
    if (fits(&rules[i], 0, error_type, error_text)) return rules[i].class;
  /* The type says more than the words: Bedrock throttles with "Too many tokens, please wait". */
  if (has(error_type, "rate_limit") || has(error_type, "throttl") || has(error_type, "resource_exhausted"))
    return FAILURE_RATE_LIMITED;
  if (has(error_type, "overloaded") || has(error_type, "unavailable")) return FAILURE_OVERLOADED;
  enum failure_class c = failure_classify(0, error_type, error_text, NULL, 0);
  return c != FAILURE_INVALID ? c : otherwise;
}
