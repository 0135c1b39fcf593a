/* meter: shards, their registry, and the Prometheus text. Shards are written by their workers; the registry takes a
 * lock when a worker or a route appears. */
#include "gate/account/meter.h"

#include <pthread.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/must.h"
#include "gate/admission/admission.h"
#include "gate/attempt/target.h"
#include "gate/health/key_state.h"
#include "gate/health/provider_state.h"
#include "gate/keeping/keeping.h"

enum { ROUTES_MAX = 512, SCRIPT_COUNTERS_MAX = 256 };

struct route_meter {
  char *route;
  _Atomic uint64_t requests[OUTCOME_COUNT], hedges[HEDGE_END_COUNT];
  struct histogram duration;
  struct route_meter *next;
};

struct script_counter {
  char *name;
  _Atomic uint64_t value;
};

const uint64_t histogram_bounds_us[HISTOGRAM_BUCKETS - 1] = {10000,    20000,    40000,    80000,   160000,
                                                             320000,   640000,   1280000,  2560000, 5120000,
                                                             10240000, 20480000, 40960000, 81920000};
const uint64_t overhead_bounds_us[HISTOGRAM_BUCKETS - 1] = {10,   20,   50,    100,   200,   500,    1000,
                                                            2000, 5000, 10000, 20000, 50000, 100000, 1000000};

_Atomic uint64_t meter_reloads_ok, meter_reloads_failed, meter_generation, meter_trace_lost;

static struct meter *_Atomic shards[METER_WORKERS_MAX];
static struct script_counter script_counters[SCRIPT_COUNTERS_MAX];
static _Atomic unsigned script_counter_count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

const char *outcome_name(enum outcome o) {
  static const char *const names[] = {"ok", "refused", "failed", "client_gone"};
  return names[o];
}

struct meter *meter_new(unsigned worker) {
  must(worker < METER_WORKERS_MAX);
  struct meter *m = atomic_load(&shards[worker]);
  if (m == NULL) {
    m = mem_new(struct meter);
    atomic_store(&shards[worker], m);
  }
  return m;
}

void histogram_add(struct histogram *h, const uint64_t *bounds_us, uint64_t value_us) {
  unsigned bucket = 0;
  while (bucket < HISTOGRAM_BUCKETS - 1 && value_us > bounds_us[bucket]) bucket++;
  meter_add(&h->buckets[bucket], 1);
  meter_add(&h->count, 1);
  meter_add(&h->sum_us, value_us);
}

static struct route_meter *route_meter_of(struct meter *m, struct slice route) {
  unsigned count = 0;
  struct route_meter *first = atomic_load_explicit(&m->routes, memory_order_relaxed), *r = first;
  for (; r != NULL; r = r->next, count++)
    if (slice_eq(slice_text(r->route), route)) return r;
  if (count >= ROUTES_MAX && !slice_eq(route, SLICE("other"))) return route_meter_of(m, SLICE("other"));
  r = mem_new(struct route_meter);
  r->route = mem_text(route.ptr, route.len);
  r->next = first;
  atomic_store_explicit(&m->routes, r, memory_order_release);
  return r;
}

void meter_request(struct meter *m, struct slice route, enum outcome o, uint64_t total_us, uint64_t overhead_us) {
  struct route_meter *r = route_meter_of(m, route);
  meter_add(&m->requests[o], 1);
  meter_add(&r->requests[o], 1);
  histogram_add(&r->duration, histogram_bounds_us, total_us);
  histogram_add(&m->overhead, overhead_bounds_us, overhead_us);
}

void meter_hedge(struct meter *m, struct slice route, enum hedge_end end) {
  meter_add(&route_meter_of(m, route)->hedges[end], 1);
}

void meter_script_count(struct slice name, uint64_t n) {
  unsigned count = atomic_load_explicit(&script_counter_count, memory_order_acquire);
  for (unsigned i = 0; i < count; i++) {
    if (slice_eq(slice_text(script_counters[i].name), name)) {
      atomic_fetch_add_explicit(&script_counters[i].value, n, memory_order_relaxed);
      return;
    }
  }
  pthread_mutex_lock(&lock);
  bool is_new = atomic_load(&script_counter_count) == count;
  if (is_new && count < SCRIPT_COUNTERS_MAX) {
    struct slice shown = count == SCRIPT_COUNTERS_MAX - 1 ? SLICE("other") : name;
    script_counters[count].name = mem_text(shown.ptr, shown.len);
    atomic_store_explicit(&script_counter_count, count + 1, memory_order_release);
  }
  pthread_mutex_unlock(&lock);
  if (is_new && count >= SCRIPT_COUNTERS_MAX) name = SLICE("other");
  meter_script_count(name, n);
}

