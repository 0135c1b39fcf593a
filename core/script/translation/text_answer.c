/* text_answer: see the header. */
#include "script/translation/text_answer.h"

#include <lauxlib.h>

static struct slice word_at(lua_State *L, int index) {
  struct slice word = {NULL, 0};
  word.ptr = luaL_checklstring(L, index, &word.len);
  return word;
}

/* The list of texts under key of the table at the top; empty when there is none. */
static void read_paths(lua_State *L, const char *key, size_t most, struct text_paths *out) {
  out->count = 0;
  if (lua_getfield(L, -1, key) == LUA_TTABLE) {                                         /* … table list */
    for (lua_Integer i = 1; lua_rawgeti(L, -1, i) == LUA_TSTRING; i++, lua_pop(L, 1)) { /* … table list path */
      if (out->count == most) luaL_error(L, "texts.answer.%s is too long", key);
      out->path[out->count++] = word_at(L, -1);
    }
    lua_pop(L, 1); /* … table list */
  }
  lua_pop(L, 1); /* … table */
}

static void read_known(lua_State *L, struct json_names *out) {
  if (lua_getfield(L, -1, "known") == LUA_TTABLE) {                                     /* … table list */
    for (lua_Integer i = 1; lua_rawgeti(L, -1, i) == LUA_TSTRING; i++, lua_pop(L, 1)) { /* … table list name */
      if (!json_names_add(out, word_at(L, -1))) luaL_error(L, "texts.answer.known is too long");
    }
    lua_pop(L, 1); /* … table list */
  }
  lua_pop(L, 1); /* … table */
}

static struct slice read_word(lua_State *L, const char *key) {
  struct slice word = {NULL, 0};
  if (lua_getfield(L, -1, key) != LUA_TNIL) word = word_at(L, -1); /* … table word */
  lua_pop(L, 1);                                                   /* … table */
  return word;
}

void text_answer_form_read(lua_State *L, int index, const struct json_turns_shape *shape,
                           struct text_answer_form *form) {
  struct text_paths types;
  memset(form, 0, sizeof *form);
  if (lua_isnil(L, index)) return;
  luaL_checktype(L, index, LUA_TTABLE);
  lua_pushvalue(L, index); /* … table */
  form->content = read_word(L, "content");
  form->shape = *shape;
  read_paths(L, "types", JSON_TURN_WORDS_MAX, &types);
  for (size_t i = 0; types.count > 0 && i < JSON_TURN_WORDS_MAX; i++)
    form->shape.types[i] = i < types.count ? types.path[i] : slice_of(NULL, 0);
  read_paths(L, "values", TEXT_ANSWER_VALUES_MAX, &form->values);
  read_paths(L, "without", TEXT_ANSWER_WITHOUT_MAX, &form->without);
  read_known(L, &form->known);
  if (lua_getfield(L, -1, "read") != LUA_TFUNCTION || form->content.len == 0) { /* … table read */
    luaL_error(L, "texts.answer must have content and read");
  }
  lua_pop(L, 2); /* … */
  form->is_there = true;
}

static bool is_nothing(struct slice raw) {
  return raw.ptr == NULL || slice_eq(raw, SLICE("null")) || slice_eq(raw, SLICE("[]")) || slice_eq(raw, SLICE("\"\""));
}

bool text_answer_read(const struct text_answer_form *form, struct slice body, struct text_answer *out) {
  struct json_field fields[1 + TEXT_ANSWER_VALUES_MAX + TEXT_ANSWER_WITHOUT_MAX];
  size_t count = 0, values = 1, without;
  if (!form->is_there) return false;
  fields[count++].key = form->content;
  for (size_t i = 0; i < form->values.count; i++) fields[count++].key = form->values.path[i];
  without = count;
  for (size_t i = 0; i < form->without.count; i++) fields[count++].key = form->without.path[i];
  if (!json_pick_known(body, fields, count, &form->known) || fields[0].raw.ptr == NULL) return false;
  for (size_t i = without; i < count; i++)
    if (!is_nothing(fields[i].raw)) return false;
  memcpy(out->values, fields + values, form->values.count * sizeof *fields);
  return json_turns_text(fields[0].raw, &form->shape, &out->text) && out->text.len > 2;
}
