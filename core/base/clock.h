/* clock: durations from the monotonic clock, dates from the wall clock. Any thread.
 *
 * Deadlines and latencies use clock_ns only: a step of the wall clock must not expire anything. */
#ifndef MOONGATE_BASE_CLOCK_H
#define MOONGATE_BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_ns(void);     /* monotonic */
int64_t clock_wall_ms(void); /* since 1970, UTC */
enum { CLOCK_RFC3339_BYTES = 24 };
/* "2026-11-22T08:16:00.123Z", 24 bytes, no zero byte behind it. */
void clock_rfc3339(int64_t wall_ms, char out[CLOCK_RFC3339_BYTES]);

#endif
