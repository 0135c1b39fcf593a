/* json: reading by scan, find, pick and walk; single values. Writing is in json_write_test.c. */
#include "check.h"

#include <pthread.h>
#include <stdlib.h>

#include "wire/json.h"
#include "wire/json_simd.h"

/* The text in memory of its own, exactly as long as it has to be, with closing brackets and quotes where a reader that
 * looks past the end would like to find them. */
static char *trapped(struct slice text) {
  char *copy = malloc(text.len + JSON_PADDING);
  if (text.len) memcpy(copy, text.ptr, text.len);
  for (size_t i = 0; i < JSON_PADDING; i++) copy[text.len + i] = "\"}]0"[i % 4];
  return copy;
}

static bool valid(struct slice text, struct json_fault *fault) {
  char *copy = trapped(text);
  bool ok = json_valid(slice_of(copy, text.len), fault);
  free(copy);
  return ok;
}

/* A second reading of RFC 8259, as short as it can be, to compare with. Returns the end of the value, or NULL. */
static const unsigned char *plain_value(const unsigned char *at, const unsigned char *end, int depth);

static const unsigned char *plain_blanks(const unsigned char *at, const unsigned char *end) {
  while (at < end && strchr(" \t\r\n", *at) && *at) at++;
  return at;
}

static const unsigned char *plain_string(const unsigned char *at, const unsigned char *end) {
  if (at == end || *at++ != '"') return NULL;
  while (at < end && *at != '"') {
    if (*at < 0x20) return NULL;
    if (*at >= 0x80) {
      static const unsigned low[] = {0x80, 0x800, 0x10000};
      int more = *at >= 0xc0 && *at < 0xe0 ? 1 : *at >= 0xe0 && *at < 0xf0 ? 2 : *at >= 0xf0 && *at < 0xf8 ? 3 : 0;
      unsigned point = more ? *at & (0x3f >> more) : 0;
      if (more == 0) return NULL;
      at++;
      for (int i = 0; i < more; i++, at++) {
        if (at == end || (*at & 0xc0) != 0x80) return NULL;
        point = point << 6 | (*at & 0x3f);
      }
      if (point < low[more - 1] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) return NULL;
    } else if (*at == '\\') {
      if (++at == end || *at == 0 || strchr("\"\\/bfnrtu", *at) == NULL) return NULL;
      if (*at++ == 'u')
        for (int i = 0; i < 4; i++, at++)
          if (at == end || *at == 0 || strchr("0123456789abcdefABCDEF", *at) == NULL) return NULL;
    } else {
      at++;
    }
  }
  return at < end ? at + 1 : NULL;
}

static const unsigned char *plain_digits(const unsigned char *at, const unsigned char *end) {
  const unsigned char *begin = at;
  while (at < end && *at >= '0' && *at <= '9') at++;
  return at == begin ? NULL : at;
}

static const unsigned char *plain_number(const unsigned char *at, const unsigned char *end) {
  if (at < end && *at == '-') at++;
  if (at < end && *at == '0') at++;
  else if ((at = plain_digits(at, end)) == NULL) return NULL;
  if (at < end && *at == '.' && (at = plain_digits(at + 1, end)) == NULL) return NULL;
  if (at < end && (*at == 'e' || *at == 'E')) {
    at++;
    if (at < end && (*at == '+' || *at == '-')) at++;
    at = plain_digits(at, end);
  }
  return at;
}

static const unsigned char *plain_members(const unsigned char *at, const unsigned char *end, char closer, int depth) {
  if (depth > JSON_DEPTH_MAX) return NULL;
  at = plain_blanks(at, end);
  if (at < end && *at == closer) return at + 1;
  for (;;) {
    at = plain_blanks(at, end);
    if (closer == '}') {
      if ((at = plain_string(at, end)) == NULL) return NULL;
      at = plain_blanks(at, end);
      if (at == end || *at++ != ':') return NULL;
    }
    if ((at = plain_value(at, end, depth)) == NULL) return NULL;
    at = plain_blanks(at, end);
    if (at == end) return NULL;
    if (*at == closer) return at + 1;
    if (*at++ != ',') return NULL;
  }
}

static const unsigned char *plain_value(const unsigned char *at, const unsigned char *end, int depth) {
  at = plain_blanks(at, end);
  if (at == end) return NULL;
  if (*at == '[') return plain_members(at + 1, end, ']', depth + 1);
  if (*at == '{') return plain_members(at + 1, end, '}', depth + 1);
  if (*at == '"') return plain_string(at, end);
  static const char *const words[] = {"true", "false", "null"};
  for (int i = 0; i < 3; i++)
    if ((size_t)(end - at) >= strlen(words[i]) && memcmp(at, words[i], strlen(words[i])) == 0)
      return at + strlen(words[i]);
  return plain_number(at, end);
}

