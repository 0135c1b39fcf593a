/* The gate's edge: endpoints, keys, models, refusals, and generations that come while requests run. */
#include "house.h"

#define CHAT "/v1/chat/completions"
#define MESSAGES "/v1/messages"
#define ASK "{\"model\":\"r\",\"messages\":[]}"
#define DELTA "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]}\n\n"

static const struct mock_script good_script = {
    .status = 200, .text = "{\"choices\":[{\"index\":0,\"message\":{\"content\":\"ok\"},\"finish_reason\":\"stop\"}]}"};

static struct config *lone_config(struct mock *m, bool keys) {
  struct config_made made = house_config();
  house_provider(made.config, "p", made.openai, m->port);
  house_route(made.config, "r", "p/m", NULL);
  if (keys) {
    house_key(made.config, "all", "gw-all", NULL);
    house_key(made.config, "few", "gw-few", "r");
  }
  return made.config;
}

/* Sends raw text, gives the whole answer. */
static unsigned say(struct house *h, const char *text, struct buf *all, struct buf *body) {
  struct client c;
  client_open(&c, h);
  client_say(&c, text);
  if (slice_starts(slice_text(text), SLICE("HEAD "))) CHECK(client_wait(&c, "\r\n\r\n"));
  else CHECK(client_answer(&c, body));
  all->len = 0;
  buf_slice(all, buf_view(&c.got));
  unsigned status = client_status(&c);
  client_close(&c);
  return status;
}

TEST(what_is_refused_before_routing) {
  static const struct {
    const char *request;
    unsigned status;
    const char *body, *headers;
  } rows[] = {
      {"POST /v1/nothing HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n", 404, "\"code\":\"endpoint_not_found\"",
       "x-gateway-error: true\r\n"},
      {"POST /v1/messages/nothing HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n", 404,
       "\"type\":\"not_found_error\"", "request-id: req_"},
      {"GET " CHAT " HTTP/1.1\r\nhost: x\r\n\r\n", 405, "\"code\":\"method_not_allowed\"", "allow: POST, OPTIONS\r\n"},
      {"DELETE " MESSAGES " HTTP/1.1\r\nhost: x\r\n\r\n", 405, "{\"type\":\"error\",", "allow: POST, OPTIONS\r\n"},
      {"POST /v1/models HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n", 405, "\"code\":\"method_not_allowed\"",
       "allow: GET, HEAD, OPTIONS\r\n"},
      {"OPTIONS " CHAT " HTTP/1.1\r\nhost: x\r\n\r\n", 204, "", "allow: POST, OPTIONS\r\n"},
      {"POST " CHAT " HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\n{}", 415,
       "\"code\":\"content_type_unsupported\"", ""},
      {"POST " CHAT " HTTP/1.1\r\nhost: x\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n{}", 415, "gzip", ""},
      {"POST " CHAT
       " HTTP/1.1\r\nhost: x\r\ncontent-type: Application/JSON; charset=utf-8\r\ncontent-length: 2\r\n\r\n{}",
       400, "`model` is missing", ""},
      {"POST " CHAT " HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\n{", 400, "\"code\":\"bad_json\"", ""},
      {"POST " CHAT " HTTP/1.1\r\nhost: x\r\ncontent-length: 36\r\n\r\n{\"model\":\"r\",\"mod\\u0065l\":\"s\",\"m\":1}",
       400, "\"code\":\"bad_json\"", ""},
      {"POST " MESSAGES " HTTP/1.1\r\nhost: x\r\ncontent-length: 13\r\n\r\n{\"model\":\"r\"}", 400,
       "\"message\":\"`messages` is missing.", ""},
      {"POST " CHAT " HTTP/1.1\r\nhost: x\r\ncontent-length: 9000000\r\n\r\n", 413, "\"code\":\"body_too_large\"",
       "x-request-id: req_"},
      {"POST " CHAT " HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", 400,
       "\"code\":\"bad_http\"", ""},
      {"POST " CHAT " HTTP/1.1\r\nhost: x\r\ncontent-length: 27\r\n\r\n{\"model\":\"p\",\"messages\":[]}", 404,
       "\"code\":\"model_not_found\"", ""},
      {"POST " CHAT " HTTP/1.1\r\nhost: x\r\ncontent-length: 28\r\n\r\n{\"model\":\"p/\",\"messages\":[]}", 404,
       "did you mean", ""},
      {"POST " CHAT
       " HTTP/1.1\r\nhost: x\r\ncontent-length: 45\r\n\r\n{\"model\":\"r\",\"stream\":\"yes\",\"messages\":[]}   ",
       400, "\"param\":\"stream\"", ""},
  };
  struct house h;
  struct buf all = {0}, body = {0};
  struct mock *m = mock_start(mock_serve, &good_script);
  house_init(&h, lone_config(m, false), NULL);
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    CHECK_INT(say(&h, rows[i].request, &all, &body), rows[i].status);
    CHECK(has(buf_view(&body), rows[i].body));
    CHECK(has(buf_view(&all), rows[i].headers));
    if (!has(buf_view(&body), rows[i].body)) fprintf(stderr, "row %u: %.*s\n", i, (int)all.len, all.ptr);
    if (body.len > 0) CHECK(json_valid(buf_view(&body), NULL));
  }
  CHECK_INT(atomic_load(&m->requests), 0);
  struct slice trace = house_trace(&h);
  CHECK(has(trace, "\"status\":413,\"error_code\":\"body_too_large\""));
  CHECK_INT(count_of(trace, "\"outcome\":\"refused\""), sizeof rows / sizeof *rows - 1); /* all but OPTIONS */
  house_done(&h);
  mock_stop(m);
  buf_done(&all);
  buf_done(&body);
}

