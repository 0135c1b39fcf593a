/* watchdog: the thread, the signal, and one post per thread that runs scripts. Posts are owned by their threads and
 * linked under the lock; the running stretch is published by atomics, without the lock. */
#include "script/watchdog.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/memory.h"
#include "base/must.h"
#include "script/run.h"

enum {
  IDLE_NS = 10000000,  /* less than the smallest limit, so that no stretch is noticed late */
  AGAIN_NS = 1000000,  /* between the first two signals for one stretch; then twice as long each time */
  SLEEP_MIN_NS = 50000 /* do not spin for the last microseconds of a limit */
};

struct post {
  struct link link; /* in posts, under the lock */
  pthread_t thread;
  clockid_t cpu_clock;
  _Atomic uint64_t started_ns; /* of the stretch that runs; 0: none. Written by the thread, read by the watchdog */
  _Atomic uint64_t limit_ns;
  _Atomic uint64_t condemned_ns; /* started_ns of the stretch that must end. Written by the watchdog */
  /* Read by the signal's handler on the thread itself. running is set last and cleared first. */
  struct vm *vm;
  lua_State *volatile running;
  /* The watchdog's own notes. */
  uint64_t looked_cpu_ns;   /* the thread's CPU clock when it last looked */
  uint64_t seen_started_ns; /* of the stretch it saw last, and what that had used by then */
  uint64_t seen_used_ns, seen_cpu_ns;
  uint64_t signal_at_ns, signal_wait_ns; /* the next signal for it, and how long that was waited for */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake;
static struct link posts = {&posts, &posts};
static pthread_t thread;
static bool is_started, is_stopping; /* under the lock */
static _Thread_local struct post *mine;

/* Runs as the count hook of a condemned script, at every instruction. */
static void stop(lua_State *L, lua_Debug *at) {
  (void)at;
  if (vm_of(L)->stop) run_stop_here(L);
}

static void on_signal(int number) {
  (void)number;
  int kept = errno;
  struct post *p = mine;
  if (p != NULL && p->running != NULL) {
    uint64_t started_ns = atomic_load_explicit(&p->started_ns, memory_order_relaxed);
    if (started_ns != 0 && atomic_load_explicit(&p->condemned_ns, memory_order_acquire) == started_ns) {
      p->vm->stop = 1;
      lua_sethook(p->running, stop, LUA_MASKCOUNT, 1);
    }
  }
  errno = kept;
}

static uint64_t clock_of(clockid_t id) {
  struct timespec now;
  if (clock_gettime(id, &now) != 0) return 0;
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Looks at one post; returns after how many ns it wants to be looked at again. */
static uint64_t look(struct post *p, uint64_t now_ns) {
  uint64_t started_ns = atomic_load_explicit(&p->started_ns, memory_order_acquire);
  uint64_t limit_ns = atomic_load_explicit(&p->limit_ns, memory_order_relaxed);
  uint64_t cpu_ns = clock_of(p->cpu_clock), since_look_ns = cpu_ns - p->looked_cpu_ns;
  p->looked_cpu_ns = cpu_ns;
  if (started_ns == 0) return IDLE_NS;
  if (started_ns != p->seen_started_ns) {
    /* What it used before it was first seen is not known: at most the time since it began, and what the thread used
     * since the last look. Half the limit is the most that is held against it, should the watchdog itself be late. */
    uint64_t most_ns = now_ns > started_ns ? now_ns - started_ns : 0;
    if (most_ns > since_look_ns) most_ns = since_look_ns;
    p->seen_started_ns = started_ns;
    p->seen_used_ns = most_ns < limit_ns / 2 ? most_ns : limit_ns / 2;
    p->seen_cpu_ns = cpu_ns;
    p->signal_at_ns = p->signal_wait_ns = 0;
  }
  uint64_t used_ns = p->seen_used_ns + cpu_ns - p->seen_cpu_ns;
  if (used_ns < limit_ns) return limit_ns - used_ns;
  if (now_ns < p->signal_at_ns) return p->signal_at_ns - now_ns;
  /* Its handler walks the whole stack (lua_sethook): at a steady pace a deep one would be walked all the time. */
  p->signal_wait_ns = p->signal_wait_ns == 0 ? AGAIN_NS : 2 * p->signal_wait_ns;
  p->signal_at_ns = now_ns + p->signal_wait_ns;
  atomic_store_explicit(&p->condemned_ns, started_ns, memory_order_release);
  pthread_kill(p->thread, SIGURG);
  return p->signal_wait_ns;
}

static void *watch(void *unused) {
  (void)unused;
  pthread_mutex_lock(&lock);
  while (!is_stopping) {
    uint64_t now_ns = clock_ns(), sleep_ns = IDLE_NS;
    for (struct link *at = posts.next; at != &posts; at = at->next) {
      uint64_t wanted_ns = look(list_item(at, struct post, link), now_ns);
      if (wanted_ns < sleep_ns) sleep_ns = wanted_ns;
    }
    uint64_t until_ns = now_ns + (sleep_ns > SLEEP_MIN_NS ? sleep_ns : SLEEP_MIN_NS);
    struct timespec until = {(time_t)(until_ns / 1000000000u), (long)(until_ns % 1000000000u)};
    pthread_cond_timedwait(&wake, &lock, &until);
  }
  pthread_mutex_unlock(&lock);
  return NULL;
}

bool watchdog_start(struct err *e) {
  if (is_started) return true;
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init(&wake, &monotonic);
  pthread_condattr_destroy(&monotonic);
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  sigemptyset(&action.sa_mask);
  must(sigaction(SIGURG, &action, NULL) == 0);
  is_stopping = false;
  /* The watchdog takes no signals: they are the business of the threads they are meant for. */
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int failed = pthread_create(&thread, NULL, watch, NULL);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (failed) return err_set(e, "the watchdog's thread cannot be started: %s", strerror(failed));
  pthread_setname_np(thread, "watchdog");
  is_started = true;
  return true;
}

void watchdog_stop(void) {
  if (!is_started) return;
  pthread_mutex_lock(&lock);
  must(list_empty(&posts));
  is_stopping = true;
  pthread_cond_signal(&wake);
  pthread_mutex_unlock(&lock);
  pthread_join(thread, NULL);
  pthread_cond_destroy(&wake);
  is_started = false;
}

void watchdog_enter(void) {
  must(mine == NULL && is_started);
  struct post *p = mem_new(struct post);
  p->thread = pthread_self();
  must(pthread_getcpuclockid(p->thread, &p->cpu_clock) == 0);
  mine = p;
  pthread_mutex_lock(&lock);
  list_add_last(&posts, &p->link);
  pthread_mutex_unlock(&lock);
}

void watchdog_leave(void) {
  struct post *p = mine;
  must(p != NULL && p->running == NULL);
  pthread_mutex_lock(&lock);
  list_remove(&p->link);
  pthread_mutex_unlock(&lock);
  mine = NULL;
  atomic_signal_fence(memory_order_seq_cst); /* a signal on its way must not see the freed post */
  mem_free(p);
}

uint64_t watchdog_begin(struct vm *vm, lua_State *L, uint64_t limit_ns) {
  struct post *p = mine;
  must(p != NULL && p->running == NULL);
  uint64_t now_ns = clock_ns();
  vm->stop = limit_ns == 0;
  if (vm->stop) lua_sethook(L, stop, LUA_MASKCOUNT, 1);
  p->vm = vm;
  atomic_store_explicit(&p->limit_ns, limit_ns, memory_order_relaxed);
  atomic_store_explicit(&p->started_ns, now_ns, memory_order_release);
  atomic_signal_fence(memory_order_seq_cst);
  p->running = L;
  return now_ns;
}

void watchdog_end(lua_State *L) {
  struct post *p = mine;
  p->running = NULL;
  atomic_signal_fence(memory_order_seq_cst);
  atomic_store_explicit(&p->started_ns, 0, memory_order_release);
  if (lua_gethookmask(L) != 0) lua_sethook(L, NULL, 0, 0);
}

bool watchdog_is_watching(void) {
  return mine != NULL && mine->running != NULL;
}
