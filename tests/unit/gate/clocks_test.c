/* The clocks of an attempt, with times made up: which falls due, when, and who says what it is set to. */
#include "gate/attempt/clocks.h"

#include "check.h"
#include "gate/config.h"

#define MS UINT64_C(1000000)
#define START (1000 * MS)
#define STREAM_VIEW(in_call, at, since, first, next)                                                                   \
  { .calls = in_call, .phase = at, .since_ns = since, .awaits_first = first, .awaits_next = next }

static const struct timeouts all = {.connect_ms = 100,
                                    .tls_ms = 200,
                                    .upload_ms = 300,
                                    .first_token_ms = 1000,
                                    .between_tokens_ms = 400,
                                    .total_ms = 5000,
                                    .min_tokens_per_s = 0};

static struct clocks begun(void) {
  struct clocks c = {.limits = all};
  clocks_start(&c, START);
  return c;
}

/* What is over at START + ms; CLOCK_COUNT: nothing. */
static enum clock_id over_at(struct clocks *c, const struct clocks_view *v, uint64_t ms, char text[120]) {
  enum clock_id id = CLOCK_COUNT;
  text[0] = '\0';
  return clocks_over(c, v, START + ms * MS, &id, text) ? id : CLOCK_COUNT;
}

TEST(each_phase_has_its_own_clock) {
  static const struct {
    struct clocks_view view;
    uint64_t due_ms;
    enum clock_id id;
    enum failure_class failure;
    const char *text;
  } rows[] = {
      {STREAM_VIEW(true, UPCALL_CONNECT, START, true, false), 100, CLOCK_CONNECT, FAILURE_CONNECT_TIMEOUT,
       "no connection after 100 ms (timeouts.connect)"},
      {STREAM_VIEW(true, UPCALL_TLS, START + 50 * MS, true, false), 250, CLOCK_TLS, FAILURE_TLS_TIMEOUT,
       "the TLS handshake was not done after 200 ms (timeouts.tls)"},
      {STREAM_VIEW(true, UPCALL_SEND, START + 90 * MS, true, false), 390, CLOCK_UPLOAD, FAILURE_UPLOAD_TIMEOUT,
       "nothing more of the request was taken for 300 ms (timeouts.upload)"},
      {STREAM_VIEW(true, UPCALL_WAIT, START + 95 * MS, true, false), 1000, CLOCK_FIRST_TOKEN,
       FAILURE_FIRST_TOKEN_TIMEOUT, "no content after 1000 ms (timeouts.first_token)"},
      {STREAM_VIEW(true, UPCALL_BODY, START + 99 * MS, true, false), 1000, CLOCK_FIRST_TOKEN,
       FAILURE_FIRST_TOKEN_TIMEOUT, "no content after 1000 ms (timeouts.first_token)"},
      {STREAM_VIEW(true, UPCALL_BODY, START, false, true), 400, CLOCK_BETWEEN_TOKENS, FAILURE_IDLE_TIMEOUT,
       "no content for 400 ms (timeouts.between_tokens)"},
      {STREAM_VIEW(true, UPCALL_WAIT, START, false, false), 5000, CLOCK_TOTAL, FAILURE_TOTAL_TIMEOUT,
       "the answer was not complete after 5000 ms (timeouts.total)"},
      {STREAM_VIEW(false, 0, 0, true, false), 1000, CLOCK_FIRST_TOKEN, FAILURE_FIRST_TOKEN_TIMEOUT,
       "no content after 1000 ms (timeouts.first_token)"},
  };
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct clocks c = begun();
    char text[120];
    CHECK_INT(over_at(&c, &rows[i].view, rows[i].due_ms - 1, text), CLOCK_COUNT);
    CHECK_INT(over_at(&c, &rows[i].view, rows[i].due_ms, text), rows[i].id);
    CHECK_SLICE(slice_text(text), rows[i].text);
    CHECK_INT(clock_failure(rows[i].id), rows[i].failure);
  }
}