static bool plain_valid(struct slice text) {
  const unsigned char *at = (const unsigned char *)text.ptr, *end = at + text.len;
  at = plain_value(at, end, 0);
  return at != NULL && plain_blanks(at, end) == end;
}

static const char *const seeds[] = {
    "{\"model\":\"gpt-5\",\"messages\":[{\"role\":\"user\",\"content\":\"h\\u00e9llo\\n\\ud83d\\ude00\"}],\"n\":-0.5e+"
    "10}",
    " [ 1 , 2.50 , [ ] , { } , true , false , null , \"\" , \"a\\\\\" ] ",
    "[[[[[[{\"a\":{\"b\":{\"c\":[0,-0,0.0,1e1,1E-1]}}}]]]]]]",
    "{\"\":\"\",\" \":\" \\\"quoted\\\" \\/ "
    "\\b\\f\\r\\t\",\"\xc3\xa9\xe6\x97\xa5\xf0\x9f\x98\x80\":123456789012345678901234567890}",
    "\"a plain string of more than sixty-four bytes, so that it fills more than one block of the reader\"",
    "12345",
    "null",
    "{}",
    "[]",
    "[\"x\",\"y\"]",
};
enum { SEEDS = sizeof seeds / sizeof *seeds };

enum { WIDTHS = JSON_WIDTH_AVX512 + 1 };

TEST(agrees_with_a_plain_reading_on_mutations) {
  static const char bytes[] = "{}[]:,\"\\ \t\n0123456789.eE+-truefalsn/u\x01\x0c\x1a\x7f\x80\xbf\xc3\xed\xf4\xff";
  unsigned seed = 7, both[2] = {0, 0};
  char text[512];
  for (unsigned round = 0; round < 300000; round++) {
    size_t len = strlen(seeds[round % SEEDS]);
    memcpy(text, seeds[round % SEEDS], len);
    for (unsigned changes = (unsigned)rand_r(&seed) % 3 + 1; changes > 0; changes--) {
      size_t at = (unsigned)rand_r(&seed) % (len + 1);
      char byte = bytes[(unsigned)rand_r(&seed) % sizeof bytes];
      switch (rand_r(&seed) % 4) {
      case 0: /* put in */
        memmove(text + at + 1, text + at, len - at);
        text[at] = byte;
        len++;
        break;
      case 1: /* take out */
        if (at == len) break;
        memmove(text + at, text + at + 1, len - at - 1);
        len--;
        break;
      case 2: len = at; break;
      default:
        if (at < len) text[at] = byte;
      }
    }
    struct json_fault fault = {SIZE_MAX, NULL};
    json_skim_at_most((enum json_width)(round / SEEDS % WIDTHS));
    bool ours = valid(slice_of(text, len), &fault), plain = plain_valid(slice_of(text, len));
    both[plain]++;
    if (ours != plain) fprintf(stderr, "%s: %.*s\n", ours ? "accepted" : fault.why, (int)len, text);
    CHECK(ours == plain);
    if (!ours) CHECK(fault.why != NULL && fault.at <= len);
    if (ours != plain) break;
  }
  json_skim_at_most(JSON_WIDTH_AVX512);
  CHECK(both[0] > 10000 && both[1] > 10000);
}

/* Strings of some blocks, whose escapes and faults fall on every place of a block and across two. */
TEST(long_strings_are_read_alike_in_all_widths) {
  static const char *const pieces[] = {"a", "b ", "prose that goes on for a while without anything in it", "e", "\\\\",
                                       "\\\"", "\\n", "\\/", "\\b", "\\f\\r\\t", "\\u00e9", "\\uD83D\\uDE00",
                                       "\\\\\\\\\\\\", "\x7f", "\xc3\xa9", "\xe6\x97\xa5",
                                       /* and what a string cannot hold */
                                       "\\", "\"", "\\u12", "\\x", "\n", "\x01", "\xff"};
  enum { PIECES = sizeof pieces / sizeof *pieces, GOOD = 16 };
  unsigned seed = 11, both[2] = {0, 0};
  char text[1024];
  for (unsigned round = 0; round < 100000; round++) {
    bool wild = rand_r(&seed) % 2 == 0;
    size_t len = 0;
    text[len++] = '"';
    for (unsigned count = (unsigned)rand_r(&seed) % 14; count > 0; count--) {
      const char *piece = pieces[(unsigned)rand_r(&seed) % (wild ? PIECES : GOOD)];
      memcpy(text + len, piece, strlen(piece));
      len += strlen(piece);
    }
    if (!wild || rand_r(&seed) % 8 != 0) text[len++] = '"';
    bool plain = plain_valid(slice_of(text, len));
    both[plain]++;
    struct json_fault first = {SIZE_MAX, ""};
    for (unsigned width = 0; width < WIDTHS; width++) {
      struct json_fault fault = {SIZE_MAX, ""};
      json_skim_at_most((enum json_width)width);
      bool ours = valid(slice_of(text, len), &fault);
      if (width == 0) first = fault;
      bool same = ours == plain && fault.at == first.at && fault.why == first.why;
      if (!same)
        fprintf(stderr, "width %u, %s at %zu: %.*s\n", width, ours ? "good" : fault.why, fault.at, (int)len, text);
      CHECK(same);
    }
  }
  json_skim_at_most(JSON_WIDTH_AVX512);
  CHECK(both[0] > 10000 && both[1] > 10000);
}

