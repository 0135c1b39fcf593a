/* hooks: policies and translation in the running gate: what a client and a provider see of what scripts decide. */
#include "stage.h"

#define POLICY(body)                                                                                                   \
  "local P = { api = 1 }\nfunction P.setup() return { first = gw.pool 'first', second = gw.pool 'second' "             \
  "} end\n" body "\nreturn P\n"
#define MESSAGES_ANSWER                                                                                                \
  "{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"two\",\"content\":[{\"type\":\"text\","   \
  "\"text\":\"bonjour\"}],\"stop_reason\":\"end_turn\",\"stop_sequence\":null,\"usage\":{\"input_tokens\":3,"          \
  "\"output_tokens\":2}}"

/* Serves each dialect its answer, or what the script says for everybody. */
static void serve_both(struct mock_peer *p) {
  while (mock_request(p)) {
    bool messages = slice_starts(buf_view(&p->in), SLICE("POST /v1/messages"));
    if (!mock_answer(p, 200, "", messages ? MESSAGES_ANSWER : STAGE_ANSWER)) return;
  }
}

static void serve_chat_fails(struct mock_peer *p) {
  while (mock_request(p)) {
    bool messages = slice_starts(buf_view(&p->in), SLICE("POST /v1/messages"));
    if (!mock_answer(p, messages ? 200 : 529, messages ? "" : "retry-after: 2\r\n",
                     messages ? MESSAGES_ANSWER : "{\"error\":{\"message\":\"busy\"}}"))
      return;
  }
}

static uint64_t counter(const _Atomic uint64_t *at) {
  return atomic_load(at);
}

/* The policy's request ends with this status and this in its body. */
static bool ends(void (*serve)(struct mock_peer *p), const char *policy, unsigned status, const char *part) {
  struct stage s;
  stage_init(&s);
  struct mock *m = mock_start(serve, NULL);
  stage_open(&s, policy, m->port);
  unsigned got = stage_ask(&s, "");
  bool fine = stage_answered(&s, part);
  if (got != status) fprintf(stderr, "%s\n  status %u, not %u\n", policy, got, status);
  stage_close(&s);
  mock_stop(m);
  stage_done(&s);
  return fine && got == status;
}

TEST(route_orders_the_targets) {
  CHECK(ends(serve_both, POLICY("function P:route() return self.first end"), 200, "hello"));
  CHECK(ends(serve_both, POLICY("function P:route() return self.second, self.first end"), 200, "bonjour"));
  CHECK(ends(serve_both, POLICY("function P:route() return { { self.second[1] }, self.first } end"), 200, "bonjour"));
  CHECK(ends(serve_both, POLICY("function P:route() return nil, self.second end"), 200, "bonjour"));
  CHECK(ends(serve_both, POLICY("function P:route() end"), 200, "hello"));
  CHECK(ends(serve_both, POLICY("function P:route() return {} end"), 503, "no_target"));
  CHECK(ends(serve_both, POLICY("function P:route() return gw.refuse(451, 'not here', 'forbidden_place') end"), 451,
             "forbidden_place"));
}

TEST(weights_hold_in_the_gate) {
  struct stage s;
  stage_init(&s);
  struct mock *m = mock_start(serve_both, NULL);
  struct config *c = stage_config(&s, "weighted", m->port);
  c->targets[0]->weight_milli = 3000;
  stage_open_with(&s, c);
  char got[9] = "";
  for (int i = 0; i < 8; i++) {
    CHECK_INT(stage_ask(&s, ""), 200);
    got[i] = has(buf_view(&s.answer), "hello") ? 'a' : 'b';
  }
  CHECK_SLICE(slice_text(got), "aabaaaba");
  stage_close(&s);
  mock_stop(m);
  stage_done(&s);
}

TEST(counters_of_scripts_are_metrics) {
  CHECK(
      ends(serve_both, POLICY("function P:route() gw.count('spec_seen', 41) gw.count 'spec_seen' end"), 200, "hello"));
  struct buf metrics = {0};
  meter_write(&metrics);
  CHECK(has(buf_view(&metrics), "spec_seen"));
  CHECK(has(buf_view(&metrics), " 42\n"));
  buf_done(&metrics);
}

