/* splice: the model and the usage option put into bodies of all shapes, every other byte kept. */
#include "gate/dialect/splice.h"

#include "check.h"
#include "gate/dialect/dialect.h"
#include "wire/json.h"

static struct arena arena;

static bool read_body(const struct dialect *d, struct arena *a, struct slice body, struct asked *out, struct fault *f) {
  *out = (struct asked){0};
  return asked_read(&d->request, a, body, out, f);
}

/* The body with `model` and the option, as one text. */
static struct buf spliced(const char *body_text, const char *model, bool want_usage) {
  struct buf body = padded(body_text), out = {0};
  struct asked asked;
  struct fault f;
  struct iovec parts[SPLICE_PARTS_MAX];
  bool ok = read_body(&dialect_openai_chat, &arena, buf_view(&body), &asked, &f);
  CHECK(ok);
  if (!ok) fprintf(stderr, "%s: %s\n", body_text, f.text);
  int count = ok ? splice_body(&arena, buf_view(&body), &asked, slice_text(model), want_usage, parts) : 0;
  CHECK(count <= SPLICE_PARTS_MAX);
  for (int i = 0; i < count; i++) {
    CHECK(parts[i].iov_len > 0);
    buf_append(&out, parts[i].iov_base, parts[i].iov_len);
  }
  buf_reserve(&out, 0);
  CHECK(json_valid(buf_view(&out), NULL));
  buf_done(&body);
  return out;
}

#define M "\"messages\":[]"
#define ADDED ",\"stream_options\":{\"include_usage\":true}"

TEST(every_placement) {
  static const struct {
    const char *body, *model;
    bool usage;
    const char *out;
  } rows[] = {
      {"{\"model\":\"a\"," M "}", "b", false, "{\"model\":\"b\"," M "}"},
      {"{" M ",\"model\":\"a\"}", "b", false, "{" M ",\"model\":\"b\"}"},
      {" {\n \"model\" : \"a\" ,\t" M " }\r\n ", "b/c", false, " {\n \"model\" : \"b/c\" ,\t" M " }\r\n "},
      {"{\"model\":\"a\"," M "}", "a", false, "{\"model\":\"a\"," M "}"},
      {"{\"mod\\u0065l\":\"\\u0061\"," M "}", "a", false, "{\"mod\\u0065l\":\"\\u0061\"," M "}"},
      {"{\"mod\\u0065l\":\"\\u0061\"," M "}", "b", false, "{\"mod\\u0065l\":\"b\"," M "}"},
      {"{\"model\":\"a\"," M "}", "q\"\\\x01", false, "{\"model\":\"q\\\"\\\\\\u0001\"," M "}"},
      {"{\"x\":{\"model\":\"inner\"},\"model\":\"a\"," M "}", "b", false,
       "{\"x\":{\"model\":\"inner\"},\"model\":\"b\"," M "}"},
      /* no options: behind the model */
      {"{\"model\":\"a\"," M "}", "b", true, "{\"model\":\"b\"" ADDED "," M "}"},
      {"{\"model\":\"a\"," M "}", "a", true, "{\"model\":\"a\"" ADDED "," M "}"},
      {"{" M ",\"model\":\"a\" }", "b", true, "{" M ",\"model\":\"b\"" ADDED " }"},
      /* options before and behind */
      {"{\"stream_options\":{},\"model\":\"a\"," M "}", "b", true,
       "{\"stream_options\":{\"include_usage\":true},\"model\":\"b\"," M "}"},
      {"{\"model\":\"a\",\"stream_options\":{ }," M "}", "b", true,
       "{\"model\":\"b\",\"stream_options\":{\"include_usage\":true }," M "}"},
      {"{\"model\":\"a\",\"stream_options\":{\n\t}," M "}", "a", true,
       "{\"model\":\"a\",\"stream_options\":{\"include_usage\":true\n\t}," M "}"},
      {"{\"model\":\"a\",\"stream_options\":{\"x\":1}," M "}", "b", true,
       "{\"model\":\"b\",\"stream_options\":{\"include_usage\":true,\"x\":1}," M "}"},
      {"{\"model\":\"a\",\"stream_options\":{ \"include_usage\" : false , \"x\":1}," M "}", "b", true,
       "{\"model\":\"b\",\"stream_options\":{ \"include_usage\" : true , \"x\":1}," M "}"},
      {"{\"model\":\"a\",\"stream_options\":{\"include_usage\":null}," M "}", "b", true,
       "{\"model\":\"b\",\"stream_options\":{\"include_usage\":true}," M "}"},
      {"{\"model\":\"a\",\"stream_options\":null," M "}", "b", true,
       "{\"model\":\"b\",\"stream_options\":{\"include_usage\":true}," M "}"},
      {"{\"stream_options\":null,\"model\":\"a\"," M "}", "a", true,
       "{\"stream_options\":{\"include_usage\":true},\"model\":\"a\"," M "}"},
  };
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct buf out = spliced(rows[i].body, rows[i].model, rows[i].usage);
    CHECK_SLICE(buf_view(&out), rows[i].out);
    buf_done(&out);
  }
  arena_done(&arena);
  arena_drop_spare();
}

