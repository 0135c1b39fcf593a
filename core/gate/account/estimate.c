/* estimate: see the header. */
#include "gate/account/estimate.h"

#include "gate/attempt/incoming.h"
#include "gate/request.h"

/* A 2xx whose head is an answer's: the provider took the request and began to answer, so the prompt is billed whatever
 * became of the rest. A page of HTML is a proxy's, which bills nothing, and an error inside comes instead of an answer.
 */
static bool broke_off(const struct attempt *a) {
  if (a->failure == FAILURE_NONE || a->reading.failed || a->status / 100 != 2) return false;
  return a->failure != FAILURE_BAD_ANSWER || a->streams || incoming_has_type(a, SLICE("application/json"));
}

/* About one token a delta of a stream; of a whole answer one for four bytes without what stands around its text, which
 * is half of a short one. */
static uint64_t tokens_seen(const struct attempt *a) {
  enum { ENVELOPE_BYTES = 500, TOKEN_BYTES = 4 };
  if (a->streams) return a->reading.deltas;
  uint64_t bytes = a->held.len > 0 ? a->held.len : a->expected_bytes;
  return (bytes > 2 * ENVELOPE_BYTES ? bytes - ENVELOPE_BYTES : bytes / 2) / TOKEN_BYTES;
}

void estimate_usage(struct attempt *a) {
  const struct request *r = a->request;
  struct usage *u = &a->reading.usage;
  enum operation_estimate how = operation_row(r->endpoint->operation)->estimate;
  if (how == ESTIMATE_NOTHING || (!a->reading.content_begun && !broke_off(a))) return;
  /* Some tell of the input at the beginning: of a stream that broke off, that is not all. */
  bool is_final = a->reading.complete || a->failure == FAILURE_NONE;
  if (u->source != USAGE_NONE && is_final) return;
  uint64_t seen = tokens_seen(a);
  if (u->source == USAGE_NONE) u->input_tokens = r->asked.prompt_tokens;
  if (u->output_tokens < seen && how == ESTIMATE_ALL) u->output_tokens = seen;
  u->source = USAGE_ESTIMATED;
}