TEST(a_cut_document_is_refused) {
  struct slice text = slice_text(seeds[0]);
  for (size_t len = 0; len < text.len; len++) {
    struct json_fault fault = {SIZE_MAX, NULL};
    CHECK(!valid(slice_of(text.ptr, len), &fault));
    CHECK(fault.why != NULL && fault.at <= len);
  }
}

TEST(the_fault_is_where_it_is) {
  static const struct {
    const char *text, *why;
    size_t at;
  } faults[] = {
      {"", "no value", 0},
      {"{\"a\":1,}", "a key is missing", 7},
      {"{\"a\" 1}", "a ':' is missing after a key", 5},
      {"{\"a\":\"\\q\"}", "an escape that JSON does not have", 6},
      {"{\"a\":\"\\u12g4\"}", "a \\u without four hex digits", 6},
      {"[1,02]", "not a number", 3},
      {"[1 2]", "neither ',' nor ']'", 3},
      {"[tru]", "neither true nor false nor null", 1},
      {"{\"a\":[1,2}", "neither ',' nor ']'", 9},
      {"[1]]", "something behind the document", 3},
      {"[\"\\\\ \\\" x", "a string that is not closed", 1},
      {"[\"a\nb\"]", "a control character within a string", 3},
      {"[\"\\\"\", \"\xff\"]", "not UTF-8", 8},
      {"{\"a\":1", "ends too early", 6},
  };
  for (size_t i = 0; i < sizeof faults / sizeof *faults * WIDTHS; i++) {
    struct json_fault fault = {SIZE_MAX, ""};
    json_skim_at_most((enum json_width)(i % WIDTHS));
    CHECK(!valid(slice_text(faults[i / WIDTHS].text), &fault));
    CHECK_SLICE(slice_text(fault.why), faults[i / WIDTHS].why);
    CHECK_INT(fault.at, faults[i / WIDTHS].at);
  }
  json_skim_at_most(JSON_WIDTH_AVX512);
}

static struct slice nested(unsigned depth, const char *open, const char *close) {
  static char text[4096];
  struct slice o = slice_text(open), c = slice_text(close);
  size_t len = 0;
  for (unsigned i = 0; i < depth; i++, len += o.len) memcpy(text + len, o.ptr, o.len);
  for (unsigned i = 0; i < depth; i++, len += c.len) memcpy(text + len, c.ptr, c.len);
  return slice_of(text, len);
}

static enum json_walk_step enter(void *owner, enum json_kind kind, struct slice key, struct slice text,
                                 struct slice raw, size_t count) {
  (void)kind, (void)key, (void)text, (void)raw, (void)count;
  ++*(unsigned *)owner;
  return JSON_WALK_ENTER;
}

static bool leave(void *owner) {
  (void)owner;
  return true;
}

TEST(depth_ends_at_128) {
  static const struct json_walker walker = {enter, leave};
  struct json_fault fault;
  unsigned values = 0;
  CHECK(valid(nested(128, "[", "]"), &fault));
  CHECK(!valid(nested(129, "[", "]"), &fault));
  CHECK_INT(fault.at, 128);
  CHECK(valid(nested(64, "{\"a\":[", "]}"), &fault));
  CHECK(!valid(nested(65, "{\"a\":[", "]}"), &fault));
  CHECK(json_scan(nested(64, "{\"a\":[", "]}"), NULL, 0, &fault));
  CHECK(!json_scan(nested(65, "{\"a\":[", "]}"), NULL, 0, &fault));
  CHECK_SLICE(slice_text(fault.why), "nested too deep");
  CHECK(json_walk(nested(128, "[", "]"), &walker, &values, &fault));
  CHECK_INT(values, 128);
  CHECK(!json_walk(nested(129, "[", "]"), &walker, &values, &fault));
}

