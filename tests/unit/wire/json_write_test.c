/* json_write: strings, numbers and keys as they are written, and read back. */
#include "check.h"

#include <math.h>
#include <stdlib.h>

#include "wire/json.h"

static struct buf written;

static struct slice put(struct slice s) {
  written.len = 0;
  json_put_string(&written, s);
  return buf_view(&written);
}

TEST(escapes) {
  CHECK_SLICE(put(SLICE("")), "\"\"");
  CHECK_SLICE(put((struct slice){0}), "\"\"");
  CHECK_SLICE(put(SLICE("plain")), "\"plain\"");
  CHECK_SLICE(put(SLICE("\"\\/\b\f\n\r\t\x01\x1f\x7f")), "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\"");
  CHECK_SLICE(put(slice_of("a\0b", 3)), "\"a\\u0000b\"");
  CHECK_SLICE(put(SLICE("\xc3\xa9\xe6\x97\xa5\xf0\x9f\x98\x80")), "\"\xc3\xa9\xe6\x97\xa5\xf0\x9f\x98\x80\"");
}

/* One U+FFFD for the longest start of a sequence that is broken off (Unicode 3.9, best practice). */
TEST(what_is_not_utf8_is_repaired) {
#define X "\xef\xbf\xbd"
  static const struct {
    const char *bad, *good;
  } cases[] = {{"\xff", X},
               {"a\x80z", "a" X "z"},
               {"\xc3", X},
               {"\xc3(", X "("},
               {"\xe6\x97", X},
               {"\xe6\x97z", X "z"},
               {"\xf0\x9f\x98", X},
               {"\xf0\x9f\x98\xf0\x9f\x98\x80", X "\xf0\x9f\x98\x80"},
               {"\xed\xa0\x80", X X X},
               {"\xc0\xaf", X X},
               {"\xf4\x90\x80\x80", X X X X},
               {"\xe0\x80\x80", X X X}};
#undef X
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    for (size_t before = 0; before < 40; before++)
      for (size_t after = 0; after < 40; after += 13) {
        char text[128], expected[256];
        memset(text, 'x', sizeof text);
        memcpy(text + before, cases[i].bad, strlen(cases[i].bad));
        int len = snprintf(expected, sizeof expected, "\"%.*s%s%.*s\"", (int)before, text, cases[i].good, (int)after,
                           "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
        struct slice got = put(slice_of(text, before + strlen(cases[i].bad) + after));
        CHECK(slice_eq(got, slice_of(expected, (size_t)len)));
      }
}

static void check_read_back(struct slice s) {
  struct slice raw = put(s);
  struct json_fault fault;
  size_t len = 0;
  char *back = malloc(raw.len);
  CHECK(json_valid(raw, &fault));
  CHECK(json_unquote(raw, back, &len));
  CHECK(slice_eq(slice_of(back, len), s));
  free(back);
}

/* Every byte that needs an escape, at every place around the blocks of the loop, in memory of exact length. */
TEST(every_place_of_a_block) {
  for (size_t len = 1; len < 70; len++)
    for (size_t place = 0; place < len; place++) {
      char *text = malloc(len);
      memset(text, 'm', len);
      text[place] = (char)((len * 31 + place) % 0x23);
      check_read_back(slice_of(text, len));
      free(text);
    }
}

TEST(every_character_reads_back) {
  struct buf all = {0};
  for (uint32_t point = 0; point < 0x110000; point += point < 0x3000 ? 1 : 61) {
    char c[4];
    size_t n = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    if (point >= 0xd800 && point < 0xe000) continue;
    if (n == 1) c[0] = (char)point;
    else {
      for (size_t i = n; i-- > 1;) c[i] = (char)(0x80 | (point >> (6 * (n - 1 - i)) & 0x3f));
      c[0] = (char)((0xf0 << (4 - n)) | point >> (6 * (n - 1)));
    }
    buf_append(&all, c, n);
  }
  check_read_back(buf_view(&all));
  buf_done(&all);
}

TEST(any_bytes_give_valid_json) {
  unsigned seed = 3;
  for (int round = 0; round < 20000; round++) {
    char text[200];
    struct json_fault fault;
    size_t len = (unsigned)rand_r(&seed) % sizeof text;
    for (size_t i = 0; i < len; i++) text[i] = (char)(rand_r(&seed) % 3 ? rand_r(&seed) % 128 : rand_r(&seed));
    CHECK(json_valid(put(slice_of(text, len)), &fault));
  }
}

TEST(many_escapes_grow_the_buffer) {
  static char controls[5000];
  memset(controls, 1, sizeof controls);
  CHECK_INT(put(slice_of(controls, sizeof controls)).len, 2 + 6 * sizeof controls);
  check_read_back(slice_of(controls, sizeof controls));
}

static struct slice number(double n) {
  written.len = 0;
  json_put_double(&written, n);
  return buf_view(&written);
}

TEST(doubles_are_short) {
  CHECK_SLICE(number(0), "0");
  CHECK_SLICE(number(-0.0), "-0");
  CHECK_SLICE(number(0.1), "0.1");
  CHECK_SLICE(number(1), "1");
  CHECK_SLICE(number(-2.5), "-2.5");
  CHECK_SLICE(number(1e21), "1e+21");
  CHECK_SLICE(number(0.7), "0.7");
  CHECK_SLICE(number(5e-324), "5e-324");
  CHECK_SLICE(number(NAN), "null");
  CHECK_SLICE(number(INFINITY), "null");
  CHECK_SLICE(number(-INFINITY), "null");
}

TEST(doubles_read_back) {
  unsigned seed = 11;
  for (int round = 0; round < 100000; round++) {
    uint64_t bits = (uint64_t)rand_r(&seed) << 42 ^ (uint64_t)rand_r(&seed) << 21 ^ (uint64_t)rand_r(&seed);
    double n, back = 0;
    struct json_fault fault;
    memcpy(&n, &bits, sizeof n);
    if (!isfinite(n)) continue;
    struct slice raw = number(n);
    CHECK(json_valid(raw, &fault));
    CHECK(json_to_double(raw, &back));
    CHECK(memcmp(&n, &back, sizeof n) == 0);
  }
}

TEST(keys_and_commas) {
  written.len = 0;
  buf_byte(&written, '{');
  json_put_key(&written, "a");
  buf_text(&written, "1");
  json_put_key(&written, "b");
  buf_text(&written, "{");
  json_put_key(&written, "c");
  buf_text(&written, "[]}}");
  CHECK_SLICE(buf_view(&written), "{\"a\":1,\"b\":{\"c\":[]}}");
}

UNIT_MAIN()
