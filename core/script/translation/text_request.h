/* text_request: requests that hold nothing but texts, calls of tools and what came of them, put into another dialect
 * without Lua: the turns by the two dialects' forms (text_form.h), what is around them out of a table of frames
 * (text_frames.h). The worker's thread.
 *
 *   split ──▶ frame known and fit ──▶ write: the body is made
 *     │   ╰─▶ frame not known ──▶ sample ──Lua──▶ learn ──▶ write
 *     ╰─────▶ anything else in it, or the frame is not fit: Lua translates the body as it is
 *
 * What a frame becomes does not depend on what is said within it: that is what makes it one. It is not believed but
 * looked at: a frame is fit when the sample's turns, as Lua has made them, are what the provider's form makes of them.
 * It does NOT call Lua; translation.c does. */
#ifndef MOONGATE_SCRIPT_TEXT_REQUEST_H
#define MOONGATE_SCRIPT_TEXT_REQUEST_H

#include "script/translation/text_frames.h"
#include "script/translation/text_list.h"

/* What a body's translation depends on, beside the body. */
struct text_ask {
  const struct text_form *from, *to;
  struct slice body; /* valid JSON, with JSON_PADDING behind it */
  unsigned from_dialect, to_dialect, provider;
  bool stream;
  struct slice model, target_model; /* as the client named it; as the provider knows it */
};

/* A conversation as it may be written: views of its body. */
struct text_said {
  struct slice system;     /* the system text, at the top or in front of the list; ptr NULL: none */
  struct json_turn *first; /* of what follows it */
  size_t count;
  unsigned pattern; /* what a translation may care about */
};

/* Reused by every request of a VM: what the last split has found, views of its body. */
struct text_split {
  const struct text_ask *ask;
  struct json_turns turns, sample;
  struct buf key;      /* of the frame: the ask without what is said */
  size_t frame_at;     /* where in the key the frame's bytes begin */
  size_t list, system; /* where in them the list and the system text's value are missing; SIZE_MAX: no system text */
  struct text_said said;
};

/* False: not such a body. `ask` must outlive what follows. */
bool text_request_split(struct text_split *split, const struct text_ask *ask);
/* Appends a body in the client's dialect: the frame with a sample of turns like those of the body. */
void text_request_sample(const struct text_split *split, struct buf *out);
/* The frame as it stands in `made`, what Lua has made of the sample: sets made, turns_at and system_at of `frame`,
 * whose bytes go into `store`. False when it is not fit. */
bool text_request_learn(struct text_split *split, struct slice sample, struct slice made, struct text_frame *frame,
                        struct buf *store);
/* Do names of tools matter to what is said? Then a frame that changes some is not fit. */
bool text_split_has_tools(const struct text_split *split);
/* Appends the provider's body. False when something of it is for Lua: then out has part of it. */
bool text_request_write(const struct text_split *split, const struct text_frame *frame, struct buf *out);
void text_split_done(struct text_split *split);

#endif
