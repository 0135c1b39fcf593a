/* items: which texts an input and an answer consist of, and where a stream's last event has the answer. */
#include "gate/keeping/items.h"

#include <stdio.h>

#include "check.h"

static struct arena arena;

static struct items input_of(const char *json) {
  struct buf text = padded(json);
  struct slice kept = arena_copy(&arena, slice_of(text.ptr, text.len + BUF_SLACK));
  buf_done(&text);
  return items_of_input(&arena, slice_of(kept.ptr, kept.len - BUF_SLACK));
}

TEST(an_input_is_a_list_or_a_text) {
  arena_init(&arena);
  struct items list = input_of("[ {\"role\":\"user\", \"content\":\"[a,b]\"} ,{\"type\":\"x\",\"n\":[1,{}]}\n]");
  CHECK_INT(list.count, 2);
  CHECK_SLICE(list.texts[0].text, "{\"role\":\"user\", \"content\":\"[a,b]\"}");
  CHECK_SLICE(list.texts[1].text, "{\"type\":\"x\",\"n\":[1,{}]}");
  CHECK_INT(list.texts[0].id.len, 0);
  list = input_of("\"a \\\"b\\\"\"");
  CHECK_INT(list.count, 1);
  CHECK_SLICE(list.texts[0].text, "{\"type\":\"message\",\"role\":\"user\",\"content\":\"a \\\"b\\\"\"}");
  CHECK_INT(input_of("[]").count, 0);
  CHECK_INT(input_of("null").count, 0);
  CHECK_INT(items_of_input(&arena, slice_of(NULL, 0)).count, 0);
  struct buf many = {0};
  for (int i = 0; i < 100; i++) buf_text(&many, i == 0 ? "[0" : ",0");
  buf_text(&many, "]");
  buf_byte(&many, '\0');
  list = input_of(many.ptr);
  CHECK_INT(list.count, 100);
  CHECK_SLICE(list.texts[99].text, "0");
  buf_done(&many);
  arena_done(&arena);
}

static bool refers(const char *json, struct slice *id) {
  arena_init(&arena);
  struct items list = input_of(json);
  bool is_reference = list.count == 1 && items_is_reference(list.texts[0].text, id);
  CHECK(!is_reference || slice_eq(*id, SLICE("msg_1")));
  arena_done(&arena);
  return is_reference;
}

TEST(a_reference_has_its_type_and_an_id) {
  struct slice id;
  CHECK(refers("[{\"type\":\"item_reference\",\"id\":\"msg_1\"}]", &id));
  CHECK(refers("[{ \"id\" : \"msg_1\", \"type\" : \"item_reference\" }]", &id));
  CHECK(!refers("[{\"type\":\"message\",\"id\":\"msg_1\"}]", &id));
  CHECK(!refers("[{\"type\":\"item_reference\"}]", &id));
  CHECK(!refers("[{\"type\":\"item_reference\",\"id\":1}]", &id));
  CHECK(!refers("[{\"type\":\"message\",\"content\":\"\\\"type\\\":\\\"item_reference\\\"\",\"id\":\"msg_1\"}]", &id));
  CHECK(!refers("[\"item_reference\"]", &id));
  CHECK(!refers("[1]", &id));
}

#define OUTPUT                                                                                                         \
  "[{\"id\":\"msg_1\",\"type\":\"message\",\"content\":[{\"id\":\"x\"}]},{\"type\":\"odd\",\"x\":{\"id\":\"y\"}}]"

static bool answer_of(const char *json, struct slice *id, struct items *out) {
  struct buf text = padded(json);
  struct slice kept = arena_copy(&arena, slice_of(text.ptr, text.len + BUF_SLACK));
  buf_done(&text);
  return items_of_answer(&arena, slice_of(kept.ptr, kept.len - BUF_SLACK), id, out);
}

