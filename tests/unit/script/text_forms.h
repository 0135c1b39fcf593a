/* text_forms: short dialects for tests of text_list and text_request, one for each place where calls and results can
 * stand, and how to read them. */
#ifndef MOONGATE_TEST_TEXT_FORMS_H
#define MOONGATE_TEST_TEXT_FORMS_H

#include "base/must.h"
#include "script/translation/text_form.h"

#include <lauxlib.h>

#define ROLES "roles = { system = 's', user = 'u', assistant = 'a' }, "

#define BESIDE_FORM                                                                                                    \
  "return { list = 'l', content = 'c', " ROLES "types = { 't' }, may_be_text = true, lists = { 'notes' }, "            \
  "system = '{\"c\":%s,\"role\":\"s\"}', user = '{\"c\":%s,\"role\":\"u\"}', "                                         \
  "assistant = '{\"c\":%s,\"role\":\"a\"}', user_parts = '{\"c\":[%s],\"role\":\"u\"}', "                              \
  "part = '{\"text\":%s,\"type\":\"t\"}', tools = { place = 'beside', call = 'calls', call_type = 'f', "               \
  "inside = 'fn', call_id = 'id', name = 'name', arguments = 'args', arguments_are_text = true, result = 'r', "        \
  "result_id = 'of', output = 'c', result_name = 'name', "                                                             \
  "calls = '{\"c\":%s,\"calls\":[%v],\"role\":\"a\"}', calls_alone = '{\"calls\":[%v],\"role\":\"a\"}', "              \
  "write_call = '{\"fn\":{\"args\":%s,\"name\":%n},\"id\":%i,\"type\":\"f\"}', "                                       \
  "write_result = '{\"c\":%s,\"of\":%i,\"role\":\"r\"}' } }"

#define TYPED_FORM                                                                                                     \
  "return { list = 'l', content = 'c', roles = { user = 'u', assistant = 'a' }, types = { 't' }, "                     \
  "may_be_text = true, system_key = 'sys', system = '%s', user = '{\"c\":%s,\"role\":\"u\"}', "                        \
  "assistant = '{\"c\":%s,\"role\":\"a\"}', user_parts = '{\"c\":[%s],\"role\":\"u\"}', "                              \
  "assistant_parts = '{\"c\":[%s],\"role\":\"a\"}', part = '{\"text\":%s,\"type\":\"t\"}', joins = true, "             \
  "tools = { place = 'typed', call = 'use', call_id = 'id', name = 'name', arguments = 'in', result = 'res', "         \
  "result_id = 'of', output = 'c', error = 'bad', "                                                                    \
  "write_call = '{\"id\":%i,\"in\":%v,\"name\":%n,\"type\":\"use\"}', "                                                \
  "write_result = '{\"c\":%s,\"of\":%i,\"type\":\"res\"}', write_empty_result = '{\"of\":%i,\"type\":\"res\"}', "      \
  "write_error = '{\"bad\":true,\"c\":%s,\"of\":%i,\"type\":\"res\"}' } }"

#define KEYED_FORM                                                                                                     \
  "return { list = 'l', content = 'c', roles = { user = 'u', assistant = 'a' }, system_key = 'sys', "                  \
  "system = '[%s]', user = '{\"c\":[{\"text\":%s}],\"role\":\"u\"}', "                                                 \
  "assistant = '{\"c\":[{\"text\":%s}],\"role\":\"a\"}', user_parts = '{\"c\":[%s],\"role\":\"u\"}', "                 \
  "assistant_parts = '{\"c\":[%s],\"role\":\"a\"}', part = '{\"text\":%s}', joins = true, "                            \
  "joins_assistant = true, joins_texts = true, tools = { place = 'keyed', call = 'call', call_id = 'id', "             \
  "name = 'name', arguments = 'args', result = 'res', result_id = 'id', result_name = 'name', output = 'r', "          \
  "result_is_object = true, write_call = '{\"call\":{\"args\":%v,\"id\":%i,\"name\":%n}}', "                           \
  "write_result = '{\"res\":{\"id\":%i,\"name\":%n,\"r\":%v}}', write_output = '{\"output\":%v}', "                    \
  "write_error = '{\"res\":{\"id\":%i,\"name\":%n,\"r\":{\"error\":%s}}}', results_apart = true, "                     \
  "otherwise = { write_call = '{\"call\":{\"args\":%v,\"id\":%i,\"name\":%n}}', "                                      \
  "write_first_call = '{\"call\":{\"args\":%v,\"id\":%i,\"name\":%n},\"first\":1}', "                                  \
  "write_result = '{\"res\":{\"id\":%i,\"name\":%n,\"r\":%v}}' } } }"

