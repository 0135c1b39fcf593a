/* pattern: semantics side by side with Lua's own library, on a table of cases and on random ones, and the budget. */
#include <lualib.h>

#include "base/random.h"
#include "script/bed.h"
#include "script/stdlib/pattern.h"

/* Both libraries in one plain state: `own` has ours, `string` has Lua's. Returns a function(f, subject, pattern, …)
 * that describes what both give. */
static const char compare[] =
    "local own, lua = ...\n"
    "local function told(ok, ...)\n"
    "  if not ok then return 'error' end\n"
    "  local t = table.pack(...)\n"
    "  for i = 1, t.n do t[i] = math.type(t[i]) == 'integer' and '#' .. t[i] or tostring(t[i]) end\n"
    "  return table.concat(t, '|')\n"
    "end\n"
    "local function all(lib, s, p, init)\n"
    "  local out = {}\n"
    "  for a, b, c in lib.gmatch(s, p, init) do out[#out + 1] = told(true, a, b, c) end\n"
    "  return table.concat(out, ';')\n"
    "end\n"
    "return function(s, p, init, replacement)\n"
    "  local function both(lib)\n"
    "    return told(pcall(lib.find, s, p, init)) .. '  ' .. told(pcall(lib.match, s, p, init)) .. '  '\n"
    "      .. told(pcall(all, lib, s, p, init)) .. '  ' .. told(pcall(lib.gsub, s, p, replacement or '<%0>')) .. '  '\n"
    "      .. told(pcall(lib.gsub, s, p, function(...) return select('#', ...) end, 2)) .. '  '\n"
    "      .. told(pcall(lib.find, s, p, init, true))\n"
    "  end\n"
    "  return both(own), both(lua)\n"
    "end\n";

static lua_State *two_libraries(struct bed *bed) {
  lua_State *L = lua_newthread(bed->vm->L);
  lua_newtable(L);
  pattern_open(L);
  lua_pushcfunction(L, luaopen_string);
  lua_call(L, 0, 1);
  if (luaL_loadstring(L, compare) != LUA_OK) return NULL;
  luaL_openlibs(L); /* the comparison itself runs outside the sandbox */
  lua_insert(L, 1);
  lua_call(L, 2, 1);
  return L;
}

static bool same(lua_State *L, struct slice subject, struct slice pattern, lua_Integer init, const char *replacement) {
  lua_pushvalue(L, 1);
  lua_pushlstring(L, subject.ptr, subject.len);
  lua_pushlstring(L, pattern.ptr, pattern.len);
  lua_pushinteger(L, init);
  lua_pushstring(L, replacement);
  bool equal = lua_pcall(L, 4, 2, 0) == LUA_OK && lua_rawequal(L, -1, -2);
  if (!equal) {
    fprintf(stderr, "'%.*s' in '%.*s' from %d:\n  own %s\n  lua %s\n", (int)pattern.len, pattern.ptr, (int)subject.len,
            subject.ptr, (int)init, lua_tostring(L, -2), lua_tostring(L, -1));
  }
  lua_settop(L, 1);
  return equal;
}

