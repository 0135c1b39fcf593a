/* The gate, attempts that fail: what is tried next, what the client reads, and what is recorded. */
#include "house.h"

#define CHAT "/v1/chat/completions"
#define MESSAGES "/v1/messages"
#define DELTA "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]}\n\n"
#define ANTHROPIC_DELTA                                                                                                \
  "event: message_start\ndata: "                                                                                       \
  "{\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":11,\"output_tokens\":1}}}\n\n"                 \
  "event: content_block_delta\ndata: "                                                                                 \
  "{\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}\n\n"
#define ASK "{\"model\":\"r\",\"messages\":[]}"
#define ASK_STREAM "{\"model\":\"r\",\"stream\":true,\"messages\":[]}"

static const char good[] =
    "{\"choices\":[{\"index\":0,\"message\":{\"content\":\"ok\"},\"finish_reason\":\"stop\"}],\"usage\":"
    "{\"prompt_tokens\":1,\"completion_tokens\":1,\"total_tokens\":2}}";
static const struct mock_script good_script = {.status = 200, .text = good};
static const struct mock_script good_stream = {.text = DELTA "data: [DONE]\n\n"};

/* A route "r" over two providers of one dialect: a serves `first` by `serve`, b answers well. */
struct pair {
  struct house h;
  struct mock *a, *b;
};

static void pair_with(struct pair *p, void (*serve)(struct mock_peer *), const void *first, const void *second,
                      const struct timeouts *timeouts) {
  struct config_made made = house_config();
  p->a = mock_start(serve, first);
  p->b = mock_start(mock_serve, second);
  struct provider *a = house_provider(made.config, "a", made.openai, p->a->port);
  house_provider(made.config, "b", made.openai, p->b->port);
  if (timeouts != NULL) a->timeouts = *timeouts;
  house_route(made.config, "r", "a/m", "b/m", NULL);
  house_init(&p->h, made.config, NULL);
}

static void pair_done(struct pair *p) {
  house_done(&p->h);
  mock_stop(p->a);
  mock_stop(p->b);
}

/* The first provider fails in this way, within these timeouts (NULL: long ones); the second one's answer is the
 * client's. */
static void falls_over_within(const struct timeouts *t, void (*serve)(struct mock_peer *), const void *first,
                              bool stream, const char *class) {
  struct pair p;
  struct buf all = {0}, body = {0};
  char expected[80];
  pair_with(&p, serve, first, stream ? &good_stream : &good_script, t);
  CHECK_INT(ask(&p.h, CHAT, "", stream ? ASK_STREAM : ASK, &all, &body), 200);
  CHECK_SLICE(buf_view(&body), stream ? good_stream.text : good);
  CHECK(has(buf_view(&all), "x-moongate-target: b/m\r\nx-moongate-attempts: 2\r\n"));
  struct slice trace = house_trace(&p.h);
  snprintf(expected, sizeof expected, "\"class\":\"%s\"", class);
  CHECK(has(trace, expected));
  if (!has(trace, expected)) fprintf(stderr, "%s is not in %.*s\n", expected, (int)trace.len, trace.ptr);
  CHECK(has(trace, "\"fallback_used\":true") && has(trace, "\"outcome\":\"ok\"") &&
        has(trace, "\"provider_chosen\":\"b\""));
  CHECK(json_valid(trace, NULL));
  CHECK_INT(atomic_load(&target_state_of(SLICE("a/m"))->in_flight), 0);
  buf_done(&all);
  buf_done(&body);
  pair_done(&p);
}

static void falls_over(void (*serve)(struct mock_peer *), const void *first, bool stream, const char *class) {
  falls_over_within(NULL, serve, first, stream, class);
}

TEST(refused_connection_falls_over) {
  struct pair p;
  struct buf body = {0};
  pair_with(&p, mock_silence, NULL, &good_script, NULL);
  shutdown(p.a->fd, SHUT_RDWR); /* nobody listens there any more */
  CHECK_INT(ask(&p.h, CHAT, "", ASK, NULL, &body), 200);
  CHECK(has(house_trace(&p.h), "\"class\":\"connect\""));
  buf_done(&body);
  pair_done(&p);
}

