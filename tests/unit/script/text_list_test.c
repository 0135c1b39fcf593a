/* text_list, text_form: conversations with calls and results, read in each place where a dialect can have them and
 * written in each other; what has no place; forms that are not whole. */
#include "script/translation/text_list.h"

#include "check.h"
#include "text_forms.h"

enum { FORMS = 5 };

static const char *const texts[FORMS] = {BESIDE_FORM, TYPED_FORM, KEYED_FORM, BLOCKS_FORM, LISTED_FORM};
enum { BESIDE, TYPED, KEYED, BLOCKS, LISTED };

static const struct text_form *form_of(unsigned which) {
  static struct text_form forms[FORMS];
  if (!forms[which].is_there) must(text_form_of(texts[which], &forms[which]));
  return &forms[which];
}

/* The list of a body of one dialect in another; "unread" or "no place". Results get the names of no calls. */
static struct slice carried(unsigned from, unsigned to, unsigned way, const char *list) {
  static struct buf out;
  struct buf body = {0};
  struct json_turns turns = {0};
  out.len = 0;
  buf_text(&body, "{\"l\":");
  buf_text(&body, list);
  buf_text(&body, "}");
  if (!json_turns_read(buf_view(&body), &form_of(from)->shape, &turns)) {
    buf_text(&out, "unread");
  } else {
    for (size_t i = 0; i < turns.count; i++)
      if (turns.turns[i].kind == JSON_TURN_RESULT) turns.turns[i].name = SLICE("N");
    bool fits = text_list_put(form_of(to), way, slice_of(NULL, 0), turns.turns, turns.count, true, &out);
    if (!fits) out.len = 0;
    if (!fits) buf_text(&out, "no place");
  }
  json_turns_done(&turns);
  buf_done(&body);
  return buf_view(&out);
}

/* One conversation in each of them: words, two calls beside words, their results, one of them empty, a call alone, its
 * result and words, words. */
