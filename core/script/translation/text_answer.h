/* text_answer: whole answers that hold one text, read without decoding them: the text as it stands, and the few values
 * beside it that a dialect's answers have. Where they stand a dialect file says in `D.texts.answer`; it also turns them
 * into an answer of the normal form, in which the text is raw JSON. Any other answer is read whole by Lua.
 *
 *   answer = {
 *     content = "choices.0.message",             path (json_pick) of a message, or of its content
 *     types = { "text" },                        of that part; nil: as in requests
 *     values = { "id", "usage", … },             paths, given to read in this order; absent and null are nil
 *     without = { "error", "choices.1", … },     paths: what stands there must be nothing: null, [] or ""
 *     known = { "object", "created", … },        keys that may stand beside what has a path above, and are no loss:
 *                                                an answer with any other that says something is read whole
 *     read = function(hop, text, …)              the answer, or nil: it must be read whole
 *   }
 *
 * The loader's thread reads the table, the worker's answers. */
#ifndef MOONGATE_SCRIPT_TEXT_ANSWER_H
#define MOONGATE_SCRIPT_TEXT_ANSWER_H

#include <lua.h>

#include "wire/json_turns.h"

enum { TEXT_ANSWER_VALUES_MAX = 14, TEXT_ANSWER_WITHOUT_MAX = 16 };

struct text_paths {
  struct slice path[TEXT_ANSWER_WITHOUT_MAX];
  size_t count;
};

struct text_answer_form {
  struct slice content;
  struct json_turns_shape shape; /* of the content */
  struct text_paths values, without;
  struct json_names known;
  bool is_there;
};

struct text_answer {
  struct slice text; /* a string as it stands */
  struct json_field values[TEXT_ANSWER_VALUES_MAX];
};

/* Reads the table at index; nil makes a form that is not there. `shape`: of the dialect's requests. Throws. */
void text_answer_form_read(lua_State *L, int index, const struct json_turns_shape *shape,
                           struct text_answer_form *form);
/* False when the answer is another kind. body: valid JSON, with JSON_PADDING behind it. */
bool text_answer_read(const struct text_answer_form *form, struct slice body, struct text_answer *out);

#endif
