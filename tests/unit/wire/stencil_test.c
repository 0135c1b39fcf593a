/* stencil: the event for a string, whatever escapes its JSON has, and in each framing. */
#include "check.h"

#include "wire/aws_events.h"
#include "wire/json.h"
#include "wire/stencil.h"

/* The event for a raw string. */
static void put(struct stencil *s, struct buf *out, const char *raw) {
  char text[256];
  size_t len;
  CHECK(json_unquote(slice_text(raw), text, &len));
  stencil_put(s, out, slice_text(raw), slice_of(text, len));
}

TEST(nothing_is_written_by_none) {
  struct stencil s = {0};
  struct buf out = {0};
  put(&s, &out, "\"a\"");
  CHECK_INT(out.len, 0);
  stencil_done(&s);
  buf_done(&out);
}

TEST(strings_are_written_one_way) {
  struct stencil s = {0};
  struct buf out = {0};
  char before[] = "<", after[] = ">";
  stencil_set(&s, &(struct stencil_cut){.before = slice_text(before), .after = slice_text(after)});
  before[0] = after[0] = '-'; /* it has copies */
  put(&s, &out, "\"a \xc3\xa9\"");
  put(&s, &out, "\"\\u00e9\\/\\u000a\\\"\\ud800\"");
  CHECK_SLICE(buf_view(&out), "<\"a \xc3\xa9\"><\"\xc3\xa9/\\n\\\"\xef\xbf\xbd\">");
  stencil_done(&s);
  buf_done(&out);
}

TEST(a_number_counts_on) {
  struct stencil s = {0};
  struct buf out = {0};
  stencil_set(&s, &(struct stencil_cut){
                      .before = SLICE("{"), .middle = SLICE(","), .after = SLICE("}"), .counts = true, .number = 9});
  put(&s, &out, "\"a\"");
  put(&s, &out, "\"b\"");
  CHECK_SLICE(buf_view(&out), "{\"a\",9}{\"b\",10}");
  out.len = 0;
  stencil_set(&s, &(struct stencil_cut){.before = SLICE("("), .after = SLICE(")")}); /* again, for another event */
  put(&s, &out, "\"c\"");
  CHECK_SLICE(buf_view(&out), "(\"c\")");
  stencil_done(&s);
  buf_done(&out);
}

TEST(aws_messages) {
  struct stencil s = {0};
  struct buf out = {0}, expected = {0};
  stencil_set(&s,
              &(struct stencil_cut){.before = SLICE("{\"text\":"), .after = SLICE("}"), .aws_type = SLICE("delta")});
  put(&s, &out, "\"a\"");
  put(&s, &out, "\"\\u0062\"");
  aws_events_put_json(&expected, false, SLICE("delta"), SLICE("{\"text\":\"a\"}"));
  aws_events_put_json(&expected, false, SLICE("delta"), SLICE("{\"text\":\"b\"}"));
  CHECK(slice_eq(buf_view(&out), buf_view(&expected)));
  stencil_done(&s);
  buf_done(&out);
  buf_done(&expected);
}

UNIT_MAIN()
