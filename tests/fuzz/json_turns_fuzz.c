/* json_turns_fuzz: any bytes as a request's body, in three shapes. What is given are strings within the body, and where
 * the body is valid JSON, each is one. */
#include <stdlib.h>

#include "base/must.h"
#include "wire/json_turns.h"

static const struct json_turns_shape shapes[] = {
    {.list = SLICE_INIT("messages"),
     .content = SLICE_INIT("content"),
     .roles = {SLICE_INIT("system"), SLICE_INIT("user"), SLICE_INIT("assistant")},
     .types = {SLICE_INIT("text")},
     .may_be_text = true},
    {.list = SLICE_INIT("contents"),
     .system = SLICE_INIT("systemInstruction"),
     .content = SLICE_INIT("parts"),
     .roles = {{NULL, 0}, SLICE_INIT("user"), SLICE_INIT("model")}},
    {.list = SLICE_INIT("input"),
     .content = SLICE_INIT("content"),
     .kind = SLICE_INIT("message"),
     .roles = {{NULL, 0}, SLICE_INIT("user"), SLICE_INIT("assistant")},
     .types = {SLICE_INIT("input_text"), SLICE_INIT("output_text")},
     .may_be_text = true,
     .list_may_be_text = true},
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
      for (size_t k = 0; k < turns.count; k++) check_text(turns.turns[k].text, body, valid);
    }
    if (json_turns_text(body, &shapes[i], &text)) check_text(text, body, valid);
    json_has_only(body, &shapes[i].list, 1);
  }
  json_turns_done(&turns);
  free(copy);
  return 0;
}