static const char *const same[FORMS] = {
    [BESIDE] =
        "{\"c\":\"q\",\"role\":\"u\"},"
        "{\"c\":\"w\",\"calls\":[{\"fn\":{\"args\":\"{\\\"x\\\":1}\",\"name\":\"f\"},\"id\":\"1\",\"type\":\"f\"},"
        "{\"fn\":{\"args\":\"{}\",\"name\":\"g\"},\"id\":\"2\",\"type\":\"f\"}],\"role\":\"a\"},"
        "{\"c\":\"one\",\"of\":\"1\",\"role\":\"r\"},{\"c\":\"\",\"of\":\"2\",\"role\":\"r\"},"
        "{\"calls\":[{\"fn\":{\"args\":\"{}\",\"name\":\"g\"},\"id\":\"3\",\"type\":\"f\"}],\"role\":\"a\"},"
        "{\"c\":\"{\\\"y\\\":2}\",\"of\":\"3\",\"role\":\"r\"},{\"c\":\"and\",\"role\":\"u\"},"
        "{\"c\":\"end\",\"role\":\"a\"}",
    [TYPED] = "{\"c\":\"q\",\"role\":\"u\"},{\"c\":[{\"text\":\"w\",\"type\":\"t\"},"
              "{\"id\":\"1\",\"in\":{\"x\":1},\"name\":\"f\",\"type\":\"use\"},"
              "{\"id\":\"2\",\"in\":{},\"name\":\"g\",\"type\":\"use\"}],\"role\":\"a\"},"
              "{\"c\":[{\"c\":\"one\",\"of\":\"1\",\"type\":\"res\"},{\"of\":\"2\",\"type\":\"res\"}],\"role\":\"u\"},"
              "{\"c\":[{\"id\":\"3\",\"in\":{},\"name\":\"g\",\"type\":\"use\"}],\"role\":\"a\"},"
              "{\"c\":[{\"c\":\"{\\\"y\\\":2}\",\"of\":\"3\",\"type\":\"res\"},{\"text\":\"and\",\"type\":\"t\"}],"
              "\"role\":\"u\"},{\"c\":\"end\",\"role\":\"a\"}",
    [KEYED] = "{\"c\":[{\"text\":\"q\"}],\"role\":\"u\"},"
              "{\"c\":[{\"text\":\"w\"},{\"call\":{\"args\":{\"x\":1},\"id\":\"1\",\"name\":\"f\"}},"
              "{\"call\":{\"args\":{},\"id\":\"2\",\"name\":\"g\"}}],\"role\":\"a\"},"
              "{\"c\":[{\"res\":{\"id\":\"1\",\"name\":\"N\",\"r\":{\"output\":\"one\"}}},"
              "{\"res\":{\"id\":\"2\",\"name\":\"N\",\"r\":{\"output\":\"\"}}}],\"role\":\"u\"},"
              "{\"c\":[{\"call\":{\"args\":{},\"id\":\"3\",\"name\":\"g\"}}],\"role\":\"a\"},"
              "{\"c\":[{\"res\":{\"id\":\"3\",\"name\":\"N\",\"r\":{\"y\":2}}}],\"role\":\"u\"},"
              "{\"c\":[{\"text\":\"and\"}],\"role\":\"u\"},{\"c\":[{\"text\":\"end\"}],\"role\":\"a\"}",
    [BLOCKS] =
        "{\"c\":[{\"text\":\"q\"}],\"role\":\"u\"},"
        "{\"c\":[{\"text\":\"w\"},{\"use\":{\"id\":\"1\",\"in\":{\"x\":1},\"name\":\"f\"}},"
        "{\"use\":{\"id\":\"2\",\"in\":{},\"name\":\"g\"}}],\"role\":\"a\"},"
        "{\"c\":[{\"res\":{\"c\":[{\"text\":\"one\"}],\"of\":\"1\"}},"
        "{\"res\":{\"c\":[{\"text\":\"\"}],\"of\":\"2\"}}],\"role\":\"u\"},"
        "{\"c\":[{\"use\":{\"id\":\"3\",\"in\":{},\"name\":\"g\"}}],\"role\":\"a\"},"
        "{\"c\":[{\"res\":{\"c\":[{\"text\":\"{\\\"y\\\":2}\"}],\"of\":\"3\"}},{\"text\":\"and\"}],\"role\":\"u\"},"
        "{\"c\":[{\"text\":\"end\"}],\"role\":\"a\"}",
    [LISTED] = "{\"c\":\"q\",\"role\":\"u\"},{\"c\":[{\"text\":\"w\",\"type\":\"o\"}],\"role\":\"a\"},"
               "{\"args\":\"{\\\"x\\\":1}\",\"cid\":\"1\",\"name\":\"f\",\"type\":\"call\"},"
               "{\"args\":\"{}\",\"cid\":\"2\",\"name\":\"g\",\"type\":\"call\"},"
               "{\"cid\":\"1\",\"o\":\"one\",\"type\":\"out\"},{\"cid\":\"2\",\"o\":\"\",\"type\":\"out\"},"
               "{\"args\":\"{}\",\"cid\":\"3\",\"name\":\"g\",\"type\":\"call\"},"
               "{\"cid\":\"3\",\"o\":\"{\\\"y\\\":2}\",\"type\":\"out\"},{\"c\":\"and\",\"role\":\"u\"},"
               "{\"c\":[{\"text\":\"end\",\"type\":\"o\"}],\"role\":\"a\"}",
};

TEST(each_place_in_each_other) {
  for (unsigned from = 0; from < FORMS; from++) {
    for (unsigned to = 0; to < FORMS; to++) {
      struct buf list = {0};
      buf_fill(&list, "[%s]", same[from]);
      buf_byte(&list, '\0');
      if (!slice_eq(carried(from, to, 0, list.ptr), slice_text(same[to]))) fprintf(stderr, "%u to %u\n", from, to);
      CHECK_SLICE(carried(from, to, 0, list.ptr), same[to]);
      buf_done(&list);
    }
  }
}

#define USER "{\"role\":\"u\",\"c\":\"q\"},"
#define CALL(args) "{\"role\":\"a\",\"calls\":[{\"id\":\"1\",\"fn\":{\"name\":\"f\",\"args\":" args "}}]}"
#define RESULT(said) "{\"role\":\"r\",\"of\":\"1\",\"c\":" said "}"

static struct slice arguments_to(unsigned to, const char *list) {
  return carried(BESIDE, to, 0, list);
}

