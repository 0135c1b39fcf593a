/* memory_cap: whether the process has memory left for another request. What it holds is asked from the system at most a
 * hundred times a second; to that come the bodies that were announced and are not here yet. Any thread, no lock.
 *
 * New requests are turned away from nine tenths of the cap on, so that those which run can finish. How long a chunked
 * body will be nobody knows: it counts as MEMORY_CAP_CHUNKED_BYTES. It ends nothing itself. */
#ifndef MOONGATE_GATE_MEMORY_CAP_H
#define MOONGATE_GATE_MEMORY_CAP_H

#include <stdbool.h>
#include <stdint.h>

enum { MEMORY_CAP_CHUNKED_BYTES = 256 << 10 };

/* Room for these bytes more: then they count until memory_cap_arrived. now_ns: monotonic. */
bool memory_cap_promise(uint64_t cap_bytes, uint64_t bytes, uint64_t now_ns);
/* The body is here (and seen by the system), or will never come. */
void memory_cap_arrived(uint64_t bytes);
/* The process holds more than the cap itself. */
bool memory_cap_exceeded(uint64_t cap_bytes, uint64_t now_ns);
/* For tests: what to believe instead of asking the system; 0: ask again. */
void memory_cap_pretend(uint64_t resident_bytes);

#endif