TEST(it_matches_as_lua_does) {
  static const struct {
    const char *subject, *pattern;
  } cases[] = {
      {"hello world", "o w"},
      {"hello world", "l+"},
      {"hello", "(h)(.)(.-)o"},
      {"", ""},
      {"abc", ""},
      {"abc", "$"},
      {"abc", "^"},
      {"abc", "^abc$"},
      {"a$b", "a$b"},
      {"a^b", "a^b"},
      {"aXbXc", "[^X]+"},
      {"key = value", "(%w+)%s*=%s*(%w+)"},
      {"  trim  ", "^%s*(.-)%s*$"},
      {"THE (quick) fox", "%((%a+)%)"},
      {"THE (quick) fox", "%f[%a]%a+%f[%A]"},
      {"f(a(b)c)d", "%b()"},
      {"\"x\" 'y'", "([\"'])(.-)%1"},
      {"2026-11-22", "(%d+)-(%d+)-(%d+)"},
      {"abc", "()b()"},
      {"aaa", "a-b"},
      {"aaab", "a-b"},
      {"aaa", "a?a?a?a?"},
      {"x]y", "[]]"},
      {"x^y", "[x^]"},
      {"a-z", "[a-]"},
      {"a-z", "[-a]"},
      {"a]b", "[^]]+"},
      {"5%", "%d%%"},
      {"a.b", "a%.b"},
      {"a.b", "a.b"},
      {"ab\ncd", ".+"},
      {"tab\there", "%c"},
      {"0x1F", "^0[xX](%x+)$"},
      {"äö", "[\x80-\xff]+"},
      {"abab", "(ab)%1"},
      {"abcabc", "((a)(b)(c))%1"},
      {"hello", "l*"},
      {"hello", "x*"},
      {"aaa", "^a"},
      {"aaa", "^(a)"},
      {"abc", "[a-c]+"},
      {"ABC", "%u%l*"},
      {"a,b,,c", "([^,]*)"},
      {"a,b,,c", ",-"},
      {"(((", "%("},
      {"a*b", "a%*b"},
      {"**", "*"},
      {"a*", "(a)*"},
      {"a+", "%b()+"},
      {"x", "[%a_][%w_]*"},
      {"/v1/chat", "^/v1/(.*)$"},
      {"model-4o", "^(.-)%-(%d.*)"},
      {"a%d", "[%%d]"},
      {"a", "%z"},
      {"[]", "[[]"},
      {"[]", "[]-]"},
      {"a-b", "[+--]"},
      {"abc", "[%w]"},
      {"x", "(x)(x?)"},
      {"", "()"},
      {"", ".?"},
      {"aXb", "%u"},
      {"ab", "(()a()b())"},
      {"the the", "%f[%w](%w+)%s+%1%f[%W]"},
      {"x=1", "(%w)=(%w)%f[%z]"},
      {"%", "%%"},
      {"a\\b", "\\"},
      {"ab", "a$b"},
      {"aaa", "a-$"},
  };
  /* Malformed in the first place that matching comes to, where Lua notices it too. */
  static const char *const malformed[] = {
      "[", "[a", "%", "a.)", "%1", "(a%1)", "%b", "%bx", "%f", "%fa", "[]", "[^]", "[%", "%0",
  };
  static const char *const replacements[] = {"<%0>", "%%", "x", "", "%1", "[%0%0]"};
  struct bed bed;
  bed_init(&bed, (struct vm_options){0});
  lua_State *L = two_libraries(&bed);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct slice subject = slice_text(cases[i].subject), pattern = slice_text(cases[i].pattern);
    for (lua_Integer init = -3; init <= 7; init++) CHECK(same(L, subject, pattern, init, "<%0>"));
    for (size_t r = 0; r < sizeof replacements / sizeof *replacements; r++) {
      CHECK(same(L, subject, pattern, 1, replacements[r]));
    }
  }
  for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
    CHECK(same(L, SLICE("aa"), slice_text(malformed[i]), 1, "x"));
  }
  CHECK(same(L, SLICE("a\0b"), SLICE("a%zb"), 1, "x"));
  CHECK(same(L, SLICE("a\0b"), SLICE("\0"), 1, "x"));
  CHECK(same(L, SLICE("a\0b"), SLICE("[\0]"), 1, "x"));
  CHECK(same(L, SLICE("a\0b"), SLICE("[^\0]+"), 1, "\0"));
  lua_settop(bed.vm->L, 0);
  bed_done(&bed);
}

/* Patterns put together from whole parts, so that all are well-formed. */
TEST(random_patterns_match_as_in_lua) {
  static const char *const parts[] = {
      "a",  "b",    ".",     "%a", "%d", "[ab]", "[^a]", "[a-c]", "%w",
      "%s", "%b()", "%f[a]", "x",  "()", "%%",   "%.",   "-",     "[%d_]",
  };
  static const char *const repeats[] = {"", "", "", "*", "+", "-", "?"};
  static const char letters[] = "aabbc()1 x_.%";
  struct bed bed;
  bed_init(&bed, (struct vm_options){0});
  lua_State *L = two_libraries(&bed);
  for (int round = 0; round < 20000; round++) {
    char pattern[128] = "", subject[16];
    unsigned open = 0, closed = 0;
    if (random_u64() % 6 == 0) strcat(pattern, "^");
    for (unsigned i = 0, count = 1 + random_u64() % 6; i < count; i++) {
      if (random_u64() % 5 == 0) strcat(pattern, "("), open++;
      const char *part = parts[random_u64() % (sizeof parts / sizeof *parts)];
      strcat(pattern, part);
      if (strcmp(part, "()") == 0) closed++;
      else strcat(pattern, repeats[random_u64() % 7]);
      if (open > 0 && random_u64() % 3 == 0) strcat(pattern, ")"), open--, closed++;
    }
    while (open > 0) strcat(pattern, ")"), open--, closed++;
    if (closed > 0 && random_u64() % 4 == 0) strcat(pattern, "%1");
    if (random_u64() % 6 == 0) strcat(pattern, "$");
    size_t len = random_u64() % sizeof subject;
    for (size_t i = 0; i < len; i++) subject[i] = letters[random_u64() % (sizeof letters - 1)];
    CHECK(same(L, slice_of(subject, len), slice_text(pattern), (lua_Integer)(random_u64() % 5) + 1, "%0"));
  }
  lua_settop(bed.vm->L, 0);
  bed_done(&bed);
}

