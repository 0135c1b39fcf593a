/* translation_stream: events of a provider's stream carried to the client's dialect. The worker's thread. See
 * translation.h; what goes on without Lua is in passage.h. */
#include "gate/request.h"
#include "script/translation/hop.h"
#include "script/translation/recovery.h"
#include "script/translation/translation.h"

/* put(text), which a stream calls with what goes to the client. Runs only inside an event or finish. */
static int l_stream_put(lua_State *L) {
  struct carrying *c = run_owner(L);
  size_t len;
  const char *text = luaL_checklstring(L, 1, &len);
  buf_append(c->out, text, len);
  return 0;
}

/* tell(reason): without one, the client has its end; with one, the provider's stream is broken. */
static int l_stream_tell(lua_State *L) {
  struct carrying *c = run_owner(L);
  if (!lua_isnoneornil(L, 1)) {
    c->broken = hop_keep_text(L, 1, c);
    return 0;
  }
  c->a->told_end = true;
  if (c->a->request->keeping != NULL && c->out != NULL) keeping_stream_end(c->a->request, c->a, buf_view(c->out));
  return 0;
}

/* Pushes the attempt's stream, made at its first event; it has heard of all that has passed. */
static void push_stream(lua_State *L, struct carrying *c) {
  struct script_attempt *state = hop_state(c->a);
  if (state->stream == LUA_NOREF) {
    hop_push_function(L, c, TRANSLATE_STREAM);
    hop_push(L, c);
    if (c->a->recovers) recovery_attend(L, c);
    lua_pushcfunction(L, l_stream_put);             /* … stream hop put */
    lua_pushcfunction(L, l_stream_tell);            /* … stream hop put tell */
    lua_call(L, 3, 1);                              /* … stream */
    state->stream = luaL_ref(L, LUA_REGISTRYINDEX); /* … */
  }
  lua_rawgeti(L, LUA_REGISTRYINDEX, state->stream); /* … stream */
  passage_tell(L, &state->passage);
}

static int enter_event(lua_State *L, void *owner) {
  struct carrying *c = owner;
  const struct stream_event *e = c->event;
  push_stream(L, c);                                               /* stream */
  lua_getfield(L, -1, "event");                                    /* stream event */
  lua_insert(L, -2);                                               /* event stream */
  lua_pushlstring(L, e->name.len ? e->name.ptr : "", e->name.len); /* event stream name */
  lua_pushlstring(L, e->data.len ? e->data.ptr : "", e->data.len); /* event stream name data */
  bool is_read = c->a->recovers || c->a->dialect != c->a->request->dialect;
  bool may_pass = is_read && !c->a->target->provider->adapter->rewrites_event;
  if (!may_pass) return 3;
  return 3 + passage_push(L, &hop_state(c->a)->passage, c->a->dialect, e);
}

/* Its results: nothing, since it has a put, and how more of the same may pass. */
static void leave_event(lua_State *L, void *owner) {
  struct carrying *c = owner;
  passage_open(L, 2, &hop_state(c->a)->passage);
}

enum hook_verdict translation_event(struct script *s, struct attempt *a, const struct stream_event *e, struct buf *out,
                                    struct fault *f) {
  static const struct run_task task = {enter_event, leave_event};
  struct script_attempt *state = a->script_state;
  if (!e->has_data) {
    /* In an array it is what stands between the elements, which the hop writes itself. */
    bool keeps = a->dialect == a->request->dialect && a->stream.framing == FRAMING_SSE;
    if (keeps) buf_slice(out, e->raw);
    return HOOK_DONE;
  }
  if (state != NULL && passage_take(&state->passage, a->dialect, e, out)) return HOOK_DONE;
  struct carrying c = {.a = a, .event = e, .out = out};
  return hop_judge(&c, hop_carry(s, &c, RUN_EVENT, &task, f), f);
}

static int enter_tell(lua_State *L, void *owner) {
  push_stream(L, owner);
  return -1; /* nothing to call */
}

bool hop_tell_passed(struct script *s, struct attempt *a) {
  static const struct run_task task = {enter_tell, NULL};
  const struct script_attempt *state = a->script_state;
  struct fault f = {.code = FAULT_COUNT};
  struct carrying c = {.a = a};
  return state->passage.count == 0 || hop_carry(s, &c, RUN_EVENT, &task, &f) == HOOK_DONE;
}

static int enter_finish(lua_State *L, void *owner) {
  struct carrying *c = owner;
  push_stream(L, c);             /* stream */
  lua_getfield(L, -1, "finish"); /* stream finish */
  lua_insert(L, -2);             /* finish stream */
  return 1;
}

/* What a stream lost is known at its end: too late for the client's header, in time for the trace. */
static void leave_finish(lua_State *L, void *owner) {
  hop_add_losses(L, owner);
}

enum hook_verdict translation_finish(struct script *s, struct attempt *a, struct buf *out, struct fault *f) {
  static const struct run_task task = {enter_finish, leave_finish};
  struct carrying c = {.a = a, .out = out};
  return hop_judge(&c, hop_carry(s, &c, RUN_EVENT, &task, f), f);
}
