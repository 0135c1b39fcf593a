/* disconnect: see the header. The worker's thread. */
#include "gate/disconnect.h"

#include "base/clock.h"
#include "gate/request.h"

const char *disconnect_end_name(enum disconnect_end end) {
  static const char *const names[DISCONNECT_END_COUNT] = {"cancelled", "drained", "cut", "shared"};
  return names[end];
}

/* Its provider has the whole request, so it works and bills, and will say what. A relayed file says nothing of usage
 * behind its head. */
static bool is_worth_reading(const struct attempt *a) {
  return a->call != NULL && upcall_times(a->call)->sent_ns != 0 && !a->relays;
}

static void cut(void *owner) {
  disconnect_cut(owner);
}

static bool needs_body(const struct request *r) {
  for (const struct attempt *a = r->attempts; a != NULL; a = a->next)
    if (a->phase < ATTEMPT_DONE && a->status == 0) return true;
  return false;
}

void disconnect_begin(struct request *r, struct exchange *x) {
  struct disconnect *d = &r->disconnect;
  bool drains = r->route != NULL && r->route->disconnect_drain_ms > 0 && !r->delivery.ended;
  if (d->left_ns == 0) d->left_ns = clock_ns(); /* else it went on for others, who have left, too */
  for (struct attempt *a = r->attempts; a != NULL; a = a->next) {
    if (a->phase >= ATTEMPT_DONE) continue;
    if (!drains || !is_worth_reading(a)) {
      attempt_cancel(a, FAILURE_CLIENT_GONE);
      continue;
    }
    d->reads_on = true;
    if (a->streams) buf_done(&a->held);
  }
  if (!d->reads_on) return;
  if (x != NULL && needs_body(r)) d->body = exchange_take_body(x);
  if (d->timer.loop != NULL) timer_clear(&d->timer);
  timer_init(&d->timer, r->gate->loop, cut, r);
  timer_set_ms(&d->timer, r->route->disconnect_drain_ms);
  if (!r->delivery.congested) return;
  r->delivery.congested = false;
  if (r->source != NULL && r->source->phase < ATTEMPT_DONE) attempt_resume(r->source);
}

void disconnect_head(struct attempt *a) {
  buf_done(&a->body);
  a->part_count = 0;
  if (!needs_body(a->request)) buf_done(&a->request->disconnect.body);
}

void disconnect_cut(struct request *r) {
  if (r->delivery.exchange != NULL) return;
  r->disconnect.was_cut = true;
  /* While others wait for its answer nothing but the end of the gateway cuts it. */
  enum failure_class why = r->overheard ? FAILURE_DRAINING : FAILURE_CLIENT_GONE;
  for (struct attempt *a = r->attempts; a != NULL; a = a->next)
    if (a->phase < ATTEMPT_DONE) attempt_cancel(a, why);
  request_attempt_ended(r);
}

static void over(void *owner) {
  request_attempt_ended(owner);
}

void disconnect_end_soon(struct request *r) {
  struct disconnect *d = &r->disconnect;
  if (d->timer.loop != NULL) timer_clear(&d->timer);
  timer_init(&d->timer, r->gate->loop, over, r);
  timer_set_ms(&d->timer, 0);
}

void disconnect_end(struct request *r) {
  struct disconnect *d = &r->disconnect;
  if (d->left_ns == 0) return;
  if (d->timer.loop != NULL) timer_clear(&d->timer);
  buf_done(&d->body);
  enum disconnect_end end = r->overheard  ? DISCONNECT_SHARED
                            : d->was_cut  ? DISCONNECT_CUT
                            : d->reads_on ? DISCONNECT_DRAINED
                                          : DISCONNECT_CANCELLED;
  if (r->attempts != NULL) meter_add(&r->gate->meter->disconnects[end], 1);
}
