/* estimate: what an attempt is booked with that told no usage, by how it ended. The sums against a provider's bill are
 * in tests/flow/usage_flow.lua. */
#include "house.h"

#define CHAT "/v1/chat/completions"
#define ASK(stream)                                                                                                    \
  "{\"model\":\"r\",\"stream\":" stream ",\"messages\":[{\"role\":\"user\",\"content\":\"abcdefgh\"}]}"
#define PROMPT "\"input_tokens\":14,\"output_tokens\":0,\"usage_source\":\"estimated\""
#define NOTHING "\"input_tokens\":0,\"output_tokens\":0,\"usage_source\":\"none\",\"cost_pico_usd\":0"

static const struct mock_script good = {
    .status = 200,
    .text = "{\"choices\":[{\"index\":0,\"message\":{\"content\":\"ok\"},\"finish_reason\":\"stop\"}],\"usage\":"
            "{\"prompt_tokens\":1,\"completion_tokens\":1,\"total_tokens\":2}}"};

/* The first of a request's two attempts is served so; its figures in the trace must be `booked`. */
static void is_booked(void (*serve)(struct mock_peer *), const void *script, const char *body, const char *class,
                      const char *booked) {
  struct config_made made = house_config();
  struct house h;
  struct buf answer = {0};
  struct mock *a = mock_start(serve, script), *b = mock_start(mock_serve, &good);
  house_provider(made.config, "a", made.openai, a->port)->timeouts =
      serve == mock_silence ? TIMEOUTS(300, 300, 1500) : TIMEOUTS(20000, 20000, 60000);
  house_provider(made.config, "b", made.openai, b->port);
  house_route(made.config, "r", "a/m", "b/m", NULL);
  house_init(&h, made.config, NULL);
  ask(&h, CHAT, "", body, NULL, &answer);
  struct slice trace = house_trace(&h);
  ptrdiff_t first = slice_find(trace, SLICE("\"attempts\":[{")), second = slice_find(trace, SLICE("\"n\":2"));
  CHECK(first > 0 && second > first);
  struct slice entry = slice_of(trace.ptr + first, (size_t)(second - first));
  CHECK(has(entry, class));
  CHECK(has(entry, booked));
  if (!has(entry, class) || !has(entry, booked)) fprintf(stderr, "%.*s\n", (int)entry.len, entry.ptr);
  buf_done(&answer);
  house_done(&h);
  mock_stop(a);
  mock_stop(b);
}

static void says_no_http(struct mock_peer *p) {
  mock_request(p);
  mock_say(p, "HTTP/1.1 two hundred\r\n\r\n");
  mock_saw_close(p);
}

static void begins_a_whole_answer(struct mock_peer *p) {
  mock_request(p);
  mock_say(p, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 4220\r\n\r\n{\"id\"");
  mock_reset(p);
}

static void begins_a_stream(struct mock_peer *p) {
  mock_request(p);
  mock_say(p, MOCK_STREAM_HEAD);
  mock_chunk(p, "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"},\"finish_reason\":null}]}\n\n");
  mock_reset(p);
}

static void shows_a_page(struct mock_peer *p) {
  mock_request(p);
  mock_say(p, "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>");
  mock_saw_close(p);
}

TEST(what_was_sent_whole_and_not_answered_costs_its_prompt) {
  is_booked(mock_slam, NULL, ASK("false"), "\"class\":\"reset\"", PROMPT);
  is_booked(says_no_http, NULL, ASK("false"), "\"class\":\"bad_answer\"", PROMPT);
  is_booked(mock_silence, NULL, ASK("true"), "\"class\":\"first_token_timeout\"", PROMPT);
}

TEST(what_broke_off_costs_its_prompt_and_what_there_was) {
  is_booked(begins_a_stream, NULL, ASK("true"), "\"class\":\"reset\"", PROMPT);
  is_booked(begins_a_whole_answer, NULL, ASK("false"), "\"class\":\"reset\"",
            "\"input_tokens\":14,\"output_tokens\":1000,\"usage_source\":\"estimated\"");
}

TEST(what_was_refused_costs_nothing) {
  static const struct mock_script busy = {.status = 503, .text = "{\"error\":{\"message\":\"busy\"}}"};
  is_booked(mock_serve, &busy, ASK("false"), "\"class\":\"overloaded\"", NOTHING);
  is_booked(mock_serve, &busy, ASK("true"), "\"class\":\"overloaded\"", NOTHING);
  is_booked(shows_a_page, NULL, ASK("false"), "\"class\":\"bad_answer\"", NOTHING);
}

TEST(each_attempt_is_called_by_an_id_of_its_own) {
  struct config_made made = house_config();
  struct house h;
  struct buf all = {0}, answer = {0};
  struct mock *m = mock_start(mock_serve, &good);
  house_provider(made.config, "a", made.openai, m->port);
  house_route(made.config, "r", "a/m", NULL);
  house_init(&h, made.config, NULL);
  CHECK_INT(ask(&h, CHAT, "", ASK("false"), &all, &answer), 200);
  ptrdiff_t id = slice_find(buf_view(&all), SLICE("x-request-id: "));
  CHECK(id > 0);
  char line[80];
  snprintf(line, sizeof line, "x-client-request-id: %.28s-1\r\n", all.ptr + id + strlen("x-request-id: "));
  CHECK(has(buf_view(mock_last(m)), line));
  buf_done(&all);
  buf_done(&answer);
  house_done(&h);
  mock_stop(m);
}

UNIT_MAIN()