TIMED(error_answers_fall_over) {
  static const struct {
    unsigned status;
    const char *text, *class;
  } rows[] = {{500, "{\"error\":{\"message\":\"x\"}}", "server_error"},
              {429, "{\"error\":{\"message\":\"slow down\"}}", "rate_limited"},
              {429, "{\"error\":{\"code\":\"insufficient_quota\"}}", "quota"},
              {529, "", "overloaded"},
              {503, "<html>", "overloaded"},
              {401, "{\"error\":\"no\"}", "auth"},
              {404, "{}", "not_found"},
              {302, "", "redirect"}};
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct mock_script s = {.status = rows[i].status, .text = rows[i].text};
    falls_over(mock_serve, &s, i % 2, rows[i].class);
  }
}

TIMED(reset_before_the_head_falls_over) {
  falls_over(mock_slam, NULL, false, "reset");
  falls_over(mock_slam, NULL, true, "reset");
}

TIMED(answers_that_are_none_fall_over) {
  static const char *const bodies[] = {"{\"choices\":[",      "", "null", "[]", "{}", "not json", "{\"choices\":{}}",
                                       "{\"choices\":[{}]} x"};
  for (unsigned i = 0; i < sizeof bodies / sizeof *bodies; i++) {
    struct mock_script s = {.status = 200, .text = bodies[i]};
    falls_over(mock_serve, &s, false, "bad_answer");
  }
  static const struct mock_script error = {.status = 200,
                                           .text = "{\"error\":{\"message\":\"broken\",\"type\":\"server_error\"}}"};
  falls_over(mock_serve, &error, false, "server_error");
}

TIMED(streams_that_fail_before_their_first_content_fall_over) {
  static const struct {
    const char *text, *class;
    bool cut;
  } rows[] = {{"data: {\"error\":{\"message\":\"overloaded\"}}\n\n", "stream_error", false},
              {": comment\n\ndata: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\ndata: "
               "{\"error\":\"x\"}\n\n",
               "stream_error", false},
              {"event: error\ndata: {\"message\":\"over\"}\n\n", "stream_error", false},
              {"", "bad_answer", false},
              {"data: [DONE]\n\n", "bad_answer", false},
              {": only a comment\n\n", "bad_answer", false},
              {"data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\n", "reset", true}};
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct mock_script s = {.text = rows[i].text, .cut = rows[i].cut};
    falls_over(mock_serve, &s, true, rows[i].class);
  }
}

TIMED(silence_before_the_first_content_falls_over) {
  static const struct mock_script role = {.text = "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\n",
                                          .hang = true};
  falls_over_within(&TIMEOUTS(300, 300, 30000), mock_silence, NULL, true, "first_token_timeout");
  falls_over_within(&TIMEOUTS(300, 300, 30000), mock_serve, &role, true, "first_token_timeout");
}

/* A provider that says [DONE] without content, and keeps the connection open. */
TIMED(done_without_content_falls_over_at_once) {
  static const struct mock_script only_done = {.text = "data: [DONE]\n\n", .hang = true};
  falls_over(mock_serve, &only_done, true, "bad_answer");
}

static void serve_late(struct mock_peer *p) {
  while (mock_request(p)) {
    usleep(500000);
    mock_answer(p, 200, "", good);
  }
}

/* Whoever asks for a whole answer waits for all of it: there is no first token to see. */
TIMED(first_token_clock_is_for_streams_only) {
  struct pair p;
  struct buf body = {0};
  pair_with(&p, serve_late, NULL, &good_script, &TIMEOUTS(200, 200, 30000));
  CHECK_INT(ask(&p.h, CHAT, "", ASK, NULL, &body), 200);
  CHECK(has(house_trace(&p.h), "\"provider_chosen\":\"a\""));
  buf_done(&body);
  pair_done(&p);
}

/* ---- what the client reads when nothing helps */

