/* delta: what nearly every event of a stream is: one more piece of a text, of a thought, or of a call's arguments, and
 * nothing else. Filled by the dialects' read_delta. Plain values; its slices lie in the event. */
#ifndef MOONGATE_GATE_DELTA_H
#define MOONGATE_GATE_DELTA_H

#include "base/bytes.h"

enum delta_kind { DELTA_TEXT, DELTA_THINKING, DELTA_ARGUMENTS };

struct delta {
  enum delta_kind kind;
  /* Which text, thought or call goes on, where the provider's reader in Lua tells several apart; 0 where not. */
  int64_t place, part;
  struct slice raw;  /* the piece: a JSON string as it stands, not empty */
  struct slice rest; /* a value that comes with each event, of which only the last counts; ptr NULL: none */
};

#endif
