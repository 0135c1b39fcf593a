/* api_json: JSON to Lua values and back. The VM's thread.
 *
 * Reading: the walk over the document builds the tables as it goes. Lua must not throw through the parser's frames, so
 * the memory cap is lent to it (vm_lend) and looked at after each value. Writing: into a buffer that the VM owns, so
 * that a throw leaks nothing; an object's members are sorted in a list that the VM owns too. Neither calls a script's
 * functions: metatables are ignored, except the array's own. */
#include "script/api/api_json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "script/guard.h"
#include "wire/json.h"
#include "wire/json_cursor.h"

enum {
  OUT_MAX_BYTES = 32 << 20,  /* of a text that scripts may encode */
  SPARE_MAX_BYTES = 1 << 20, /* a reused buffer that grew beyond is freed after the call */
  ELEMENT_BYTES = 16,        /* of a table, at least */
  STACK_PER_LEVEL = 3,       /* key, table, and one for the value being made */
  VALUES_MAX = 32            /* of an object being written, kept on the stack */
};

/* Its address is the light userdata that stands for null. */
static char null_mark;

struct raw {
  size_t len;
  char bytes[];
};

void api_json_push_null(lua_State *L) {
  lua_pushlightuserdata(L, &null_mark); /* … null */
}

bool api_json_is_null(lua_State *L, int index) {
  return lua_islightuserdata(L, index) && lua_touserdata(L, index) == &null_mark;
}

void api_json_push_raw(lua_State *L, struct slice json) {
  struct raw *raw = lua_newuserdatauv(L, sizeof *raw + json.len, 0); /* … raw */
  raw->len = json.len;
  memcpy(raw->bytes, json.ptr, json.len);
  vm_push(L, VM_RAW_METATABLE); /* … raw metatable */
  lua_setmetatable(L, -2);      /* … raw */
}

static bool has_metatable(lua_State *L, int index, enum vm_thing thing) {
  if (!lua_getmetatable(L, index)) return false; /* … metatable */
  vm_push(L, thing);                             /* … metatable thing */
  bool same = lua_rawequal(L, -1, -2);
  lua_pop(L, 2); /* … */
  return same;
}

struct slice api_json_raw(lua_State *L, int index) {
  if (lua_type(L, index) != LUA_TUSERDATA || !has_metatable(L, index, VM_RAW_METATABLE)) return slice_of(NULL, 0);
  const struct raw *raw = lua_touserdata(L, index);
  return slice_of(raw->bytes, raw->len);
}

void api_json_mark_array(lua_State *L) {
  vm_push(L, VM_ARRAY_METATABLE); /* … table metatable */
  lua_setmetatable(L, -2);        /* … table */
}

static bool is_marked_array(lua_State *L, int index) {
  return has_metatable(L, index, VM_ARRAY_METATABLE);
}

bool api_json_is_array(lua_State *L, int index) {
  if (!lua_istable(L, index)) return false;
  if (is_marked_array(L, index)) return true;
  bool filled = lua_rawgeti(L, index, 1) != LUA_TNIL; /* … element */
  lua_pop(L, 1);                                      /* … */
  return filled;
}

/* ---- reading ---- */

struct reading {
  lua_State *L;
  struct vm *vm;
  int raw; /* index of the set of keys, or 0 */
  unsigned depth;
  lua_Integer filled[JSON_DEPTH_MAX + 1]; /* elements of the open array at each depth; -1 for an object */
};

static void push_number(lua_State *L, struct slice text) {
  const char *at = text.ptr, *end = text.ptr + text.len;
  bool negative = at < end && *at == '-';
  uint64_t number = 0, limit = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX;
  if (negative) at++;
  while (at < end && *at >= '0' && *at <= '9') {
    unsigned digit = (unsigned)(*at - '0');
    if (number > (limit - digit) / 10) break;
    number = number * 10 + digit;
    at++;
  }
  if (at == end && !(negative && number == 0)) {
    lua_pushinteger(L, (lua_Integer)(negative ? 0 - number : number)); /* … integer */
    return;
  }
  double real = 0;
  /* Beyond the range of a double a number becomes infinite, and encoding it again is refused. */
  if (!json_to_double(text, &real)) real = negative ? -HUGE_VAL : HUGE_VAL;
  lua_pushnumber(L, real); /* … float */
}

