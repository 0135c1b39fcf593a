/* json_turns: what is a conversation of nothing but texts, what is not, and where its texts are. */
#include "wire/json_turns.h"

#include "check.h"

static const struct json_turns_shape chat = {.list = SLICE_INIT("messages"),
                                             .content = SLICE_INIT("content"),
                                             .roles = {SLICE_INIT("system"), SLICE_INIT("user"), SLICE_INIT("bot")},
                                             .types = {SLICE_INIT("text")},
                                             .lists = {SLICE_INIT("b"), SLICE_INIT("x")},
                                             .may_be_text = true};
static const struct json_turns_shape parts = {.list = SLICE_INIT("contents"),
                                              .system = SLICE_INIT("sys"),
                                              .content = SLICE_INIT("parts"),
                                              .roles = {{NULL, 0}, SLICE_INIT("user"), SLICE_INIT("model")}};
static const struct json_turns_shape items = {.list = SLICE_INIT("input"),
                                              .content = SLICE_INIT("content"),
                                              .kind = SLICE_INIT("message"),
                                              .roles = {{NULL, 0}, SLICE_INIT("user"), SLICE_INIT("bot")},
                                              .types = {SLICE_INIT("in"), SLICE_INIT("out")},
                                              .ignored = {SLICE_INIT("id")},
                                              .lists = {SLICE_INIT("x")},
                                              .may_be_text = true,
                                              .list_may_be_text = true};

/* "LIST|SYSTEM|role:text role:text", or "no". */
static struct slice read_by(const struct json_turns_shape *shape, const char *text) {
  static struct buf told;
  static const char letters[] = "sub";
  struct buf body = padded(text);
  struct json_turns turns = {0};
  told.len = 0;
  if (!json_turns_read(buf_view(&body), shape, &turns)) {
    buf_text(&told, "no");
  } else {
    buf_slice(&told, turns.list);
    buf_byte(&told, '|');
    buf_slice(&told, turns.system);
    buf_byte(&told, '|');
    for (size_t i = 0; i < turns.count; i++) {
      if (i > 0) buf_byte(&told, ' ');
      buf_byte(&told, letters[turns.turns[i].role]);
      buf_byte(&told, ':');
      buf_slice(&told, turns.turns[i].text);
    }
  }
  json_turns_done(&turns);
  buf_done(&body);
  return buf_view(&told);
}

TEST(turns_are_found_where_they_stand) {
  CHECK_SLICE(read_by(&chat, "{\"a\":[{}],\"messages\": [{\"role\":\"user\",\"content\":\"x\\ny\"}] , \"z\":1}"),
              "[{\"role\":\"user\",\"content\":\"x\\ny\"}]||u:\"x\\ny\"");
  CHECK_SLICE(read_by(&chat, "{\"messages\":[{\"content\" : \"a\" , \"role\":\"system\"},{\"role\":\"bot\",\"content\":"
                             "[ {\"text\":\"b\",\"type\":\"text\"} ]}]}"),
              "[{\"content\" : \"a\" , \"role\":\"system\"},{\"role\":\"bot\",\"content\":"
              "[ {\"text\":\"b\",\"type\":\"text\"} ]}]||s:\"a\" b:\"b\"");
  CHECK_SLICE(read_by(&parts, "{\"sys\":{\"parts\":[{\"text\":\"s\"}]},\"contents\":[{\"role\":\"model\",\"parts\":"
                              "[{\"text\":\"m\"}]}]}"),
              "[{\"role\":\"model\",\"parts\":[{\"text\":\"m\"}]}]|{\"parts\":[{\"text\":\"s\"}]}|b:\"m\"");
  CHECK_SLICE(read_by(&items, "{\"input\":\"only\"}"), "\"only\"||u:\"only\"");
  CHECK_SLICE(read_by(&items, "{\"input\":[{\"type\":\"message\",\"role\":\"bot\",\"content\":[{\"type\":\"out\","
                              "\"text\":\"o\"}]}]}"),
              "[{\"type\":\"message\",\"role\":\"bot\",\"content\":[{\"type\":\"out\",\"text\":\"o\"}]}]||b:\"o\"");
}

