/* sse: the standard's cases, and that neither cuts nor buffers change what comes out: own streams and, where they are
 * found, all recorded ones. */
#include "check.h"

#include <stdlib.h>

#include "wire/recorded.h"
#include "wire/sse.h"

enum { LARGE = 1 << 26 };

/* Events as text: "name|data|id|has_data;" each. raws: their raw bytes one after the other. */
struct heard {
  struct buf events, raws;
  unsigned count;
};

static void hear(struct heard *h, const struct stream_event *e) {
  buf_slice(&h->events, e->name);
  buf_byte(&h->events, '|');
  buf_slice(&h->events, e->data);
  buf_byte(&h->events, '|');
  buf_slice(&h->events, e->id);
  buf_text(&h->events, e->has_data ? "|1;" : "|0;");
  buf_slice(&h->raws, e->raw);
  /* What stands behind data must be readable. */
  volatile char sum = 0;
  for (size_t i = 0; i < JSON_PADDING; i++) sum = (char)(sum + e->data.ptr[e->data.len + i]);
  h->count++;
}

static void heard_done(struct heard *h) {
  buf_done(&h->events);
  buf_done(&h->raws);
  *h = (struct heard){0};
}

/* One read: the bytes in memory of their own, gone afterwards, with line ends behind them that must not be read. */
static enum sse_verdict feed(struct sse_reader *r, struct slice bytes, struct heard *h) {
  char *copy = malloc(bytes.len + BUF_SLACK);
  struct slice in = slice_of(copy, bytes.len);
  struct stream_event e;
  enum sse_verdict verdict;
  if (bytes.len) memcpy(copy, bytes.ptr, bytes.len);
  memset(copy + bytes.len, '\n', BUF_SLACK);
  while ((verdict = sse_next(r, &in, &e)) == SSE_EVENT) hear(h, &e);
  if (verdict == SSE_MORE) CHECK_INT(in.len, 0);
  free(copy);
  return verdict;
}

/* The LF of a CRLF that ends the stream, when the last cut was within it, is an event of its own: only its raw byte is
 * news. */
static void finish(struct sse_reader *r, struct heard *h) {
  struct stream_event e;
  if (sse_finish(r, &e) == SSE_EVENT) {
    bool half = slice_eq(e.raw, SLICE("\n")) && h->raws.len > 0 && h->raws.ptr[h->raws.len - 1] == '\r';
    if (half) buf_byte(&h->raws, '\n');
    else hear(h, &e);
    CHECK(!half || !e.has_data);
  }
  CHECK(sse_finish(r, &e) == SSE_MORE);
  CHECK(r->held.ptr == NULL && r->joined.ptr == NULL);
  sse_done(r);
}

static struct heard hear_whole(struct slice stream) {
  struct heard h = {0};
  struct sse_reader r;
  sse_init(&r, LARGE);
  feed(&r, stream, &h);
  finish(&r, &h);
  CHECK(slice_eq(buf_view(&h.raws), stream));
  return h;
}

static struct heard hear_cut(struct slice stream, size_t first, size_t second) {
  struct heard h = {0};
  struct sse_reader r;
  sse_init(&r, LARGE);
  feed(&r, slice_of(stream.ptr, first), &h);
  feed(&r, slice_of(stream.ptr + first, second - first), &h);
  feed(&r, slice_of(stream.ptr + second, stream.len - second), &h);
  finish(&r, &h);
  return h;
}

static struct heard hear_pieces(struct slice stream, size_t piece) {
  struct heard h = {0};
  struct sse_reader r;
  sse_init(&r, LARGE);
  for (size_t at = 0; at < stream.len; at += piece)
    feed(&r, slice_of(stream.ptr + at, stream.len - at < piece ? stream.len - at : piece), &h);
  finish(&r, &h);
  return h;
}

static bool same(struct heard *got, const struct heard *whole) {
  bool ok = slice_eq(buf_view(&got->events), buf_view(&whole->events)) &&
            slice_eq(buf_view(&got->raws), buf_view(&whole->raws));
  heard_done(got);
  return ok;
}

