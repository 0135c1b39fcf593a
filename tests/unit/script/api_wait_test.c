/* api_wait, fetch: policies that wait while the worker goes on, and what ends a wait: its time, an answer, the limit,
 * the client's leave. */
#include "script/run.h"
#include "stage.h"

#define POLICY(body) "local P = { api = 1 }\nfunction P:route(req)\n" body "\nend\nreturn P\n"
#define SECRET "sk-canary-upstream"

/* A config with the upstream "svc" at the port. */
static struct config *config_with_upstream(struct stage *s, const char *policy, uint16_t port) {
  char url[80];
  snprintf(url, sizeof url, "http://127.0.0.1:%u/base", port);
  stage_write(s, "policies/x.lua", policy);
  struct config *c = stage_config(s, "x", 9);
  c->upstream_count = 2;
  c->upstreams = mem_zero(2 * sizeof *c->upstreams);
  c->upstreams[0] = (struct script_upstream){.name = text_of("spare"), .base_url = text_of("http://127.0.0.1:9")};
  c->upstreams[1] = (struct script_upstream){.name = text_of("svc"), .base_url = text_of(url)};
  c->upstreams[1].key.line = secret_join(SLICE("x-svc-key: "), SLICE(SECRET), SLICE("\r\n"));
  return c;
}

/* How long the policy may wait in all: 100 ms without this. What is not about that limit has time. */
static void allow_waits(struct stage *s, uint32_t wait_ms) {
  struct vm *vm = stage_script(s)->vm;
  vm->hooks[RUN_ROUTE].wait_ms = vm->hooks[RUN_RETRY].wait_ms = wait_ms;
}

enum { PATIENT_MS = 30000 };

/* The policy answers 418 with this part in its words. */
static bool tells_within(uint32_t wait_ms, void (*serve)(struct mock_peer *p), const void *script, const char *body,
                         const char *part) {
  struct stage s;
  char policy[2048];
  stage_init(&s);
  struct mock *m = mock_start(serve, script);
  snprintf(policy, sizeof policy,
           "local BIG = ('x'):rep((1 << 20) + 1)\n" POLICY(
               "local function tell(...) return gw.refuse(418, table.concat({ ... }, '|')) end\n%s"),
           body);
  stage_open_with(&s, config_with_upstream(&s, policy, m->port));
  if (wait_ms != 0) allow_waits(&s, wait_ms);
  unsigned status = stage_ask(&s, "");
  bool fine = status == 418 && stage_answered(&s, part);
  if (!fine) fprintf(stderr, "%s: status %u: %.*s\n", body, status, (int)s.answer.len, s.answer.ptr);
  stage_close(&s);
  mock_stop(m);
  stage_done(&s);
  return fine;
}

static bool tells(void (*serve)(struct mock_peer *p), const void *script, const char *body, const char *part) {
  return tells_within(PATIENT_MS, serve, script, body, part);
}

static const struct mock_script small = {
    .status = 201, .headers = "X-One: 1\r\nx-two: a\r\nX-Two: b\r\n", .text = "{\"ok\":true}"};

TIMED(sleep_waits) {
  CHECK(tells(mock_serve, &small, "local t = gw.now_ms() gw.sleep(30) return tell(tostring(gw.now_ms() - t >= 25))",
              "true"));
  CHECK(
      tells(mock_serve, &small, "gw.sleep(0) gw.sleep(1.5) return tell('slept', select('#', gw.sleep(1)))", "slept|0"));
  CHECK(tells_within(0, mock_serve, &small, "local _, why = pcall(gw.sleep, 200) return tell(why)",
                     "`route` may wait 100 ms in all, 100 ms are left"));
  CHECK(tells_within(1000, mock_serve, &small,
                     "gw.sleep(60) local fine = pcall(gw.sleep, 950) return tell(tostring(fine))", "false"));
  CHECK(tells(mock_serve, &small, "local _, why = pcall(gw.sleep, 0/0) return tell(why)", "0 or more"));
  CHECK(tells(mock_serve, &small,
              "local _, why = pcall(table.sort, { 2, 1 }, function() gw.sleep(1) end) return tell(why)",
              "cannot wait inside a callback"));
}

TIMED(fetch_fetches) {
  CHECK(tells(mock_serve, &small,
              "local a, why = gw.fetch('svc', { path = '/x?y=1', body = 'b', headers = { ['x-h'] = 'v' } })\n"
              "return tell(a.status, a.body, a.headers['x-one'], a.headers['x-two'], tostring(why))",
              "201|{\\\"ok\\\":true}|1|a, b|nil"));
  CHECK(tells(mock_serve, &small, "local _, why = gw.fetch('spare', { path = '/' }) return tell(why)",
              "Failed to connect"));
  CHECK(tells(
      mock_serve, &small,
      "local a = gw.fetch('svc', {}) local b = gw.fetch('svc', { method = 'PUT' }) return tell(a.status + b.status)",
      "402"));
}