TEST(keys) {
  static const struct {
    const char *headers;
    unsigned status;
    const char *code;
  } rows[] = {{"", 401, "key_missing"},
              {"authorization: Bearer nope\r\n", 401, "key_invalid"},
              {"x-api-key: gw-al\r\n", 401, "key_invalid"},
              {"authorization: Bearer gw-all\r\n", 200, ""},
              {"Authorization: bearer   gw-all\r\n", 200, ""},
              {"x-api-key: gw-all\r\n", 200, ""},
              {"x-api-key: gw-all\r\nauthorization: Bearer gw-all\r\n", 200, ""},
              {"x-api-key: gw-all\r\nauthorization: Bearer gw-few\r\n", 401, "key_ambiguous"},
              {"x-api-key: gw-all\r\nx-api-key: gw-all\r\n", 401, "key_ambiguous"},
              {"authorization: Bearer gw-all\r\nauthorization: Bearer gw-all\r\n", 401, "key_ambiguous"},
              {"authorization: Basic Z3ctYWxs\r\n", 401, "key_ambiguous"},
              {"x-api-key: gw-all' OR 1=1\r\n", 401, "key_invalid"},
              {"authorization: Bearer gw-few\r\n", 200, ""}};
  struct house h;
  struct buf all = {0}, body = {0};
  struct mock *m = mock_start(mock_serve, &good_script);
  house_init(&h, lone_config(m, true), NULL);
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    CHECK_INT(ask(&h, CHAT, rows[i].headers, ASK, &all, &body), rows[i].status);
    CHECK(has(buf_view(&body), rows[i].code));
    if (rows[i].status == 401) CHECK(has(buf_view(&all), "\r\nwww-authenticate: Bearer\r\n"));
  }
  CHECK_INT(ask(&h, CHAT, "x-api-key: gw-few\r\n", "{\"model\":\"p/m\",\"messages\":[]}", &all, &body), 403);
  CHECK(has(buf_view(&body), "\"code\":\"model_forbidden\""));
  CHECK(!has(buf_view(mock_last(m)), "gw-"));
  struct slice trace = house_trace(&h);
  CHECK(!has(trace, "gw-all") && !has(trace, "gw-few") && !has(trace, "nope"));
  CHECK(has(trace, "\"key\":\"all\"") && has(trace, "\"key\":\"few\""));
  house_done(&h);
  mock_stop(m);
  buf_done(&all);
  buf_done(&body);
}

TEST(models) {
  struct house h;
  struct buf all = {0}, body = {0};
  struct mock *m = mock_start(mock_serve, &good_script);
  house_init(&h, lone_config(m, true), NULL);
  CHECK_INT(say(&h, "GET /v1/models HTTP/1.1\r\nhost: x\r\nx-api-key: gw-all\r\n\r\n", &all, &body), 200);
  CHECK_SLICE(
      buf_view(&body),
      "{\"object\":\"list\",\"data\":[{\"id\":\"r\",\"object\":\"model\",\"created\":0,\"owned_by\":\"moongate\"},"
      "{\"id\":\"p/m\",\"object\":\"model\",\"created\":0,\"owned_by\":\"p\"}]}");
  char length[64];
  snprintf(length, sizeof length, "\r\ncontent-length: %zu\r\n", body.len);
  CHECK_INT(say(&h, "HEAD /v1/models HTTP/1.1\r\nhost: x\r\nx-api-key: gw-all\r\n\r\n", &all, &body), 200);
  CHECK(slice_ends(buf_view(&all), SLICE("\r\n\r\n")) && has(buf_view(&all), length));
  CHECK_INT(
      say(&h, "GET /v1/models HTTP/1.1\r\nhost: x\r\nx-api-key: gw-few\r\nanthropic-version: 1\r\n\r\n", &all, &body),
      200);
  CHECK_SLICE(
      buf_view(&body),
      "{\"data\":[{\"type\":\"model\",\"id\":\"r\",\"display_name\":\"r\",\"created_at\":\"1970-01-01T00:00:00Z\"}],"
      "\"has_more\":false,\"first_id\":\"r\",\"last_id\":\"r\"}");
  CHECK_INT(say(&h, "GET /v1/models/p%2Fm HTTP/1.1\r\nhost: x\r\nx-api-key: gw-all\r\n\r\n", &all, &body), 200);
  CHECK(slice_starts(buf_view(&body), SLICE("{\"id\":\"p/m\",")));
  CHECK_INT(say(&h, "GET /v1/models/p%2Fm HTTP/1.1\r\nhost: x\r\nx-api-key: gw-few\r\n\r\n", &all, &body), 404);
  CHECK_INT(say(&h, "GET /v1/models/zzz HTTP/1.1\r\nhost: x\r\nx-api-key: gw-all\r\n\r\n", &all, &body), 404);
  CHECK_INT(say(&h, "GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n", &all, &body), 401);
  house_done(&h);
  mock_stop(m);
  buf_done(&all);
  buf_done(&body);
}