TEST(a_malformed_pattern_is_always_an_error) {
  struct bed bed;
  bed_init(&bed, (struct vm_options){0});
  BED_FAILS(&bed, "return ('x'):find('b%')", 1, "ends with '%'");
  BED_FAILS(&bed, "return ('x'):find('b[')", 1, "missing ']'");
  BED_FAILS(&bed, "return ('x'):find('b(')", 1, "unfinished capture");
  BED_FAILS(&bed, "return ('x'):find('b.)')", 1, "invalid pattern capture");
  BED_FAILS(&bed, "return ('x'):find('b%2')", 1, "invalid capture index");
  BED_FAILS(&bed, "return ('x'):find('b%bx')", 1, "missing arguments to '%b'");
  BED_FAILS(&bed, "return ('x'):find('b%fx')", 1, "missing '[' after '%f'");
  BED_FAILS(&bed, "return ('x'):find(('(x)'):rep(33))", 1, "too many captures");
  BED_FAILS(&bed, "return ('x'):find(('x-'):rep(300))", 1, "pattern too complex");
  BED_FAILS(&bed, "return ('x'):gsub('x', '%2')", 1, "invalid capture index");
  BED_FAILS(&bed, "return ('x'):gsub('x', '%a')", 1, "invalid use of '%'");
  BED_FAILS(&bed, "return ('x'):gsub('x', function() return {} end)", 1, "invalid replacement value (a table)");
  BED_FAILS(&bed, "return ('x'):gsub('x')", 1, "string/function/table expected");
  bed_done(&bed);
}

TEST(replacements_of_all_kinds) {
  struct bed bed;
  bed_init(&bed, (struct vm_options){0});
  BED_GIVES(&bed, "return ('hello'):gsub('l', 'L')", "heLLo 2");
  BED_GIVES(&bed, "return ('hello'):gsub('l', 'L', 1)", "heLlo 1");
  BED_GIVES(&bed, "return ('hello'):gsub('(l)(.)', '%2%1')", "hello 1");
  BED_GIVES(&bed, "return ('$a $b'):gsub('%$(%w)', { a = 'x', b = 7 })", "x 7 2");
  BED_GIVES(&bed, "return ('$a $c'):gsub('%$(%w)', { a = 'x', c = false })", "x $c 2");
  BED_GIVES(&bed, "return ('abc'):gsub('', '-')", "-a-b-c- 4");
  BED_GIVES(&bed, "return ('abc'):gsub('%w', function(c) if c == 'b' then return c:upper() end end)", "aBc 3");
  BED_GIVES(&bed, "return ('abc'):gsub('()', function(at) return at end)", "1a2b3c4 4");
  BED_GIVES(&bed, "return (('x'):rep(3)):gsub('x', ('yz'):rep(2))", "yzyzyzyzyzyz 3");
  BED_GIVES(&bed, "return ('abc'):gsub('b', function(c) return (('b'):gsub(c, 'nested')) end)", "anestedc 1");
  bed_done(&bed);
}

TEST(ordinary_work_on_long_texts_is_within_the_budget) {
  struct bed bed;
  bed_init(&bed, (struct vm_options){0});
  BED_GIVES(&bed,
            "local s = ('word and more\\n'):rep(20000) local n = 0 for w in s:gmatch('%a+') do n = n + 1 end return n",
            "60000");
  BED_GIVES(&bed, "return #((('a b'):rep(100000)):gsub('%s', ''))", "200000");
  BED_GIVES(&bed, "return (('x'):rep(500000) .. 'needle'):find('ne+dle')", "500001 500006");
  BED_GIVES(&bed, "return (('x'):rep(500000) .. 'end'):match('^(x*)(.*)$') ~= nil", "true");
  bed_done(&bed);
}

UNIT_MAIN()
