/* shared_answer: the log that several read: from the first byte, at their own pace, and nothing is kept for nobody. */
#include "gate/sharing/shared_answer.h"

#include <pthread.h>

#include "check.h"

static void append_text(struct shared_answer *s, const char *text) {
  shared_answer_append(s, slice_text(text));
}

/* All that is there for the reader, joined. */
static struct buf read_all(struct shared_reader *r, const struct shared_answer *s) {
  struct buf out = {0};
  for (struct slice piece; (piece = shared_reader_next(r, s)).len > 0;) buf_slice(&out, piece);
  return out;
}

TEST(readers_begin_at_the_first_byte_whenever_they_come) {
  struct shared_answer s;
  struct shared_reader early, late;
  shared_answer_init(&s);
  shared_reader_open(&early, &s);
  CHECK_INT(shared_reader_next(&early, &s).len, 0);
  CHECK_INT(shared_answer_stage(&s), SHARED_AWAITED);
  shared_answer_begin(&s, 200, false, SLICE("a: b\r\n"));
  CHECK_INT(shared_answer_stage(&s), SHARED_BEGUN);
  CHECK_SLICE(buf_view(&s.lines), "a: b\r\n");
  append_text(&s, "one");
  CHECK_SLICE(shared_reader_next(&early, &s), "one");
  append_text(&s, "two");
  shared_reader_open(&late, &s);
  CHECK_INT(shared_reader_behind(&late, &s), 6);
  CHECK_INT(shared_reader_behind(&early, &s), 3);
  CHECK_SLICE(shared_reader_next(&late, &s), "onetwo");
  CHECK_SLICE(shared_reader_next(&early, &s), "two");
  shared_answer_end(&s);
  CHECK_INT(shared_answer_stage(&s), SHARED_COMPLETE);
  CHECK_INT(shared_reader_next(&late, &s).len, 0);
  shared_reader_close(&early);
  shared_reader_close(&late);
  shared_reader_close(&late);
  shared_answer_done(&s);
}

/* Pieces of all sizes around the block's, read in any rhythm, give the bytes that were written. */
TEST(bytes_come_out_as_they_went_in) {
  for (size_t size = 1; size < 40000; size = size * 3 + 1) {
    struct shared_answer s;
    struct shared_reader behind, beside;
    struct buf in = {0}, seen = {0};
    shared_answer_init(&s);
    shared_reader_open(&behind, &s);
    shared_reader_open(&beside, &s);
    shared_answer_begin(&s, 200, false, SLICE(""));
    while (in.len < 100000) {
      struct buf piece = {0};
      for (size_t i = 0; i < size; i++) buf_byte(&piece, (char)('a' + (in.len + i) % 23));
      buf_slice(&in, buf_view(&piece));
      shared_answer_append(&s, buf_view(&piece));
      struct buf now = read_all(&beside, &s);
      buf_slice(&seen, buf_view(&now));
      buf_done(&now);
      buf_done(&piece);
    }
    shared_answer_close(&s);
    struct buf late = read_all(&behind, &s);
    CHECK(slice_eq(buf_view(&late), buf_view(&in)));
    CHECK(slice_eq(buf_view(&seen), buf_view(&in)));
    shared_reader_close(&behind);
    shared_reader_close(&beside);
    shared_answer_done(&s);
    buf_done(&in);
    buf_done(&seen);
    buf_done(&late);
  }
}

TEST(a_whole_answer_is_one_piece) {
  struct shared_answer s;
  struct shared_reader r;
  struct buf body = {0};
  for (unsigned i = 0; i < 30000; i++) buf_byte(&body, (char)i);
  shared_answer_init(&s);
  shared_reader_open(&r, &s);
  shared_answer_begin(&s, 404, true, SLICE("content-type: application/json\r\n"));
  CHECK_INT(shared_answer_stage(&s), SHARED_AWAITED);
  shared_answer_append(&s, buf_view(&body));
  shared_answer_end(&s);
  CHECK_INT(s.status, 404);
  CHECK(slice_eq(shared_reader_next(&r, &s), buf_view(&body)));
  shared_reader_close(&r);
  shared_answer_done(&s);
  buf_done(&body);
}

TEST(a_fault_stands_behind_what_there_was) {
  struct shared_answer s;
  struct shared_reader r;
  struct fault f;
  shared_answer_init(&s);
  shared_reader_open(&r, &s);
  shared_answer_begin(&s, 200, false, SLICE(""));
  append_text(&s, "half");
  fault_set(&f, FAULT_PROVIDER_BROKEN, "It broke.");
  shared_answer_fail(&s, &f);
  CHECK_INT(shared_answer_stage(&s), SHARED_FAULTED);
  CHECK_SLICE(shared_reader_next(&r, &s), "half");
  CHECK_SLICE(slice_text(s.fault.text), "It broke.");
  shared_answer_done(&s); /* before its reader, who is closed like any other */
  shared_reader_close(&r);
}

/* One thread writes, three read: all get every byte in order. TSan and ASan look at the rest. */
enum { PIECES = 4000, READERS = 3 };

struct reading_thread {
  struct shared_answer *answer;
  struct shared_reader reader;
  uint64_t bytes;
  bool in_order;
};

static void *read_to_the_end(void *argument) {
  struct reading_thread *t = argument;
  t->in_order = true;
  for (;;) {
    enum shared_stage stage = shared_answer_stage(t->answer);
    for (struct slice piece; (piece = shared_reader_next(&t->reader, t->answer)).len > 0;)
      for (size_t i = 0; i < piece.len; i++, t->bytes++)
        t->in_order = t->in_order && piece.ptr[i] == (char)('a' + t->bytes % 26);
    if (stage == SHARED_COMPLETE) break;
  }
  shared_reader_close(&t->reader);
  return NULL;
}

TEST(threads_read_beside_the_writer) {
  struct shared_answer s;
  struct reading_thread readers[READERS];
  pthread_t threads[READERS];
  uint64_t written = 0;
  shared_answer_init(&s);
  for (unsigned i = 0; i < READERS; i++) {
    readers[i] = (struct reading_thread){.answer = &s};
    shared_reader_open(&readers[i].reader, &s);
    pthread_create(&threads[i], NULL, read_to_the_end, &readers[i]);
  }
  shared_answer_begin(&s, 200, false, SLICE(""));
  shared_answer_close(&s);
  for (unsigned i = 0; i < PIECES; i++) {
    char piece[97];
    for (size_t k = 0; k < 1 + i % sizeof piece; k++) piece[k] = (char)('a' + (written + k) % 26);
    shared_answer_append(&s, slice_of(piece, 1 + i % sizeof piece));
    written += 1 + i % sizeof piece;
  }
  shared_answer_end(&s);
  for (unsigned i = 0; i < READERS; i++) {
    pthread_join(threads[i], NULL);
    CHECK_INT(readers[i].bytes, written);
    CHECK(readers[i].in_order);
  }
  shared_answer_done(&s);
}

UNIT_MAIN()
