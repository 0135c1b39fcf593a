/* text_frames: see the header. Keys are compared whole: two frames with one hash are two frames. */
#include "script/translation/text_frames.h"

#include "base/memory.h"
#include "base/must.h"
#include "script/vm.h"

/* No seed: clients choose the bytes, but all they can gain is that their own frames push each other out. */
static uint64_t hash_of(struct slice key) {
  return slice_hash(key, 0);
}

static void move_first(struct text_frame **places, unsigned way) {
  struct text_frame *found = places[way];
  for (; way > 0; way--) places[way] = places[way - 1];
  places[0] = found;
}

struct text_frame *text_frames_find(struct text_frames *frames, struct slice key) {
  uint64_t hash = hash_of(key);
  struct text_frame **places = frames->places[hash % TEXT_FRAMES_BUCKETS];
  for (unsigned way = 0; way < TEXT_FRAMES_WAYS; way++) {
    struct text_frame *frame = places[way];
    if (frame == NULL || frame->hash != hash || !slice_eq(frame->key, key)) continue;
    move_first(places, way);
    return frame;
  }
  return NULL;
}

static struct slice put(char **at, struct slice s) {
  struct slice copy = slice_of(*at, s.len);
  if (s.len > 0) memcpy(*at, s.ptr, s.len);
  *at += s.len;
  return copy;
}

struct text_frame *text_frames_add(struct text_frames *frames, struct vm *vm, const struct text_frame *like) {
  if (like->key.len > TEXT_FRAME_MAX_BYTES || like->made.len > TEXT_FRAME_MAX_BYTES) {
    luaL_unref(vm->L, LUA_REGISTRYINDEX, like->asked);
    return NULL;
  }
  size_t bytes = like->key.len + like->losses.len + like->made.len;
  if (frames->bytes + bytes > TEXT_FRAMES_MAX_BYTES) text_frames_done(frames, vm);
  frames->bytes += bytes;
  struct text_frame *frame = mem_alloc(sizeof *frame + bytes);
  char *at = frame->bytes;
  *frame = *like;
  frame->byte_count = bytes;
  frame->key = put(&at, like->key);
  frame->losses = put(&at, like->losses);
  frame->made = put(&at, like->made);
  frame->hash = hash_of(frame->key);
  frame->hop = LUA_NOREF;
  frame->holders = 1;
  struct text_frame **places = frames->places[frame->hash % TEXT_FRAMES_BUCKETS];
  struct text_frame **last = &places[TEXT_FRAMES_WAYS - 1];
  if (*last != NULL) {
    frames->bytes -= (*last)->byte_count;
    text_frame_drop(*last, vm);
  }
  *last = frame;
  move_first(places, TEXT_FRAMES_WAYS - 1);
  return frame;
}

void text_frame_hold(struct text_frame *frame) {
  frame->holders++;
}

void text_frame_drop(struct text_frame *frame, struct vm *vm) {
  must(frame->holders > 0);
  if (--frame->holders > 0) return;
  if (vm != NULL) { /* LUA_NOREF is passed over */
    luaL_unref(vm->L, LUA_REGISTRYINDEX, frame->asked);
    luaL_unref(vm->L, LUA_REGISTRYINDEX, frame->hop);
  }
  mem_free(frame);
}

void text_frames_done(struct text_frames *frames, struct vm *vm) {
  for (unsigned i = 0; i < TEXT_FRAMES_BUCKETS; i++) {
    for (unsigned way = 0; way < TEXT_FRAMES_WAYS; way++) {
      if (frames->places[i][way] != NULL) text_frame_drop(frames->places[i][way], vm);
      frames->places[i][way] = NULL;
    }
  }
  frames->bytes = 0;
}
