/* api_json: decoding and encoding, raw values, what is refused; and the small functions of gw. */
#include "script/api/api_json.h"

#include "base/must.h"
#include "script/bed.h"

TEST(documents_come_back_as_they_were) {
  static const char *const documents[] = {
      "{}",
      "[]",
      "[[]]",
      "[{}]",
      "{\"a\":[]}",
      "{\"a\":{\"b\":[1,2,{\"c\":null}]},\"z\":true}",
      "[1,-2,0,2.5,-0.125]",
      "[9223372036854775807,-9223372036854775808]",
      "[true,false,null]",
      "\"\"",
      "\"text\"",
      "12",
      "null",
      "\"\\u0001\\\"\\\\\\n\"",
      "\"\xc3\xa4\xf0\x9f\x98\x80\"",
      "[1e+300]",
      "{\"\":0,\"a b\":1}",
  };
  struct bed bed;
  bed_init(&bed, (struct vm_options){0});
  for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
    char text[512];
    snprintf(text, sizeof text, "return (gw.json.encode(gw.json.decode([==[%s]==])):gsub('1e300', '1e+300'))",
             documents[i]);
    BED_GIVES(&bed, text, documents[i]);
  }
  bed_done(&bed);
}

TEST(numbers_keep_their_kind) {
  struct bed bed;
  bed_init(&bed, (struct vm_options){0});
  BED_GIVES(&bed,
            "local t = gw.json.decode('[1, 1.0, 1e2, 9223372036854775807, 9223372036854775808, -9223372036854775808, "
            "-9223372036854775809, -0, 0]') local o = {} for i, v in ipairs(t) do o[i] = math.type(v) end "
            "return table.concat(o, ' ')",
            "integer float float integer float integer float float integer");
  BED_GIVES(&bed, "return gw.json.decode('123456789012345678'), gw.json.decode('-7'), gw.json.decode('0.1')",
            "123456789012345678 -7 0.1");
  bed_done(&bed);
}

TEST(keys_are_sorted_and_arrays_marked) {
  struct bed bed;
  bed_init(&bed, (struct vm_options){0});
  BED_GIVES(&bed, "return gw.json.encode({ b = 1, a = 2, ['a b'] = 3, B = 4, ab = 5 })",
            "{\"B\":4,\"a\":2,\"a b\":3,\"ab\":5,\"b\":1}");
  BED_GIVES(&bed,
            "local t = {} for i = 1, 40 do t[('k%02d'):format(41 - i)] = i end return #gw.json.encode(t), "
            "gw.json.encode(t):sub(1, 16)",
            "352 {\"k01\":40,\"k02\":");
  BED_GIVES(&bed,
            "return gw.json.encode({}), gw.json.encode(gw.json.array()), gw.json.encode({1}), "
            "gw.json.encode(gw.json.array({2}))",
            "{} [] [1] [2]");
  BED_GIVES(&bed,
            "return gw.json.is_array({}), gw.json.is_array(gw.json.array()), gw.json.is_array({1}), "
            "gw.json.is_array(gw.json.decode('[]')), gw.json.is_array(gw.json.decode('{}')), gw.json.is_array('x')",
            "false true true true false false");
  BED_GIVES(&bed,
            "return gw.json.decode('null') == gw.json.null, gw.json.encode({ gw.json.null }), gw.json.encode(nil)",
            "true [null] null");
  bed_done(&bed);
}

TEST(raw_values_pass_untouched) {
  struct bed bed;
  bed_init(&bed, (struct vm_options){0});
  BED_GIVES(&bed,
            "local t = gw.json.decode('{\"schema\":{ \"b\" : 1.00, \"a\":[1e5] },\"x\":{\"schema\":[ 1 ]},\"y\":1}', "
            "{ raw = { schema = true } }) return gw.json.is_raw(t.schema), gw.json.text(t.schema), "
            "gw.json.is_raw(t.x), gw.json.text(t.x.schema), gw.json.encode(t)",
            "true { \"b\" : 1.00, \"a\":[1e5] } false [ 1 ] "
            "{\"schema\":{ \"b\" : 1.00, \"a\":[1e5] },\"x\":{\"schema\":[ 1 ]},\"y\":1}");
  BED_GIVES(&bed,
            "local t = gw.json.decode('{\"schema\":\"text\",\"n\":1}', { raw = { schema = true, n = true } }) "
            "return t.schema, t.n",
            "text 1");
  BED_GIVES(&bed,
            "return gw.json.encode({ a = gw.json.raw('{\"z\": 1}') }), gw.json.text({ 1 }), "
            "tostring(gw.json.raw('1'))",
            "{\"a\":{\"z\": 1}} [1] raw JSON");
  BED_FAILS(&bed, "gw.json.raw('{')", 1, "not JSON");
  /* The text it came from may be collected; the bytes stay. */
  BED_GIVES(&bed,
            "local t = gw.json.decode('{\"r\":[' .. ('1,'):rep(1000) .. '2]}', { raw = { r = true } }) "
            "for i = 1, 2000 do local x = ('y'):rep(i) end return #gw.json.text(t.r)",
            "2003");
  bed_done(&bed);
}

