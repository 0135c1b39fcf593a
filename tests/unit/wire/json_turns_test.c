/* json_turns: what is a conversation of nothing but texts, what is not, and where its texts are. */
#include "wire/json_turns.h"

#include "check.h"

static const struct json_turns_shape chat = {.list = SLICE_INIT("messages"),
                                             .content = SLICE_INIT("content"),
                                             .roles = {SLICE_INIT("system"), SLICE_INIT("user"), SLICE_INIT("bot")},
                                             .types = {SLICE_INIT("text")},
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
      "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"x\"},{\"text\":\"y\"}]}]}",
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

TEST(only_these_keys) {
  static const struct slice keys[] = {SLICE_INIT("a"), SLICE_INIT("bc")};
  static const struct {
    const char *text;
    bool only;
  } rows[] = {{"{}", true},         {"{\"a\":{\"x\":1},\"bc\":[{}]}", true},
              {"{\"b\":1}", false}, {"{\"bcd\":1}", false},
              {"[]", false},        {"{\"a\":1,\"x\":2}", false},
              {"{\"a\"", false},    {"7", false},
              {"{\"a\":1", true},   {"{\"\\u0061\":1}", false}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct buf text = padded(rows[i].text);
    CHECK_INT(json_has_only(buf_view(&text), keys, 2), rows[i].only);
    buf_done(&text);
  }
}

UNIT_MAIN()
