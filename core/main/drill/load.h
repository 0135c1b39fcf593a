/* drill_load: clients of a gateway: asks at a fixed rate, whole and streamed in turn, and notes what each would have
 * seen. Main thread; waits until all are answered or out of patience. Speaks openai.chat. It does NOT judge. */
#ifndef MOONGATE_MAIN_DRILL_LOAD_H
#define MOONGATE_MAIN_DRILL_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct drill_call {
  bool streams;
  bool answered;      /* completely, and well */
  bool content_begun; /* streams: some content came; whole answers: `answered` */
  unsigned status;    /* 0: none came */
  unsigned attempts;  /* x-moongate-attempts; 0: not told */
  char code[64];      /* of an error; "" with answered */
  char target[160];   /* x-moongate-target; "" when not told */
  uint64_t first_us;  /* to the first content */
  uint64_t stall_us;  /* the longest time without a byte, before or within */
};

struct drill_load {
  unsigned port;
  const char *model; /* what clients ask for: a route */
  const char *key;   /* their virtual key; "": none */
  unsigned per_s;
  uint64_t duration_ms, patience_ms;
};

/* How many calls it makes: the size of `calls`. */
unsigned drill_load_count(const struct drill_load *l);
bool drill_load_run(const struct drill_load *l, struct drill_call *calls, struct err *e);

#endif
