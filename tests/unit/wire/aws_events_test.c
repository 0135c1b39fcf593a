/* aws_events: what is written is read, at every cut; what is damaged is refused at every byte; recorded streams. */
#include "check.h"

#include <stdlib.h>

#include "wire/aws_events.h"
#include "wire/recorded.h"

enum { LARGE = 1 << 24 };

struct heard {
  struct buf events, raws;
  unsigned count;
  enum aws_verdict last;
};

static void feed(struct aws_reader *r, struct slice bytes, struct heard *h) {
  char *copy = malloc(bytes.len + BUF_SLACK);
  struct slice in = slice_of(copy, bytes.len);
  struct aws_event e;
  if (bytes.len) memcpy(copy, bytes.ptr, bytes.len);
  memset(copy + bytes.len, 0, BUF_SLACK);
  while ((h->last = aws_events_next(r, &in, &e)) == AWS_EVENT) {
    struct slice parts[] = {e.kind, e.name, e.message, e.content_type, e.payload};
    for (size_t i = 0; i < 5; i++) {
      buf_slice(&h->events, parts[i]);
      buf_byte(&h->events, i < 4 ? '|' : ';');
    }
    buf_slice(&h->raws, e.raw);
    volatile char sum = 0;
    for (size_t i = 0; i < JSON_PADDING; i++) sum = (char)(sum + e.payload.ptr[e.payload.len + i]);
    h->count++;
  }
  if (h->last == AWS_MORE) CHECK_INT(in.len, 0);
  free(copy);
}

static struct heard hear_pieces(struct slice stream, size_t first, size_t piece) {
  struct heard h = {0};
  struct aws_reader r;
  aws_events_init(&r, LARGE);
  feed(&r, slice_of(stream.ptr, first), &h);
  for (size_t at = first; at < stream.len && h.last == AWS_MORE; at += piece)
    feed(&r, slice_of(stream.ptr + at, stream.len - at < piece ? stream.len - at : piece), &h);
  if (h.last == AWS_MORE) {
    CHECK(aws_events_ended_whole(&r) == (h.raws.len == stream.len));
    if (aws_events_ended_whole(&r)) {
      feed(&r, SLICE(""), &h);
      CHECK(r.held.ptr == NULL);
      CHECK(slice_eq(buf_view(&h.raws), stream));
    }
  } else {
    CHECK(r.why != NULL);
  }
  aws_events_done(&r);
  return h;
}

static void heard_done(struct heard *h) {
  buf_done(&h->events);
  buf_done(&h->raws);
}

static void check_cuts(struct slice stream, const struct heard *whole, size_t step) {
  static const size_t pieces[] = {1, 2, 3, 5, 7, 11, 13};
  for (size_t i = 0; i < 7; i++) {
    struct heard got = hear_pieces(stream, 0, pieces[i]);
    CHECK(got.last == AWS_MORE && slice_eq(buf_view(&got.events), buf_view(&whole->events)));
    heard_done(&got);
  }
  for (size_t cut = 0; cut <= stream.len; cut += step) {
    struct heard got = hear_pieces(stream, cut, stream.len + 1);
    CHECK(got.last == AWS_MORE && slice_eq(buf_view(&got.events), buf_view(&whole->events)));
    heard_done(&got);
  }
}

static void put(struct buf *out, const char *kind_key, const char *kind, const char *name, const char *payload) {
  struct aws_header headers[] = {
      {.name = slice_text(kind_key), .type = AWS_STRING, .value = slice_text(name)},
      {.name = SLICE(":content-type"), .type = AWS_STRING, .value = SLICE("application/json")},
      {.name = SLICE(":message-type"), .type = AWS_STRING, .value = slice_text(kind)}};
  aws_events_put(out, headers, 3, slice_text(payload));
}

static struct buf three_messages(void) {
  struct buf stream = {0};
  put(&stream, ":event-type", "event", "contentBlockDelta", "{\"delta\":{\"text\":\"hi\"},\"contentBlockIndex\":0}");
  aws_events_put(&stream, NULL, 0, SLICE(""));
  put(&stream, ":exception-type", "exception", "throttlingException", "{\"message\":\"slow down\"}");
  return stream;
}

