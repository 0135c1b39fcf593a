/* meter: counters and histograms. Each worker writes its own shard, with no lock and no shared cache line; a reader
 * merges all shards for /metrics (Prometheus text 0.0.4). Counts of targets live in gate/attempt/target.h. */
#ifndef MOONGATE_GATE_METER_H
#define MOONGATE_GATE_METER_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/bytes.h"
#include "gate/attempt/retry.h"
#include "gate/disconnect.h"

enum outcome { OUTCOME_OK, OUTCOME_REFUSED, OUTCOME_FAILED, OUTCOME_CLIENT_GONE, OUTCOME_COUNT };
const char *outcome_name(enum outcome o);

enum { HISTOGRAM_BUCKETS = 15 };
/* Upper bounds in µs: the OpenTelemetry GenAI operation.duration bounds, 10 ms … 82 s. */
extern const uint64_t histogram_bounds_us[HISTOGRAM_BUCKETS - 1];
/* Upper bounds of the overhead histogram in µs: 10 µs … 100 ms. */
extern const uint64_t overhead_bounds_us[HISTOGRAM_BUCKETS - 1];

struct histogram {
  _Atomic uint64_t buckets[HISTOGRAM_BUCKETS], count, sum_us;
};

/* Why a request was turned away although nothing was wrong with it (gate/admission/admission.h). */
enum shed { SHED_QUEUE_FULL, SHED_QUEUE_TIMEOUT, SHED_DISPLACED, SHED_MEMORY, SHED_TEAM_MEMORY, SHED_COUNT };

/* What became of a hedge (gate/attempt/hedge.h): delivered; the first attempt was; neither; or never sent, for the
 * budget. */
enum hedge_end { HEDGE_WON, HEDGE_LOST, HEDGE_FAILED, HEDGE_DENIED, HEDGE_END_COUNT };

struct route_meter; /* of one route on one worker */

struct meter { /* one worker's shard */
  _Atomic uint64_t requests[OUTCOME_COUNT];
  _Atomic uint64_t attempts_beyond_first, fallbacks, script_failures, script_kills, trace_dropped, streams;
  _Atomic int64_t in_flight, connections;
  _Atomic uint64_t shed[SHED_COUNT];
  _Atomic uint64_t retries[RETRY_STEP_COUNT], retries_denied, possibly_duplicate, coalesced;
  _Atomic uint64_t disconnects[DISCONNECT_END_COUNT], recoveries, recoveries_succeeded;
  struct histogram overhead, queue_wait;
  _Atomic(struct route_meter *) routes; /* list */
};

struct meter *meter_new(unsigned worker); /* registered for the reader; lives as long as the process */
void meter_request(struct meter *m, struct slice route, enum outcome o, uint64_t total_us, uint64_t overhead_us);
void meter_hedge(struct meter *m, struct slice route, enum hedge_end end);
void histogram_add(struct histogram *h, const uint64_t *bounds_us, uint64_t value_us);
static inline void meter_add(_Atomic uint64_t *counter, uint64_t n) {
  /* Only this thread writes: a plain add, atomic only towards the reader. */
  atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

/* Process-wide counters that are not a worker's. */
extern _Atomic uint64_t meter_reloads_ok, meter_reloads_failed, meter_generation;
extern _Atomic uint64_t meter_trace_lost; /* records that the trace's writer could not write */
/* A script's own counter (gw.count), any thread; bounded in number, then counted under "other". */
void meter_script_count(struct slice name, uint64_t n);

/* All metrics as Prometheus text. Any thread. */
void meter_write(struct buf *out);
/* The manual: a Markdown table of every metric. */
void meter_reference(struct buf *out);

#endif
