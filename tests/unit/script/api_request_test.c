/* api_request, api_target: what req, attempt and target show to a policy, and what they refuse. The policies answer by
 * gw.refuse, so that the client reads what they saw. */
#include "stage.h"

#define ECHO(expression) "local P = { api = 1 }\nlocal kept\nfunction P:route(req)\n  " expression "\nend\nreturn P\n"

/* What the policy with this body tells the client. */
static bool tells(const char *body, const char *headers, const char *part) {
  struct stage s;
  stage_init(&s);
  char policy[2048];
  snprintf(policy, sizeof policy,
           "local P = { api = 1 }\nfunction P.setup() return { t = gw.targets(), p = gw.pool 'second' } end\n"
           "function P:route(req)\n  local function tell(...) return gw.refuse(418, table.concat({ ... }, '|'), "
           "'told') end\n  %s\nend\nreturn P\n",
           body);
  stage_open(&s, policy, 9);
  house_key(s.house.gate->tenure->generation->config, "laptop", "sk-client", NULL);
  unsigned status = stage_ask(&s, headers);
  bool fine = status == 418 && stage_answered(&s, part);
  if (status != 418) fprintf(stderr, "status %u: %.*s\n", status, (int)s.answer.len, s.answer.ptr);
  stage_close(&s);
  stage_done(&s);
  return fine;
}

#define KEY "authorization: Bearer sk-client\r\n"

TEST(fields_of_req) {
  CHECK(tells("return tell(req.route, req.model, req.dialect, req.endpoint, req.key_name)", KEY,
              "r|r|openai.chat|chat|laptop"));
  CHECK(tells("return tell(tostring(req.stream), tostring(req.team), tostring(req.max_tokens))", KEY, "false|nil|nil"));
  CHECK(tells("return tell(req.message_count, req.tool_count, req.attempt_count, req.body_bytes)", KEY, "1|0|0|57"));
  CHECK(tells("return tell(math.type(req.prompt_tokens), math.type(req.elapsed_ms), #req.id, req.id:sub(1, 4))", KEY,
              "integer|float|28|req_"));
  CHECK(tells("local b = req:body() return tell(b.messages[1].content, tostring(b == req:body()))", KEY, "hi|true"));
}

TEST(headers_but_no_credentials) {
  CHECK(tells("return tell(req:header 'x-Team', tostring(req:header 'none'))", KEY "X-team: blue\r\n", "blue|nil"));
  const char *names[] = {"Authorization", "X-API-Key", "cookie", "proxy-authorization", "x-goog-api-key", "api-key"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char body[200];
    snprintf(body, sizeof body, "local fine, why = pcall(req.header, req, '%s') return tell(tostring(fine), why)",
             names[i]);
    CHECK(tells(body, KEY "cookie: sk-client\r\n", "false|req:header never shows credentials"));
  }
}

TEST(what_is_not_there_raises) {
  CHECK(tells("local _, why = pcall(function() return req.promt_tokens end) return tell(why)", KEY,
              "did you mean 'prompt_tokens'?"));
  CHECK(tells("local _, why = pcall(function() req.model = 'x' end) return tell(why)", KEY, "req is read-only"));
  CHECK(
      tells("local _, why = pcall(function() self.t[1].weight = 3 end) return tell(why)", KEY, "target is read-only"));
  CHECK(tells("local _, why = pcall(function() return req[1] end) return tell(why)", KEY,
              "req has no field of type number"));
  CHECK(tells("local _, why = pcall(req.header, self.t[1], 'x') return tell(why)", KEY, "req expected, got target"));
  CHECK(tells("return tell(tostring(getmetatable(req)), tostring(req))", KEY, "nil|req"));
}

TEST(fields_of_targets) {
  CHECK(tells("local t = self.t[2] return tell(t.name, t.provider, t.model, t.dialect, t.weight)", KEY,
              "b/two|b|two|anthropic.messages|1.0"));
  CHECK(tells("local t = self.t[2] return tell(t.in_flight, tostring(t.latency_ms), tostring(t.ttft_ms), t.error_rate, "
              "tostring(t.input_usd_per_mtok))",
              KEY, "0|nil|nil|0.0|nil"));
  CHECK(tells("local t = self.t[2] return tell(tostring(t.healthy), t.ejected_for_ms, tostring(t.availability), "
              "tostring(t.wait_ms))",
              KEY, "true|0|nil|nil"));
  CHECK(tells(
      "return tell(tostring(self.t[2] == self.p[1]), tostring(self.t[1]), tostring(({ [self.t[2]] = 5 })[self.p[1]]))",
      KEY, "true|a/one|5"));
}

TEST(refusals_are_checked) {
  CHECK(tells("local _, why = pcall(gw.refuse, 200, 'x') return tell(why)", KEY, "must be from 400 to 599"));
  CHECK(tells("local _, why = pcall(gw.refuse, 400, '') return tell(why)", KEY, "must say why"));
  CHECK(tells("local _, why = pcall(gw.refuse, 400, 'x', 'Not A Code') return tell(why)", KEY, "a-z, 0-9 and _"));
  CHECK(tells("return gw.refuse(418, ('é'):rep(400))", KEY, "\xc3\xa9\xc3\xa9"));
  CHECK(tells("return tell 'x'", KEY, "\"told\""));
}

/* A handle that a script kept is dead, also while a later request is served. */
TEST(kept_handles_die_with_their_request) {
  struct stage s;
  stage_init(&s);
  stage_open(&s,
             "local P = { api = 1 }\nlocal kept\nfunction P:route(req)\n"
             "  if not kept then kept = req return gw.refuse(418, 'kept ' .. kept.model) end\n"
             "  local fine, why = pcall(function() return kept.model end)\n"
             "  local _, method = pcall(kept.body, kept)\n"
             "  return gw.refuse(418, tostring(fine) .. why .. '|' .. method)\nend\nreturn P\n",
             9);
  CHECK_INT(stage_ask(&s, ""), 418);
  CHECK(stage_answered(&s, "kept r"));
  CHECK_INT(stage_ask(&s, ""), 418);
  CHECK(stage_answered(&s, "belongs to a request that has ended"));
  CHECK(stage_answered(&s, "|this req belongs"));
  CHECK(!has(buf_view(&s.answer), "true"));
  stage_close(&s);
  stage_done(&s);
}

UNIT_MAIN()
