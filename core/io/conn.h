/* conn: what listener.c, conn.c, output.c, half_close.c and exchange.c share about one client connection. Private to
 * these five; the public side is io/server.h. One worker's thread.
 *
 *   HANDSHAKE ─▶ HEAD ─▶ BODY ─▶ ANSWER ─▶ (HEAD again, or) ─▶ LINGER ─▶ DEAD
 *                  │       └─ answered early: the rest of the body is skipped
 *                  └─ nothing came: idle; under 500 bytes and a descriptor are all that a client costs then
 *
 * A connection is freed by loop_later after it is DEAD, so that nobody up the stack holds freed memory. An exchange is
 * freed as soon as `closed` has returned, and `closed` is never called from within an exchange_* function. */
#ifndef MOONGATE_IO_CONN_H
#define MOONGATE_IO_CONN_H

#include <event2/event_struct.h>
#include <netinet/in.h>

#include "io/server.h"
#include "io/transport.h"

enum {
  INPUT_BYTES = 16384,        /* one read; also how far ahead of the present exchange a client may send */
  BODY_FIRST_BYTES = 1 << 20, /* a longer Content-Length is believed as its bytes come */
  SKIP_BYTES = 65536,         /* rest of an unwanted body up to which the connection is kept */
  LINGER_MS = 2000,
  LINGER_BYTES = 32 << 20, /* what a refused client may still send before it is cut */
  DROP_BYTES = 1 << 20,    /* of it in one turn */
  GATHER_BYTES = 16384,    /* output of one turn is collected up to here before it is sent early */
  DIRECT_BYTES = 4096,     /* a write from here on is sent from where it lies */
  EXCHANGES_A_TURN = 16,   /* of one client, so that pipelining does not starve the others */
  BLOCK_BYTES = 2048,      /* pooled memory of an exchange with its head */
  SPARE_BLOCKS = 256,
  SPARE_BUFS = 16,
  SPARE_BUF_BYTES = 65536,
  SEND_PARTS = 15,
  ACCEPTS_A_TURN = 64
};

struct half_close;
struct spare_block;

struct door { /* a listening socket */
  int fd;
  struct event acceptable;
};

struct listener {
  struct loop *loop;
  struct tls_identity *tls;
  const struct service *service;
  void *owner;
  struct server_limits limits;
  struct link conns;
  uint32_t open;            /* length of conns */
  _Atomic int64_t *counted; /* the same, for other threads; NULL: nobody reads it */
  uint32_t allocated;       /* conns whose memory is not freed yet */
  struct door *doors;
  unsigned door_count; /* 0 once stopped */
  uint16_t port;
  bool says_close; /* every answer that begins now ends its connection */
  bool stopping, closed;
  bool accepting;             /* the doors' events are added */
  struct timer retry;         /* after EMFILE */
  uint64_t complained_ns;     /* last log line about that */
  struct http_head head;      /* scratch for parsing: a head is copied into its exchange at its true length */
  char *input;                /* scratch for reading, INPUT_BYTES */
  char *record;               /* scratch for TLS writes, or NULL */
  struct spare_block *blocks; /* of BLOCK_BYTES, for exchanges */
  unsigned block_count;
  struct buf bufs[SPARE_BUFS]; /* for output */
  unsigned buf_count;
};

enum conn_phase { CONN_HANDSHAKE, CONN_HEAD, CONN_BODY, CONN_ANSWER, CONN_LINGER, CONN_DEAD };

