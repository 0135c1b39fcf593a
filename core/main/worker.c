/* worker: the thread's life. */
#include "main/worker.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/footprint.h"
#include "base/must.h"
#include "gate/request.h"
#include "script/load.h"

enum { LOOK_MS = 20, RELIEVE_MS = 50, COUNT_MS = 1000 };

static atomic_uint restless_workers;

static void set_restless(struct worker *w, bool restless) {
  if (w->restless == restless) return;
  w->restless = restless;
  if (restless) atomic_fetch_add(&restless_workers, 1);
  else if (atomic_fetch_sub(&restless_workers, 1) == 1 && footprint_has_grown()) footprint_trim();
}

/* After a burst, what it took goes back to the system: first the scripts' garbage, in steps that a request hardly
 * notices, then spare memory, and when the last worker has become quiet, the heap. Returns when to look again. */
static uint32_t tidy(struct worker *w) {
  struct gate *g = w->gate;
  uint64_t served = 0;
  for (enum outcome o = 0; o < OUTCOME_COUNT; o++)
    served += atomic_load_explicit(&g->meter->requests[o], memory_order_relaxed);
  bool busy = g->request_count > 0 || served != w->served;
  w->served = served;
  if (busy) set_restless(w, true);
  if (busy) w->rounds = 0;
  if (busy || !w->restless) return COUNT_MS;
  if (footprint_has_grown()) {
    struct tenure *t = g->tenure;
    /* The first round may have begun before the last request ended, and then keeps what that held. */
    if (t != NULL && t->script != NULL && w->rounds < 2) {
      if (t->generation->hooks->tidy(t->script)) w->rounds++;
      return LOOK_MS;
    }
    arena_drop_spare();
    buf_keep_spare(false);
    buf_keep_spare(true);
  }
  set_restless(w, false);
  return COUNT_MS;
}

static void look(void *owner) {
  struct worker *w = owner;
  if (!w->gate->draining) {
    uint64_t now_ns = clock_ns();
    if (now_ns >= w->tidy_due_ns) w->tidy_due_ns = now_ns + tidy(w) * UINT64_C(1000000);
    uint64_t left_ms = (w->tidy_due_ns - now_ns) / 1000000;
    timer_set_ms(&w->drain_timer, admission_relieve(w->gate) && left_ms > RELIEVE_MS ? RELIEVE_MS : left_ms);
    return;
  }
  bool late = clock_ns() >= w->drain_due_ns;
  if (late) {
    struct fault f;
    fault_set(&f, FAULT_DRAINING, "The gateway shut down before the answer was complete.");
    for (struct link *at = w->gate->requests.next, *next; at != &w->gate->requests; at = next) {
      next = at->next;
      request_shut(list_item(at, struct request, link), &f);
    }
  }
  /* Who is idle may be about to send a request; and what was refused just now still has to reach its client. */
  bool busy = w->gate->request_count > 0;
  if (busy) w->grace_due_ns = clock_ns() + LISTENER_GRACE_MS * UINT64_C(1000000);
  bool idle = !busy && (listener_connections(w->listener) == 0 || clock_ns() >= w->grace_due_ns);
  bool over = idle || clock_ns() >= w->drain_due_ns + 1000000000u;
  if (over && w->drained != NULL) {
    void (*drained)(void *) = w->drained;
    w->drained = NULL;
    drained(w->owner);
  }
  if (!over) timer_set_ms(&w->drain_timer, LOOK_MS);
}

void worker_init(struct worker *w, unsigned number, const int *fds, unsigned fd_count, struct tls_identity *tls,
                 const struct server_limits *limits, struct trace_log *traces) {
  *w = (struct worker){.number = number, .tls = tls};
  w->loop = loop_new();
  w->gate = gate_new(w->loop, number, traces);
  w->listener = listener_open_on(w->loop, fds, fd_count, tls, limits, gate_service(), w->gate);
  listener_count_into(w->listener, &w->gate->meter->connections);
  timer_init(&w->drain_timer, w->loop, look, w);
}

static void *run(void *argument) {
  struct worker *w = argument;
  load_enter_thread();
  buf_keep_spare(true);
  timer_set_ms(&w->drain_timer, COUNT_MS);
  loop_run(w->loop);
  timer_clear(&w->drain_timer);
  listener_close(w->listener);
  gate_let_go(w->gate);
  gate_free(w->gate);
  load_leave_thread();
  arena_drop_spare();
  buf_keep_spare(false);
  return NULL;
}

void worker_start(struct worker *w) {
  must(pthread_create(&w->thread, NULL, run, w) == 0);
}

static void adopt(void *owner, void *argument) {
  struct worker *w = owner;
  struct generation *g = argument;
  struct server_limits limits;
  if (g->scripts != NULL) load_attach(g->scripts[w->number], w->gate);
  gate_adopt(w->gate, g);
  gate_server_limits(g->config, &limits);
  atomic_store(&w->drain_ms, g->config->drain_ms);
  atomic_store(&w->drain_delay_ms, g->config->drain_delay_ms);
  listener_limits(w->listener, &limits);
}

void worker_adopt(struct worker *w, struct generation *g) {
  loop_post(w->loop, adopt, w, g);
}

static void drain(void *owner, void *argument) {
  struct worker *w = owner;
  (void)argument;
  w->gate->draining = true;
  w->grace_due_ns = clock_ns() + LISTENER_GRACE_MS * UINT64_C(1000000);
  listener_stop(w->listener);
  timer_set_ms(&w->drain_timer, 1);
}

void worker_drain(struct worker *w, uint32_t drain_ms, void (*drained)(void *owner), void *owner) {
  w->drain_due_ns = clock_ns() + drain_ms * UINT64_C(1000000);
  w->drained = drained;
  w->owner = owner;
  loop_post(w->loop, drain, w, NULL);
}

static void say_close(void *owner, void *argument) {
  (void)argument;
  listener_say_close(((struct worker *)owner)->listener);
}

void worker_say_close(struct worker *w) {
  loop_post(w->loop, say_close, w, NULL);
}

static void pinged(void *owner, void *argument) {
  atomic_store(&((struct worker *)owner)->beat, (uint32_t)(uintptr_t)argument);
}

void worker_ping(struct worker *w, uint32_t beat) {
  loop_post(w->loop, pinged, w, (void *)(uintptr_t)beat);
}

static void stop(void *owner, void *argument) {
  (void)argument;
  loop_stop(owner);
}

void worker_stop(struct worker *w) {
  loop_post(w->loop, stop, w->loop, NULL);
  pthread_join(w->thread, NULL);
  loop_free(w->loop);
}
