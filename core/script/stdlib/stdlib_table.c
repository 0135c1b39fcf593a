/* stdlib_table: the table library on plain tables, bounded. The VM's thread.
 *
 * Lengths and ranges are never trusted: a table with 63 well-chosen keys has a border near 2^62. Sorting is a heap
 * sort: no order function, however wrong, makes it slow or lets it leave the list. */
#include "script/run.h"
#include "script/stdlib/stdlib.h"

/* The argument is a table that raw access treats as the script means it. */
static void check_plain(lua_State *L, int index) {
  static const char *const touched[] = {"__index", "__newindex", "__len"};
  luaL_checktype(L, index, LUA_TTABLE);
  if (!lua_getmetatable(L, index)) return;
  lua_pop(L, 1);
  for (size_t i = 0; i < sizeof touched / sizeof *touched; i++) {
    if (luaL_getmetafield(L, index, touched[i]) != LUA_TNIL) {
      luaL_error(L, "bad argument #%d: table functions work on plain tables, this one has %s", index, touched[i]);
    }
  }
}

/* Elements of first…last, refused when too many for one call. */
static lua_Integer span(lua_State *L, lua_Integer first, lua_Integer last) {
  if (first > last) return 0;
  lua_Unsigned count = (lua_Unsigned)last - (lua_Unsigned)first;
  if (count >= STDLIB_SPAN_MAX) luaL_error(L, "more than %d elements in one call of a table function", STDLIB_SPAN_MAX);
  return (lua_Integer)count + 1;
}

static lua_Integer checked_length(lua_State *L) {
  check_plain(L, 1);
  lua_Integer len = (lua_Integer)lua_rawlen(L, 1);
  span(L, 1, len);
  return len;
}

static int l_table_insert(lua_State *L) {
  lua_Integer len = checked_length(L);
  int given = lua_gettop(L);
  if (given == 2) {
    lua_rawseti(L, 1, len + 1); /* table */
    return 0;
  }
  if (given != 3) return luaL_error(L, "wrong number of arguments to table.insert");
  lua_Integer at = luaL_checkinteger(L, 2);
  luaL_argcheck(L, at >= 1 && at <= len + 1, 2, "position out of bounds");
  for (lua_Integer i = len; i >= at; i--) {
    run_poll(L);
    lua_rawgeti(L, 1, i);     /* table at value element */
    lua_rawseti(L, 1, i + 1); /* table at value */
  }
  lua_rawseti(L, 1, at); /* table at */
  return 0;
}

static int l_table_remove(lua_State *L) {
  lua_Integer len = checked_length(L), at = luaL_optinteger(L, 2, len);
  luaL_argcheck(L, at == len || (at >= 1 && at <= len + 1), 2, "position out of bounds");
  lua_rawgeti(L, 1, at); /* … removed */
  for (; at < len; at++) {
    run_poll(L);
    lua_rawgeti(L, 1, at + 1); /* … removed element */
    lua_rawseti(L, 1, at);     /* … removed */
  }
  lua_pushnil(L);        /* … removed nil */
  lua_rawseti(L, 1, at); /* … removed */
  return 1;
}

static int l_table_concat(lua_State *L) {
  check_plain(L, 1);
  size_t between_len;
  const char *between = luaL_optlstring(L, 2, "", &between_len);
  lua_Integer first = luaL_optinteger(L, 3, 1);
  lua_Integer last = lua_isnoneornil(L, 4) ? (lua_Integer)lua_rawlen(L, 1) : luaL_checkinteger(L, 4);
  lua_Integer count = span(L, first, last);
  luaL_Buffer out;
  luaL_buffinit(L, &out);
  for (lua_Integer i = 0; i < count; i++) {
    run_poll(L);
    if (i > 0) luaL_addlstring(&out, between, between_len);
    int kind = lua_rawgeti(L, 1, first + i); /* … element */
    if (kind != LUA_TSTRING && kind != LUA_TNUMBER) {
      return luaL_error(L, "table.concat: element %I is a %s", (LUAI_UACINT)(first + i), lua_typename(L, kind));
    }
    luaL_addvalue(&out); /* … */
  }
  luaL_pushresult(&out); /* … text */
  return 1;
}