static const struct {
  struct slice stream;
  const char *events;
} cases[] = {
    {SLICE_INIT("data: a\n\n"), "|a||1;"},
    {SLICE_INIT("data:a\n\ndata:  b\n\n"), "|a||1;| b||1;"},
    {SLICE_INIT("data: a\r\n\r\ndata: b\r\n\r\n"), "|a||1;|b||1;"},
    {SLICE_INIT("data: a\r\rdata: b\r\r"), "|a||1;|b||1;"},
    {SLICE_INIT("data: a\r\n\rdata: b\r\r\ndata: c\n\r\n"), "|a||1;|b||1;|c||1;"},
    {SLICE_INIT("data: a\ndata: b\ndata\ndata:\ndata: c\n\n"), "|a\nb\n\n\nc||1;"},
    {SLICE_INIT("data\n\n"), "|||1;"},
    {SLICE_INIT("data:\n\n"), "|||1;"},
    {SLICE_INIT("data\ndata\n\n"), "|\n||1;"},
    {SLICE_INIT("event: ping\ndata: {\"type\": \"ping\"}\n\n"), "ping|{\"type\": \"ping\"}||1;"},
    {SLICE_INIT("event: a\nevent:b\nid: 7\ndata: x\nid\n\n"), "b|x||1;"},
    {SLICE_INIT("id: 7\ndata: x\nid: a\0b\n\n"), "|x|7|1;"},
    {SLICE_INIT(": OPENROUTER PROCESSING\n\ndata: x\n\n"), "|||0;|x||1;"},
    {SLICE_INIT(": comment\ndata: x\n: more\n\n"), "|x||1;"},
    {SLICE_INIT("event: lone\n\n"), "lone|||0;"},
    {SLICE_INIT("retry: 3000\nunknown: 1\n data: x\ndata : y\nDATA: z\n\n"), "|||0;"},
    {SLICE_INIT("\n\n\ndata: x\n\n\n"), "|||0;|||0;|||0;|x||1;|||0;"},
    {SLICE_INIT("\xef\xbb\xbf"
                "data: x\n\n\xef\xbb\xbf"
                "data: y\n\n"),
     "|x||1;|||0;"},
    {SLICE_INIT("\xef\xbb\xbf\ndata: x\n\n"), "|||0;|x||1;"},
    {SLICE_INIT("\xef\xbb\xbf\r\n\r\ndata: x\n\n"), "|||0;|||0;|x||1;"},
    {SLICE_INIT("\xef\xbb"
                "data: x\n\ndata: y\n\n"),
     "|||0;|y||1;"},
    {SLICE_INIT("\xef\xbb\xbf\xef\xbb\xbf"
                "data: x\n\n"),
     "|||0;"},
    {SLICE_INIT("\xef\xbb\xbf"), "|||0;"},
    {SLICE_INIT("\xef\xbb"), "|||0;"},
    {SLICE_INIT("data: x\n\ndata: [DONE]"), "|x||1;|[DONE]||1;"},
    {SLICE_INIT("data: x\n\ndata: a\ndata: b\n"), "|x||1;|a\nb||1;"},
    {SLICE_INIT("data: x\r\n\r\ndata: y\r"), "|x||1;|y||1;"},
    {SLICE_INIT("data: a\nb\r\n\r\ndata: :c:\n\n"), "|a||1;|:c:||1;"},
    {SLICE_INIT("data: \xf0\x9f\x98\x80 and \0 zero\n\n"), NULL},
    {SLICE_INIT(""), ""},
    {SLICE_INIT(
         "event: message_start\r\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_0123456789abcdef\","
         "\"content\":[],\"usage\":{\"input_tokens\":25}}}\r\n\r\nevent: ping\r\ndata: {}\r\n\r\n"),
     "message_start|{\"type\":\"message_start\",\"message\":{\"id\":\"msg_0123456789abcdef\",\"content\":[],"
     "\"usage\":{\"input_tokens\":25}}}||1;ping|{}||1;"},
};
enum { CASES = sizeof cases / sizeof *cases };

TEST(events_by_the_standard) {
  for (size_t i = 0; i < CASES; i++) {
    struct heard h = hear_whole(cases[i].stream);
    if (cases[i].events) CHECK_SLICE(buf_view(&h.events), cases[i].events);
    heard_done(&h);
  }
}

TEST(every_two_cuts_give_the_same) {
  for (size_t i = 0; i < CASES; i++) {
    struct slice stream = cases[i].stream;
    struct heard whole = hear_whole(stream), got;
    for (size_t first = 0; first <= stream.len; first++)
      for (size_t second = first; second <= stream.len; second++) {
        got = hear_cut(stream, first, second);
        if (same(&got, &whole)) continue;
        fprintf(stderr, "case %zu cut at %zu and %zu\n", i, first, second);
        CHECK(false);
      }
    for (size_t piece = 1; piece < 8; piece++) {
      got = hear_pieces(stream, piece);
      CHECK(same(&got, &whole));
    }
    heard_done(&whole);
  }
}