TEST(scan_finds_fields_as_they_stand) {
  static const char text[] =
      " { \"mod\\u0065l\" : \"a\\u0062c\" , \"stream\":true,\"n\":-0,\"big\":9007199254740993,\"e\":1e400 ,"
      "\"messages\": [ {\"model\":\"inner\"} , [] ] ,\"o\":{\"x\":{}},\"z\":null , \"f\" : false}\n";
  struct json_field f[] = {{.key = SLICE_INIT("model")}, {.key = SLICE_INIT("stream")},
                           {.key = SLICE_INIT("n")},     {.key = SLICE_INIT("big")},
                           {.key = SLICE_INIT("e")},     {.key = SLICE_INIT("messages")},
                           {.key = SLICE_INIT("o")},     {.key = SLICE_INIT("z")},
                           {.key = SLICE_INIT("f")},     {.key = SLICE_INIT("absent"), .raw = SLICE_INIT("old")}};
  struct json_fault fault;
  char *copy = trapped(slice_text(text));
  CHECK(json_scan(slice_of(copy, strlen(text)), f, 10, &fault));
  static const char *const raws[] = {"\"a\\u0062c\"",    "true",  "-0",
                                     "9007199254740993", "1e400", "[ {\"model\":\"inner\"} , [] ]",
                                     "{\"x\":{}}",       "null",  "false"};
  static const enum json_kind kinds[] = {JSON_STRING, JSON_TRUE,   JSON_NUMBER, JSON_NUMBER, JSON_NUMBER,
                                         JSON_ARRAY,  JSON_OBJECT, JSON_NULL,   JSON_FALSE};
  for (int i = 0; i < 9; i++) {
    CHECK_SLICE(f[i].raw, raws[i]);
    CHECK_INT(f[i].kind, kinds[i]);
  }
  CHECK(f[9].raw.ptr == NULL);
  free(copy);
}

static bool scan(const char *text, struct json_fault *fault) {
  char *copy = trapped(slice_text(text));
  bool ok = json_scan(slice_of(copy, strlen(text)), NULL, 0, fault);
  free(copy);
  return ok;
}

TEST(scan_refuses_a_key_twice) {
  struct json_fault fault;
  CHECK(!scan("{\"a\":1,\"b\":2,\"a\":1}", &fault));
  CHECK_INT(fault.at, 13);
  CHECK(!scan("{\"model\":1,\"mod\\u0065l\":2}", &fault));
  CHECK_INT(fault.at, 11);
  CHECK(!scan("{\"mod\\u0065l\":1,\"\\u006dodel\":2}", &fault));
  CHECK(!scan("{\"\":1,\"\":2}", &fault));
  CHECK(scan("{\"a\":1,\"A\":1,\"a \":2,\"\":3,\"a\\u0000\":4}", &fault));
  CHECK(scan("{\"a\":{\"x\":1,\"x\":1}}", &fault));
  CHECK(scan("{}", &fault));
  CHECK(!scan("[]", &fault));
  CHECK(!scan("3", &fault));
  CHECK(!scan("{} {}", &fault));
  CHECK(!scan("{\"a\":1,}", &fault));
  CHECK(!scan("{,}", &fault));
  CHECK(!scan("{\"a\":1", &fault));
  CHECK(!scan("{\"a\":1 \"b\":2}", &fault));
  CHECK(!scan("{\"a\":\"\\q\"}", &fault));
}

TEST(scan_refuses_a_key_twice_among_many) {
  for (unsigned twin = 0; twin < 2000; twin += 37) {
    struct buf b = {0};
    struct json_fault fault;
    size_t second = 0;
    buf_byte(&b, '{');
    for (unsigned i = 0; i < 2000; i++) buf_fill(&b, "\"key%u\":%u,", i * 7919 % 2003, i);
    CHECK(json_scan((buf_text(&b, "\"last\":0}"), buf_view(&b)), NULL, 0, &fault));
    b.len--;
    second = b.len + 1;
    buf_fill(&b, ",\"\\u006bey%u\":1}", twin * 7919 % 2003);
    CHECK(!json_scan(buf_view(&b), NULL, 0, &fault));
    CHECK_INT(fault.at, second);
    CHECK_SLICE(slice_text(fault.why), "a key that occurs twice");
    buf_done(&b);
  }
}

static struct slice find(const char *text, const char *a, const char *b, const char *c) {
  static char copy[1024];
  const char *path[] = {a, b, c, NULL};
  memcpy(copy, text, strlen(text));
  return json_find(slice_of(copy, strlen(text)), path);
}

