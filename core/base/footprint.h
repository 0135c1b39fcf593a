/* footprint: gives memory back to the system that the process holds but does not use. Any thread; takes the heap's
 * locks one after the other, so call it where work is rare: after the start, after a reload. A few milliseconds. */
#ifndef MOONGATE_BASE_FOOTPRINT_H
#define MOONGATE_BASE_FOOTPRINT_H

#include <stdbool.h>
#include <stdint.h>

/* Freed heap, also inside of it; and the pages of the program and its libraries that came from their files and were
 * never written. What is still needed of those comes back from the page cache, at under a microsecond each. */
void footprint_shrink(void);

/* Whether the process has grown by some megabytes of memory of its own since the last shrink or trim. A read of procfs.
 */
bool footprint_has_grown(void);
/* What the process holds of the machine's memory, files' pages included; 0 when the system does not tell. */
uint64_t footprint_resident_bytes(void);
/* Freed heap only, for between two bursts: what serving needs of files stays. */
void footprint_trim(void);

#endif
