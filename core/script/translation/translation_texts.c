/* translation_texts: see the header. Lua is called for a frame that is new, with a sample of it. */
#include "script/translation/translation_texts.h"

#include "gate/request.h"
#include "script/api/api_json.h"
#include "script/translation/hop.h"

/* Of `asked` in a hop: what is known without the request's body. All else has come from there. */
static bool is_given(const char *name) {
  static const char *const names[] = {"model",  "framing",    "operation",     "path",
                                      "stream", "request_id", "prompt_tokens", "losses"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(name, names[i]) == 0) return true;
  return false;
}

/* Copies the members of the table at the top that are not given into the one below it. */
static void copy_told(lua_State *L) {
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) { /* … to from key value */
    if (is_given(lua_tostring(L, -2))) continue;
    lua_pushvalue(L, -2); /* … to from key value key */
    lua_pushvalue(L, -2); /* … to from key value key value */
    lua_rawset(L, -6);    /* … to from key value */
  }
}

void translation_texts_complete(lua_State *L, const struct text_frame *frame) {
  lua_getfield(L, -1, "asked");                    /* … hop asked */
  lua_rawgeti(L, LUA_REGISTRYINDEX, frame->asked); /* … hop asked told */
  copy_told(L);
  lua_pop(L, 2); /* … hop */
}

/* ---- a new frame ---- */

static int enter_sample(lua_State *L, void *owner) {
  struct carrying *c = owner;
  hop_push_function(L, c, TRANSLATE_REQUEST);
  hop_push(L, c);
  lua_pushlstring(L, c->body.ptr, c->body.len); /* request hop body */
  return 2;
}

/* Has Lua noted this of the sample's request, for its answer? */
static bool is_told(lua_State *L, struct carrying *c, const char *name) {
  hop_push(L, c);                                    /* … hop */
  lua_getfield(L, -1, "asked");                      /* … hop asked */
  bool told = lua_getfield(L, -1, name) != LUA_TNIL; /* … hop asked value */
  lua_pop(L, 3);                                     /* … */
  return told;
}

/* What Lua has made of the sample: the frame, fit or not, goes into the table, and to the attempt. */
static void leave_sample(lua_State *L, void *owner) {
  struct carrying *c = owner;
  struct script *s = c->call.script;
  struct script_attempt *state = hop_state(c->a);
  struct text_frame frame = {.key = buf_view(&s->split.key), .asked = LUA_NOREF};
  size_t len;
  const char *text = luaL_checklstring(L, 1, &len);
  struct buf *made = &s->vm->padded, *store = &s->vm->out;
  made->len = store->len = 0;
  buf_append(made, text, len);
  hop_list_losses(L, 2, c->a);
  frame.losses = c->a->losses;
  bool renames = text_split_has_tools(&s->split) && is_told(L, c, "tool_names");
  frame.is_fit = !renames && text_request_learn(&s->split, c->body, buf_view(made), &frame, store);
  if (frame.is_fit) {
    lua_createtable(L, 0, 8);     /* … told */
    hop_push(L, c);               /* … told hop */
    lua_getfield(L, -1, "asked"); /* … told hop asked */
    lua_remove(L, -2);            /* … told asked */
    copy_told(L);
    lua_pop(L, 1);                                /* … told */
    frame.asked = luaL_ref(L, LUA_REGISTRYINDEX); /* … */
  }
  state->frame = text_frames_add(&s->frames, s->vm, &frame);
  if (state->frame != NULL) text_frame_hold(state->frame);
}

/* Has Lua translate a sample of the frame that split has found. The sample cannot be at fault: a refusal is one of the
 * frame, in the words that the whole body would have got. */
static enum hook_verdict learn(struct script *s, struct attempt *a, struct fault *f) {
  static const struct run_task task = {enter_sample, leave_sample};
  struct buf sample = {0};
  text_request_sample(&s->split, &sample);
  struct carrying c = {.a = a, .body = buf_view(&sample)};
  enum hook_verdict verdict = hop_carry(s, &c, RUN_REQUEST, &task, f);
  buf_done(&sample);
  return verdict;
}

/* ---- a request ---- */

static struct text_ask ask_of(const struct script *s, const struct attempt *a) {
  const struct request *r = a->request;
  unsigned from = dialect_index(r->dialect), to = dialect_index(a->dialect);
  return (struct text_ask){.from = &s->texts[from],
                           .to = &s->texts[to],
                           .body = r->body,
                           .from_dialect = from,
                           .to_dialect = to,
                           .provider = a->target->provider->index,
                           .stream = r->asked.stream,
                           .model = r->asked.model,
                           .target_model = a->target->model};
}

/* The frame that split has found, learnt when it is new; NULL: it is not fit, or *verdict says why there is none. */
static struct text_frame *frame_of(struct script *s, struct attempt *a, enum hook_verdict *verdict, struct fault *f) {
  struct script_attempt *state = hop_state(a);
  *verdict = HOOK_DONE;
  state->frame = text_frames_find(&s->frames, buf_view(&s->split.key));
  if (state->frame != NULL) {
    text_frame_hold(state->frame);
    a->losses = arena_copy(&a->request->arena, state->frame->losses);
  } else {
    *verdict = learn(s, a, f);
  }
  return *verdict == HOOK_DONE && state->frame != NULL && state->frame->is_fit ? state->frame : NULL;
}

