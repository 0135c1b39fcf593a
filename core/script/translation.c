/* translation: see the header. */
#include "script/translation.h"

#include <stdio.h>

#include "gate/request.h"
#include "script/api_json.h"
#include "script/api_request.h"
#include "script/run.h"
#include "script/script.h"
#include "script/script_report.h"
#include "wire/json.h"

enum { LOSSES_MAX_BYTES = 1024, LOSS_MAX_BYTES = 128 };

/* Of an attempt, in the request's arena: registry references. */
struct script_attempt {
  int hop;
  int stream;
};

/* Owner of a run. */
struct carrying {
  struct script_call call; /* first */
  struct attempt *a;
  struct slice body; /* what came */
  const struct stream_event *event;
  struct buf *out;   /* of a stream */
  struct slice made; /* of a whole body, in the arena */
  unsigned status;
};

static struct script_attempt *state_of(struct attempt *a) {
  if (a->script_state == NULL) {
    struct script_attempt *state = arena_new(&a->request->arena, struct script_attempt);
    state->hop = state->stream = LUA_NOREF;
    a->script_state = state;
  }
  return a->script_state;
}

void translation_forget(struct script *s, struct attempt *a) {
  struct script_attempt *state = a->script_state;
  if (state == NULL) return;
  script_unref(s, &state->hop);
  script_unref(s, &state->stream);
  a->script_state = NULL;
}

/* ---- the hop ---- */

static void set_text(lua_State *L, const char *key, struct slice text) {
  lua_pushlstring(L, text.ptr ? text.ptr : "", text.len); /* … table text */
  lua_setfield(L, -2, key);                               /* … table */
}

static void push_function(lua_State *L, const struct carrying *c, enum script_translate which) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, c->call.script->translate[which]); /* … function */
}

/* Calls translate.hop. */
static void push_new_hop(lua_State *L, struct carrying *c) {
  struct script *s = c->call.script;
  const struct request *r = c->a->request;
  const struct provider *p = c->a->target->provider;
  luaL_checkstack(L, 10, NULL);
  push_function(L, c, TRANSLATE_HOP);
  lua_rawgeti(L, LUA_REGISTRYINDEX, s->dialects[dialect_index(r->dialect)]);
  lua_rawgeti(L, LUA_REGISTRYINDEX, s->dialects[dialect_index(c->a->dialect)]);
  lua_rawgeti(L, LUA_REGISTRYINDEX, s->adapters[p->index]); /* … hop client provider adapter */
  lua_createtable(L, 0, 4);                                 /* … hop client provider adapter target */
  set_text(L, "model", c->a->target->model);
  set_text(L, "provider", slice_text(p->name));
  lua_createtable(L, 0, 12); /* … hop client provider adapter target asked */
  set_text(L, "model", r->asked.model);
  set_text(L, "framing", slice_text(framing_row(r->asked.framing)->name));
  set_text(L, "operation", slice_text(operation_row(r->endpoint->operation)->name));
  set_text(L, "path", r->path);
  lua_pushboolean(L, r->asked.stream); /* … asked stream */
  lua_setfield(L, -2, "stream");       /* … asked */
  set_text(L, "request_id", slice_of(r->id, REQUEST_ID_BYTES));
  lua_pushinteger(L, r->asked.prompt_tokens); /* … asked tokens */
  lua_setfield(L, -2, "prompt_tokens");       /* … asked */
  api_request_push(L, c->call.request);       /* … hop client provider adapter target asked req */
  lua_call(L, 6, 1);                          /* … hop */
}

/* The attempt's hop, made when build was not needed: then both sides speak one dialect. */
static void push_hop(lua_State *L, struct carrying *c) {
  struct script_attempt *state = state_of(c->a);
  if (state->hop == LUA_NOREF) {
    push_new_hop(L, c);                          /* … hop */
    state->hop = luaL_ref(L, LUA_REGISTRYINDEX); /* … */
  }
  lua_rawgeti(L, LUA_REGISTRYINDEX, state->hop); /* … hop */
}

/* Copies the text at index into the request's arena. */
static struct slice keep_text(lua_State *L, int index, const struct carrying *c) {
  struct slice text;
  text.ptr = luaL_checklstring(L, index, &text.len);
  return arena_copy(&c->a->request->arena, text);
}

/* ---- losses ---- */

static bool is_listed(const char *list, size_t len, const char *name, size_t name_len) {
  for (size_t from = 0; from < len;) {
    const char *comma = memchr(list + from, ',', len - from);
    size_t part = comma ? (size_t)(comma - list) - from : len - from;
    if (part == name_len && memcmp(list + from, name, part) == 0) return true;
    from += part + 1;
  }
  return false;
}

/* Appends the names in the list at index to the attempt's losses. They become a header: names come from the client's
 * body, so whatever is not plain text is masked. */