TEST(what_is_not_json_is_told) {
  static const char *const texts[] = {
      "",      " ",       "{",        "[1,]", "{\"a\":}", "{'a':1}",   "01",  "1.",       "+1",        "nul",
      "[1] x", "\"\\x\"", "\"\x01\"", "\xff", "[1 2]",    "{\"a\" 1}", "NaN", "Infinity", "\"\\ud800", "[\"\xc3\x28\"]",
  };
  struct bed bed;
  bed_init(&bed, (struct vm_options){0});
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    char text[256];
    snprintf(text, sizeof text,
             "local v, why = gw.json.decode([==[%s]==]) return v, why:match('^not JSON: .+ at byte %%d+$') ~= nil, "
             "gw.json.valid([==[%s]==])",
             texts[i], texts[i]);
    BED_GIVES(&bed, text, "nil true false");
  }
  BED_GIVES(&bed, "return gw.json.valid('{\"a\":[1]}')", "true");
  BED_GIVES(&bed,
            "return (gw.json.decode(('['):rep(128) .. (']'):rep(128))) ~= nil, "
            "(gw.json.decode(('['):rep(129) .. (']'):rep(129)))",
            "true nil");
  bed_done(&bed);
}

TEST(what_json_cannot_hold_is_an_error) {
  struct bed bed;
  bed_init(&bed, (struct vm_options){0});
  BED_FAILS(&bed, "gw.json.encode(0/0)", 1, "no infinite numbers and no NaN");
  BED_FAILS(&bed, "gw.json.encode({ 1/0 })", 1, "no infinite numbers");
  BED_FAILS(&bed, "gw.json.encode(gw.json.decode('[1e999]'))", 1, "no infinite numbers");
  BED_FAILS(&bed, "gw.json.encode(print)", 1, "a function is no JSON value");
  BED_FAILS(&bed, "gw.json.encode({ [true] = 1 })", 1, "key is a boolean");
  BED_FAILS(&bed, "gw.json.encode({ a = 1, [2] = 1 })", 1, "key is a number");
  BED_FAILS(&bed, "gw.json.encode(gw.json.array({ 1, nil, 3 }))", 1, "element 2 of a list is nil");
  BED_FAILS(&bed, "local t = {} t[1] = t gw.json.encode(t)", 1, "contains itself");
  BED_FAILS(&bed, "local t = {} t.a = { b = t } gw.json.encode(t)", 1, "contains itself");
  BED_FAILS(&bed, "gw.json.array(setmetatable({}, {}))", 1, "has a metatable of its own");
  /* After such errors the writer works as before. */
  BED_GIVES(&bed,
            "for i = 1, 5 do pcall(gw.json.encode, { a = 1, b = { c = print } }) end return gw.json.encode({ a = 1 })",
            "{\"a\":1}");
  bed_done(&bed);
}

/* Many shapes, back and forth, through the C entries that the request code uses. */
static int enter_c(lua_State *L, void *owner) {
  (void)owner;
  struct vm *vm = vm_of(L);
  static const char text[] =
      "{\"messages\":[{\"content\":\"hi\",\"role\":\"user\"}],\"tools\":[{\"parameters\":{\"a\":1}}]}";
  vm->padded.len = 0;
  buf_append(&vm->padded, text, sizeof text - 1);
  lua_settop(L, 0);
  lua_createtable(L, 0, 1);
  lua_pushboolean(L, 1);
  lua_setfield(L, 1, "parameters");
  CHECK(api_json_decode(L, buf_view(&vm->padded), 1));
  vm->out.len = 0;
  api_json_encode(L, -1, &vm->out);
  CHECK_SLICE(buf_view(&vm->out), text);
  api_json_push_raw(L, SLICE("[7]"));
  CHECK_SLICE(api_json_raw(L, -1), "[7]");
  CHECK(api_json_raw(L, 1).ptr == NULL);
  CHECK(!api_json_decode(L, slice_of("[", 0), 0));
  lua_settop(L, 0);
  return -1;
}

TEST(the_c_side_reads_and_writes) {
  static const struct run_task task = {enter_c, NULL};
  struct bed bed;
  bed_init(&bed, (struct vm_options){0});
  CHECK_INT(run_start(bed.slot, RUN_REQUEST, &task, &bed, &bed.report), RUN_DONE);
  bed_done(&bed);
}

/* ---- the small functions ---- */

struct seen {
  int lines, counted;
  int64_t by;
  char text[4096], place[64];
};

static void see_log(void *owner, enum log_level level, struct slice place, struct slice text) {
  struct seen *seen = owner;
  (void)level;
  seen->lines++;
  snprintf(seen->text, sizeof seen->text, "%.*s", (int)text.len, text.ptr);
  snprintf(seen->place, sizeof seen->place, "%.*s", (int)place.len, place.ptr);
}

static void see_count(void *owner, struct slice name, int64_t by) {
  struct seen *seen = owner;
  if (slice_eq(name, SLICE("small_prompts"))) seen->counted++;
  seen->by += by;
}

