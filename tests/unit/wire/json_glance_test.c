/* json_glance and json_fields_looking: keys are seen at any depth, text that looks like one is not. */
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

/* The same by the pass that validates; "-": the text is no object. */
static struct slice look(const char *text, const char *key) {
  static char padded[4096];
  size_t len = strlen(text);
  memset(padded, '"', sizeof padded);
  memcpy(padded, text, len);
  struct json_sight wanted[] = {{.key = SLICE_INIT("zz")}, {.key = slice_text(key)}, {.key = SLICE_INIT("z")}};
  if (!json_fields_looking(slice_of(padded, len), NULL, 0, wanted, 3, NULL)) return SLICE("-");
  CHECK(wanted[0].value == NULL && wanted[2].value == NULL);
  return wanted[1].value ? slice_of(wanted[1].value, len - (size_t)(wanted[1].value - padded)) : SLICE("");
}

TEST(looking_sees_keys_below_the_top_level) {
  CHECK_SLICE(look("{\"a\":{\"b\": 1}}", "b"), "1}}");
  CHECK_SLICE(look("{\"b\":0,\"x\":[[{\"b\" :\n null}]]}", "b"), "null}]]}");
  CHECK_SLICE(look("{\"x\":{\"c\":[{},{\"d\":{}}],\"b\":\"s\"}}", "b"), "\"s\"}}");
  CHECK_SLICE(look("{\"b\":1}", "b"), "");
  CHECK_SLICE(look("{\"x\":{\"bc\":1}}", "b"), "");
  CHECK_SLICE(look("{\"x\":{\"b\":1},\"y\":{\"b\":2}}", "b"), "1},\"y\":{\"b\":2}}");
  CHECK_SLICE(look("{\"x\":[\"b\",{\"c\":\"b\"},\"\\\"b\\\":1\"]}", "b"), "");
  CHECK_SLICE(look("{\"x\":{\"b\":1}", "b"), "-");
  CHECK_SLICE(look("{\"x\":{\"b\" 1}}", "b"), "-");
}

UNIT_MAIN()