/* A policy that fails is logged and counted, and the order of the config holds. */
static bool fails(const char *policy, bool killed) {
  struct stage s;
  stage_init(&s);
  struct mock *m = mock_start(serve_both, NULL);
  stage_open(&s, policy, m->port);
  struct meter *meter = s.house.gate->meter;
  uint64_t failures = counter(&meter->script_failures), kills = counter(&meter->script_kills);
  bool fine = stage_ask(&s, "") == 200 && stage_answered(&s, "hello") && stage_ask(&s, "") == 200;
  fine = fine && counter(&meter->script_failures) - failures == (killed ? 0 : 2);
  fine = fine && counter(&meter->script_kills) - kills == (killed ? 2 : 0);
  stage_script(&s); /* the VM goes on */
  s.house.gate->tenure->generation->config->routes[0]->refuse_on_script_error = true;
  fine = fine && stage_ask(&s, "") == 500 && stage_answered(&s, "script_failed") && !has(buf_view(&s.answer), "x.lua");
  stage_close(&s);
  mock_stop(m);
  stage_done(&s);
  return fine;
}

TEST(a_policy_that_fails_does_not_fail_the_request) {
  CHECK(fails(POLICY("function P:route() error('boom') end"), false));
  CHECK(fails(POLICY("function P:route() return 'a/one' end"), false));
  CHECK(fails(POLICY("function P:route() return { self.first, true } end"), false));
  CHECK(fails(POLICY("function P:route() local t = {} t[1] = t return t end"), false));
  CHECK(fails(POLICY("function P:route() return gw.refuse(400, 'a'), self.first end"), false));
  CHECK(fails(POLICY("function P:route() return gw.targets() end"), false));
  CHECK(fails(POLICY("function P:route() " STAGE_LOOP " end"), true));
  CHECK(fails(POLICY("function P:route() local s = 'x' while true do s = s .. s end end"), true));
}

TEST(retry_decides_after_a_failure) {
  CHECK(ends(serve_chat_fails,
             POLICY("function P:route() return self.first end\nfunction P:retry() return self.second end"), 200,
             "bonjour"));
  CHECK(ends(serve_chat_fails,
             POLICY("function P:route() return self.first, self.second end\nfunction P:retry() return {} end"), 529,
             "busy"));
  CHECK(ends(serve_chat_fails, POLICY("function P:route() return self.first, self.second end\nfunction P:retry() end"),
             200, "bonjour"));
  CHECK(ends(serve_chat_fails, POLICY("function P:route() return self.first end\nfunction P:retry() error('x') end"),
             529, "busy"));
  CHECK(ends(serve_chat_fails,
             POLICY("function P:route() return self.first end\nfunction P:retry(req, a) return gw.refuse(418, "
                    "table.concat({ a.target.name, "
                    "a.number, a.status, a.class, a.retry_after_ms, math.type(a.elapsed_ms), req.attempt_count, "
                    "tostring(a.message:find 'busy' ~= nil) }, '|')) end"),
             418, "a/one|1|529|overloaded|2000|float|1|true"));
}

/* ---- translation */

TEST(a_body_that_cannot_be_read_is_the_clients_fault) {
  struct stage s;
  stage_init(&s);
  struct mock *m = mock_start(serve_both, NULL);
  stage_open_with(&s, stage_config(&s, "builtin", m->port));
  CHECK_INT(ask(&s.house, "/v1/chat/completions", "",
                "{\"model\":\"b/two\",\"messages\":[{\"role\":\"user\",\"content\":5}]}", NULL, &s.answer),
            400);
  CHECK(stage_answered(&s, "\"param\":\"messages[0].content\""));
  CHECK(stage_answered(&s, "field_invalid"));
  CHECK_INT(atomic_load(&m->requests), 0);
  stage_close(&s);
  mock_stop(m);
  stage_done(&s);
}

