/* When a provider may be asked again: every form in which it is told. */
#include "gate/attempt/retry_after.h"

#include "check.h"

/* 2026-11-22T12:00:00Z */
static const int64_t now_ms = INT64_C(1795348800000);

static uint32_t told(const char *name, const char *value) {
  struct retry_after r = {0};
  retry_after_header(&r, slice_text(name), slice_text(value), now_ms);
  return retry_after_ms(&r);
}

TEST(retry_after_in_its_forms) {
  static const struct {
    const char *name, *value;
    uint32_t ms;
  } rows[] = {
      {"retry-after", "7", 7000},
      {"Retry-After", "0", 0},
      {"retry-after", "1.5", 1500},
      {"retry-after", "999999999999", RETRY_AFTER_MAX_MS},
      {"retry-after", "Sun, 22 Nov 2026 12:00:30 GMT", 30000},
      {"retry-after", "Sunday, 22-Nov-26 12:00:31 GMT", 31000},
      {"retry-after", "Sun Nov 22 12:00:32 2026", 32000},
      {"retry-after", "Sun, 22 Nov 2026 11:00:00 GMT", 0},
      {"retry-after", "Fri, 01 Jan 2100 00:00:00 GMT", RETRY_AFTER_MAX_MS},
      {"retry-after", "", 0},
      {"retry-after", "-3", 0},
      {"retry-after", "soon", 0},
      {"retry-after-ms", "1234", 1234},
      {"retry-after-ms", "0.4", 1},
      {"retry-after-ms", "x", 0},
      {"x-ratelimit-reset-requests", "6m0s", 360000},
      {"x-ratelimit-reset-tokens", "7.66s", 7660},
      {"x-ratelimit-reset-tokens", "12ms", 12},
      {"x-ratelimit-reset-tokens", "1h2m3.5s", 3723500},
      {"x-ratelimit-reset", "20", 20000},
      {"x-ratelimit-reset", "1795348805", 5000},
      {"x-ratelimit-reset", "1795348806500", 6500},
      {"x-ratelimit-reset", "1795340000", 0},
      {"x-ratelimit-reset", "99999999999999999999999999999", RETRY_AFTER_MAX_MS},
      {"anthropic-ratelimit-requests-reset", "2026-11-22T12:00:40Z", 40000},
      {"anthropic-ratelimit-input-tokens-reset", "2026-11-22T12:00:41.5Z", 41000},
      {"anthropic-ratelimit-requests-limit", "50", 0},
      {"x-ratelimit-limit-requests", "50", 0},
      {"date", "7", 0},
  };
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    CHECK_INT(told(rows[i].name, rows[i].value), rows[i].ms);
    if (told(rows[i].name, rows[i].value) != rows[i].ms) fprintf(stderr, "%s: %s\n", rows[i].name, rows[i].value);
  }
}

static uint32_t all_of(const char *const (*headers)[2], unsigned count) {
  struct retry_after r = {0};
  for (unsigned i = 0; i < count; i++)
    retry_after_header(&r, slice_text(headers[i][0]), slice_text(headers[i][1]), now_ms);
  return retry_after_ms(&r);
}

TEST(what_is_exacter_or_used_up_counts) {
  static const char *const exact[][2] = {{"retry-after-ms", "300"}, {"retry-after", "1"}};
  CHECK_INT(all_of(exact, 2), 300);
  static const char *const plain[][2] = {{"x-ratelimit-reset-tokens", "9s"}, {"retry-after", "1"}};
  CHECK_INT(all_of(plain, 2), 1000);
  static const char *const limits[][2] = {{"x-ratelimit-remaining-requests", "3"},
                                          {"x-ratelimit-reset-requests", "60s"},
                                          {"x-ratelimit-reset-tokens", "2s"},
                                          {"x-ratelimit-remaining-tokens", "0"},
                                          {"anthropic-ratelimit-output-tokens-remaining", "0"},
                                          {"anthropic-ratelimit-output-tokens-reset", "2026-11-22T12:00:05Z"}};
  CHECK_INT(all_of(limits, 2), 0);
  CHECK_INT(all_of(limits, 4), 2000);
  CHECK_INT(all_of(limits, 6), 5000);
}

TEST(more_limits_than_there_is_room_for_are_left_out) {
  struct retry_after r = {0};
  static const char *const names[] = {"x-ratelimit-reset-a", "x-ratelimit-reset-b", "x-ratelimit-reset-c",
                                      "x-ratelimit-reset-d", "x-ratelimit-reset-e", "x-ratelimit-reset-f",
                                      "x-ratelimit-reset-g", "x-ratelimit-reset-h", "x-ratelimit-reset-i"};
  static const char *const values[] = {"1", "2", "3", "4", "5", "6", "7", "8", "9"};
  for (unsigned i = 0; i < 9; i++) retry_after_header(&r, slice_text(names[i]), slice_text(values[i]), now_ms);
  CHECK_INT(r.limit_count, RETRY_AFTER_LIMITS);
  CHECK_INT(retry_after_ms(&r), 8000);
}

TEST(should_retry_is_read) {
  struct retry_after r = {0};
  retry_after_header(&r, SLICE("x-should-retry"), SLICE("true"), now_ms);
  CHECK(!r.forbidden);
  retry_after_header(&r, SLICE("X-Should-Retry"), SLICE("false"), now_ms);
  CHECK(r.forbidden);
}

TEST(bodies_tell_too) {
  static const struct {
    const char *text;
    uint32_t ms;
  } rows[] = {
      {"{\"error\":{\"code\":429,\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":"
       "\"34.074824224s\"}]}}",
       34075},
      {"{ \"retryDelay\" : \"2s\" }", 2000},
      {"{\"error\":{\"message\":\"Rate limit reached for gpt-5 on tokens per min. Please try again in 6ms.\"}}", 6},
      {"Please try again in 1m12.5s. Visit", 72500},
      {"Please retry after 3 seconds.", 3000},
      {"Try again in 86400 seconds.", 86400000},
      {"Please retry in 39.5s.", 39500},
      {"try again in a while", 0},
      {"try again in 5 bananas", 0},
      {"try again in 5", 0},
      {"\"retryDelay\"", 0},
      {"", 0},
  };
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++)
    CHECK_INT(retry_after_body_ms(slice_text(rows[i].text)), rows[i].ms);
}

TEST(durations_end_where_they_end) {
  uint32_t ms;
  size_t used;
  CHECK(retry_after_duration_ms(SLICE("1m2s, then"), &ms, &used));
  CHECK_INT(ms, 62000);
  CHECK_INT(used, 4);
  CHECK(retry_after_duration_ms(SLICE("3 seconds 4"), &ms, &used));
  CHECK_INT(used, 9);
  CHECK(!retry_after_duration_ms(SLICE("s"), &ms, &used));
  CHECK(!retry_after_duration_ms(SLICE("12"), &ms, &used));
}

UNIT_MAIN()
