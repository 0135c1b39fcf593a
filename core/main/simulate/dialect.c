/* simulate_dialect: the list of rows, and how a row finds the words of its refusals. Pure; any thread. */
#include "main/simulate/dialect.h"

const struct sim_dialect *const sim_dialects[SIM_DIALECTS] = {
    &sim_openai_chat,      &sim_openai_responses, &sim_anthropic_messages,
    &sim_bedrock_converse, &sim_gemini,           &sim_cohere_chat};

bool sim_dialect_takes(const struct sim_dialect *d, struct slice path) {
  return d->takes != NULL ? d->takes(path) : slice_ends(path, d->path_end);
}

const struct sim_fault *sim_fault_of(const struct sim_fault *rows, unsigned status) {
  while (rows->status != 0 && rows->status != status) rows++;
  return rows;
}

const struct sim_dialect *sim_dialect_named(const char *name) {
  for (unsigned i = 0; i < SIM_DIALECTS; i++)
    if (strcmp(name, sim_dialects[i]->name) == 0) return sim_dialects[i];
  return NULL;
}
