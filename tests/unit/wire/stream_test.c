/* stream: three framings, one reader: the same events whatever the cuts, raw bytes that add up, broken ends. */
#include "wire/stream.h"

#include "check.h"

/* "name=data;" of every event with data, '!' before an exception; and all raw bytes. */
struct heard {
  struct buf events, raw;
};

static void hear(struct heard *h, const struct stream_event *e) {
  buf_slice(&h->raw, e->raw);
  if (!e->has_data) return;
  if (e->is_exception) buf_byte(&h->events, '!');
  buf_slice(&h->events, e->name);
  buf_byte(&h->events, '=');
  buf_slice(&h->events, e->data);
  buf_byte(&h->events, ';');
}

static void heard_done(struct heard *h) {
  buf_done(&h->events);
  buf_done(&h->raw);
}

/* Feeds `in` in pieces of `step` bytes; the verdict at the end, or the one that stopped it. */
static enum stream_verdict feed(enum framing framing, struct slice in, size_t step, struct heard *h) {
  struct stream_reader r;
  struct stream_event e;
  enum stream_verdict verdict = STREAM_MORE;
  stream_init(&r, framing, 1 << 20);
  for (size_t at = 0; at < in.len && verdict == STREAM_MORE; at += step) {
    struct buf piece = {0};
    buf_append(&piece, in.ptr + at, in.len - at < step ? in.len - at : step);
    struct slice left = buf_view(&piece);
    while ((verdict = stream_next(&r, &left, &e)) == STREAM_EVENT) hear(h, &e);
    buf_done(&piece);
  }
  if (verdict == STREAM_MORE)
    while ((verdict = stream_finish(&r, &e)) == STREAM_EVENT) hear(h, &e);
  if (verdict == STREAM_BROKEN) CHECK(stream_why(&r)[0] != '\0');
  stream_done(&r);
  return verdict;
}

static void same_however_cut(enum framing framing, struct slice in, const char *events) {
  for (size_t step = 1; step <= in.len; step++) {
    struct heard h = {0};
    CHECK_INT(feed(framing, in, step, &h), STREAM_MORE);
    CHECK_SLICE(buf_view(&h.events), events);
    CHECK(slice_eq(buf_view(&h.raw), in));
    heard_done(&h);
  }
}

TEST(server_sent_events) {
  same_however_cut(FRAMING_SSE, SLICE(": hello\n\nevent: a\ndata: {}\n\ndata: 1\r\ndata: 2\r\n\r\ndata: last"),
                   "a={};=1\n2;=last;");
}

TEST(an_array) {
  same_however_cut(FRAMING_JSON_ARRAY, SLICE("[{\"a\":\"]\"}\n,\r\n{\"b\":[1,{}]} , {} ]\n"),
                   "={\"a\":\"]\"};={\"b\":[1,{}]};={};");
  same_however_cut(FRAMING_JSON_ARRAY, SLICE(" []"), "");
}

static struct buf two_messages(void) {
  struct buf b = {0};
  aws_events_put_json(&b, false, SLICE("messageStart"), SLICE("{\"role\":\"assistant\"}"));
  aws_events_put_json(&b, true, SLICE("throttlingException"), SLICE("{\"message\":\"no\"}"));
  return b;
}

TEST(aws_messages) {
  struct buf b = two_messages();
  same_however_cut(FRAMING_AWS_EVENTS, buf_view(&b),
                   "messageStart={\"role\":\"assistant\"};!throttlingException={\"message\":\"no\"};");
  CHECK_INT(b.len, aws_events_json_bytes(false, SLICE("messageStart"), SLICE("{\"role\":\"assistant\"}")) +
                       aws_events_json_bytes(true, SLICE("throttlingException"), SLICE("{\"message\":\"no\"}")));
  buf_done(&b);
}

TEST(streams_that_are_cut_or_broken) {
  struct heard h = {0};
  struct buf b = two_messages();
  CHECK_INT(feed(FRAMING_AWS_EVENTS, slice_of(b.ptr, b.len - 1), 7, &h), STREAM_BROKEN);
  b.ptr[40] ^= 1;
  CHECK_INT(feed(FRAMING_AWS_EVENTS, buf_view(&b), 7, &h), STREAM_BROKEN);
  CHECK_INT(feed(FRAMING_JSON_ARRAY, SLICE("[{\"a\":1}"), 3, &h), STREAM_BROKEN);
  CHECK_INT(feed(FRAMING_JSON_ARRAY, SLICE("{\"error\":1}"), 3, &h), STREAM_BROKEN);
  CHECK_INT(feed(FRAMING_JSON_ARRAY, SLICE(""), 3, &h), STREAM_BROKEN);
  buf_done(&b);
  heard_done(&h);
}

TEST(what_is_too_large_is_refused) {
  struct stream_reader r;
  struct stream_event e;
  struct buf big = {0};
  for (enum framing framing = FRAMING_SSE; framing < FRAMING_COUNT; framing++) {
    big.len = 0;
    if (framing == FRAMING_AWS_EVENTS) {
      char payload[400];
      memset(payload, ' ', sizeof payload);
      aws_events_put_json(&big, false, SLICE("x"), slice_of(payload, sizeof payload));
    } else {
      buf_text(&big, framing == FRAMING_SSE ? "data: " : "[\"");
      for (unsigned i = 0; i < 400; i++) buf_byte(&big, 'x');
    }
    buf_reserve(&big, 0);
    struct slice in = buf_view(&big);
    stream_init(&r, framing, 200);
    CHECK_INT(stream_next(&r, &in, &e), STREAM_TOO_LARGE);
    stream_done(&r);
  }
  buf_done(&big);
}

TEST(every_framing_has_its_words) {
  for (enum framing framing = FRAMING_SSE; framing < FRAMING_COUNT; framing++) {
    CHECK(framing_row(framing)->name[0] != '\0');
    CHECK(slice_starts(framing_row(framing)->content_type, framing_row(framing)->accept));
  }
  struct stream_reader untouched = {0};
  stream_done(&untouched);
}

UNIT_MAIN()