static int l_table_unpack(lua_State *L) {
  check_plain(L, 1);
  lua_Integer first = luaL_optinteger(L, 2, 1);
  lua_Integer last = lua_isnoneornil(L, 3) ? (lua_Integer)lua_rawlen(L, 1) : luaL_checkinteger(L, 3);
  lua_Integer count = span(L, first, last);
  if (count > STDLIB_UNPACK_MAX) return luaL_error(L, "table.unpack: more than %d values", STDLIB_UNPACK_MAX);
  luaL_checkstack(L, (int)count, "too many values");
  for (lua_Integer i = 0; i < count; i++) lua_rawgeti(L, 1, first + i); /* … values */
  return (int)count;
}

static int l_table_pack(lua_State *L) {
  int count = lua_gettop(L);
  lua_createtable(L, count, 1);                          /* values… table */
  lua_insert(L, 1);                                      /* table values… */
  for (int i = count; i >= 1; i--) lua_rawseti(L, 1, i); /* table */
  lua_pushinteger(L, count);                             /* table count */
  lua_setfield(L, 1, "n");                               /* table */
  return 1;
}

static int l_table_move(lua_State *L) {
  lua_Integer first = luaL_checkinteger(L, 2), last = luaL_checkinteger(L, 3), to = luaL_checkinteger(L, 4);
  int target = lua_isnoneornil(L, 5) ? 1 : 5;
  check_plain(L, 1);
  check_plain(L, target);
  lua_Integer count = span(L, first, last);
  luaL_argcheck(L, count == 0 || to <= LUA_MAXINTEGER - count + 1, 4, "destination wraps around");
  bool upwards = target != 1 || to <= first || to > last;
  for (lua_Integer i = 0; i < count; i++) {
    lua_Integer at = upwards ? i : count - 1 - i;
    run_poll(L);
    lua_rawgeti(L, 1, first + at);   /* … element */
    lua_rawseti(L, target, to + at); /* … */
  }
  lua_pushvalue(L, target); /* … target */
  return 1;
}

/* Is the value at index a before the one at index b? The order function, if any, is argument 2. */
static bool is_before(lua_State *L, int a, int b) {
  run_poll(L);
  if (lua_isnil(L, 2)) return lua_compare(L, a, b, LUA_OPLT);
  a = lua_absindex(L, a);
  b = lua_absindex(L, b);
  lua_pushvalue(L, 2); /* … order */
  lua_pushvalue(L, a); /* … order a */
  lua_pushvalue(L, b); /* … order a b */
  lua_call(L, 2, 1);   /* … result */
  bool before = lua_toboolean(L, -1);
  lua_pop(L, 1); /* … */
  return before;
}

/* Lets the value at the top of the stack sink into the heap below `root` (elements root…len) and pops it. */
static void sink(lua_State *L, lua_Integer root, lua_Integer len) {
  for (lua_Integer child; (child = 2 * root) <= len; root = child) { /* … value */
    lua_rawgeti(L, 1, child);                                        /* … value child */
    if (child < len) {
      lua_rawgeti(L, 1, child + 1); /* … value child sibling */
      if (is_before(L, -2, -1)) {
        child++;
        lua_remove(L, -2); /* … value child */
      } else {
        lua_pop(L, 1); /* … value child */
      }
    }
    if (!is_before(L, -2, -1)) {
      lua_pop(L, 1); /* … value */
      break;
    }
    lua_rawseti(L, 1, root); /* … value */
  }
  lua_rawseti(L, 1, root); /* … */
}

static int l_table_sort(lua_State *L) {
  lua_Integer len = checked_length(L);
  if (!lua_isnoneornil(L, 2)) luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 2); /* table order */
  for (lua_Integer root = len / 2; root >= 1; root--) {
    lua_rawgeti(L, 1, root); /* table order value */
    sink(L, root, len);      /* table order */
  }
  for (lua_Integer last = len; last > 1; last--) {
    lua_rawgeti(L, 1, 1);    /* table order greatest */
    lua_rawgeti(L, 1, last); /* table order greatest value */
    lua_insert(L, -2);       /* table order value greatest */
    lua_rawseti(L, 1, last); /* table order value */
    sink(L, 1, last - 1);    /* table order */
  }
  return 0;
}

void stdlib_open_table(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"concat", l_table_concat}, {"insert", l_table_insert}, {"move", l_table_move},     {"pack", l_table_pack},
      {"remove", l_table_remove}, {"sort", l_table_sort},     {"unpack", l_table_unpack}, {NULL, NULL},
  };
  luaL_newlib(L, functions); /* table */
}
