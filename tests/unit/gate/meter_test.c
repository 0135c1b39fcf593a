/* meter and target: shards, their sum, the text that Prometheus reads, and the registry of target states. */
#include "gate/account/meter.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/memory.h"
#include "check.h"
#include "gate/attempt/target.h"

static bool has(const struct buf *b, const char *text) {
  bool there = slice_find(buf_view(b), slice_text(text)) >= 0;
  if (!there) fprintf(stderr, "not in the text: %s\n", text);
  return there;
}

TEST(histograms_count_each_value_once_at_its_bound) {
  struct histogram h = {0};
  histogram_add(&h, histogram_bounds_us, 10000); /* on the bound: inside */
  histogram_add(&h, histogram_bounds_us, 10001);
  histogram_add(&h, histogram_bounds_us, 0);
  histogram_add(&h, histogram_bounds_us, 999999999);
  CHECK_INT(h.buckets[0], 2);
  CHECK_INT(h.buckets[1], 1);
  CHECK_INT(h.buckets[HISTOGRAM_BUCKETS - 1], 1);
  CHECK_INT(h.count, 4);
  CHECK_INT(h.sum_us, 10000 + 10001 + 999999999);
  for (unsigned i = 1; i < HISTOGRAM_BUCKETS - 1; i++) {
    CHECK(histogram_bounds_us[i] > histogram_bounds_us[i - 1]);
    CHECK(overhead_bounds_us[i] > overhead_bounds_us[i - 1]);
  }
}

TEST(text_sums_the_shards_and_promtool_takes_it) {
  struct meter *one = meter_new(0), *two = meter_new(1);
  CHECK(meter_new(0) == one);
  meter_request(one, SLICE("fast"), OUTCOME_OK, 15000, 30);
  meter_request(two, SLICE("fast"), OUTCOME_OK, 90000000, 30);
  meter_request(two, SLICE("we\"ird\\rou\nte"), OUTCOME_CLIENT_GONE, 1, 1);
  struct target_meter *m = target_meter_of(target_state_of(SLICE("p/mo\"del")), 1);
  CHECK(target_meter_of(target_state_of(SLICE("p/mo\"del")), 1) == m);
  meter_add(&m->failures[FAILURE_NONE], 3);
  meter_add(&m->failures[FAILURE_RATE_LIMITED], 2);
  meter_add(&m->input_tokens, 100);
  meter_add(&m->cost_pico_usd, 1234567890123ull);
  meter_script_count(SLICE("my_count"), 2);
  meter_script_count(SLICE("my_count"), 3);
  struct buf out = {0};
  meter_write(&out);
  CHECK(has(&out, "\nmoongate_requests_total{route=\"fast\",outcome=\"ok\"} 2\n"));
  CHECK(has(&out, "\nmoongate_requests_total{route=\"we\\\"ird\\\\rou\\nte\",outcome=\"client_gone\"} 1\n"));
  CHECK(has(&out, "\nmoongate_request_duration_seconds_bucket{route=\"fast\",le=\"0.01\"} 0\n"));
  CHECK(has(&out, "\nmoongate_request_duration_seconds_bucket{route=\"fast\",le=\"0.02\"} 1\n"));
  CHECK(has(&out, "\nmoongate_request_duration_seconds_bucket{route=\"fast\",le=\"+Inf\"} 2\n"));
  CHECK(has(&out, "\nmoongate_request_duration_seconds_sum{route=\"fast\"} 90.015000\n"));
  CHECK(has(&out, "\nmoongate_request_duration_seconds_count{route=\"fast\"} 2\n"));
  CHECK(has(&out, "\nmoongate_overhead_seconds_count 3\n"));
  CHECK(has(&out, "\nmoongate_attempts_total{provider=\"p\",model=\"mo\\\"del\",class=\"none\"} 3\n"));
  CHECK(has(&out, "\nmoongate_attempts_total{provider=\"p\",model=\"mo\\\"del\",class=\"rate_limited\"} 2\n"));
  CHECK(has(&out, "\nmoongate_tokens_total{provider=\"p\",model=\"mo\\\"del\",kind=\"input\"} 100\n"));
  CHECK(has(&out, "\nmoongate_cost_usd_total{provider=\"p\",model=\"mo\\\"del\"} 1.234567890123\n"));
  CHECK(has(&out, "\nmoongate_script_count_total{name=\"my_count\"} 5\n"));
  if (system("command -v promtool >/dev/null") == 0) {
    FILE *lint = popen("promtool check metrics 2>&1", "w");
    CHECK(lint != NULL && fwrite(out.ptr, 1, out.len, lint) == out.len);
    CHECK_INT(pclose(lint), 0);
  }
  buf_done(&out);
}

