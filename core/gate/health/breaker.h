/* breaker: whether something that has failed is asked again. One for each target, and one for each provider key. Any
 * thread: a few atomics, no lock. Times are the caller's, so that tests bring their own.
 *
 *             open                  its time is over           claim
 *   CLOSED ──────────▶ OPEN ─────────────────────▶ HALF_OPEN ────────▶ PROBED
 *     ▲                 ▲                              ▲                  │
 *     │                 └── failed: twice as long ─────┼──────────────────┤
 *     │                                                └── no verdict ────┤
 *     └── succeeded: the next time begins short again ────────────────────┘
 *
 * It does not decide what a failure is: gate/health does. */
#ifndef MOONGATE_GATE_BREAKER_H
#define MOONGATE_GATE_BREAKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum breaker_state {
  BREAKER_CLOSED,
  BREAKER_OPEN,
  BREAKER_HALF_OPEN, /* the next request may ask */
  BREAKER_PROBED     /* one is asking; nobody else may */
};

/* Zeroed: closed. */
struct breaker {
  _Atomic uint64_t until_ns; /* 0: closed */
  _Atomic uint64_t since_ns; /* when it last opened */
  _Atomic uint64_t openings; /* ever */
  _Atomic uint32_t streak;   /* of openings, since it was last closed */
  _Atomic uint32_t probed;
};

struct breaker_times {
  uint32_t base_ms, max_ms; /* base_ms the first time, then twice as long each time, at most max_ms; base_ms 0: never */
  uint32_t at_least_ms;     /* somebody knows better; max_ms holds for it too */
};

enum breaker_state breaker_look(const struct breaker *b, uint64_t now_ns);
/* For who is about to ask. CLOSED: ask; HALF_OPEN: ask, and tell the end by reopen, close or nothing, then release;
 * OPEN and PROBED: do not. */
enum breaker_state breaker_claim(struct breaker *b, uint64_t now_ns);
/* Only what is closed opens: who began before is no news. false: nothing happened. */
bool breaker_open(struct breaker *b, uint64_t now_ns, const struct breaker_times *times);
/* The probe has failed. false: somebody has closed it meanwhile. */
bool breaker_reopen(struct breaker *b, uint64_t now_ns, const struct breaker_times *times);
void breaker_close(struct breaker *b);
void breaker_release(struct breaker *b); /* the probe is over */
/* Until it may be asked again; 0 when it may be, and while somebody asks. */
uint32_t breaker_left_ms(const struct breaker *b, uint64_t now_ns);

#endif
