/* strict: a route, or a client by a header, demands that a request reaches a provider with all its fields or not at
 * all. A target whose API cannot carry them is passed over, as one that fails is; when none can, the client gets 400
 * with the names of what the first could not be given. The worker's thread. It does not know what is lost: the
 * translation tells (attempt.losses). */
#ifndef MOONGATE_GATE_STRICT_H
#define MOONGATE_GATE_STRICT_H

#include <stdbool.h>

#include "gate/fault.h"

struct attempt;
struct request;

/* The attempt's request has been built: it would lose something, and may not. */
bool strict_refuses(const struct attempt *a);
/* The 400 for a request that such an attempt could not take; param is the first field. */
void strict_fault(const struct attempt *a, struct fault *out);
/* Whose error ends a request after `last`: the last attempt that reached a provider; when all were passed over, the
 * first. */
struct attempt *strict_blamed(const struct request *r, struct attempt *last);

#endif
