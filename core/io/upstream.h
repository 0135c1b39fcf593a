/* upstream: one destination as the files of a call see it: settings, the pool of idle connections, the way to open
 * new ones. One worker's thread. Lives until it is retired and its last call is gone.
 *
 * Two upstreams never share a connection, also not to the same host: a connection belongs to one provider key. */
#ifndef MOONGATE_IO_UPSTREAM_H
#define MOONGATE_IO_UPSTREAM_H

#include "io/dial.h"
#include "io/upcall.h"

struct upconn;
struct uptls;
struct transfers;

struct upstream {
  struct loop *loop;
  struct dialer dialer;
  struct uptls *tls;           /* NULL: plain */
  struct transfers *transfers; /* NULL: HTTP/1.1 */
  char *host_line;             /* "host: api.openai.com\r\n" */
  size_t host_line_bytes;
  struct link idle; /* of struct upconn, last used first */
  unsigned idle_count;
  struct timer idle_timer; /* due when the longest unused one has to go; set while there are any */
  unsigned calls;          /* running, and ended ones whose memory is still in use */
  unsigned holders;        /* tenures that use it; retired with the last */
  bool retired;
  uint32_t connect_ms, tls_ms, idle_ms, connections_idle;
  uint64_t body_bytes;
};

void upstream_hold(struct upstream *u);
void upstream_let_go(struct upstream *u);              /* frees a retired one with the last hold */
struct upconn *upstream_take_idle(struct upstream *u); /* the last used one, or NULL */
void upstream_put_idle(struct upstream *u, struct upconn *x);
void upstream_drop_idle(struct upstream *u, struct upconn *x); /* closes one of the pool */

#endif
