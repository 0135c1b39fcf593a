/* half_close: a client that has closed its sending side may be gone or may wait for its answer: both sent a FIN. What
 * is sent to it next tells, since whoever is gone answers with a reset. So it is sent what means nothing: an interim
 * answer before the answer (RFC 9110, 15.2: a client must take them unasked), a filler between two events within it.
 * Worker's thread. Does not hear the reset: that is conn.c's.
 *
 *   FIN ─▶ asked ─(1 s)─▶ asked ─(2 s)─▶ asked … ─▶ the answer is complete, or a reset: it has left */
#include "base/memory.h"
#include "io/conn.h"

enum { AGAIN_MS = 1000 };

struct half_close {
  struct conn *conn;
  struct timer timer;
  uint32_t wait_ms;
};

bool half_close_waits(const struct conn *c) {
  const struct exchange *x = c->exchange;
  if (!c->listener->limits.half_close_waits || c->phase != CONN_ANSWER || x == NULL || x->aborted) return false;
  if (x->ended) return true;
  return x->answered ? x->filler.len > 0 : x->head->minor > 0;
}

static void ask(struct conn *c) {
  struct exchange *x = c->exchange;
  if (x == NULL || x->ended || x->aborted || conn_unsent(c) > 0) return; /* what is on its way asks, too */
  if (x->answered) exchange_write(x, x->filler);
  else if (x->head->minor > 0) exchange_continue(x);
}

static void ask_again(void *owner) {
  struct half_close *h = owner;
  h->wait_ms *= 2;
  timer_set_ms(&h->timer, h->wait_ms);
  ask(h->conn);
}

void half_close_begin(struct conn *c) {
  if (c->half_close != NULL) return;
  struct half_close *h = c->half_close = mem_new(struct half_close);
  *h = (struct half_close){.conn = c, .wait_ms = AGAIN_MS};
  timer_init(&h->timer, c->listener->loop, ask_again, h);
  timer_set_ms(&h->timer, h->wait_ms);
  ask(c);
}

void half_close_end(struct conn *c) {
  if (c->half_close == NULL) return;
  timer_clear(&c->half_close->timer);
  mem_free(c->half_close);
  c->half_close = NULL;
}
