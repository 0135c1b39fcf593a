/* The Responses row against recorded traffic: what it finds in each whole answer is what stands there, in each stream
 * what stands in its last event, however the stream is cut. Then events that no recording has. */
#include "check.h"
#include "gate/dialect/dialect.h"
#include "wire/recorded.h"

static const struct dialect *const responses = &dialect_openai_responses;

static uint64_t number_in(struct slice json, const char *a, const char *b, const char *c) {
  const char *const path[] = {a, b, c, NULL};
  uint64_t number = 0;
  struct slice raw = json_find(json, path);
  return raw.ptr != NULL && json_to_u64(raw, &number) ? number : 0;
}

static struct slice word_in(struct slice json, const char *a, const char *b) {
  const char *const path[] = {a, b, NULL};
  struct slice word = {0};
  json_plain(json_find(json, path), &word);
  return word;
}

/* How an answer ended, item by item. */
static const char *finish_in(struct slice response) {
  const char *end = "stop";
  for (unsigned i = 0; i < 40; i++) {
    char type_key[32], part_key[48];
    snprintf(type_key, sizeof type_key, "output.%u.type", i);
    snprintf(part_key, sizeof part_key, "output.%u.content.0.type", i);
    struct json_field f[] = {{.key = slice_text(type_key)}, {.key = slice_text(part_key)}};
    struct slice type, part;
    if (!json_pick(response, f, 2) || !json_plain(f[0].raw, &type)) break;
    if (slice_eq(type, SLICE("function_call")) || slice_eq(type, SLICE("custom_tool_call"))) end = "tool_calls";
    else if (json_plain(f[1].raw, &part) && slice_eq(part, SLICE("refusal"))) end = "refusal";
  }
  struct slice reason = word_in(response, "incomplete_details", "reason");
  return reason.len > 0 ? "length" : end;
}

static void compare(const char *name, const struct reading *r, struct slice response) {
  static const char *const usage[] = {"usage", NULL};
  const struct usage *u = &r->usage;
  bool is_waiting = slice_eq(word_in(response, "status", NULL), SLICE("queued"));
  if (strcmp(finish_reason_name(r->finish), is_waiting ? "" : finish_in(response)) != 0)
    fprintf(stderr, "%s: ended %s, not %s\n", name, finish_reason_name(r->finish), finish_in(response));
  CHECK(strcmp(finish_reason_name(r->finish), is_waiting ? "" : finish_in(response)) == 0);
  CHECK_INT(u->input_tokens, number_in(response, "usage", "input_tokens", NULL));
  CHECK_INT(u->output_tokens, number_in(response, "usage", "output_tokens", NULL));
  CHECK_INT(u->cache_read_tokens, number_in(response, "usage", "input_tokens_details", "cached_tokens"));
  CHECK_INT(u->reasoning_tokens, number_in(response, "usage", "output_tokens_details", "reasoning_tokens"));
  CHECK_INT(u->searches, number_in(response, "tool_usage", "web_search", "num_requests") +
                             number_in(response, "usage", "server_side_tool_usage_details", "web_search_calls") +
                             number_in(response, "usage", "server_side_tool_usage_details", "x_search_calls"));
  struct slice told = json_find(response, usage);
  CHECK((u->source == USAGE_PROVIDER) == (told.ptr != NULL && *told.ptr == '{'));
  CHECK(r->complete && r->content_begun && !r->failed);
}

/* In pieces of `step` bytes. *last: the last event that holds a response, copied. */
static struct reading read_stream(struct slice body, size_t step, struct buf *last) {
  struct reading r = {0};
  struct stream_reader reader;
  struct stream_event e;
  stream_init(&reader, FRAMING_SSE, 16 << 20);
  while (body.len > 0) {
    struct buf piece = {0};
    size_t len = step < body.len ? step : body.len;
    buf_append(&piece, body.ptr, len);
    buf_reserve(&piece, 0);
    struct slice in = buf_view(&piece);
    while (stream_next(&reader, &in, &e) == STREAM_EVENT) {
      responses->read_event(&r, &e);
      if (last != NULL && e.has_data && slice_find(e.data, SLICE("\"usage\":{")) >= 0) {
        last->len = 0;
        buf_slice(last, e.data);
      }
    }
    buf_done(&piece);
    body = slice_from(body, len);
  }
  while (stream_finish(&reader, &e) == STREAM_EVENT) responses->read_event(&r, &e);
  stream_done(&reader);
  return r;
}