TEST(losses_name_what_was_not_carried) {
  struct stage s;
  stage_init(&s);
  struct buf whole = {0};
  struct mock *m = mock_start(serve_both, NULL);
  stage_open_with(&s, stage_config(&s, "builtin", m->port));
  CHECK_INT(ask(&s.house, "/v1/chat/completions", "",
                "{\"model\":\"b/two\",\"seed\":3,\"odd\\r\\nx: "
                "y\":1,\"max_tokens\":5,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}",
                &whole, &s.answer),
            200);
  CHECK(has(buf_view(&whole), "x-moongate-lossy: "));
  CHECK(has(buf_view(&whole), "seed"));
  CHECK(!has(buf_view(&whole), "\nx: y"));
  CHECK(stage_answered(&s, "bonjour"));
  CHECK(stage_answered(&s, "\"model\":\"b/two\""));
  pthread_mutex_lock(&m->lock);
  CHECK(has(buf_view(&m->last), "\"model\":\"two\""));
  pthread_mutex_unlock(&m->lock);
  buf_done(&whole);
  stage_close(&s);
  mock_stop(m);
  stage_done(&s);
}

static const struct mock_script stream_script = {
    .text =
        "event: message_start\ndata: "
        "{\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\","
        "\"model\":\"two\",\"content\":[],\"stop_reason\":null,\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\n"
        ": a comment\n\n"
        "event: content_block_start\ndata: "
        "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
        "event: content_block_delta\ndata: "
        "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"salut\"}}\n\n"
        "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
        "event: message_delta\ndata: "
        "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":2}}\n\n"
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
};

#define STREAM_ASK "{\"model\":\"b/two\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"

TEST(a_stream_is_translated) {
  struct stage s;
  stage_init(&s);
  struct mock *m = mock_start(mock_serve, &stream_script);
  stage_open_with(&s, stage_config(&s, "builtin", m->port));
  for (int i = 0; i < 3; i++) {
    CHECK_INT(ask(&s.house, "/v1/chat/completions", "", STREAM_ASK, NULL, &s.answer), 200);
    CHECK(stage_answered(&s, "\"content\":\"salut\""));
    CHECK(stage_answered(&s, "\"finish_reason\":\"stop\""));
    CHECK(slice_ends(buf_view(&s.answer), SLICE("data: [DONE]\n\n")));
  }
  stage_close(&s);
  mock_stop(m);
  stage_done(&s);
}

#define MESSAGES_DELTA(text)                                                                                           \
  "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":"               \
  "\"text_delta\",\"text\":\"" text "\"}}\n\n"

static const struct mock_script pieces_script = {
    .text = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"two\","
            "\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\n" MESSAGES_DELTA("1") MESSAGES_DELTA("2")
                MESSAGES_DELTA("\\u00e9\\/\\n") "event: ping\ndata: {\"type\":\"ping\"}\n\n" MESSAGES_DELTA("4")
                    MESSAGES_DELTA("5") MESSAGES_DELTA(
                        "6") "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"
                             "\"end_turn\"},\"usage\":{\"output_tokens\":2}}\n\n"
                             "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
};

/* The first of several pieces goes through Lua, and the first after anything else; at the end Lua knows them all. */
TEST(pieces_go_on_without_lua) {
  static const char *const chat[] = {"1", "2", "\xc3\xa9/\\n", "4", "5", "6"};
  struct stage s;
  stage_init(&s);
  struct mock *m = mock_start(mock_serve, &pieces_script);
  stage_open_with(&s, stage_config(&s, "builtin", m->port));
  CHECK_INT(ask(&s.house, "/v1/chat/completions", "", STREAM_ASK, NULL, &s.answer), 200);
  struct slice left = buf_view(&s.answer);
  for (size_t i = 0; i < sizeof chat / sizeof *chat; i++) {
    char piece[100];
    snprintf(piece, sizeof piece, "\"delta\":{\"content\":\"%s\"},\"finish_reason\":null}]}\n\n", chat[i]);
    ptrdiff_t at = slice_find(left, slice_text(piece));
    CHECK(at > 0);
    left = slice_from(left, (size_t)at + 1);
  }
  CHECK_INT(
      ask(&s.house, "/v1/responses", "", "{\"model\":\"b/two\",\"stream\":true,\"input\":\"hi\"}", NULL, &s.answer),
      200);
  CHECK(stage_answered(&s, "\"delta\":\"6\",\"logprobs\":[],\"sequence_number\":9}"));
  CHECK(stage_answered(&s, "\"text\":\"12\xc3\xa9/\\n456\",\"logprobs\":[],\"sequence_number\":10}"));
  stage_close(&s);
  mock_stop(m);
  stage_done(&s);
}