TEST(find_by_path) {
  const char *text =
      "{\"id\":\"x\",\"usage\":{\"de\\u0065p\":{\"n\":12 },\"t\":[1,{\"n\":2}]},\"usage\":{\"t\":0},\"e\":null}";
  CHECK_SLICE(find(text, "id", NULL, NULL), "\"x\"");
  CHECK_SLICE(find(text, "usage", "deep", "n"), "12");
  CHECK_SLICE(find(text, "usage", "t", NULL), "[1,{\"n\":2}]");
  CHECK_SLICE(find(text, "e", NULL, NULL), "null");
  CHECK(find(text, "nothing", NULL, NULL).ptr == NULL);
  CHECK(find(text, "id", "x", NULL).ptr == NULL);
  CHECK(find(text, "usage", "t", "n").ptr == NULL);
  CHECK(find("[1]", "a", NULL, NULL).ptr == NULL);
  CHECK(find("{}", "a", NULL, NULL).ptr == NULL);
  CHECK(find("{\"a\":nul}", "a", NULL, NULL).ptr == NULL);
  CHECK(find("{\"a\":[1,2", "a", NULL, NULL).ptr == NULL);
  CHECK(find("{\"a\" 1}", "a", NULL, NULL).ptr == NULL);
  CHECK(find("", "a", NULL, NULL).ptr == NULL);
  CHECK_SLICE(find("7", NULL, NULL, NULL), "7");
}

static bool pick(const char *text, struct json_field *wanted, size_t count) {
  static char copy[4096];
  memcpy(copy, text, strlen(text));
  return json_pick(slice_of(copy, strlen(text)), wanted, count);
}

TEST(pick_by_dotted_paths) {
  struct json_field f[] = {{.key = SLICE_INIT("choices.0.delta.content")},
                           {.key = SLICE_INIT("choices.0.finish_reason")},
                           {.key = SLICE_INIT("usage")},
                           {.key = SLICE_INIT("usage.prompt_tokens")},
                           {.key = SLICE_INIT("choices.1")},
                           {.key = SLICE_INIT("choices.10")},
                           {.key = SLICE_INIT("error")},
                           {.key = SLICE_INIT("choices")}};
  CHECK(pick("{\"id\":\"a\",\"choices\":[{\"delta\":{\"content\":\"h\\ni\"},\"finish_reason\":\"stop\"},{\"x\":[]} ],"
             "\"usage\":{\"prompt_tokens\":12,\"error\":1}}",
             f, 8));
  CHECK_SLICE(f[0].raw, "\"h\\ni\"");
  CHECK_SLICE(f[1].raw, "\"stop\"");
  CHECK_SLICE(f[2].raw, "{\"prompt_tokens\":12,\"error\":1}");
  CHECK_SLICE(f[3].raw, "12");
  CHECK_INT(f[3].kind, JSON_NUMBER);
  CHECK_SLICE(f[4].raw, "{\"x\":[]}");
  CHECK(f[5].raw.ptr == NULL);
  CHECK(f[6].raw.ptr == NULL);
  CHECK_SLICE(f[7].raw, "[{\"delta\":{\"content\":\"h\\ni\"},\"finish_reason\":\"stop\"},{\"x\":[]} ]");
  CHECK_INT(f[7].kind, JSON_ARRAY);
}

TEST(pick_takes_the_first_of_a_key_that_comes_twice) {
  struct json_field f[] = {{.key = SLICE_INIT("a.b")}, {.key = SLICE_INIT("c")}};
  CHECK(pick("{\"a\":{\"b\":1},\"a\":{\"b\":2},\"\\u0061\":{\"b\":3}}", f, 2));
  CHECK_SLICE(f[0].raw, "1");
  CHECK(pick("{\"\\u0061\":{\"b\":3},\"a\":{\"b\":2}}", f, 1));
  CHECK_SLICE(f[0].raw, "3");
}

TEST(pick_says_when_it_is_not_json) {
  struct json_field f[] = {{.key = SLICE_INIT("a")}, {.key = SLICE_INIT("b.c")}};
  CHECK(!pick("", f, 2));
  CHECK(!pick("[DONE", f, 2));
  CHECK(!pick("[DONE] }", f, 2));
  CHECK(!pick("{\"a\":1", f, 2));
  CHECK(!pick("{\"a\":1x}", f, 2));
  CHECK(!pick("{\"a\":1}}", f, 2));
  CHECK(!pick("{\"a\":,\"b\":{\"c\":1}}", f, 2));
  CHECK(!pick("{\"b\":{\"c\":[1,2}}", f, 2));
  CHECK(!pick("{\"b\":{\"c\" 1}}", f, 2));
  CHECK(!pick("{a:1}", f, 2));
  CHECK(pick("{}", f, 2) && f[0].raw.ptr == NULL);
  CHECK(pick("[{\"a\":1}]", f, 2) && f[0].raw.ptr == NULL);
  CHECK(pick("\"a\"", f, 2) && f[0].raw.ptr == NULL);
  CHECK(pick("{\"a\":1}", f, 0));
}

