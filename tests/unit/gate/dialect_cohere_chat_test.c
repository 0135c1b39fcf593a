/* Cohere's chat as the core reads it: recorded streams however they are cut, recorded answers, and shapes that no
 * recording has. */
#include "check.h"
#include "gate/dialect/dialect.h"
#include "wire/recorded.h"

static const struct dialect *const D = &dialect_cohere_chat;

static void feed(struct stream_reader *s, struct reading *r, struct slice part) {
  struct buf copy = {0};
  buf_slice(&copy, part);
  buf_reserve(&copy, 0);
  struct slice in = buf_view(&copy);
  struct stream_event e;
  while (stream_next(s, &in, &e) == STREAM_EVENT) D->read_event(r, &e);
  buf_done(&copy);
}

/* The stream in two reads, cut at `at`. */
static struct reading read_cut(struct slice stream, size_t at) {
  struct stream_reader s = {0};
  struct reading r = {0};
  struct stream_event e;
  stream_init(&s, FRAMING_SSE, 1 << 20);
  feed(&s, &r, slice_of(stream.ptr, at));
  feed(&s, &r, slice_from(stream, at));
  if (stream_finish(&s, &e) == STREAM_EVENT) D->read_event(&r, &e);
  stream_done(&s);
  return r;
}

static struct reading read_text(const char *stream) {
  return read_cut(slice_text(stream), 0);
}

static struct reading read_whole(const char *body) {
  struct buf b = padded(body);
  struct reading r = {0};
  D->read_answer(&r, buf_view(&b));
  buf_done(&b);
  return r;
}

static bool same(const struct reading *a, const struct reading *b) {
  return a->usage.input_tokens == b->usage.input_tokens && a->usage.output_tokens == b->usage.output_tokens &&
         a->usage.reasoning_tokens == b->usage.reasoning_tokens && a->finish == b->finish && a->events == b->events &&
         a->content_begun == b->content_begun && a->complete == b->complete && a->failed == b->failed;
}

static unsigned streams_seen;

static void check_stream(const char *name, struct slice body) {
  if (!slice_starts(slice_text(name), SLICE("cohere-v2-chat"))) return;
  streams_seen++;
  struct reading whole = read_cut(body, 0);
  CHECK(whole.complete && whole.content_begun && !whole.failed);
  CHECK(whole.finish != FINISH_NONE && whole.finish != FINISH_OTHER);
  CHECK_INT(whole.usage.source, USAGE_PROVIDER);
  CHECK(whole.usage.input_tokens > 0 && whole.usage.output_tokens > 0);
  size_t step = body.len > 20000 ? 13 : 1;
  for (size_t at = 1; at < body.len; at += step) {
    struct reading cut = read_cut(body, at);
    if (!same(&cut, &whole)) fprintf(stderr, "%s cut at %zu\n", name, at);
    CHECK(same(&cut, &whole));
  }
}

TEST(recorded_streams_read_the_same_however_they_are_cut) {
  if (recorded_streams("sse", check_stream) > 0) CHECK(streams_seen >= 7);
}

TEST(a_stream_is_billed_by_billed_units) {
  struct reading r = read_text(
      "event: message-start\ndata: {\"id\":\"a\",\"type\":\"message-start\",\"delta\":{\"message\":{}}}\n\n"
      "event: content-start\ndata: {\"type\":\"content-start\",\"index\":0,\"delta\":{\"message\":{\"content\":"
      "{\"type\":\"text\",\"text\":\"\"}}}}\n\n");
  CHECK(!r.content_begun && !r.complete);
  r = read_text(
      "event: content-delta\ndata: {\"type\":\"content-delta\",\"index\":0,\"delta\":{\"message\":{\"content\":"
      "{\"text\":\"a\"}}}}\n\n"
      "event: message-end\ndata: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"TOOL_CALL\","
      "\"usage\":{\"billed_units\":{\"input_tokens\":181,\"output_tokens\":34},\"tokens\":{\"input_tokens\":"
      "1698,\"output_tokens\":66,\"reasoning_tokens\":40},\"cached_tokens\":1616}}}\n\ndata: [DONE]\n\n");
  CHECK(r.content_begun && r.complete && !r.failed);
  CHECK_INT(r.finish, FINISH_TOOL_CALLS);
  CHECK_INT(r.usage.input_tokens, 181);
  CHECK_INT(r.usage.output_tokens, 34);
  CHECK_INT(r.usage.cache_read_tokens, 0);
  CHECK_INT(r.usage.reasoning_tokens, 34);
  CHECK_INT(r.events, 3);
}