static bool same(const struct reading *a, const struct reading *b) {
  return a->events == b->events && a->finish == b->finish && a->complete == b->complete && a->failed == b->failed &&
         a->content_begun == b->content_begun && memcmp(&a->usage, &b->usage, sizeof a->usage) == 0;
}

static unsigned wholes, streams;

static void compare_stream(const char *name, struct slice body) {
  struct buf last = {0};
  struct reading r = read_stream(body, body.len, &last);
  streams++;
  buf_reserve(&last, 0);
  static const char *const response[] = {"response", NULL};
  compare(name, &r, json_find(buf_view(&last), response));
  struct reading bytewise = read_stream(body, 1, NULL);
  CHECK(same(&r, &bytewise));
  /* Short streams at every place, long ones at some. */
  for (size_t at = 1; at < body.len; at += body.len < 12000 ? 1 : 997) {
    struct reading cut = read_stream(body, at, NULL);
    CHECK(same(&r, &cut));
  }
  buf_done(&last);
}

static void compare_file(const char *name, struct slice file) {
  struct json_field f[] = {{.key = SLICE("protocol")},
                           {.key = SLICE("status")},
                           {.key = SLICE("stream_framing")},
                           {.key = SLICE("response_body")}};
  struct slice protocol;
  struct json_fault fault;
  uint64_t status;
  CHECK(json_scan(file, f, 4, &fault));
  if (!json_plain(f[0].raw, &protocol) || !slice_eq(protocol, SLICE("openai.responses"))) return;
  struct buf body = {0};
  struct reading r = {0};
  CHECK(json_to_u64(f[1].raw, &status) && json_unquote(f[3].raw, buf_reserve(&body, f[3].raw.len), &body.len));
  buf_reserve(&body, 0);
  if (status >= 300) {
    responses->read_error(&r, buf_view(&body));
    CHECK(r.error_text[0] != '\0' && r.error_type[0] != '\0');
  } else if (f[2].kind == JSON_STRING) {
    compare_stream(name, buf_view(&body));
  } else {
    wholes++;
    responses->read_answer(&r, buf_view(&body));
    compare(name, &r, buf_view(&body));
  }
  buf_done(&body);
}

TEST(recorded_answers_say_what_stands_in_them) {
  struct recorded_walk w = {0};
  while (recorded_next(&w)) compare_file(w.name, w.file);
  fprintf(stderr, "recorded: %u whole answers, %u streams\n", wholes, streams);
  CHECK(w.count == 0 || wholes + streams > 80);
}

/* ---- events by hand */

static struct reading after(const char *stream) {
  return read_stream(slice_text(stream), strlen(stream), NULL);
}

TEST(content_begins_with_the_first_thing_said) {
  static const struct {
    const char *event;
    bool content;
  } rows[] = {
      {"{\"type\":\"response.created\",\"response\":{\"output\":[]}}", false},
      {"{\"type\":\"response.output_item.added\",\"item\":{\"type\":\"message\",\"content\":[]}}", false},
      {"{\"type\":\"response.output_item.added\",\"item\":{\"type\":\"reasoning\",\"summary\":[]}}", false},
      {"{\"type\":\"response.output_item.added\",\"item\":{\"type\":\"function_call\",\"name\":\"f\"}}", true},
      {"{\"type\":\"response.output_item.added\",\"item\":{\"type\":\"web_search_call\"}}", true},
      {"{\"type\":\"response.output_item.done\",\"item\":{\"type\":\"reasoning\",\"encrypted_content\":\"x\"}}", true},
      {"{\"type\":\"response.output_item.done\",\"item\":{\"type\":\"message\"}}", true},
      {"{\"type\":\"response.content_part.added\",\"part\":{\"type\":\"output_text\",\"text\":\"\"}}", false},
      {"{\"type\":\"response.content_part.done\",\"part\":{\"type\":\"output_text\",\"text\":\"\"}}", false},
      {"{\"type\":\"response.output_text.delta\",\"delta\":\"\"}", false},
      {"{\"type\":\"response.output_text.delta\",\"delta\":\"a\"}", true},
      {"{\"type\":\"response.reasoning_summary_text.delta\",\"delta\":\"a\"}", true},
      {"{\"type\":\"response.reasoning_text.delta\",\"delta\":\"a\"}", true},
      {"{\"type\":\"response.function_call_arguments.delta\",\"delta\":\"{\"}", true},
      {"{\"type\":\"response.refusal.delta\",\"delta\":\"no\"}", true},
      {"{\"type\":\"keepalive\"}", false},
      {"[DONE]", false},
      {"not json", false},
  };
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    char text[256];
    snprintf(text, sizeof text, "data: %s\n\n", rows[i].event);
    struct reading r = after(text);
    CHECK(r.content_begun == rows[i].content && r.is_content == rows[i].content);
    CHECK(!r.complete && !r.failed && r.events == 1);
  }
}

