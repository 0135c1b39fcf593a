/* simulate_embeddings: embeddings and rerank of the simulated providers, in the shapes of OpenAI (also Voyage, Jina),
 * Cohere, Gemini, Vertex and Bedrock (Titan, Cohere). The same text has the same vector in every shape; vectors are
 * made of 32-bit floats. Pure; any thread. Errors, headers and credentials are those of the dialect that owns the path.
 */
#ifndef MOONGATE_MAIN_SIMULATE_EMBEDDINGS_H
#define MOONGATE_MAIN_SIMULATE_EMBEDDINGS_H

#include "main/simulate/dialect.h"

/* The row of the provider that serves embeddings or rerank at this path; NULL for any other path. */
const struct sim_dialect *sim_embeddings_dialect(struct slice path);
/* Reads a body: model, the first text, tokens. false with a refusal as the provider words it. */
bool sim_embeddings_read(struct slice path, struct slice body, struct sim_ask *ask, struct sim_refusal *why);
/* The whole answer to a body that was read. */
void sim_embeddings_put(struct slice path, struct slice body, const struct sim_answer *a, struct buf *out);

#endif