TEST(what_says_nothing_is_passed_over) {
  CHECK_SLICE(read_by(&chat, "{\"messages\":[{\"a\":null,\"role\":\"bot\",\"b\":[ ],\"content\":\"x\",\"c\":null}]}"),
              "[{\"a\":null,\"role\":\"bot\",\"b\":[ ],\"content\":\"x\",\"c\":null}]||b:\"x\"");
  CHECK_SLICE(
      read_by(&items,
              "{\"input\":[{\"id\":\"m\",\"role\":\"bot\",\"content\":[{\"x\":[],\"type\":\"out\",\"text\":\"o\"}]}]}"),
      "[{\"id\":\"m\",\"role\":\"bot\",\"content\":[{\"x\":[],\"type\":\"out\",\"text\":\"o\"}]}]||b:\"o\"");
  CHECK_SLICE(read_by(&items, "{\"input\":[{\"id\":7,\"role\":\"bot\",\"content\":\"o\"}]}"), "no");
  CHECK_SLICE(read_by(&items, "{\"input\":[{\"name\":\"m\",\"role\":\"bot\",\"content\":\"o\"}]}"), "no");
  CHECK_SLICE(read_by(&chat, "{\"messages\":[{\"role\":null,\"content\":\"x\"}]}"), "no");
  CHECK_SLICE(read_by(&chat, "{\"messages\":[{\"role\":\"bot\",\"content\":\"x\",\"content\":null}]}"), "no");
  CHECK_SLICE(read_by(&chat, "{\"messages\":[{\"role\":\"bot\",\"content\":\"x\",\"type\":null}]}"), "no");
  CHECK_SLICE(read_by(&chat, "{\"messages\":[{\"role\":\"bot\",\"content\":\"x\",\"a\":[]}]}"), "no");
  CHECK_SLICE(read_by(&chat, "{\"messages\":[{\"role\":\"bot\",\"content\":\"x\",\"rol\\u0065\":null}]}"), "no");
}

TEST(anything_else_is_not_for_it) {
  static const char *const others[] = {
      "",
      "[]",
      "{",
      "{}",
      "7",
      "{\"messages\":[]}",
      "{\"messages\":\"x\"}",
      "{\"messages\":{}}",
      "{\"messages\":[1]}",
      "{\"messages\":[{}]}",
      "{\"messages\":[{\"role\":\"user\"}]}",
      "{\"messages\":[{\"content\":\"x\"}]}",
      "{\"messages\":[{\"role\":\"tool\",\"content\":\"x\"}]}",
      "{\"messages\":[{\"role\":7,\"content\":\"x\"}]}",
      "{\"messages\":[{\"role\":\"us\\u0065r\",\"content\":\"x\"}]}",
      "{\"messages\":[{\"rol\\u0065\":\"user\",\"content\":\"x\"}]}",
      "{\"messages\":[{\"role\":\"user\",\"content\":null}]}",
      "{\"messages\":[{\"role\":\"user\",\"content\":[]}]}",
      "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"x\"}]}]}",
      "{\"messages\":[{\"role\":\"user\",\"content\":\"x\",\"calls\":[{}]}]}",
      "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"text\":\"x\"}]}]}",
      "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\"}]}]}",
      "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"x\",\"more\":{}}]}]}",
      "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"x\",\"text\":\"y\"}]}]}",
      "{\"messages\":[{\"role\":\"user\",\"content\":{\"content\":\"x\"}}]}",
      "{\"messages\":[{\"role\":\"user\",\"content\":\"x\",\"name\":\"n\"}]}",
      "{\"messages\":[{\"role\":\"user\",\"role\":\"bot\",\"content\":\"x\"}]}",
      "{\"messages\":[{\"role\":\"user\",\"content\":\"x\",\"content\":\"y\"}]}",
      "{\"messages\":[{\"type\":\"message\",\"role\":\"user\",\"content\":\"x\"}]}",
      "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"messages\":[{\"role\":\"user\",\"content\":\"y\"}]}",
      "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}",
      "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]",
      "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],",
      "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"},]}",
  };
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    if (!slice_eq(read_by(&chat, others[i]), SLICE("no"))) fprintf(stderr, "%s\n", others[i]);
    CHECK_SLICE(read_by(&chat, others[i]), "no");
  }
  CHECK_SLICE(read_by(&parts, "{\"contents\":[{\"role\":\"user\",\"parts\":\"x\"}]}"), "no");
  CHECK_SLICE(read_by(&parts, "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"x\",\"type\":\"text\"}]}]}"),
              "no");
  CHECK_SLICE(read_by(&parts, "{\"sys\":null,\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"x\"}]}]}"), "no");
  CHECK_SLICE(
      read_by(&parts, "{\"sys\":{\"parts\":[]},\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"x\"}]}]}"),
      "no");
}

