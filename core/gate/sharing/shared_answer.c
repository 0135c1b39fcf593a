/* shared_answer: see the header. A block is written once, front to back, and is full before the next one is linked, so
 * `bytes` alone tells readers how far they may look. */
#include "gate/sharing/shared_answer.h"

#include "base/memory.h"
#include "base/must.h"

enum { BLOCK_BYTES = 8192 };

struct shared_block {
  _Atomic uint32_t holders;
  struct shared_block *next; /* set before `bytes` tells of anything in it */
  uint64_t from, size;       /* of the answer's bytes */
  char bytes[];
};

static struct shared_block *block_new(uint64_t from, uint64_t size, uint32_t holders) {
  struct shared_block *b = mem_alloc(sizeof *b + size + BUF_SLACK);
  atomic_init(&b->holders, holders);
  b->next = NULL;
  b->from = from;
  b->size = size;
  return b;
}

static void block_drop(struct shared_block *b) {
  while (b != NULL && atomic_fetch_sub_explicit(&b->holders, 1, memory_order_acq_rel) == 1) {
    struct shared_block *next = b->next;
    mem_free(b);
    b = next;
  }
}

void shared_answer_init(struct shared_answer *s) {
  *s = (struct shared_answer){0};
  s->root = s->last = block_new(0, 0, 2);
}

void shared_answer_done(struct shared_answer *s) {
  shared_answer_close(s);
  block_drop(s->last);
  s->last = NULL;
  buf_done(&s->lines);
}

/* ---- the writer --------------------------------------------------------------------------------------------- */

static void set_stage(struct shared_answer *s, enum shared_stage stage) {
  atomic_store_explicit(&s->stage, stage, memory_order_release);
}

void shared_answer_begin(struct shared_answer *s, unsigned status, bool whole, struct slice lines) {
  must(shared_answer_stage(s) == SHARED_AWAITED);
  s->status = (uint16_t)status;
  s->whole = whole;
  buf_slice(&s->lines, lines);
  if (!whole) set_stage(s, SHARED_BEGUN);
}

void shared_answer_append(struct shared_answer *s, struct slice bytes) {
  must(shared_answer_stage(s) <= SHARED_BEGUN);
  uint64_t written = atomic_load_explicit(&s->bytes, memory_order_relaxed);
  while (bytes.len > 0) {
    struct shared_block *b = s->last;
    uint64_t room = b->from + b->size - written;
    if (room == 0) {
      uint64_t size = s->whole || bytes.len > BLOCK_BYTES ? bytes.len : BLOCK_BYTES;
      b->next = block_new(written, size, 2); /* this one's, and the writer's */
      s->last = b->next;
      block_drop(b);
      continue;
    }
    size_t part = bytes.len < room ? bytes.len : (size_t)room;
    memcpy(b->bytes + (written - b->from), bytes.ptr, part);
    written += part;
    bytes = slice_from(bytes, part);
  }
  atomic_store_explicit(&s->bytes, written, memory_order_release);
}

void shared_answer_end(struct shared_answer *s) {
  must(shared_answer_stage(s) <= SHARED_BEGUN);
  set_stage(s, SHARED_COMPLETE);
}

void shared_answer_fail(struct shared_answer *s, const struct fault *f) {
  must(shared_answer_stage(s) <= SHARED_BEGUN);
  s->fault = *f;
  set_stage(s, SHARED_FAULTED);
}

/* ---- readers ------------------------------------------------------------------------------------------------ */

void shared_answer_close(struct shared_answer *s) {
  block_drop(s->root);
  s->root = NULL;
}

void shared_reader_open(struct shared_reader *r, struct shared_answer *s) {
  must(s->root != NULL);
  atomic_fetch_add_explicit(&s->root->holders, 1, memory_order_relaxed);
  *r = (struct shared_reader){.at = s->root};
}

struct slice shared_reader_next(struct shared_reader *r, const struct shared_answer *s) {
  uint64_t written = atomic_load_explicit(&s->bytes, memory_order_acquire);
  if (r->read_bytes == written) return slice_of(NULL, 0);
  while (r->read_bytes == r->at->from + r->at->size) {
    struct shared_block *next = r->at->next;
    atomic_fetch_add_explicit(&next->holders, 1, memory_order_relaxed);
    block_drop(r->at);
    r->at = next;
  }
  uint64_t end = r->at->from + r->at->size;
  if (end > written) end = written;
  struct slice out = slice_of(r->at->bytes + (r->read_bytes - r->at->from), (size_t)(end - r->read_bytes));
  r->read_bytes = end;
  return out;
}

uint64_t shared_reader_behind(const struct shared_reader *r, const struct shared_answer *s) {
  return atomic_load_explicit(&s->bytes, memory_order_acquire) - r->read_bytes;
}

void shared_reader_close(struct shared_reader *r) {
  block_drop(r->at);
  r->at = NULL;
}
