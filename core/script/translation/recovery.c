/* recovery: see the header. */
#include "script/translation/recovery.h"

#include "gate/request.h"

/* An attempt that does not cross has had no use for the client's body so far. */
static void push_body(lua_State *L, const struct carrying *c) {
  const struct request *r = c->a->request;
  if (c->a->crosses || c->a->resumes) lua_pushnil(L);
  else hop_push_body(L, c, r->body);
}

void recovery_attend(lua_State *L, struct carrying *c) {
  struct script_attempt *state = hop_state(c->a);
  const struct request *r = c->a->request;
  hop_push_function(L, c, TRANSLATE_RECOVER);                /* … hop recover */
  lua_pushvalue(L, -2);                                      /* … hop recover hop */
  lua_pushstring(L, recover_mode_name(r->route->recover));   /* … hop recover hop mode */
  push_body(L, c);                                           /* … hop recover hop mode body */
  lua_pushinteger(L, (lua_Integer)recover_spoken_tokens(r)); /* … hop recover hop mode body spoken */
  lua_pushinteger(L, c->a->number);                          /* … hop recover hop mode body spoken number */
  lua_call(L, 5, 1);                                         /* … hop recovery */
  state->recovery = luaL_ref(L, LUA_REGISTRYINDEX);          /* … hop */
}

void recovery_tell(lua_State *L, const struct carrying *c) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, c->call.request->recovery); /* … hop recovery */
  lua_setfield(L, -2, "recovery");                              /* … hop */
}

void recovery_keep(struct script *s, struct attempt *a) {
  struct script_attempt *state = a->script_state;
  struct script_request *kept = a->request->script_state;
  if (state->recovery == LUA_NOREF) return;
  if (a == a->request->source && kept != NULL && hop_tell_passed(s, a)) {
    script_unref(s, &kept->recovery);
    kept->recovery = state->recovery;
    state->recovery = LUA_NOREF;
  }
  script_unref(s, &state->recovery);
}

/* ---- asking ---- */

/* Owner of a run. */
struct asking {
  struct script_call call; /* first */
  bool may_go_on;
};

static int enter_ask(lua_State *L, void *owner) {
  const struct asking *q = owner;
  lua_rawgeti(L, LUA_REGISTRYINDEX, q->call.request->recovery); /* recovery */
  lua_getfield(L, -1, "may_go_on");                             /* recovery may_go_on */
  lua_insert(L, -2);                                            /* may_go_on recovery */
  return 1;
}

static void leave_ask(lua_State *L, void *owner) {
  struct asking *q = owner;
  q->may_go_on = lua_toboolean(L, 1);
}

enum hook_verdict recovery_ask(struct script *s, struct attempt *a) {
  static const struct run_task task = {enter_ask, leave_ask};
  struct request *r = a->request;
  struct script_request *state = r->script_state;
  if (state == NULL || state->recovery == LUA_NOREF || state->recovery == LUA_REFNIL) return HOOK_ABSENT;
  struct asking q = {.call = {s, r->route, state}};
  struct run_report report;
  struct run_slot *slot = run_take(s->vm);
  if (slot == NULL) return HOOK_ABSENT;
  enum run_outcome outcome = run_start(slot, RUN_EVENT, &task, &q, &report);
  run_release(slot);
  return outcome == RUN_DONE && q.may_go_on ? HOOK_DONE : HOOK_ABSENT;
}