/* Lua gets the whole body instead: what the sample has left behind goes, but that its frame is not fit. */
static void forget_sample(struct script *s, struct attempt *a) {
  struct script_attempt *state = hop_state(a);
  script_unref(s, &state->hop);
  if (state->frame != NULL) text_frame_drop(state->frame, s->vm);
  state->frame = NULL;
  a->losses = slice_of(NULL, 0);
}

enum hook_verdict translation_texts_build(struct script *s, struct attempt *a, struct fault *f) {
  enum hook_verdict verdict;
  bool is_chat = a->request->endpoint->operation == OPERATION_CHAT;
  const struct keeping *keeping = a->request->keeping;
  bool goes_on = keeping != NULL && keeping->previous.len > 0; /* of which the answer tells */
  bool may_differ = a->resumes || goes_on || a->target->provider->adapter->rewrites_request;
  if (!a->crosses || !is_chat || may_differ || a->losses.len > 0) return HOOK_ABSENT;
  struct text_ask ask = ask_of(s, a);
  if (!text_request_split(&s->split, &ask)) return HOOK_ABSENT;
  const struct text_frame *frame = frame_of(s, a, &verdict, f);
  if (verdict != HOOK_DONE) return verdict;
  a->body.len = 0;
  if (frame != NULL && text_request_write(&s->split, frame, &a->body)) return HOOK_DONE;
  forget_sample(s, a);
  return HOOK_ABSENT;
}

/* ---- answers ---- */

/* Owner of a run. */
struct answering {
  struct carrying c; /* first */
  const struct text_answer_form *form;
  struct text_answer answer;
};

/* Nothing in a hop but its losses changes while such an answer is read and written: all requests with one frame share
 * one, which knows no request. An attempt that has a hop of its own keeps to that. */
static void push_shared_hop(lua_State *L, struct carrying *c) {
  struct script_attempt *state = hop_state(c->a);
  struct text_frame *frame = state->frame;
  if (frame == NULL || state->hop != LUA_NOREF) {
    hop_push(L, c); /* … hop */
    return;
  }
  if (frame->hop == LUA_NOREF) {
    hop_push_new(L, c); /* … hop */
    translation_texts_complete(L, frame);
    lua_pushnil(L);             /* … hop nil */
    lua_setfield(L, -2, "req"); /* … hop */
    frame->hop = luaL_ref(L, LUA_REGISTRYINDEX);
  }
  lua_rawgeti(L, LUA_REGISTRYINDEX, frame->hop); /* … hop */
  lua_getfield(L, -1, "asked");                  /* … hop asked */
  lua_createtable(L, 0, 0);                      /* … hop asked losses */
  lua_setfield(L, -2, "losses");                 /* … hop asked */
  lua_pop(L, 1);                                 /* … hop */
}

static int enter_answer(lua_State *L, void *owner) {
  struct answering *answering = owner;
  const struct text_answer_form *form = answering->form;
  struct buf *text = &answering->c.call.script->vm->out;
  hop_push_function(L, &answering->c, TRANSLATE_TEXTS);
  push_shared_hop(L, &answering->c); /* texts hop */
  text->len = 0;
  text_list_put_string(text, answering->answer.text);
  api_json_push_raw(L, buf_view(text)); /* texts hop text */
  luaL_checkstack(L, TEXT_ANSWER_VALUES_MAX, NULL);
  for (size_t i = 0; i < form->values.count; i++) {
    const struct json_field *value = &answering->answer.values[i];
    api_json_push_value(L, value->raw, value->raw.ptr != NULL ? value->kind : JSON_NULL); /* texts hop text value… */
  }
  return (int)(2 + form->values.count);
}

static void leave_answer(lua_State *L, void *owner) {
  struct answering *answering = owner;
  struct buf *made = &answering->c.call.script->vm->out;
  if (!lua_istable(L, 1)) return; /* body losses */
  made->len = 0;
  api_json_encode(L, 1, made);
  answering->c.made = arena_copy(&answering->c.a->request->arena, buf_view(made));
  api_json_trim(made);
  hop_list_losses(L, 2, answering->c.a);
}

enum hook_verdict translation_texts_answer(struct script *s, struct attempt *a, struct slice body, struct slice *out,
                                           struct fault *f) {
  static const struct run_task task = {enter_answer, leave_answer};
  struct answering answering = {.c = {.a = a, .body = body}, .form = &s->texts[dialect_index(a->dialect)].answer};
  bool is_chat = a->request->endpoint->operation == OPERATION_CHAT;
  if (!a->crosses || !is_chat || a->target->provider->adapter->rewrites_response) return HOOK_ABSENT;
  if (!text_answer_read(answering.form, body, &answering.answer)) return HOOK_ABSENT;
  enum hook_verdict verdict = hop_carry(s, &answering.c, RUN_RESPONSE, &task, f);
  if (verdict != HOOK_DONE) return verdict;
  if (answering.c.made.ptr == NULL) return HOOK_ABSENT;
  *out = answering.c.made;
  return HOOK_DONE;
}
