/* estimate: what an attempt is booked with when its provider billed it, most likely, and its usage has not been told:
 * the answer broke off, was cancelled or could not be read, or tells no usage at all. Such figures are marked
 * (USAGE_ESTIMATED). The worker's thread. It does NOT change what a provider told of an answer that is complete. */
#ifndef MOONGATE_GATE_ESTIMATE_H
#define MOONGATE_GATE_ESTIMATE_H

struct attempt;

/* For an attempt that has ended, before it is priced. */
void estimate_usage(struct attempt *a);

#endif
