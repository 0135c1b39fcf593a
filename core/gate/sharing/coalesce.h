/* coalesce: identical requests of one tenant that run at the same time make one call to a provider: the first of them
 * leads, the others follow: each is given, from its first byte on, what the leader's client is given. On for routes
 * that say so; for all others it is one branch.
 *
 *   joins ─▶ leads ──────▶ its answer is complete      followers read on to the end of it
 *     │        ├─────────▶ its client leaves           it stays for them, and tries what it would have tried;
 *     │        │                                       without any it is cancelled as ever
 *     │        ├─────────▶ fails before its answer     one follower leads now, twice at most; then, or when the
 *     │        │                                       request is at fault and not the provider, all get that error
 *     │        └─────────▶ breaks off                  each gets the terminal error in its own words
 *     └─────▶ follows ───▶ leads
 *
 * The answer is kept whole for who comes late, up to 8 MiB: then nobody joins any more, and who is so far behind loses
 * its connection. A slow client, the leader's own too, holds back nobody: the provider is paused only
 * while none of all clients takes more.
 *
 * A follower is a request of its own in key checks, trace and metrics, has no attempts and costs nothing; it holds no
 * place (gate/admission/admission.h), since what it waits for is done by another. It is not a cache: when the answer is
 * complete, the next request leads anew.
 *
 * Who shares with whom is kept in gate/sharing/gathering.h, what is shared in gate/sharing/shared_answer.h. A follower
 * hears of something new by a message to its worker. Functions are for the worker of the request that they take. */
#ifndef MOONGATE_GATE_COALESCE_H
#define MOONGATE_GATE_COALESCE_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/list.h"
#include "gate/fault.h"
#include "gate/sharing/shared_answer.h"

struct exchange;
struct gate;
struct request;

/* Of one request; in its arena. */
struct coalesced {
  struct request *request;
  struct audience *audience; /* of its worker */
  struct link link;          /* of audience->members */
  struct shared_reader reader;
  bool leads;
  bool reads; /* it is one of those whom the answer waits for */
  bool full;  /* its client takes no more for now */
  uint64_t joined_ns;
  char with[28];       /* the leader's request id; empty: it leads, or has led */
  struct slice target; /* that gave the leader's answer: "provider/model" */
};

/* The body has come, and r may be answered. true: it follows another's answer; false: it goes its own way, be it as a
 * leader. */
bool coalesce_join(struct request *r);
/* The client has left; x: the exchange that was its own, in its last call. true: the request goes on for others. */
bool coalesce_left(struct request *r, struct exchange *x);
/* The request ends. */
void coalesce_end(struct request *r);
/* The client takes more. */
void coalesce_drained(struct request *r);
/* It is refused with f. true: its client is told when it has read so far. */
bool coalesce_refused(struct request *r, const struct fault *f);

/* Of one that leads; of others nothing happens: */
/* The head of its answer; lines: without those that are each request's own. */
void coalesce_begin(struct request *r, unsigned status, struct slice lines, bool relays);
/* A whole answer; of a provider's error, too. */
void coalesce_whole(struct request *r, unsigned status, struct slice lines, struct slice body);

/* Of one that leads and has begun: */
void coalesce_write(struct request *r, struct slice bytes);
void coalesce_finish(struct request *r);

/* A message to a worker (owner: its gate): an audience of it has something new. For gate/sharing/gathering.c. */
void coalesce_tell(void *owner, void *argument);

#endif