static unsigned alone(bool anthropic, void (*serve)(struct mock_peer *), const void *script, const struct timeouts *t,
                      const char *body, struct buf *all, struct buf *answer, struct buf *trace) {
  struct house h;
  struct config_made made = house_config();
  struct mock *m = mock_start(serve, script);
  struct provider *p = house_provider(made.config, "p", anthropic ? made.anthropic : made.openai, m->port);
  if (t != NULL) p->timeouts = *t;
  house_route(made.config, "r", "p/m", NULL);
  house_init(&h, made.config, NULL);
  unsigned status = ask(&h, anthropic ? MESSAGES : CHAT, "", body, all, answer);
  struct slice records = house_trace(&h);
  CHECK_INT(count_of(records, "\n"), 1);
  trace->len = 0;
  buf_slice(trace, records);
  house_done(&h);
  mock_stop(m);
  return status;
}

TEST(callers_own_mistakes_pass_as_they_came_and_are_not_retried) {
  static const struct mock_script bad = {
      .status = 400,
      .headers = "retry-after: 7\r\nx-ratelimit-remaining-tokens: 0\r\nserver: x\r\n",
      .text = "{\"error\":{\"message\":\"no such field " HOUSE_KEY "\",\"type\":\"invalid_request_error\"}}"};
  struct pair p;
  struct buf all = {0}, body = {0};
  pair_with(&p, mock_serve, &bad, &good_script, NULL);
  CHECK_INT(ask(&p.h, CHAT, "", ASK, &all, &body), 400);
  CHECK_SLICE(buf_view(&body),
              "{\"error\":{\"message\":\"no such field ***********************\",\"type\":\"invalid_request_error\"}}");
  CHECK(has(buf_view(&all), "\r\nretry-after: 7\r\n") &&
        has(buf_view(&all), "\r\nx-ratelimit-remaining-tokens: 0\r\n"));
  CHECK(!has(buf_view(&all), "x-gateway-error") && !has(buf_view(&all), "\r\nserver:"));
  CHECK_INT(atomic_load(&p.b->requests), 0);
  struct slice trace = house_trace(&p.h);
  CHECK(has(trace, "\"class\":\"invalid\"") && has(trace, "\"outcome\":\"failed\"") &&
        has(trace, "\"error_code\":null"));
  CHECK(!has(trace, HOUSE_KEY));
  buf_done(&all);
  buf_done(&body);
  pair_done(&p);
}

TEST(last_error_of_the_plan_is_the_clients) {
  static const struct mock_script first = {.status = 500, .text = "{\"error\":{\"message\":\"first\"}}"};
  static const struct mock_script second = {.status = 429, .text = ""};
  struct pair p;
  struct buf all = {0}, body = {0};
  pair_with(&p, mock_serve, &first, &second, NULL);
  CHECK_INT(ask(&p.h, CHAT, "", ASK, &all, &body), 429);
  CHECK(has(buf_view(&body), "{\"error\":{\"message\":\"b answered with status 429, and with no error of its API."));
  CHECK(has(buf_view(&all), "x-gateway-error: true"));
  CHECK(has(buf_view(&all), "x-moongate-attempts: 3")); /* the last one was asked once more */
  buf_done(&all);
  buf_done(&body);
  pair_done(&p);
}

static void serve_half_an_error(struct mock_peer *p) {
  mock_request(p);
  mock_say(p, "HTTP/1.1 429 Slow\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{\"error\":{\"mess");
}

TIMED(half_an_error_is_not_passed_on) {
  struct buf all = {0}, body = {0}, trace = {0};
  CHECK_INT(alone(false, serve_half_an_error, NULL, NULL, ASK, &all, &body, &trace), 502);
  CHECK(json_valid(buf_view(&body), NULL));
  CHECK(has(buf_view(&body), "\"code\":\"provider_broken\""));
  CHECK(has(buf_view(&trace), "\"class\":\"reset\""));
  buf_done(&all);
  buf_done(&body);
  buf_done(&trace);
}

