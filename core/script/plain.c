/* plain: a small state of its own for each file: base functions, string, table, math, and env and file. The operator's
 * own file, so the only limits are against endless loops and tables, which a reload would have the gateway that runs
 * pay for. Any thread but a serving worker's. */
#include "script/plain.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/must.h"
#include "base/secret.h"
#include "script/plain_table.h"

enum { STEPS_MAX = 50000000, MEMORY_MAX_MIB = 64 };

struct plain_memory {
  size_t used_bytes, max_bytes;
};

static void *allocate(void *owner, void *memory, size_t old_bytes, size_t new_bytes) {
  struct plain_memory *m = owner;
  if (memory == NULL) old_bytes = 0; /* then Lua passes the kind of object here */
  if (new_bytes > old_bytes && new_bytes - old_bytes > m->max_bytes - m->used_bytes) return NULL;
  m->used_bytes = m->used_bytes - old_bytes + new_bytes;
  if (new_bytes > 0) return mem_resize(memory, new_bytes);
  mem_free(memory);
  return NULL;
}

static void too_long(lua_State *L, lua_Debug *where) {
  lua_sethook(L, too_long, LUA_MASKCOUNT, 1); /* a pcall must not swallow it */
  lua_getinfo(L, "Sl", where);
  /* Level 0: the hook runs in the function that it stops, luaL_error would look at that one's caller. */
  lua_pushfstring(
      L,
      "%s:%d: the file still runs after %d steps\n  it is meant to return a table: is there a loop that does "
      "not end?",
      where->source + 1, where->currentline, STEPS_MAX);
  lua_error(L);
}

/* { reference, bytes } with the secret mark. */
static int push_secret(lua_State *L, const char *kind, const char *name, struct slice bytes) {
  lua_createtable(L, 2, 0);                /* secret */
  lua_pushfstring(L, "%s %s", kind, name); /* secret reference */
  lua_rawseti(L, -2, 1);                   /* secret */
  if (bytes.len > 0) {
    lua_pushlstring(L, bytes.ptr, bytes.len); /* secret bytes */
    lua_rawseti(L, -2, 2);                    /* secret */
  }
  luaL_setmetatable(L, PLAIN_SECRET);
  return 1;
}

static int l_env(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  return push_secret(L, "env", name, slice_text(getenv(name)));
}

static int l_file(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  char bytes[8192];
  char path[1024];
  const char *directory = lua_tostring(L, lua_upvalueindex(1));
  snprintf(path, sizeof path, "%s%s", *name == '/' ? "" : directory, name);
  FILE *f = fopen(path, "re");
  size_t len = f ? fread(bytes, 1, sizeof bytes, f) : 0;
  if (f != NULL) fclose(f);
  while (len > 0 && (bytes[len - 1] == '\n' || bytes[len - 1] == '\r')) len--;
  push_secret(L, "file", name, slice_of(bytes, len));
  secret_wipe(bytes, sizeof bytes);
  return 1;
}

static int open_base(lua_State *L) {
  static const luaL_Reg libraries[] = {{LUA_GNAME, luaopen_base},
                                       {LUA_STRLIBNAME, luaopen_string},
                                       {LUA_TABLIBNAME, luaopen_table},
                                       {LUA_MATHLIBNAME, luaopen_math}};
  for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
    luaL_requiref(L, libraries[i].name, libraries[i].func, 1); /* library */
    lua_pop(L, 1);                                             /* */
  }
  static const char *const closed[] = {"dofile", "loadfile", "load", "collectgarbage", "print", "warn"};
  for (size_t i = 0; i < sizeof closed / sizeof *closed; i++) {
    lua_pushnil(L);
    lua_setglobal(L, closed[i]);
  }
  luaL_newmetatable(L, PLAIN_SECRET); /* directory metatable */
  lua_pushboolean(L, true);
  lua_setfield(L, -2, PLAIN_SECRET);
  lua_pushboolean(L, false);
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 1); /* directory */
  lua_pushcfunction(L, l_env);
  lua_setglobal(L, "env");
  lua_pushvalue(L, 1);
  lua_pushcclosure(L, l_file, 1);
  lua_setglobal(L, "file");
  return 0;
}

/* Runs the text; the result stays on the stack. */
static bool run(lua_State *L, struct slice text, const char *name, struct err *e) {
  if (slice_starts(text, slice_text(LUA_SIGNATURE)))
    return err_set(e, "%s:1: the file is compiled Lua; only text is read\n  give the source file instead", name);
  char chunk[1024];
  const char *slash = strrchr(name, '/');
  snprintf(chunk, sizeof chunk, "@%s", name);
  lua_pushcfunction(L, open_base);
  lua_pushlstring(L, name, slash ? (size_t)(slash - name) + 1 : 0); /* open directory */
  if (lua_pcall(L, 1, 0, 0) == LUA_OK && luaL_loadbufferx(L, text.ptr, text.len, chunk, "t") == LUA_OK) { /* chunk */
    lua_sethook(L, too_long, LUA_MASKCOUNT, STEPS_MAX);
    int status = lua_pcall(L, 0, 1, 0);
    if (status == LUA_ERRMEM)
      return err_set(e, "%s:1: the file takes more than %d MiB of memory\n  it is meant to return a table", name,
                     MEMORY_MAX_MIB);
    if (status == LUA_OK) { /* result */
      lua_sethook(L, NULL, 0, 0);
      if (lua_istable(L, -1)) return true;
      return err_set(e, "%s:1: the file must return a table\n  for example: return { listen = \"127.0.0.1:8080\" }",
                     name);
    }
  }
  const char *message =
      lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "the file raised an error that is no text";
  /* Whoever reaches for os or require wants to know what there is. */
  const char *hint = strstr(message, "(global '") ? "\n  a config has env, file, string, table, math and Lua's basic "
                                                    "functions; nothing else is global"
                                                  : "";
  return err_set(e, "%s%s", message, hint);
}

struct value *plain_read(struct slice text, const char *name, struct err *e) {
  struct plain_memory memory = {.max_bytes = (size_t)MEMORY_MAX_MIB << 20};
  lua_State *L = lua_newstate(allocate, &memory);
  must(L != NULL);
  struct keylines *lines = keylines_new(text);
  struct value *v = value_new();
  struct plain_source source = {.name = name, .lines = lines};
  bool ran = run(L, text, name, e);
  memory.max_bytes = SIZE_MAX; /* what reads the result is not protected */
  if (!ran || !plain_table_read(L, -1, &source, v, e)) {
    value_free(v);
    v = NULL;
  }
  keylines_free(lines);
  lua_close(L);
  return v;
}

struct value *plain_load(const char *file, struct sources *sources, struct err *e) {
  struct slice text;
  return sources_read(sources, file, &text, e) ? plain_read(text, file, e) : NULL;
}
