/* The gate, clients that leave a route with `disconnect = { drain = … }`: what has been sent is read on to its end or
 * to the end of the time, the rest ends at once; one record, and nothing is kept. */
#include "full_port.h"
#include "house.h"

#define CHAT "/v1/chat/completions"
#define ASK "{\"model\":\"r\",\"messages\":[]}"
#define ASK_STREAM "{\"model\":\"r\",\"stream\":true,\"messages\":[]}"
#define CHUNK(more) "data: {\"choices\":[{\"index\":0,\"delta\":{" more "},\"finish_reason\":null}]}\n\n"
#define USAGE "\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":9,\"total_tokens\":14}"
#define END                                                                                                            \
  "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"                                    \
  "data: {\"choices\":[]," USAGE "}\n\ndata: [DONE]\n\n"
#define WHOLE "{\"choices\":[{\"index\":0,\"message\":{\"content\":\"ok\"},\"finish_reason\":\"stop\"}]," USAGE "}"

struct stage {
  struct house h;
  struct client c;
  struct mock *m;
};

static void open_stage(struct stage *s, void (*serve)(struct mock_peer *), const void *script, uint32_t drain_ms) {
  struct config_made made = house_config();
  s->m = mock_start(serve, script);
  house_provider(made.config, "p", made.openai, s->m->port);
  house_route(made.config, "r", "p/m", NULL)->disconnect_drain_ms = drain_ms;
  house_init(&s->h, made.config, NULL);
  client_open(&s->c, &s->h);
}

/* Until the provider has the request, and nobody is at the other end any more. */
static void leave(struct stage *s) {
  for (unsigned i = 0; atomic_load(&s->m->requests) == 0 && i < 30000; i++) house_pass_ms(&s->h, 1);
  client_close(&s->c);
  for (unsigned i = 0; listener_connections(s->h.listener) > 0 && i < 30000; i++) house_pass_ms(&s->h, 1);
}

/* The same, and the request goes on. */
static void leave_it_running(struct stage *s) {
  leave(s);
  CHECK_INT(s->h.gate->request_count, 1);
}

static struct slice record_of(struct stage *s, const char *class, const char *end) {
  struct slice trace = house_trace(&s->h);
  struct buf metrics = {0};
  CHECK_INT(count_of(trace, "\n"), 1);
  CHECK(has(trace, "\"outcome\":\"client_gone\",\"status\":499,"));
  CHECK(has(trace, class));
  CHECK_INT(atomic_load(&target_state_of(SLICE("p/m"))->in_flight), 0);
  meter_write(&metrics);
  CHECK(has(buf_view(&metrics), end));
  buf_done(&metrics);
  return trace;
}

static void close_stage(struct stage *s) {
  house_done(&s->h);
  mock_stop(s->m);
}

/* ---- providers that go on when the test says so */

static atomic_bool go;

static void wait_for_go(void) {
  while (!atomic_load(&go)) usleep(500);
}

static void serve_stream(struct mock_peer *p) {
  const char *before = p->mock->script;
  mock_request(p);
  mock_say(p, MOCK_STREAM_HEAD);
  if (*before) mock_chunk(p, before);
  wait_for_go();
  mock_chunk(p, CHUNK("\"content\":\"a\""));
  mock_chunk(p, END);
  mock_stream_end(p);
  mock_saw_close(p);
}

static void serve_whole(struct mock_peer *p) {
  mock_request(p);
  wait_for_go();
  mock_answer(p, 200, "", WHOLE);
  mock_saw_close(p);
}

static void serve_broken(struct mock_peer *p) {
  mock_request(p);
  mock_say(p, MOCK_STREAM_HEAD);
  mock_chunk(p, CHUNK("\"content\":\"a\""));
  wait_for_go();
  mock_reset(p);
}

static void drains(void (*serve)(struct mock_peer *), const char *before, const char *ask_body, const char *seen) {
  struct stage s;
  atomic_store(&go, false);
  open_stage(&s, serve, before, 20000);
  client_post(&s.c, CHAT, ask_body);
  if (seen != NULL) CHECK(client_wait(&s.c, seen));
  leave_it_running(&s);
  atomic_store(&go, true);
  struct slice trace = record_of(&s, "\"class\":\"none\"", "moongate_disconnects_total{end=\"drained\"}");
  CHECK(has(trace, "\"input_tokens\":5,\"output_tokens\":9,") && has(trace, "\"usage_source\":\"provider\""));
  CHECK(!has(trace, "\"drained_ms\":null"));
  close_stage(&s);
}

