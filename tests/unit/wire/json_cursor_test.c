/* json_cursor: what it finds, and that it believes what json_valid believes and nothing else. */
#include "check.h"

#include <stdlib.h>

#include "wire/json.h"
#include "wire/json_cursor.h"

/* Enters all there is; each key and scalar goes to out. */
static void enter(struct json_cursor *c, struct buf *out) {
  struct slice key;
  if (c->at < c->end && *c->at == '{') {
    while (json_next_key(c, &key)) {
      buf_slice(out, key);
      buf_byte(out, '=');
      enter(c, out);
    }
  } else if (c->at < c->end && *c->at == '[') {
    while (json_next_element(c)) enter(c, out);
  } else {
    buf_slice(out, json_take(c));
    buf_byte(out, ' ');
  }
}

/* The text in memory of its own, with quotes and brackets where a reader that looks past the end would like them. */
static struct buf copy_of(struct slice text) {
  struct buf b = {0};
  buf_slice(&b, text);
  memset(buf_reserve(&b, 0), 0, 1);
  for (size_t i = 0; i < BUF_SLACK; i++) b.ptr[b.len + i] = "\"}]0"[i % 4];
  return b;
}

static bool walks(struct slice text, bool whole, struct buf *out) {
  struct buf copy = copy_of(text);
  struct json_cursor c = json_cursor_of(buf_view(&copy));
  json_pass_blanks(&c);
  if (whole) json_take(&c);
  else enter(&c, out);
  bool ended = json_ended(&c);
  buf_done(&copy);
  return ended;
}

TEST(keys_and_values_come_in_order) {
  struct buf out = {0};
  CHECK(walks(SLICE(" { \"a\" : [ 1 , {\"b\":\"x\\\"y\"} , [ ] ] ,\r\n\"c\":{}, \"d\":null,\"\":-1.5e3 }\t"), false,
              &out));
  CHECK_SLICE(buf_view(&out), "a=1 b=\"x\\\"y\" c=d=null =-1.5e3 ");
  buf_done(&out);
}

TEST(a_value_is_taken_as_it_stands) {
  struct buf text = copy_of(SLICE("{\"a\": [1, {\"b\":\"}\"} ] ,\"c\":true}"));
  struct json_cursor c = json_cursor_of(buf_view(&text));
  struct slice key;
  CHECK(json_next_key(&c, &key));
  CHECK_SLICE(json_take(&c), "[1, {\"b\":\"}\"} ]");
  CHECK(json_next_key(&c, &key));
  CHECK_SLICE(key, "c");
  CHECK_SLICE(json_take(&c), "true");
  CHECK(!json_ended(&c));
  CHECK(!json_next_key(&c, &key) && json_ended(&c));
  buf_done(&text);
}

TEST(an_escaped_key_breaks_it) {
  struct buf out = {0};
  CHECK(!walks(SLICE("{\"\\u0061\":1}"), false, &out));
  CHECK(walks(SLICE("[{\"\\u0061\":1}]"), true, &out)); /* not if nobody asks for it */
  buf_done(&out);
}

static size_t put_random(char *at, unsigned depth) {
  static const char *const scalars[] = {"1",
                                        "-0.5e+2",
                                        "true",
                                        "false",
                                        "null",
                                        "\"\"",
                                        "\"text\"",
                                        "\"\\n\"",
                                        "\"\\ud83d\\ude00\"",
                                        "\"\xc3\xa9\"",
                                        "\"a long text of plain letters\"",
                                        "0"};
  unsigned kind = depth > 4 ? 2 : (unsigned)rand() % 4, count = (unsigned)rand() % 4;
  if (kind > 1) return (size_t)sprintf(at, "%s", scalars[(size_t)rand() % (sizeof scalars / sizeof *scalars)]);
  size_t len = (size_t)sprintf(at, kind ? "[" : "{");
  for (unsigned i = 0; i < count; i++) {
    len += (size_t)sprintf(at + len, "%s%s", i ? "," : "", rand() % 4 ? "" : " ");
    if (!kind) len += (size_t)sprintf(at + len, "\"key%u\"%s:", i, rand() % 4 ? "" : " ");
    len += put_random(at + len, depth + 1);
  }
  return len + (size_t)sprintf(at + len, kind ? "]" : "}");
}

TEST(it_believes_what_json_valid_believes) {
  static char text[1 << 16];
  struct buf out = {0};
  unsigned valid = 0, wrong = 0;
  srand(7);
  for (unsigned round = 0; round < 20000; round++) {
    size_t len = put_random(text, 0);
    if (round % 2) {
      static const char odd[] = "\"\\{}[],: 0x\n\x01\xff";
      size_t at = (size_t)rand() % len;
      if (rand() % 2) text[at] = odd[(size_t)rand() % (sizeof odd - 1)];
      else len = at + 1;
    }
    struct buf copy = copy_of(slice_of(text, len));
    bool ok = json_valid(buf_view(&copy), NULL);
    buf_done(&copy);
    out.len = 0;
    bool entered = walks(slice_of(text, len), false, &out);
    bool taken = walks(slice_of(text, len), true, &out);
    valid += ok, wrong += !ok;
    CHECK(taken == ok);
    CHECK(entered == ok);
    if (check_failed_here) {
      fprintf(stderr, "%.*s\n", (int)len, text);
      break;
    }
  }
  CHECK(valid > 5000 && wrong > 3000);
  buf_done(&out);
}

UNIT_MAIN()