TEST(arguments_as_they_are) {
  CHECK_SLICE(arguments_to(LISTED, "[" CALL("\" {\\\"\\u0061\\\": 1.50} \"") "]"),
              "{\"args\":\" {\\\"a\\\": 1.50} \",\"cid\":\"1\",\"name\":\"f\",\"type\":\"call\"}");
  CHECK_SLICE(arguments_to(TYPED, "[" CALL("\" {\\\"\\u0061\\\": 1.50} \"") "]"),
              "{\"c\":[{\"id\":\"1\",\"in\": {\"a\": 1.50} ,\"name\":\"f\",\"type\":\"use\"}],\"role\":\"a\"}");
  CHECK_SLICE(arguments_to(TYPED, "[" CALL("\"\"") "]"),
              "{\"c\":[{\"id\":\"1\",\"in\":{},\"name\":\"f\",\"type\":\"use\"}],\"role\":\"a\"}");
  CHECK_SLICE(arguments_to(TYPED, "[" CALL("null") "]"),
              "{\"c\":[{\"id\":\"1\",\"in\":{},\"name\":\"f\",\"type\":\"use\"}],\"role\":\"a\"}");
  CHECK_SLICE(arguments_to(LISTED, "[" CALL("\"no JSON\"") "]"),
              "{\"args\":\"no JSON\",\"cid\":\"1\",\"name\":\"f\",\"type\":\"call\"}");
  CHECK_SLICE(arguments_to(TYPED, "[" CALL("\"no JSON\"") "]"), "no place");
  CHECK_SLICE(arguments_to(TYPED, "[" CALL("\"{\\\"a\\\":\"") "]"), "no place");
  CHECK_SLICE(arguments_to(TYPED, "[" CALL("\"[1]\"") "]"), "no place");
  CHECK_SLICE(arguments_to(TYPED, "[" CALL("{}") "]"), "unread");
}