/* The value at the top goes into the open table below it. */
static void store(struct reading *r, bool keyed) {
  if (r->depth == 0) return;
  if (keyed) lua_rawset(r->L, -3);
  else lua_rawseti(r->L, -2, ++r->filled[r->depth]);
}

/* Does the cap leave room for a table of so many elements? */
static bool has_room(const struct vm *vm, size_t count) {
  return vm->memory.used_bytes + count * ELEMENT_BYTES <= vm->memory.max_bytes;
}

static enum json_walk_step read_value(void *owner, enum json_kind kind, struct slice key, struct slice text,
                                      struct slice raw, size_t count) {
  struct reading *r = owner;
  lua_State *L = r->L;
  if (r->vm->stop || vm_is_over(r->vm)) return JSON_WALK_STOP;
  bool keyed = r->depth > 0 && r->filled[r->depth] < 0;
  if (keyed) lua_pushlstring(L, key.ptr, key.len); /* … key */
  switch (kind) {
  case JSON_NULL: api_json_push_null(L); break;
  case JSON_FALSE: lua_pushboolean(L, 0); break;
  case JSON_TRUE: lua_pushboolean(L, 1); break;
  case JSON_NUMBER: push_number(L, text); break;
  case JSON_STRING: lua_pushlstring(L, text.ptr, text.len); break;
  case JSON_ARRAY:
  case JSON_OBJECT:
    if (keyed && r->raw != 0) {
      lua_pushvalue(L, -1);  /* … key key */
      lua_rawget(L, r->raw); /* … key wanted */
      bool stays_raw = lua_toboolean(L, -1);
      lua_pop(L, 1); /* … key */
      if (stays_raw) {
        api_json_push_raw(L, raw); /* … key raw */
        store(r, true);            /* … */
        return JSON_WALK_SKIP;
      }
    }
    if (!has_room(r->vm, count)) return JSON_WALK_STOP;
    if (kind == JSON_ARRAY) {
      lua_createtable(L, (int)count, 0); /* … table */
      api_json_mark_array(L);
    } else {
      lua_createtable(L, 0, (int)count); /* … table */
    }
    r->filled[++r->depth] = kind == JSON_ARRAY ? 0 : -1;
    return JSON_WALK_ENTER;
  }
  store(r, keyed); /* … */
  return JSON_WALK_ENTER;
}

static bool read_end(void *owner) {
  struct reading *r = owner;
  r->depth--;
  store(r, r->depth > 0 && r->filled[r->depth] < 0);
  return true;
}

bool api_json_decode(lua_State *L, struct slice text, int raw) {
  static const struct json_walker walker = {read_value, read_end};
  struct json_fault fault = {0, NULL};
  luaL_checkstack(L, JSON_DEPTH_MAX * STACK_PER_LEVEL + 8, NULL);
  int top = lua_gettop(L);
  struct vm *vm = vm_of(L);
  for (bool is_collected = false;; is_collected = true) {
    struct reading r = {.L = L, .vm = vm, .raw = raw ? lua_absindex(L, raw) : 0};
    vm_lend(vm, true);
    bool read = json_walk(text, &walker, &r, &fault);
    vm_lend(vm, false);
    if (read) return true; /* … value */
    lua_settop(L, top);    /* … */
    run_poll(L);
    if (fault.why != NULL) break;
    vm_collect(vm); /* what the last long body has left behind */
    if (!is_collected) continue;
    luaL_error(L, "not enough memory for a document of %d bytes", (int)text.len);
  }
  lua_pushfstring(L, "not JSON: %s at byte %d", fault.why, (int)fault.at + 1); /* … message */
  return false;
}

enum { SMALL_BYTES = 2048, SMALL_DEPTH = 8, SMALL_MEMBERS = 8 };

static bool push_small(lua_State *L, struct json_cursor *c, unsigned depth);

/* A scalar; null stays null. */
static bool push_scalar(lua_State *L, struct slice raw) {
  char decoded[SMALL_BYTES];
  size_t len;
  switch (raw.len > 0 ? *raw.ptr : 0) {
  case 0: return false;
  case 'n': api_json_push_null(L); return true;
  case 't':
  case 'f': lua_pushboolean(L, *raw.ptr == 't'); return true;
  case '"':
    if (raw.len > SMALL_BYTES || !json_unquote(raw, decoded, &len)) return false;
    lua_pushlstring(L, decoded, len); /* … text */
    return true;
  default: push_number(L, raw); return true;
  }
}