/* A call does not tell when a phase begins: whenever that is, the timer fires no later than the phase is over. */
TEST(the_timer_is_never_late) {
  struct clocks c = begun();
  for (uint64_t armed_ms = 0; armed_ms < 100; armed_ms += 7) {
    struct clocks_view v = STREAM_VIEW(true, UPCALL_CONNECT, START, true, false);
    uint64_t fires_ns = clocks_next(&c, &v, START + armed_ms * MS).at_ns;
    CHECK(fires_ns <= START + 100 * MS);
    for (enum upcall_phase phase = UPCALL_TLS; phase <= UPCALL_SEND; phase++) {
      struct clocks_view later = STREAM_VIEW(true, phase, START + (armed_ms + 1) * MS, true, false);
      CHECK(fires_ns <= clocks_next(&c, &later, START + (armed_ms + 1) * MS).at_ns);
    }
  }
  struct clocks_view waiting = STREAM_VIEW(true, UPCALL_WAIT, START, true, false);
  CHECK_INT(clocks_next(&c, &waiting, START).at_ns, START + 1000 * MS);
}

/* A whole answer: nothing but `total` until its head, or what first_byte says; from there a byte must come. */
TEST(a_whole_answer_has_clocks_of_its_own) {
  struct clocks c = begun();
  char text[120];
  c.limits.between_bytes_ms = 400;
  struct clocks_view waits = {
      .calls = true, .phase = UPCALL_WAIT, .since_ns = START, .may_be_whole = true, .awaits_first_byte = true};
  CHECK_INT(over_at(&c, &waits, 4999, text), CLOCK_COUNT);
  /* The call does not tell when its head comes: the timer looks often enough. */
  CHECK_INT(clocks_next(&c, &waits, START + 50 * MS).at_ns, START + 450 * MS);
  c.limits.first_byte_ms = 2000;
  CHECK_INT(over_at(&c, &waits, 1999, text), CLOCK_COUNT);
  CHECK_INT(over_at(&c, &waits, 2000, text), CLOCK_FIRST_BYTE);
  CHECK_SLICE(slice_text(text), "no byte of the answer after 2000 ms (timeouts.first_byte)");
  CHECK_INT(clock_failure(CLOCK_FIRST_BYTE), FAILURE_FIRST_BYTE_TIMEOUT);

  struct clocks_view begun_to_come = {
      .calls = true, .phase = UPCALL_BODY, .since_ns = START, .awaits_bytes = true, .awaits_first_byte = true};
  clocks_bytes(&c, SLICE(""), START + 1500 * MS); /* the head */
  CHECK_INT(over_at(&c, &begun_to_come, 1899, text), CLOCK_COUNT);
  CHECK_INT(over_at(&c, &begun_to_come, 1900, text), CLOCK_BETWEEN_BYTES);
  CHECK_SLICE(slice_text(text), "no further byte of the answer for 400 ms (timeouts.between_bytes)");
  CHECK_INT(clock_failure(CLOCK_BETWEEN_BYTES), FAILURE_BETWEEN_BYTES_TIMEOUT);
  clocks_bytes(&c, SLICE("\r\n \t"), START + 1800 * MS); /* keeps the connection, and is nothing of the answer */
  CHECK_INT(over_at(&c, &begun_to_come, 2000, text), CLOCK_FIRST_BYTE);
  clocks_bytes(&c, SLICE("\n{"), START + 1900 * MS);
  CHECK_INT(over_at(&c, &begun_to_come, 2299, text), CLOCK_COUNT);
  CHECK_INT(over_at(&c, &begun_to_come, 2300, text), CLOCK_BETWEEN_BYTES);
}

TEST(no_clock_at_all) {
  struct clocks c = {.limits = {0}};
  struct clocks_view v = STREAM_VIEW(true, UPCALL_CONNECT, START, true, true);
  char text[120];
  clocks_start(&c, START);
  CHECK(clocks_next(&c, &v, START).at_ns == UINT64_MAX);
  CHECK_INT(over_at(&c, &v, 100000000, text), CLOCK_COUNT);
}

TEST(content_moves_the_clock_between_tokens) {
  struct clocks c = begun();
  struct clocks_view v = STREAM_VIEW(true, UPCALL_BODY, START, false, true);
  char text[120];
  clocks_resume(&c, START + 100 * MS);
  clocks_content(&c, 50, START + 350 * MS);
  CHECK_INT(over_at(&c, &v, 749, text), CLOCK_COUNT);
  CHECK_INT(over_at(&c, &v, 750, text), CLOCK_BETWEEN_TOKENS);
  clocks_resume(&c, START + 700 * MS); /* the client reads again */
  CHECK_INT(over_at(&c, &v, 1099, text), CLOCK_COUNT);
}

