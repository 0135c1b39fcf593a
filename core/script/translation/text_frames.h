/* text_frames: what is left of a conversation's request when its texts are taken out (model, sampling, tools, …), with
 * what became of it in the provider's dialect. The worker's thread; one table a VM, so that a reload forgets all.
 *
 *   client's body      {"model":"r","messages":[ turns ],"temperature":0.5,"tools":[…]}
 *   its frame          {"model":"r","messages":           ,"temperature":0.5,"tools":[…]}
 *   provider's frame   {"max_tokens":8192,"messages":[ turns ],"model":"claude-…","system": text ,"temperature":0.5,…}
 *
 * A frame is translated by Lua once, around a sample of turns (text_request.h); from then on requests with the same
 * bytes in their frame only have their texts put in. Applications send few frames and many conversations.
 *
 * It holds no turn and, but where text_form.h says so, no system text. The table is bounded, in entries and in bytes:
 * a frame takes the place of another one of its bucket, and one that finds no room empties the table. It does NOT know
 * how a frame was made. */
#ifndef MOONGATE_SCRIPT_TEXT_FRAMES_H
#define MOONGATE_SCRIPT_TEXT_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

enum {
  TEXT_FRAMES_BUCKETS = 64,
  TEXT_FRAMES_WAYS = 2,
  TEXT_FRAME_MAX_BYTES = 256 << 10, /* of a key, and of what is made of it: agents declare many tools */
  TEXT_FRAMES_MAX_BYTES = 8 << 20   /* of all keys, and of what is made of them */
};

struct vm;

/* Counted: an attempt holds on to the one that it was built from. */
struct text_frame {
  uint64_t hash;
  struct slice key;
  bool is_fit;         /* false: bodies with this frame must go through Lua */
  unsigned way;        /* in which calls and results are written (text_form.h) */
  int asked;           /* registry reference: what answers must know of their request; LUA_NOREF: not fit */
  int hop;             /* the same: with all that, shared by answers of one text; LUA_NOREF: none came yet */
  struct slice losses; /* comma-separated */
  struct slice made;   /* the provider's body without the turns and the system text */
  size_t turns_at;     /* where in it the turns belong */
  size_t system_at;    /* where the system text's value belongs; SIZE_MAX: it is among the turns, or there is none */
  size_t byte_count;   /* of bytes */
  uint32_t holders;
  char bytes[]; /* that key, losses and made are made of */
};

struct text_frames {
  struct text_frame *places[TEXT_FRAMES_BUCKETS][TEXT_FRAMES_WAYS]; /* the one that was used last first */
  size_t bytes;                                                     /* of those in it */
};

/* The frame with this key, or NULL. */
struct text_frame *text_frames_find(struct text_frames *frames, struct slice key);
/* A frame in the table, held by it alone. `like` gives all but hash, hop, holders and bytes; its slices are copied, its
 * reference is taken over. NULL when it is too long: then the reference is freed. */
struct text_frame *text_frames_add(struct text_frames *frames, struct vm *vm, const struct text_frame *like);
void text_frame_hold(struct text_frame *frame);
void text_frame_drop(struct text_frame *frame, struct vm *vm);
/* Frees all. vm NULL: it is closed, and its references with it. */
void text_frames_done(struct text_frames *frames, struct vm *vm);

#endif
