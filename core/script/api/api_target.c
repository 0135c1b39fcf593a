/* api_target: see the header. Lookups are made in setup, on the loader's thread, while the config may still grow. */
#include "script/api/api_target.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/suggest.h"
#include "gate/config.h"
#include "gate/health/provider_state.h"
#include "script/guard.h"
#include "script/handle.h"
#include "script/script.h"

enum { CANDIDATES_MAX = 256 };

/* ---- handles ---- */

enum field {
  AVAILABILITY,
  CAPABILITIES,
  CONTEXT_TOKENS,
  DIALECT,
  EJECTED_FOR_MS,
  ERROR_RATE,
  HEALTHY,
  IN_FLIGHT,
  INPUT_USD,
  LATENCY_MS,
  MAX_OUTPUT_TOKENS,
  MODEL,
  NAME,
  OUTPUT_USD,
  PROVIDER,
  TTFT_MS,
  WAIT_MS,
  WEIGHT
};

static const char *const fields[] = {
    [AVAILABILITY] = "availability",
    [CAPABILITIES] = "capabilities",
    [CONTEXT_TOKENS] = "context_tokens",
    [DIALECT] = "dialect",
    [EJECTED_FOR_MS] = "ejected_for_ms",
    [ERROR_RATE] = "error_rate",
    [HEALTHY] = "healthy",
    [IN_FLIGHT] = "in_flight",
    [INPUT_USD] = "input_usd_per_mtok",
    [LATENCY_MS] = "latency_ms",
    [MAX_OUTPUT_TOKENS] = "max_output_tokens",
    [MODEL] = "model",
    [NAME] = "name",
    [OUTPUT_USD] = "output_usd_per_mtok",
    [PROVIDER] = "provider",
    [TTFT_MS] = "ttft_ms",
    [WAIT_MS] = "wait_ms",
    [WEIGHT] = "weight",
    NULL,
};

static void push_slice(lua_State *L, struct slice text) {
  lua_pushlstring(L, text.ptr, text.len); /* … text */
}

/* Microseconds as milliseconds; 0 is "none yet". */
static void push_ms(lua_State *L, uint32_t us) {
  if (us == 0) lua_pushnil(L);
  else lua_pushnumber(L, us / 1000.0); /* … ms */
}

/* Pico-dollars a token are millionths of dollars a million tokens. */
static void push_price(lua_State *L, const struct price *price, bool output) {
  if (price == NULL || price->estimate) lua_pushnil(L);
  else lua_pushnumber(L, (double)(output ? price->rates.output : price->rates.input) / 1e6); /* … usd */
}

/* 0 is "not known". */
static void push_tokens(lua_State *L, uint32_t tokens) {
  if (tokens == 0) lua_pushnil(L);
  else lua_pushinteger(L, tokens); /* … tokens */
}

/* The share of the provider's attempts that succeeded; nil: there were none. */
static void push_availability(lua_State *L, const struct provider_state *s) {
  double share = s ? availability_share(provider_availability(s, AVAILABILITY_5M, clock_ns())) : -1;
  if (share < 0) lua_pushnil(L);
  else lua_pushnumber(L, share); /* … share */
}

static uint32_t left_out_ms(const struct target *t) {
  uint32_t left_ms;
  health_look(t, clock_ns(), &left_ms);
  return left_ms;
}

static bool is_healthy(const struct target *t) {
  uint32_t left_ms;
  return health_look(t, clock_ns(), &left_ms) == HEALTH_FINE;
}

/* What a model can do: one handle for each set of bits, so that asking makes no garbage. */
static const char capability_handles; /* its address is the key of the table from bits to handles */

static void push_capabilities(lua_State *L, const struct model *facts) {
  if (facts == NULL || !facts->capabilities_known) {
    lua_pushnil(L); /* … nil */
    return;
  }
  luaL_checkstack(L, 4, NULL);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &capability_handles);                         /* … handles */
  if (lua_rawgeti(L, -1, facts->capabilities) == LUA_TNIL) {                      /* … handles nil */
    lua_pop(L, 1);                                                                /* … handles */
    *(uint32_t *)lua_newuserdatauv(L, sizeof(uint32_t), 0) = facts->capabilities; /* … handles handle */
    luaL_setmetatable(L, "gw.capabilities");
    lua_pushvalue(L, -1);                    /* … handles handle handle */
    lua_rawseti(L, -3, facts->capabilities); /* … handles handle */
  }
  lua_remove(L, -2); /* … handle */
}

static int l_capabilities_get(lua_State *L) {
  uint32_t bits = *(const uint32_t *)lua_touserdata(L, 1);
  lua_pushboolean(L, bits >> handle_field(L) & 1);
  return 1;
}