TEST(the_name_of_an_event_stands_for_its_type) {
  struct reading r = after("event: response.output_text.delta\ndata: {\"delta\":\"a\"}\n\n"
                           "event: response.completed\ndata: {\"response\":{\"status\":\"completed\"}}\n\n");
  CHECK(r.content_begun && r.complete && r.finish == FINISH_STOP && r.usage.source == USAGE_NONE);
}

TEST(usage_is_the_responses_own) {
  /* Fields of the same names stand in tools, in instructions and beside the totals. */
  struct reading r = after(
      "data: "
      "{\"type\":\"response.completed\",\"response\":{\"instructions\":\"\\\"usage\\\":{\\\"input_tokens\\\":9}\","
      "\"tools\":[{\"parameters\":{\"properties\":{\"usage\":{\"input_tokens\":7},\"status\":{}}}}],\"output\":[],"
      "\"usage\":{\"context_details\":{\"input_tokens\":1,\"output_tokens\":2},\"input_tokens\":100,"
      "\"input_tokens_details\":{\"cached_tokens\":60,\"cache_write_tokens\":30},\"output_tokens\":50,"
      "\"output_tokens_details\":{\"reasoning_tokens\":20},\"cost\":0.25},\"service_tier\":\"flex\","
      "\"tool_usage\":{\"web_search\":{\"num_requests\":3}},\"status\":\"completed\"}}\n\n");
  CHECK_INT(r.usage.input_tokens, 100);
  CHECK_INT(r.usage.cache_read_tokens, 60);
  CHECK_INT(r.usage.cache_write_tokens, 30);
  CHECK_INT(r.usage.output_tokens, 50);
  CHECK_INT(r.usage.reasoning_tokens, 20);
  CHECK_INT(r.usage.searches, 3);
  CHECK(r.usage.tier == TIER_FLEX && r.usage.cost_told && r.usage.told_pico_usd == 250000000000);
}

TEST(parts_never_exceed_their_totals) {
  struct reading r = after("data: {\"type\":\"response.completed\",\"response\":{\"usage\":{\"input_tokens\":10,"
                           "\"output_tokens\":5,\"input_tokens_details\":{\"cached_tokens\":90,"
                           "\"cache_write_tokens\":50},\"output_tokens_details\":{\"reasoning_tokens\":20}}}}\n\n");
  CHECK_INT(r.usage.input_tokens, 100);
  CHECK_INT(r.usage.cache_write_tokens, 10);
  CHECK_INT(r.usage.output_tokens, 25);
}

