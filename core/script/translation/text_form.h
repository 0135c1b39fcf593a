/* text_form: where what is said stands in the bodies of a dialect, as its file says in `D.texts`. Lua says the shapes
 * once; C reads conversations by them (wire/json_turns.h) and writes them (text_list.h), without decoding any text. One
 * form a dialect and VM; its words are the Lua file's own strings and live as long as the VM.
 *
 *   D.texts = {
 *     list = "messages",                           key of the list of turns, at the top
 *     content = "content",                         key of a turn's content
 *     roles = { system = …, user = …, assistant = … },   words of a turn's role; without system: the list has none
 *     types = { "text" },                          of a part that is text, two at most; nil: parts have no type
 *     ignored = { "id", "status" },                keys of a turn whose texts are for the dialect's own, two at most
 *     lists = { "annotations" },                   keys of a turn or text that may hold an empty list, two at most
 *     may_be_text, list_may_be_text, kind,
 *     joins_assistant, joins_texts,                see wire/json_turns.h
 *     mark = "cache_control",                      key of a part's cache marker, which other dialects drop or their
 *                                                  frames are not fit; nil: such parts are not read
 *     system_key = "system",                       key of the system text at the top; nil: it is in the list
 *     frames_system = true,                        clients' system texts are left where they are (see text_frames.h)
 *     system = '…%s…', user = …, assistant = …,    turns of one text, keys in the order of gw.json.encode
 *     user_parts = '…%s…', assistant_parts = …,    turns of more, and what stands in them for a text: part, and, where
 *     part = …, assistant_part = …,                that of the assistant differs, assistant_part
 *     joins = true,                                turns of one role that follow each other are written as one
 *     tools = {                                    nil: bodies with calls or results are not read
 *       place = "beside" | "typed" | "keyed" | "listed",   and all names of struct json_tools_shape
 *       write_call = '…', write_result = '…',      %i: id, %n: name, %s: arguments or result as a string, %v: as JSON
 *       write_first_call = '…',                    of a turn, where it differs
 *       write_empty_result = '…',                  where it differs
 *       write_error = '…',                         a result that is an error; nil: its text says so
 *       otherwise = { write_call = '…', … },       the same for providers that want it otherwise; nil: none do
 *       write_output = '…%v…',                     around a result that is no object, where %v wants one
 *       calls = '…%s…%v…', calls_alone = '…%v…',   of "beside": the assistant's turn with calls, and without a text
 *       results_apart = true,                      results stand in a turn of their own
 *     },
 *     answer = { … },                              see text_answer.h; nil: answers are read whole
 *   }
 */
#ifndef MOONGATE_SCRIPT_TEXT_FORM_H
#define MOONGATE_SCRIPT_TEXT_FORM_H

#include <lua.h>

#include "script/translation/text_answer.h"
#include "wire/json_turns.h"

enum { TEXT_HOLES_MAX = 3 };

/* Text with holes: piece[0] hole[0] piece[1] … piece[holes]. Without a ptr in piece[0]: there is none. */
struct text_mould {
  struct slice piece[TEXT_HOLES_MAX + 1];
  char hole[TEXT_HOLES_MAX];
  unsigned holes;
};

enum { TEXT_WAYS_MAX = 2 };

/* One way to write calls and results; which one a provider has is seen when a frame is learnt. */
struct text_way {
  struct text_mould call, first_call, result, empty_result, error;
};

struct text_tools {
  struct text_way ways[TEXT_WAYS_MAX];
  unsigned way_count;
  struct text_mould output, calls, calls_alone;
  bool results_apart;
  bool names_results; /* a result is written with the name of its call */
};

struct text_form {
  struct json_turns_shape shape;
  struct slice system_key; /* where it is written; empty: in the list */
  struct text_mould turn[JSON_TURN_ROLES];
  struct text_mould turn_of_parts[JSON_TURN_ROLES];
  struct text_mould part[JSON_TURN_ROLES];
  struct text_tools tools;
  struct text_answer_form answer;
  bool joins;
  bool is_there; /* the dialect file has one */
};

/* Reads the table at index; nil makes a form that is not there. Throws when it is not as above. */
void text_form_read(lua_State *L, int index, struct text_form *form);

static inline bool text_mould_is_there(const struct text_mould *mould) {
  return mould->piece[0].ptr != NULL;
}

static inline bool text_form_lists_system(const struct text_form *form) {
  return form->system_key.len == 0;
}

static inline bool text_form_has_tools(const struct text_form *form) {
  return form->shape.tools.place != JSON_TOOLS_NOWHERE;
}

#endif
