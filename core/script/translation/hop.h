/* hop: what the files of translation share: one attempt's hop and stream as Lua values, and a run on its behalf.
 * Private to core/script/translation/. The worker's thread. Functions with a lua_State throw. */
#ifndef MOONGATE_SCRIPT_HOP_H
#define MOONGATE_SCRIPT_HOP_H

#include "gate/hooks.h"
#include "script/run.h"
#include "script/script.h"
#include "script/translation/passage.h"

/* Of an attempt, in the request's arena. */
struct script_attempt {
  int hop, stream, recovery; /* registry references */
  struct text_frame *frame;  /* that its body was made with; held. NULL: none was */
  struct passage passage;
};

/* Owner of a run. */
struct carrying {
  struct script_call call; /* first */
  struct attempt *a;
  struct slice body; /* what came */
  const struct stream_event *event;
  struct buf *out;   /* of a stream */
  struct slice made; /* of a whole body, in the arena */
  unsigned status;
  struct slice broken; /* why the provider's bytes can be nothing of the client's dialect; ptr NULL: they can */
};

/* The attempt's state, made at its first use. */
struct script_attempt *hop_state(struct attempt *a);
void hop_push_function(lua_State *L, const struct carrying *c, enum script_translate which); /* … function */
void hop_push_new(lua_State *L, struct carrying *c);                                         /* … hop */
/* The attempt's hop, made at its first use. */
void hop_push(lua_State *L, struct carrying *c); /* … hop */
/* Of what is broken makes the fault that says so. */
enum hook_verdict hop_judge(const struct carrying *c, enum hook_verdict verdict, struct fault *f);
/* Copies the text at index into the request's arena. */
struct slice hop_keep_text(lua_State *L, int index, const struct carrying *c);
/* Appends the names in the list at index to the attempt's losses. */
void hop_list_losses(lua_State *L, int index, struct attempt *a);
/* Tells the attempt's stream what has passed without it, in a run of its own. false: that failed, and was logged. */
bool hop_tell_passed(struct script *s, struct attempt *a);
/* What the hop's answer has lost so far goes to the attempt. */
void hop_add_losses(lua_State *L, struct carrying *c);
/* The client's body, decoded. */
void hop_push_body(lua_State *L, const struct carrying *c, struct slice body); /* … body */
enum hook_verdict hop_carry(struct script *s, struct carrying *c, enum run_hook hook, const struct run_task *task,
                            struct fault *f);

#endif
