/* api_wait: see the header. */
#include "script/api/api_wait.h"

#include <math.h>

#include "base/clock.h"
#include "base/suggest.h"
#include "gate/request.h"
#include "script/fetch.h"
#include "script/guard.h"
#include "script/script.h"

enum { CANDIDATES_MAX = 64 };

static uint64_t limit_ns(const struct script_request *state, enum run_hook hook) {
  return state->call.script->vm->hooks[hook].wait_ms * 1000000ull;
}

static uint64_t left_ns(const struct script_request *state, enum run_hook hook) {
  uint64_t limit = limit_ns(state, hook), waited = state->wait.waited_ns;
  return waited < limit ? limit - waited : 0;
}

static int l_gw_sleep(lua_State *L) {
  guard_check(L);
  lua_Number ms = luaL_checknumber(L, 1);
  luaL_argcheck(L, ms >= 0, 1, "must be a number of milliseconds, 0 or more");
  const struct script_call *call = run_owner(L);
  struct script_request *state = call->request;
  if (state == NULL) return 0;
  enum run_hook hook = run_hook_now(L);
  uint64_t left = left_ns(state, hook);
  if (ms * 1e6 > (lua_Number)left) {
    return luaL_error(L, "gw.sleep(%f): `%s` may wait %d ms in all, %d ms are left", ms, run_hook_name(hook),
                      (int)(limit_ns(state, hook) / 1000000), (int)(left / 1000000));
  }
  fetch_free(state->wait.fetch);
  state->wait.fetch = NULL;
  state->wait.wanted_ns = (uint64_t)(ms * 1e6);
  return run_wait(L, "gw.sleep");
}

static const struct script_upstream *find_upstream(lua_State *L, const struct config *c, struct slice name) {
  const struct script_upstream *to = config_upstream(c, name);
  if (to != NULL) return to;
  const char *names[CANDIDATES_MAX];
  size_t count = 0;
  for (uint32_t i = 0; i < c->upstream_count && count < CANDIDATES_MAX; i++) names[count++] = c->upstreams[i].name;
  const char *near = suggest_nearest(name.ptr, names, count);
  if (near != NULL) luaL_error(L, "gw.fetch: there is no upstream '%s'; did you mean '%s'?", name.ptr, near);
  luaL_error(L, "gw.fetch: there is no upstream '%s': name it in `upstreams` of the config", name.ptr);
  return NULL;
}

static int l_gw_fetch(lua_State *L) {
  guard_check(L);
  const struct script_call *call = run_owner(L);
  struct script_request *state = call->request;
  struct slice name;
  name.ptr = luaL_checklstring(L, 1, &name.len);
  const struct script_upstream *to = find_upstream(L, call->script->config, name);
  if (state == NULL) {
    lua_pushnil(L);                                                  /* … nil */
    lua_pushliteral(L, "nothing is fetched while the examples run"); /* … nil message */
    return 2;
  }
  fetch_read(L, 2, to, &state->wait.fetch);
  enum run_hook hook = run_hook_now(L);
  if (left_ns(state, hook) == 0) {
    return luaL_error(L, "gw.fetch: `%s` has waited %d ms, which is all it may", run_hook_name(hook),
                      (int)(limit_ns(state, hook) / 1000000));
  }
  uint32_t timeout_ms = fetch_timeout_ms(state->wait.fetch);
  state->wait.wanted_ns = timeout_ms ? timeout_ms * 1000000ull : UINT64_MAX;
  return run_wait(L, "gw.fetch");
}

/* ---- results ---- */

static int give_nothing(lua_State *L, void *owner) {
  (void)L;
  (void)owner;
  return 0;
}

static int give_fetched(lua_State *L, void *owner) {
  struct script_request *state = ((struct script_call *)owner)->request;
  return fetch_push(L, state->wait.fetch);
}

static int give_limit(lua_State *L, void *owner) {
  const struct script_request *state = ((struct script_call *)owner)->request;
  enum run_hook hook = run_hook_now(L);
  return luaL_error(L, "waited longer than %d ms in all, the limit of `%s`: give gw.fetch a timeout_ms",
                    (int)(limit_ns(state, hook) / 1000000), run_hook_name(hook));
}

/* ---- waiting ---- */

static void go_on(struct script_request *state, int (*give)(lua_State *L, void *owner)) {
  struct wait *w = &state->wait;
  timer_clear(&w->timer);
  w->waited_ns += clock_ns() - w->began_ns;
  w->over(state, give);
}

static void on_timer(void *owner) {
  struct script_request *state = owner;
  struct wait *w = &state->wait;
  if (w->fetch == NULL) {
    go_on(state, give_nothing);
    return;
  }
  fetch_stop(w->fetch, "no answer within timeout_ms");
  go_on(state, w->is_limit ? give_limit : give_fetched);
}

static void on_fetched(void *owner) {
  go_on(owner, give_fetched);
}

void wait_begin(struct script_request *state,
                void (*over)(struct script_request *state, int (*give)(lua_State *L, void *owner))) {
  struct wait *w = &state->wait;
  uint64_t left = left_ns(state, state->slot->hook);
  w->over = over;
  w->began_ns = clock_ns();
  w->is_limit = w->wanted_ns > left;
  timer_init(&w->timer, state->call.script->gate->loop, on_timer, state);
  timer_set_ms(&w->timer, ((w->is_limit ? left : w->wanted_ns) + 999999) / 1000000);
  if (w->fetch == NULL) return;
  struct tenure *tenure = state->r->tenure;
  const struct config *c = tenure->generation->config;
  ptrdiff_t index = fetch_upstream(w->fetch) - c->upstreams;
  fetch_start(w->fetch, tenure->script_pools[index], on_fetched, state);
}

void wait_end(struct script_request *state) {
  struct wait *w = &state->wait;
  if (w->over != NULL) timer_clear(&w->timer);
  fetch_free(w->fetch);
  *w = (struct wait){.over = NULL};
}

int api_wait_open(lua_State *L) {
  static const luaL_Reg functions[] = {{"fetch", l_gw_fetch}, {"sleep", l_gw_sleep}, {NULL, NULL}};
  guard_add(L, "gw.", functions);
  return 0;
}