static const struct mock_script error_script = {
    .status = 404, .text = "{\"type\":\"error\",\"error\":{\"type\":\"not_found_error\",\"message\":\"model: two\"}}"};

TEST(an_error_is_translated) {
  struct stage s;
  stage_init(&s);
  struct mock *m = mock_start(mock_serve, &error_script);
  stage_open_with(&s, stage_config(&s, "builtin", m->port));
  CHECK_INT(ask(&s.house, "/v1/chat/completions", "",
                "{\"model\":\"b/two\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}", NULL, &s.answer),
            404);
  CHECK(stage_answered(&s, "\"message\":\"model: two\""));
  CHECK(!has(buf_view(&s.answer), "\"type\":\"error\""));
  stage_close(&s);
  mock_stop(m);
  stage_done(&s);
}

/* ---- adapters with hooks */

/* Opens the gate with provider a's adapter replaced by this file. */
static void open_adapter(struct stage *s, const char *text, uint16_t port) {
  char path[200];
  snprintf(path, sizeof path, "%s/mine.lua", s->root);
  stage_write(s, "mine.lua", text);
  struct config *c = stage_config(s, "builtin", port);
  struct adapter *a = c->adapters[0];
  mem_free(a->name);
  a->name = text_of(path);
  a->rewrites_request = has(slice_text(text), "request =");
  a->rewrites_response = has(slice_text(text), "response =");
  a->rewrites_event = has(slice_text(text), "event =");
  stage_open_with(s, c);
}

TEST(adapter_hooks_change_bodies) {
  struct stage s;
  stage_init(&s);
  struct mock *m = mock_start(serve_both, NULL);
  open_adapter(&s,
               "return { api = 1, dialect = 'openai.chat', setup = function() return { mark = 'm1' } end,\n"
               "request = function(self, req, body) body.user = self.mark .. req.model return body end,\n"
               "response = function(self, req, body) body.id = self.mark .. req.dialect end }\n",
               m->port);
  CHECK_INT(stage_ask(&s, ""), 200);
  CHECK(stage_answered(&s, "\"id\":\"m1openai.chat\""));
  pthread_mutex_lock(&m->lock);
  CHECK(has(buf_view(&m->last), "\"user\":\"m1r\""));
  CHECK(has(buf_view(&m->last), "\"model\":\"one\""));
  pthread_mutex_unlock(&m->lock);
  stage_close(&s);
  mock_stop(m);
  stage_done(&s);
}

TEST(only_an_event_hook) {
  static const struct mock_script script = {
      .text = "data: "
              "{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":"
              "\"hi\"},\"finish_reason\":null}]}\n\n"
              "data: "
              "{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_"
              "reason\":\"stop\"}]}\n\n"
              "data: [DONE]\n\n"};
  struct stage s;
  stage_init(&s);
  struct mock *m = mock_start(mock_serve, &script);
  open_adapter(&s, "return { api = 1, dialect = 'openai.chat', event = function(self, req, e) e.id = req.route end }\n",
               m->port);
  CHECK_INT(ask(&s.house, "/v1/chat/completions", "",
                "{\"model\":\"r\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}", NULL,
                &s.answer),
            200);
  CHECK(stage_answered(&s, "\"id\":\"r\""));
  CHECK(!has(buf_view(&s.answer), "\"id\":\"c\""));
  CHECK(slice_ends(buf_view(&s.answer), SLICE("data: [DONE]\n\n")));
  stage_close(&s);
  mock_stop(m);
  stage_done(&s);
}

TEST(body_is_gone_once_a_stream_has_begun_but_its_counts_are_not) {
  static const struct mock_script script = {
      .text = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]}\n\n"
              "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
              "data: [DONE]\n\n"};
  struct stage s;
  stage_init(&s);
  struct mock *m = mock_start(mock_serve, &script);
  open_adapter(&s,
               "return { api = 1, dialect = 'openai.chat', event = function(_, req, e)\n"
               "local there, body = pcall(function() return req:body() end)\n"
               "e.id = there and 'first ' .. body.messages[1].content or body .. req.message_count end }\n",
               m->port);
  CHECK_INT(ask(&s.house, "/v1/chat/completions", "",
                "{\"model\":\"r\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}", NULL,
                &s.answer),
            200);
  CHECK(stage_answered(&s, "\"id\":\"first hi\""));
  CHECK(stage_answered(&s, "its answer has begun"));
  CHECK(stage_answered(&s, "keep what you need1\""));
  CHECK(slice_ends(buf_view(&s.answer), SLICE("data: [DONE]\n\n")));
  stage_close(&s);
  mock_stop(m);
  stage_done(&s);
}

