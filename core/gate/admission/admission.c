/* admission: see the header. `lock` guards the queue, the lists of verdicts (gate->decided) and who adds places; a
 * verdict reaches its request by a message to the request's worker. */
#include "gate/admission/admission.h"

#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/must.h"
#include "gate/admission/memory_cap.h"
#include "gate/request.h"

enum { RETRY_AFTER_MAX_S = 300 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct queue queue;
static struct place *_Atomic places;

static void begin(void) {
  queue_init(&queue);
}

static void lock_take(void) {
  must(pthread_mutex_lock(&lock) == 0);
}

static void lock_drop(void) {
  must(pthread_mutex_unlock(&lock) == 0);
}

static const struct admission_caps *caps_of(const struct request *r) {
  return &r->tenure->generation->config->admission;
}

/* ---- places ------------------------------------------------------------------------------------------------- */

const struct place *admission_places(void) {
  return atomic_load_explicit(&places, memory_order_acquire);
}

uint32_t admission_waiting(void) {
  return atomic_load(&queue.waiting);
}

struct place *admission_place(enum place_kind kind, const char *name) {
  must(pthread_once(&once, begin) == 0);
  lock_take();
  struct place *p = atomic_load(&places);
  while (p != NULL && (p->kind != kind || strcmp(p->name, name) != 0)) p = p->next;
  if (p == NULL) {
    p = mem_new(struct place);
    p->kind = kind;
    p->name = mem_text(name, strlen(name));
    atomic_store(&p->cap, PLACES_UNLIMITED);
    p->next = atomic_load(&places);
    atomic_store_explicit(&places, p, memory_order_release);
  }
  lock_drop();
  return p;
}

/* ---- verdicts ----------------------------------------------------------------------------------------------- */

static void tell(void *owner, void *argument);

/* Under the lock; w is in no list. */
static void decide(struct waiter *w, int verdict) {
  struct admission *a = list_item(w, struct admission, waiter);
  struct gate *g = a->request->gate;
  bool first = list_empty(&g->decided);
  a->verdict = verdict;
  list_add_last(&g->decided, &w->link);
  if (first) loop_post(g->loop, tell, g, NULL);
}

static void serve(void) {
  for (struct waiter *w; (w = queue_next(&queue)) != NULL;) decide(w, ADMISSION_GRANTED);
}

/* A place is given back before anybody may see the queue who could take it over the heads of those who wait. */
static void give_back(struct place *p, uint64_t held_ns) {
  if (atomic_load(&queue.waiting) == 0) {
    place_leave(p, held_ns);
    if (atomic_load(&queue.waiting) == 0) return;
    lock_take();
  } else {
    lock_take();
    place_leave(p, held_ns);
  }
  serve();
  lock_drop();
}

void admission_leave(struct place *p, uint64_t held_ns) {
  if (p != NULL) give_back(p, held_ns);
}

/* ---- bytes of bodies ------------------------------------------------------------------------------------------ */

void admission_hold_body(struct attempt *a) {
  if (a->place == NULL) return;
  a->place_bytes = a->request->body_bytes;
  place_add(a->place, a->place_bytes);
}

void admission_hold_answer(struct attempt *a, size_t bytes) {
  struct admission *of_request = a->request->admission;
  if (of_request == NULL) return;
  of_request->team_bytes += bytes;
  place_add(of_request->waiter.team, bytes);
  if (a->place == NULL) return;
  a->place_bytes += bytes;
  place_add(a->place, bytes);
}

void admission_drop(struct attempt *a) {
  if (a->place_bytes > 0) place_drop(a->place, a->place_bytes);
  a->place_bytes = 0;
}

void admission_drop_body(struct request *r, struct attempt *a) {
  struct admission *of_request = r->admission;
  if (of_request == NULL) return;
  place_drop(of_request->waiter.team, of_request->team_bytes);
  of_request->team_bytes = 0;
  if (a == NULL || a->place_bytes == 0) return;
  admission_drop(a);
  if (atomic_load(&queue.waiting) == 0) return;
  lock_take();
  serve();
  lock_drop();
}

static uint64_t bytes_cap_of(const struct place *p, const struct config *c) {
  for (uint32_t i = 0; p->kind == PLACE_TEAM && i < c->team_count; i++)
    if (c->teams[i]->place == p) return c->teams[i]->memory_bytes;
  for (uint32_t i = 0; p->kind == PLACE_PROVIDER && i < c->provider_count; i++)
    if (c->providers[i]->place == p) return c->providers[i]->memory_bytes;
  return 0;
}

/* ---- caps ----------------------------------------------------------------------------------------------------- */

static uint32_t cap_of(const struct place *p, const struct config *c) {
  if (p->kind == PLACE_PROCESS) return c->admission.in_flight;
  for (uint32_t i = 0; p->kind == PLACE_TEAM && i < c->team_count; i++)
    if (c->teams[i]->place == p) return c->teams[i]->max_in_flight;
  for (uint32_t i = 0; p->kind == PLACE_PROVIDER && i < c->provider_count; i++)
    if (c->providers[i]->place == p) return c->providers[i]->max_in_flight;
  return PLACES_UNLIMITED;
}

void admission_adopt(const struct config *c) {
  if (!c->admission.on && admission_places() == NULL) return;
  lock_take();
  for (struct place *p = atomic_load(&places); p != NULL; p = p->next) {
    atomic_store(&p->cap, c->admission.on ? cap_of(p, c) : PLACES_UNLIMITED);
    atomic_store(&p->bytes_cap, c->admission.on ? bytes_cap_of(p, c) : 0);
  }
  if (atomic_load(&queue.waiting) > 0) serve();
  lock_drop();
}

/* ---- no ----------------------------------------------------------------------------------------------------- */

static uint32_t seconds_for(const struct request *r, uint64_t wait_ns) {
  uint64_t wait_ms = wait_ns > 0 ? wait_ns / 1000000 : caps_of(r)->queue_ms;
  uint64_t s = (wait_ms + 999) / 1000;
  return s < 1 ? 1 : s > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S : (uint32_t)s;
}

static void set_overloaded(const struct request *r, uint64_t wait_ns, enum shed why, struct fault *f) {
  static const char *const words[SHED_COUNT] = {
      [SHED_QUEUE_FULL] = "as many requests wait as may",
      [SHED_DISPLACED] = "requests of a higher priority have filled the queue",
      [SHED_MEMORY] = "its memory is used up",
      [SHED_TEAM_MEMORY] = "the bodies of this team's requests fill its share of the memory",
  };
  fault_set(f, FAULT_OVERLOADED, "The gateway is overloaded: %s.", words[why]);
  f->retry_after_s = seconds_for(r, wait_ns);
  meter_add(&r->gate->meter->shed[why], 1);
}

static void shed(struct request *r, uint64_t wait_ns, enum shed why) {
  struct fault f;
  set_overloaded(r, wait_ns, why, &f);
  request_refuse(r, &f);
}

/* ---- the queue, from a request's side ----------------------------------------------------------------------- */

static void waited(struct admission *a) {
  uint64_t now_ns = clock_ns(), this_ns = now_ns - a->queued_ns;
  a->waits = false;
  timer_clear(&a->timer);
  a->waited_ns += this_ns;
  histogram_add(&a->request->gate->meter->queue_wait, histogram_bounds_us, this_ns / 1000);
}

static void let_in(struct admission *a) {
  a->inside = true;
  a->entered_ns = clock_ns();
  a->provider = a->waiter.provider;
}

static void let_out(struct admission *a) {
  if (!a->inside) return;
  uint64_t inside_ns = clock_ns() - a->entered_ns;
  a->inside = false;
  give_back(a->waiter.team, inside_ns);
  give_back(a->waiter.process, inside_ns);
}

/* To the front of what is left of the plan. */
static void put_first(struct request *r, uint16_t at) {
  struct target *t = r->plan[at];
  memmove(&r->plan[r->plan_next + 1], &r->plan[r->plan_next], (size_t)(at - r->plan_next) * sizeof *r->plan);
  r->plan[r->plan_next] = t;
}

static bool is_fine(const struct request *r, uint16_t at) {
  uint32_t left_ms;
  return health_look(r->plan[at], loop_now_ns(r->gate->loop), &left_ms) == HEALTH_FINE;
}

/* The same for a target of the provider whose place was given. */
static void put_given_first(struct request *r) {
  const struct place *p = r->admission->provider;
  uint16_t at = r->plan_count;
  for (uint16_t i = r->plan_next; i < r->plan_count; i++) {
    if (r->plan[i]->provider->place != p) continue;
    if (at == r->plan_count || (!is_fine(r, at) && is_fine(r, i))) at = i;
  }
  must(at < r->plan_count);
  put_first(r, at);
}

static void late(void *owner) {
  struct admission *a = owner;
  struct request *r = a->request;
  lock_take();
  bool still = a->verdict == ADMISSION_WAITING;
  uint64_t wait_ns = 0;
  if (still) {
    queue_leave(&queue, &a->waiter);
    a->verdict = ADMISSION_IDLE;
    wait_ns = queue_wait_ns(&a->waiter);
  }
  lock_drop();
  if (!still) return; /* the verdict is on its way */
  waited(a);
  meter_add(&r->gate->meter->shed[SHED_QUEUE_TIMEOUT], 1);
  if (r->delivery.ended) return;
  struct fault f;
  fault_set(&f, FAULT_QUEUE_TIMEOUT, "No place came free within %u ms (queue_time).", a->queue_ms);
  f.retry_after_s = seconds_for(r, wait_ns);
  request_refuse(r, &f);
}

/* Runs on the worker whose requests are told. */
static void tell(void *owner, void *argument) {
  struct gate *g = owner;
  (void)argument;
  for (;;) {
    lock_take();
    struct waiter *w = list_empty(&g->decided) ? NULL : list_item(g->decided.next, struct waiter, link);
    if (w != NULL) list_remove(&w->link);
    uint64_t wait_ns = w != NULL ? queue_wait_ns(w) : 0;
    lock_drop();
    if (w == NULL) return;
    struct admission *a = list_item(w, struct admission, waiter);
    bool granted = a->verdict == ADMISSION_GRANTED;
    a->verdict = ADMISSION_IDLE;
    waited(a);
    if (granted) let_in(a);
    if (a->request->delivery.ended) continue; /* refused meanwhile: the gateway stops */
    if (!granted) {
      shed(a->request, wait_ns, SHED_DISPLACED);
    } else {
      if (a->provider != NULL) put_given_first(a->request);
      request_admitted(a->request);
    }
  }
}

/* All that the waiter needs, or a place in the queue, or no. */
static bool obtain(struct admission *a) {
  struct request *r = a->request;
  const struct admission_caps *caps = caps_of(r);
  struct waiter *w = &a->waiter;
  bool tried = atomic_load(&queue.waiting) == 0;
  if (tried && waiter_take(w)) {
    let_in(a);
    return true;
  }
  uint64_t wait_ns = 0;
  lock_take();
  if (tried) serve(); /* what the try held for a moment may have turned somebody away */
  bool got = waiter_take(w), full = !got && atomic_load(&queue.waiting) >= caps->queue;
  struct waiter *last = full ? queue_last_below(&queue, w->priority) : NULL;
  if (last != NULL) {
    queue_leave(&queue, last);
    decide(last, ADMISSION_DISPLACED);
    full = false;
  }
  if (full) wait_ns = queue_wait_ns(w);
  if (!got && !full) {
    a->verdict = ADMISSION_WAITING;
    queue_enter(&queue, w);
  }
  lock_drop();
  if (got) {
    let_in(a);
  } else if (full) {
    shed(r, wait_ns, SHED_QUEUE_FULL);
  } else {
    a->waits = true;
    a->queued_ns = clock_ns();
    timer_set_ms(&a->timer, a->queue_ms);
  }
  return got;
}

/* ---- the steps ---------------------------------------------------------------------------------------------- */

static uint8_t priority_of(const struct request *r, uint8_t otherwise) {
  return r->key != NULL && r->key->priority != PRIORITY_UNSAID ? r->key->priority : otherwise;
}

/* How long a request takes lately: by then, about half of what those that run hold has come free. */
static uint64_t held_ns(const struct admission_caps *caps) {
  return atomic_load_explicit(&caps->process->held_ns, memory_order_relaxed);
}

/* The queue is full, and not even the highest priority that the request may turn out to have would make room. */
static bool is_hopeless(const struct request *r, const struct admission *a, uint64_t *wait_ns) {
  const struct admission_caps *caps = caps_of(r);
  const struct waiter *w = &a->waiter;
  if (!place_is_full(w->process) && !place_is_full(w->team)) return false;
  if (atomic_load(&queue.waiting) < caps->queue) return false;
  lock_take();
  bool hopeless = queue_last_below(&queue, priority_of(r, caps->priority_max)) == NULL;
  *wait_ns = queue_wait_ns(w);
  lock_drop();
  return hopeless;
}

bool admission_knock(struct request *r, const struct http_head *head, struct fault *f) {
  const struct admission_caps *caps = caps_of(r);
  if (!caps->on) return true;
  struct admission *a = arena_new(&r->arena, struct admission);
  uint64_t bytes = head->body == HTTP_BODY_LENGTH    ? head->body_bytes
                   : head->body == HTTP_BODY_CHUNKED ? MEMORY_CAP_CHUNKED_BYTES
                                                     : 0;
  a->request = r;
  a->waiter.process = caps->process;
  a->waiter.team = r->key != NULL && r->key->team != NULL ? r->key->team->place : caps->no_team;
  r->admission = a;
  timer_init(&a->timer, r->gate->loop, late, a);
  uint64_t wait_ns = 0;
  if (is_hopeless(r, a, &wait_ns)) {
    set_overloaded(r, wait_ns, SHED_QUEUE_FULL, f);
    return false;
  }
  if (caps->memory_bytes > 0 && !memory_cap_promise(caps->memory_bytes, bytes, r->opened_ns)) {
    set_overloaded(r, held_ns(caps), SHED_MEMORY, f);
    return false;
  }
  if (caps->memory_bytes > 0) a->promised_bytes = bytes;
  if (!place_hold(a->waiter.team, bytes)) {
    set_overloaded(r, place_memory_wait_ns(a->waiter.team), SHED_TEAM_MEMORY, f);
    return false;
  }
  a->team_bytes = bytes;
  return true;
}

static void body_arrived(struct admission *a) {
  if (a->promised_bytes > 0) memory_cap_arrived(a->promised_bytes);
  a->promised_bytes = 0;
}

void admission_stand_by(struct request *r) {
  struct admission *a = r->admission;
  if (a == NULL) return;
  body_arrived(a);
  if (a->team_bytes == r->body_bytes) return; /* else its length was not announced */
  place_drop(a->waiter.team, a->team_bytes);
  place_add(a->waiter.team, a->team_bytes = r->body_bytes);
}

bool admission_enter(struct request *r) {
  struct admission *a = r->admission;
  if (a == NULL) return true;
  admission_stand_by(r);
  const struct route *route = config_route(r->tenure->generation->config, r->asked.model);
  uint8_t of_route = route != NULL && route->priority != PRIORITY_UNSAID ? route->priority : QUEUE_PRIORITY_DEFAULT;
  a->waiter.priority = priority_of(r, of_route);
  a->queue_ms = route != NULL && route->queue_ms > 0 ? route->queue_ms : caps_of(r)->queue_ms;
  return obtain(a);
}

/* Takes the first place that is free, at a provider of a healthy target only, if so asked. */
static bool take_first(struct request *r, bool fine_only) {
  for (uint16_t i = r->plan_next; i < r->plan_count; i++) {
    struct place *p = r->plan[i]->provider->place;
    if ((fine_only && !is_fine(r, i)) || (p != NULL && !place_take(p))) continue;
    r->admission->provider = p;
    put_first(r, i);
    return true;
  }
  return false;
}

static void list_providers(struct request *r, bool fine_only) {
  struct waiter *w = &r->admission->waiter;
  w->providers = arena_alloc(&r->arena, (size_t)(r->plan_count - r->plan_next) * sizeof *w->providers);
  w->provider_count = 0;
  for (uint16_t i = r->plan_next; i < r->plan_count; i++) {
    struct place *p = r->plan[i]->provider->place;
    uint16_t known = 0;
    while (known < w->provider_count && w->providers[known] != p) known++;
    if (known == w->provider_count && (!fine_only || is_fine(r, i))) w->providers[w->provider_count++] = p;
  }
}

bool admission_choose(struct request *r) {
  struct admission *a = r->admission;
  if (a == NULL) return true;
  bool some_fine = false;
  for (uint16_t i = r->plan_next; i < r->plan_count && !some_fine; i++) some_fine = is_fine(r, i);
  if (take_first(r, some_fine)) return true;
  list_providers(r, some_fine);
  let_out(a);
  if (!obtain(a)) return false;
  put_given_first(r);
  return true;
}

struct place *admission_bind(struct request *r, const struct target *t) {
  struct admission *a = r->admission;
  if (a == NULL) return NULL;
  struct place *p = a->provider, *wanted = t->provider->place;
  a->provider = NULL;
  if (p == wanted) return p;
  /* What was healthy is not any more, and another target was taken: rare enough to go one above its cap. */
  if (p != NULL) give_back(p, 0);
  if (wanted != NULL && !place_take(wanted)) atomic_fetch_add(&wanted->in_use, 1);
  return wanted;
}

bool admission_relieve(struct gate *g) {
  const struct admission_caps *caps = g->tenure != NULL ? &g->tenure->generation->config->admission : NULL;
  if (caps == NULL || caps->memory_bytes == 0) return false;
  if (!memory_cap_exceeded(caps->memory_bytes, clock_ns())) return true;
  for (struct link *at = g->requests.next; at != &g->requests; at = at->next) {
    struct request *r = list_item(at, struct request, link);
    bool comes = r->phase == REQUEST_READING && r->ready_ns == 0 && !r->delivery.ended && r->admission != NULL;
    if (comes) shed(r, held_ns(caps), SHED_MEMORY);
  }
  return true;
}

void admission_end(struct request *r) {
  struct admission *a = r->admission;
  if (a == NULL) return;
  if (a->waits) {
    lock_take();
    if (a->verdict == ADMISSION_WAITING) queue_leave(&queue, &a->waiter);
    else list_remove(&a->waiter.link);
    bool granted = a->verdict == ADMISSION_GRANTED;
    lock_drop();
    waited(a);
    if (granted) let_in(a);
  }
  body_arrived(a);
  if (a->team_bytes > 0) place_drop(a->waiter.team, a->team_bytes);
  a->team_bytes = 0;
  if (a->provider != NULL) give_back(a->provider, 0);
  let_out(a);
}
