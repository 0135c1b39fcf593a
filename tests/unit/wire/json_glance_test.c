/* json_glance: keys are seen at any depth, text that looks like one is not. */
#include "check.h"
#include "wire/json.h"

/* The bytes from the value on, or "" when the key is not seen. */
static struct slice glance(const char *text, const char *key) {
  static char padded[4096];
  size_t len = strlen(text);
  memset(padded, '"', sizeof padded); /* what lies behind the text must not decide */
  memcpy(padded, text, len);
  struct json_sight wanted = {.key = slice_text(key)};
  json_glance(slice_of(padded, len), &wanted, 1);
  return wanted.value ? slice_of(wanted.value, len - (size_t)(wanted.value - padded)) : SLICE("");
}

TEST(a_key_is_seen_at_any_depth) {
  CHECK_SLICE(glance("{\"a\":1}", "a"), "1}");
  CHECK_SLICE(glance("{\"x\":[{\"b\" :\n null}]}", "b"), "null}]}");
  CHECK_SLICE(glance("{\"a\":1}", "b"), "");
  CHECK_SLICE(glance("{\"ab\":1}", "a"), "");
  CHECK_SLICE(glance("{\"a\":1,\"a\":2}", "a"), "1,\"a\":2}");
}

TEST(text_does_not_pass_for_a_key) {
  CHECK_SLICE(glance("{\"t\":\"\\\"usage\\\":{\"}", "usage"), "");
  CHECK_SLICE(glance("{\"t\":\"usage\",\"u\":1}", "usage"), "");
  CHECK_SLICE(glance("{\"t\":\"usage\"", "usage"), "");
}

TEST(the_end_of_the_text_is_the_end) {
  CHECK_SLICE(glance("{\"usage\"", "usage"), "");
  CHECK_SLICE(glance("{\"usage\":", "usage"), "");
  CHECK_SLICE(glance("{\"usage\": ", "usage"), "");
  CHECK_SLICE(glance("", "usage"), "");
  CHECK_SLICE(glance("{\"usag", "usage"), "");
}

TEST(every_offset_in_a_block) {
  for (unsigned shift = 0; shift < 200; shift++) {
    char text[300];
    memset(text, ' ', sizeof text);
    memcpy(text + shift, "\"usage\":7", 10);
    CHECK_SLICE(glance(text, "usage"), "7");
  }
}

UNIT_MAIN()
