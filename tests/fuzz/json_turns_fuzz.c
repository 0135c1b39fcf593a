/* json_turns_fuzz: any bytes as a request's body, in a shape for each place where calls and results can stand. What is
 * given are strings within the body, and where the body is valid JSON, each is one; of calls and results also objects
 * and lists, and what is said where nothing stands. */
#include <stdlib.h>

#include "base/must.h"
#include "wire/json_turns.h"

static const struct json_turns_shape shapes[] = {
    {.list = SLICE_INIT("messages"),
     .content = SLICE_INIT("content"),
     .roles = {SLICE_INIT("system"), SLICE_INIT("user"), SLICE_INIT("assistant")},
     .types = {SLICE_INIT("text")},
     .lists = {SLICE_INIT("annotations")},
     .may_be_text = true,
     .tools = {.place = JSON_TOOLS_BESIDE,
               .call = SLICE_INIT("tool_calls"),
               .call_type = SLICE_INIT("function"),
               .inside = SLICE_INIT("function"),
               .call_id = SLICE_INIT("id"),
               .name = SLICE_INIT("name"),
               .arguments = SLICE_INIT("arguments"),
               .arguments_are_text = true,
               .result = SLICE_INIT("tool"),
               .result_id = SLICE_INIT("tool_call_id"),
               .output = SLICE_INIT("content"),
               .result_name = SLICE_INIT("name")}},
    {.list = SLICE_INIT("messages"),
     .system = SLICE_INIT("system"),
     .content = SLICE_INIT("content"),
     .roles = {{NULL, 0}, SLICE_INIT("user"), SLICE_INIT("assistant")},
     .types = {SLICE_INIT("text")},
     .mark = SLICE_INIT("cache_control"),
     .may_be_text = true,
     .tools = {.place = JSON_TOOLS_TYPED,
               .call = SLICE_INIT("tool_use"),
               .call_id = SLICE_INIT("id"),
               .name = SLICE_INIT("name"),
               .arguments = SLICE_INIT("input"),
               .result = SLICE_INIT("tool_result"),
               .result_id = SLICE_INIT("tool_use_id"),
               .output = SLICE_INIT("content"),
               .error = SLICE_INIT("is_error")}},
    {.list = SLICE_INIT("messages"),
     .content = SLICE_INIT("content"),
     .roles = {{NULL, 0}, SLICE_INIT("user"), SLICE_INIT("assistant")},
     .tools = {.place = JSON_TOOLS_KEYED,
               .call = SLICE_INIT("toolUse"),
               .call_id = SLICE_INIT("toolUseId"),
               .name = SLICE_INIT("name"),
               .arguments = SLICE_INIT("input"),
               .result = SLICE_INIT("toolResult"),
               .result_id = SLICE_INIT("toolUseId"),
               .output = SLICE_INIT("content"),
               .output_value_key = SLICE_INIT("json"),
               .error = SLICE_INIT("status"),
               .error_words = {SLICE_INIT("success"), SLICE_INIT("error")}}},
    {.list = SLICE_INIT("contents"),
     .system = SLICE_INIT("systemInstruction"),
     .content = SLICE_INIT("parts"),
     .roles = {{NULL, 0}, SLICE_INIT("user"), SLICE_INIT("model")},
     .joins_assistant = true,
     .joins_texts = true,
     .tools = {.place = JSON_TOOLS_KEYED,
               .call = SLICE_INIT("functionCall"),
               .call_id = SLICE_INIT("id"),
               .name = SLICE_INIT("name"),
               .arguments = SLICE_INIT("args"),
               .result = SLICE_INIT("functionResponse"),
               .result_id = SLICE_INIT("id"),
               .output = SLICE_INIT("response"),
               .result_name = SLICE_INIT("name"),
               .result_is_object = true}},
    {.list = SLICE_INIT("input"),
     .content = SLICE_INIT("content"),
     .kind = SLICE_INIT("message"),
     .roles = {{NULL, 0}, SLICE_INIT("user"), SLICE_INIT("assistant")},
     .types = {SLICE_INIT("input_text"), SLICE_INIT("output_text")},
     .ignored = {SLICE_INIT("id"), SLICE_INIT("status")},
     .may_be_text = true,
     .list_may_be_text = true,
     .joins_assistant = true,
     .tools = {.place = JSON_TOOLS_LISTED,
               .call = SLICE_INIT("function_call"),
               .call_id = SLICE_INIT("call_id"),
               .name = SLICE_INIT("name"),
               .arguments = SLICE_INIT("arguments"),
               .arguments_are_text = true,
               .result = SLICE_INIT("function_call_output"),
               .result_id = SLICE_INIT("call_id"),
               .output = SLICE_INIT("output")}},
};

static void check_within(struct slice part, struct slice body) {
  if (part.ptr == NULL) return;
  must(part.ptr >= body.ptr && part.ptr + part.len <= body.ptr + body.len);
}

static void check_text(struct slice text, struct slice body, bool valid) {
  struct json_fault fault;
  check_within(text, body);
  if (valid && text.ptr != NULL) must(*text.ptr == '"' && json_valid(text, &fault));
}

static void check_said(const struct json_turn *t, struct slice body, bool valid) {
  struct json_fault fault;
  if (t->kind == JSON_TURN_TEXT) {
    check_text(t->text, body, valid);
    return;
  }
  check_within(t->id, body);
  must(t->id.len > 0 && t->id.len <= JSON_TURN_PLAIN_MAX);
  if (slice_eq(t->text, SLICE("\"\"")) || slice_eq(t->text, SLICE("{}"))) return;
  check_within(t->text, body);
  if (valid) must(json_valid(t->text, &fault) && strchr("\"{[", *t->text.ptr) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
  char *copy = malloc(len + JSON_PADDING);
  struct slice body = slice_of(copy, len), text;
  struct json_turns turns = {0};
  struct json_fault fault;
  if (len) memcpy(copy, bytes, len);
  memset(copy + len, '"', JSON_PADDING);
  bool valid = json_valid(body, &fault);
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    if (json_turns_read(body, &shapes[i], &turns)) {
      must(turns.count > 0 && turns.count <= JSON_TURNS_MAX);
      check_within(turns.list, body);
      check_within(turns.system, body);
      check_text(turns.system_text, body, valid);
      for (size_t k = 0; k < turns.count; k++) check_said(&turns.turns[k], body, valid);
    }
    if (json_turns_text(body, &shapes[i], &text)) check_text(text, body, valid);
  }
  json_turns_done(&turns);
  free(copy);
  return 0;
}
