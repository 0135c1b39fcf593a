/* check: what is refused in a script's table and in the options given to it, with place and did-you-mean. */
#include "script/bed.h"
#include "script/check.h"

struct checked {
  struct bed bed; /* first: bed_leave takes the owner for it */
  enum check_kind kind;
  const char *script, *options;
};

static int enter_check(lua_State *L, void *owner) {
  struct checked *c = owner;
  lua_settop(L, 0);
  sandbox_load(L, slice_text(c->script), "test.lua", NULL); /* chunk */
  lua_call(L, 0, 1);                                        /* script */
  check_script(L, 1, c->kind, "test.lua", slice_text(c->script));
  if (c->options == NULL) return -1;
  sandbox_load(L, slice_text(c->options), "given.lua", NULL);                           /* script chunk */
  lua_call(L, 0, 1);                                                                    /* script given */
  check_options(L, 1, lua_isnil(L, 2) ? 0 : 2, "moongate.lua:12: routes.cost.options"); /* script given options */
  sandbox_load(L, SLICE("return gw.json.encode((...))"), "test.lua", NULL);
  lua_insert(L, 1);
  lua_replace(L, 2);
  lua_settop(L, 2); /* encode options */
  return 1;
}

static enum run_outcome run_check(struct checked *c, enum check_kind kind, const char *script, const char *options) {
  static const struct run_task task = {enter_check, bed_leave};
  c->kind = kind;
  c->script = script;
  c->options = options;
  return run_start(c->bed.slot, RUN_LOAD, &task, c, &c->bed.report);
}

static bool refuses(struct checked *c, enum check_kind kind, const char *script, const char *options,
                    const char *wanted) {
  enum run_outcome outcome = run_check(c, kind, script, options);
  char got[800];
  snprintf(got, sizeof got, "%s:%d: %s", c->bed.report.file, c->bed.report.line, c->bed.report.message);
  if (outcome == RUN_FAILED && strcmp(got, wanted) == 0) return true;
  fprintf(stderr, "%s\n  outcome %d, %s\n  not     %s\n", script, (int)outcome, got, wanted);
  return false;
}

#define P "local P = { api = 1 }\nfunction P:route() end\n"

TEST(scripts_with_a_mistake_are_refused) {
  static const struct {
    enum check_kind kind;
    const char *script, *message;
  } cases[] = {
      {CHECK_POLICY, "\nreturn 7", "test.lua:2: the file must return a table, such as { api = 1 }, not 7"},
      {CHECK_POLICY, "local P = {}\n\nreturn P", "test.lua:3: the table has no api; write `api = 1`"},
      {CHECK_POLICY, "return {\n  api = 2 }", "test.lua:2: api must be 1, the only version there is, not 2"},
      {CHECK_POLICY, "return { api = 1 }", "test.lua:1: a policy needs 'route'"},
      {CHECK_POLICY, P "function P:rout() end\nreturn P",
       "test.lua:3: unknown key 'rout' in a policy; did you mean 'route'?"},
      {CHECK_POLICY, P "-- optoins = 1\nP.optoins = {}\nreturn P",
       "test.lua:4: unknown key 'optoins' in a policy; did you mean 'options'?"},
      {CHECK_POLICY, P "P['setpu'] = 1\nreturn P",
       "test.lua:3: unknown key 'setpu' in a policy; did you mean 'setup'?"},
      {CHECK_POLICY, P "P.setup = {}\nreturn P", "test.lua:3: a policy: 'setup' must be a function, not a table"},
      {CHECK_POLICY, P "P.options = { limit = 5 }\nreturn P",
       "test.lua:3: options.limit must be a table such as { type = \"integer\", default = 1 }, not 5"},
      {CHECK_POLICY, P "P.options = {\n  limit = { type = \"interger\" } }\nreturn P",
       "test.lua:4: options.limit: type must be one of boolean, integer, list, number, string, table, not "
       "\"interger\"; "
       "did you mean 'integer'?"},
      {CHECK_POLICY, P "P.options = {\n  limit = { type = \"integer\", defalt = 1 } }\nreturn P",
       "test.lua:4: unknown key 'defalt' in options.limit; did you mean 'default'?"},
      {CHECK_POLICY, P "P.options = { limit = { type = \"integer\", default = 1.5 } }\nreturn P",
       "test.lua:3: options.limit: default must be an integer, not 1.5"},
      {CHECK_POLICY, P "P.options = { name = { type = \"string\", min = 1 } }\nreturn P",
       "test.lua:3: options.name: min and max are for numbers"},
      {CHECK_ADAPTER, "return { api = 1 }", "test.lua:1: an adapter needs 'dialect' or 'dialects'"},
      {CHECK_ADAPTER, "return { api = 1,\n  dialect = 'openai.chat',\n  auth = 'baerer' }",
       "test.lua:3: auth must be \"bearer\", \"x-api-key\", \"aws-sigv4\", \"google-oauth\", \"none\" or { header = "
       "\"…\" }, not \"baerer\"; did you "
       "mean 'bearer'?"},
      {CHECK_ADAPTER, "return { api = 1, dialect = 'openai.chat',\n  auth = { name = 'x' } }",
       "test.lua:2: unknown key 'name' in auth"},
      {CHECK_ADAPTER, "return { api = 1, dialect = 'openai.chat', headers = {\n  ['x-a'] = 1 } }",
       "test.lua:2: headers.x-a must be a string, not 1"},
      {CHECK_ADAPTER, "return { api = 1, dialect = 'openai.chat', models = { 1 } }",
       "test.lua:1: models[1] must be a string, not 1"},
      {CHECK_ADAPTER, "return { api = 1, dialect = 'openai.chat',\n  errors = { { status = 400 } } }",
       "test.lua:2: errors[1] has no class"},
      {CHECK_ADAPTER,
       "return { api = 1, dialect = 'openai.chat', errors = {\n  { type = 'a', code = 'b', class = 'quota' } } }",
       "test.lua:1: errors[1] may have a code or a type, not both"},
      {CHECK_ADAPTER, "return { api = 1, dialect = 'openai.chat', base_ulr = 'x' }",
       "test.lua:1: unknown key 'base_ulr' in an adapter; did you mean 'base_url'?"},
      {CHECK_DIALECT, "return { api = 1, name = 'x' }", "test.lua:1: a dialect needs 'request_to_normal'"},
  };
  struct checked c;
  bed_init(&c.bed, (struct vm_options){0});
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    CHECK(refuses(&c, cases[i].kind, cases[i].script, NULL, cases[i].message));
  }
  CHECK_INT(run_check(&c, CHECK_POLICY, P "return P", NULL), RUN_DONE);
  CHECK_INT(
      run_check(&c, CHECK_ADAPTER, "return { api = 1, dialect = 'openai.chat', auth = { header = 'api-key' } }", NULL),
      RUN_DONE);
  bed_done(&c.bed);
}

