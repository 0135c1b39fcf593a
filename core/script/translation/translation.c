/* translation: see the header; hops, requests, whole answers and errors. Streams are in translation_stream.c. */
#include "script/translation/translation.h"

#include <stdio.h>

#include "gate/request.h"
#include "script/api/api_json.h"
#include "script/api/api_request.h"
#include "script/script_report.h"
#include "script/translation/hop.h"
#include "script/translation/recovery.h"
#include "script/translation/translation_texts.h"

enum { LOSSES_MAX_BYTES = 1024, LOSS_MAX_BYTES = 128 };

struct script_attempt *hop_state(struct attempt *a) {
  if (a->script_state == NULL) {
    struct script_attempt *state = arena_new(&a->request->arena, struct script_attempt);
    state->hop = state->stream = state->recovery = LUA_NOREF;
    a->script_state = state;
  }
  return a->script_state;
}

void translation_forget(struct script *s, struct attempt *a) {
  struct script_attempt *state = a->script_state;
  if (state == NULL) return;
  recovery_keep(s, a);
  script_unref(s, &state->hop);
  script_unref(s, &state->stream);
  passage_done(&state->passage);
  if (state->frame != NULL) text_frame_drop(state->frame, s->vm);
  a->script_state = NULL;
}

/* ---- the hop ---- */

static void set_text(lua_State *L, const char *key, struct slice text) {
  lua_pushlstring(L, text.ptr ? text.ptr : "", text.len); /* … table text */
  lua_setfield(L, -2, key);                               /* … table */
}

void hop_push_function(lua_State *L, const struct carrying *c, enum script_translate which) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, c->call.script->translate[which]); /* … function */
}

/* Calls translate.hop. */
void hop_push_new(lua_State *L, struct carrying *c) {
  struct script *s = c->call.script;
  const struct request *r = c->a->request;
  const struct provider *p = c->a->target->provider;
  luaL_checkstack(L, 10, NULL);
  hop_push_function(L, c, TRANSLATE_HOP);
  lua_rawgeti(L, LUA_REGISTRYINDEX, s->dialects[dialect_index(r->dialect)]);
  lua_rawgeti(L, LUA_REGISTRYINDEX, s->dialects[dialect_index(c->a->dialect)]);
  lua_rawgeti(L, LUA_REGISTRYINDEX, s->adapters[p->index]); /* … hop client provider adapter */
  lua_createtable(L, 0, 4);                                 /* … hop client provider adapter target */
  set_text(L, "model", c->a->target->model);
  set_text(L, "provider", slice_text(p->name));
  bool is_chat = r->endpoint->operation == OPERATION_CHAT;
  lua_createtable(L, 0, 8); /* … hop client provider adapter target asked */
  set_text(L, "model", r->asked.model);
  if (r->asked.stream) set_text(L, "framing", slice_text(framing_row(r->asked.framing)->name));
  if (!is_chat) set_text(L, "operation", slice_text(operation_row(r->endpoint->operation)->name));
  if (!is_chat) set_text(L, "path", r->path);
  lua_pushboolean(L, r->asked.stream); /* … asked stream */
  lua_setfield(L, -2, "stream");       /* … asked */
  if (r->keeping != NULL && r->keeping->previous.len > 0) set_text(L, "previous", r->keeping->previous);
  if (r->keeping != NULL) {
    lua_pushboolean(L, r->keeping->keeps); /* … asked keeps */
    lua_setfield(L, -2, "keeps");          /* … asked */
  }
  set_text(L, "request_id", slice_of(r->id, REQUEST_ID_BYTES));
  lua_pushinteger(L, r->asked.prompt_tokens); /* … asked tokens */
  lua_setfield(L, -2, "prompt_tokens");       /* … asked */
  api_request_push(L, c->call.request);       /* … hop client provider adapter target asked req */
  lua_call(L, 6, 1);                          /* … hop */
}

