/* must: the assertion for our own bugs. Always on, in release builds too: a gateway that goes on with a broken
 * invariant loses somebody's money. Any thread. Never for the world's faults; those are `struct err`. */
#ifndef MOONGATE_BASE_MUST_H
#define MOONGATE_BASE_MUST_H

#define must(condition) ((condition) ? (void)0 : must_fail(#condition, __FILE__, __LINE__))

/* Writes the place to stderr and aborts. */
_Noreturn void must_fail(const char *condition, const char *file, int line);

#endif
