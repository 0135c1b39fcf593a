/* simulate_dialect: the list of rows, and how a row finds the words of its refusals and the credential of a request.
 * Pure; any thread. */
#include "main/simulate/dialect.h"

const struct sim_dialect *const sim_dialects[SIM_DIALECTS] = {
    &sim_openai_chat,      &sim_openai_responses, &sim_anthropic_messages,
    &sim_bedrock_converse, &sim_gemini,           &sim_cohere_chat};

bool sim_dialect_takes(const struct sim_dialect *d, struct slice path) {
  return d->takes != NULL ? d->takes(path) : slice_ends(path, d->path_end);
}

void sim_dialect_step(const struct sim_dialect *d, const struct sim_answer *a, const struct sim_step *step,
                      struct buf *out) {
  const struct sim_steps *s = &d->steps;
  switch (step->kind) {
  case SIM_STEP_BEGIN:
    if (s->begin != NULL) s->begin(a, out);
    break;
  case SIM_STEP_OPEN:
    if (s->open != NULL) s->open(a, step->block, out);
    break;
  case SIM_STEP_DELTA: s->delta(a, step, out); break;
  case SIM_STEP_CLOSE:
    if (s->close != NULL) s->close(a, step->block, out);
    break;
  case SIM_STEP_FINISH:
    if (s->finish != NULL) s->finish(a, out);
    break;
  case SIM_STEP_END: s->end(a, out); break;
  }
}

struct sim_refusal sim_refusal_worded(const struct sim_refusal *why, const struct sim_fault *rows) {
  struct sim_refusal said = *why;
  while (rows->status != 0 && rows->status != why->status) rows++;
  if (said.type.len == 0) said.type = rows->type;
  if (said.message.len == 0) said.message = rows->message;
  return said;
}

struct slice sim_bearer_token(const struct http_head *head) {
  struct slice value = http_header_of(head, SLICE("authorization"));
  return slice_starts(value, SLICE("Bearer ")) ? slice_from(value, 7) : (struct slice){0};
}

const struct sim_dialect *sim_dialect_named(const char *name) {
  for (unsigned i = 0; i < SIM_DIALECTS; i++)
    if (strcmp(name, sim_dialects[i]->name) == 0) return sim_dialects[i];
  return NULL;
}