TIMED(fetch_refuses_what_it_must_not_send) {
  static const struct {
    const char *call, *part;
  } rows[] = {
      {"'svcc', {}", "did you mean 'svc'?"},
      {"'nowhere', {}", "name it in `upstreams`"},
      {"'svc', { path = 'x' }", "must begin with '/'"},
      {"'svc', { path = '/a b' }", "byte 3 is not allowed"},
      {"'svc', { path = '/a\\r\\nx: y' }", "byte 3 is not allowed"},
      {"'svc', { headers = { Host = 'x' } }", "Host is set by the gateway"},
      {"'svc', { headers = { ['X-Svc-Key'] = 'x' } }", "X-Svc-Key is set by the gateway"},
      {"'svc', { headers = { ['a b'] = 'x' } }", "is no header name"},
      {"'svc', { headers = { a = 'x\\r\\nb: c' } }", "not allowed in HTTP"},
      {"'svc', { method = 'GET /' }", "is no HTTP method"},
      {"'svc', { timeout = 5 }", "unknown field 'timeout'"},
      {"'svc', { timeout_ms = 0 }", "from 1 to 3,600,000"},
      {"'svc', { body = BIG }", "larger than 1 MiB"},
      {"'svc', { body = {} }", "body must be a string, not a table"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char body[300];
    snprintf(body, sizeof body, "local _, why = pcall(gw.fetch, %s) return tell(why)", rows[i].call);
    CHECK(tells(mock_serve, &small, body, rows[i].part));
  }
}

/* The key is on the wire, below the base URL's path, and nowhere that a script can see. */
TIMED(the_upstreams_key_is_added_outside_lua) {
  struct stage s;
  stage_init(&s);
  struct mock *m = mock_start(mock_serve, &small);
  stage_open_with(
      &s,
      config_with_upstream(
          &s, POLICY("local a = gw.fetch('svc', { path = '/p', body = 'b' }) return gw.refuse(418, gw.json.encode(a))"),
          m->port));
  CHECK_INT(stage_ask(&s, ""), 418);
  CHECK(stage_answered(&s, "ok"));
  CHECK(!has(buf_view(&s.answer), "canary"));
  pthread_mutex_lock(&m->lock);
  CHECK(slice_starts(buf_view(&m->last), SLICE("POST /base/p HTTP/1.1\r\n")));
  CHECK(has(buf_view(&m->last), "x-svc-key: " SECRET "\r\n"));
  CHECK_SLICE(mock_body_of(&m->last), "b");
  pthread_mutex_unlock(&m->lock);
  stage_close(&s);
  mock_stop(m);
  stage_done(&s);
}

static void serve_flood(struct mock_peer *p) {
  static char megabyte[1 << 20];
  memset(megabyte, 'x', sizeof megabyte);
  if (!mock_request(p)) return;
  mock_say(p, "HTTP/1.1 200 OK\r\ncontent-length: 8388608\r\n\r\n");
  for (int i = 0; i < 8 && mock_send(p, megabyte, sizeof megabyte); i++) {}
}

TIMED(fetch_gives_errors_as_values) {
  CHECK(tells(mock_silence, NULL, "local a, why = gw.fetch('svc', { timeout_ms = 20 }) return tell(tostring(a), why)",
              "nil|no answer within timeout_ms"));
  CHECK(tells(mock_slam, NULL, "local a, why = gw.fetch('svc', {}) return tell(tostring(a), #why > 0 and 'why')",
              "nil|why"));
  CHECK(tells(serve_flood, NULL, "local a, why = gw.fetch('svc', {}) return tell(tostring(a), why)",
              "nil|the answer is larger than 1 MiB"));
}

/* Past the hook's own limit the call raises, and the request goes on without the policy. */
TIMED(all_waits_together_are_limited) {
  CHECK(tells_within(0, mock_silence, NULL,
                     "local fine, why = pcall(gw.fetch, 'svc', {}) return tell(tostring(fine), why)",
                     "false|waited longer than 100 ms in all"));
  CHECK(tells_within(500, mock_silence, NULL,
                     "gw.sleep(50) local fine, why = pcall(gw.fetch, 'svc', { timeout_ms = 480 }) return tell(why)",
                     "waited longer than 500 ms"));
  CHECK(tells_within(0, mock_silence, NULL,
                     "pcall(gw.fetch, 'svc', {}) local _, why = pcall(gw.fetch, 'svc', {}) return tell(why)",
                     "which is all it may"));
}

/* While one request waits others are served, and each resumes with its own handle. */
TIMED(waiting_requests_do_not_hold_others) {
  struct stage s;
  stage_init(&s);
  stage_open(&s,
             POLICY("if req:header 'x-slow' then gw.sleep(500) end\n"
                    "return gw.refuse(418, (req:header 'x-slow' or 'fast') .. ' of ' .. req.id)"),
             9);
  allow_waits(&s, PATIENT_MS);
  struct client slow[3];
  for (int i = 0; i < 3; i++) {
    char header[40];
    snprintf(header, sizeof header, "x-slow: slow%d\r\n", i);
    client_open(&slow[i], &s.house);
    client_post_with(&slow[i], "/v1/chat/completions", header, SLICE(STAGE_CHAT));
  }
  CHECK_INT(stage_ask(&s, ""), 418);
  CHECK(stage_answered(&s, "fast of req_"));
  CHECK_INT(s.house.gate->request_count, 3);
  for (int i = 0; i < 3; i++) {
    char part[40];
    struct buf body = {0};
    snprintf(part, sizeof part, "slow%d of req_", i);
    CHECK(client_wait(&slow[i], part));
    CHECK(client_answer(&slow[i], &body));
    ptrdiff_t id = slice_find(buf_view(&slow[i].got), SLICE("x-request-id: ")),
              of = slice_find(buf_view(&body), SLICE(" of "));
    CHECK(id > 0 && of > 0 && memcmp(slow[i].got.ptr + id + 14, body.ptr + of + 4, REQUEST_ID_BYTES) == 0);
    buf_done(&body);
    client_close(&slow[i]);
  }
  stage_close(&s);
  stage_done(&s);
}

/* The client leaves while its policy sleeps or fetches: nothing of it runs on, nothing is kept. */
TIMED(a_client_that_leaves_ends_the_wait) {
  struct stage s;
  stage_init(&s);
  struct mock *m = mock_start(mock_silence, NULL);
  stage_open_with(
      &s, config_with_upstream(&s,
                               POLICY("if req:header 'x-fetch' then pcall(gw.fetch, 'svc', {}) else gw.sleep(400) end\n"
                                      "gw.count 'went_on'"),
                               m->port));
  allow_waits(&s, 400);
  for (int i = 0; i < 4; i++) {
    struct client c;
    client_open(&c, &s.house);
    client_post_with(&c, "/v1/chat/completions", i & 1 ? "x-fetch: 1\r\n" : "", SLICE(STAGE_CHAT));
    for (unsigned turns = 0; s.house.gate->request_count == 0 && turns < 30000; turns++) house_pass_ms(&s.house, 1);
    CHECK_INT(s.house.gate->request_count, 1);
    client_close(&c);
    CHECK(house_quiet(&s.house));
  }
  house_pass_ms(&s.house, 500);
  struct buf metrics = {0};
  meter_write(&metrics);
  CHECK(!has(buf_view(&metrics), "went_on"));
  buf_done(&metrics);
  CHECK(stage_script(&s)->vm->running == NULL);
  stage_close(&s);
  mock_stop(m);
  stage_done(&s);
}

/* A new generation comes while a request of the old one waits: it ends on the old one, which is freed after it. */
TIMED(a_request_finishes_on_its_generation) {
  struct stage s;
  stage_init(&s);
  stage_open(&s, POLICY("gw.sleep(500) return gw.refuse(418, 'old')"), 9);
  allow_waits(&s, PATIENT_MS);
  unsigned released = house_released;
  /* Loading takes longer than a policy may wait: the new one stands ready before the request comes. */
  stage_write(&s, "policies/x.lua", POLICY("return gw.refuse(419, 'new')"));
  struct generation *g = stage_load(&s, stage_config(&s, "x", 9), 1);
  struct client c;
  client_open(&c, &s.house);
  client_post_with(&c, "/v1/chat/completions", "", SLICE(STAGE_CHAT));
  for (unsigned turns = 0; s.house.gate->request_count == 0 && turns < 30000; turns++) house_pass_ms(&s.house, 1);
  load_attach(g->scripts[0], s.house.gate);
  gate_adopt(s.house.gate, g);
  CHECK_INT(stage_ask(&s, ""), 419);
  CHECK_INT(house_released, released);
  CHECK(client_wait(&c, "old"));
  client_close(&c);
  CHECK(house_quiet(&s.house));
  CHECK_INT(house_released, released + 1);
  stage_close(&s);
  CHECK_INT(house_released, released + 2);
  stage_done(&s);
}

TIMED(retry_may_wait_too) {
  static const struct mock_script busy = {.status = 503, .text = "{\"error\":{\"message\":\"busy\"}}"};
  struct stage s;
  stage_init(&s);
  struct mock *m = mock_start(mock_serve, &busy);
  stage_open(&s,
             "local P = { api = 1 }\nfunction P.setup() return { t = gw.targets() } end\nfunction P:route() "
             "gw.sleep(5) return self.t[1] end\n"
             "function P:retry(req, a)\n  gw.sleep(20)\n  if a.number < 3 then return self.t[1] end\n"
             "  return gw.refuse(418, 'after ' .. a.number)\nend\nreturn P\n",
             m->port);
  allow_waits(&s, PATIENT_MS);
  CHECK_INT(stage_ask(&s, ""), 418);
  CHECK(stage_answered(&s, "after 3"));
  CHECK_INT(atomic_load(&m->requests), 3);
  stage_close(&s);
  mock_stop(m);
  stage_done(&s);
}

UNIT_MAIN()
