/* frames: documents in lines and in one array, the same however the bytes are cut. */
#include "check.h"
#include "wire/frames_heard.h"
#include "wire/recorded.h"

enum { LARGE = 1 << 26 };

/* Documents with ';' behind each. */
static struct heard hear_cut(enum frames_shape shape, struct slice stream, size_t first, size_t piece) {
  struct heard h = hear_stream(shape, LARGE, stream, first, piece, ';');
  CHECK_INT(h.left, 0);
  if (h.last == FRAMES_MORE) {
    CHECK(!h.holds);
    CHECK(slice_eq(buf_view(&h.raws), stream));
  }
  CHECK((h.last == FRAMES_BROKEN) == h.tells);
  return h;
}

static void check_cuts(enum frames_shape shape, struct slice stream, const struct heard *whole, size_t step) {
  for (size_t cut = 0; cut <= stream.len; cut += step)
    for (size_t piece = 0; piece < 3; piece++) {
      size_t pieces[] = {stream.len + 1, 1, 3};
      if (piece > 0 && cut > 0) continue;
      struct heard got = hear_cut(shape, stream, cut, pieces[piece]);
      bool same = got.last == whole->last && slice_eq(buf_view(&got.texts), buf_view(&whole->texts));
      if (!same)
        fprintf(stderr, "cut at %zu, pieces of %zu: %.*s\n", cut, pieces[piece], (int)got.texts.len, got.texts.ptr);
      CHECK(same);
      heard_done(&got);
    }
}

static const struct {
  enum frames_shape shape;
  const char *stream, *texts;
  enum frames_verdict end;
} cases[] = {
    {FRAMES_LINES, "{\"a\":1}\n{\"b\":2}\n", "{\"a\":1};{\"b\":2};", FRAMES_MORE},
    {FRAMES_LINES, "{\"a\":1}\r\n\r\n\n  {\"b\":2} \r\n", "{\"a\":1};{\"b\":2};", FRAMES_MORE},
    {FRAMES_LINES, "{\"a\":1}\n{\"b\":2}", "{\"a\":1};{\"b\":2};", FRAMES_MORE},
    {FRAMES_LINES, "\n\n", "", FRAMES_MORE},
    {FRAMES_LINES, "", "", FRAMES_MORE},
    {FRAMES_LINES, "not json\n", "not json;", FRAMES_MORE},
    {FRAMES_ARRAY, "[{\"a\":1}\n,\r\n{\"b\":[2,{}]}\n]\n", "{\"a\":1};{\"b\":[2,{}]};", FRAMES_MORE},
    {FRAMES_ARRAY, "[]", "", FRAMES_MORE},
    {FRAMES_ARRAY, " [ ] \n", "", FRAMES_MORE},
    {FRAMES_ARRAY, "[1,-2.5e3 , true,null,\"s\",\"\",[],[[\"]\"]],{}]",
     "1;-2.5e3;true;null;\"s\";\"\";[];[[\"]\"]];{};", FRAMES_MORE},
    {FRAMES_ARRAY, "[{\"t\":\"a \\\" ] } , \\\\\"},{\"t\":\"\\\\\\\"}\\u007d a long one to fill the block, ]\\n\"}]",
     "{\"t\":\"a \\\" ] } , \\\\\"};{\"t\":\"\\\\\\\"}\\u007d a long one to fill the block, ]\\n\"};", FRAMES_MORE},
    {FRAMES_ARRAY, "[{\"a\":1},", "{\"a\":1};", FRAMES_BROKEN},
    {FRAMES_ARRAY, "[{\"a\":1}", "{\"a\":1};", FRAMES_BROKEN},
    {FRAMES_ARRAY, "[{\"a\":1},{\"b\"", "{\"a\":1};", FRAMES_BROKEN},
    {FRAMES_ARRAY, "", "", FRAMES_BROKEN},
    {FRAMES_ARRAY, "{\"error\":1}", "", FRAMES_BROKEN},
    {FRAMES_ARRAY, "[{\"a\":1} {\"b\":2}]", "{\"a\":1};", FRAMES_BROKEN},
    {FRAMES_ARRAY, "[{\"a\":1},,1]", "{\"a\":1};", FRAMES_BROKEN},
    {FRAMES_ARRAY, "[1,]", "1;", FRAMES_BROKEN},
    {FRAMES_ARRAY, "[,1]", "", FRAMES_BROKEN},
    {FRAMES_ARRAY, "[1]]", "1;", FRAMES_BROKEN},
    {FRAMES_ARRAY, "[1}2]", NULL, FRAMES_MORE},
};

