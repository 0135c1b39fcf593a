/* load: what refuses a generation, and with which words; what a good one holds. */
#include "stage.h"

#define POLICY(body) "local P = { api = 1 }\n" body "\nreturn P\n"
#define ROUTE "function P:route() return self.targets end"

TEST(shipped_policies_load) {
  struct stage s;
  stage_init(&s);
  const char *names[] = {"builtin", "weighted"};
  for (size_t i = 0; i < 2; i++) {
    struct config *c = stage_config(&s, names[i], 9);
    struct generation *g = stage_load(&s, c, 2);
    CHECK_SLICE(slice_text(s.e.text), "");
    CHECK(g != NULL);
    if (g == NULL) continue;
    CHECK_INT(g->script_count, 2);
    CHECK(c->routes[0]->has_policy);
    CHECK(!c->routes[0]->has_retry);
    load_generation_free(g);
  }
  stage_done(&s);
}

TEST(broken_files_are_refused_with_their_place) {
  struct stage s;
  stage_init(&s);
  CHECK(stage_refuses(&s, "local P = { api = 1 }\nfunction P:route( return end\nreturn P\n",
                      "policies/x.lua:2: ", "expected"));
  CHECK(stage_refuses(&s, "local P = { api = 1 }\nP.rout = function() end\nreturn P\n",
                      "policies/x.lua:2: ", "did you mean 'route'?"));
  CHECK(stage_refuses(&s, "return { api = 2, route = function() end }\n", "policies/x.lua:1: ", "api must be 1"));
  CHECK(stage_refuses(&s, "return 5\n", "policies/x.lua:1: ", "must return a table"));
  CHECK(stage_refuses(&s, "", "policies/x.lua:1: ", "must return a table"));
  CHECK(stage_refuses(&s, POLICY(""), "policies/x.lua:3: ", "needs 'route'"));
  CHECK(stage_refuses(&s, POLICY("x = 1\n" ROUTE), "policies/x.lua:2: ", "global 'x'"));
  CHECK(stage_refuses(&s, POLICY("error('at load')\n" ROUTE), "policies/x.lua:2: ", "at load"));
  CHECK(stage_refuses(&s, POLICY(STAGE_LOOP "\n" ROUTE), "policies/x.lua:2: ", "more than 200 ms"));
  CHECK(stage_refuses(&s, POLICY("local t = {} while true do t[#t+1] = ('x'):rep(1<<20)..#t end\n" ROUTE),
                      "policies/x.lua:2: ", "stopped: "));
  CHECK(stage_refuses(&s, POLICY("require 'nothing'\n" ROUTE), "policies/x.lua:2: ", "module 'nothing'"));
  CHECK(stage_refuses(&s, "\033Lua", "policies/x.lua:1: ", "bytecode"));
  stage_done(&s);
}

TEST(a_setup_that_fails_is_refused_with_its_place) {
  struct stage s;
  stage_init(&s);
  CHECK(stage_refuses(&s, POLICY("function P.setup()\n  error('no')\nend\n" ROUTE), "policies/x.lua:3: ", "no"));
  CHECK(stage_refuses(&s, POLICY("function P.setup() end\n" ROUTE), "policies/x.lua:2: ", "setup must return a table"));
  CHECK(stage_refuses(&s, POLICY("function P.setup()\n  return { gw.pool 'frist' }\nend\n" ROUTE),
                      "policies/x.lua:3: ", "did you mean 'first'?"));
  CHECK(stage_refuses(&s, POLICY("function P.setup()\n  return { gw.pool 'zzzz' }\nend\n" ROUTE),
                      "policies/x.lua:3: ", "routes.r.pools"));
  CHECK(stage_refuses(&s, POLICY("function P.setup()\n  return { gw.target 'c/one' }\nend\n" ROUTE),
                      "policies/x.lua:3: ", "did you mean 'a/one'?"));
  CHECK(stage_refuses(&s, POLICY("function P.setup()\n  gw.sleep(1)\nend\n" ROUTE),
                      "policies/x.lua:3: ", "gw.sleep may not be called in `setup`"));
  CHECK(
      stage_refuses(&s, POLICY("local t = gw.targets()\n" ROUTE), "policies/x.lua:2: ", "Look targets up in `setup`"));
  stage_done(&s);
}