TEST(an_adapter_may_blame_the_client_or_fail) {
  struct stage s;
  stage_init(&s);
  struct mock *m = mock_start(serve_both, NULL);
  open_adapter(&s,
               "return { api = 1, dialect = 'openai.chat', request = function(_, req)\n"
               "if req:header 'x-how' == 'blame' then error { field = 'model', message = 'is too good' } end\nerror "
               "'broken' end }\n",
               m->port);
  CHECK_INT(stage_ask(&s, "x-how: blame\r\n"), 400);
  CHECK(stage_answered(&s, "model is too good."));
  CHECK_INT(stage_ask(&s, ""), 200); /* the route's second target */
  CHECK(stage_answered(&s, "bonjour"));
  stage_close(&s);
  mock_stop(m);
  stage_done(&s);
}

/* The second attempt does not see what the first made of the body; a stream that begins leaves nothing of it, but its
 * counts where an adapter may ask for them. */
TEST(attempts_build_alike_until_the_body_goes) {
  struct stage s;
  stage_init(&s);
  struct mock *m = mock_start(serve_both, NULL);
  struct config *c = stage_config(&s, "builtin", m->port);
  stage_open_with(&s, c);
  struct gate *g = s.house.gate;
  struct http_head head = {.path = SLICE("/v1/chat/completions")};
  struct request *r = mem_new(struct request);
  arena_init(&r->arena);
  r->gate = g;
  r->tenure = g->tenure;
  r->endpoint = endpoint_of(&head);
  r->dialect = &dialect_openai_chat;
  r->head = &head;
  r->attempts_end = &r->attempts;
  struct buf body = {0};
  buf_text(&body, STAGE_CHAT);
  r->body = buf_view(&body);
  r->asked.model = SLICE("r");
  struct fault f;
  struct attempt *first = attempt_new(r, c->targets[1]), *second = attempt_new(r, c->targets[1]);
  const struct hooks *hooks = g->tenure->generation->hooks;
  CHECK_INT(hooks->build(g->tenure->script, first, &f), HOOK_DONE);
  CHECK_INT(hooks->build(g->tenure->script, second, &f), HOOK_DONE);
  CHECK(first->body.len > 0 && slice_eq(buf_view(&first->body), buf_view(&second->body)));
  struct script_request *state = r->script_state;
  hooks->drop_body(g->tenure->script, second);
  CHECK(state->body == LUA_NOREF && state->message_count == -1);
  c->targets[1]->provider->adapter->rewrites_event = true;
  hooks->drop_body(g->tenure->script, second);
  CHECK_INT(state->message_count, 1);
  CHECK_INT(state->tool_count, 0);
  buf_done(&first->body);
  buf_done(&second->body);
  hooks->forget_attempt(g->tenure->script, first);
  hooks->forget_attempt(g->tenure->script, second);
  hooks->forget_request(g->tenure->script, r);
  CHECK(r->script_state == NULL && first->script_state == NULL);
  buf_done(&body);
  arena_done(&r->arena);
  mem_free(r);
  stage_close(&s);
  mock_stop(m);
  stage_done(&s);
}

/* Nothing that a request leaves in the VM grows with the number of requests. */
TEST(memory_stays_level) {
  struct stage s;
  stage_init(&s);
  struct mock *m = mock_start(mock_serve, &stream_script);
  stage_open_with(&s, stage_config(&s, "builtin", m->port));
  size_t level = 0;
  for (int i = 0; i < 300; i++) {
    CHECK_INT(ask(&s.house, "/v1/chat/completions", "", STREAM_ASK, NULL, &s.answer), 200);
    if (i != 149 && i != 299) continue;
    CHECK(house_quiet(&s.house));
    vm_collect(stage_script(&s)->vm);
    size_t used = stage_script(&s)->vm->memory.used_bytes;
    if (i == 149) level = used;
    else CHECK(used < level + 4096);
  }
  stage_close(&s);
  mock_stop(m);
  stage_done(&s);
}

UNIT_MAIN()