/* ---- the text ----------------------------------------------------------------------------------------------- */

struct metric {
  const char *name, *type, *labels, *help;
};

enum metric_id {
  M_BUILD,
  M_GENERATION,
  M_RELOADS,
  M_REQUESTS,
  M_DURATION,
  M_OVERHEAD,
  M_IN_FLIGHT,
  M_CONNECTIONS,
  M_ATTEMPTS,
  M_FALLBACKS,
  M_FIRST_TOKEN,
  M_TOKENS,
  M_COST,
  M_UNPRICED,
  M_TARGET_IN_FLIGHT,
  M_EJECTED,
  M_EJECTIONS,
  M_SKIPS,
  M_ERROR_RATIO,
  M_AVAILABILITY,
  M_PROVIDER_ATTEMPTS,
  M_CHECKS,
  M_CHECKS_FAIL,
  M_KEY_BENCHED,
  M_KEY_BENCHINGS,
  M_SCRIPT_FAILURES,
  M_SCRIPT_KILLS,
  M_SCRIPT_COUNTER,
  M_TRACE_DROPPED,
  M_RETRIES,
  M_RETRIES_DENIED,
  M_POSSIBLY_DUPLICATE,
  M_COALESCED,
  M_HEDGES,
  M_DISCONNECTS,
  M_RECOVERIES,
  M_RECOVERED,
  M_SHED,
  M_QUEUED,
  M_QUEUE_WAIT,
  M_PLACES,
  M_BODIES,
  M_KEPT_BYTES,
  M_KEPT_ANSWERS,
  M_KEPT_EVICTED,
  M_COUNT
};