TEST(a_stream_is_read_on_from_wherever_it_was) {
  drains(serve_stream, CHUNK("\"content\":\"a\""), ASK_STREAM, "\"content\"");
  drains(serve_stream, CHUNK("\"role\":\"assistant\""), ASK_STREAM, NULL);
  drains(serve_stream, "", ASK_STREAM, NULL);
}

TEST(a_whole_answer_is_waited_for) {
  drains(serve_whole, NULL, ASK, NULL);
}

TEST(a_provider_that_breaks_off_meanwhile_is_not_blamed) {
  struct stage s;
  atomic_store(&go, false);
  open_stage(&s, serve_broken, NULL, 20000);
  client_post(&s.c, CHAT, ASK_STREAM);
  CHECK(client_wait(&s.c, "\"content\""));
  uint32_t failures = atomic_load(&target_state_of(SLICE("p/m"))->failures_in_row);
  leave_it_running(&s);
  atomic_store(&go, true);
  struct slice trace = record_of(&s, "\"class\":\"client_gone\"", "moongate_disconnects_total{end=\"drained\"}");
  CHECK(has(trace, "\"usage_source\":\"estimated\""));
  CHECK_INT(atomic_load(&target_state_of(SLICE("p/m"))->failures_in_row), failures);
  close_stage(&s);
}

TEST(after_its_time_it_is_cancelled) {
  static const struct mock_script script = {.text = CHUNK("\"content\":\"a\""), .hang = true};
  struct stage s;
  open_stage(&s, mock_serve, &script, 30);
  client_post(&s.c, CHAT, ASK_STREAM);
  CHECK(client_wait(&s.c, "\"content\""));
  leave(&s);
  record_of(&s, "\"class\":\"client_gone\"", "moongate_disconnects_total{end=\"cut\"}");
  close_stage(&s);
}

TEST(what_was_not_sent_ends_at_once) {
  struct full_port full = full_port_open();
  struct config_made made = house_config();
  struct stage s;
  house_provider(made.config, "p", made.openai, full.port);
  house_route(made.config, "r", "p/m", NULL)->disconnect_drain_ms = 60000;
  house_init(&s.h, made.config, NULL);
  client_open(&s.c, &s.h);
  client_post(&s.c, CHAT, ASK);
  for (unsigned i = 0; s.h.gate->request_count == 0 && i < 30000; i++) house_pass_ms(&s.h, 1);
  client_close(&s.c);
  struct slice trace = record_of(&s, "\"class\":\"client_gone\"", "moongate_disconnects_total{end=\"cancelled\"}");
  CHECK(has(trace, "\"drained_ms\":null"));
  CHECK(has(trace, "\"usage_source\":\"none\",\"cost_pico_usd\":0"));
  house_done(&s.h);
  full_port_close(&full);
}

TEST(the_end_of_the_gateway_ends_it) {
  static const struct mock_script script = {.text = CHUNK("\"content\":\"a\""), .hang = true};
  struct stage s;
  struct fault f;
  open_stage(&s, mock_serve, &script, 20000);
  client_post(&s.c, CHAT, ASK_STREAM);
  CHECK(client_wait(&s.c, "\"content\""));
  leave_it_running(&s);
  fault_set(&f, FAULT_DRAINING, "The end.");
  request_shut(list_item(s.h.gate->requests.next, struct request, link), &f);
  record_of(&s, "\"class\":\"client_gone\"", "moongate_disconnects_total{end=\"cut\"}");
  close_stage(&s);
  open_stage(&s, mock_serve, &script, 20000);
  client_post(&s.c, CHAT, ASK_STREAM);
  CHECK(client_wait(&s.c, "\"content\""));
  leave_it_running(&s);
  close_stage(&s); /* house_done lets go of it */
}

UNIT_MAIN()
