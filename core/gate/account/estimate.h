/* estimate: what an attempt is booked with when its provider has not told all of its usage. Who pays wants it neither
 * forgotten nor made up; such figures are marked (USAGE_ESTIMATED).
 *
 *   not sent whole, refused, no answer of a model ─▶ nothing
 *   sent whole, and no head of an answer came     ─▶ the prompt: the provider may have read it, or more
 *   an answer broke off, or was cancelled         ─▶ what was told of it, and for the rest the prompt and what came
 *   a complete answer without usage               ─▶ the prompt, and the answer
 *
 * The worker's thread. How tokens are reckoned is in gate/account/reckon.h. It does NOT change what a provider told of
 * an answer that is complete. */
#ifndef MOONGATE_GATE_ESTIMATE_H
#define MOONGATE_GATE_ESTIMATE_H

#include "base/bytes.h"

struct attempt;

/* A whole answer has come that does not tell its usage, or cannot be read. */
void estimate_body(struct attempt *a, struct slice body);
/* For an attempt that has ended, with its times, before it is priced. */
void estimate_usage(struct attempt *a);

#endif