/* Only what is JSON as a whole is written as JSON. */
TEST(results_as_objects) {
  static const struct {
    const char *said, *written;
  } rows[] = {
      {"\"x\"", "{\"output\":\"x\"}"},
      {"\" {\\\"a\\\":[1]}\\n\"", " {\"a\":[1]}\n"},
      {"\"\\u007b}\"", "{}"},
      {"\"[1, 2]\"", "{\"output\":[1, 2]}"},
      {"\"{a}\"", "{\"output\":\"{a}\"}"},
      {"\"[1\"", "{\"output\":\"[1\"}"},
      {"\"7\"", "{\"output\":\"7\"}"},
      {"\"\\\"s\\\"\"", "{\"output\":\"\\\"s\\\"\"}"},
      {"\"\\f{}\"", "{\"output\":\"\\f{}\"}"},
      {"\"\\n\\t\"", "{\"output\":\"\\n\\t\"}"},
      {"null", "{\"output\":\"\"}"},
      {"[{\"type\":\"t\",\"text\":\"x\"}]", "{\"output\":\"x\"}"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct buf list = {0}, expected = {0};
    buf_fill(&list, "[" RESULT("%s") "]", rows[i].said);
    buf_byte(&list, '\0');
    buf_fill(&expected, "{\"c\":[{\"res\":{\"id\":\"1\",\"name\":\"N\",\"r\":%s}}],\"role\":\"u\"}", rows[i].written);
    buf_byte(&expected, '\0');
    CHECK_SLICE(carried(BESIDE, KEYED, 0, list.ptr), expected.ptr);
    buf_done(&list);
    buf_done(&expected);
  }
}

#define OBJECT_RESULT(r) "[{\"role\":\"u\",\"c\":[{\"res\":{\"id\":\"1\",\"name\":\"f\",\"r\":" r "}}]}]"
#define OUTPUT(o) "{\"cid\":\"1\",\"o\":" o ",\"type\":\"out\"}"

TEST(results_out_of_objects) {
  static const struct {
    const char *list, *written;
  } rows[] = {
      {OBJECT_RESULT("{\"output\":\"x\"}"), OUTPUT("\"x\"")},
      {OBJECT_RESULT("{\"other\":\"x\"}"), OUTPUT("\"{\\\"other\\\":\\\"x\\\"}\"")},
      {OBJECT_RESULT("{\"output\":\"x\", \"code\":0}"), OUTPUT("\"{\\\"output\\\":\\\"x\\\", \\\"code\\\":0}\"")},
      {OBJECT_RESULT("{}"), OUTPUT("\"{}\"")},
      {OBJECT_RESULT("null"), OUTPUT("\"\"")},
      {OBJECT_RESULT("{\"error\":\"x\"}"), OUTPUT("\"Error: x\"")},
      {OBJECT_RESULT("{\"output\":1}"), "unread"},
      {OBJECT_RESULT("{\"output\":\"x\",\"output\":\"y\"}"), "unread"},
      {OBJECT_RESULT("{\"output\":\"x\",\"o\\u0075tput\":\"y\"}"), "unread"},
      {OBJECT_RESULT("{\"o\\u0075tput\":\"x\"}"), "unread"},
      {OBJECT_RESULT("{\"error\":{}}"), "unread"},
      {OBJECT_RESULT("[1]"), "unread"},
      {OBJECT_RESULT("\"x\""), "unread"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    CHECK_SLICE(carried(KEYED, LISTED, 0, rows[i].list), rows[i].written);
}

#define BLOCK_RESULT(c) "[{\"role\":\"u\",\"c\":[{\"res\":{\"of\":\"1\"," c "}}]}]"

TEST(results_out_of_blocks) {
  static const struct {
    const char *list, *written;
  } rows[] = {
      {BLOCK_RESULT("\"c\":[{\"json\":{\"a\": 1}}]"), OUTPUT("\"{\\\"a\\\": 1}\"")},
      {BLOCK_RESULT("\"c\":[{\"json\":[1],\"text\":null}],\"status\":\"good\""), OUTPUT("\"[1]\"")},
      {BLOCK_RESULT("\"c\":[],\"status\":null"), OUTPUT("\"\"")},
      {BLOCK_RESULT("\"c\":[{\"text\":\"x\"}],\"status\":\"bad\""), OUTPUT("\"Error: x\"")},
      {BLOCK_RESULT("\"c\":[{\"json\":{\"a\":1}}],\"status\":\"bad\""), OUTPUT("\"Error: {\\\"a\\\":1}\"")},
      {BLOCK_RESULT("\"c\":[{\"text\":\"eRRor\"}],\"status\":\"bad\""), OUTPUT("\"eRRor\"")},
      {BLOCK_RESULT("\"c\":[{\"text\":\"\\u0065rror\"}],\"status\":\"bad\""), "no place"},
      {BLOCK_RESULT("\"c\":[{\"json\":7}]"), "unread"},
      {BLOCK_RESULT("\"c\":[{\"json\":{},\"text\":\"x\"}]"), "unread"},
      {BLOCK_RESULT("\"c\":[{\"text\":\"x\",\"more\":[]}]"), "unread"},
      {BLOCK_RESULT("\"c\":[{\"text\":\"x\"},{\"text\":\"y\"}]"), "unread"},
      {BLOCK_RESULT("\"c\":\"x\""), "unread"},
      {BLOCK_RESULT("\"c\":[],\"status\":\"odd\""), "unread"},
      {BLOCK_RESULT("\"c\":[],\"type\":\"x\""), "unread"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    CHECK_SLICE(carried(BLOCKS, LISTED, 0, rows[i].list), rows[i].written);
}

TEST(an_error_where_there_is_a_place_for_it) {
  static const char list[] = "[{\"role\":\"u\",\"c\":[{\"type\":\"res\",\"of\":\"1\",\"c\":\"x\",\"bad\":true}]}]";
  CHECK_SLICE(carried(TYPED, KEYED, 0, list),
              "{\"c\":[{\"res\":{\"id\":\"1\",\"name\":\"N\",\"r\":{\"error\":\"x\"}}}],\"role\":\"u\"}");
  CHECK_SLICE(carried(TYPED, TYPED, 0, list),
              "{\"c\":[{\"bad\":true,\"c\":\"x\",\"of\":\"1\",\"type\":\"res\"}],\"role\":\"u\"}");
  CHECK_SLICE(carried(TYPED, BESIDE, 0, list), "{\"c\":\"Error: x\",\"of\":\"1\",\"role\":\"r\"}");
}

#define PART(text) "{\"type\":\"t\",\"text\":\"" text "\"}"

TEST(texts_of_a_turn) {
  static const char list[] = "[{\"role\":\"u\",\"c\":[" PART("a") "," PART(
      "b") "]},"
           "{\"role\":\"a\",\"c\":[" PART("c") "," PART("\\u0064") "," PART("") "]},"
                                                                                "{\"role\":\"a\",\"c\":\"e\"}]";
  CHECK_SLICE(carried(TYPED, BESIDE, 0, list),
              "{\"c\":[{\"text\":\"a\",\"type\":\"t\"},{\"text\":\"b\",\"type\":\"t\"}],\"role\":\"u\"},"
              "{\"c\":\"cd\",\"role\":\"a\"},{\"c\":\"e\",\"role\":\"a\"}");
  CHECK_SLICE(carried(TYPED, BLOCKS, 0, list),
              "{\"c\":[{\"text\":\"a\"},{\"text\":\"b\"}],\"role\":\"u\"},"
              "{\"c\":[{\"text\":\"c\"},{\"text\":\"d\"},{\"text\":\"\"},{\"text\":\"e\"}],\"role\":\"a\"}");
  CHECK_SLICE(carried(LISTED, BESIDE, 0, "[{\"role\":\"a\",\"c\":\"a\"},{\"role\":\"a\",\"c\":\"b\"}]"),
              "{\"c\":\"ab\",\"role\":\"a\"}");
  CHECK_SLICE(carried(KEYED, BESIDE, 0,
                      "[{\"role\":\"a\",\"c\":[{\"text\":\"a\"}]},{\"role\":\"a\",\"c\":[{\"text\":\"b\"}]}]"),
              "unread"); /* one text of theirs, in pieces */
}

TEST(the_first_call_of_a_turn) {
  static const char list[] =
      "[{\"role\":\"a\",\"calls\":[{\"id\":\"1\",\"fn\":{\"name\":\"f\"}},{\"id\":\"2\",\"fn\":{\"name\":\"f\"}}]},"
      "{\"role\":\"a\",\"c\":\"w\",\"calls\":[{\"id\":\"3\",\"fn\":{\"name\":\"f\"}}]}]";
  CHECK_SLICE(carried(BESIDE, KEYED, 1, list),
              "{\"c\":[{\"call\":{\"args\":{},\"id\":\"1\",\"name\":\"f\"},\"first\":1},"
              "{\"call\":{\"args\":{},\"id\":\"2\",\"name\":\"f\"}},{\"text\":\"w\"},"
              "{\"call\":{\"args\":{},\"id\":\"3\",\"name\":\"f\"},\"first\":1}],\"role\":\"a\"}");
}

TEST(forms_that_are_not_whole) {
  static const char *const tables[] = {
      "return { }",
      "return { list = 'l', content = 'c', roles = { user = 'u' }, user = '%s', assistant = '%s' }",
      "return { list = 'l', content = 'c', roles = { user = 'u' }, system = 's', user = '%s', assistant = '%s' }",
      "return { list = 'l', content = 'c', roles = { user = 'u' }, system = '%x', user = '%s', assistant = '%s' }",
      "return { list = 'l', content = 'c', roles = { user = 'u' }, system = '%s%s%s%s', user = '%s', assistant = '%s' "
      "}",
      "return { list = 'l', content = 'c', roles = { user = 'u' }, system = '%', user = '%s', assistant = '%s' }",
      "return { list = 'l', content = 'c', roles = { user = 'u' }, system = '%s', user = '%s', assistant = '%s', "
      "tools = { place = 'nowhere' } }",
      "return { list = 'l', content = 'c', roles = { user = 'u' }, system = '%s', user = '%s', assistant = '%s', "
      "tools = { place = 'typed', write_call = '%v' } }",
      "return { list = 'l', content = 'c', roles = { user = 'u' }, system = '%s', user = '%s', assistant = '%s', "
      "tools = { place = 'beside', write_call = '%s', write_result = '%s' } }",
      "return { list = 'l', content = 'c', roles = { user = 'u' }, system = '%s', user = '%s', assistant = '%s', "
      "tools = { place = 'keyed', write_call = '%v', write_result = '%v' } }",
  };
  struct text_form form;
  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
    if (text_form_of(tables[i], &form)) fprintf(stderr, "%s\n", tables[i]);
    CHECK(!text_form_of(tables[i], &form));
  }
}

UNIT_MAIN()
