/* api_request: see the header. Fields are computed when they are read; what costs a look through the body is kept in
 * the request's state. */
#include "script/api/api_request.h"

#include "base/clock.h"
#include "gate/request.h"
#include "script/api/api_json.h"
#include "script/api/api_target.h"
#include "script/guard.h"
#include "script/handle.h"
#include "script/script.h"

struct req_handle {
  struct script_request *state;
  uint64_t serial;
};

struct attempt_handle {
  struct req_handle req;
  struct attempt *attempt; /* in the request's arena: dies with it */
};

/* The state behind a handle that is still alive. */
static struct script_request *state_of(lua_State *L, const struct req_handle *handle, const char *object) {
  if (handle->state->serial != handle->serial) {
    luaL_error(L, "this %s belongs to a request that has ended: keep what you need from it in local values", object);
  }
  return handle->state;
}

static void push_slice(lua_State *L, struct slice text) {
  if (text.ptr == NULL) text = SLICE("");
  lua_pushlstring(L, text.ptr, text.len); /* … text */
}

static double ms_since(uint64_t from_ns) {
  return (double)(clock_ns() - from_ns) / 1e6;
}

/* ---- req ---- */

enum req_field {
  REQ_ATTEMPT_COUNT,
  REQ_BODY_BYTES,
  REQ_DIALECT,
  REQ_ELAPSED_MS,
  REQ_ENDPOINT,
  REQ_ID,
  REQ_KEY_NAME,
  REQ_MAX_TOKENS,
  REQ_MESSAGE_COUNT,
  REQ_MODEL,
  REQ_PROMPT_TOKENS,
  REQ_ROUTE,
  REQ_STREAM,
  REQ_TEAM,
  REQ_TOOL_COUNT
};

static const char *const req_fields[] = {
    [REQ_ATTEMPT_COUNT] = "attempt_count",
    [REQ_BODY_BYTES] = "body_bytes",
    [REQ_DIALECT] = "dialect",
    [REQ_ELAPSED_MS] = "elapsed_ms",
    [REQ_ENDPOINT] = "endpoint",
    [REQ_ID] = "id",
    [REQ_KEY_NAME] = "key_name",
    [REQ_MAX_TOKENS] = "max_tokens",
    [REQ_MESSAGE_COUNT] = "message_count",
    [REQ_MODEL] = "model",
    [REQ_PROMPT_TOKENS] = "prompt_tokens",
    [REQ_ROUTE] = "route",
    [REQ_STREAM] = "stream",
    [REQ_TEAM] = "team",
    [REQ_TOOL_COUNT] = "tool_count",
    NULL,
};

static enum json_walk_step take_count(void *owner, enum json_kind kind, struct slice key, struct slice text,
                                      struct slice raw, size_t count) {
  (void)key;
  (void)text;
  (void)raw;
  if (kind == JSON_ARRAY) *(int64_t *)owner = (int64_t)count;
  return JSON_WALK_STOP;
}

static bool take_end(void *owner) {
  (void)owner;
  return false;
}

/* Elements of a top-level array of the body, or of the array within it that an object holds under the inner name;
 * counted once. */
static int64_t count_of(const struct request *r, enum asked_field which, const char *inner, int64_t *kept) {
  static const struct json_walker walker = {take_count, take_end};
  const char *const path[] = {inner, NULL};
  if (*kept >= 0) return *kept;
  struct json_field field = {.key = r->dialect->request.fields[which]};
  struct json_fault fault;
  int64_t count = 0;
  if (r->body.ptr == NULL) return 0;
  if (field.key.len > 0 && json_scan(r->body, &field, 1, &fault) && field.raw.ptr != NULL) {
    struct slice list = field.kind == JSON_OBJECT ? json_find(field.raw, path) : field.raw;
    if (list.ptr != NULL) json_walk(list, &walker, &count, &fault);
  }
  return *kept = count;
}

static int64_t message_count(struct script_request *state) {
  return count_of(state->r, ASKED_MESSAGES, "messages", &state->message_count);
}

static int64_t tool_count(struct script_request *state) {
  return count_of(state->r, ASKED_TOOLS, "tools", &state->tool_count);
}

void api_request_count(struct script_request *state) {
  message_count(state);
  tool_count(state);
}