/* The attempt's hop, made when build was not needed: then both sides speak one dialect. */
void hop_push(lua_State *L, struct carrying *c) {
  struct script_attempt *state = hop_state(c->a);
  if (state->hop == LUA_NOREF) {
    hop_push_new(L, c); /* … hop */
    if (state->frame != NULL) translation_texts_complete(L, state->frame);
    if (c->a->resumes) recovery_tell(L, c);
    state->hop = luaL_ref(L, LUA_REGISTRYINDEX); /* … */
  }
  lua_rawgeti(L, LUA_REGISTRYINDEX, state->hop); /* … hop */
}

struct slice hop_keep_text(lua_State *L, int index, const struct carrying *c) {
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

/* They become a header: names come from the client's body, so whatever is not plain text is masked. */
void hop_list_losses(lua_State *L, int index, struct attempt *a) {
  static const struct slice more = SLICE_INIT("and_more"); /* what has no room is not left out in silence */
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
    if (name_len == 0 || is_listed(list, len, name, name_len)) continue;
    bool has_room = len + 1 + name_len <= sizeof list - 1 - more.len;
    if (!has_room && is_listed(list, len, more.ptr, more.len)) continue;
    struct slice put = has_room ? slice_of(name, name_len) : more;
    if (len > 0) list[len++] = ',';
    memcpy(list + len, put.ptr, put.len);
    len += put.len;
  }
  lua_pop(L, 1); /* … */
  if (len > a->losses.len) a->losses = arena_copy(&a->request->arena, slice_of(list, len));
}

/* ---- running ---- */

enum {
  CPU_NS_PER_BYTE = 8,       /* some four times what decoding and encoding a body take */
  LONG_BODY_BYTES = 4 << 20, /* a script that fails at more than this has failed at its length */
};

static bool has_failed_at_length(const struct run_report *r) {
  return r->outcome == RUN_KILLED || r->outcome == RUN_OUT_OF_MEMORY || strstr(r->message, "not enough memory") != NULL;
}

