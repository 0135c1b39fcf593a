/* simulate_json: a cursor over JSON text that json_scan has accepted. Pure; any thread; slices borrow from the text.
 *
 * A request of 100 KB is mostly a few long strings: hopping over them finds the last message without building a tree.
 * Never for text that was not validated: it reads on until the structure ends. */
#ifndef MOONGATE_MAIN_SIMULATE_JSON_H
#define MOONGATE_MAIN_SIMULATE_JSON_H

#include "base/arena.h"
#include "base/bytes.h"

/* The next member of an object or element of an array. *rest starts as the whole value's raw text and is advanced.
 * key is the raw text between the key's quotes (no escapes are decoded); for arrays use sim_json_element. False at the
 * end, and when *rest is no object (no array). */
bool sim_json_member(struct slice *rest, struct slice *key, struct slice *value);
bool sim_json_element(struct slice *rest, struct slice *value);

/* The member of that name; ptr NULL when absent or when object is no object. */
struct slice sim_json_get(struct slice object, const char *key);
bool sim_json_is(struct slice raw, const char *text); /* raw is the string `text` */

/* A text, and a number behind it: of such pairs usage is made. */
static inline void sim_put_count(struct buf *out, const char *text, uint64_t number) {
  buf_text(out, text);
  buf_u64(out, number);
}

/* A raw string decoded: a view of raw where it has no escapes, else a copy in the arena. Empty for other kinds. */
struct slice sim_json_text(struct arena *arena, struct slice raw);

#endif
