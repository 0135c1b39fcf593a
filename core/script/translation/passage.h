/* passage: the pieces of a text that go from a provider's stream to the client's without Lua. The worker's thread.
 *
 *   the first piece ─▶ Lua: the reader tells it, the writer writes it, and gives the bytes around it
 *   more of the same ─▶ here: the piece is cut out of its event and put between those bytes       │ passage_take
 *   anything else    ─▶ Lua: first it hears what has passed, then the event                       ▼ passage_tell
 *
 * So reader and writer keep their state as if each piece had gone through them, but hear of many at once. What decides
 * that more of the same may pass is theirs: `reader:delta` and `writer:stencil` (lua/gw/translate.lua); what a piece
 * is, is the dialect's (read_delta, gate/dialect/dialect.h). It does NOT hold anything back: each piece is written when
 * it comes. */
#ifndef MOONGATE_SCRIPT_PASSAGE_H
#define MOONGATE_SCRIPT_PASSAGE_H

#include <lua.h>

#include "gate/dialect/dialect.h"
#include "wire/stencil.h"

/* `{0}` lets nothing pass. */
struct passage {
  bool is_open, keeps_text;
  struct delta delta; /* kind, place and part of what was pushed last, or may pass; its slices are not used */
  struct stencil stencil;
  /* The last event but for its piece: one that has the same bytes around a string says the same of another piece. */
  struct buf frame;
  size_t frame_name, frame_before, frame_after; /* lengths within frame; frame_before 0: none */
  /* What has passed and Lua has not heard of. */
  struct buf text, rest; /* all pieces decoded, if keeps_text; the last delta.rest */
  uint64_t count, bytes, characters;
};

void passage_done(struct passage *p);

/* Whether the event was one more piece: then it is written to out, and Lua hears of it later. */
bool passage_take(struct passage *p, const struct dialect *d, const struct stream_event *e, struct buf *out);

/* The way through Lua, of an event that was not: tell, then push the arguments of stream:event, then open. All throw.
 *
 * Closes it. Tells the stream at the top what has passed, which stays there. */
void passage_tell(lua_State *L, struct passage *p); /* … stream */
/* Pushes what stream:event takes behind name and data, decoded here: the rest of the event, most of its bytes, is never
 * read by Lua. Returns how many: none when the event is more than a piece, or not JSON. After passage_tell. */
int passage_push(lua_State *L, struct passage *p, const struct dialect *d, const struct stream_event *e);
/* Opens it for more of what was pushed: the stencil that stream:event returned is at index; nil: it stays closed. */
void passage_open(lua_State *L, int index, struct passage *p);

#endif