#define BLOCKS_FORM                                                                                                    \
  "return { list = 'l', content = 'c', roles = { user = 'u', assistant = 'a' }, system_key = 'sys', "                  \
  "system = '[%s]', user = '{\"c\":[{\"text\":%s}],\"role\":\"u\"}', "                                                 \
  "assistant = '{\"c\":[{\"text\":%s}],\"role\":\"a\"}', user_parts = '{\"c\":[%s],\"role\":\"u\"}', "                 \
  "assistant_parts = '{\"c\":[%s],\"role\":\"a\"}', part = '{\"text\":%s}', joins = true, "                            \
  "tools = { place = 'keyed', call = 'use', call_id = 'id', name = 'name', arguments = 'in', result = 'res', "         \
  "result_id = 'of', output = 'c', output_value_key = 'json', error = 'status', error_words = { 'good', 'bad' }, "     \
  "write_call = '{\"use\":{\"id\":%i,\"in\":%v,\"name\":%n}}', "                                                       \
  "write_result = '{\"res\":{\"c\":[{\"text\":%s}],\"of\":%i}}' } }"

#define LISTED_FORM                                                                                                    \
  "return { list = 'l', content = 'c', roles = { user = 'u', assistant = 'a' }, kind = 'm', types = { 'i', 'o' }, "    \
  "ignored = { 'id', 'status' }, may_be_text = true, list_may_be_text = true, joins_assistant = true, "                \
  "system_key = 'sys', system = '%s', user = '{\"c\":%s,\"role\":\"u\"}', "                                            \
  "assistant = '{\"c\":[{\"text\":%s,\"type\":\"o\"}],\"role\":\"a\"}', user_parts = '{\"c\":[%s],\"role\":\"u\"}', "  \
  "assistant_parts = '{\"c\":[%s],\"role\":\"a\"}', part = '{\"text\":%s,\"type\":\"i\"}', "                           \
  "assistant_part = '{\"text\":%s,\"type\":\"o\"}', tools = { place = 'listed', call = 'call', call_id = 'cid', "      \
  "name = 'name', arguments = 'args', arguments_are_text = true, result = 'out', result_id = 'cid', output = 'o', "    \
  "write_call = '{\"args\":%s,\"cid\":%i,\"name\":%n,\"type\":\"call\"}', "                                            \
  "write_result = '{\"cid\":%i,\"o\":%s,\"type\":\"out\"}' } }"

/* Reads a form; its words live as long as the process. False: the table was refused. */
static inline bool text_form_of(const char *text, struct text_form *form);

static lua_State *text_form_words;

__attribute__((destructor)) static void text_forms_close(void) {
  if (text_form_words != NULL) lua_close(text_form_words);
}

static int text_form_of_table(lua_State *L) {
  text_form_read(L, 1, lua_touserdata(L, 2));
  return 0;
}

static inline bool text_form_of(const char *text, struct text_form *form) {
  if (text_form_words == NULL) text_form_words = luaL_newstate();
  lua_State *L = text_form_words;
  lua_pushcfunction(L, text_form_of_table);
  must(luaL_dostring(L, text) == LUA_OK);
  lua_pushvalue(L, -1);
  luaL_ref(L, LUA_REGISTRYINDEX); /* holds on to the words */
  lua_pushlightuserdata(L, form);
  bool is_read = lua_pcall(L, 2, 0, 0) == LUA_OK;
  lua_settop(L, 0);
  return is_read;
}

#endif
