/* loop: timers, laters, posted messages, signals. Run it under ThreadSanitizer too: four threads post. */
#include "io/loop.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>

#include "base/clock.h"
#include "base/memory.h"
#include "check.h"
#include "io/timers.h"

struct seen {
  struct loop *loop;
  struct buf order;
  struct timer timers[8];
  struct later laters[4];
  unsigned stop_after;
};

static void note(struct seen *s, char what) {
  buf_byte(&s->order, what);
  if (s->order.len == s->stop_after) loop_stop(s->loop);
}

static void fired_a(void *owner) {
  note(owner, 'a');
}
static void fired_b(void *owner) {
  note(owner, 'b');
}
static void fired_c(void *owner) {
  note(owner, 'c');
}

static void seen_init(struct seen *s, unsigned stop_after) {
  *s = (struct seen){.loop = loop_new(), .stop_after = stop_after};
}

static void seen_done(struct seen *s) {
  loop_free(s->loop);
  buf_done(&s->order);
}

TEST(timers_fire_in_order_of_their_deadlines) {
  struct seen s;
  seen_init(&s, 3);
  timer_init(&s.timers[0], s.loop, fired_a, &s);
  timer_init(&s.timers[1], s.loop, fired_b, &s);
  timer_init(&s.timers[2], s.loop, fired_c, &s);
  timer_set_ms(&s.timers[0], 60);
  timer_set_ms(&s.timers[1], 5);
  timer_set_ms(&s.timers[2], 30);
  uint64_t start_ns = clock_ns();
  loop_run(s.loop);
  CHECK_SLICE(buf_view(&s.order), "bca");
  CHECK(clock_ns() - start_ns >= 59000000);
  CHECK_INT(s.timers[0].due_ns, 0);
  seen_done(&s);
}

TEST(timers_move_both_ways_and_clear) {
  struct seen s;
  seen_init(&s, 2);
  timer_init(&s.timers[0], s.loop, fired_a, &s);
  timer_init(&s.timers[1], s.loop, fired_b, &s);
  timer_init(&s.timers[2], s.loop, fired_c, &s);
  timer_set_ms(&s.timers[0], 5);
  timer_set_ms(&s.timers[1], 10000);
  timer_set_ms(&s.timers[2], 6);
  timer_set_ms(&s.timers[0], 40);
  timer_set_ms(&s.timers[1], 15);
  timer_clear(&s.timers[2]);
  timer_clear(&s.timers[2]);
  uint64_t start_ns = clock_ns();
  loop_run(s.loop);
  CHECK_SLICE(buf_view(&s.order), "ba");
  CHECK(clock_ns() - start_ns >= 39000000);
  seen_done(&s);
}

TEST(a_parked_timer_does_not_fire_until_set_again) {
  struct seen s;
  seen_init(&s, 2);
  timer_init(&s.timers[0], s.loop, fired_a, &s);
  timer_init(&s.timers[1], s.loop, fired_b, &s);
  timer_init(&s.timers[2], s.loop, fired_c, &s);
  timer_park(&s.timers[2]); /* never set: stays so */
  timer_set_ms(&s.timers[0], 3);
  timer_park(&s.timers[0]);
  timer_set_ms(&s.timers[1], 30);
  s.stop_after = 1;
  loop_run(s.loop);
  CHECK_SLICE(buf_view(&s.order), "b");
  s.stop_after = 2;
  timer_set_ms(&s.timers[0], 1);
  loop_run(s.loop);
  CHECK_SLICE(buf_view(&s.order), "ba");
  seen_done(&s);
}

static void fired_again(void *owner) {
  struct seen *s = owner;
  timer_set_ms(&s->timers[0], 0);
  timer_clear(&s->timers[1]);
  note(s, 'x');
}

TEST(a_timer_may_set_itself_and_clear_others) {
  struct seen s;
  seen_init(&s, 3);
  timer_init(&s.timers[0], s.loop, fired_again, &s);
  timer_init(&s.timers[1], s.loop, fired_b, &s);
  timer_set_ms(&s.timers[0], 1);
  timer_set_ms(&s.timers[1], 1);
  loop_run(s.loop);
  CHECK(s.order.len == 3 && s.order.ptr[2] == 'x');
  timer_clear(&s.timers[0]);
  seen_done(&s);
}

/* The heap against a plain array, through many random moves. */
TEST(heap_agrees_with_a_scan) {
  enum { COUNT = 300 };
  struct timers heap = {0};
  struct timer timers[COUNT] = {{0}};
  unsigned seed = 7, wrong = 0;
  uint64_t now = 1;
  for (unsigned step = 0; step < 60000; step++) {
    seed = seed * 1103515245 + 12345;
    unsigned which = (seed >> 16) % COUNT, action = (seed >> 8) % 8;
    if (action == 0) timers_remove(&heap, &timers[which]);
    else if (action == 1 && timers[which].due_ns) timers_set(&heap, &timers[which], UINT64_MAX);
    else if (action < 7) timers_set(&heap, &timers[which], now + 1 + (seed >> 20) % 1000);
    if (action != 7) continue;
    now += (seed >> 20) % 300;
    for (struct timer *t; (t = timers_take_due(&heap, now)) != NULL;) wrong += t->heap_at != 0 || t->due_ns != 0;
    uint64_t next = UINT64_MAX;
    for (unsigned i = 0; i < COUNT; i++) {
      uint64_t due = timers[i].due_ns;
      wrong += due != 0 && due <= now; /* left behind */
      if (due != 0 && due < next) next = due;
    }
    wrong += timers_next_ns(&heap) > next; /* too late */
  }
  CHECK_INT(wrong, 0);
  timers_done(&heap);
}