TEST(random_streams_give_the_same) {
  static const char *const parts[] = {
      "\n",       "\r",    "\r\n",         "data", ":",    " ",        "data: x",
      "event: e", "id: 1", "\xef\xbb\xbf", "\xef", "\n\n", "\r\n\r\n", "0123456789abcdef0123456789abcdef"};
  unsigned seed = 5;
  for (int round = 0; round < 20000; round++) {
    char text[1024];
    size_t len = 0;
    for (int n = rand_r(&seed) % 24; n > 0; n--) {
      const char *part = parts[(unsigned)rand_r(&seed) % (sizeof parts / sizeof *parts)];
      memcpy(text + len, part, strlen(part));
      len += strlen(part);
    }
    struct slice stream = slice_of(text, len);
    struct heard whole = hear_whole(stream), got = hear_pieces(stream, 1);
    CHECK(same(&got, &whole));
    got = hear_pieces(stream, 2 + (unsigned)rand_r(&seed) % 5);
    CHECK(same(&got, &whole));
    size_t first = (unsigned)rand_r(&seed) % (len + 1), second = first + (unsigned)rand_r(&seed) % (len - first + 1);
    got = hear_cut(stream, first, second);
    CHECK(same(&got, &whole));
    heard_done(&whole);
  }
}

TEST(whole_events_are_not_copied) {
  static char read[256] = "data: one\n\nevent: x\r\ndata: two\r\n\r\ndata: thr";
  struct sse_reader r;
  struct stream_event e;
  struct slice in = slice_of(read, strlen(read));
  sse_init(&r, LARGE);
  CHECK(sse_next(&r, &in, &e) == SSE_EVENT);
  CHECK(e.data.ptr == read + 6 && e.raw.ptr == read && e.raw.len == 11);
  CHECK(sse_next(&r, &in, &e) == SSE_EVENT);
  CHECK(e.name.ptr == read + 18 && r.held.ptr == NULL);
  CHECK(sse_next(&r, &in, &e) == SSE_MORE);
  CHECK_SLICE(buf_view(&r.held), "data: thr");
  in = SLICE("ee\n\n");
  static char rest[128] = "ee\n\n";
  in.ptr = rest;
  CHECK(sse_next(&r, &in, &e) == SSE_EVENT);
  CHECK_SLICE(e.data, "three");
  CHECK(sse_next(&r, &in, &e) == SSE_MORE);
  CHECK(r.held.ptr == NULL && r.joined.ptr == NULL);
  CHECK(sizeof r <= 200);
  sse_done(&r);
}

/* The limit is on a block's own bytes, the same whole or in pieces, with any line end. */
TEST(an_event_too_large) {
  static const char *const streams[] = {"data: 0123456789\n\n", "data: 012345678\r\n\r\n", "data: 0123456789\r\r",
                                        "\xef\xbb\xbf"
                                        "data: 0123456789\n\n"};
  static const size_t sizes[] = {18, 18, 18, 18};
  for (size_t i = 0; i < 4; i++)
    for (size_t piece = 1; piece < 24; piece++)
      for (size_t limit = sizes[i] - 1; limit <= sizes[i]; limit++) {
        struct slice stream = slice_text(streams[i]);
        struct heard h = {0};
        struct sse_reader r;
        enum sse_verdict verdict = SSE_MORE;
        sse_init(&r, limit);
        for (size_t at = 0; at < stream.len && verdict == SSE_MORE; at += piece)
          verdict = feed(&r, slice_of(stream.ptr + at, stream.len - at < piece ? stream.len - at : piece), &h);
        CHECK_INT(verdict, limit < sizes[i] ? SSE_TOO_LARGE : SSE_MORE);
        CHECK_INT(h.count, limit < sizes[i] ? 0 : 1);
        heard_done(&h);
        sse_done(&r);
      }
}

TEST(an_endless_line_stops_at_the_limit) {
  struct sse_reader r;
  struct heard h = {0};
  unsigned reads = 0;
  sse_init(&r, 1000);
  while (reads < 1000 && feed(&r, SLICE("data: and on and on"), &h) == SSE_MORE) reads++;
  CHECK_INT(reads, 1000 / 19);
  CHECK(r.held.cap < 4096);
  sse_done(&r);
  heard_done(&h);
}

static unsigned recorded_events, recorded_cuts;

static void check_recorded(const char *name, struct slice body) {
  struct heard whole = hear_whole(body), got;
  bool ok = true;
  recorded_events += whole.count;
  for (size_t piece = 1; piece < 4; piece++) {
    got = hear_pieces(body, piece);
    ok = ok && same(&got, &whole);
  }
  /* Each cut place, but so that a long stream takes no more than its share of time. */
  size_t step = body.len / 500 + 1;
  for (size_t cut = 0; cut <= body.len; cut += step, recorded_cuts++) {
    got = hear_cut(body, cut, body.len);
    ok = ok && same(&got, &whole);
  }
  if (!ok) fprintf(stderr, "%s differs when cut\n", name);
  CHECK(ok);
  heard_done(&whole);
}

TEST(recorded_streams_give_the_same) {
  unsigned streams = recorded_streams("sse", check_recorded);
  printf("%u recorded streams, %u events, %u cuts\n", streams, recorded_events, recorded_cuts);
  CHECK(streams == 0 || recorded_events > streams);
}

UNIT_MAIN()