/* event_bytes each, one every `every_ms`, from the first content on; the clock that ends it, or CLOCK_COUNT. */
static enum clock_id drip(uint32_t least, uint32_t every_ms, size_t first_bytes, size_t event_bytes, unsigned events) {
  struct clocks c = begun();
  struct clocks_view v = STREAM_VIEW(true, UPCALL_BODY, START, false, true);
  char text[120];
  c.limits.min_tokens_per_s = least;
  c.limits.between_tokens_ms = c.limits.total_ms = 0;
  clocks_resume(&c, START);
  clocks_content(&c, first_bytes, START);
  for (unsigned i = 1; i <= events; i++) {
    enum clock_id id = over_at(&c, &v, i * every_ms, text);
    if (id != CLOCK_COUNT) {
      CHECK(i * every_ms >= TOKEN_RATE_WINDOW_MS);
      return id;
    }
    clocks_content(&c, event_bytes, START + i * every_ms * MS);
  }
  return CLOCK_COUNT;
}

TEST(too_few_tokens) {
  CHECK_INT(drip(5, 100, 60, 60, 600), CLOCK_COUNT);       /* ten a second */
  CHECK_INT(drip(5, 250, 60, 60, 300), CLOCK_TOKEN_RATE);  /* four */
  CHECK_INT(drip(5, 1000, 60, 140, 100), CLOCK_COUNT);     /* one event a second, of some twenty tokens */
  CHECK_INT(drip(5, 1000, 60, 68, 100), CLOCK_TOKEN_RATE); /* of three */
  CHECK_INT(drip(0, 5000, 60, 60, 100), CLOCK_COUNT);
}

/* The first window is good, the second is not. */
TEST(each_window_counts_alone) {
  struct clocks c = begun();
  struct clocks_view v = STREAM_VIEW(true, UPCALL_BODY, START, false, true);
  char text[120];
  c.limits.min_tokens_per_s = 2;
  c.limits.between_tokens_ms = c.limits.total_ms = 0;
  clocks_resume(&c, START);
  for (unsigned i = 0; i < 1000; i++) clocks_content(&c, 50, START + i * MS);
  CHECK_INT(over_at(&c, &v, TOKEN_RATE_WINDOW_MS, text), CLOCK_COUNT);
  CHECK_INT(clocks_next(&c, &v, START + TOKEN_RATE_WINDOW_MS * MS).at_ns, START + 2 * TOKEN_RATE_WINDOW_MS * MS);
  CHECK_INT(over_at(&c, &v, 2 * TOKEN_RATE_WINDOW_MS, text), CLOCK_TOKEN_RATE);
  CHECK_SLICE(slice_text(text), "fewer than 2 tokens a second over 10 s (timeouts.min_tokens_per_s)");
}

TEST(the_narrowest_level_wins) {
  struct timeouts model = timeouts_unsaid, of_route = timeouts_unsaid, found;
  model.first_token_ms = 20;
  model.total_ms = 21;
  of_route.first_token_ms = 30;
  of_route.connect_ms = 0;
  struct model_clocks clocks[] = {{SLICE_INIT("other"), all}, {SLICE_INIT("m"), model}};
  struct provider p = {.timeouts = all, .model_clocks = clocks, .model_clock_count = 2};
  struct target t = {.model = SLICE_INIT("m"), .provider = &p}, plain = {.model = SLICE_INIT("n"), .provider = &p};
  struct route route = {.timeouts = &of_route}, silent = {.timeouts = NULL};
  timeouts_find(NULL, &plain, true, &found);
  CHECK(memcmp(&found, &all, sizeof all) == 0);
  timeouts_find(&silent, &t, true, &found);
  CHECK_INT(found.first_token_ms, 20);
  CHECK_INT(found.total_ms, 21);
  CHECK_INT(found.connect_ms, 100);
  timeouts_find(&route, &t, true, &found);
  CHECK_INT(found.first_token_ms, 30);
  CHECK_INT(found.connect_ms, 0);
  CHECK_INT(found.between_tokens_ms, 400);
}

TEST(a_stream_has_longer_where_nobody_says_how_long) {
  struct provider p = {.timeouts = all};
  struct target t = {.model = SLICE_INIT("m"), .provider = &p};
  struct timeouts found;
  p.timeouts.total_ms = TIMEOUT_UNSAID;
  timeouts_find(NULL, &t, false, &found);
  CHECK_INT(found.total_ms, TOTAL_WHOLE_MS);
  timeouts_find(NULL, &t, true, &found);
  CHECK_INT(found.total_ms, TOTAL_STREAM_MS);
}

UNIT_MAIN()
