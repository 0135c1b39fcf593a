/* disconnect: what becomes of a request's attempts when its client has left: they are cancelled, or, where the route
 * says `disconnect = { drain = … }`, read on without a client until the provider has told its usage. One worker's
 * thread; in the request's arena.
 *
 *   client leaves ─▶ cancelled     `cancel`, or nothing has been sent, or all of the answer was delivered
 *        └─▶ reads on ─▶ drained   the attempt has ended: usage is the provider's own
 *                 └────▶ cut       the time is over, or the gateway stops: cancelled after all
 *
 * Either way there is one record, with outcome client_gone and status 499, and whatever becomes of the attempt without
 * its client is not held against its target. A request that reads on keeps its places in the caps: the provider works
 * for it all the same. It does not keep what nobody reads: events are judged for their usage and dropped. */
#ifndef MOONGATE_GATE_DISCONNECT_H
#define MOONGATE_GATE_DISCONNECT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "io/loop.h"

struct attempt;
struct exchange;
struct request;

enum disconnect_end {
  DISCONNECT_CANCELLED,
  DISCONNECT_DRAINED,
  DISCONNECT_CUT,
  DISCONNECT_SHARED,
  DISCONNECT_END_COUNT
};
const char *disconnect_end_name(enum disconnect_end end); /* "cancelled", as in metrics */

/* Of a request. */
struct disconnect {
  struct timer timer;
  uint64_t left_ns; /* when the client did; 0: it has not */
  struct buf body;  /* the client's, which a call that is resent needs, or another attempt for those who still wait */
  bool reads_on, was_cut;
};

/* The client has left; x: the exchange that was its own, in its last call; NULL: it left before, and the answer went on
 * to others (gate/sharing/coalesce.h), who have left now. Attempts that are not read on are cancelled.
 * The request is not ended: that is the caller's. */
void disconnect_begin(struct request *r, struct exchange *x);
/* The head of an answer has come: no byte of its request is needed any more. */
void disconnect_head(struct attempt *a);
/* The gateway stops: a request without a client ends now. Others are left alone. May free r. */
void disconnect_cut(struct request *r);
/* All is over for a request whose client has left: it ends in the next turn of the loop, when nobody up the stack looks
 * at it any more. */
void disconnect_end_soon(struct request *r);
/* The request ends: counts, and frees what is held. */
void disconnect_end(struct request *r);

#endif