static const struct json_turns_shape agent = {
    .list = SLICE_INIT("l"),
    .content = SLICE_INIT("c"),
    .roles = {{NULL, 0}, SLICE_INIT("u"), SLICE_INIT("a")},
    .types = {SLICE_INIT("t")},
    .may_be_text = true,
    .tools = {.place = JSON_TOOLS_BESIDE,
              .call = SLICE_INIT("calls"),
              .call_type = SLICE_INIT("f"),
              .inside = SLICE_INIT("fn"),
              .call_id = SLICE_INIT("id"),
              .name = SLICE_INIT("name"),
              .arguments = SLICE_INIT("args"),
              .arguments_are_text = true,
              .result = SLICE_INIT("r"),
              .result_id = SLICE_INIT("of"),
              .output = SLICE_INIT("c"),
              .result_name = SLICE_INIT("name")},
};

/* Each thing that is said: "/" where a turn begins, its role, its kind, its text, "#" and its id, its name. */
static struct slice said_by(const struct json_turns_shape *shape, const char *list) {
  static struct buf told;
  static const char roles[] = "sua", kinds[] = "tcr";
  struct buf body = {0};
  struct json_turns turns = {0};
  told.len = 0;
  buf_text(&body, "{\"l\":[");
  buf_text(&body, list);
  buf_text(&body, "]}");
  bool fits = json_turns_read(buf_view(&body), shape, &turns);
  if (!fits) buf_text(&told, "no");
  for (size_t i = 0; fits && i < turns.count; i++) {
    const struct json_turn *t = &turns.turns[i];
    buf_byte(&told, t->begins ? '/' : ' ');
    buf_byte(&told, roles[t->role]);
    buf_byte(&told, kinds[t->kind]);
    buf_slice(&told, t->text);
    if (t->kind == JSON_TURN_TEXT) continue;
    buf_byte(&told, '#');
    buf_slice(&told, t->id);
    buf_byte(&told, ':');
    buf_slice(&told, t->name);
  }
  json_turns_done(&turns);
  buf_done(&body);
  return buf_view(&told);
}

#define CALL "{\"id\":\"1\",\"type\":\"f\",\"fn\":{\"name\":\"n\",\"args\":\"{}\"}}"

TEST(calls_and_results_beside_texts) {
  CHECK_SLICE(said_by(&agent,
                      "{\"role\":\"a\",\"c\":\"x\",\"calls\":[" CALL "," CALL "]},"
                      "{\"role\":\"r\",\"of\":\"1\",\"c\":\"y\"},{\"role\":\"r\",\"of\":\"2\",\"name\":\"any\"},"
                      "{\"role\":\"u\",\"c\":[{\"type\":\"t\",\"text\":\"z\"},{\"type\":\"t\",\"text\":\"w\"}]}"),
              "/at\"x\" ac\"{}\"#1:n ac\"{}\"#1:n/ur\"y\"#1: ur\"\"#2:/ut\"z\" ut\"w\"");
  CHECK_SLICE(said_by(&agent, "{\"role\":\"a\",\"c\":\"\",\"calls\":[" CALL "]}"), "/ac\"{}\"#1:n");
  CHECK_SLICE(said_by(&agent, "{\"role\":\"a\",\"calls\":[" CALL "]}"), "/ac\"{}\"#1:n");
  CHECK_SLICE(said_by(&agent, "{\"role\":\"a\",\"c\":\"x\",\"calls\":[]}"), "/at\"x\"");
}