/* The object or list at the cursor; false when it is not small, or its keys have escapes: then there may be more on the
 * stack. */
static bool push_container(lua_State *L, struct json_cursor *c, unsigned depth) {
  struct slice key;
  lua_Integer count = 0;
  bool is_object = *c->at == '{';
  luaL_checkstack(L, STACK_PER_LEVEL + 2, NULL);
  lua_createtable(L, 0, is_object ? SMALL_MEMBERS : 0); /* … table */
  if (!is_object) api_json_mark_array(L);
  while (is_object ? json_next_key(c, &key) : json_next_element(c)) {
    if (is_object) lua_pushlstring(L, key.ptr, key.len); /* … table key */
    if (!push_small(L, c, depth)) return false;
    if (is_object) lua_rawset(L, -3);
    else lua_rawseti(L, -2, ++count); /* … table */
  }
  return !c->is_broken;
}

static bool push_small(lua_State *L, struct json_cursor *c, unsigned depth) {
  bool opens = c->at < c->end && (*c->at == '{' || *c->at == '[');
  if (opens) return depth > 0 && push_container(L, c, depth - 1);
  return push_scalar(L, json_take(c));
}

void api_json_push_value(lua_State *L, struct slice raw, enum json_kind kind) {
  int top = lua_gettop(L);
  struct json_cursor c = json_cursor_of(raw);
  if (kind == JSON_NULL) {
    lua_pushnil(L); /* … nil */
    return;
  }
  /* What is small is read at once: the parser takes longer to begin than to read it. */
  if (raw.len <= SMALL_BYTES && push_small(L, &c, SMALL_DEPTH) && json_ended(&c)) return; /* … value */
  lua_settop(L, top);
  if (!api_json_decode(L, raw, 0)) lua_error(L); /* … value */
}

/* A copy of the text at index with room behind it for the parser; borrowed until the next call. */
static struct slice padded(lua_State *L, int index) {
  struct vm *vm = vm_of(L);
  size_t len;
  const char *text = luaL_checklstring(L, index, &len);
  vm->padded.len = 0;
  buf_append(&vm->padded, text, len);
  return buf_view(&vm->padded);
}

void api_json_trim(struct buf *reused) {
  if (reused->cap > SPARE_MAX_BYTES) buf_done(reused);
}

/* ---- writing ---- */

struct writing {
  lua_State *L;
  struct vm *vm;
  struct buf *out;
  unsigned depth;
};

static void write_value(struct writing *w);

static int compare_members(const void *a, const void *b) {
  const struct vm_member *left = a, *right = b;
  return slice_compare(left->key, right->key);
}

static void write_array(struct writing *w) {
  lua_State *L = w->L;
  lua_Integer len = (lua_Integer)lua_rawlen(L, -1);
  buf_byte(w->out, '[');
  for (lua_Integer i = 1; i <= len; i++) {
    if (i > 1) buf_byte(w->out, ',');
    lua_rawgeti(L, -1, i); /* … table value */
    if (lua_isnil(L, -1))
      luaL_error(L, "gw.json.encode: element %I of a list is nil; use gw.json.null", (LUAI_UACINT)i);
    write_value(w);
    lua_pop(L, 1); /* … table */
  }
  buf_byte(w->out, ']');
}

static struct vm_member *add_member(struct vm *vm) {
  if (vm->members_len == vm->members_cap) {
    vm->members_cap = vm->members_cap ? vm->members_cap * 2 : 64;
    vm->members = mem_resize(vm->members, vm->members_cap * sizeof *vm->members);
  }
  return &vm->members[vm->members_len++];
}

/* Collects the members of the table at the top behind those of the tables around it. The values of the first ones stay
 * on the stack, above the table: to look them up again would take longer than all else here. */
