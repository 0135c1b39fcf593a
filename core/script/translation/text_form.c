/* text_form: see the header. Reading is on the loader's thread, writing on the worker's. */
#include "script/translation/text_form.h"

#include <lauxlib.h>

#include "wire/json_simd.h"

/* ---- reading the Lua table ---- */

static struct slice word_at(lua_State *L, int index) {
  struct slice word = {NULL, 0};
  word.ptr = luaL_checklstring(L, index, &word.len);
  return word;
}

/* The word of a key of the table at the top; empty when it has none. The table holds on to the string. */
static struct slice word_of(lua_State *L, const char *key) {
  struct slice word = {NULL, 0};
  if (lua_getfield(L, -1, key) != LUA_TNIL) word = word_at(L, -1); /* … table word */
  lua_pop(L, 1);                                                   /* … table */
  return word;
}

static bool flag_of(lua_State *L, const char *key) {
  lua_getfield(L, -1, key); /* … table flag */
  bool flag = lua_toboolean(L, -1);
  lua_pop(L, 1); /* … table */
  return flag;
}

static struct text_mould mould_of(lua_State *L, const char *key) {
  struct slice text = word_of(L, key);
  if (text.ptr == NULL) return (struct text_mould){{NULL, 0}, {NULL, 0}};
  ptrdiff_t at = slice_find(text, SLICE("%s"));
  if (at < 0) luaL_error(L, "texts.%s has no %%s", key);
  return (struct text_mould){slice_of(text.ptr, (size_t)at), slice_from(text, (size_t)at + 2)};
}

static void read_roles(lua_State *L, struct json_turns_shape *shape) {
  static const char *const names[JSON_TURN_ROLES] = {"system", "user", "assistant"};
  if (lua_getfield(L, -1, "roles") != LUA_TTABLE) luaL_error(L, "texts.roles is missing"); /* … table roles */
  for (int i = 0; i < JSON_TURN_ROLES; i++) shape->roles[i] = word_of(L, names[i]);
  lua_pop(L, 1); /* … table */
}

/* The words of the list under key; empty where there are fewer. */
static void read_words(lua_State *L, const char *key, struct slice words[JSON_TURN_WORDS_MAX]) {
  if (lua_getfield(L, -1, key) == LUA_TTABLE) { /* … table list */
    for (int i = 0; i < JSON_TURN_WORDS_MAX; i++) {
      if (lua_rawgeti(L, -1, i + 1) != LUA_TNIL) words[i] = word_at(L, -1); /* … table list word */
      lua_pop(L, 1);                                                        /* … table list */
    }
  }
  lua_pop(L, 1); /* … table */
}

void text_form_read(lua_State *L, int index, struct text_form *form) {
  memset(form, 0, sizeof *form);
  if (lua_isnil(L, index)) return;
  luaL_checktype(L, index, LUA_TTABLE);
  lua_pushvalue(L, index); /* … table */
  form->shape.list = word_of(L, "list");
  form->shape.content = word_of(L, "content");
  form->shape.kind = word_of(L, "kind");
  form->shape.may_be_text = flag_of(L, "may_be_text");
  form->shape.list_may_be_text = flag_of(L, "list_may_be_text");
  read_roles(L, &form->shape);
  read_words(L, "types", form->shape.types);
  read_words(L, "ignored", form->shape.ignored);
  form->system_key = word_of(L, "system_key");
  if (!flag_of(L, "frames_system")) form->shape.system = form->system_key;
  form->turn[JSON_TURN_SYSTEM] = mould_of(L, "system");
  form->turn[JSON_TURN_USER] = mould_of(L, "user");
  form->turn[JSON_TURN_ASSISTANT] = mould_of(L, "assistant");
  form->turn_of_parts[JSON_TURN_USER] = mould_of(L, "user_parts");
  form->turn_of_parts[JSON_TURN_ASSISTANT] = mould_of(L, "assistant_parts");
  form->part = mould_of(L, "part");
  lua_getfield(L, -1, "answer"); /* … table answer */
  text_answer_form_read(L, lua_gettop(L), &form->shape, &form->answer);
  lua_pop(L, 2); /* … */
  bool whole = form->shape.list.len > 0 && form->shape.content.len > 0 && form->shape.roles[JSON_TURN_USER].len > 0;
  for (int i = 0; i < JSON_TURN_ROLES; i++) whole = whole && form->turn[i].before.ptr != NULL;
  if (!whole) luaL_error(L, "texts must have list, content, roles, system, user and assistant");
  form->is_there = true;
}

/* ---- writing ---- */

/* Is there an escape that the writer of JSON would not make: \u0041, \/ ? A doubled backslash may be taken for one. */
static bool has_rare_escape(struct slice raw) {
  for (size_t at = 0; at < raw.len; at += 64) {
    uint64_t mask = json_mask_backslashes(raw.ptr + at);
    for (; mask != 0; mask &= mask - 1) {
      size_t next = at + (size_t)__builtin_ctzll(mask) + 1;
      if (next >= raw.len) return false;
      if (raw.ptr[next] == 'u' || raw.ptr[next] == '/') return true;
    }
  }
  return false;
}

void text_form_put_text(struct buf *out, struct slice raw) {
  if (!has_rare_escape(raw)) {
    buf_slice(out, raw);
    return;
  }
  struct buf text = {0};
  size_t len = 0;
  if (json_unquote(raw, buf_reserve(&text, raw.len), &len)) json_put_string(out, slice_of(text.ptr, len));
  else buf_slice(out, raw);
  buf_done(&text);
}

bool text_form_has_words(struct slice raw) {
  for (size_t at = 1; at + 1 < raw.len; at++) {
    char c = raw.ptr[at];
    if (c == ' ') continue;
    if (c != '\\') return true;
    c = raw.ptr[++at];
    if (c == 'u') return false;
    if (c == '"' || c == '\\' || c == '/' || c == 'b') return true;
  }
  return false;
}

static void put_filled(const struct text_mould *mould, struct slice raw, struct buf *out) {
  buf_slice(out, mould->before);
  text_form_put_text(out, raw);
  buf_slice(out, mould->after);
}

void text_form_put_list(const struct text_form *form, struct slice system, const struct json_turn *turns, size_t count,
                        bool joins, struct buf *out) {
  size_t begin = out->len;
  joins = joins && text_form_joins(form);
  if (system.ptr != NULL && text_form_lists_system(form)) put_filled(&form->turn[JSON_TURN_SYSTEM], system, out);
  for (size_t i = 0, end; i < count; i = end) {
    enum json_turn_role role = turns[i].role;
    end = i + 1;
    while (joins && end < count && turns[end].role == role) end++;
    if (out->len > begin) buf_byte(out, ',');
    if (end == i + 1) {
      put_filled(&form->turn[role], turns[i].text, out);
      continue;
    }
    buf_slice(out, form->turn_of_parts[role].before);
    for (size_t k = i; k < end; k++) {
      if (k > i) buf_byte(out, ',');
      put_filled(&form->part, turns[k].text, out);
    }
    buf_slice(out, form->turn_of_parts[role].after);
  }
}

void text_form_put_system(const struct text_form *form, struct slice system, struct buf *out) {
  put_filled(&form->turn[JSON_TURN_SYSTEM], system, out);
}