static void later_a(void *owner) {
  note(owner, 'a');
}
static void later_b(void *owner) {
  struct seen *s = owner;
  note(s, 'b');
  loop_later_cancel(&s->laters[2]);
  loop_later(s->loop, &s->laters[3]);
}
static void later_c(void *owner) {
  note(owner, 'c');
}
static void later_d(void *owner) {
  note(owner, 'd');
}

TEST(laters_run_once_in_order_before_the_loop_sleeps) {
  struct seen s;
  void (*const calls[])(void *) = {later_a, later_b, later_c, later_d};
  seen_init(&s, 3);
  for (int i = 0; i < 4; i++) s.laters[i] = (struct later){.call = calls[i], .owner = &s};
  loop_later(s.loop, &s.laters[0]);
  loop_later(s.loop, &s.laters[1]);
  loop_later(s.loop, &s.laters[2]);
  loop_later(s.loop, &s.laters[0]);
  loop_run(s.loop); /* nothing else would wake it */
  CHECK_SLICE(buf_view(&s.order), "abd");
  seen_done(&s);
}

TEST(freeing_a_loop_runs_its_laters) {
  struct seen s;
  seen_init(&s, 99);
  s.laters[0] = (struct later){.call = later_a, .owner = &s};
  loop_later(s.loop, &s.laters[0]);
  loop_free(s.loop);
  CHECK_SLICE(buf_view(&s.order), "a");
  buf_done(&s.order);
}

/* ---- posting */

enum { THREADS = 4, MESSAGES = 20000 };

struct board {
  struct loop *loop;
  unsigned next[THREADS]; /* the number expected next from each sender */
  unsigned wrong, total;
};

struct sender {
  struct board *board;
  unsigned index;
  pthread_t thread;
};

static void received(void *owner, void *argument) {
  struct board *b = owner;
  unsigned number = (unsigned)(uintptr_t)argument, sender = number / MESSAGES;
  if (b->next[sender]++ != number % MESSAGES) b->wrong++;
  if (++b->total == THREADS * MESSAGES) loop_stop(b->loop);
}

static void *send_all(void *argument) {
  struct sender *s = argument;
  for (unsigned i = 0; i < MESSAGES; i++)
    loop_post(s->board->loop, received, s->board, (void *)(uintptr_t)(s->index * MESSAGES + i));
  return NULL;
}

TEST(messages_of_four_threads_arrive_each_in_order) {
  struct board b = {.loop = loop_new()};
  struct sender senders[THREADS];
  for (unsigned i = 0; i < THREADS; i++) {
    senders[i] = (struct sender){.board = &b, .index = i};
    CHECK_INT(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]), 0);
  }
  loop_run(b.loop);
  for (unsigned i = 0; i < THREADS; i++) pthread_join(senders[i].thread, NULL);
  CHECK_INT(b.total, THREADS * MESSAGES);
  CHECK_INT(b.wrong, 0);
  loop_free(b.loop);
}

static void stop_asked(void *owner, void *argument) {
  (void)argument;
  loop_stop(owner);
}

static void *stop_from_outside(void *argument) {
  poll(NULL, 0, 20);
  loop_post(argument, stop_asked, argument, NULL);
  return NULL;
}

TEST(a_message_wakes_a_sleeping_loop) {
  struct loop *l = loop_new();
  pthread_t thread;
  CHECK_INT(pthread_create(&thread, NULL, stop_from_outside, l), 0);
  loop_run(l);
  pthread_join(thread, NULL);
  loop_free(l);
}

TEST(messages_that_never_ran_are_dropped) {
  struct loop *l = loop_new();
  loop_post(l, received, NULL, NULL);
  loop_free(l);
}

static void got_signal(void *owner, int number) {
  struct seen *s = owner;
  CHECK_INT(number, SIGUSR1);
  note(s, 's');
}

static void raise_it(void *owner) {
  (void)owner;
  raise(SIGUSR1);
}

TEST(a_signal_arrives_on_the_loop) {
  struct seen s;
  seen_init(&s, 1);
  loop_on_signal(s.loop, SIGUSR1, got_signal, &s);
  timer_init(&s.timers[0], s.loop, raise_it, &s);
  timer_set_ms(&s.timers[0], 1);
  loop_run(s.loop);
  CHECK_SLICE(buf_view(&s.order), "s");
  seen_done(&s);
}

TEST(now_is_fresh_in_each_turn) {
  struct seen s;
  seen_init(&s, 1);
  uint64_t before_ns = loop_now_ns(s.loop);
  timer_init(&s.timers[0], s.loop, fired_a, &s);
  timer_set_ms(&s.timers[0], 10);
  loop_run(s.loop);
  CHECK(loop_now_ns(s.loop) - before_ns >= 10000000);
  seen_done(&s);
}

UNIT_MAIN()
