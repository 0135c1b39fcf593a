/* The gate, answers that succeed: what reaches the provider, what reaches the client, and the record of it. */
#include "house.h"

#define CHAT "/v1/chat/completions"
#define MESSAGES "/v1/messages"

static const char whole[] =
    "{\"id\":\"c1\",\"object\":\"chat.completion\",\"choices\":[{\"index\":0,\"message\":{\"role\":"
    "\"assistant\",\"content\":\"hi \\u00e9\"},\"finish_reason\":\"stop\"}],\n \"odd\":1.50e1,\"usage\":"
    "{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":15}}";

#define DELTA(text)                                                                                                    \
  "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" text "\"},\"finish_reason\":null}]}\n\n"
#define FINISH "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
#define USAGE "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2,\"total_tokens\":9}}\n\n"
#define DONE "data: [DONE]\n\n"

static const char anthropic_stream[] =
    "event: message_start\ndata: "
    "{\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":11,\"output_tokens\":1}}}\n\n"
    "event: content_block_start\ndata: "
    "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
    "event: ping\ndata: {\"type\":\"ping\"}\n\n"
    "event: content_block_delta\ndata: "
    "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}\n\n"
    "event: message_delta\ndata: "
    "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":4}}\n\n"
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

/* A house of one provider that serves `script`. */
static struct mock *one(struct house *h, const struct mock_script *script, bool anthropic) {
  struct mock *m = mock_start(mock_serve, script);
  struct config_made made = house_config();
  house_provider(made.config, "p", anthropic ? made.anthropic : made.openai, m->port);
  house_route(made.config, "fast", "p/model-1", NULL);
  house_init(h, made.config, NULL);
  return m;
}

static void finish(struct house *h, struct mock *m) {
  house_done(h);
  mock_stop(m);
}

TEST(whole_answer_and_body_pass_byte_exact) {
  static const struct mock_script script = {
      .status = 200,
      .headers = "x-ratelimit-limit-requests: 50\r\nserver: nginx\r\n"
                 "set-cookie: a=b\r\nx-request-id: up-1\r\nopenai-organization: org-secret\r\n",
      .text = whole};
  struct house h;
  struct buf all = {0}, body = {0};
  struct mock *m = one(&h, &script, false);
  CHECK_INT(ask(&h, CHAT,
                "authorization: Bearer client-key\r\ncookie: c=d\r\nx-forwarded-for: 10.0.0.1\r\nte: trailers\r\n"
                "openai-beta: b1\r\nidempotency-key: i1\r\n",
                "{ \"messages\" : [ ], \"model\":\"fast\",\"unknown\": {\"a\":[1.0,1e2]},\"temperature\":0.70}", &all,
                &body),
            200);
  CHECK_SLICE(buf_view(&body), whole);
  CHECK(has(buf_view(&all), "\r\nx-ratelimit-limit-requests: 50\r\n"));
  CHECK(has(buf_view(&all), "\r\nx-moongate-target: p/model-1\r\nx-moongate-attempts: 1\r\n"));
  CHECK(has(buf_view(&all), "x-request-id: req_"));
  CHECK(!has(buf_view(&all), "up-1") && !has(buf_view(&all), "cookie") && !has(buf_view(&all), "org-secret"));
  CHECK(!has(buf_view(&all), "nginx"));
  struct slice sent = buf_view(mock_last(m));
  CHECK(slice_starts(sent, SLICE("POST /v1/chat/completions HTTP/1.1\r\n")));
  CHECK_SLICE(mock_body_of(mock_last(m)),
              "{ \"messages\" : [ ], \"model\":\"model-1\",\"unknown\": {\"a\":[1.0,1e2]},\"temperature\":0.70}");
  CHECK_INT(count_of(sent, "authorization:"), 1);
  CHECK(has(sent, "\r\nauthorization: Bearer " HOUSE_KEY "\r\n"));
  CHECK(has(sent, "\r\nopenai-beta: b1\r\n") && has(sent, "\r\nidempotency-key: i1\r\n"));
  CHECK(!has(sent, "client-key") && !has(sent, "cookie") && !has(sent, "10.0.0.1") && !has(sent, "trailers"));
  CHECK_INT(count_of(sent, "content-length:"), 1);
  struct slice trace = house_trace(&h);
  CHECK_INT(count_of(trace, "\n"), 1);
  CHECK(json_valid(trace, NULL));
  CHECK(has(trace, "\"outcome\":\"ok\"") && has(trace, "\"status\":200") && has(trace, "\"input_tokens\":10"));
  CHECK(has(trace, "\"provider_chosen\":\"p\"") && has(trace, "\"route\":\"fast\"") &&
        has(trace, "\"fallback_used\":false"));
  CHECK(has(trace, "\"provider_request_id\":\"up-1\"") && has(trace, "\"finish_reason\":\"stop\""));
  CHECK(!has(trace, HOUSE_KEY) && !has(trace, "client-key") && !has(trace, "hi "));
  buf_done(&all);
  buf_done(&body);
  finish(&h, m);
}