static const struct metric metrics[M_COUNT] = {
    [M_BUILD] = {"moongate_build_info", "gauge", "version", "1, with the version of the binary."},
    [M_GENERATION] = {"moongate_generation", "gauge", "", "Number of the running generation of config and scripts."},
    [M_RELOADS] = {"moongate_reloads_total", "counter", "result",
                   "Reloads, by result: ok or failed (the running generation stayed)."},
    [M_REQUESTS] = {"moongate_requests_total", "counter", "route, outcome",
                    "Requests that ended: ok, refused (the gateway said no), failed (no attempt succeeded, or the "
                    "answer broke), client_gone."},
    [M_DURATION] = {"moongate_request_duration_seconds", "histogram", "route",
                    "From the request's first byte to the answer's last."},
    [M_OVERHEAD] = {"moongate_overhead_seconds", "histogram", "",
                    "The gateway's own share of each request: all time but waiting for the provider."},
    [M_IN_FLIGHT] = {"moongate_requests_in_flight", "gauge", "", "Requests that have begun and not ended."},
    [M_CONNECTIONS] = {"moongate_client_connections", "gauge", "", "Open client connections."},
    [M_ATTEMPTS] = {"moongate_attempts_total", "counter", "provider, model, class",
                    "Attempts that ended, by failure class; none is success."},
    [M_FALLBACKS] = {"moongate_fallbacks_total", "counter", "",
                     "Requests answered by another target than the plan's first."},
    [M_FIRST_TOKEN] = {"moongate_time_to_first_token_seconds", "histogram", "provider, model",
                       "From an attempt's start to its first content."},
    [M_TOKENS] =
        {"moongate_tokens_total", "counter", "provider, model, kind",
         "Tokens by kind: input (all), cache_read and cache_write (of input), output (all), reasoning (of output)."},
    [M_COST] = {"moongate_cost_usd_total", "counter", "provider, model",
                "Cost of attempts by the price table, in US dollars."},
    [M_UNPRICED] = {"moongate_unpriced_attempts_total", "counter", "provider, model",
                    "Attempts with usage whose target has no price; estimate_price was counted for them."},
    [M_TARGET_IN_FLIGHT] = {"moongate_target_in_flight", "gauge", "provider, model", "Attempts that run now."},
    [M_ERROR_RATIO] = {"moongate_target_error_ratio", "gauge", "provider, model",
                       "Moving average of the share of attempts that failed by the provider's fault."},
    [M_EJECTED] = {"moongate_target_ejected", "gauge", "provider, model",
                   "1 while the target is left out for its failures, until a request to it has succeeded; else 0."},
    [M_EJECTIONS] = {"moongate_target_ejections_total", "counter", "provider, model",
                     "Times it was left out for its failures, failed probes included."},
    [M_SKIPS] = {"moongate_target_skips_total", "counter", "provider, model",
                 "Times a request's plan passed it over because it was left out."},
    [M_AVAILABILITY] = {"moongate_provider_availability_ratio", "gauge", "provider, window",
                        "Share of the provider's attempts of the last 5m, 1h and 24h that succeeded; without a value"
                        " when there were none. What the caller or the key is to blame for does not count."},
    [M_PROVIDER_ATTEMPTS] = {"moongate_provider_window_attempts", "gauge", "provider, window",
                             "How many attempts that share is of."},
    [M_CHECKS] = {"moongate_provider_checks_total", "counter", "provider, result",
                  "Active checks, by result: passed or failed."},
    [M_CHECKS_FAIL] = {"moongate_provider_checks_fail", "gauge", "provider",
                       "1 while the active checks keep the provider's targets out; else 0."},
    [M_KEY_BENCHED] = {"moongate_key_benched", "gauge", "provider, key",
                       "1 while the key (by its reference) is left out, because the provider refused it or its account"
                       " is used up; else 0."},
    [M_KEY_BENCHINGS] = {"moongate_key_benchings_total", "counter", "provider, key", "Times it was."},
    [M_SCRIPT_FAILURES] = {"moongate_script_failures_total", "counter", "", "Script hooks that raised an error."},
    [M_SCRIPT_KILLS] = {"moongate_script_kills_total", "counter", "",
                        "Script hooks that were stopped at a limit of time or memory."},
    [M_SCRIPT_COUNTER] = {"moongate_script_count_total", "counter", "name", "Counters of scripts (gw.count)."},
    [M_TRACE_DROPPED] = {"moongate_trace_records_dropped_total", "counter", "",
                         "Trace records lost: the writer could not keep up, or the file could not be written."},
    [M_RETRIES] = {"moongate_retries_total", "counter", "kind",
                   "Attempts that followed a failed one: next_target, same_target (after a wait), fallback_list."},
    [M_RETRIES_DENIED] = {"moongate_retries_denied_total", "counter", "",
                          "Failed attempts behind which a provider's retry budget left a target out."},
    [M_POSSIBLY_DUPLICATE] = {"moongate_possibly_duplicate_total", "counter", "",
                              "Requests sent again after one was lost that the provider had received whole: it may "
                              "bill both."},
    [M_HEDGES] = {"moongate_hedges_total", "counter", "route, result",
                  "Second attempts beside slow ones, of routes that had any: won (delivered), lost (the first attempt "
                  "was), failed (neither was); and denied: not sent, because hedge.max_extra was used up."},
    [M_COALESCED] = {"moongate_coalesced_total", "counter", "",
                     "Requests that began to wait for the answer of an identical one, instead of asking a provider."},
    [M_DISCONNECTS] =
        {"moongate_disconnects_total", "counter", "end",
         "Requests whose client left after an attempt had begun, by what became of it: cancelled; drained "
         "(read on to its end); cut (read on until the time was over); shared (it went on for "
         "other clients)."},
    [M_RECOVERIES] = {"moongate_recoveries_total", "counter", "",
                      "Answers that broke off and were gone on with by another attempt (`recover`)."},
    [M_RECOVERED] = {"moongate_recoveries_succeeded_total", "counter", "",
                     "Requests of which the answer became complete that way."},
    [M_SHED] = {"moongate_shed_total", "counter", "reason",
                "Requests turned away although nothing was wrong with them: queue_full, queue_timeout, displaced (by a "
                "higher priority), memory, team_memory."},
    [M_QUEUED] = {"moongate_queue_length", "gauge", "", "Requests that wait for a place."},
    [M_QUEUE_WAIT] = {"moongate_queue_wait_seconds", "histogram", "", "How long those that waited did."},
    [M_PLACES] = {"moongate_places_in_use", "gauge", "scope, name",
                  "Requests (of the process, a team) and attempts (at a provider) that count against a cap now."},
    [M_BODIES] = {"moongate_bodies_bytes", "gauge", "scope, name",
                  "Bodies that are held for a team or at a provider, against their `memory`."},
    [M_KEPT_BYTES] = {"moongate_kept_bytes", "gauge", "",
                      "Memory of the answers that are kept for Responses clients (limits.kept_answers)."},
    [M_KEPT_ANSWERS] = {"moongate_kept_answers", "gauge", "", "These answers."},
    [M_KEPT_EVICTED] = {"moongate_kept_evicted_total", "counter", "",
                        "Of them: dropped before their time, for want of room."},
};

