/* request: one request as a state machine: a request has attempts (each with an upstream call and a reader) and
 * deliveries (each with a client). Cost, health and trace belong to attempts; latency and outcome to deliveries. One
 * worker's thread; everything lives in the request's arena and dies with it.
 *
 *   opened ─▶ READING ─▶ ROUTING ─▶ TRYING ─▶ DELIVERING ─▶ ENDED
 *                │           │  ▲      │  │        │
 *                │           │  └──────┘  │        │  failed before the first content: retry hook, next target
 *                └───────────┴────────────┴────────┴─▶ refusal, or a terminal error once the answer has begun
 *
 * FOLLOWING, instead of ROUTING: it is given another's answer (gate/sharing/coalesce.h), or is routed after all.
 * Several attempts may run at once; `source` is the one whose answer is delivered. */
#ifndef MOONGATE_GATE_REQUEST_H
#define MOONGATE_GATE_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/list.h"
#include "gate/account/meter.h"
#include "gate/account/price.h"
#include "gate/admission/admission.h"
#include "gate/attempt/attempt.h"
#include "gate/attempt/hedge.h"
#include "gate/attempt/recover.h"
#include "gate/attempt/retry.h"
#include "gate/config.h"
#include "gate/dialect/dialect.h"
#include "gate/disconnect.h"
#include "gate/endpoint.h"
#include "gate/fault.h"
#include "gate/gate.h"
#include "gate/keeping/keeping.h"
#include "gate/sharing/coalesce.h"

enum request_phase {
  REQUEST_READING,
  REQUEST_FOLLOWING,
  REQUEST_ROUTING,
  REQUEST_TRYING,
  REQUEST_DELIVERING,
  REQUEST_ENDED
};

enum { PLAN_MAX = 32, REQUEST_ID_BYTES = 28 };

/* One client that gets the answer. */
struct delivery {
  struct exchange *exchange; /* NULL once the client has gone or been served */
  bool started;              /* the head of a streamed answer is out */
  bool ended;                /* all of the answer is with the exchange */
  bool congested;            /* exchange_write said enough; the source is paused */
  uint64_t first_byte_ns;
  uint64_t sent_bytes;
  uint64_t next_number; /* of a stream's event, where the client's dialect numbers them */
};

struct request {
  struct arena arena; /* holds this struct too */
  struct gate *gate;
  struct tenure *tenure;
  struct link link; /* of gate->requests */
  enum request_phase phase;
  const struct endpoint *endpoint;
  const struct dialect *dialect; /* the client's: the endpoint's */
  char id[REQUEST_ID_BYTES];     /* "req_" and 24 of [0-9a-z] */
  struct slice method;
  struct slice path;
  struct slice path_rest; /* of the client's path: what goes to the provider as it came; else empty */
  const char *peer;
  const struct key *key;       /* NULL: no keys configured */
  struct admission *admission; /* NULL: no caps are configured, or it was refused before */
  struct signature *signature; /* by which the client showed that key; NULL: it sent the key itself */
  /* The exchange's; NULL once the client has gone, and copies of its own when others wait for the answer then. The body
   * is NULL, too, once a stream has begun that no attempt follows. */
  const struct http_head *head;
  struct slice body;
  uint64_t body_bytes;
  struct asked asked;

  struct route *route;     /* NULL: a target named directly */
  struct slice route_name; /* for trace and metrics; "direct" when there is none */
  struct target *plan[PLAN_MAX];
  uint16_t plan_count, plan_next;
  struct health_skip *skips; /* targets of the plan that were passed over, in order */

  struct attempt *attempts, **attempts_end; /* in the order of their start */
  uint16_t attempt_count;
  struct attempt *source;   /* whose answer is delivered */
  struct attempt *retrying; /* the failed one that the retry hook looks at */
  struct retry retry;
  struct hedge *hedge; /* NULL: its route hedges nothing, or not this one */
  struct delivery delivery;
  struct disconnect disconnect;
  struct recover recover;
  struct coalesced *coalesced; /* NULL: its answer is its own */
  struct keeping *keeping;     /* NULL: neither what it names nor its answer is the gateway's to keep */
  bool overheard;              /* its client has left, and others get its answer */
  uint64_t followed_ns;        /* waited for another's answer */

  /* ends */
  struct fault fault; /* what the gateway itself said no with; code FAULT_COUNT: nothing */
  bool refused;       /* fault is what the client got */
  enum outcome outcome;
  uint16_t status;       /* that the client got; 499: left before one */
  int64_t cost_pico_usd; /* of all attempts */
  struct usage usage;    /* of the delivered attempt */
  struct slice losses;   /* of the delivered attempt: "top_k,seed" */

  /* times, monotonic */
  uint64_t opened_ns, ready_ns, routed_ns, first_content_ns, ended_ns;
  int64_t opened_wall_ms;
  void *script_state; /* the script layer's, for forget_request */
};

/* For the gate. */
/* x and head are NULL for a head that the connection refused. */
struct request *request_new(struct gate *g, struct exchange *x, const struct http_head *head,
                            const struct endpoint *endpoint);
/* The connection itself refused the request, and has answered. Frees r when it had no exchange. */
void request_refused_below(struct request *r, const struct fault *f);
void request_refuse(struct request *r, const struct fault *f); /* whatever has been sent so far */
void request_shut(struct request *r, const struct fault *f);   /* ends its attempts and refuses: the gateway stops */
void request_ready(struct request *r);                         /* the body is complete */
void request_admitted(struct request *r);                      /* it waited for a place, and has it */
void request_drained(struct request *r);
void request_closed(struct request *r, enum exchange_end why); /* may free r */

/* For gate/sharing/coalesce.h: it follows nobody. Waits for its place, then is routed. */
void request_go_on(struct request *r);

/* For hooks. */
void request_plan_add(struct request *r, struct target *t); /* beyond PLAN_MAX: ignored */
void request_plan_replace(struct request *r);               /* drops what has not been tried */
/* The hook that returned WAITING has its result; f as the hook would have set it. */
void request_resumed(struct request *r, enum hook_verdict verdict, const struct fault *f);
/* The target of that name: the config's, or one made for this request; NULL: no such provider. */
struct target *request_target(struct request *r, struct slice name);

/* For gate/attempt/retry.h: begins an attempt at what is next in the plan, which there must be. */
void request_try_next(struct request *r);

/* For attempts. */
/* false: nobody reads the answer any more; it is read for its usage alone. */
static inline bool request_is_heard(const struct request *r) {
  return r->delivery.exchange != NULL || r->overheard;
}
void request_attempt_committed(struct request *r, struct attempt *a); /* its first content is there: it is the source */
void request_attempt_failed(struct request *r, struct attempt *a);    /* may free r */
void request_attempt_ended(struct request *r);                        /* may free r */
void request_end(struct request *r);                                  /* that was all */
void request_write(struct request *r, struct slice bytes); /* to the client; pauses the source when it is slow */

#endif
