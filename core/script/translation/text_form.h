/* text_form: where texts stand in the bodies of a dialect, as its file says in `D.texts`. Lua says the shapes once; C
 * reads and writes conversations by them, text for text, without decoding any. One form a dialect and VM; its words are
 * the Lua file's own strings and live as long as the VM.
 *
 *   D.texts = {
 *     list = "messages",                           key of the list of turns, at the top
 *     content = "content",                         key of a turn's content
 *     roles = { system = …, user = …, assistant = … },   words of a turn's role; without system: the list has none
 *     types = { "text" },                          of a part that is text, two at most; nil: parts have no type
 *     ignored = { "id", "status" },                keys of a turn whose texts are for the dialect's own, two at most
 *     may_be_text, list_may_be_text, kind,         see wire/json_turns.h
 *     system_key = "system",                       key of the system text at the top; nil: it is in the list
 *     frames_system = true,                        clients' system texts are left where they are (see text_frames.h)
 *     system = '…%s…', user = …, assistant = …,    how they are written, keys in the order of gw.json.encode
 *     user_parts = '…%s…', assistant_parts = …, part = …   of turns with one role that follow each other; nil: each
 *                                                  stands alone
 *     answer = { … },                              see text_answer.h; nil: answers are read whole
 *   }
 */
#ifndef MOONGATE_SCRIPT_TEXT_FORM_H
#define MOONGATE_SCRIPT_TEXT_FORM_H

#include <lua.h>

#include "script/translation/text_answer.h"
#include "wire/json_turns.h"

/* What stands before and after the one thing that is filled in; both empty and no ptr: none. */
struct text_mould {
  struct slice before, after;
};

struct text_form {
  struct json_turns_shape shape;
  struct slice system_key; /* where it is written; empty: in the list */
  struct text_mould turn[JSON_TURN_ROLES];
  struct text_mould turn_of_parts[JSON_TURN_ROLES];
  struct text_mould part;
  struct text_answer_form answer;
  bool is_there; /* the dialect file has one */
};

/* Reads the table at index; nil makes a form that is not there. Throws when it is not as above. */
void text_form_read(lua_State *L, int index, struct text_form *form);

static inline bool text_form_joins(const struct text_form *form) {
  return form->part.before.ptr != NULL;
}

static inline bool text_form_lists_system(const struct text_form *form) {
  return form->system_key.len == 0;
}

/* The elements of the list, without its brackets: the system text where the dialect has it there, then the turns. Turns
 * of one role that follow each other are joined where the dialect does so and `joins` says so. */
void text_form_put_list(const struct text_form *form, struct slice system, const struct json_turn *turns, size_t count,
                        bool joins, struct buf *out);
/* The value of the system key. */
void text_form_put_system(const struct text_form *form, struct slice system, struct buf *out);

/* A string of JSON as gw.json.encode writes it, which differs only in escapes that nobody has to make. */
void text_form_put_text(struct buf *out, struct slice raw);
/* Has the raw string a character that is no blank? False also where only decoding could tell. */
bool text_form_has_words(struct slice raw);

#endif