static void head(struct buf *out, enum metric_id id) {
  buf_fill(out, "# HELP %s %s\n# TYPE %s %s\n", metrics[id].name, metrics[id].help, metrics[id].name, metrics[id].type);
}

/* Label values: backslash, quote and line feed escaped (Prometheus text format 0.0.4). */
static void label(struct buf *out, const char *name, struct slice value) {
  buf_fill(out, "%s%s=\"", out->ptr[out->len - 1] == '{' ? "" : ",", name);
  for (size_t i = 0; i < value.len; i++) {
    if (value.ptr[i] == '\n') buf_text(out, "\\n");
    else if (value.ptr[i] == '"' || value.ptr[i] == '\\') buf_byte(out, '\\'), buf_byte(out, value.ptr[i]);
    else buf_byte(out, value.ptr[i]);
  }
  buf_byte(out, '"');
}

static void target_labels(struct buf *out, const struct target_state *s) {
  struct slice name = slice_text(s->name);
  ptrdiff_t at = slice_find_byte(name, '/');
  buf_byte(out, '{');
  label(out, "provider", at < 0 ? name : slice_of(name.ptr, (size_t)at));
  label(out, "model", at < 0 ? SLICE("") : slice_from(name, (size_t)at + 1));
}

static void series(struct buf *out, enum metric_id id, const char *suffix) {
  buf_fill(out, "%s%s", metrics[id].name, suffix);
}

static void histogram_text(struct buf *out, enum metric_id id, const uint64_t *bounds_us, const uint64_t *buckets,
                           uint64_t count, uint64_t sum_us, struct slice labels) {
  uint64_t below = 0;
  for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
    below += buckets[i];
    series(out, id, "_bucket{");
    buf_slice(out, labels);
    if (labels.len > 0) buf_byte(out, ',');
    if (i < HISTOGRAM_BUCKETS - 1)
      buf_fill(out, "le=\"%.9g\"} %llu\n", (double)bounds_us[i] / 1e6, (unsigned long long)below);
    else buf_fill(out, "le=\"+Inf\"} %llu\n", (unsigned long long)below);
  }
  const char *open = labels.len > 0 ? "{" : "", *close = labels.len > 0 ? "}" : "";
  series(out, id, "_sum");
  buf_fill(out, "%s%.*s%s %.6f\n", open, (int)labels.len, labels.ptr ? labels.ptr : "", close, (double)sum_us / 1e6);
  series(out, id, "_count");
  buf_fill(out, "%s%.*s%s %llu\n", open, (int)labels.len, labels.ptr ? labels.ptr : "", close,
           (unsigned long long)count);
}

static uint64_t get(const _Atomic uint64_t *counter) {
  return atomic_load_explicit(counter, memory_order_relaxed);
}

struct merged {
  uint64_t requests[OUTCOME_COUNT], hedges[HEDGE_END_COUNT], buckets[HISTOGRAM_BUCKETS], count, sum_us;
};

static void merge_histogram(struct merged *into, const struct histogram *h) {
  for (unsigned b = 0; b < HISTOGRAM_BUCKETS; b++) into->buckets[b] += get(&h->buckets[b]);
  into->sum_us += get(&h->sum_us);
  into->count += get(&h->count);
}