static uint32_t collect_members(struct writing *w) {
  struct vm *vm = w->vm;
  lua_State *L = w->L;
  uint32_t before = vm->members_len;
  int table = lua_gettop(L);
  for (lua_pushnil(L); lua_next(L, table);) { /* table value… key value */
    if (lua_type(L, -2) != LUA_TSTRING) {
      luaL_error(L, "gw.json.encode: an object's key is a %s, not a string", luaL_typename(L, -2));
    }
    struct vm_member *member = add_member(vm);
    member->key.ptr = lua_tolstring(L, -2, &member->key.len);
    member->value = 0;
    if (vm->members_len - before > VALUES_MAX) {
      lua_pop(L, 1); /* table value… key */
      continue;
    }
    member->value = lua_gettop(L) - 1;
    lua_insert(L, -2); /* table value… value key */
  }
  uint32_t count = vm->members_len - before;
  struct vm_member *members = vm->members + before;
  if (count > 16) {
    qsort(members, count, sizeof *members, compare_members);
  } else {
    for (uint32_t i = 1; i < count; i++) {
      struct vm_member moved = members[i];
      uint32_t at = i;
      for (; at > 0 && slice_compare(moved.key, members[at - 1].key) < 0; at--) members[at] = members[at - 1];
      members[at] = moved;
    }
  }
  return before;
}

static void write_object(struct writing *w) {
  struct vm *vm = w->vm;
  lua_State *L = w->L;
  int table = lua_gettop(L);
  luaL_checkstack(L, VALUES_MAX + STACK_PER_LEVEL + 2, NULL);
  uint32_t first = collect_members(w), end = vm->members_len; /* table value… */
  buf_byte(w->out, '{');
  for (uint32_t i = first; i < end; i++) {
    if (i > first) buf_byte(w->out, ',');
    struct vm_member member = vm->members[i];
    json_put_string(w->out, member.key);
    buf_byte(w->out, ':');
    if (member.value != 0) {
      lua_pushvalue(L, member.value); /* table value… value */
    } else {
      lua_pushlstring(L, member.key.ptr, member.key.len); /* table value… key */
      lua_rawget(L, table);                               /* table value… value */
    }
    write_value(w);
    lua_pop(L, 1); /* table value… */
  }
  buf_byte(w->out, '}');
  vm->members_len = first;
  lua_settop(L, table); /* table */
}

static void write_table(struct writing *w) {
  lua_State *L = w->L;
  if (++w->depth > JSON_DEPTH_MAX) {
    luaL_error(L, "gw.json.encode: nested deeper than %d levels, or a table that contains itself", JSON_DEPTH_MAX);
  }
  if (w->out->len > OUT_MAX_BYTES) luaL_error(L, "gw.json.encode: longer than %d MB", OUT_MAX_BYTES >> 20);
  run_poll(L);
  luaL_checkstack(L, STACK_PER_LEVEL + 2, NULL);
  if (api_json_is_array(L, -1)) write_array(w);
  else write_object(w);
  w->depth--;
}

/* Writes the value at the top and leaves it there. */
static void write_value(struct writing *w) {
  lua_State *L = w->L;
  struct slice text;
  switch (lua_type(L, -1)) {
  case LUA_TBOOLEAN: buf_text(w->out, lua_toboolean(L, -1) ? "true" : "false"); return;
  case LUA_TSTRING:
    text.ptr = lua_tolstring(L, -1, &text.len);
    json_put_string(w->out, text);
    return;
  case LUA_TNUMBER:
    if (lua_isinteger(L, -1)) {
      buf_i64(w->out, lua_tointeger(L, -1));
      return;
    }
    if (!isfinite(lua_tonumber(L, -1))) luaL_error(L, "gw.json.encode: JSON has no infinite numbers and no NaN");
    json_put_double(w->out, lua_tonumber(L, -1));
    return;
  case LUA_TTABLE: write_table(w); return;
  case LUA_TNIL: buf_text(w->out, "null"); return;
  default:
    if (api_json_is_null(L, -1)) {
      buf_text(w->out, "null");
      return;
    }
    text = api_json_raw(L, -1);
    if (text.ptr == NULL) luaL_error(L, "gw.json.encode: a %s is no JSON value", luaL_typename(L, -1));
    buf_slice(w->out, text);
  }
}

void api_json_encode(lua_State *L, int index, struct buf *out) {
  struct writing w = {.L = L, .vm = vm_of(L), .out = out};
  w.vm->members_len = 0; /* a writer that threw left its members */
  luaL_checkstack(L, 8, NULL);
  lua_pushvalue(L, index); /* … value */
  write_value(&w);
  lua_pop(L, 1); /* … */
}

/* ---- gw.json ---- */