enum hook_verdict hop_carry(struct script *s, struct carrying *c, enum run_hook hook, const struct run_task *task,
                            struct fault *f) {
  struct request *r = c->a->request;
  struct run_report report;
  c->call = (struct script_call){s, r->route, script_request_of(s, r)};
  struct run_slot *slot = run_take(s->vm);
  enum run_outcome outcome = RUN_OUT_OF_MEMORY;
  if (slot != NULL) {
    run_allow(slot, (uint64_t)c->body.len * CPU_NS_PER_BYTE);
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
  if (hook == RUN_REQUEST && c->body.len > LONG_BODY_BYTES && has_failed_at_length(&report)) {
    fault_set(f, FAULT_BODY_TOO_LARGE, "the request (%zu MB) is too long to be translated to its API.",
              c->body.len >> 20);
    return HOOK_REFUSED;
  }
  fault_set(f, FAULT_SCRIPT_FAILED, "The translation for %s failed.", c->a->target->provider->name);
  return HOOK_FAILED;
}

enum hook_verdict hop_judge(const struct carrying *c, enum hook_verdict verdict, struct fault *f) {
  if (verdict != HOOK_DONE || c->broken.ptr == NULL) return verdict;
  fault_set(f, FAULT_PROVIDER_BROKEN, "%.*s", (int)(c->broken.len < 200 ? c->broken.len : 200), c->broken.ptr);
  return HOOK_REFUSED;
}

/* ---- build ---- */

/* Not kept for a second attempt: that is rare, while the tables of a long body take several times its bytes for as long
 * as the provider thinks. */
void hop_push_body(lua_State *L, const struct carrying *c, struct slice body) {
  const struct script *s = c->call.script;
  lua_rawgeti(L, LUA_REGISTRYINDEX, s->dialects[dialect_index(c->a->request->dialect)]); /* … client */
  bool is_chat = c->a->request->endpoint->operation == OPERATION_CHAT;      /* only dialects have raw keys */
  bool has_raw = lua_getfield(L, -1, "raw_keys") == LUA_TTABLE && is_chat;  /* … client raw */
  if (!api_json_decode(L, body, has_raw ? lua_gettop(L) : 0)) lua_error(L); /* … client raw body */
  lua_replace(L, -3);                                                       /* … body raw */
  lua_pop(L, 1);                                                            /* … body */
}

static int enter_build(lua_State *L, void *owner) {
  struct carrying *c = owner;
  hop_push_function(L, c, TRANSLATE_REQUEST);
  hop_push(L, c);
  hop_push_body(L, c, c->body); /* request hop body */
  return 2;
}

static void leave_build(lua_State *L, void *owner) {
  struct carrying *c = owner;
  struct slice text;
  text.ptr = luaL_checklstring(L, 1, &text.len);
  c->a->body.len = 0;
  buf_slice(&c->a->body, text);
  hop_list_losses(L, 2, c->a);
}

static enum hook_verdict build_by_lua(struct script *s, struct attempt *a, struct fault *f) {
  static const struct run_task task = {enter_build, leave_build};
  struct carrying c = {.a = a, .body = a->request->body};
  return hop_carry(s, &c, RUN_REQUEST, &task, f);
}

enum hook_verdict translation_build(struct script *s, struct attempt *a, struct fault *f) {
  /* What may be gone on with depends on all that was asked for, which Lua reads. */
  enum hook_verdict verdict = a->recovers ? HOOK_ABSENT : translation_texts_build(s, a, f);
  return verdict == HOOK_ABSENT ? build_by_lua(s, a, f) : verdict;
}

/* ---- whole answers and errors ---- */

static int enter_answer(lua_State *L, void *owner) {
  struct carrying *c = owner;
  hop_push_function(L, c, TRANSLATE_RESPONSE);
  hop_push(L, c);
  lua_pushinteger(L, c->status);                /* response hop status */
  lua_pushlstring(L, c->body.ptr, c->body.len); /* response hop status body */
  return 3;
}

void hop_add_losses(lua_State *L, struct carrying *c) {
  hop_push(L, c);                /* … hop */
  lua_getfield(L, -1, "asked");  /* … hop asked */
  lua_getfield(L, -1, "losses"); /* … hop asked losses */
  hop_list_losses(L, lua_gettop(L), c->a);
}

static void leave_answer(lua_State *L, void *owner) {
  struct carrying *c = owner;
  c->status = (unsigned)luaL_checkinteger(L, 1);
  c->made = hop_keep_text(L, 2, c);
  if (c->status >= 400) c->broken = hop_keep_text(L, 4, c); /* its class stands before */
  hop_add_losses(L, c);
}

enum hook_verdict translation_answer(struct script *s, struct attempt *a, struct slice body, struct slice *out,
                                     struct fault *f) {
  static const struct run_task task = {enter_answer, leave_answer};
  struct carrying c = {.a = a, .body = body, .status = a->status};
  enum hook_verdict verdict = translation_texts_answer(s, a, body, out, f);
  if (verdict != HOOK_ABSENT) return verdict;
  verdict = hop_carry(s, &c, RUN_RESPONSE, &task, f);
  if (verdict != HOOK_DONE) return verdict;
  *out = c.made;
  return hop_judge(&c, HOOK_DONE, f);
}

/* The attempt has been settled by now, and its hop with it: errors need little of one. */
static int enter_error(lua_State *L, void *owner) {
  struct carrying *c = owner;
  hop_push_function(L, c, TRANSLATE_ERROR);
  hop_push_new(L, c);
  lua_pushinteger(L, c->status);                                   /* error hop status */
  lua_pushlstring(L, c->body.ptr ? c->body.ptr : "", c->body.len); /* error hop status body */
  return 3;
}

static void leave_error(lua_State *L, void *owner) {
  struct carrying *c = owner;
  lua_Integer status = luaL_checkinteger(L, 1);
  if (status >= 400 && status <= 599) c->status = (unsigned)status;
  c->made = hop_keep_text(L, 2, c);
}

enum hook_verdict translation_error(struct script *s, struct attempt *a, struct slice body, unsigned *status,
                                    struct slice *out, struct fault *f) {
  static const struct run_task task = {enter_error, leave_error};
  struct carrying c = {.a = a, .body = body, .status = a->status};
  enum hook_verdict verdict = hop_carry(s, &c, RUN_RESPONSE, &task, f);
  if (verdict != HOOK_DONE) return verdict;
  *status = c.status;
  *out = c.made;
  return HOOK_DONE;
}