static bool pick_known(const char *text) {
  static char copy[4096];
  struct json_field f[] = {{.key = SLICE_INIT("a.0.b")}, {.key = SLICE_INIT("a.0.c")}, {.key = SLICE_INIT("d")}};
  struct json_names known = {0};
  CHECK(json_names_add(&known, SLICE("x")) && json_names_add(&known, SLICE("extra")));
  memcpy(copy, text, strlen(text));
  bool fits = json_pick_known(slice_of(copy, strlen(text)), f, 3, &known);
  if (fits && f[0].raw.ptr != NULL) CHECK_SLICE(f[0].raw, "1");
  return fits;
}

TEST(pick_where_nothing_else_is_expected) {
  CHECK(pick_known("{\"a\":[{\"b\":1,\"c\":{\"y\":1}}],\"d\":{\"y\":1}}"));
  CHECK(pick_known("{\"x\":{\"y\":1},\"a\":[{\"extra\":7,\"b\":1},{\"y\":1}],\"extra\":[{\"y\":1}]}"));
  CHECK(pick_known("{\"y\":null,\"z\":[ ],\"a\":[{\"y\" : \"\",\"z\":{},\"b\":1}],\"w\":false}"));
  CHECK(!pick_known("{\"y\":1,\"a\":[]}"));
  CHECK(!pick_known("{\"a\":[],\"extr\":1}"));
  CHECK(!pick_known("{\"a\":[{\"b\":1,\"y\":[0]}]}"));
  CHECK(!pick_known("{\"a\":[{\"b\":1,\"c\":2}],\"d\":3,\"y\":0}"));
  CHECK(!pick_known("{\"a\":[],\"y\":{\"\":null}}"));
  CHECK(!pick_known("{\"a\":[],\"y\":\"0\"}"));
  CHECK(!pick_known("{\"a\":[],\"\":1}"));
  CHECK(!pick_known("{\"a\":[],\"\\u0078\":1}"));
  CHECK(!pick_known("{\"a\":[],\"y\":"));
  CHECK(!pick_known("{\"a\":[]"));
}

TEST(names_are_found_among_many) {
  struct json_names n = {0};
  char names[JSON_NAMES_MAX][8];
  CHECK(!json_names_have(&n, SLICE("n0")) && !json_names_have(&n, SLICE("")) && !json_names_add(&n, SLICE("")));
  for (int i = 0; i < JSON_NAMES_MAX; i++)
    CHECK(json_names_add(&n, slice_of(names[i], (size_t)snprintf(names[i], sizeof names[i], "n%d", i))));
  CHECK(!json_names_add(&n, SLICE("more")));
  for (int i = 0; i < JSON_NAMES_MAX; i++) CHECK(json_names_have(&n, slice_text(names[i])));
  CHECK(!json_names_have(&n, SLICE("more")) && !json_names_have(&n, SLICE("n64")) && !json_names_have(&n, SLICE("n")));
}

TEST(pick_of_more_than_sixty_four) {
  struct json_field f[70];
  char keys[70][8];
  struct buf b = {0};
  for (int i = 0; i < 70; i++) {
    f[i].key = slice_of(keys[i], (size_t)snprintf(keys[i], sizeof keys[i], "k%d", i));
    buf_fill(&b, "%c\"k%d\":%d", i ? ',' : '{', i, i * 3);
  }
  buf_byte(&b, '}');
  CHECK(json_pick(buf_view(&b), f, 70));
  for (int i = 0; i < 70; i++) {
    uint64_t number = 0;
    CHECK(json_to_u64(f[i].raw, &number));
    CHECK_INT(number, i * 3);
  }
  buf_done(&b);
}

struct told {
  struct buf log;
  unsigned stop_after;
  const char *skip;
};

static enum json_walk_step tell(void *owner, enum json_kind kind, struct slice key, struct slice text, struct slice raw,
                                size_t count) {
  struct told *told = owner;
  buf_byte(&told->log, "0ftns[{"[kind]);
  if (key.ptr) buf_fill(&told->log, "(%.*s)", (int)key.len, key.ptr);
  if (kind == JSON_ARRAY || kind == JSON_OBJECT) {
    CHECK(slice_eq(text, raw));
    buf_fill(&told->log, "%zu", count);
  } else {
    buf_slice(&told->log, text);
  }
  if (told->stop_after && --told->stop_after == 0) return JSON_WALK_STOP;
  if (told->skip && slice_eq(raw, slice_text(told->skip))) return JSON_WALK_SKIP;
  buf_byte(&told->log, ' ');
  return JSON_WALK_ENTER;
}