static void add_losses(lua_State *L, int index, struct attempt *a) {
  char list[LOSSES_MAX_BYTES];
  size_t len = a->losses.len < sizeof list ? a->losses.len : sizeof list;
  if (len > 0) memcpy(list, a->losses.ptr, len);
  if (!lua_istable(L, index)) return;
  for (lua_Integer i = 1; lua_rawgeti(L, index, i) == LUA_TSTRING; i++) { /* … name */
    char name[LOSS_MAX_BYTES];
    size_t name_len;
    const char *text = lua_tolstring(L, -1, &name_len);
    if (name_len > sizeof name) name_len = sizeof name;
    for (size_t k = 0; k < name_len; k++) {
      char ch = text[k];
      name[k] = ch > ' ' && ch < 0x7f && ch != ',' ? ch : '_';
    }
    lua_pop(L, 1); /* … */
    if (name_len == 0 || len + 1 + name_len > sizeof list || is_listed(list, len, name, name_len)) continue;
    if (len > 0) list[len++] = ',';
    memcpy(list + len, name, name_len);
    len += name_len;
  }
  lua_pop(L, 1); /* … */
  if (len > a->losses.len) a->losses = arena_copy(&a->request->arena, slice_of(list, len));
}

/* ---- running ---- */

static enum hook_verdict carry(struct script *s, struct carrying *c, enum run_hook hook, const struct run_task *task,
                               struct fault *f) {
  struct request *r = c->a->request;
  struct run_report report;
  c->call = (struct script_call){s, r->route, script_request_of(s, r)};
  struct run_slot *slot = run_take(s->vm);
  enum run_outcome outcome = RUN_OUT_OF_MEMORY;
  if (slot != NULL) {
    outcome = run_start(slot, hook, task, c, &report);
    run_release(slot);
  } else {
    report = (struct run_report){.outcome = outcome, .hook = hook, .message = "no memory is left for scripts"};
  }
  if (outcome == RUN_DONE) return HOOK_DONE;
  if (outcome == RUN_FAILED && report.is_client_fault && hook == RUN_REQUEST) {
    fault_set(f, FAULT_FIELD_INVALID, "%s %s.", report.field, report.message);
    snprintf(f->param, sizeof f->param, "%.*s", (int)sizeof f->param - 1, report.field);
    return HOOK_REFUSED;
  }
  script_report_log(s, r, &report);
  fault_set(f, FAULT_SCRIPT_FAILED, "The translation for %s failed.", c->a->target->provider->name);
  return HOOK_FAILED;
}

/* ---- build ---- */

/* Pushes the client's body, decoded. Not kept for a second attempt: that is rare, while the tables of a long body take
 * several times its bytes for as long as the provider thinks. */
static void push_client_body(lua_State *L, struct carrying *c) {
  const struct script *s = c->call.script;
  lua_rawgeti(L, LUA_REGISTRYINDEX, s->dialects[dialect_index(c->a->request->dialect)]); /* … client */
  bool is_chat = c->a->request->endpoint->operation == OPERATION_CHAT;         /* only dialects have raw keys */
  bool has_raw = lua_getfield(L, -1, "raw_keys") == LUA_TTABLE && is_chat;     /* … client raw */
  if (!api_json_decode(L, c->body, has_raw ? lua_gettop(L) : 0)) lua_error(L); /* … client raw body */
  lua_replace(L, -3);                                                          /* … body raw */
  lua_pop(L, 1);                                                               /* … body */
}

static int enter_build(lua_State *L, void *owner) {
  struct carrying *c = owner;
  push_function(L, c, TRANSLATE_REQUEST);
  push_hop(L, c);
  push_client_body(L, c); /* request hop body */
  return 2;
}

static void leave_build(lua_State *L, void *owner) {
  struct carrying *c = owner;
  struct slice text;
  text.ptr = luaL_checklstring(L, 1, &text.len);
  c->a->body.len = 0;
  buf_slice(&c->a->body, text);
  add_losses(L, 2, c->a);
}

enum hook_verdict translation_build(struct script *s, struct attempt *a, struct fault *f) {
  static const struct run_task task = {enter_build, leave_build};
  struct carrying c = {.a = a, .body = a->request->body};
  return carry(s, &c, RUN_REQUEST, &task, f);
}

/* ---- whole answers and errors ---- */

static int enter_answer(lua_State *L, void *owner) {
  struct carrying *c = owner;
  push_function(L, c, TRANSLATE_RESPONSE);
  push_hop(L, c);
  lua_pushinteger(L, c->status);                /* response hop status */
  lua_pushlstring(L, c->body.ptr, c->body.len); /* response hop status body */
  return 3;
}

static void add_answer_losses(lua_State *L, struct carrying *c) {
  push_hop(L, c);                /* … hop */
  lua_getfield(L, -1, "asked");  /* … hop asked */
  lua_getfield(L, -1, "losses"); /* … hop asked losses */
  add_losses(L, lua_gettop(L), c->a);
}

static void leave_answer(lua_State *L, void *owner) {
  struct carrying *c = owner;
  c->status = (unsigned)luaL_checkinteger(L, 1);
  c->made = keep_text(L, 2, c);
  add_answer_losses(L, c);
}

