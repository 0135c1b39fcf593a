/* stdlib_string: the string library. The VM's thread. find, match, gmatch and gsub are in pattern.c. */
#include <lualib.h>
#include <string.h>

#include "base/bytes.h"
#include "script/run.h"
#include "script/stdlib/pattern.h"
#include "script/stdlib/sandbox.h"
#include "script/stdlib/stdlib.h"

static int l_string_rep(lua_State *L) {
  size_t len, between_len;
  const char *text = luaL_checklstring(L, 1, &len);
  lua_Integer times = luaL_checkinteger(L, 2);
  const char *between = luaL_optlstring(L, 3, "", &between_len);
  if (times <= 0 || len + between_len == 0) {
    lua_pushliteral(L, ""); /* … "" */
    return 1;
  }
  if ((lua_Unsigned)times > STDLIB_TEXT_MAX_BYTES / (len + between_len)) {
    return luaL_error(L, "string.rep: the result would be longer than %d MB", STDLIB_TEXT_MAX_BYTES >> 20);
  }
  size_t unit = len + between_len, total = (size_t)times * unit - between_len;
  luaL_Buffer out;
  char *at = luaL_buffinitsize(L, &out, total);
  memcpy(at, text, len);
  if (times > 1) memcpy(at + len, between, between_len);
  /* Twice as much each time: 16 MB byte by byte would take longer than a script may. */
  for (size_t done = unit; done < total;) {
    size_t more = done < total - done ? done : total - done;
    memcpy(at + done, at, more);
    done += more;
  }
  luaL_pushresultsize(&out, total); /* … text */
  return 1;
}

/* Lua's format does the work, after the parts that are not bounded or would show addresses have been seen to: %p is
 * refused, and what %s prints is made by our tostring. */
static int l_string_format(lua_State *L) {
  size_t len;
  const char *format = luaL_checklstring(L, 1, &len), *end = format + len;
  int argument = 1;
  for (const char *at = format; (at = memchr(at, '%', (size_t)(end - at))) != NULL;) {
    at++;
    if (at < end && *at == '%') {
      at++;
      continue;
    }
    at += strspn(at, "-+ #0123456789.");
    if (++argument > STDLIB_FORMAT_MAX) {
      return luaL_error(L, "string.format: more than %d conversions in one call", STDLIB_FORMAT_MAX);
    }
    if (at < end && *at == 'p') return luaL_error(L, "string.format: %%p is not allowed in scripts");
    int kind = lua_type(L, argument);
    if (at < end && *at == 's' && kind != LUA_TSTRING && kind != LUA_TNUMBER && kind != LUA_TNONE) {
      sandbox_tostring(L, argument, NULL); /* … text */
      lua_replace(L, argument);            /* … */
    }
  }
  return stdlib_call_own(L);
}

void stdlib_open_string(lua_State *L) {
  static const char *const kept[] = {"char", "len", "lower", "reverse", "sub", "upper", NULL};
  lua_createtable(L, 0, 16);            /* string */
  lua_pushcfunction(L, luaopen_string); /* string open */
  lua_call(L, 0, 1);                    /* string whole */
  lua_insert(L, -2);                    /* whole string */
  stdlib_pick(L, -2, kept);
  lua_getfield(L, -2, "format");             /* whole string format */
  lua_pushcclosure(L, l_string_format, 1);   /* whole string format */
  lua_setfield(L, -2, "format");             /* whole string */
  lua_getfield(L, -2, "byte");               /* whole string byte */
  lua_pushcclosure(L, stdlib_call_slice, 1); /* whole string byte */
  lua_setfield(L, -2, "byte");               /* whole string */
  lua_pushcfunction(L, l_string_rep);        /* whole string rep */
  lua_setfield(L, -2, "rep");                /* whole string */
  pattern_open(L);
  lua_remove(L, -2); /* string */
}