/* Sums one route over all workers. */
static struct merged merge_route(struct slice route) {
  struct merged sum = {0};
  for (unsigned w = 0; w < METER_WORKERS_MAX; w++) {
    struct meter *m = atomic_load_explicit(&shards[w], memory_order_acquire);
    for (struct route_meter *r = m ? atomic_load_explicit(&m->routes, memory_order_acquire) : NULL; r != NULL;
         r = r->next) {
      if (!slice_eq(slice_text(r->route), route)) continue;
      for (unsigned o = 0; o < OUTCOME_COUNT; o++) sum.requests[o] += get(&r->requests[o]);
      for (unsigned i = 0; i < HEDGE_END_COUNT; i++) sum.hedges[i] += get(&r->hedges[i]);
      merge_histogram(&sum, &r->duration);
    }
  }
  return sum;
}

/* Calls `each` once per distinct route. */
static void each_route(struct buf *out, void (*each)(struct buf *out, struct slice route)) {
  const char *seen[ROUTES_MAX + 1];
  unsigned count = 0;
  for (unsigned w = 0; w < METER_WORKERS_MAX; w++) {
    struct meter *m = atomic_load_explicit(&shards[w], memory_order_acquire);
    for (struct route_meter *r = m ? atomic_load_explicit(&m->routes, memory_order_acquire) : NULL; r != NULL;
         r = r->next) {
      unsigned i = 0;
      while (i < count && strcmp(seen[i], r->route) != 0) i++;
      if (i < count || count > ROUTES_MAX) continue;
      seen[count++] = r->route;
      each(out, slice_text(r->route));
    }
  }
}

static void route_requests(struct buf *out, struct slice route) {
  struct merged sum = merge_route(route);
  for (unsigned o = 0; o < OUTCOME_COUNT; o++) {
    series(out, M_REQUESTS, "{");
    label(out, "route", route);
    buf_fill(out, ",outcome=\"%s\"} %llu\n", outcome_name(o), (unsigned long long)sum.requests[o]);
  }
}

static void route_hedges(struct buf *out, struct slice route) {
  static const char *const ends[HEDGE_END_COUNT] = {"won", "lost", "failed", "denied"};
  struct merged sum = merge_route(route);
  uint64_t all = 0;
  for (unsigned i = 0; i < HEDGE_END_COUNT; i++) all += sum.hedges[i];
  for (unsigned i = 0; all > 0 && i < HEDGE_END_COUNT; i++) {
    series(out, M_HEDGES, "{");
    label(out, "route", route);
    buf_fill(out, ",result=\"%s\"} %llu\n", ends[i], (unsigned long long)sum.hedges[i]);
  }
}

static void route_duration(struct buf *out, struct slice route) {
  struct merged sum = merge_route(route);
  struct buf labels = {0};
  buf_byte(&labels, '{');
  label(&labels, "route", route);
  histogram_text(out, M_DURATION, histogram_bounds_us, sum.buckets, sum.count, sum.sum_us,
                 slice_from(buf_view(&labels), 1));
  buf_done(&labels);
}

struct target_sum {
  uint64_t failures[FAILURE_COUNT], tokens[5], cost_pico_usd, unpriced;
  struct merged first_token;
};

static struct target_sum merge_target(const struct target_state *s) {
  struct target_sum sum = {0};
  for (unsigned w = 0; w < METER_WORKERS_MAX; w++) {
    const struct target_meter *m = atomic_load_explicit(&s->meters[w], memory_order_acquire);
    if (m == NULL) continue;
    const _Atomic uint64_t *tokens[] = {&m->input_tokens, &m->cache_read_tokens, &m->cache_write_tokens,
                                        &m->output_tokens, &m->reasoning_tokens};
    for (unsigned c = 0; c < FAILURE_COUNT; c++) sum.failures[c] += get(&m->failures[c]);
    for (unsigned k = 0; k < 5; k++) sum.tokens[k] += get(tokens[k]);
    sum.cost_pico_usd += get(&m->cost_pico_usd);
    sum.unpriced += get(&m->unpriced);
    for (unsigned b = 0; b < HISTOGRAM_BUCKETS; b++) sum.first_token.buckets[b] += get(&m->first_token_buckets[b]);
    sum.first_token.count += get(&m->first_token_count);
    sum.first_token.sum_us += get(&m->first_token_sum_us);
  }
  return sum;
}

