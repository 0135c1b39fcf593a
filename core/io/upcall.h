/* upcall: one HTTP request to a provider and its answer, on pooled connections. One worker's thread.
 *
 * libcurl opens connections (DNS, happy eyeballs, proxy); OpenSSL and our own strict HTTP/1.1 client run on their
 * sockets. A provider set to HTTP/2 uses libcurl's own transfers behind this same interface, one stream a
 * connection. Nothing outside io/ sees which.
 *
 *     start ─▶ connecting ─▶ sending ─▶ waiting ─▶ head(…) ─▶ body(…)… ─▶ end
 *        └────────┴──────────┴──────────┴── fail(phase, why) or cancel ──┘
 *
 * A request that dies on a reused connection before any byte of an answer is sent again once on a fresh one.
 * Redirects are never followed (a 3xx is an answer like any other); no cookies, no .netrc, no environment proxies. */
#ifndef MOONGATE_IO_UPCALL_H
#define MOONGATE_IO_UPCALL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/bytes.h"
#include "base/err.h"
#include "io/loop.h"
#include "wire/http.h"

struct upstream; /* where to: a base URL with its TLS settings and its pool of connections, for one provider key */
struct upcall;

struct upstream_config {
  const char *base_url;      /* "https://api.openai.com/v1"; only scheme, host and port are used here */
  const char *ca_file;       /* NULL: the system's */
  const char *proxy;         /* NULL: none, whatever the environment says */
  bool http2;                /* libcurl transfers with ALPN h2 (prior knowledge on http://) */
  bool insecure;             /* no verification; main/ warns loudly */
  uint32_t connect_ms;       /* DNS and TCP. 3,000 */
  uint32_t tls_ms;           /* the handshake. 3,000 */
  uint32_t idle_ms;          /* an unused connection is closed after. 60,000 */
  uint32_t connections_idle; /* kept per pool. 128 */
  uint64_t body_bytes;       /* answers larger than this fail. 256 MiB */
};
extern const struct upstream_config upstream_config_default;

struct upstream *upstream_new(struct loop *l, const struct upstream_config *config, struct err *e);
/* One more holder; each retires it once. */
struct upstream *upstream_share(struct upstream *u);
/* A holder lets go. When the last one has: no new calls; freed when the last running one ends. */
void upstream_retire(struct upstream *u);
unsigned upstream_idle_connections(const struct upstream *u);

enum upcall_phase { UPCALL_CONNECT, UPCALL_TLS, UPCALL_SEND, UPCALL_WAIT, UPCALL_BODY };

enum upcall_why {
  UPCALL_REFUSED,       /* connect failed: refused, unreachable, DNS */
  UPCALL_NO_DESCRIPTOR, /* this process had none left for a connection */
  UPCALL_TLS_FAULT,     /* handshake or verification */
  UPCALL_RESET,         /* connection lost before the answer was complete */
  UPCALL_BAD,           /* the answer breaks HTTP, is encoded though identity was asked for, or is too large */
  UPCALL_TIMEOUT        /* of connect_ms or tls_ms; the other clocks belong to the caller */
};

struct upcall_fault {
  enum upcall_phase phase;
  enum upcall_why why;
  char text[160]; /* for the trace and the log; no secrets */
};

/* Monotonic times, 0 while not reached. */
struct upcall_times {
  uint64_t started_ns, connected_ns, sent_ns, head_ns, ended_ns;
  bool reused; /* the connection served an earlier call */
  bool resent; /* all of it had been sent before, on a connection that then was lost */
};

struct upcall_events {
  /* The head of the answer (never a 1xx). Valid during the call. */
  void (*head)(void *owner, const struct http_head *head);
  /* Decoded body bytes, BUF_SLACK readable bytes behind them. Valid during the call. */
  void (*body)(void *owner, struct slice bytes);
  void (*end)(void *owner);                                    /* complete by its framing; last event */
  void (*fail)(void *owner, const struct upcall_fault *fault); /* last event */
};

struct upcall_request {
  struct slice method;      /* "POST" */
  struct slice target;      /* "/v1/chat/completions?x=y", already escaped */
  struct slice headers;     /* ready lines; all but host, content-length, secret; with "accept-encoding: identity" */
  struct slice secret_line; /* "authorization: Bearer sk-…\r\n", or empty; copied into the head, which is wiped */
  const struct iovec *body; /* must stay until the answer's head or the end of the call, because of the resend */
  int body_parts;
};

/* Events begin after the call has returned, never within it. The structs (events too), the head slices and the list
 * of parts are copied; the body's bytes are borrowed. Never NULL: a call that cannot start fails through `fail`.
 * Not on a retired upstream. */
struct upcall *upcall_start(struct upstream *u, const struct upcall_request *request,
                            const struct upcall_events *events, void *owner);
/* No more events; the connection is closed at once unless the answer was complete. May be called within any event. The
 * handle is dead afterwards, as it is after end or fail. */
void upcall_cancel(struct upcall *c);
void upcall_pause(struct upcall *c); /* no more body events until resume; TCP pushes back on the provider */
void upcall_resume(struct upcall *c);
const struct upcall_times *upcall_times(const struct upcall *c);
/* Where the call stands, and since when; of UPCALL_SEND: since the kernel last took bytes. */
enum upcall_phase upcall_phase(const struct upcall *c, uint64_t *since_ns);

void upcall_library_init(void); /* once, before threads */

#endif