TEST(anthropic_headers_of_the_client_win_over_the_adapters) {
  static const struct mock_script script = {.status = 200,
                                            .text = "{\"type\":\"message\",\"content\":[{\"type\":\"text\",\"text\":"
                                                    "\"x\"}],\"stop_reason\":\"end_turn\",\"usage\":"
                                                    "{\"input_tokens\":3,\"output_tokens\":1}}"};
  struct house h;
  struct buf all = {0}, body = {0};
  struct mock *m = one(&h, &script, true);
  CHECK_INT(ask(&h, MESSAGES, "anthropic-version: 2024-01-01\r\nanthropic-beta: x,y\r\nx-api-key: c\r\n",
                "{\"model\":\"p/other\",\"max_tokens\":1,\"messages\":[]}", &all, &body),
            200);
  CHECK_SLICE(buf_view(&body), script.text);
  CHECK(has(buf_view(&all), "\r\nrequest-id: req_"));
  CHECK_INT(count_of(buf_view(mock_last(m)), "anthropic-version: "), 1);
  CHECK(has(buf_view(mock_last(m)), "anthropic-version: 2024-01-01\r\n") &&
        has(buf_view(mock_last(m)), "anthropic-beta: x,y\r\n"));
  CHECK(slice_starts(buf_view(mock_last(m)), SLICE("POST /v1/messages ")));
  CHECK_SLICE(mock_body_of(mock_last(m)), "{\"model\":\"other\",\"max_tokens\":1,\"messages\":[]}");
  CHECK_INT(ask(&h, MESSAGES, "", "{\"model\":\"fast\",\"max_tokens\":1,\"messages\":[]}", &all, &body), 200);
  CHECK(has(buf_view(mock_last(m)), "anthropic-version: 2023-06-01\r\n"));
  struct slice trace = house_trace(&h);
  CHECK_INT(count_of(trace, "\"route\":\"direct\""), 1);
  buf_done(&all);
  buf_done(&body);
  finish(&h, m);
}

TEST(stream_passes_byte_exact_and_the_usage_chunk_is_stripped) {
  static const struct mock_script script = {
      .text = ": hello\n\ndata: "
              "{\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n" DELTA(
                  "a") ": ping\n\n" DELTA("b") FINISH USAGE DONE};
  struct house h;
  struct buf all = {0}, body = {0};
  struct mock *m = one(&h, &script, false);
  CHECK_INT(ask(&h, CHAT, "", "{\"model\":\"fast\",\"stream\":true,\"messages\":[]}", &all, &body), 200);
  CHECK_SLICE(
      buf_view(&body),
      ": hello\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n" DELTA(
          "a") ": ping\n\n" DELTA("b") FINISH DONE);
  CHECK(has(buf_view(&all), "\r\ncache-control: no-cache, no-transform\r\nx-accel-buffering: no\r\n"));
  CHECK_SLICE(mock_body_of(mock_last(m)),
              "{\"model\":\"model-1\",\"stream_options\":{\"include_usage\":true},\"stream\":true,\"messages\":[]}");
  CHECK_INT(ask(&h, CHAT, "",
                "{\"model\":\"fast\",\"stream\":true,\"stream_options\":{\"include_usage\":true},\"messages\":[]}",
                &all, &body),
            200);
  CHECK_SLICE(buf_view(&body), script.text);
  CHECK_SLICE(mock_body_of(mock_last(m)),
              "{\"model\":\"model-1\",\"stream\":true,\"stream_options\":{\"include_usage\":true},\"messages\":[]}");
  struct slice trace = house_trace(&h);
  CHECK_INT(count_of(trace, "\n"), 2);
  CHECK_INT(count_of(trace, "\"output_tokens\":2,\"latency_ms\""), 2);
  CHECK_INT(count_of(trace, "\"usage_source\":\"provider\""), 4); /* of each, and of its attempt */
  buf_done(&all);
  buf_done(&body);
  finish(&h, m);
}

TEST(anthropic_stream_passes_byte_exact) {
  static const struct mock_script script = {.text = anthropic_stream};
  struct house h;
  struct buf body = {0};
  struct mock *m = one(&h, &script, true);
  CHECK_INT(ask(&h, MESSAGES, "", "{\"model\":\"fast\",\"stream\":true,\"messages\":[]}", NULL, &body), 200);
  CHECK_SLICE(buf_view(&body), anthropic_stream);
  struct slice trace = house_trace(&h);
  CHECK(has(trace, "\"input_tokens\":11,\"output_tokens\":4,"));
  buf_done(&body);
  finish(&h, m);
}

static void serve_bytewise(struct mock_peer *p) {
  const struct mock_script *s = p->mock->script;
  while (mock_request(p)) {
    mock_say(p, MOCK_STREAM_HEAD);
    for (const char *at = s->text; *at; at++) {
      char piece[16];
      snprintf(piece, sizeof piece, "1\r\n%c\r\n", *at);
      if (!mock_say(p, piece)) return;
    }
    mock_stream_end(p);
  }
}