static bool tell_end(void *owner) {
  struct told *told = owner;
  buf_text(&told->log, "; ");
  return true;
}

static const struct json_walker teller = {tell, tell_end};

static bool walk(const char *text, struct told *told, struct json_fault *fault) {
  char *copy = trapped(slice_text(text));
  told->log.len = 0;
  bool ok = json_walk(slice_of(copy, strlen(text)), &teller, told, fault);
  free(copy);
  return ok;
}

TEST(walk_tells_all_in_order) {
  struct told told = {0};
  struct json_fault fault;
  CHECK(walk(" {\"a\" : [1, \"x\\ty\", [], {} , "
             "null],\"k\\u0065y\":\"\\ud83d\\ude00\",\"t\":true,\"o\":{\"f\":false,\"p\":\"q\"}} ",
             &told, &fault));
  CHECK_SLICE(buf_view(&told.log),
              "{4 [(a)5 n1 sx\ty [0 ; {0 ; 0null ; s(key)\xf0\x9f\x98\x80 t(t)true {(o)2 f(f)false s(p)q ; ; ");
  CHECK(walk("\"top\"", &told, &fault));
  CHECK_SLICE(buf_view(&told.log), "stop ");
  CHECK(walk("[]", &told, &fault));
  CHECK_SLICE(buf_view(&told.log), "[0 ; ");
  buf_done(&told.log);
}

TEST(walk_skips_and_stops) {
  struct told told = {.skip = "[ {\"b\":1} ]"};
  struct json_fault fault;
  CHECK(walk("{\"a\":[ {\"b\":1} ],\"c\":2}", &told, &fault));
  CHECK_SLICE(buf_view(&told.log), "{2 [(a)1n(c)2 ; ");
  CHECK(!walk("{\"a\":[ {\"b\":1} ],\"c\":2 x}", &told, &fault));
  CHECK(fault.why != NULL);
  CHECK_INT(told.log.len, 0);
  told = (struct told){.log = told.log, .stop_after = 2};
  CHECK(!walk("[1,2,3]", &told, &fault));
  CHECK(fault.why == NULL);
  CHECK_SLICE(buf_view(&told.log), "[3 n1");
  buf_done(&told.log);
}

/* Lone surrogates have no UTF-8: they become U+FFFD each. */
TEST(unquote) {
  static const struct {
    const char *raw, *text;
  } good[] = {
      {"\"\"", ""},
      {"\"plain\"", "plain"},
      {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
      {"\"\\u0041\\u00e9\\u65e5\\ud83d\\ude00\"", "A\xc3\xa9\xe6\x97\xa5\xf0\x9f\x98\x80"},
      {"\"\\ud83d\"", "\xef\xbf\xbd"},
      {"\"\\ude00\\ud83d\"", "\xef\xbf\xbd\xef\xbf\xbd"},
      {"\"\\ud83dx\\ude00\"", "\xef\xbf\xbdx\xef\xbf\xbd"},
      {"\"\\ud83d\\n\"", "\xef\xbf\xbd\n"},
      {"\"\\ud83d\\ud83d\\ude00\"", "\xef\xbf\xbd\xf0\x9f\x98\x80"},
      {"\"\\ud83d\\u0041\"", "\xef\xbf\xbd"
                             "A"},
      {"\"0123456789abcdef\\n0123456789abcdef0123456789abcdef\\u00e9\"",
       "0123456789abcdef\n0123456789abcdef0123456789abcdef\xc3\xa9"},
  };
  static const char *const bad[] = {"",
                                    "\"",
                                    "x",
                                    "\"a",
                                    "a\"",
                                    "12",
                                    "\"\\\"",
                                    "\"\\q\"",
                                    "\"\\u12\"",
                                    "\"\\u12g4\"",
                                    "\"a\"b\"",
                                    "\"a\nb\"",
                                    "\"0123456789abcdef0123\x01 456789abcdef\"",
                                    "\"\\ud83d\\u12\""};
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    size_t len = strlen(good[i].raw), out_len = 0;
    char *out = malloc(len);
    CHECK(json_unquote(slice_of(good[i].raw, len), out, &out_len));
    CHECK_SLICE(slice_of(out, out_len), good[i].text);
    free(out);
  }
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    char out[64];
    size_t out_len;
    CHECK(!json_unquote(slice_text(bad[i]), out, &out_len));
  }
}