static void targets_text(struct buf *out, enum metric_id id) {
  static const char *const kinds[] = {"input", "cache_read", "cache_write", "output", "reasoning"};
  head(out, id);
  for (const struct target_state *s = target_state_first(); s != NULL; s = s->next) {
    struct target_sum sum = merge_target(s);
    if (id == M_ATTEMPTS) {
      for (unsigned c = 0; c < FAILURE_COUNT; c++) {
        if (sum.failures[c] == 0 && c != FAILURE_NONE) continue;
        series(out, id, "");
        target_labels(out, s);
        buf_fill(out, ",class=\"%s\"} %llu\n", failure_row(c)->name, (unsigned long long)sum.failures[c]);
      }
    } else if (id == M_TOKENS) {
      for (unsigned k = 0; k < 5; k++) {
        series(out, id, "");
        target_labels(out, s);
        buf_fill(out, ",kind=\"%s\"} %llu\n", kinds[k], (unsigned long long)sum.tokens[k]);
      }
    } else if (id == M_FIRST_TOKEN) {
      struct buf labels = {0};
      target_labels(&labels, s);
      histogram_text(out, id, histogram_bounds_us, sum.first_token.buckets, sum.first_token.count,
                     sum.first_token.sum_us, slice_from(buf_view(&labels), 1));
      buf_done(&labels);
    } else {
      series(out, id, "");
      target_labels(out, s);
      switch (id) {
      case M_COST:
        buf_fill(out, "} %llu.%012llu\n", (unsigned long long)(sum.cost_pico_usd / 1000000000000u),
                 (unsigned long long)(sum.cost_pico_usd % 1000000000000u));
        break;
      case M_UNPRICED: buf_fill(out, "} %llu\n", (unsigned long long)sum.unpriced); break;
      case M_TARGET_IN_FLIGHT: buf_fill(out, "} %d\n", atomic_load(&s->in_flight)); break;
      case M_EJECTED: buf_fill(out, "} %d\n", get(&s->breaker.until_ns) != 0); break;
      case M_EJECTIONS: buf_fill(out, "} %llu\n", (unsigned long long)get(&s->breaker.openings)); break;
      case M_SKIPS: buf_fill(out, "} %llu\n", (unsigned long long)get(&s->skips)); break;
      default: buf_fill(out, "} %.6f\n", atomic_load(&s->error_ppm) / 1e6); break;
      }
    }
  }
}

static void windows_text(struct buf *out, enum metric_id id, const struct provider_state *s) {
  for (enum availability_window w = 0; w < AVAILABILITY_COUNT; w++) {
    struct availability a = provider_availability(s, w, clock_ns());
    if (id == M_AVAILABILITY && availability_share(a) < 0) continue;
    series(out, id, "{");
    label(out, "provider", slice_text(s->name));
    buf_fill(out, ",window=\"%s\"} ", availability_name(w));
    if (id == M_AVAILABILITY) buf_fill(out, "%.6f\n", availability_share(a));
    else buf_fill(out, "%llu\n", (unsigned long long)availability_attempts(a));
  }
}

static void providers_text(struct buf *out, enum metric_id id) {
  static const char *const results[] = {"failed", "passed"};
  head(out, id);
  for (const struct provider_state *s = provider_state_first(); s != NULL; s = s->next) {
    if (id == M_AVAILABILITY || id == M_PROVIDER_ATTEMPTS) {
      windows_text(out, id, s);
      continue;
    }
    for (unsigned i = 0; i < (id == M_CHECKS ? 2 : 1); i++) {
      series(out, id, "{");
      label(out, "provider", slice_text(s->name));
      if (id == M_CHECKS) buf_fill(out, ",result=\"%s\"} %llu\n", results[i], (unsigned long long)get(&s->checks[i]));
      else buf_fill(out, "} %d\n", atomic_load(&s->down));
    }
  }
}

static void key_benched(void *owner, const struct key_state *s) {
  series(owner, M_KEY_BENCHED, "{");
  label(owner, "provider", slice_text(s->provider));
  label(owner, "key", slice_text(s->label));
  buf_fill(owner, "} %d\n", get(&s->breaker.until_ns) != 0);
}

static void key_benchings(void *owner, const struct key_state *s) {
  series(owner, M_KEY_BENCHINGS, "{");
  label(owner, "provider", slice_text(s->provider));
  label(owner, "key", slice_text(s->label));
  buf_fill(owner, "} %llu\n", (unsigned long long)get(&s->breaker.openings));
}

