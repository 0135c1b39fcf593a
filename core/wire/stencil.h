/* stencil: an event that is the same bytes each time but for one JSON string, and perhaps a number that counts the
 * events. Pure; owned by whoever writes a stream; one thread. It does NOT know what an event means: whoever makes the
 * bytes around the string answers for them.
 *
 *     before "text" after                    data: {"delta":"text"}
 *     before "text" middle number after      data: {"delta":"text","sequence_number":7}
 *
 * In the framing of AWS that is the payload of a message. */
#ifndef MOONGATE_WIRE_STENCIL_H
#define MOONGATE_WIRE_STENCIL_H

#include "base/bytes.h"

struct stencil_cut {
  struct slice before, middle, after;
  struct slice aws_type; /* of the message; empty: no AWS framing */
  bool counts;
  uint64_t number; /* of the next event, where it counts */
};

/* `{0}` writes nothing, not even the string. */
struct stencil {
  struct stencil_cut cut; /* its slices lie in bytes */
  struct buf bytes, payload;
};

/* Copies the cut. */
void stencil_set(struct stencil *s, const struct stencil_cut *cut);
void stencil_done(struct stencil *s);

/* Appends the event for a string: `raw` is its JSON, which is valid, `text` what that says. The string is written as
 * json_put_string would write the text, whatever escapes raw has. */
void stencil_put(struct stencil *s, struct buf *out, struct slice raw, struct slice text);

#endif