static int l_target_get(lua_State *L) {
  const struct target *t = *(struct target *const *)lua_touserdata(L, 1);
  switch (handle_field(L)) {
  case AVAILABILITY: push_availability(L, t->provider->state); break;
  case CAPABILITIES: push_capabilities(L, t->facts); break;
  case CONTEXT_TOKENS: push_tokens(L, t->facts ? t->facts->context_tokens : 0); break;
  case DIALECT: lua_pushstring(L, t->provider->dialect->name); break;
  case EJECTED_FOR_MS: lua_pushinteger(L, left_out_ms(t)); break;
  case ERROR_RATE: lua_pushnumber(L, atomic_load_explicit(&t->state->error_ppm, memory_order_relaxed) / 1e6); break;
  case HEALTHY: lua_pushboolean(L, is_healthy(t)); break;
  case IN_FLIGHT: lua_pushinteger(L, atomic_load_explicit(&t->state->in_flight, memory_order_relaxed)); break;
  case INPUT_USD: push_price(L, t->price, false); break;
  case LATENCY_MS: push_ms(L, atomic_load_explicit(&t->state->latency_us, memory_order_relaxed)); break;
  case MAX_OUTPUT_TOKENS: push_tokens(L, t->facts ? t->facts->output_tokens : 0); break;
  case MODEL: push_slice(L, t->model); break;
  case NAME: push_slice(L, t->name); break;
  case OUTPUT_USD: push_price(L, t->price, true); break;
  case PROVIDER: lua_pushstring(L, t->provider->name); break;
  case TTFT_MS: push_ms(L, atomic_load_explicit(&t->state->first_token_us, memory_order_relaxed)); break;
  case WAIT_MS: push_ms(L, target_wait_us(t->state, clock_ns())); break;
  case WEIGHT: lua_pushnumber(L, t->weight_milli / 1000.0); break;
  }
  return 1;
}

static int l_target_tostring(lua_State *L) {
  push_slice(L, (*(struct target *const *)lua_touserdata(L, 1))->name); /* handle name */
  return 1;
}

void api_target_push(lua_State *L, struct script *s, struct target *t) {
  luaL_checkstack(L, 4, NULL);
  lua_rawgeti(L, LUA_REGISTRYINDEX, s->targets);              /* … handles */
  if (lua_rawgetp(L, -1, t) == LUA_TNIL) {                    /* … handles nil */
    lua_pop(L, 1);                                            /* … handles */
    *(struct target **)lua_newuserdatauv(L, sizeof t, 0) = t; /* … handles handle */
    luaL_setmetatable(L, "gw.target");
    lua_pushvalue(L, -1);  /* … handles handle handle */
    lua_rawsetp(L, -3, t); /* … handles handle */
  }
  lua_remove(L, -2); /* … handle */
}

static bool has_metatable(lua_State *L, int index, const void *metatable) {
  if (lua_type(L, index) != LUA_TUSERDATA || !lua_getmetatable(L, index)) return false; /* … metatable */
  bool same = lua_topointer(L, -1) == metatable;
  lua_pop(L, 1); /* … */
  return same;
}

struct target *api_target_at(lua_State *L, int index, const struct script *s) {
  return has_metatable(L, index, s->target_metatable) ? *(struct target **)lua_touserdata(L, index) : NULL;
}

/* ---- lookups ---- */

/* The route whose setup runs. */
static const struct route *route_here(lua_State *L, const char *function) {
  const struct script_call *call = run_owner(L);
  if (call->route == NULL) luaL_error(L, "%s is for policies: an adapter has no route", function);
  return call->route;
}

static void push_targets(lua_State *L, struct target *const *targets, uint32_t count) {
  lua_createtable(L, (int)count, 0); /* … list */
  for (uint32_t i = 0; i < count; i++) {
    api_target_push(L, script_of(L), targets[i]); /* … list handle */
    lua_rawseti(L, -2, (lua_Integer)i + 1);       /* … list */
  }
}

static int l_gw_pool(lua_State *L) {
  guard_check(L);
  const char *name = luaL_checkstring(L, 1), *names[CANDIDATES_MAX];
  const struct route *route = route_here(L, "gw.pool");
  size_t count = 0;
  for (uint32_t i = 0; i < route->pool_count; i++) {
    const struct pool *pool = &route->pools[i];
    if (strcmp(pool->name, name) == 0) {
      push_targets(L, pool->targets, pool->count); /* name list */
      return 1;
    }
    if (count < CANDIDATES_MAX) names[count++] = pool->name;
  }
  const char *near = suggest_nearest(name, names, count);
  if (near != NULL) {
    return luaL_error(L, "route '%s' has no pool '%s'; did you mean '%s'?", route->name, name, near);
  }
  return luaL_error(L, "route '%s' has no pool '%s': add it to routes.%s.pools", route->name, name, route->name);
}

