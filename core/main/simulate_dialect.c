/* simulate_dialect: the list of rows. Pure; any thread. */
#include "main/simulate_dialect.h"

const struct sim_dialect *const sim_dialects[SIM_DIALECTS] = {&sim_openai_chat, &sim_anthropic_messages};

const struct sim_dialect *sim_dialect_named(const char *name) {
  for (unsigned i = 0; i < SIM_DIALECTS; i++)
    if (strcmp(name, sim_dialects[i]->name) == 0) return sim_dialects[i];
  return NULL;
}