static int l_json_decode(lua_State *L) {
  guard_check(L);
  struct slice text = padded(L, 1);
  lua_settop(L, 2); /* text options */
  int raw = 0;
  if (!lua_isnil(L, 2)) {
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_pushliteral(L, "raw");                   /* text options "raw" */
    if (lua_rawget(L, 2) == LUA_TTABLE) raw = 3; /* text options raw */
  }
  bool read = api_json_decode(L, text, raw); /* … value or message */
  api_json_trim(&vm_of(L)->padded);
  if (read) return 1;
  lua_pushnil(L);    /* … message nil */
  lua_insert(L, -2); /* … nil message */
  return 2;
}

static int push_encoded(lua_State *L, int index) {
  struct buf *out = &vm_of(L)->out;
  out->len = 0;
  api_json_encode(L, index, out);
  lua_pushlstring(L, out->ptr, out->len); /* … text */
  api_json_trim(out);
  return 1;
}

static int l_json_encode(lua_State *L) {
  guard_check(L);
  luaL_checkany(L, 1);
  return push_encoded(L, 1);
}

static int l_json_text(lua_State *L) {
  guard_check(L);
  luaL_checkany(L, 1);
  struct slice raw = api_json_raw(L, 1);
  if (raw.ptr == NULL) return push_encoded(L, 1);
  lua_pushlstring(L, raw.ptr, raw.len); /* … text */
  return 1;
}

static int l_json_raw(lua_State *L) {
  guard_check(L);
  struct json_fault fault = {0, NULL};
  struct slice text = padded(L, 1);
  if (!json_valid(text, &fault)) {
    return luaL_error(L, "gw.json.raw: not JSON: %s at byte %d", fault.why, (int)fault.at + 1);
  }
  api_json_push_raw(L, text); /* … raw */
  api_json_trim(&vm_of(L)->padded);
  return 1;
}

static int l_json_valid(lua_State *L) {
  guard_check(L);
  struct json_fault fault;
  lua_pushboolean(L, json_valid(padded(L, 1), &fault)); /* … valid */
  api_json_trim(&vm_of(L)->padded);
  return 1;
}

static int l_json_is_raw(lua_State *L) {
  guard_check(L);
  lua_pushboolean(L, api_json_raw(L, 1).ptr != NULL); /* … is_raw */
  return 1;
}

static int l_json_array(lua_State *L) {
  guard_check(L);
  lua_settop(L, 1); /* table? */
  if (lua_isnil(L, 1)) {
    lua_createtable(L, 0, 0); /* nil table */
  } else {
    luaL_checktype(L, 1, LUA_TTABLE);
    if (lua_getmetatable(L, 1)) { /* table metatable */
      lua_pop(L, 1);              /* table */
      if (!is_marked_array(L, 1)) return luaL_argerror(L, 1, "has a metatable of its own");
    }
  }
  api_json_mark_array(L);
  return 1;
}

static int l_json_is_array(lua_State *L) {
  guard_check(L);
  lua_pushboolean(L, api_json_is_array(L, 1)); /* … is_array */
  return 1;
}

/* A metatable that shows `shown` to scripts and nothing else. */
static void keep_metatable(lua_State *L, const char *shown, enum vm_thing thing) {
  lua_createtable(L, 0, 2);           /* … metatable */
  lua_pushstring(L, shown);           /* … metatable shown */
  lua_pushvalue(L, -1);               /* … metatable shown shown */
  lua_setfield(L, -3, "__metatable"); /* … metatable shown */
  lua_setfield(L, -2, "__name");      /* … metatable */
  vm_keep(L, thing);                  /* … */
}

int api_json_open(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"array", l_json_array},       {"decode", l_json_decode}, {"encode", l_json_encode},
      {"is_array", l_json_is_array}, {"is_raw", l_json_is_raw}, {"raw", l_json_raw},
      {"text", l_json_text},         {"valid", l_json_valid},   {NULL, NULL},
  };
  keep_metatable(L, "JSON array", VM_ARRAY_METATABLE);
  keep_metatable(L, "raw JSON", VM_RAW_METATABLE);
  lua_createtable(L, 0, 9); /* gw json */
  guard_add(L, "gw.json.", functions);
  api_json_push_null(L);       /* gw json null */
  lua_setfield(L, -2, "null"); /* gw json */
  lua_setfield(L, 1, "json");  /* gw */
  return 0;
}