TIMED(timeouts_tell_their_phase) {
  struct buf all = {0}, body = {0}, trace = {0};
  static const struct mock_script cut = {.text = DELTA, .hang = true};
  CHECK_INT(alone(false, mock_silence, NULL, &TIMEOUTS(200, 200, 30000), ASK_STREAM, &all, &body, &trace), 504);
  CHECK(has(buf_view(&body), "timeouts.first_token") && has(buf_view(&body), "\"code\":\"first_token_timeout\""));
  CHECK(has(buf_view(&all), "x-gateway-error: true"));
  CHECK_INT(alone(false, mock_silence, NULL, &TIMEOUTS(200, 200, 400), ASK, &all, &body, &trace), 504);
  CHECK(has(buf_view(&body), "timeouts.total"));
  CHECK_INT(alone(false, mock_serve, &cut, &TIMEOUTS(60000, 200, 60000), ASK_STREAM, &all, &body, &trace), 200);
  CHECK(
      slice_starts(buf_view(&body),
                   SLICE(DELTA "data: {\"error\":{\"message\":\"p: no content for 200 ms (timeouts.between_tokens).")));
  CHECK(!has(buf_view(&body), "[DONE]"));
  CHECK(has(buf_view(&trace), "\"class\":\"between_tokens_timeout\"") &&
        has(buf_view(&trace), "\"outcome\":\"failed\""));
  CHECK(has(buf_view(&trace), "\"error_code\":\"between_tokens_timeout\""));
  buf_done(&all);
  buf_done(&body);
  buf_done(&trace);
}

static void serve_slowly(struct mock_peer *p) {
  mock_request(p);
  mock_say(p, MOCK_STREAM_HEAD);
  while (mock_chunk(p, DELTA)) usleep(50000);
  mock_saw_close(p);
}

static void serve_pings(struct mock_peer *p) {
  mock_request(p);
  mock_say(p, MOCK_STREAM_HEAD);
  mock_chunk(p, DELTA);
  while (mock_chunk(p, ": ping\n\n")) usleep(50000);
}

TIMED(total_ends_a_stream_that_never_does_and_pings_do_not_count) {
  struct buf all = {0}, body = {0}, trace = {0};
  CHECK_INT(alone(false, serve_slowly, NULL, &TIMEOUTS(2000, 2000, 600), ASK_STREAM, &all, &body, &trace), 200);
  CHECK(has(buf_view(&body), "timeouts.total") && !has(buf_view(&body), "[DONE]"));
  CHECK(has(buf_view(&trace), "\"class\":\"total_timeout\"") &&
        has(buf_view(&trace), "\"usage_source\":\"estimated\""));
  CHECK_INT(alone(false, serve_pings, NULL, &TIMEOUTS(10000, 300, 30000), ASK_STREAM, &all, &body, &trace), 200);
  CHECK(has(buf_view(&trace), "\"class\":\"between_tokens_timeout\""));
  buf_done(&all);
  buf_done(&body);
  buf_done(&trace);
}

