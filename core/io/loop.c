/* loop: a worker's turns over libevent. The loop's own thread, but for loop_post.
 *
 *     one turn: wait ─▶ callbacks of sockets, timers, posted messages ─▶ what loop_later queued ─▶ next turn
 *
 * The base runs without locks (EVENT_BASE_FLAG_NOLOCK): other threads reach it only through the mutex-protected queue
 * of messages and an eventfd. It does not own what timers, laters and messages point to. */
#include "io/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/must.h"
#include "io/timers.h"

struct message {
  struct message *next;
  void (*call)(void *owner, void *argument);
  void *owner, *argument;
};

struct signal_watch {
  struct signal_watch *next;
  struct event event;
  void (*call)(void *owner, int signal_number);
  void *owner;
};

struct loop {
  struct event_base *base;
  struct timers timers;
  struct event alarm; /* on alarm_fd, one timerfd for all our timers: libevent's own have ticks of 4 ms */
  int alarm_fd;
  uint64_t alarm_ns;               /* when it rings; UINT64_MAX: not set */
  uint64_t now_ns;                 /* 0: not read in this turn */
  struct link laters, laters_mark; /* mark: the end of the present pass */
  struct signal_watch *signals;
  bool stopped;

  struct event wake; /* on wake_fd */
  int wake_fd;
  pthread_mutex_t lock; /* of the two below */
  struct message *messages, **messages_end;
};

uint64_t loop_now_ns(const struct loop *l) {
  if (l->now_ns == 0) ((struct loop *)(uintptr_t)l)->now_ns = clock_ns();
  return l->now_ns;
}

/* ---- timers */

static void alarm_set(struct loop *l) {
  uint64_t next_ns = timers_next_ns(&l->timers);
  if (next_ns >= l->alarm_ns) return;
  struct itimerspec when = {.it_value = {(time_t)(next_ns / 1000000000u), (long)(next_ns % 1000000000u)}};
  must(timerfd_settime(l->alarm_fd, TFD_TIMER_ABSTIME, &when, NULL) == 0);
  l->alarm_ns = next_ns;
}

static void alarm_rang(evutil_socket_t fd, short what, void *owner) {
  struct loop *l = owner;
  (void)what;
  uint64_t count;
  ssize_t got = read(fd, &count, sizeof count);
  must(got == sizeof count || errno == EAGAIN || errno == EINTR);
  l->alarm_ns = UINT64_MAX;
  uint64_t now_ns = loop_now_ns(l);
  for (struct timer *t; (t = timers_take_due(&l->timers, now_ns)) != NULL;) t->fired(t->owner);
  alarm_set(l);
}

void timer_init(struct timer *t, struct loop *l, void (*fired)(void *owner), void *owner) {
  *t = (struct timer){.fired = fired, .owner = owner, .loop = l};
}

void timer_set_ms(struct timer *t, uint64_t from_now_ms) {
  struct loop *l = t->loop;
  /* Never due in the turn that sets it: a timer that sets itself anew must not keep the loop from its sockets. */
  uint64_t wait_ns = from_now_ms > 0 ? from_now_ms * 1000000u : 1000000u;
  timers_set(&l->timers, t, loop_now_ns(l) + wait_ns);
  alarm_set(l);
}

void timer_park(struct timer *t) {
  if (t->due_ns != 0) timers_set(&t->loop->timers, t, UINT64_MAX);
}

void timer_clear(struct timer *t) {
  if (t->loop != NULL) timers_remove(&t->loop->timers, t);
}

/* ---- laters */

void loop_later(struct loop *l, struct later *later) {
  if (later->link.next == NULL) list_add_last(&l->laters, &later->link);
}

void loop_later_cancel(struct later *later) {
  list_remove(&later->link);
}

/* Those queued meanwhile wait for the next turn, which then does not sleep. */
static void laters_run(struct loop *l) {
  list_add_last(&l->laters, &l->laters_mark);
  while (l->laters.next != &l->laters_mark) {
    struct later *later = list_item(l->laters.next, struct later, link);
    list_remove(&later->link);
    later->call(later->owner);
  }
  list_remove(&l->laters_mark);
}

/* ---- messages */

static struct message *messages_take(struct loop *l) {
  must(pthread_mutex_lock(&l->lock) == 0);
  struct message *first = l->messages;
  l->messages = NULL;
  l->messages_end = &l->messages;
  must(pthread_mutex_unlock(&l->lock) == 0);
  return first;
}

