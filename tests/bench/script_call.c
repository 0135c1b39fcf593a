/* script_call: what one call of a script costs. Prints ns per call; under callgrind run it with a number of rounds and
 * divide. `tests/bench/run calls`, or `bench_script_call [rounds]`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "script/run.h"
#include "script/stdlib/sandbox.h"
#include "script/watchdog.h"

static const char policy[] =
    "local P = { api = 1 }\n"
    "function P.setup() return { limit = 2000, small = { 'small' }, large = { 'large' }, backup = { 'backup' } } end\n"
    "function P:route(req)\n"
    "  if req.prompt_tokens < self.limit and not req.stream and req.team ~= 'vip' then return self.small, self.backup "
    "end\n"
    "  return self.large, self.backup\n"
    "end\n"
    "return P\n";

struct call {
  int route, self, req; /* registry references */
  int results;
};

/* A request as the API gives it: one reused userdata, fields read by a C function. */
static int l_req_index(lua_State *L) {
  const int *tokens = lua_touserdata(L, 1);
  const char *name = lua_tostring(L, 2);
  switch (*name) {
  case 'p': lua_pushinteger(L, *tokens); break;
  case 's': lua_pushboolean(L, 0); break;
  default: lua_pushnil(L);
  }
  return 1;
}

static int enter_load(lua_State *L, void *owner) {
  struct call *call = owner;
  sandbox_load(L, slice_text(policy), "policy.lua", NULL); /* chunk */
  lua_call(L, 0, 1);                                       /* P */
  lua_getfield(L, -1, "route");                            /* P route */
  call->route = luaL_ref(L, LUA_REGISTRYINDEX);            /* P */
  lua_getfield(L, -1, "setup");                            /* P setup */
  lua_call(L, 0, 1);                                       /* P self */
  call->self = luaL_ref(L, LUA_REGISTRYINDEX);             /* P */
  *(int *)lua_newuserdatauv(L, sizeof(int), 0) = 500;      /* P req */
  lua_createtable(L, 0, 1);                                /* P req metatable */
  lua_pushcfunction(L, l_req_index);                       /* P req metatable function */
  lua_setfield(L, -2, "__index");                          /* P req metatable */
  lua_setmetatable(L, -2);                                 /* P req */
  call->req = luaL_ref(L, LUA_REGISTRYINDEX);              /* P */
  lua_settop(L, 0);
  return -1;
}

static int enter_route(lua_State *L, void *owner) {
  const struct call *call = owner;
  lua_rawgeti(L, LUA_REGISTRYINDEX, call->route); /* route */
  lua_rawgeti(L, LUA_REGISTRYINDEX, call->self);  /* route self */
  lua_rawgeti(L, LUA_REGISTRYINDEX, call->req);   /* route self req */
  return 2;
}

static void leave_route(lua_State *L, void *owner) {
  struct call *call = owner;
  call->results = lua_gettop(L);
}

static double call_ns(struct run_slot *slot, const struct run_task *task, struct call *call, unsigned rounds) {
  uint64_t began_ns = clock_ns();
  for (unsigned i = 0; i < rounds; i++) {
    if (run_start(slot, RUN_ROUTE, task, call, NULL) != RUN_DONE) exit(1);
  }
  return (double)(clock_ns() - began_ns) / rounds;
}

struct body {
  char text[120000];
};

static int enter_bodies(lua_State *L, void *owner) {
  const struct body *body = owner;
  sandbox_load(L,
               SLICE("local text, raw, n = ... local d, e = gw.json.decode, gw.json.encode "
                     "for i = 1, n do e(d(text, raw)) end"),
               "bodies.lua", NULL); /* chunk */
  lua_pushstring(L, body->text);    /* chunk text */
  lua_pushnil(L);                   /* chunk text nil */
  lua_pushinteger(L, 20);           /* chunk text nil n */
  return 3;
}

int main(int argc, char **argv) {
  static const struct run_task load = {enter_load, NULL}, route = {enter_route, leave_route},
                               bodies = {enter_bodies, NULL};
  unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 1000000;
  char root[512];
  snprintf(root, sizeof root, "%s", __FILE__);
  for (int up = 0; up < 3; up++) *strrchr(root, '/') = 0;
  struct err e = {""};
  struct vm *vm = watchdog_start(&e) ? vm_new(&(struct vm_options){.script_root = root}, &e) : NULL;
  if (vm == NULL) {
    fprintf(stderr, "%s\n", e.text);
    return 1;
  }
  watchdog_enter();
  struct call call;
  struct run_slot *slot = run_take(vm);
  if (run_start(slot, RUN_LOAD, &load, &call, NULL) != RUN_DONE) return 1;
  double best_ns = 1e9;
  for (int i = 0; i < 9; i++) {
    double ns = call_ns(slot, &route, &call, rounds / 9 + 1);
    if (ns < best_ns) best_ns = ns;
  }
  printf("policy call: %.0f ns (best of 9)\n", best_ns);
  struct body *body = calloc(1, sizeof *body);
  size_t len = (size_t)sprintf(body->text, "{\"model\":\"m\",\"messages\":[");
  while (len < 100000) {
    len += (size_t)sprintf(
        body->text + len, "%s{\"role\":\"user\",\"content\":\"%.*s\"}", len > 30 ? "," : "", 200,
        "A question with some words in it, and then a few more, so that it looks like what people ask; "
        "it goes on for a while, with \\\"quotes\\\" and a line end \\n and so on, until it is long enough.");
  }
  sprintf(body->text + len, "]}");
  uint64_t began_ns = clock_ns();
  if (argc < 2 && run_start(slot, RUN_SETUP, &bodies, body, NULL) == RUN_DONE) {
    printf("100 KB body decoded and encoded: %.0f us\n", (double)(clock_ns() - began_ns) / 20e3);
  }
  free(body);
  run_release(slot);
  vm_free(vm);
  watchdog_leave();
  watchdog_stop();
  return 0;
}
