/* reply: what goes back to a client: headers and bodies of answers, refusals and errors, in the client's dialect. The
 * worker's thread. */
#ifndef MOONGATE_GATE_REPLY_H
#define MOONGATE_GATE_REPLY_H

#include "gate/request.h"

/* A whole answer of an attempt: body as the client will read it. */
void reply_whole(struct request *r, struct attempt *a, struct slice body);
/* The head of a streamed answer; what follows goes through request_write. */
void reply_start(struct request *r, struct attempt *a);
/* The head of an answer whose bytes pass on as they come, through request_write; length NULL: unknown. */
void reply_relay(struct request *r, struct attempt *a, const uint64_t *length);
void reply_fault(struct request *r);        /* r->fault, nothing was sent yet */
void reply_stream_fault(struct request *r); /* r->fault, as the terminal error of a stream; ends it */
/* The blank line that the last event of a stream that passes by lacks: without it no client reads that event. */
void reply_close_event(struct attempt *a);
/* The answer of another request, the leader (gate/sharing/coalesce.h): a whole one, and the head of a streamed one.
 * lines: those of its head that are not each request's own. */
void reply_follow_whole(struct request *r, const char *leader_id, unsigned status, struct slice lines,
                        struct slice body);
void reply_follow_start(struct request *r, const char *leader_id, unsigned status, struct slice lines);
/* The provider's error answer: as it came on a same-dialect hop, else translated. */
void reply_provider_error(struct request *r, struct attempt *a);
/* The fault that tells a failed attempt which had no error answer. */
void reply_fault_of(const struct attempt *a, struct fault *out);
/* JSON of the gateway's own, status 200 or other: models list, health. */
void reply_json(struct request *r, unsigned status, struct slice body);

/* OPTIONS: what the endpoint takes. No CORS: browsers hold no gateway keys. */
void reply_options(struct request *r);

#endif