TEST(tool_plans_and_calls_are_content) {
  static const char *const kinds[] = {"tool-plan-delta", "tool-call-start", "tool-call-delta", "content-delta"};
  for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    char stream[200];
    snprintf(stream, sizeof stream, "data: {\"type\":\"%s\",\"delta\":{\"message\":{}}}\n\n", kinds[i]);
    struct reading r = read_text(stream);
    CHECK(r.content_begun && r.is_content);
  }
}

TEST(a_stream_that_ends_in_an_error_has_failed) {
  static const struct {
    const char *stream, *type, *text;
  } rows[] = {
      {"event: message-end\ndata: {\"type\":\"message-end\",\"delta\":{\"error\":\"out of luck\",\"finish_reason\":"
       "\"ERROR\"}}\n\n",
       "ERROR", "out of luck"},
      {"event: message-end\ndata: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"TIMEOUT\"}}\n\n", "TIMEOUT",
       ""},
      {"data: {\"message\":\"Provider busy\",\"id\":\"x\"}\n\n", "", "Provider busy"},
  };
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct reading r = read_text(rows[i].stream);
    CHECK(r.failed && !r.complete && !r.content_begun);
    CHECK_SLICE(slice_text(r.error_type), rows[i].type);
    CHECK_SLICE(slice_text(r.error_text), rows[i].text);
  }
  struct reading r = read_text("data: [DONE]\n\n");
  CHECK(!r.failed && !r.complete);
}

TEST(whole_answers) {
  struct reading r = read_whole("{\"id\":\"a\",\"message\":{\"role\":\"assistant\",\"content\":[]},\"finish_reason\":"
                                "\"MAX_TOKENS\",\"usage\":{\"tokens\":{\"input_tokens\":34,\"output_tokens\":56,"
                                "\"image_tokens\":259},\"cached_tokens\":12}}");
  CHECK(r.complete && r.content_begun && !r.failed);
  CHECK_INT(r.finish, FINISH_LENGTH);
  CHECK_INT(r.usage.input_tokens, 293);
  CHECK_INT(r.usage.cache_read_tokens, 12);
  CHECK_INT(r.usage.output_tokens, 56);
  r = read_whole("{\"id\":\"a\",\"message\":\"internal server error\"}");
  CHECK(r.failed && !r.complete);
  CHECK_SLICE(slice_text(r.error_text), "internal server error");
  r = read_whole("{\"choices\":[]}");
  CHECK(!r.failed && !r.complete);
  static const struct {
    const char *word;
    enum finish_reason finish;
  } rows[] = {{"COMPLETE", FINISH_STOP},
              {"STOP_SEQUENCE", FINISH_STOP},
              {"ERROR_TOXIC", FINISH_REFUSAL},
              {"ERROR_LIMIT", FINISH_LENGTH},
              {"SOMETHING", FINISH_OTHER}};
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    char body[200];
    snprintf(body, sizeof body, "{\"message\":{},\"finish_reason\":\"%s\"}", rows[i].word);
    r = read_whole(body);
    CHECK_INT(r.finish, rows[i].finish);
  }
}

TEST(errors_and_faults) {
  struct buf body = padded("{\"error_type\":\"TOO_MANY_TOKENS\",\"id\":\"x\",\"message\":\"too many tokens\"}");
  struct reading r = {0};
  D->read_error(&r, buf_view(&body));
  CHECK_SLICE(slice_text(r.error_type), "TOO_MANY_TOKENS");
  CHECK_SLICE(slice_text(r.error_text), "too many tokens");
  struct fault f;
  fault_set(&f, FAULT_FIELD_INVALID, "`model` is missing");
  body.len = 0;
  D->put_fault(&body, &f, SLICE("req_1"));
  CHECK(json_valid(buf_view(&body), NULL));
  CHECK(slice_starts(buf_view(&body), SLICE("{\"id\":\"req_1\",\"message\":\"`model` is missing")));
  static const struct {
    enum fault_code code;
    const char *word;
  } rows[] = {{FAULT_TOTAL_TIMEOUT, "TIMEOUT"}, {FAULT_FIELD_INVALID, "ERROR"}};
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    fault_set(&f, rows[i].code, "no");
    body.len = 0;
    D->put_stream_fault(&body, &f, &(struct stream_place){FRAMING_SSE, 0}, SLICE("req_1"));
    struct reading told = read_cut(buf_view(&body), 0);
    CHECK(told.failed && told.error_text[0] == 'n');
    CHECK_SLICE(slice_text(told.error_type), rows[i].word);
  }
  buf_done(&body);
}

UNIT_MAIN()