/* ---- generations */

TEST(request_finishes_on_the_generation_it_began_with) {
  static const struct mock_script hanging = {.text = DELTA, .hang = true};
  struct house h;
  struct client c;
  struct buf all = {0}, body = {0};
  struct mock *old = mock_start(mock_serve, &hanging), *new = mock_start(mock_serve, &good_script);
  house_init(&h, lone_config(old, false), NULL);
  house_released = 0;
  client_open(&c, &h);
  client_post(&c, CHAT, "{\"model\":\"r\",\"stream\":true,\"messages\":[]}");
  CHECK(client_wait(&c, "\"content\""));
  gate_adopt(h.gate, house_generation(lone_config(new, false), NULL));
  CHECK_INT(ask(&h, CHAT, "", ASK, &all, &body), 200);
  CHECK_INT(atomic_load(&new->requests), 1);
  CHECK_INT(house_released, 0);
  client_close(&c);
  CHECK(house_quiet(&h));
  CHECK_INT(house_released, 1);
  gate_adopt(h.gate, house_generation(lone_config(new, false), NULL)); /* nothing runs: the old one goes at once */
  CHECK_INT(house_released, 2);
  house_done(&h);
  CHECK_INT(house_released, 3);
  mock_stop(old);
  mock_stop(new);
  buf_done(&all);
  buf_done(&body);
}

TEST(connections_are_inherited_where_nothing_changed) {
  struct house h;
  struct buf body = {0};
  struct mock *m = mock_start(mock_serve, &good_script);
  house_init(&h, lone_config(m, false), NULL);
  CHECK_INT(ask(&h, CHAT, "", ASK, NULL, &body), 200);
  gate_adopt(h.gate, house_generation(lone_config(m, true), NULL));
  CHECK_INT(ask(&h, CHAT, "x-api-key: gw-all\r\n", ASK, NULL, &body), 200);
  CHECK_INT(atomic_load(&m->connections), 1);
  struct config *changed = lone_config(m, false);
  secret_free(changed->providers[0]->keys[0].line);
  changed->providers[0]->keys[0].line = secret_new(SLICE("authorization: Bearer another\r\n"));
  gate_adopt(h.gate, house_generation(changed, NULL));
  CHECK_INT(ask(&h, CHAT, "", ASK, NULL, &body), 200);
  CHECK_INT(atomic_load(&m->connections), 2);
  CHECK(has(buf_view(mock_last(m)), "Bearer another\r\n"));
  house_done(&h);
  mock_stop(m);
  buf_done(&body);
}

TEST(keys_of_a_provider_take_turns) {
  struct house h;
  struct buf body = {0};
  struct mock *m = mock_start(mock_serve, &good_script);
  struct config *c = lone_config(m, false);
  struct provider *p = c->providers[0];
  p->keys[1] = (struct provider_key){.label = text_of("env SECOND"),
                                     .line = secret_new(SLICE("authorization: Bearer second\r\n")),
                                     .bare = secret_new(SLICE("second")),
                                     .identity = text_of("x")};
  p->key_count = 2;
  house_init(&h, c, NULL);
  for (unsigned i = 0; i < 4; i++) {
    CHECK_INT(ask(&h, CHAT, "", ASK, NULL, &body), 200);
    CHECK(has(buf_view(mock_last(m)), i % 2 ? "Bearer second\r\n" : "Bearer " HOUSE_KEY "\r\n"));
  }
  CHECK_INT(count_of(house_trace(&h), "\"key\":\"env SECOND\""), 2);
  house_done(&h);
  mock_stop(m);
  buf_done(&body);
}

/* A model of a provider that no config names: tried, measured, and not kept beyond the request. */
TEST(bare_and_unnamed_models_reach_their_provider) {
  struct house h;
  struct buf all = {0}, body = {0};
  struct mock *m = mock_start(mock_serve, &good_script);
  house_init(&h, lone_config(m, false), NULL);
  CHECK_INT(ask(&h, CHAT, "", "{\"model\":\"m\",\"messages\":[]}", &all, &body), 200);
  CHECK_SLICE(mock_body_of(mock_last(m)), "{\"model\":\"m\",\"messages\":[]}");
  CHECK_INT(ask(&h, CHAT, "", "{\"model\":\"p\\/un\\\"named/x\",\"messages\":[]}", &all, &body), 200);
  CHECK_SLICE(mock_body_of(mock_last(m)), "{\"model\":\"un\\\"named/x\",\"messages\":[]}");
  CHECK(has(buf_view(&all), "x-moongate-target: p/un\"named/x\r\n"));
  house_done(&h);
  mock_stop(m);
  buf_done(&all);
  buf_done(&body);
}

UNIT_MAIN()