/* No name occurs twice afterwards: what came out is read again as strictly as what came in. */
TEST(what_comes_out_reads_back) {
  static const char *const bodies[] = {"{\"model\":\"a\"," M "}", "{\"stream_options\":null,\"model\":\"a\"," M "}",
                                       "{\"stream_options\":{\"include_usage\":false},\"model\":\"a\"," M "}",
                                       "{\"model\":\"a\",\"stream_options\":{\"include_\\u0075sage\":false}," M "}"};
  for (unsigned i = 0; i < sizeof bodies / sizeof *bodies; i++) {
    struct buf out = spliced(bodies[i], "b", true);
    struct asked asked;
    struct fault f;
    CHECK(read_body(&dialect_openai_chat, &arena, buf_view(&out), &asked, &f));
    CHECK_SLICE(asked.model, "b");
    CHECK(asked.usage_event);
    CHECK(slice_find(asked.stream_options_raw, SLICE("false")) < 0);
    buf_done(&out);
  }
  arena_done(&arena);
  arena_drop_spare();
}

TEST(what_a_request_asks_for) {
  static const struct {
    const char *body;
    bool ok;
    const char *field;
  } rows[] = {{"{\"model\":\"a\",\"messages\":[],\"stream\":null,\"max_tokens\":null}", true, ""},
              {"{\"messages\":[]}", false, "model"},
              {"{\"model\":1,\"messages\":[]}", false, "model"},
              {"{\"model\":\"\",\"messages\":[]}", false, "model"},
              {"{\"model\":\"a\\nb\",\"messages\":[]}", false, "model"},
              {"{\"model\":\"a\"}", false, "messages"},
              {"{\"model\":\"a\",\"messages\":{}}", false, "messages"},
              {"{\"model\":\"a\",\"messages\":[],\"stream\":1}", false, "stream"},
              {"{\"model\":\"a\",\"messages\":[],\"max_tokens\":1.5}", false, "max_tokens"},
              {"{\"model\":\"a\",\"messages\":[],\"max_completion_tokens\":-1}", false, "max_completion_tokens"},
              {"{\"model\":\"a\",\"messages\":[],\"stream_options\":[]}", false, "stream_options"},
              {"[]", false, ""},
              {"{\"model\":\"a\",\"model\":\"a\",\"messages\":[]}", false, ""},
              {"{\"model\":\"a\",\"messages\":[]}x", false, ""}};
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct buf body = padded(rows[i].body);
    struct asked asked;
    struct fault f = {0};
    CHECK_INT(read_body(&dialect_openai_chat, &arena, buf_view(&body), &asked, &f), rows[i].ok);
    CHECK_SLICE(slice_text(f.param), rows[i].field);
    buf_done(&body);
  }
  struct asked asked;
  struct fault f;
  struct buf body = padded("{\"model\":\"a\",\"messages\":[1,2,3],\"max_tokens\":5,\"max_completion_tokens\":7,"
                           "\"stream\":true,\"tools\":[{}],\"stream_options\":{\"include_usage\":true}}");
  CHECK(read_body(&dialect_openai_chat, &arena, buf_view(&body), &asked, &f));
  CHECK(asked.stream && asked.usage_event && asked.has_tools);
  CHECK_INT(asked.max_tokens, 7);
  CHECK_INT(asked.message_bytes, 7);
  CHECK(read_body(&dialect_anthropic_messages, &arena, buf_view(&body), &asked, &f) && !asked.usage_event);
  buf_done(&body);
  arena_done(&arena);
  arena_drop_spare();
}

UNIT_MAIN()