static void woken(evutil_socket_t fd, short what, void *owner) {
  struct loop *l = owner;
  (void)what;
  uint64_t count;
  /* The counter is reset before the queue is taken: a message posted in between wakes the loop once more. */
  ssize_t got = read(fd, &count, sizeof count);
  must(got == sizeof count || errno == EAGAIN || errno == EINTR);
  for (struct message *m = messages_take(l), *next; m != NULL; m = next) {
    next = m->next;
    m->call(m->owner, m->argument);
    mem_free(m);
  }
}

void loop_post(struct loop *l, void (*call)(void *owner, void *argument), void *owner, void *argument) {
  struct message *m = mem_alloc(sizeof *m);
  *m = (struct message){.call = call, .owner = owner, .argument = argument};
  must(pthread_mutex_lock(&l->lock) == 0);
  bool first = l->messages == NULL;
  *l->messages_end = m;
  l->messages_end = &m->next;
  /* Inside the lock: afterwards the loop may run the message that ends it, and close the descriptor. */
  if (first) must(eventfd_write(l->wake_fd, 1) == 0);
  must(pthread_mutex_unlock(&l->lock) == 0);
}

/* ---- signals */

static void signalled(evutil_socket_t number, short what, void *owner) {
  struct signal_watch *w = owner;
  (void)what;
  w->call(w->owner, (int)number);
}

void loop_on_signal(struct loop *l, int signal_number, void (*call)(void *owner, int signal_number), void *owner) {
  struct signal_watch *w = mem_new(struct signal_watch);
  w->call = call;
  w->owner = owner;
  w->next = l->signals;
  l->signals = w;
  must(evsignal_assign(&w->event, l->base, signal_number, signalled, w) == 0);
  must(evsignal_add(&w->event, NULL) == 0);
}

/* ---- the loop */

struct loop *loop_new(void) {
  struct loop *l = mem_new(struct loop);
  /* libevent's heap ends as ours does: it says so, and the process ends with 71. */
  event_set_mem_functions(mem_alloc, mem_resize, mem_free);
  struct event_config *config = event_config_new();
  must(config != NULL);
  event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV);
  l->base = event_base_new_with_config(config);
  event_config_free(config);
  must(l->base != NULL);
  l->alarm_ns = UINT64_MAX;
  l->alarm_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  must(l->alarm_fd >= 0);
  must(event_assign(&l->alarm, l->base, l->alarm_fd, EV_READ | EV_PERSIST, alarm_rang, l) == 0);
  must(event_add(&l->alarm, NULL) == 0);
  list_init(&l->laters);
  must(pthread_mutex_init(&l->lock, NULL) == 0);
  l->messages_end = &l->messages;
  l->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  must(l->wake_fd >= 0);
  must(event_assign(&l->wake, l->base, l->wake_fd, EV_READ | EV_PERSIST, woken, l) == 0);
  must(event_add(&l->wake, NULL) == 0);
  /* OpenSSL writes with write(2): a client that left must be an error code, not the end of the process. */
  signal(SIGPIPE, SIG_IGN);
  return l;
}

void loop_free(struct loop *l) {
  if (l == NULL) return;
  while (!list_empty(&l->laters)) laters_run(l);
  for (struct message *m = messages_take(l), *next; m != NULL; m = next) {
    next = m->next;
    mem_free(m);
  }
  for (struct signal_watch *w = l->signals, *next; w != NULL; w = next) {
    next = w->next;
    evsignal_del(&w->event);
    mem_free(w);
  }
  event_del(&l->alarm);
  event_del(&l->wake);
  event_base_free(l->base);
  close(l->alarm_fd);
  close(l->wake_fd);
  timers_done(&l->timers);
  pthread_mutex_destroy(&l->lock);
  mem_free(l);
}

static void loop_turn(struct loop *l, bool wait) {
  l->now_ns = 0;
  must(event_base_loop(l->base, EVLOOP_ONCE | (wait ? 0 : EVLOOP_NONBLOCK)) >= 0);
  laters_run(l);
}

void loop_run(struct loop *l) {
  l->stopped = false;
  while (!l->stopped) loop_turn(l, list_empty(&l->laters));
}

void loop_stop(struct loop *l) {
  l->stopped = true;
}

struct event_base *loop_base(struct loop *l) {
  return l->base;
}