TEST(stream_cut_at_every_byte_is_the_same) {
  static const struct mock_script script = {.text = DELTA("a") DELTA("b\\n") FINISH USAGE "data: [DONE]\r\n\r\n"};
  struct house h;
  struct buf body = {0};
  struct mock *m = one(&h, &script, false);
  m->serve = serve_bytewise;
  CHECK_INT(ask(&h, CHAT, "", "{\"model\":\"fast\",\"stream\":true,\"messages\":[]}", NULL, &body), 200);
  CHECK_SLICE(buf_view(&body), DELTA("a") DELTA("b\\n") FINISH "data: [DONE]\r\n\r\n");
  buf_done(&body);
  finish(&h, m);
}

static void serve_pieces(struct mock_peer *p) {
  while (mock_request(p)) {
    mock_say(p, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n");
    for (size_t at = 0; at < sizeof whole - 1; at += 50) {
      char piece[51] = {0};
      memcpy(piece, whole + at, sizeof whole - 1 - at < 50 ? sizeof whole - 1 - at : 50);
      mock_chunk(p, piece);
    }
    mock_stream_end(p);
  }
}

TEST(whole_answer_in_chunks_is_gathered) {
  struct house h;
  struct buf body = {0};
  struct mock *m = one(&h, NULL, false);
  m->serve = serve_pieces;
  CHECK_INT(ask(&h, CHAT, "", "{\"model\":\"fast\",\"messages\":[]}", NULL, &body), 200);
  CHECK_SLICE(buf_view(&body), whole);
  buf_done(&body);
  finish(&h, m);
}

TEST(stream_without_done_marker_is_whole_after_its_finish_reason) {
  static const struct mock_script script = {.text = DELTA("a") FINISH};
  struct house h;
  struct buf body = {0};
  struct mock *m = one(&h, &script, false);
  CHECK_INT(ask(&h, CHAT, "", "{\"model\":\"fast\",\"stream\":true,\"messages\":[]}", NULL, &body), 200);
  CHECK_SLICE(buf_view(&body), DELTA("a") FINISH);
  CHECK(has(house_trace(&h), "\"outcome\":\"ok\""));
  buf_done(&body);
  finish(&h, m);
}

static void serve_and_ping(struct mock_peer *p) {
  const struct mock_script *s = p->mock->script;
  mock_request(p);
  mock_say(p, MOCK_STREAM_HEAD);
  mock_chunk(p, s->text);
  while (mock_chunk(p, ": still here\n\n")) usleep(50000);
}

TIMED(stream_ends_soon_after_its_terminal_event_whatever_the_transport_does) {
  static const struct mock_script script = {.text = DELTA("a") FINISH DONE, .hang = true};
  for (unsigned pings = 0; pings < 2; pings++) {
    struct house h;
    struct buf body = {0};
    struct mock *m = one(&h, &script, false);
    if (pings) m->serve = serve_and_ping;
    uint64_t before_ns = clock_ns();
    CHECK_INT(ask(&h, CHAT, "", "{\"model\":\"fast\",\"stream\":true,\"messages\":[]}", NULL, &body), 200);
    CHECK((clock_ns() - before_ns) / 1000000 < 8000); /* not by a clock of the provider's: 10 s */
    CHECK(slice_starts(buf_view(&body), SLICE(DELTA("a") FINISH DONE)));
    CHECK(has(house_trace(&h), "\"outcome\":\"ok\""));
    buf_done(&body);
    finish(&h, m);
  }
}

TEST(connections_to_the_provider_are_reused) {
  static const struct mock_script script = {.status = 200, .text = whole};
  struct house h;
  struct buf body = {0};
  struct mock *m = one(&h, &script, false);
  for (unsigned i = 0; i < 5; i++)
    CHECK_INT(ask(&h, CHAT, "", "{\"model\":\"model-1\",\"messages\":[]}", NULL, &body), 200);
  CHECK_INT(atomic_load(&m->connections), 1);
  CHECK_INT(atomic_load(&m->requests), 5);
  CHECK_INT(atomic_load(&target_state_of(SLICE("p/model-1"))->in_flight), 0);
  CHECK_INT(count_of(house_trace(&h), "\"reused\":true"), 4);
  buf_done(&body);
  finish(&h, m);
}

TEST(answer_without_usage_is_estimated) {
  static const struct mock_script script = {
      .status = 200, .text = "{\"choices\":[{\"message\":{\"content\":\"0123456789012345678901234567\"}}]}"};
  struct house h;
  struct buf body = {0};
  struct mock *m = one(&h, &script, false);
  CHECK_INT(ask(&h, CHAT, "", "{\"model\":\"fast\",\"messages\":[{\"role\":\"user\",\"content\":\"abcdefgh\"}]}", NULL,
                &body),
            200);
  struct slice trace = house_trace(&h);
  CHECK(has(trace, "\"usage_source\":\"estimated\""));
  CHECK(has(trace, "\"input_tokens\":14,\"output_tokens\":8,"));
  buf_done(&body);
  finish(&h, m);
}

UNIT_MAIN()