struct conn {
  struct event readable;  /* persistent; level-triggered but while `edge` */
  struct event *writable; /* only while the socket is full */
  struct listener *listener;
  struct exchange *exchange; /* in flight, or NULL */
  struct timer timer;        /* whichever deadline the phase has */
  struct later later;        /* flush, go on, free */
  struct link link;          /* in listener->conns */
  struct transport transport;
  struct half_close *half_close; /* NULL: the client may send, as far as is known */
  struct buf in;                 /* read, not yet used: part of a head, or pipelined requests */
  struct buf out;                /* written, not yet with the kernel, from out_sent on */
  size_t out_sent;
  size_t scanned;          /* of `in`, for http_parse_request */
  uint64_t skip;           /* input to drop first; UINT64_MAX: all of it */
  uint64_t dropped;        /* bytes dropped while lingering */
  struct in6_addr address; /* of the client; IPv4 mapped */
  uint16_t port;
  uint8_t phase;   /* enum conn_phase */
  bool served;     /* an exchange was opened on it */
  bool head_begun; /* the first byte of a head has come, its deadline runs */
  bool broken;     /* a write failed, or it cannot be watched: the client is gone, to be told from a safe place */
  bool edge;       /* the input is full or over: only news of the client's leaving is wanted */
  bool input_over; /* its FIN was read: nothing more comes */
  bool finished;   /* transport_finish was called */
};

struct exchange {
  struct conn *conn;
  void *owner;
  struct http_head *head; /* behind this struct, cut off after its last header; its bytes follow */
  struct buf body;
  uint64_t body_limit;
  uint64_t body_left; /* of a Content-Length body */
  uint64_t sent_bytes;
  struct http_chunked chunked;
  struct slice filler; /* exchange_set_filler */
  uint32_t block_bytes;
  bool body_whole;
  bool answered, ended, aborted;
  bool reset;       /* aborted, and by RST */
  bool keep;        /* the connection goes on after this answer; decided when it begins */
  bool chunks;      /* the answer is chunked */
  bool bodyless;    /* HEAD, 204, 304: no body bytes whatever is written */
  bool until_close; /* HTTP/1.0: the end of the answer is the end of the connection */
  bool owes_drained;
  char peer[56]; /* text, once asked for */
};

/* conn.c */
void conn_open(struct listener *s, int fd, const struct sockaddr_storage *peer);
void conn_close(struct conn *c, bool reset);
/* The client left, or is treated so: closed(CLIENT_GONE) when an exchange is in flight, then conn_close. */
void conn_left(struct conn *c);
bool conn_idle(const struct conn *c); /* waits for a head of which nothing has come */
void conn_later(struct conn *c);      /* goes on from a safe place, later in this turn */
/* Nothing more is read as a request; closes once the output is out and the client has stopped sending. */
void conn_linger(struct conn *c);
void conn_writable(int fd, short what, void *owner); /* libevent's callback for c->writable; owner: the conn */

/* output.c */
size_t conn_unsent(const struct conn *c);
char *conn_reserve(struct conn *c, size_t bytes); /* room at the end of c->out; its len is the caller's to move */
void conn_queue(struct conn *c, const struct iovec *parts, int count, size_t skip_bytes);
/* Sends the queued output and then these parts in one go; what the socket does not take is queued. At most SEND_PARTS
 * parts, none overlapping c->out. */
void conn_send(struct conn *c, const struct iovec *parts, int count);
void conn_flush(struct conn *c); /* tries the queue again although the socket was full */
void conn_watch_output(struct conn *c, bool wanted);
void conn_watch_input(struct conn *c, bool full); /* full: only for the client's leaving */
void conn_drop_output(struct conn *c);

/* half_close.c */
/* Whether a client that has closed its sending side now is asked if it still reads; else it has left. */
bool half_close_waits(const struct conn *c);
void half_close_begin(struct conn *c); /* asks it; again is fine */
void half_close_end(struct conn *c);

/* exchange.c */
struct exchange *exchange_new(struct conn *c, const struct http_head *head, const char *bytes, size_t head_bytes);
void exchange_free(struct exchange *x);
void exchange_drop_spare(struct listener *s); /* the pool of blocks */
void exchange_continue(struct exchange *x);   /* an interim 100; before the answer, never to HTTP/1.0 */
/* An answer of the connection itself to what it refuses, `connection: close` included. */
void exchange_refuse(struct conn *c, struct slice path, const struct http_refusal *why, bool to_head);

/* listener.c */
void listener_room(struct listener *s);            /* a connection has closed */
void listener_count(struct listener *s, int more); /* are open now than before */
void listener_conn_freed(struct listener *s);

#endif
