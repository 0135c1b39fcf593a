/* text_list: a conversation as it is written in a dialect, by its form (text_form.h). What is said passes as it stands:
 * a text is decoded only where it is JSON on one side and a string on the other, or has escapes that nobody has to
 * make. The worker's thread. It does NOT judge what may be said: text_request.c does.
 *
 *                     text user   call call   result result
 *   beside, listed    [user]      [calls]     [result] [result]     (listed: each call a turn, too)
 *   typed, keyed      [user: text] [assistant: call, call] [user: result, result] */
#ifndef MOONGATE_SCRIPT_TEXT_LIST_H
#define MOONGATE_SCRIPT_TEXT_LIST_H

#include "script/translation/text_form.h"

/* The elements of the list, without its brackets: the system text where the dialect has it there, then the turns. Turns
 * of one role that follow each other are joined where the dialect does so and `joins` says so. way: of form->tools.
 * False when something of it has no place in the dialect; then out has part of it. */
bool text_list_put(const struct text_form *form, unsigned way, struct slice system, const struct json_turn *turns,
                   size_t count, bool joins, struct buf *out);
/* The value of the system key. */
void text_list_put_system(const struct text_form *form, struct slice system, bool is_marked, struct buf *out);

/* A string of JSON as gw.json.encode writes it, which differs only in escapes that nobody has to make. */
void text_list_put_string(struct buf *out, struct slice raw);
/* Has the raw string a character that is no blank? */
bool text_list_has_words(struct slice raw);

#endif