static int64_t fake_now(void *owner) {
  (void)owner;
  return 1700000000123;
}

TEST(doors_are_used) {
  struct seen seen = {0};
  struct bed bed;
  bed_init(&bed, (struct vm_options){.doors = {&seen, see_log, see_count, fake_now}});
  BED_GIVES(&bed, "\nprint('a', 1, nil, true) return gw.now_ms()", "1700000000123");
  CHECK_SLICE(slice_text(seen.text), "a 1 nil true");
  CHECK_SLICE(slice_text(seen.place), "test.lua:2: ");
  BED_GIVES(&bed, "gw.log.warn(('x'):rep(10000))", "");
  CHECK_INT(strlen(seen.text), 2048);
  BED_GIVES(&bed, "for i = 1, 1000 do gw.log.info(i) end", "");
  CHECK(seen.lines < 40);
  BED_GIVES(&bed, "gw.count('small_prompts') gw.count('small_prompts', 4)", "");
  CHECK_INT(seen.counted, 2);
  CHECK_INT(seen.by, 5);
  BED_FAILS(&bed, "gw.count('Bad name')", 1, "a-z, 0-9 and _");
  BED_FAILS(&bed, "gw.count('x', -1)", 1, "counters only grow");
  bed_done(&bed);
}

TEST(ids_hashes_and_chance) {
  struct bed bed;
  bed_init(&bed, (struct vm_options){0});
  BED_GIVES(&bed, "return gw.hash('abc'), gw.hash('abc', 64), #gw.hash('', 1)",
            "ba7816bf8f01cfea ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad 1");
  BED_GIVES(&bed,
            "local a, b = gw.id('req_'), gw.id('req_') return #a, a ~= b, a:match('^req_[0-9a-z]+$') == a, #gw.id()",
            "28 true true 24");
  BED_GIVES(&bed,
            "for i = 1, 1000 do local r = gw.random() assert(r >= 0 and r < 1) end return gw.random() ~= gw.random()",
            "true");
  BED_GIVES(&bed, "return gw.now_ms() > 1700000000000", "true");
  bed_done(&bed);
}

/* What a value is pushed as, told by writing it again; beside it what the decoder makes of the same text. */
struct both {
  struct buf text, pushed, decoded;
};

static int l_push_both(lua_State *L) {
  struct both *b = lua_touserdata(L, 1);
  enum json_kind kind = JSON_NUMBER;
  switch (*b->text.ptr) {
  case '{': kind = JSON_OBJECT; break;
  case '[': kind = JSON_ARRAY; break;
  case '"': kind = JSON_STRING; break;
  case 't': kind = JSON_TRUE; break;
  case 'f': kind = JSON_FALSE; break;
  default: break;
  }
  api_json_push_value(L, buf_view(&b->text), kind); /* b value */
  api_json_encode(L, -1, &b->pushed);
  CHECK_INT(lua_gettop(L), 2);
  must(api_json_decode(L, buf_view(&b->text), 0)); /* b value decoded */
  api_json_encode(L, -1, &b->decoded);
  return 0;
}

TEST(small_values_are_read_as_large_ones_are) {
  static const char *const values[] = {
      "{}",
      "[]",
      "[[],{}]",
      "{\"a\":null,\"b\":[1,2.50,-3e2,true,false,null],\"c\":{\"d\":\"\\u00e9\\n\\/\"}}",
      "{ \"a\" : 1 , \"a\" : 2 }",
      "{\"\\u0061\":1}",
      "\"\\ud83d\"",
      "12345678901234567890",
      "-0",
      "true",
      "false",
      "[[[[[[[[[[[[1]]]]]]]]]]]]",
      "{\"usage\":{\"in\":19,\"details\":{\"cached\":0}}}",
  };
  struct bed bed;
  bed_init(&bed, (struct vm_options){0});
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    struct both b = {.text = padded(values[i])};
    CHECK(vm_call(bed.vm, l_push_both, &b, NULL));
    CHECK(slice_eq(buf_view(&b.pushed), buf_view(&b.decoded)));
    CHECK(b.pushed.len > 0);
    buf_done(&b.text);
    buf_done(&b.pushed);
    buf_done(&b.decoded);
  }
  bed_done(&bed);
}

TEST(objects_of_any_size_are_written_in_order) {
  struct bed bed;
  bed_init(&bed, (struct vm_options){0});
  BED_GIVES(&bed,
            "for _, n in ipairs { 0, 1, 16, 17, 31, 32, 33, 34, 500 } do local t, keys = {}, {} for i = 1, n do "
            "local key = 'k' .. i * 7919 % 1000 t[key] = { [key] = i } keys[i] = key end table.sort(keys) "
            "for i, key in ipairs(keys) do keys[i] = '\"' .. key .. '\":{\"' .. key .. '\":' .. t[key][key] .. '}' end "
            "assert(gw.json.encode(t) == '{' .. table.concat(keys, ',') .. '}', n) end return 'same'",
            "same");
  bed_done(&bed);
}

UNIT_MAIN()