static int l_req_get(lua_State *L) {
  int field = handle_field(L);
  if (field == HANDLE_METHOD) return 1;
  struct script_request *state = state_of(L, lua_touserdata(L, 1), "req");
  const struct request *r = state->r;
  switch (field) {
  case REQ_ATTEMPT_COUNT: lua_pushinteger(L, r->attempt_count); break;
  case REQ_BODY_BYTES: lua_pushinteger(L, (lua_Integer)r->body_bytes); break;
  case REQ_DIALECT: lua_pushstring(L, r->dialect->name); break;
  case REQ_ELAPSED_MS: lua_pushnumber(L, ms_since(r->opened_ns)); break;
  case REQ_ENDPOINT: lua_pushstring(L, operation_row(r->endpoint->operation)->name); break;
  case REQ_ID: lua_pushlstring(L, r->id, REQUEST_ID_BYTES); break;
  case REQ_KEY_NAME: lua_pushstring(L, r->key ? r->key->name : NULL); break;
  case REQ_MAX_TOKENS:
    if (r->asked.max_tokens == 0) lua_pushnil(L);
    else lua_pushinteger(L, (lua_Integer)r->asked.max_tokens);
    break;
  case REQ_MESSAGE_COUNT: lua_pushinteger(L, message_count(state)); break;
  case REQ_MODEL: push_slice(L, r->asked.model); break;
  case REQ_PROMPT_TOKENS: lua_pushinteger(L, r->asked.prompt_tokens); break;
  case REQ_ROUTE: push_slice(L, r->route_name); break;
  case REQ_STREAM: lua_pushboolean(L, r->asked.stream); break;
  case REQ_TEAM: lua_pushstring(L, r->key && r->key->team ? r->key->team->name : NULL); break;
  case REQ_TOOL_COUNT: lua_pushinteger(L, tool_count(state)); break;
  }
  return 1;
}

static int l_req_header(lua_State *L) {
  static const struct slice hidden[] = {
      SLICE_INIT("authorization"),       SLICE_INIT("x-api-key"),      SLICE_INIT("cookie"),
      SLICE_INIT("proxy-authorization"), SLICE_INIT("x-goog-api-key"), SLICE_INIT("api-key"),
  };
  guard_check(L);
  struct script_request *state = state_of(L, luaL_checkudata(L, 1, "gw.req"), "req");
  struct slice name;
  name.ptr = luaL_checklstring(L, 2, &name.len);
  for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++) {
    if (!slice_eq_nocase(name, hidden[i])) continue;
    return luaL_error(L, "req:header never shows credentials (%s): req.key_name and req.team say who asks",
                      hidden[i].ptr);
  }
  struct slice value = state->r->head ? http_header_of(state->r->head, name) : slice_of(NULL, 0);
  if (value.ptr == NULL) lua_pushnil(L);
  else push_slice(L, value);
  return 1;
}

static int l_req_timeout(lua_State *L) {
  guard_check(L);
  struct script_request *state = state_of(L, luaL_checkudata(L, 1, "gw.req"), "req");
  const struct request *r = state->r;
  const char *name = luaL_checkstring(L, 2);
  const struct target *t = api_target_at(L, 3, state->call.script);
  enum clock_id id = 0;
  struct timeouts limits;
  while (timeout_name(id) != NULL && strcmp(timeout_name(id), name) != 0) id++;
  if (timeout_name(id) == NULL) {
    return luaL_error(L,
                      "there is no clock '%s': `timeouts` in the config has connect, tls, upload, first_token, "
                      "between_tokens, first_byte, between_bytes, min_tokens_per_s and total",
                      name);
  }
  luaL_argcheck(L, t != NULL || lua_isnoneornil(L, 3), 3, "target expected");
  if (t == NULL && r->route != NULL && r->route->target_count > 0) t = r->route->targets[0];
  if (t != NULL) timeouts_find(r->route, t, r->asked.stream, &limits);
  if (t == NULL || timeout_value(&limits, id) == 0) lua_pushnil(L);
  else lua_pushinteger(L, timeout_value(&limits, id));
  return 1;
}