TEST(routes_and_counters_are_bounded) {
  struct meter *m = meter_new(2);
  char name[32];
  for (unsigned i = 0; i < 2000; i++) {
    snprintf(name, sizeof name, "route-%u", i);
    meter_request(m, slice_text(name), OUTCOME_OK, 1, 1);
    meter_script_count(slice_text(name), 1);
  }
  struct buf out = {0};
  meter_write(&out);
  CHECK(has(&out, "\nmoongate_requests_total{route=\"other\",outcome=\"ok\"} 1488\n")); /* 512 had a place */
  CHECK(has(&out, "\nmoongate_script_count_total{name=\"other\"} 1746\n"));             /* 254 and my_count had one */
  CHECK(slice_find(buf_view(&out), SLICE("route-1999")) < 0);
  buf_done(&out);
}

TEST(manual_lists_every_metric) {
  struct buf out = {0}, text = {0};
  meter_reference(&out);
  meter_write(&text);
  unsigned types = 0, rows = 0;
  for (struct slice s = buf_view(&text); s.len > 0; s = slice_from(s, 1)) types += slice_starts(s, SLICE("# TYPE "));
  for (struct slice s = buf_view(&out); s.len > 0; s = slice_from(s, 1))
    rows += slice_starts(s, SLICE("\n| `moongate_"));
  CHECK_INT(rows, types);
  buf_done(&out);
  buf_done(&text);
}

TEST(averages_move_by_an_eighth) {
  struct target_state *s = target_state_of(SLICE("p/average"));
  target_record(s, false, 8000, 800);
  CHECK_INT(s->latency_us, 8000);
  target_record(s, false, 16000, 0);
  CHECK_INT(s->latency_us, 9000);
  CHECK_INT(s->first_token_us, 800);
  target_record(s, true, 1, 1);
  CHECK_INT(s->latency_us, 9000);
  CHECK_INT(s->error_ppm, 125000);
  for (unsigned i = 0; i < 200; i++) target_record(s, true, 1, 1);
  CHECK(s->error_ppm > 990000 && s->error_ppm <= 1000000);
  for (unsigned i = 0; i < 200; i++) target_record(s, false, 1, 1);
  CHECK(s->error_ppm < 100);
}

static void *ask_for_states(void *argument) {
  char name[32];
  for (unsigned i = 0; i < 500; i++) {
    snprintf(name, sizeof name, "race/%u", i);
    struct target_state *s = target_state_of(slice_text(name));
    CHECK_SLICE(slice_text(s->name), name);
    meter_add(&target_meter_of(s, (unsigned)(uintptr_t)argument)->attempts, 1);
  }
  return NULL;
}

TEST(states_are_shared_by_name_and_bounded) {
  pthread_t threads[4];
  char name[32];
  for (uintptr_t i = 0; i < 4; i++) pthread_create(&threads[i], NULL, ask_for_states, (void *)i);
  for (unsigned i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  struct target_state *early = target_state_of(SLICE("race/7"));
  for (unsigned i = 0; i < 4; i++) CHECK_INT(target_meter_of(early, i)->attempts, 1);
  for (unsigned i = 0; i < TARGET_STATES_MAX + 10; i++) {
    snprintf(name, sizeof name, "many/%u", i);
    target_state_of(slice_text(name));
  }
  CHECK(target_state_of(SLICE("race/7")) == early); /* who was there first stays what it is */
  CHECK_SLICE(slice_text(target_state_of(SLICE("one/more"))->name), "other");
  CHECK(target_state_of(SLICE("two/more")) == target_state_of(SLICE("other")));
  unsigned count = 0;
  for (const struct target_state *s = target_state_first(); s != NULL; s = s->next) count++;
  CHECK(count <= TARGET_STATES_MAX + 1);
}

UNIT_MAIN()