static struct value *options_of(const char *key, enum value_kind kind) {
  struct value *options = value_new();
  struct value *v = value_add_field(options, slice_text(key));
  options->line = 12;
  v->line = 13;
  v->kind = kind;
  v->integer = 5;
  v->number = 5;
  if (kind == VALUE_TEXT) value_set_text(v, SLICE("five"));
  if (kind == VALUE_SECRET) value_set_secret(v, SLICE("env KEY"), SLICE("canary"));
  return options;
}

TEST(options_are_checked_and_given) {
  struct stage s;
  stage_init(&s);
  char place[200];
  snprintf(place, sizeof place, "%s/moongate.lua:12: routes.r.options", s.root);
  const char *policy = POLICY("P.options = { limit = { type = 'integer', default = 2 } }\n"
                              "function P.setup(opts) assert(opts.limit == 5) return opts end\n" ROUTE);
  const char *bare = POLICY("P.options = { limit = { type = 'integer', default = 2 } }\n"
                            "function P:route() assert(self.limit == 2) return nil end\n"
                            "P.examples = { { gives = {} } }");
  struct value *good = options_of("limit", VALUE_INTEGER), *unknown = options_of("limti", VALUE_INTEGER),
               *wrong = options_of("limit", VALUE_TEXT), *secret = options_of("limit", VALUE_SECRET);
  CHECK(stage_loads(&s, policy, good));
  CHECK(stage_loads(&s, bare, NULL));
  CHECK_SLICE(slice_text(s.e.text), "");
  CHECK(stage_refuses_options(&s, policy, unknown, place, "did you mean 'limit'?"));
  CHECK(stage_refuses_options(&s, policy, wrong, place, "must be an integer"));
  CHECK(stage_refuses_options(&s, policy, secret, place, "never shown secrets"));
  CHECK(!has(slice_text(s.e.text), "canary"));
  CHECK(stage_refuses(&s, policy, "policies/x.lua:3: ", "assertion failed"));
  value_free(good);
  value_free(unknown);
  value_free(wrong);
  value_free(secret);
  stage_done(&s);
}