TEST(plain) {
  struct slice out;
  CHECK(json_plain(SLICE("\"abc\""), &out));
  CHECK_SLICE(out, "abc");
  CHECK(json_plain(SLICE("\"\""), &out) && out.len == 0);
  CHECK(!json_plain(SLICE("\"a\\n\""), &out));
  CHECK(!json_plain(SLICE("12"), &out));
  CHECK(!json_plain(SLICE("\""), &out));
  CHECK(!json_plain((struct slice){0}, &out));
}

TEST(integers) {
  uint64_t number = 0;
  CHECK(json_to_u64(SLICE("0"), &number) && number == 0);
  CHECK(json_to_u64(SLICE("18446744073709551615"), &number) && number == UINT64_MAX);
  static const char *const bad[] = {"", "-1", "-0", "1.0", "1e3", "18446744073709551616", "01", "\"1\"", "true", "1 "};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) CHECK(!json_to_u64(slice_text(bad[i]), &number));
}

TEST(doubles) {
  static const struct {
    const char *raw;
    double number;
  } good[] = {{"0", 0},
              {"-0", 0},
              {"1.5", 1.5},
              {"-2.5e-3", -0.0025},
              {"9007199254740993", 9007199254740992.0},
              {"1e400", __builtin_inf()},
              {"-1e400", -__builtin_inf()},
              {"1e-400", 0},
              {"0.0000000001e400", __builtin_inf()},
              {"0.000000001e-400", 0},
              {"1e99999999999999999999", __builtin_inf()},
              {"1e-99999999999999999999", 0}};
  static const char *const bad[] = {"", "-", "inf", "-inf", "nan", ".5", "+1", "1x", "\"1\"", "null", "0x10"};
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    double number = 42;
    CHECK(json_to_double(slice_text(good[i].raw), &number));
    if (number != good[i].number) fprintf(stderr, "%s: %g\n", good[i].raw, number);
    CHECK(number == good[i].number);
  }
  double zero = 1;
  CHECK(json_to_double(SLICE("-0"), &zero) && __builtin_signbit(zero));
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) CHECK(!json_to_double(slice_text(bad[i]), &zero));
}

static enum json_walk_step scan_within(void *owner, enum json_kind kind, struct slice key, struct slice text,
                                       struct slice raw, size_t count) {
  struct json_fault fault;
  struct json_field inner = {.key = SLICE_INIT("n")};
  (void)key, (void)text, (void)count;
  if (kind == JSON_OBJECT && json_scan(raw, &inner, 1, &fault) && slice_eq(inner.raw, SLICE("1"))) ++*(unsigned *)owner;
  return JSON_WALK_ENTER;
}

TEST(a_callback_may_read_json) {
  static const struct json_walker walker = {scan_within, leave};
  struct json_fault fault;
  struct buf b = {0};
  unsigned found = 0;
  buf_byte(&b, '[');
  for (int i = 0; i < 1000; i++) buf_text(&b, i ? ",{\"n\":1}" : "{\"n\":1}");
  buf_byte(&b, ']');
  CHECK(json_walk(buf_view(&b), &walker, &found, &fault));
  CHECK_INT(found, 1000);
  buf_done(&b);
}

/* Sizes on both sides of what the parser keeps, one after the other. */
TEST(large_then_small) {
  struct json_fault fault;
  struct buf b = {0};
  for (int round = 0; round < 2; round++) {
    b.len = 0;
    buf_byte(&b, '[');
    for (int i = 0; i < 900000; i++) buf_text(&b, "0,[],");
    buf_text(&b, "\"x\"]");
    struct told told = {.stop_after = 1};
    CHECK(json_valid(buf_view(&b), &fault));
    CHECK(!json_walk(buf_view(&b), &teller, &told, &fault));
    CHECK_SLICE(buf_view(&told.log), "[1800001");
    b.ptr[b.len - 2] = '\\';
    CHECK(!json_valid(buf_view(&b), &fault));
    CHECK(valid(SLICE("[1]"), &fault));
    buf_done(&told.log);
  }
  buf_done(&b);
}

static void *in_a_thread(void *none) {
  struct json_fault fault;
  for (int i = 0; i < 2000; i++)
    if (!valid(slice_text(seeds[i % SEEDS]), &fault)) return none;
  return "fine";
}

TEST(each_thread_has_its_parser) {
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) CHECK(pthread_create(&threads[i], NULL, in_a_thread, NULL) == 0);
  for (int i = 0; i < 4; i++) {
    void *result = NULL;
    pthread_join(threads[i], &result);
    CHECK(result != NULL);
  }
}

UNIT_MAIN()