static void worker_sum(struct buf *out, enum metric_id id, size_t member, uint64_t others) {
  int64_t sum = (int64_t)others;
  for (unsigned w = 0; w < METER_WORKERS_MAX; w++) {
    struct meter *m = atomic_load_explicit(&shards[w], memory_order_acquire);
    if (m != NULL) sum += (int64_t)get((const _Atomic uint64_t *)(const void *)((const char *)m + member));
  }
  head(out, id);
  series(out, id, "");
  buf_fill(out, " %lld\n", (long long)sum);
}

static void labelled_sum(struct buf *out, enum metric_id id, const char *name, const char *value, size_t member) {
  uint64_t sum = 0;
  for (unsigned w = 0; w < METER_WORKERS_MAX; w++) {
    struct meter *m = atomic_load_explicit(&shards[w], memory_order_acquire);
    if (m != NULL) sum += get((const _Atomic uint64_t *)(const void *)((const char *)m + member));
  }
  series(out, id, "{");
  label(out, name, slice_text(value));
  buf_fill(out, "} %llu\n", (unsigned long long)sum);
}

static void retries_text(struct buf *out) {
  head(out, M_RETRIES);
  for (enum retry_step step = RETRY_NEXT; step < RETRY_STEP_COUNT; step++)
    labelled_sum(out, M_RETRIES, "kind", retry_step_name(step), offsetof(struct meter, retries[step]));
  worker_sum(out, M_RETRIES_DENIED, offsetof(struct meter, retries_denied), 0);
  worker_sum(out, M_POSSIBLY_DUPLICATE, offsetof(struct meter, possibly_duplicate), 0);
  worker_sum(out, M_COALESCED, offsetof(struct meter, coalesced), 0);
}

static void disconnects_text(struct buf *out) {
  head(out, M_DISCONNECTS);
  for (enum disconnect_end end = 0; end < DISCONNECT_END_COUNT; end++)
    labelled_sum(out, M_DISCONNECTS, "end", disconnect_end_name(end), offsetof(struct meter, disconnects[end]));
  worker_sum(out, M_RECOVERIES, offsetof(struct meter, recoveries), 0);
  worker_sum(out, M_RECOVERED, offsetof(struct meter, recoveries_succeeded), 0);
}

static void admission_text(struct buf *out) {
  static const char *const reasons[SHED_COUNT] = {
      [SHED_QUEUE_FULL] = "queue_full", [SHED_QUEUE_TIMEOUT] = "queue_timeout", [SHED_DISPLACED] = "displaced",
      [SHED_MEMORY] = "memory",         [SHED_TEAM_MEMORY] = "team_memory",
  };
  static const char *const scopes[] = {
      [PLACE_PROCESS] = "process", [PLACE_TEAM] = "team", [PLACE_PROVIDER] = "provider"};
  uint64_t shed[SHED_COUNT] = {0};
  struct merged wait = {0};
  for (unsigned w = 0; w < METER_WORKERS_MAX; w++) {
    struct meter *m = atomic_load_explicit(&shards[w], memory_order_acquire);
    if (m == NULL) continue;
    for (unsigned i = 0; i < SHED_COUNT; i++) shed[i] += get(&m->shed[i]);
    merge_histogram(&wait, &m->queue_wait);
  }
  head(out, M_SHED);
  for (unsigned i = 0; i < SHED_COUNT; i++)
    buf_fill(out, "%s{reason=\"%s\"} %llu\n", metrics[M_SHED].name, reasons[i], (unsigned long long)shed[i]);
  head(out, M_QUEUED);
  buf_fill(out, "%s %u\n", metrics[M_QUEUED].name, admission_waiting());
  head(out, M_QUEUE_WAIT);
  histogram_text(out, M_QUEUE_WAIT, histogram_bounds_us, wait.buckets, wait.count, wait.sum_us, SLICE(""));
  head(out, M_PLACES);
  for (const struct place *p = admission_places(); p != NULL; p = p->next) {
    if (p->kind == PLACE_TEAM && *p->name == '\0') continue; /* of keys without a team: the process's tells enough */
    series(out, M_PLACES, "{");
    label(out, "scope", slice_text(scopes[p->kind]));
    label(out, "name", slice_text(p->name));
    buf_fill(out, "} %u\n", atomic_load(&p->in_use));
  }
  head(out, M_BODIES);
  for (const struct place *p = admission_places(); p != NULL; p = p->next) {
    if (p->kind == PLACE_PROCESS || *p->name == '\0') continue;
    series(out, M_BODIES, "{");
    label(out, "scope", slice_text(scopes[p->kind]));
    label(out, "name", slice_text(p->name));
    buf_fill(out, "} %llu\n", (unsigned long long)atomic_load(&p->bytes));
  }
}

