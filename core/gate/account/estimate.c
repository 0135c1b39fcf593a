/* estimate: see the header. */
#include "gate/account/estimate.h"

#include "gate/account/reckon.h"
#include "gate/attempt/incoming.h"
#include "gate/request.h"

/* The provider has all of the request, and has said nothing: it may have begun to work, and to bill. */
static bool may_be_billed(const struct attempt *a) {
  return a->status == 0 && a->times.sent_ns != 0;
}

/* A 2xx whose head is an answer's: the provider took the request and began to answer, so the prompt is billed whatever
 * became of the rest. A page of HTML is a proxy's, which bills nothing, and an error inside comes instead of an answer.
 */
static bool broke_off(const struct attempt *a) {
  if (a->failure == FAILURE_NONE || a->reading.failed || a->status / 100 != 2) return false;
  return a->failure != FAILURE_BAD_ANSWER || a->streams || incoming_has_type(a, SLICE("application/json"));
}

/* Its own, and what earlier attempts had said, which it was given to go on from. */
static uint64_t prompt_tokens(const struct attempt *a) {
  uint64_t tokens = reckon_prompt(&a->request->asked, a->dialect, a->target->model);
  for (const struct attempt *before = a->request->attempts; a->continues && before != a; before = before->next)
    if (before->first_content_ns != 0) tokens += before->reading.usage.output_tokens;
  return tokens;
}

static enum operation_estimate how_of(const struct attempt *a) {
  return operation_row(a->request->endpoint->operation)->estimate;
}

void estimate_body(struct attempt *a, struct slice body) {
  if (how_of(a) == ESTIMATE_ALL) reckon_read(&a->reckoned_whole, body);
}

static uint64_t output_tokens(struct attempt *a) {
  if (a->status == 0) return 0;
  const struct asked *asked = &a->request->asked;
  if (a->streams) return reckon_stream(&a->reckoned, &a->reading, asked, a->target->model);
  struct reckoned_whole *w = &a->reckoned_whole;
  w->bytes = a->expected_bytes;
  w->is_complete = a->failure == FAILURE_NONE;
  if (w->read_bytes == 0 && a->held.len > 0) reckon_read(w, buf_view(&a->held));
  return reckon_whole(asked, a->dialect, w);
}

void estimate_usage(struct attempt *a) {
  const struct request *r = a->request;
  struct usage *u = &a->reading.usage;
  enum operation_estimate how = how_of(a);
  if (how == ESTIMATE_NOTHING || r->asked.only_looks) return;
  if (!a->reading.content_begun && !broke_off(a) && !may_be_billed(a)) return;
  /* Some tell of the input at the beginning: of a stream that broke off, that is not all. */
  bool is_final = a->reading.complete || a->failure == FAILURE_NONE || reckon_is_told(&a->reckoned, &a->reading);
  if (u->source != USAGE_NONE && is_final) return;
  uint64_t output = how == ESTIMATE_ALL ? output_tokens(a) : 0;
  if (u->source == USAGE_NONE) u->input_tokens = prompt_tokens(a);
  if (u->output_tokens < output) u->output_tokens = output;
  u->source = USAGE_ESTIMATED;
}