static int l_req_body(lua_State *L) {
  guard_check(L);
  struct script_request *state = state_of(L, luaL_checkudata(L, 1, "gw.req"), "req");
  if (state->body != LUA_NOREF) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, state->body); /* req body */
    return 1;
  }
  if (state->r->body.ptr == NULL) {
    return luaL_error(L, "the request's body is not kept: %s",
                      state->r->delivery.exchange == NULL
                          ? "its client has gone"
                          : "its answer has begun, so read req:body() in `request` and keep what you need");
  }
  if (!api_json_decode(L, state->r->body, 0)) return lua_error(L); /* req body */
  lua_pushvalue(L, -1);                                            /* req body body */
  state->body = luaL_ref(L, LUA_REGISTRYINDEX);                    /* req body */
  return 1;
}

void api_request_push(lua_State *L, struct script_request *state) {
  struct req_handle *handle = lua_newuserdatauv(L, sizeof *handle, 0); /* … req */
  *handle = (struct req_handle){state, state->serial};
  lua_rawgeti(L, LUA_REGISTRYINDEX, state->call.script->req_metatable); /* … req metatable */
  lua_setmetatable(L, -2);                                              /* … req */
}

/* ---- attempt ---- */

enum tried_field {
  TRIED_ATTEMPTS_LEFT,
  TRIED_CLASS,
  TRIED_ELAPSED_MS,
  TRIED_MESSAGE,
  TRIED_NUMBER,
  TRIED_RETRY_AFTER_MS,
  TRIED_STATUS,
  TRIED_TARGET,
  TRIED_WAITED_MS
};

static const char *const attempt_fields[] = {
    [TRIED_ATTEMPTS_LEFT] = "attempts_left",
    [TRIED_CLASS] = "class",
    [TRIED_ELAPSED_MS] = "elapsed_ms",
    [TRIED_MESSAGE] = "message",
    [TRIED_NUMBER] = "number",
    [TRIED_RETRY_AFTER_MS] = "retry_after_ms",
    [TRIED_STATUS] = "status",
    [TRIED_TARGET] = "target",
    [TRIED_WAITED_MS] = "waited_ms",
    NULL,
};

static int l_attempt_get(lua_State *L) {
  int field = handle_field(L);
  const struct attempt_handle *handle = lua_touserdata(L, 1);
  struct script_request *state = state_of(L, &handle->req, "attempt");
  const struct attempt *a = handle->attempt;
  switch (field) {
  case TRIED_ATTEMPTS_LEFT: lua_pushinteger(L, retry_left(a->request)); break;
  case TRIED_CLASS: lua_pushstring(L, failure_row(a->failure)->name); break;
  case TRIED_ELAPSED_MS: lua_pushnumber(L, (double)(a->ended_ns - a->started_ns) / 1e6); break;
  case TRIED_MESSAGE: lua_pushstring(L, a->failure_text); break;
  case TRIED_NUMBER: lua_pushinteger(L, a->number); break;
  case TRIED_RETRY_AFTER_MS:
    if (a->retry_after_ms == 0) lua_pushnil(L);
    else lua_pushinteger(L, a->retry_after_ms);
    break;
  case TRIED_STATUS:
    if (a->status == 0) lua_pushnil(L);
    else lua_pushinteger(L, a->status);
    break;
  case TRIED_TARGET: api_target_push(L, state->call.script, a->target); break;
  case TRIED_WAITED_MS: lua_pushinteger(L, a->waited_ms); break;
  }
  return 1;
}

void api_request_push_attempt(lua_State *L, struct script_request *state, struct attempt *a) {
  struct attempt_handle *handle = lua_newuserdatauv(L, sizeof *handle, 0); /* … attempt */
  *handle = (struct attempt_handle){{state, state->serial}, a};
  luaL_setmetatable(L, "gw.attempt");
}

int api_request_open(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"body", l_req_body}, {"header", l_req_header}, {"timeout", l_req_timeout}, {NULL, NULL}};
  static const struct handle_kind req = {"req", req_fields, l_req_get, methods, NULL};
  static const struct handle_kind attempt = {"attempt", attempt_fields, l_attempt_get, NULL, NULL};
  handle_push_metatable(L, &req); /* gw metatable */
  script_of(L)->req_metatable = luaL_ref(L, LUA_REGISTRYINDEX);
  handle_push_metatable(L, &attempt); /* gw metatable */
  lua_settop(L, 1);                   /* gw */
  return 0;
}