/* Words in comments and strings are not taken for the key. */
TEST(the_line_of_a_key_is_found) {
  static const char script[] = "-- rout = 1\n"
                               "local s = \"rout = 1\" --[[ rout = 1\n"
                               "rout = 2 ]] local l = [==[\n"
                               "rout = 3 ]==]\n"
                               "local P = { api = 1, route = function() return s, l, 'it\\'s rout = 1' end }\n"
                               "if P.rout == 1 then return P end\n"
                               "P.rout = 1\n"
                               "return P\n";
  struct checked c;
  bed_init(&c.bed, (struct vm_options){0});
  CHECK(refuses(&c, CHECK_POLICY, script, NULL, "test.lua:7: unknown key 'rout' in a policy; did you mean 'route'?"));
  bed_done(&c.bed);
}

TEST(options_are_checked_and_filled_in) {
  static const char script[] =
      "return { api = 1, route = function() end, options = {\n"
      "  limit = { type = 'integer', default = 2000, min = 1, max = 9000, doc = 'x' },\n"
      "  mode = { type = 'string', default = 'fast', one_of = { 'fast', 'cheap' } },\n"
      "  share = { type = 'number' }, names = { type = 'list' }, on = { type = 'boolean', default = false } } }";
  static const struct {
    const char *options, *message;
  } refused[] = {
      {"return { limt = 1 }", "unknown option 'limt'; did you mean 'limit'?; known: limit, mode, names, on, share"},
      {"return { limit = '1' }", "option 'limit' must be an integer, not \"1\""},
      {"return { limit = 0 }", "option 'limit' must be at least 1"},
      {"return { limit = 9001 }", "option 'limit' must be at most 9000"},
      {"return { mode = 'cheep' }", "option 'mode' must be one of fast, cheap, not \"cheep\"; did you mean 'cheap'?"},
      {"return { share = true }", "option 'share' must be a number, not true"},
      {"return { names = { a = 1 } }", "option 'names' must be a list, not a table"},
      {"return { on = 1 }", "option 'on' must be a boolean, not 1"},
  };
  struct checked c;
  bed_init(&c.bed, (struct vm_options){0});
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    CHECK_INT(run_check(&c, CHECK_POLICY, script, refused[i].options), RUN_FAILED);
    CHECK_SLICE(slice_text(c.bed.report.file), "moongate.lua");
    CHECK_INT(c.bed.report.line, 12);
    char wanted[256];
    snprintf(wanted, sizeof wanted, "routes.cost.options: %s", refused[i].message);
    CHECK_SLICE(slice_text(c.bed.report.message), wanted);
  }
  CHECK_INT(run_check(&c, CHECK_POLICY, script, "return { limit = 5, names = { 'a' }, share = 1 }"), RUN_DONE);
  CHECK_SLICE(slice_text(c.bed.result), "{\"limit\":5,\"mode\":\"fast\",\"names\":[\"a\"],\"on\":false,\"share\":1}");
  CHECK_INT(run_check(&c, CHECK_POLICY, script, "return nil"), RUN_DONE);
  CHECK_SLICE(slice_text(c.bed.result), "{\"limit\":2000,\"mode\":\"fast\",\"on\":false}");
  bed_done(&c.bed);
}

UNIT_MAIN()