TEST(written_and_read) {
  struct buf stream = three_messages();
  struct heard whole = hear_pieces(buf_view(&stream), stream.len, 1);
  CHECK_SLICE(buf_view(&whole.events),
              "event|contentBlockDelta||application/json|{\"delta\":{\"text\":\"hi\"},\"contentBlockIndex\":0};"
              "||||;exception|throttlingException||application/json|{\"message\":\"slow down\"};");
  check_cuts(buf_view(&stream), &whole, 1);
  heard_done(&whole);
  buf_done(&stream);
}

/* A message without headers and payload, and its bytes as the format's definition gives them: both CRCs were computed
 * by another implementation of CRC-32. */
TEST(the_smallest_message) {
  struct buf out = {0};
  aws_events_put(&out, NULL, 0, SLICE(""));
  CHECK(slice_eq(buf_view(&out), slice_of("\0\0\0\x10\0\0\0\0\x05\xc2\x48\xeb\x7d\x98\xc8\xff", 16)));
  buf_done(&out);
}

TEST(an_error_message) {
  struct buf out = {0};
  struct aws_header headers[] = {
      {.name = SLICE(":message-type"), .type = AWS_STRING, .value = SLICE("error")},
      {.name = SLICE(":error-code"), .type = AWS_STRING, .value = SLICE("InternalError")},
      {.name = SLICE(":error-message"), .type = AWS_STRING, .value = SLICE("An internal server error occurred")}};
  aws_events_put(&out, headers, 3, SLICE(""));
  struct heard whole = hear_pieces(buf_view(&out), out.len, 1);
  CHECK_SLICE(buf_view(&whole.events), "error|InternalError|An internal server error occurred||;");
  heard_done(&whole);
  buf_done(&out);
}

TEST(headers_of_every_type) {
  struct aws_header put_headers[] = {{.name = SLICE("t"), .type = AWS_TRUE, .number = 1},
                                     {.name = SLICE("f"), .type = AWS_FALSE, .number = 0},
                                     {.name = SLICE("byte"), .type = AWS_BYTE, .number = -1},
                                     {.name = SLICE("short"), .type = AWS_SHORT, .number = -32768},
                                     {.name = SLICE("int"), .type = AWS_INTEGER, .number = 2147483647},
                                     {.name = SLICE("long"), .type = AWS_LONG, .number = INT64_MIN},
                                     {.name = SLICE("bytes"), .type = AWS_BYTES, .value = SLICE("\x01\x02")},
                                     {.name = SLICE("string"), .type = AWS_STRING, .value = SLICE("")},
                                     {.name = SLICE("time"), .type = AWS_TIMESTAMP, .number = 1748201234567},
                                     {.name = SLICE("uuid"), .type = AWS_UUID, .value = SLICE("0123456789abcdef")}};
  enum { COUNT = sizeof put_headers / sizeof *put_headers };
  struct buf out = {0};
  struct aws_reader r;
  struct aws_event e;
  struct aws_header h;
  aws_events_put(&out, put_headers, COUNT, SLICE("payload"));
  struct slice in = buf_view(&out);
  aws_events_init(&r, LARGE);
  CHECK(aws_events_next(&r, &in, &e) == AWS_EVENT);
  CHECK_SLICE(e.payload, "payload");
  struct slice left = e.headers;
  for (size_t i = 0; i < COUNT; i++) {
    CHECK(aws_header_next(&left, &h));
    CHECK(slice_eq(h.name, put_headers[i].name) && slice_eq(h.value, put_headers[i].value));
    CHECK_INT(h.type, put_headers[i].type);
    CHECK_INT(h.number, put_headers[i].number);
  }
  CHECK(!aws_header_next(&left, &h));
  CHECK_INT(left.len, 0);
  /* Cut anywhere, the headers say so: something is left over. */
  for (size_t len = 1; len < e.headers.len; len++) {
    size_t whole = 0;
    left = slice_of(e.headers.ptr, len);
    while (aws_header_next(&left, &h)) whole++;
    CHECK(whole < COUNT);
  }
  buf_done(&out);
  aws_events_done(&r);
}

TEST(every_damaged_byte_is_seen) {
  struct buf stream = three_messages();
  for (size_t at = 0; at < stream.len; at++)
    for (int bit = 0; bit < 8; bit++) {
      stream.ptr[at] = (char)(stream.ptr[at] ^ 1 << bit);
      struct heard h = hear_pieces(buf_view(&stream), stream.len, 1);
      CHECK_INT(h.last, AWS_BROKEN);
      CHECK(h.count < 3);
      heard_done(&h);
      h = hear_pieces(buf_view(&stream), 0, 4);
      CHECK_INT(h.last, AWS_BROKEN);
      heard_done(&h);
      stream.ptr[at] = (char)(stream.ptr[at] ^ 1 << bit);
    }
  buf_done(&stream);
}