TEST(documents_and_every_cut) {
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct slice stream = slice_text(cases[i].stream);
    struct heard whole = hear_cut(cases[i].shape, stream, stream.len, 1);
    if (cases[i].texts) CHECK_SLICE(buf_view(&whole.texts), cases[i].texts);
    CHECK_INT(whole.last, cases[i].end);
    check_cuts(cases[i].shape, stream, &whole, 1);
    heard_done(&whole);
  }
}

TEST(whole_documents_are_not_copied) {
  static char read[256] = "[{\"a\":1},\n{\"b\":2},{\"c";
  struct frames_reader r;
  struct frames_item item;
  struct slice in = slice_of(read, strlen(read));
  frames_init(&r, FRAMES_ARRAY, LARGE);
  CHECK(frames_next(&r, &in, &item) == FRAMES_ITEM && item.text.ptr == read + 1 && item.raw.ptr == read);
  CHECK(frames_next(&r, &in, &item) == FRAMES_ITEM && item.text.ptr == read + 10 && item.raw.ptr == read + 8);
  CHECK(r.held.ptr == NULL);
  CHECK(frames_next(&r, &in, &item) == FRAMES_MORE);
  CHECK_SLICE(buf_view(&r.held), ",{\"c");
  CHECK(sizeof r <= 200);
  frames_done(&r);
}

TEST(a_document_too_large) {
  static const char *const streams[] = {"[{\"a\":12345}]", "{\"a\":1234}\n", "[   {\"a\":12345}",
                                        "\n\n\n\n{\"a\":1234}\n"};
  for (size_t i = 0; i < 4; i++)
    for (size_t limit = 10; limit <= 11; limit++)
      for (size_t piece = 1; piece < 20; piece++) {
        struct heard h = {.behind = ';'};
        struct frames_reader r;
        frames_init(&r, i % 2 ? FRAMES_LINES : FRAMES_ARRAY, limit);
        hear_pieces(&h, &r, slice_text(streams[i]), 0, piece);
        CHECK_INT(h.left, 0);
        CHECK_INT(h.last, limit == 10 ? FRAMES_TOO_LARGE : FRAMES_MORE);
        CHECK_INT(h.texts.len > 0, limit == 11);
        frames_done(&r);
        heard_done(&h);
      }
}

static void check_recorded(enum frames_shape shape, const char *name, struct slice body) {
  struct heard whole = hear_cut(shape, body, body.len, 1);
  struct json_fault fault;
  size_t documents = 0, begin = 0;
  CHECK_INT(whole.last, FRAMES_MORE);
  buf_reserve(&whole.texts, 0);
  /* No recorded document has "};" within. */
  for (size_t i = 1; i < whole.texts.len; i++) {
    if (whole.texts.ptr[i] != ';' || whole.texts.ptr[i - 1] != '}') continue;
    CHECK(json_valid(slice_of(whole.texts.ptr + begin, i - begin), &fault));
    begin = i + 1;
    documents++;
  }
  if (documents == 0) fprintf(stderr, "%s has no documents\n", name);
  CHECK(documents > 0);
  check_cuts(shape, body, &whole, body.len / 2000 + 1);
  heard_done(&whole);
}

static void check_array(const char *name, struct slice body) {
  check_recorded(FRAMES_ARRAY, name, body);
}

static void check_lines(const char *name, struct slice body) {
  check_recorded(FRAMES_LINES, name, body);
}

TEST(recorded_streams_give_the_same) {
  unsigned arrays = recorded_streams("json-array", check_array), lines = recorded_streams("ndjson", check_lines);
  printf("%u recorded arrays, %u recorded line streams\n", arrays, lines);
}

UNIT_MAIN()