/* The config's target of that name, added when only its provider is there. */
static struct target *find_target(lua_State *L, struct slice name) {
  struct config *c = (struct config *)(uintptr_t)script_of(L)->config;
  struct target *t = config_target(c, name);
  if (t != NULL) return t;
  ptrdiff_t slash = slice_find_byte(name, '/');
  struct provider *p = slash > 0 ? config_provider(c, slice_of(name.ptr, (size_t)slash)) : NULL;
  if (p == NULL || (size_t)slash + 1 == name.len) return NULL;
  t = config_add_target(c, p, slice_from(name, (size_t)slash + 1));
  config_know_target(c, t);
  return t;
}

static int l_gw_target(lua_State *L) {
  guard_check(L);
  struct slice name;
  name.ptr = luaL_checklstring(L, 1, &name.len);
  struct target *t = find_target(L, name);
  if (t != NULL) {
    api_target_push(L, script_of(L), t); /* name handle */
    return 1;
  }
  const struct config *c = script_of(L)->config;
  const char *names[CANDIDATES_MAX];
  size_t count = 0;
  for (uint32_t i = 0; i < c->target_count && count < CANDIDATES_MAX; i++) names[count++] = c->targets[i]->name.ptr;
  const char *near = suggest_nearest(name.ptr, names, count);
  if (near != NULL) return luaL_error(L, "there is no target '%s'; did you mean '%s'?", name.ptr, near);
  return luaL_error(L, "there is no target '%s': it must be provider/model with a provider of the config", name.ptr);
}

static int l_gw_targets(lua_State *L) {
  guard_check(L);
  const struct route *route = route_here(L, "gw.targets");
  push_targets(L, route->targets, route->target_count); /* list */
  return 1;
}

/* ---- refusals ---- */

struct refusal {
  uint16_t status;
  char code[sizeof((struct fault *)0)->script_code];
  char text[sizeof((struct fault *)0)->text];
};

/* Copies as much as fits, and never half a character. */
static void copy_text(char *out, size_t room, struct slice text) {
  size_t len = text.len < room ? text.len : room - 1;
  if (len < text.len)
    while (len > 0 && ((unsigned char)text.ptr[len] & 0xc0) == 0x80) len--;
  memcpy(out, text.ptr, len);
  out[len] = '\0';
}

static int l_gw_refuse(lua_State *L) {
  guard_check(L);
  lua_Integer status = luaL_checkinteger(L, 1);
  struct slice reason, code;
  reason.ptr = luaL_checklstring(L, 2, &reason.len);
  code.ptr = luaL_optlstring(L, 3, "refused", &code.len);
  luaL_argcheck(L, status >= 400 && status <= 599, 1, "must be from 400 to 599");
  luaL_argcheck(L, reason.len > 0, 2, "must say why");
  luaL_argcheck(L,
                code.len > 0 && code.len < sizeof((struct refusal *)0)->code &&
                    strspn(code.ptr, "abcdefghijklmnopqrstuvwxyz_0123456789") == code.len,
                3, "must be 1 to 47 characters of a-z, 0-9 and _");
  struct refusal *refusal = lua_newuserdatauv(L, sizeof *refusal, 0); /* … refusal */
  refusal->status = (uint16_t)status;
  copy_text(refusal->code, sizeof refusal->code, code);
  copy_text(refusal->text, sizeof refusal->text, reason);
  luaL_setmetatable(L, "gw.refusal");
  return 1;
}

bool api_target_refusal(lua_State *L, int index, const struct script *s, struct fault *f) {
  if (!has_metatable(L, index, s->refusal_metatable)) return false;
  const struct refusal *refusal = lua_touserdata(L, index);
  *f = (struct fault){.code = FAULT_REFUSED_BY_POLICY, .status = refusal->status};
  memcpy(f->text, refusal->text, sizeof f->text);
  memcpy(f->script_code, refusal->code, sizeof f->script_code);
  return true;
}

int api_target_open(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"pool", l_gw_pool}, {"refuse", l_gw_refuse}, {"target", l_gw_target}, {"targets", l_gw_targets}, {NULL, NULL},
  };
  static const struct handle_kind kind = {"target", fields, l_target_get, NULL, l_target_tostring},
                                  can = {"capabilities", capability_names, l_capabilities_get, NULL, NULL};
  struct script *s = script_of(L);
  guard_add(L, "gw.", functions);
  handle_push_metatable(L, &kind); /* gw metatable */
  s->target_metatable = lua_topointer(L, -1);
  handle_push_metatable(L, &can); /* gw metatable metatable */
  lua_createtable(L, 0, 4);       /* gw metatable metatable handles */
  lua_rawsetp(L, LUA_REGISTRYINDEX, &capability_handles);
  lua_pop(L, 1);                      /* gw metatable */
  luaL_newmetatable(L, "gw.refusal"); /* gw metatable refusal */
  lua_pushliteral(L, "refusal");      /* gw metatable refusal name */
  lua_setfield(L, -2, "__metatable"); /* gw metatable refusal */
  s->refusal_metatable = lua_topointer(L, -1);
  lua_createtable(L, 0, 16); /* gw metatable refusal handles */
  s->targets = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_settop(L, 1); /* gw */
  return 0;
}
