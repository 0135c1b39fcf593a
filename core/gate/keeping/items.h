/* items: the items of Responses requests and answers as texts: the turns of a request's `input`, and the `output` of an
 * answer, whole or at the end of a stream. Pure; any thread. What they return are views of what they were given, or
 * lies in the arena.
 *
 * They are for JSON that was found valid before. Source: OpenAI API reference "Responses". */
#ifndef MOONGATE_GATE_ITEMS_H
#define MOONGATE_GATE_ITEMS_H

#include "base/arena.h"
#include "gate/keeping/kept.h"

struct items {
  struct kept_text *texts;
  size_t count, cap;
};

/* The items of `input`, without ids: nobody may name what a client has sent. A text is a user's message. raw.ptr NULL:
 * none. JSON_PADDING readable bytes behind raw. */
struct items items_of_input(struct arena *arena, struct slice raw);
/* Whether the item stands for one that was kept; *id is that one's. */
bool items_is_reference(struct slice item, struct slice *id);
/* The items of an answer's object, with their ids, and its own id. false: it has none. JSON_PADDING readable bytes
 * behind it. */
bool items_of_answer(struct arena *arena, struct slice answer, struct slice *id, struct items *out);
/* The fields of an answer's object but for its items, as texts to be joined by commas. What is long stands alone, and
 * is shared so by all answers that repeat it. None for what is no plain object. */
struct items items_of_frame(struct arena *arena, struct slice answer);
/* The answer's object out of the event that ends a stream well, the last of `bytes`. false: it ends in another way. */
bool items_ended(struct slice bytes, struct slice *answer);

#endif