enum hook_verdict translation_answer(struct script *s, struct attempt *a, struct slice body, struct slice *out,
                                     struct fault *f) {
  static const struct run_task task = {enter_answer, leave_answer};
  struct carrying c = {.a = a, .body = body, .status = a->status};
  enum hook_verdict verdict = carry(s, &c, RUN_RESPONSE, &task, f);
  if (verdict != HOOK_DONE) return verdict;
  *out = c.made;
  if (c.status < 400) return HOOK_DONE;
  fault_set(f, FAULT_PROVIDER_BROKEN, "The answer of %s could not be read.", a->target->provider->name);
  return HOOK_FAILED;
}

/* The attempt has been settled by now, and its hop with it: errors need little of one. */
static int enter_error(lua_State *L, void *owner) {
  struct carrying *c = owner;
  push_function(L, c, TRANSLATE_ERROR);
  push_new_hop(L, c);
  lua_pushinteger(L, c->status);                                   /* error hop status */
  lua_pushlstring(L, c->body.ptr ? c->body.ptr : "", c->body.len); /* error hop status body */
  return 3;
}

static void leave_error(lua_State *L, void *owner) {
  struct carrying *c = owner;
  lua_Integer status = luaL_checkinteger(L, 1);
  if (status >= 400 && status <= 599) c->status = (unsigned)status;
  c->made = keep_text(L, 2, c);
}

enum hook_verdict translation_error(struct script *s, struct attempt *a, struct slice body, unsigned *status,
                                    struct slice *out, struct fault *f) {
  static const struct run_task task = {enter_error, leave_error};
  struct carrying c = {.a = a, .body = body, .status = a->status};
  enum hook_verdict verdict = carry(s, &c, RUN_RESPONSE, &task, f);
  if (verdict != HOOK_DONE) return verdict;
  *status = c.status;
  *out = c.made;
  return HOOK_DONE;
}

/* ---- streams ---- */

/* put(text), which a stream calls with what goes to the client. Runs only inside an event or finish. */
static int l_stream_put(lua_State *L) {
  struct carrying *c = run_owner(L);
  size_t len;
  const char *text = luaL_checklstring(L, 1, &len);
  buf_append(c->out, text, len);
  return 0;
}

/* Pushes the attempt's stream, made at its first event. */
static void push_stream(lua_State *L, struct carrying *c) {
  struct script_attempt *state = state_of(c->a);
  if (state->stream == LUA_NOREF) {
    push_function(L, c, TRANSLATE_STREAM);
    push_hop(L, c);
    lua_pushcfunction(L, l_stream_put);             /* … stream hop put */
    lua_call(L, 2, 1);                              /* … stream */
    state->stream = luaL_ref(L, LUA_REGISTRYINDEX); /* … */
  }
  lua_rawgeti(L, LUA_REGISTRYINDEX, state->stream); /* … stream */
}

/* A piece of text and nothing else, decoded here: the rest of the event, most of its bytes, is never read by Lua. */
static bool push_text(lua_State *L, const struct carrying *c) {
  enum { TEXT_BYTES_MAX = 4096 };
  const struct dialect *d = c->a->dialect;
  char text[TEXT_BYTES_MAX];
  struct slice raw;
  size_t len;
  if (d->read_text == NULL || c->event->data.len > TEXT_BYTES_MAX || !d->read_text(c->event, &raw)) return false;
  if (!json_unquote(raw, text, &len)) return false;
  lua_pushlstring(L, text, len); /* … text */
  return true;
}

static int enter_event(lua_State *L, void *owner) {
  struct carrying *c = owner;
  const struct stream_event *e = c->event;
  push_stream(L, c);                                               /* stream */
  lua_getfield(L, -1, "event");                                    /* stream event */
  lua_insert(L, -2);                                               /* event stream */
  lua_pushlstring(L, e->name.len ? e->name.ptr : "", e->name.len); /* event stream name */
  lua_pushlstring(L, e->data.len ? e->data.ptr : "", e->data.len); /* event stream name data */
  return push_text(L, c) ? 4 : 3;                                  /* event stream name data (text) */
}

enum hook_verdict translation_event(struct script *s, struct attempt *a, const struct stream_event *e, struct buf *out,
                                    struct fault *f) {
  static const struct run_task task = {enter_event, NULL};
  if (!e->has_data) {
    /* In an array it is what stands between the elements, which the hop writes itself. */
    bool keeps = a->dialect == a->request->dialect && a->stream.framing == FRAMING_SSE;
    if (keeps) buf_slice(out, e->raw);
    return HOOK_DONE;
  }
  struct carrying c = {.a = a, .event = e, .out = out};
  return carry(s, &c, RUN_EVENT, &task, f);
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
  add_answer_losses(L, owner);
}

enum hook_verdict translation_finish(struct script *s, struct attempt *a, struct buf *out, struct fault *f) {
  static const struct run_task task = {enter_finish, leave_finish};
  struct carrying c = {.a = a, .out = out};
  return carry(s, &c, RUN_EVENT, &task, f);
}
