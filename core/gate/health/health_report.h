/* health_report: what is left out now and how available providers have been, as JSON for /status. Any thread. Metrics
 * are gate/meter's. */
#ifndef MOONGATE_GATE_HEALTH_REPORT_H
#define MOONGATE_GATE_HEALTH_REPORT_H

#include <stdint.h>

#include "base/bytes.h"

/* Two fields: "providers":[{"name","checks_fail","availability":{"5m":{"share","attempts"},…},"keys":[{"key",
 * "benched","benched_for_ms"}]}],"targets":[{"name","ejected","ejected_for_ms","failures_in_row","in_flight"}] */
void health_report(struct buf *out, uint64_t now_ns);

#endif