/* Lengths that disagree, under a CRC that is right: headers longer than the message, a message too short to be one. */
TEST(lengths_that_disagree) {
  static const struct slice preludes[] = {
      SLICE_INIT("\0\0\0\x10\0\0\0\x01\x72\xc5\x78\x7d\0\0\0\0"),
      SLICE_INIT("\0\0\0\x0f\0\0\0\0\xe7\x72\x48\xb8\0\0\0\0"),
  };
  for (size_t i = 0; i < 2; i++) {
    struct aws_reader r;
    struct heard h = {0};
    aws_events_init(&r, LARGE);
    feed(&r, preludes[i], &h);
    CHECK_INT(h.last, AWS_BROKEN);
    CHECK_SLICE(slice_text(r.why), "the lengths of a message disagree");
    aws_events_done(&r);
    heard_done(&h);
  }
}

/* A header of type 10, which does not exist, in a message whose CRCs are right. */
TEST(a_malformed_header_is_refused) {
  static const struct slice message =
      SLICE_INIT("\x00\x00\x00\x13\x00\x00\x00\x03\xdb\x6b\x63\x81\x01\x78\x0a\x64\xab\x3f\x3a");
  struct slice odd = SLICE("\x01x\x0a"), nameless = SLICE("\0x\0"), cut = SLICE("\x05x");
  struct heard h = {0};
  struct aws_header header;
  struct aws_reader r;
  aws_events_init(&r, LARGE);
  feed(&r, message, &h);
  CHECK_INT(h.last, AWS_BROKEN);
  CHECK_SLICE(slice_text(r.why), "a header of a message is malformed");
  CHECK(!aws_header_next(&odd, &header) && odd.len == 3);
  CHECK(!aws_header_next(&nameless, &header) && nameless.len == 3);
  CHECK(!aws_header_next(&cut, &header) && cut.len == 2);
  aws_events_done(&r);
  heard_done(&h);
}

TEST(a_message_too_large) {
  struct buf out = {0};
  put(&out, ":event-type", "event", "x", "0123456789");
  for (size_t piece = 1; piece < out.len + 2; piece++)
    for (size_t limit = out.len - 1; limit <= out.len; limit++) {
      struct aws_reader r;
      struct heard h = {0};
      aws_events_init(&r, limit);
      for (size_t at = 0; at < out.len && h.last == AWS_MORE; at += piece)
        feed(&r, slice_of(out.ptr + at, out.len - at < piece ? out.len - at : piece), &h);
      CHECK_INT(h.last, limit < out.len ? AWS_TOO_LARGE : AWS_MORE);
      CHECK_INT(h.count, limit == out.len);
      aws_events_done(&r);
      heard_done(&h);
    }
  buf_done(&out);
}

static unsigned recorded_messages;

static struct buf from_base64(struct slice text) {
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  struct buf out = {0};
  uint32_t bits = 0;
  unsigned count = 0;
  for (size_t i = 0; i < text.len; i++) {
    const char *letter = text.ptr[i] ? strchr(letters, text.ptr[i]) : NULL;
    if (letter == NULL) continue;
    bits = bits << 6 | (uint32_t)(letter - letters);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    buf_byte(&out, (char)(bits >> count));
  }
  return out;
}

static void check_recorded(const char *name, struct slice body) {
  struct buf stream = from_base64(body);
  struct heard whole = hear_pieces(buf_view(&stream), stream.len, 1);
  if (whole.last != AWS_MORE || whole.count == 0) fprintf(stderr, "%s\n", name);
  CHECK_INT(whole.last, AWS_MORE);
  CHECK(whole.count > 0 && slice_eq(buf_view(&whole.raws), buf_view(&stream)));
  check_cuts(buf_view(&stream), &whole, stream.len / 2000 + 1);
  recorded_messages += whole.count;
  heard_done(&whole);
  buf_done(&stream);
}

TEST(recorded_streams_give_the_same) {
  unsigned streams = recorded_streams("aws-eventstream", check_recorded);
  printf("%u recorded streams, %u messages\n", streams, recorded_messages);
  CHECK(streams == 0 || recorded_messages > streams);
}

UNIT_MAIN()