TEST(ends_and_errors_of_a_stream) {
  static const struct {
    const char *event, *type, *text;
    bool complete, failed;
    enum finish_reason finish;
  } rows[] = {
      {"{\"type\":\"response.incomplete\",\"response\":{\"incomplete_details\":{\"reason\":\"max_output_tokens\"}}}",
       "", "", true, false, FINISH_LENGTH},
      {"{\"type\":\"response.incomplete\",\"response\":{\"incomplete_details\":{\"reason\":\"content_filter\"}}}", "",
       "", true, false, FINISH_REFUSAL},
      {"{\"type\":\"response.completed\",\"response\":{\"output\":[{\"type\":\"function_call\"}]}}", "", "", true,
       false, FINISH_TOOL_CALLS},
      {"{\"type\":\"response.failed\",\"response\":{\"error\":{\"code\":\"server_error\",\"message\":\"m\"}}}",
       "server_error", "m", false, true, FINISH_NONE},
      {"{\"type\":\"response.completed\",\"response\":{\"error\":{\"code\":\"c\",\"message\":\"m\"}}}", "c", "m", false,
       true, FINISH_NONE},
      {"{\"type\":\"error\",\"code\":\"c\",\"message\":\"m\"}", "c", "m", false, true, FINISH_NONE},
      {"{\"type\":\"error\",\"error\":{\"type\":\"t\",\"code\":null,\"message\":\"m\"}}", "t", "m", false, true,
       FINISH_NONE},
  };
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    char text[256];
    snprintf(text, sizeof text, "data: %s\n\n", rows[i].event);
    struct reading r = after(text);
    CHECK(r.complete == rows[i].complete && r.failed == rows[i].failed && r.finish == rows[i].finish);
    CHECK(strcmp(r.error_text, rows[i].text) == 0);
    CHECK(rows[i].type[0] == '\0' || strcmp(r.error_type, rows[i].type) == 0);
  }
}

static struct reading answer(const char *text) {
  struct buf body = padded(text);
  struct reading r = {0};
  responses->read_answer(&r, buf_view(&body));
  buf_done(&body);
  return r;
}

TEST(whole_answers_that_are_none) {
  struct reading r =
      answer("{\"status\":\"failed\",\"output\":[],\"error\":{\"code\":\"server_error\",\"message\":\"m\"}}");
  CHECK(r.failed && !r.complete && strcmp(r.error_text, "m") == 0);
  CHECK(!answer("{\"output\":{}}").complete);
  CHECK(!answer("{\"output\":[]").complete);
  CHECK(answer("{\"output\":[],\"error\":null}").complete);
}

/* The number that an error written behind these bytes has. */
static uint64_t number_behind(const char *sent) {
  uint64_t next = 0;
  responses->note_sent(&next, slice_text(sent));
  return next;
}

TEST(an_error_has_the_number_behind_the_last_event) {
  CHECK_INT(number_behind(": ping\n\n"), 0);
  CHECK_INT(number_behind("data: {\"type\":\"a\",\"sequence_number\":0}\n\n"), 1);
  CHECK_INT(number_behind("data: {\"sequence_number\": 41,\"type\":\"a\"}\n\ndata: {\"sequence_number\":42}\n\n"), 43);
  /* What a model says of it is text: its quotes are escaped. */
  CHECK_INT(number_behind("data: {\"sequence_number\":7,\"delta\":\"\\\"sequence_number\\\":99\"}\n\n"), 8);
  CHECK_INT(number_behind("data: {\"sequence_number\":"), 0);
  struct buf out = {0};
  struct fault f;
  fault_set(&f, FAULT_PROVIDER_BROKEN, "It broke.");
  responses->put_stream_fault(&out, &f, &(struct stream_place){FRAMING_SSE, 43}, SLICE("req_1"));
  CHECK(slice_find(buf_view(&out), SLICE("\"sequence_number\":43}\n\n")) > 0);
  buf_done(&out);
}

TEST(a_body_of_this_shape_says_what_it_asks_for) {
  struct arena arena = {0};
  struct asked asked = {0};
  struct fault f;
  struct buf body = padded("{\"model\":\"gpt\",\"stream\":true,\"max_output_tokens\":64,\"instructions\":\"be brief\","
                           "\"input\":\"hi\",\"tools\":[{\"type\":\"web_search\"}]}");
  CHECK(asked_read(&responses->request, &arena, buf_view(&body), &asked, &f));
  CHECK_SLICE(asked.model, "gpt");
  CHECK(asked.stream && asked.has_tools);
  CHECK_INT(asked.max_tokens, 64);
  CHECK_INT(asked.prompt_tokens, (strlen("\"hi\"\"be brief\"") + strlen("[{\"type\":\"web_search\"}]")) / 4);
  buf_done(&body);
  arena_done(&arena);
}

UNIT_MAIN()
