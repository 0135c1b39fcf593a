/* dial: opens TCP connections through libcurl in connect-only mode: DNS without blocking, happy eyeballs, proxies.
 * One worker's thread.
 *
 * The socket is duplicated and libcurl's handle freed as soon as the connection stands, so a connection costs no
 * memory of libcurl and none of its pool rules reach it. It does NOT speak TLS or HTTP: that begins in upconn.h. */
#ifndef MOONGATE_IO_DIAL_H
#define MOONGATE_IO_DIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "io/multi.h"

/* One address to open connections to. */
struct dialer {
  struct multi multi;
  char *origin; /* "http://host:port/", also for TLS: libcurl connects, no more */
  char *proxy;  /* "" for none */
  uint32_t connect_ms;
};

struct dial_result {
  int fd;             /* connected, non-blocking, the receiver's; -1 on failure */
  bool timed_out;     /* of connect_ms */
  bool no_descriptor; /* the process, or the system, has none left: nobody else is to blame */
  const char *text;   /* why it failed; valid during the call */
};

struct dial; /* one attempt */

void dialer_init(struct dialer *d, struct loop *l, const char *origin, const char *proxy, uint32_t connect_ms);
void dialer_done(struct dialer *d); /* no attempt may be running */

/* Tells done once, later, unless cancelled; the attempt is gone then. */
struct dial *dial_start(struct dialer *d, void (*done)(void *owner, const struct dial_result *result), void *owner);
void dial_cancel(struct dial *attempt); /* closes at once, does not wait for a resolver */

/* Whether there is no descriptor for another socket: neither libcurl nor the resolver tells that this is why they have
 * failed. Two system calls. */
bool dial_none_left(void);

#endif