TEST(calls_and_results_that_are_not_for_it) {
  static const char *const others[] = {
      "{\"role\":\"u\",\"c\":\"x\",\"calls\":[" CALL "]}",
      "{\"role\":\"r\",\"of\":\"1\",\"c\":\"x\",\"calls\":[" CALL "]}",
      "{\"role\":\"a\",\"c\":12,\"calls\":[" CALL "]}",
      "{\"role\":\"a\",\"c\":\"x\",\"calls\":" CALL "}",
      "{\"role\":\"a\",\"c\":\"x\",\"calls\":[7]}",
      "{\"role\":\"a\",\"c\":\"x\",\"of\":\"1\"}",
      "{\"role\":\"a\",\"c\":\"x\",\"name\":\"n\"}",
      "{\"role\":\"a\",\"calls\":null}",
      "{\"role\":\"r\",\"c\":\"x\"}",
      "{\"role\":\"r\",\"of\":\"\",\"c\":\"x\"}",
      "{\"role\":\"r\",\"of\":\"a.b\",\"c\":\"x\"}",
      "{\"role\":\"r\",\"of\":\"\\u0061\",\"c\":\"x\"}",
      "{\"role\":\"r\",\"of\":7,\"c\":\"x\"}",
      "{\"role\":\"r\",\"of\":\"1\",\"c\":7}",
      "{\"role\":\"r\",\"of\":\"1\",\"c\":\"x\",\"name\":7}",
      "{\"role\":\"r\",\"of\":\"1\",\"c\":\"x\",\"more\":1}",
      "{\"role\":\"r\",\"of\":\"1234567890123456789012345678901234567890123456789012345678901234x\",\"c\":\"x\"}",
      "{\"role\":\"a\",\"calls\":[{\"type\":\"f\",\"fn\":{\"name\":\"n\"}}]}",
      "{\"role\":\"a\",\"calls\":[{\"id\":\"1\",\"type\":\"g\",\"fn\":{\"name\":\"n\"}}]}",
      "{\"role\":\"a\",\"calls\":[{\"id\":\"1\",\"fn\":{}}]}",
      "{\"role\":\"a\",\"calls\":[{\"id\":\"1\",\"fn\":7}]}",
      "{\"role\":\"a\",\"calls\":[{\"id\":\"1\"}]}",
      "{\"role\":\"a\",\"calls\":[{\"id\":\"1\",\"fn\":{\"name\":\"n\",\"args\":{}}}]}",
      "{\"role\":\"a\",\"calls\":[{\"id\":\"1\",\"fn\":{\"name\":\"n\",\"more\":1}}]}",
      "{\"role\":\"a\",\"calls\":[{\"id\":\"1\",\"fn\":{\"name\":\"n\"},\"more\":\"\"}]}",
  };
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    if (!slice_eq(said_by(&agent, others[i]), SLICE("no"))) fprintf(stderr, "%s\n", others[i]);
    CHECK_SLICE(said_by(&agent, others[i]), "no");
  }
}

TEST(no_more_turns_than_the_most) {
  struct buf body = {0};
  struct json_turns turns = {0};
  buf_text(&body, "{\"messages\":[");
  for (int i = 0; i < JSON_TURNS_MAX; i++) {
    buf_text(&body, i ? ",{\"role\":\"user\",\"content\":\"x\"}" : "{\"role\":\"user\",\"content\":\"x\"}");
  }
  size_t len = body.len;
  buf_text(&body, "]}");
  CHECK(json_turns_read(buf_view(&body), &chat, &turns));
  CHECK_INT(turns.count, JSON_TURNS_MAX);
  body.len = len;
  buf_text(&body, ",{\"role\":\"user\",\"content\":\"x\"}]}");
  CHECK(!json_turns_read(buf_view(&body), &chat, &turns));
  json_turns_done(&turns);
  buf_done(&body);
}

static struct slice content_text(const struct json_turns_shape *shape, const char *text) {
  static struct buf told;
  struct buf content = padded(text);
  struct slice found = {NULL, 0};
  told.len = 0;
  if (json_turns_text(buf_view(&content), shape, &found)) buf_slice(&told, found);
  else buf_text(&told, "no");
  buf_done(&content);
  return buf_view(&told);
}

TEST(a_content_alone) {
  CHECK_SLICE(content_text(&chat, "\"x\""), "\"x\"");
  CHECK_SLICE(content_text(&parts, "\"x\""), "no");
  CHECK_SLICE(content_text(&parts, "[{\"text\":\"x\"}]"), "\"x\"");
  CHECK_SLICE(content_text(&parts, "[{\"a\":[],\"text\":\"x\",\"b\":null}]"), "\"x\"");
  CHECK_SLICE(content_text(&parts, "[{\"text\":\"x\",\"a\":[1]}]"), "no");
  CHECK_SLICE(content_text(&parts, "[{\"text\":\"x\",\"a\":{}}]"), "no");
  CHECK_SLICE(content_text(&parts, "[{\"text\":null,\"a\":[]}]"), "no");
  CHECK_SLICE(content_text(&parts, "null"), "no");
  CHECK_SLICE(content_text(&parts, ""), "no");
}

UNIT_MAIN()