TIMED(cut_stream_ends_with_an_error_in_both_dialects) {
  static const struct mock_script chat = {.text = DELTA, .cut = true}, chat_reset = {.text = DELTA, .reset = true},
                                  ended = {.text = DELTA}, anthropic = {.text = ANTHROPIC_DELTA, .cut = true};
  const struct mock_script *chats[] = {&chat, &chat_reset, &ended};
  struct buf all = {0}, body = {0}, trace = {0};
  for (unsigned i = 0; i < 3; i++) {
    CHECK_INT(alone(false, mock_serve, chats[i], NULL, ASK_STREAM, &all, &body, &trace), 200);
    CHECK(slice_starts(buf_view(&body), SLICE(DELTA "data: {\"error\":{\"message\":\"p: ")) || chats[i]->reset);
    CHECK(has(buf_view(&body), "\"code\":\"provider_broken\"") && !has(buf_view(&body), "[DONE]"));
    CHECK(has(buf_view(&trace), "\"outcome\":\"failed\"") && has(buf_view(&trace), "\"class\":\"reset\""));
    CHECK(has(buf_view(&trace), "\"status\":200,\"error_code\":\"provider_broken\""));
  }
  CHECK_INT(alone(true, mock_serve, &anthropic, NULL, ASK_STREAM, &all, &body, &trace), 200);
  CHECK(slice_starts(
      buf_view(&body),
      SLICE(ANTHROPIC_DELTA "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",")));
  CHECK(!has(buf_view(&body), "message_stop"));
  CHECK(has(buf_view(&trace), "\"input_tokens\":11,\"output_tokens\":6,") &&
        has(buf_view(&trace), "\"usage_source\":\"estimated\""));
  buf_done(&all);
  buf_done(&body);
  buf_done(&trace);
}

/* The provider's own error within its stream: passed on without the gateway's key, and counted as a failure. */
TIMED(error_within_a_stream_is_passed_scrubbed_and_recorded) {
  static const char text[] = DELTA "data: {\"error\":{\"message\":\"bad key " HOUSE_KEY "\",\"code\":\"boom\"}}\n\n";
  /* However the transport ends after it, nothing is added. */
  static const struct mock_script scripts[] = {
      {.text = text}, {.text = text, .cut = true}, {.text = text, .hang = true}};
  struct buf all = {0}, body = {0}, trace = {0};
  for (unsigned i = 0; i < 3; i++) {
    CHECK_INT(alone(false, mock_serve, &scripts[i], NULL, ASK_STREAM, &all, &body, &trace), 200);
    CHECK_SLICE(buf_view(&body),
                DELTA "data: {\"error\":{\"message\":\"bad key ***********************\",\"code\":\"boom\"}}\n\n");
    CHECK(has(buf_view(&trace), "\"outcome\":\"failed\"") && has(buf_view(&trace), "\"class\":\"stream_error\""));
    CHECK(!has(buf_view(&trace), HOUSE_KEY));
  }
  buf_done(&all);
  buf_done(&body);
  buf_done(&trace);
}

/* A message is cut to 199 bytes, before it is scrubbed: half a key at the cut is no less secret. */
TIMED(key_that_the_cut_of_a_message_splits_is_scrubbed) {
  static const char before[] = DELTA "data: {\"error\":{\"message\":\"",
                    behind[] = " is wrong\",\"code\":\"boom\"}}\n\n";
  struct buf all = {0}, body = {0}, trace = {0}, text = {0}, told = {0};
  for (unsigned kept = 1; kept <= sizeof HOUSE_KEY; kept++) {
    text.len = told.len = 0;
    buf_text(&text, before);
    for (unsigned i = kept; i < 199; i++) buf_byte(&text, 'x');
    buf_fill(&text, "%s%s", HOUSE_KEY, behind);
    buf_byte(&text, '\0');
    struct mock_script script = {.text = text.ptr};
    alone(false, mock_serve, &script, NULL, ASK_STREAM, &all, &body, &trace);
    CHECK(has(buf_view(&trace), "\"class\":\"stream_error\""));
    buf_fill(&told, "x%.*s\"", (int)kept, kept < 4 ? HOUSE_KEY : "***********************");
    if (kept < sizeof HOUSE_KEY) CHECK(has(buf_view(&trace), (buf_byte(&told, '\0'), told.ptr)));
    CHECK(!has(buf_view(&trace), "sk-p"));
  }
  struct buf *const made[] = {&all, &body, &trace, &text, &told};
  for (unsigned i = 0; i < 5; i++) buf_done(made[i]);
}

TIMED(health_counts_the_providers_faults_only) {
  static const struct mock_script bad = {.status = 400, .text = "{}"}, broken = {.status = 500, .text = "{}"};
  struct buf all = {0}, body = {0}, trace = {0};
  struct target_state *s = target_state_of(SLICE("p/m"));
  atomic_store(&s->error_ppm, 0);
  alone(false, mock_serve, &bad, NULL, ASK, &all, &body, &trace);
  CHECK_INT(atomic_load(&s->error_ppm), 0);
  alone(false, mock_serve, &broken, NULL, ASK, &all, &body, &trace);
  CHECK_INT(atomic_load(&s->error_ppm), 125000 + 109375); /* of two attempts */
  buf_done(&all);
  buf_done(&body);
  buf_done(&trace);
}

UNIT_MAIN()
