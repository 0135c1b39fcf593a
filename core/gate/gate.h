/* gate: one worker's share of the product: takes exchanges from its listener, runs requests, owns the upstream pools.
 * One thread. */
#ifndef MOONGATE_GATE_GATE_H
#define MOONGATE_GATE_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "gate/account/meter.h"
#include "gate/account/trace.h"
#include "gate/generation.h"
#include "io/loop.h"
#include "io/server.h"
#include "io/upcall.h"

/* A generation on this worker, from its arrival to the end of its last request. */
struct tenure {
  struct generation *generation;
  struct script *script;
  struct upstream **pools;        /* [provider index * PROVIDER_KEYS_MAX + key index] */
  struct upstream **script_pools; /* [upstream index]: for gw.fetch */
  void **signer_states;           /* [as pools]: what an adapter's signer keeps for a key */
  uint32_t *next_key;             /* [provider index]: round robin */
  uint32_t requests;              /* that began in it and have not ended */
  bool current;
  struct health_checks *checks; /* the first worker's, of the current tenure; NULL: none */
  struct link link;
};

struct gate {
  struct loop *loop;
  unsigned worker; /* 0 … */
  struct meter *meter;
  struct trace_log *traces;
  struct tenure *tenure; /* the current one */
  struct link tenures;   /* all of them */
  struct link requests;  /* all that have not ended */
  uint32_t request_count;
  struct link woken;   /* audiences of shared answers: gate/sharing/gathering.c, under its lock */
  struct link decided; /* requests that waited and are to be told: gate/admission/admission.c, under its lock */
  struct timer look_at_kept; /* gate/keeping/keeping.h */
  bool draining;       /* readiness is off; new requests are answered, with connection: close */
  struct buf headers, body, line; /* scratch, reused: valid until the next use within this worker */
};

struct gate *gate_new(struct loop *l, unsigned worker, struct trace_log *traces);
void gate_free(struct gate *g);
/* Makes it the current generation: new requests begin in it. Called on the worker's thread (loop_post). */
void gate_adopt(struct gate *g, struct generation *generation);
void gate_let_go(struct gate *g);         /* at the end: no current generation any more */
const struct service *gate_service(void); /* owner: the struct gate */
/* For the edge's limits that a config sets. */
void gate_server_limits(const struct config *c, struct server_limits *out);
void tenure_release(struct gate *g, struct tenure *t); /* a request that began in t has ended */

#endif
