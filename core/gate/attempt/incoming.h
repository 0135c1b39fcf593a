/* incoming: the head of a provider's answer: what the attempt learns from it, what of it the client gets, and in which
 * way the body will come. One worker's thread; what is kept is the arena's. */
#ifndef MOONGATE_GATE_INCOMING_H
#define MOONGATE_GATE_INCOMING_H

#include "gate/attempt/attempt.h"
#include "wire/http.h"

/* Sets a's content_type, provider_request_id, retry_after_ms and passed_headers. */
void incoming_read_head(struct attempt *a, const struct http_head *head);
/* Whether the answer's type is this one, parameters aside. */
bool incoming_has_type(const struct attempt *a, struct slice type);
/* Whether the answer is a stream of events, and how it is framed. */
bool incoming_is_stream(const struct attempt *a, enum framing *framing);

#endif