TEST(an_answer_has_its_id_and_items_with_theirs) {
  struct slice id;
  struct items list;
  arena_init(&arena);
  CHECK(
      answer_of("{\"instructions\":\"\\\"output\\\":[]\",\"metadata\":{\"id\":\"x\",\"output\":[1]},\"output\":" OUTPUT
                ",\"id\":\"resp_1\"}",
                &id, &list));
  CHECK_SLICE(id, "resp_1");
  CHECK_INT(list.count, 2);
  CHECK_SLICE(list.texts[0].id, "msg_1");
  CHECK_SLICE(list.texts[0].text, "{\"id\":\"msg_1\",\"type\":\"message\",\"content\":[{\"id\":\"x\"}]}");
  CHECK_INT(list.texts[1].id.len, 0);
  CHECK(answer_of("{\"id\":\"resp_1\",\"output\":[]}", &id, &list));
  CHECK_INT(list.count, 0);
  CHECK(!answer_of("{\"output\":[]}", &id, &list));
  CHECK(!answer_of("{\"id\":\"resp_1\",\"output\":null}", &id, &list));
  CHECK(!answer_of("{\"id\":\"resp_1\"}", &id, &list));
  arena_done(&arena);
}

/* Its texts, joined by " | ". */
static const char *frame_of(const char *json) {
  static char line[2048];
  struct buf text = padded(json);
  struct items list = items_of_frame(&arena, buf_view(&text));
  size_t len = 0;
  line[0] = '\0';
  for (size_t i = 0; i < list.count; i++)
    len += (size_t)snprintf(line + len, sizeof line - len, "%s%.*s", i > 0 ? " | " : "", (int)list.texts[i].text.len,
                            list.texts[i].text.ptr);
  buf_done(&text);
  return line;
}

TEST(a_frame_is_all_but_the_items_and_what_is_long_stands_alone) {
  char json[1400], expected[1400], tools[600];
  memset(tools, 't', sizeof tools);
  arena_init(&arena);
  CHECK_SLICE(
      slice_text(frame_of("{\"id\":\"resp_1\", \"output\" : " OUTPUT " ,\"a\" : [1, {\"output\":2}] ,\"b\":null}")),
      "\"id\":\"resp_1\",\"a\" : [1, {\"output\":2}],\"b\":null");
  snprintf(json, sizeof json, "{\"tools\":[\"%.600s\"],\"id\":\"r\",\"output\":[],\"x\":1}", tools);
  snprintf(expected, sizeof expected, "\"id\":\"r\",\"x\":1 | \"tools\":[\"%.600s\"]", tools);
  CHECK_SLICE(slice_text(frame_of(json)), expected);
  CHECK_SLICE(slice_text(frame_of("{\"output\":[]}")), "");
  CHECK_SLICE(slice_text(frame_of("{\"id\":1,\"output\":[}")), "");
  CHECK_SLICE(slice_text(frame_of("[]")), "");
  arena_done(&arena);
}

static bool ended(const char *bytes, const char *expected) {
  struct buf text = padded(bytes);
  struct slice answer;
  bool is_end = items_ended(buf_view(&text), &answer);
  if (is_end) CHECK_SLICE(answer, expected);
  buf_done(&text);
  return is_end;
}

TEST(the_last_event_of_a_stream_holds_the_answer) {
  CHECK(ended("event: a\ndata: {}\n\nevent: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{"
              "\"id\":\"r\"},\"sequence_number\":1}\n\n",
              "{\"id\":\"r\"}"));
  CHECK(ended("event: response.incomplete\ndata: {\"response\":{\"id\":\"r\"}}\n\n", "{\"id\":\"r\"}"));
  CHECK(!ended("event: response.failed\ndata: {\"response\":{\"id\":\"r\"}}\n\n", ""));
  CHECK(!ended("event: response.completed\ndata: {\"response\":{}}\n\nevent: x\ndata: {\"response\":{}}\n\n", ""));
  CHECK(!ended("event: response.completed\ndata: {}\n\n", ""));
  CHECK(!ended("event: response.completed\n", ""));
  CHECK(!ended("data: {\"response\":{}}\n\n", ""));
  CHECK(!ended("\n\n", ""));
  CHECK(!ended("", ""));
}

UNIT_MAIN()
