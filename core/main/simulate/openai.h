/* simulate_openai: what the rows of api.openai.com's two APIs (openai.chat, openai.responses) share, and what
 * cohere.chat has taken over from the first: messages, tools. Pure; any thread. */
#ifndef MOONGATE_MAIN_SIMULATE_OPENAI_H
#define MOONGATE_MAIN_SIMULATE_OPENAI_H

#include "main/simulate/dialect.h"

enum {
  SIM_OPENAI_CREATED = 1760000000
}; /* seconds; each request is one second later, so that answers repeat exactly */

/* Fields of struct sim_dialect. */
bool sim_openai_tool(struct slice *rest, struct slice *name, struct slice *schema);
void sim_openai_wrong_key(struct slice key, struct buf *message);
void sim_openai_headers(const struct sim_answer *a, struct buf *out);
void sim_openai_ping(struct buf *out);
void sim_openai_error(const struct sim_answer *a, const struct sim_refusal *why, struct buf *out);
void sim_openai_models(struct buf *out);

/* What api.openai.com does whichever of its APIs is asked: the fields of struct sim_dialect that its rows share. */
#define SIM_OPENAI_PROVIDER                                                                                            \
  .credential = sim_bearer_token, .wrong_key = sim_openai_wrong_key, .headers = sim_openai_headers,                    \
  .ping = sim_openai_ping, .error = sim_openai_error, .models = sim_openai_models

/* What the user said last, and the results of tools that came after it. */
void sim_openai_read_messages(struct slice messages, struct sim_ask *ask);

/* The last of a stream. */
void sim_openai_put_done(const struct sim_answer *a, struct buf *out);

/* The members message, type, param and code, with `open` before, `between` after each but the last, `close` behind. */
void sim_openai_put_error(const struct sim_refusal *why, const char *open, const char *between, const char *close,
                          struct buf *out);

#endif