TEST(examples_decide) {
  struct stage s;
  stage_init(&s);
#define TIERED                                                                                                         \
  POLICY("function P.setup() return { first = gw.pool 'first', second = gw.pool 'second' } end\n"                      \
         "function P:route(req)\n"                                                                                     \
         "  if req.team == 'bad' then return gw.refuse(429, 'no') end\n"                                               \
         "  if req.prompt_tokens < 10 then return self.first, self.second end\n"                                       \
         "  return { self.second }\n"                                                                                  \
         "end\n"                                                                                                       \
         "P.examples = { -- { not one }\n"                                                                             \
         "  { req = { prompt_tokens = 1 }, gives = { 'first', 'b/two' } },\n"                                          \
         "  %s\n"                                                                                                      \
         "}\n")
  static const struct {
    const char *example, *part; /* part NULL: loads */
  } rows[] = {
      {"{ req = { prompt_tokens = 10 }, gives = { 'second' } }", NULL},
      {"{ req = { team = 'bad' }, refuses = 429 }", NULL},
      {"{ req = { prompt_tokens = 10 }, gives = { 'first' } }", "example 2: gave b/two, not a/one"},
      {"{ req = { prompt_tokens = 10 }, refuses = 429 }", "example 2: gave b/two, not a refusal with 429"},
      {"{ req = { team = 'bad' }, gives = { 'first' } }", "example 2: refused with 429, instead of giving first"},
      {"{ req = { promt_tokens = 10 }, gives = { 'first' } }", "example 2: a request has no field 'promt_tokens'"},
      {"{ req = { prompt_tokens = 'x' }, gives = { 'first' } }", "example 2: req.prompt_tokens must be integer"},
      {"{ req = {}, give = {} }", "example 2: unknown key 'give'"},
      {"{ req = {} }", "example 2: must say what it gives"},
      {"5", "example 2: must be a table"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char policy[2048];
    snprintf(policy, sizeof policy, TIERED, rows[i].example);
    if (rows[i].part == NULL) CHECK(stage_loads(&s, policy, NULL));
    else
      CHECK(stage_refuses(&s, policy,
                          strcmp(rows[i].example, "5") ? "policies/x.lua:10: " : "policies/x.lua:11: ", rows[i].part));
  }
  CHECK(stage_refuses(&s, POLICY("function P:route(req)\n  return req.nonsense\nend\nP.examples = { { gives = {} } }"),
                      "policies/x.lua:3: ", "example 1: req has no field 'nonsense'"));
  CHECK(stage_loads(
      &s, POLICY("function P:route(req)\n  gw.sleep(5000)\n  return nil\nend\nP.examples = { { gives = {} } }"), NULL));
  stage_done(&s);
}

TEST(missing_files_are_told) {
  struct stage s;
  stage_init(&s);
  struct generation *g = stage_load(&s, stage_config(&s, "wieghted", 9), 1);
  CHECK(g == NULL);
  char place[200];
  snprintf(place, sizeof place,
           "%s/moongate.lua:7: routes.r.policy: there is no policies/wieghted.lua; did you mean 'weighted'?", s.root);
  CHECK_SLICE(slice_text(s.e.text), place);
  CHECK(stage_load(&s, stage_config(&s, "./mine.lua", 9), 1) == NULL);
  CHECK(has(slice_text(s.e.text), "mine.lua: No such file"));
  stage_write(&s, "mine.lua",
              "local P = { api = 1 }\nfunction P:route() return require('part').give() end\nreturn P\n");
  stage_write(&s, "part.lua", "return { give = function() return nil end }\n");
  g = stage_load(&s, stage_config(&s, "./mine.lua", 9), 1);
  CHECK(g != NULL);
  if (g != NULL) load_generation_free(g);
  stage_done(&s);
}

TEST(setup_may_name_a_target_that_the_config_does_not) {
  struct stage s;
  stage_init(&s);
  stage_write(&s, "policies/x.lua",
              POLICY("function P.setup() return { t = gw.target 'b/new' } end\n"
                     "function P:route() return self.t end\nP.examples = { { gives = { 'b/new' } } }"));
  struct config *c = stage_config(&s, "x", 9);
  struct generation *g = stage_load(&s, c, 3);
  CHECK(g != NULL);
  CHECK_INT(c->target_count, 3);
  if (g != NULL) load_generation_free(g);
  stage_done(&s);
}

TEST(a_generation_outlives_its_sources_and_another_one) {
  struct stage s;
  stage_init(&s);
  struct generation *one = stage_load(&s, stage_config(&s, "builtin", 9), 2);
  struct generation *two = stage_load(&s, stage_config(&s, "weighted", 9), 2);
  CHECK(one != NULL && two != NULL && one->number + 1 == two->number);
  CHECK_INT(atomic_load(&one->workers_using), 2);
  sources_unref(s.sources);
  s.sources = sources_new();
  load_generation_free(one);
  CHECK(two->hooks->memory_bytes(two->scripts[1]) > 0);
  load_generation_free(two);
  stage_done(&s);
}

TEST(an_adapters_setup_is_run_and_checked) {
  struct stage s;
  stage_init(&s);
  char path[200], start[300];
  snprintf(path, sizeof path, "%s/mine.lua", s.root);
  const char *texts[] = {
      "return { api = 1, dialect = 'openai.chat', setup = function()\n  return gw.targets()\nend }\n",
      "return { api = 1, dialect = 'openai.chat',\n  bse_url = 'x' }\n",
  };
  const char *parts[] = {"gw.targets is for policies", "did you mean 'base_url'?"};
  for (size_t i = 0; i < 2; i++) {
    stage_write(&s, "mine.lua", texts[i]);
    struct config *c = stage_config(&s, "builtin", 9);
    mem_free(c->adapters[0]->name);
    c->adapters[0]->name = text_of(path);
    CHECK(stage_load(&s, c, 1) == NULL);
    snprintf(start, sizeof start, "%s:2: ", path);
    CHECK(slice_starts(slice_text(s.e.text), slice_text(start)));
    CHECK(has(slice_text(s.e.text), parts[i]));
  }
  stage_done(&s);
}

TEST(the_manual_names_every_function) {
  struct buf out = {0};
  struct err e = {""};
  CHECK(load_script_reference(stage_checkout(), &out, &e));
  CHECK_SLICE(slice_text(e.text), "");
  CHECK(has(buf_view(&out), "### `gw.fetch(upstream, request)"));
  CHECK(has(buf_view(&out), "| `prompt_tokens` | integer |"));
  CHECK(!load_script_reference("/nonexistent", &out, &e));
  buf_done(&out);
}

UNIT_MAIN()