static void kept_text(struct buf *out) {
  struct kept_figures f;
  keeping_read_figures(&f);
  head(out, M_KEPT_BYTES);
  buf_fill(out, "moongate_kept_bytes %llu\n", (unsigned long long)f.bytes);
  head(out, M_KEPT_ANSWERS);
  buf_fill(out, "moongate_kept_answers %llu\n", (unsigned long long)f.answers);
  head(out, M_KEPT_EVICTED);
  buf_fill(out, "moongate_kept_evicted_total %llu\n", (unsigned long long)f.evicted);
}

void meter_write(struct buf *out) {
  head(out, M_BUILD);
  buf_fill(out, "moongate_build_info{version=\"%s\"} 1\n", MOONGATE_VERSION);
  head(out, M_GENERATION);
  buf_fill(out, "moongate_generation %llu\n", (unsigned long long)get(&meter_generation));
  head(out, M_RELOADS);
  buf_fill(out, "moongate_reloads_total{result=\"ok\"} %llu\nmoongate_reloads_total{result=\"failed\"} %llu\n",
           (unsigned long long)get(&meter_reloads_ok), (unsigned long long)get(&meter_reloads_failed));
  head(out, M_REQUESTS);
  each_route(out, route_requests);
  head(out, M_DURATION);
  each_route(out, route_duration);
  head(out, M_OVERHEAD);
  struct merged overhead = {0};
  for (unsigned w = 0; w < METER_WORKERS_MAX; w++) {
    struct meter *m = atomic_load_explicit(&shards[w], memory_order_acquire);
    if (m != NULL) merge_histogram(&overhead, &m->overhead);
  }
  histogram_text(out, M_OVERHEAD, overhead_bounds_us, overhead.buckets, overhead.count, overhead.sum_us, SLICE(""));
  worker_sum(out, M_IN_FLIGHT, offsetof(struct meter, in_flight), 0);
  worker_sum(out, M_CONNECTIONS, offsetof(struct meter, connections), 0);
  worker_sum(out, M_FALLBACKS, offsetof(struct meter, fallbacks), 0);
  for (enum metric_id id = M_ATTEMPTS; id <= M_ERROR_RATIO; id++)
    if (id != M_FALLBACKS) targets_text(out, id);
  for (enum metric_id id = M_AVAILABILITY; id <= M_CHECKS_FAIL; id++) providers_text(out, id);
  head(out, M_KEY_BENCHED);
  key_state_each(key_benched, out);
  head(out, M_KEY_BENCHINGS);
  key_state_each(key_benchings, out);
  worker_sum(out, M_SCRIPT_FAILURES, offsetof(struct meter, script_failures), 0);
  worker_sum(out, M_SCRIPT_KILLS, offsetof(struct meter, script_kills), 0);
  head(out, M_SCRIPT_COUNTER);
  unsigned count = atomic_load_explicit(&script_counter_count, memory_order_acquire);
  for (unsigned i = 0; i < count; i++) {
    series(out, M_SCRIPT_COUNTER, "{");
    label(out, "name", slice_text(script_counters[i].name));
    buf_fill(out, "} %llu\n", (unsigned long long)get(&script_counters[i].value));
  }
  worker_sum(out, M_TRACE_DROPPED, offsetof(struct meter, trace_dropped), get(&meter_trace_lost));
  retries_text(out);
  head(out, M_HEDGES);
  each_route(out, route_hedges);
  disconnects_text(out);
  admission_text(out);
  kept_text(out);
}

void meter_reference(struct buf *out) {
  buf_text(out, "| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n");
  for (unsigned i = 0; i < M_COUNT; i++)
    buf_fill(out, "| `%s` | %s | %s | %s |\n", metrics[i].name, metrics[i].type,
             metrics[i].labels[0] ? metrics[i].labels : "–", metrics[i].help);
}
