/* text_form: see the header. On the loader's thread. */
#include "script/translation/text_form.h"

#include <lauxlib.h>

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
  struct text_mould mould = {.holes = 0};
  struct slice text = word_of(L, key);
  if (text.ptr == NULL) return mould;
  for (ptrdiff_t at; (at = slice_find_byte(text, '%')) >= 0; text = slice_from(text, (size_t)at + 2)) {
    bool is_hole = (size_t)at + 1 < text.len && strchr("sinv", text.ptr[at + 1]) != NULL;
    if (!is_hole || mould.holes == TEXT_HOLES_MAX)
      luaL_error(L, "texts: %s has too many holes, or an unknown one", key);
    mould.piece[mould.holes] = slice_of(text.ptr, (size_t)at);
    mould.hole[mould.holes++] = text.ptr[at + 1];
  }
  mould.piece[mould.holes] = text;
  if (mould.holes == 0) luaL_error(L, "texts.%s has no %%s", key);
  return mould;
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

static enum json_tools_place place_of(lua_State *L) {
  static const char *const names[] = {"beside", "typed", "keyed", "listed"};
  struct slice word = word_of(L, "place");
  for (int i = 0; i < 4; i++)
    if (slice_eq(word, slice_text(names[i]))) return (enum json_tools_place)(JSON_TOOLS_BESIDE + i);
  return (enum json_tools_place)luaL_error(L, "texts.tools.place is not known");
}

static void read_tools_shape(lua_State *L, struct json_tools_shape *tools) {
  tools->place = place_of(L);
  tools->call = word_of(L, "call");
  tools->call_type = word_of(L, "call_type");
  tools->inside = word_of(L, "inside");
  tools->call_id = word_of(L, "call_id");
  tools->name = word_of(L, "name");
  tools->arguments = word_of(L, "arguments");
  tools->arguments_are_text = flag_of(L, "arguments_are_text");
  tools->result = word_of(L, "result");
  tools->result_id = word_of(L, "result_id");
  tools->output = word_of(L, "output");
  tools->result_is_object = flag_of(L, "result_is_object");
  tools->result_name = word_of(L, "result_name");
  tools->error = word_of(L, "error");
  read_words(L, "error_words", tools->error_words);
  tools->output_value_key = word_of(L, "output_value_key");
}

static bool has_hole(const struct text_mould *mould, char hole) {
  return memchr(mould->hole, hole, mould->holes) != NULL;
}

/* The way in the table at the top. */
static void read_way(lua_State *L, struct text_tools *tools) {
  struct text_way *way = &tools->ways[tools->way_count++];
  way->call = mould_of(L, "write_call");
  way->first_call = mould_of(L, "write_first_call");
  way->result = mould_of(L, "write_result");
  way->empty_result = mould_of(L, "write_empty_result");
  way->error = mould_of(L, "write_error");
  if (!text_mould_is_there(&way->call) || !text_mould_is_there(&way->result))
    luaL_error(L, "texts.tools must say how calls and results are written");
  if (!text_mould_is_there(&way->first_call)) way->first_call = way->call;
  if (!text_mould_is_there(&way->empty_result)) way->empty_result = way->result;
}

static void read_tools(lua_State *L, struct text_form *form) {
  struct text_tools *tools = &form->tools;
  if (lua_getfield(L, -1, "tools") == LUA_TTABLE) { /* … table tools */
    read_tools_shape(L, &form->shape.tools);
    read_way(L, tools);
    if (lua_getfield(L, -1, "otherwise") == LUA_TTABLE) read_way(L, tools); /* … table tools otherwise */
    lua_pop(L, 1);                                                          /* … table tools */
    tools->output = mould_of(L, "write_output");
    tools->calls = mould_of(L, "calls");
    tools->calls_alone = mould_of(L, "calls_alone");
    tools->results_apart = flag_of(L, "results_apart");
    tools->names_results = has_hole(&tools->ways[0].result, 'n');
    bool is_beside = form->shape.tools.place == JSON_TOOLS_BESIDE, is_whole = true;
    if (is_beside) is_whole = text_mould_is_there(&tools->calls) && text_mould_is_there(&tools->calls_alone);
    if (has_hole(&tools->ways[0].result, 'v')) is_whole = is_whole && text_mould_is_there(&tools->output);
    if (!is_whole) luaL_error(L, "texts.tools lacks calls, calls_alone or write_output");
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
  form->shape.mark = word_of(L, "mark");
  form->shape.may_be_text = flag_of(L, "may_be_text");
  form->shape.list_may_be_text = flag_of(L, "list_may_be_text");
  form->shape.joins_assistant = flag_of(L, "joins_assistant");
  form->shape.joins_texts = flag_of(L, "joins_texts");
  read_roles(L, &form->shape);
  read_words(L, "types", form->shape.types);
  read_words(L, "ignored", form->shape.ignored);
  read_words(L, "lists", form->shape.lists);
  form->system_key = word_of(L, "system_key");
  if (!flag_of(L, "frames_system")) form->shape.system = form->system_key;
  form->turn[JSON_TURN_SYSTEM] = mould_of(L, "system");
  form->turn[JSON_TURN_USER] = mould_of(L, "user");
  form->turn[JSON_TURN_ASSISTANT] = mould_of(L, "assistant");
  form->turn_of_parts[JSON_TURN_USER] = mould_of(L, "user_parts");
  form->turn_of_parts[JSON_TURN_ASSISTANT] = mould_of(L, "assistant_parts");
  form->part[JSON_TURN_USER] = mould_of(L, "part");
  form->part[JSON_TURN_ASSISTANT] = mould_of(L, "assistant_part");
  if (!text_mould_is_there(&form->part[JSON_TURN_ASSISTANT]))
    form->part[JSON_TURN_ASSISTANT] = form->part[JSON_TURN_USER];
  form->joins = flag_of(L, "joins");
  read_tools(L, form);
  lua_getfield(L, -1, "answer"); /* … table answer */
  text_answer_form_read(L, lua_gettop(L), &form->shape, &form->answer);
  lua_pop(L, 2); /* … */
  bool whole = form->shape.list.len > 0 && form->shape.content.len > 0 && form->shape.roles[JSON_TURN_USER].len > 0;
  for (int i = 0; i < JSON_TURN_ROLES; i++) whole = whole && text_mould_is_there(&form->turn[i]);
  if (!whole) luaL_error(L, "texts must have list, content, roles, system, user and assistant");
  form->is_there = true;
}
