/* text_request, text_form, text_frames: a body taken apart, its frame learnt and put together again; what keeps frames
 * apart; and in the gate: that a frame is learnt once, and which ones are not fit. */
#include "script/translation/text_request.h"

#include "stage.h"
#include "text_forms.h"

#define CHAT_FORM                                                                                                      \
  "list = 'messages', content = 'content', roles = { system = 'system', user = 'user', assistant = 'assistant' }, "    \
  "types = { 'text' }, may_be_text = true, system = '{\"content\":%s,\"role\":\"system\"}', "                          \
  "user = '{\"content\":%s,\"role\":\"user\"}', assistant = '{\"content\":%s,\"role\":\"assistant\"}'"
#define PARTS_FORM                                                                                                     \
  "list = 'turns', content = 'p', roles = { user = 'U', assistant = 'A' }, system_key = 'sys', system = '[%s]', "      \
  "user = 'u(%s)', assistant = 'a(%s)', user_parts = 'uu(%s)', assistant_parts = 'aa(%s)', part = '<%s>', joins = "    \
  "true"

static struct text_form chat, parts;

static void read_form(const char *text, struct text_form *form) {
  must(text_form_of(text, form));
}

static void read_forms(void) {
  if (chat.is_there) return;
  read_form("return { " CHAT_FORM " }", &chat);
  read_form("return { " PARTS_FORM " }", &parts);
}

/* Everything of one request, in the order in which translation does it. `made` is what Lua would make of the sample. */
struct one {
  struct buf body, sample, out;
  struct text_ask ask;
  struct text_split split;
};

static bool split(struct one *o, const char *body) {
  read_forms();
  *o = (struct one){.body = padded(body)};
  o->ask = (struct text_ask){.from = &chat,
                             .to = &parts,
                             .body = buf_view(&o->body),
                             .model = SLICE("m"),
                             .target_model = SLICE("t"),
                             .to_dialect = 1};
  return text_request_split(&o->split, &o->ask);
}

static void done(struct one *o) {
  text_split_done(&o->split);
  buf_done(&o->body);
  buf_done(&o->sample);
  buf_done(&o->out);
}

static bool learn_and_write(struct one *o, const char *made) {
  struct buf text = padded(made), store = {0};
  struct text_frame frame = {.asked = LUA_NOREF};
  o->sample.len = 0;
  text_request_sample(&o->split, &o->sample);
  bool fit = text_request_learn(&o->split, buf_view(&o->sample), buf_view(&text), &frame, &store);
  if (fit) fit = text_request_write(&o->split, &frame, &o->out);
  buf_done(&text);
  buf_done(&store);
  return fit;
}

#define TURN(role, text) "{\"role\":\"" role "\",\"content\":\"" text "\"}"

TEST(a_body_is_taken_apart_and_put_together) {
  struct one o;
  CHECK(split(&o, "{\"a\":1,\"messages\":[" TURN("system", "s") "," TURN("user", "x\\u0041") "," TURN(
                      "assistant", "y") "," TURN("user", "z") "],\"b\":2}"));
  text_request_sample(&o.split, &o.sample);
  CHECK_SLICE(
      buf_view(&o.sample),
      "{\"a\":1,\"messages\":[{\"content\":\"moons.\",\"role\":\"system\"},{\"content\":\"moon00\",\"role\":\"user\"},"
      "{\"content\":\"moon01\",\"role\":\"assistant\"},{\"content\":\"moon02\",\"role\":\"user\"}],\"b\":2}");
  CHECK(learn_and_write(&o, "{\"k\":7,\"sys\":[\"moons.\"],\"turns\":[u(\"moon00\"),a(\"moon01\"),u(\"moon02\")]}") ==
        false); /* what a form writes must be JSON */
  done(&o);
}

TEST(both_places_in_both_orders) {
  static const char *const forms[] = {
      "return { list = 'l', content = 'c', roles = { user = 'u', assistant = 'a' }, system_key = 's', "
      "system = '[%s]', user = '{\"u\":%s}', assistant = '{\"a\":%s}', user_parts = '{\"us\":[%s]}', "
      "assistant_parts = '{\"as\":[%s]}', part = '[%s]', joins = true }"};
  static const struct {
    const char *made, *expected;
  } rows[] = {
      {"{\"s\":[\"moons.\"],\"x\":1,\"l\":[{\"us\":[[\"moon00\"],[\"moon01\"]]},{\"a\":\"moon02\"},"
       "{\"u\":\"moon03\"}],\"y\":2}",
       "{\"s\":[\"S\"],\"x\":1,\"l\":[{\"us\":[[\"A\"],[\"B\"]]},{\"a\":\"C\"},{\"u\":\"D\"}],\"y\":2}"},
      {"{\"l\":[{\"us\":[[\"moon00\"],[\"moon01\"]]},{\"a\":\"moon02\"},{\"u\":\"moon03\"}],"
       "\"s\":[\"moons.\"]}",
       "{\"l\":[{\"us\":[[\"A\"],[\"B\"]]},{\"a\":\"C\"},{\"u\":\"D\"}],\"s\":[\"S\"]}"},
      {"{\"l\":[{\"first\":0},{\"us\":[[\"moon00\"],[\"moon01\"]]},{\"a\":\"moon02\"},{\"u\":\"moon03\"}],"
       "\"s\":[\"moons.\"]}",
       "{\"l\":[{\"first\":0},{\"us\":[[\"A\"],[\"B\"]]},{\"a\":\"C\"},{\"u\":\"D\"}],\"s\":[\"S\"]}"},
      {"{\"l\":[{\"us\":[[\"moon00\"],[\"moon01\"]]},{\"a\":\"moon02\"},{\"u\":\"moon03\"},{\"last\":0}],"
       "\"s\":[\"moons.\"]}",
       NULL},
      {"{\"l\":[{\"us\":[[\"moon00\"],[\"moon01\"]]},{\"a\":\"moon02\"},{\"u\":\"moon03\"}],"
       "\"s\":[\"moons.\",\"more\"]}",
       NULL},
      {"{\"l\":[{\"us\":[[\"moon00\"],[\"moon01\"]]},{\"a\":\"moon02\"},{\"u\":\"moon03\"}]}", NULL},
      {"{\"l\":[{\"us\":[[\"moon01\"],[\"moon00\"]]},{\"a\":\"moon02\"},{\"u\":\"moon03\"}],"
       "\"s\":[\"moons.\"]}",
       NULL},
      {"{\"s\":[\"moons.\"]}", NULL},
      {"{\"l\":\"moon00\",\"s\":[\"moons.\"]}", NULL},
      {"not JSON", NULL},
  };
  struct text_form to;
  read_form(forms[0], &to);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct one o;
    CHECK(split(&o, "{\"messages\":[" TURN("system", "S") "," TURN("user", "A") "," TURN("user", "B") "," TURN(
                        "assistant", "C") "," TURN("user", "D") "]}"));
    o.ask.to = &to;
    CHECK_INT(learn_and_write(&o, rows[i].made), rows[i].expected != NULL);
    if (rows[i].expected != NULL) CHECK_SLICE(buf_view(&o.out), rows[i].expected);
    done(&o);
  }
}

TEST(what_only_lua_may_judge) {
  static const char *const others[] = {
      "{\"messages\":[" TURN("assistant", "x") "]}",
      "{\"messages\":[" TURN("system", "x") "]}",
      "{\"messages\":[" TURN("system", "x") "," TURN("system", "y") "," TURN("user", "z") "]}",
      "{\"messages\":[" TURN("user", "x") "," TURN("system", "y") "]}",
      "{\"messages\":[" TURN("user", "") "]}",
      "{\"messages\":[" TURN("user", " \\n\\t\\r\\f ") "]}",
      "{\"messages\":[" TURN("user", " \\u0020\\u000a\\u000D") "]}",
      "{\"messages\":[" TURN("system", "\\u0078-a") "," TURN("user", "x") "]}",
      "{\"messages\":[" TURN("system", "x\\u002da") "," TURN("user", "x") "]}",
      "{\"messages\":[" TURN("system", " ") "," TURN("user", "x") "]}",
      "{\"messages\":[" TURN("system", "x-a") "," TURN("user", "x") "]}",
      "{\"a\":1}",
  };
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    struct one o;
    bool was_split = split(&o, others[i]);
    if (was_split) fprintf(stderr, "%s\n", others[i]);
    CHECK(!was_split);
    done(&o);
  }
}

/* ---- calls and results ---- */

static bool split_between(struct one *o, const char *from, const char *to, const char *list) {
  static struct text_form forms[2];
  must(text_form_of(from, &forms[0]) && text_form_of(to, &forms[1]));
  *o = (struct one){.body = {0}};
  buf_text(&o->body, "{\"l\":[");
  buf_text(&o->body, list);
  buf_text(&o->body, "]}");
  o->ask = (struct text_ask){.from = &forms[0], .to = &forms[1], .body = buf_view(&o->body), .to_dialect = 1};
  return text_request_split(&o->split, &o->ask);
}

#define SAID(role, text) "{\"role\":\"" role "\",\"c\":\"" text "\"}"
#define CALL(id, name) "{\"id\":\"" id "\",\"fn\":{\"name\":\"" name "\"}}"
#define CALLS(calls) "{\"role\":\"a\",\"calls\":[" calls "]}"
#define RESULT(id, text) "{\"role\":\"r\",\"of\":\"" id "\",\"c\":\"" text "\"}"
#define LONG_WORD "moon_moon-moon_moon-moon_moon-moon_moon-moon_moon-moon_moon-1234"
#define ID_40 "moon_moon-moon_moon-moon_moon-moon_moon-"

/* The sample has a call beside a text and one alone, two at once, an empty result, the longest id and name. */
TEST(a_sample_of_an_agent) {
  struct one o;
  CHECK(split_between(&o, BESIDE_FORM, KEYED_FORM, SAID("u", "q") "," CALLS(CALL("1", "f")) "," RESULT("1", "x")));
  text_request_sample(&o.split, &o.sample);
  CHECK_SLICE(
      buf_view(&o.sample),
      "{\"l\":[{\"c\":\"moon00\",\"role\":\"u\"},{\"c\":\"moon01\",\"calls\":[{\"fn\":{\"args\":"
      "\"{\\\"moon\\\":1}\",\"name\":\"" LONG_WORD "\"},\"id\":\"" ID_40 "\",\"type\":\"f\"},{\"fn\":{\"args\":"
      "\"{\\\"moon\\\":1}\",\"name\":\"moon\"},\"id\":\"moon_m\",\"type\":\"f\"}],\"role\":\"a\"},"
      "{\"c\":\"moon02\",\"of\":\"" ID_40 "\",\"role\":\"r\"},{\"c\":\"\",\"of\":\"moon_m\",\"role\":\"r\"},"
      "{\"calls\":[{\"fn\":{\"args\":\"{\\\"moon\\\":1}\",\"name\":\"moon\"},\"id\":\"moon_mo\",\"type\":\"f\"}],"
      "\"role\":\"a\"},{\"c\":\"moon03\",\"of\":\"moon_mo\",\"role\":\"r\"},"
      "{\"c\":\"moon04\",\"role\":\"a\"},{\"c\":\"moon05\",\"role\":\"u\"}]}");
  done(&o);
}

#define ARGS(id, name) "{\"call\":{\"args\":{\"moon\":1},\"id\":\"" id "\",\"name\":\"" name "\"}}"
#define FIRST(id, name) "{\"call\":{\"args\":{\"moon\":1},\"id\":\"" id "\",\"name\":\"" name "\"},\"first\":1}"
#define OUT(id, name, text) "{\"res\":{\"id\":\"" id "\",\"name\":\"" name "\",\"r\":{\"output\":\"" text "\"}}}"
#define MADE(one, other)                                                                                               \
  "{\"l\":[{\"c\":[{\"text\":\"moon00\"}],\"role\":\"u\"},{\"c\":[{\"text\":\"moon01\"}," one                          \
  "," ARGS("moon_m", "moon") "],\"role\":\"a\"},{\"c\":[" OUT(ID_40, LONG_WORD, "moon02") "," OUT(                     \
      "moon_m", "moon", "") "],"                                                                                       \
                            "\"role\":\"u\"},{\"c\":[" other "],\"role\":\"a\"},{\"c\":[" OUT(                         \
                                "moon_mo", "moon",                                                                     \
                                "moon03") "],\"role\":\"u\"},{\"c\":[{\"text\":\"moon04\"}],"                          \
                                          "\"role\":\"a\"},{\"c\":[{\"text\":\"moon05\"}],\"role\":\"u\"}]}"

/* Results follow the order of their calls, and have their names; of an id that comes twice the later call is meant. */
TEST(the_way_is_seen_in_the_sample) {
  static const struct {
    const char *made, *after;
  } rows[] = {
      {MADE(ARGS(ID_40, LONG_WORD), ARGS("moon_mo", "moon")), ""},
      {MADE(FIRST(ID_40, LONG_WORD), FIRST("moon_mo", "moon")), ",\"first\":1"},
      {MADE(FIRST(ID_40, LONG_WORD), ARGS("moon_mo", "moon")), NULL},
      {MADE(ARGS("short", LONG_WORD), ARGS("moon_mo", "moon")), NULL},
      {MADE(ARGS(ID_40, "short"), ARGS("moon_mo", "moon")), NULL},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct one o;
    struct buf expected = {0};
    CHECK(split_between(&o, BESIDE_FORM, KEYED_FORM,
                        SAID("u", "q") "," CALLS(CALL("1", "f")) "," RESULT("1", "a") "," CALLS(
                            CALL("1", "g") "," CALL("2", "h")) "," RESULT("2", "c") "," RESULT("1", "b")));
    CHECK_INT(learn_and_write(&o, rows[i].made), rows[i].after != NULL);
    if (rows[i].after != NULL) {
      buf_fill(&expected,
               "{\"l\":[{\"c\":[{\"text\":\"q\"}],\"role\":\"u\"},"
               "{\"c\":[{\"call\":{\"args\":{},\"id\":\"1\",\"name\":\"f\"}%s}],\"role\":\"a\"},"
               "{\"c\":[" OUT("1", "f", "a") "],\"role\":\"u\"},"
                                             "{\"c\":[{\"call\":{\"args\":{},\"id\":\"1\",\"name\":\"g\"}%s},"
                                             "{\"call\":{\"args\":{},\"id\":\"2\",\"name\":\"h\"}}],\"role\":\"a\"},"
                                             "{\"c\":[" OUT("1", "g", "b") "," OUT("2", "h", "c") "],\"role\":\"u\"}]}",
               rows[i].after, rows[i].after);
      buf_byte(&expected, '\0');
      CHECK_SLICE(buf_view(&o.out), expected.ptr);
    }
    buf_done(&expected);
    done(&o);
  }
}

TEST(what_only_lua_may_judge_of_an_agent) {
  static const char *const others[] = {
      CALLS(CALL("1", "f")) "," RESULT("1", "x"),
      SAID("u", "q") "," RESULT("1", "x"),
      SAID("u", "q") "," CALLS(CALL("1", "f")) "," SAID("u", "w") "," RESULT("1", "x"),
      SAID("u", "q") "," CALLS(CALL("1", "f")) "," RESULT("2", "x"),
      SAID("u", "q") "," CALLS(CALL("1", "f")) "," RESULT("1", " "),
      SAID("u", "q") "," CALLS("{\"id\":\"1\",\"fn\":{\"name\":\"f\",\"args\":\" \"}}"),
  };
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    struct one o;
    bool was_split = split_between(&o, BESIDE_FORM, KEYED_FORM, others[i]);
    if (was_split) fprintf(stderr, "%s\n", others[i]);
    CHECK(!was_split);
    done(&o);
  }
}

/* The key of a body, in `room`. */
static struct slice key_of(const char *body, bool stream, struct buf *room) {
  struct one o;
  split(&o, body);
  o.ask.stream = stream;
  must(text_request_split(&o.split, &o.ask));
  room->len = 0;
  buf_slice(room, buf_view(&o.split.key));
  done(&o);
  return buf_view(room);
}

#define SAID_USE(id, more)                                                                                             \
  "{\"role\":\"u\",\"c\":\"q\"},{\"role\":\"a\",\"c\":[{\"type\":\"use\",\"id\":\"" id "\",\"name\":\"f\"}]},"         \
  "{\"role\":\"u\",\"c\":[{\"type\":\"res\",\"of\":\"" id "\",\"c\":\"x\"" more "}]}"

TEST(a_key_is_all_but_the_texts) {
  struct buf a = {0}, b = {0};
  struct slice first = key_of("{\"messages\":[" TURN("user", "one") "],\"t\":1}", false, &a);
  CHECK(slice_eq(first, key_of("{\"messages\":[" TURN("user", "another") "],\"t\":1}", false, &b)));
  CHECK(!slice_eq(first, key_of("{\"messages\":[" TURN("user", "one") "],\"t\":2}", false, &b)));
  CHECK(!slice_eq(first, key_of("{\"messages\":[" TURN("user", "one") "],\"t\":1}", true, &b)));
  CHECK(!slice_eq(first, key_of("{\"messages\":[" TURN("user", "a") "," TURN("user", "b") "],\"t\":1}", false, &b)));
  CHECK(
      !slice_eq(first, key_of("{\"messages\":[" TURN("user", "a") "," TURN("assistant", "b") "],\"t\":1}", false, &b)));
  /* Longer ids, errors, turns of many texts: whether a provider takes them is seen in a sample of their own. */
  static const char *const agents[] = {
      "{\"role\":\"u\",\"c\":\"q\"}",
      SAID_USE("1", ""),
      SAID_USE("12345678901234567890123456789012345678901", ""),
      SAID_USE("1", ",\"bad\":true"),
      SAID_USE("1", "") ",{\"role\":\"u\",\"c\":[{\"type\":\"t\",\"text\":\"a\"},{\"type\":\"t\",\"text\":\"b\"}]}",
  };
  struct buf keys[5] = {{0}};
  for (size_t i = 0; i < 5; i++) {
    struct one o;
    CHECK(split_between(&o, TYPED_FORM, BESIDE_FORM, agents[i]));
    buf_slice(&keys[i], buf_view(&o.split.key));
    for (size_t k = 0; k < i; k++) CHECK(!slice_eq(buf_view(&keys[i]), buf_view(&keys[k])));
    done(&o);
  }
  for (size_t i = 0; i < 5; i++) buf_done(&keys[i]);
  buf_done(&a);
  buf_done(&b);
}

TEST(texts_are_written_as_the_encoder_writes_them) {
  static const struct {
    const char *raw, *expected;
  } rows[] = {
      {"\"a\\nb\"", "\"a\\nb\""},         {"\"\\u0041\\/\"", "\"A/\""}, {"\"\\ud83d\"", "\"\xef\xbf\xbd\""},
      {"\"\\\\u0041\"", "\"\\\\u0041\""}, {"\"\\\\\"", "\"\\\\\""},     {"\"\\u0001\"", "\"\\u0001\""},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct buf raw = padded(rows[i].raw), out = {0};
    text_list_put_string(&out, buf_view(&raw));
    CHECK_SLICE(buf_view(&out), rows[i].expected);
    buf_done(&raw);
    buf_done(&out);
  }
}

TEST(frames_push_each_other_out) {
  enum { MANY = 1000 };
  struct text_frames frames = {0};
  struct text_frame *held = NULL;
  unsigned found = 0;
  for (int i = 0; i < MANY; i++) {
    struct text_frame like = {.key = slice_of((const char *)&i, sizeof i),
                              .is_fit = true,
                              .asked = LUA_NOREF,
                              .made = SLICE("made"),
                              .losses = SLICE("losses")};
    CHECK(text_frames_find(&frames, like.key) == NULL);
    struct text_frame *added = text_frames_add(&frames, NULL, &like);
    CHECK(text_frames_find(&frames, like.key) == added);
    if (i > 0) continue;
    held = added;
    text_frame_hold(held);
  }
  for (int i = 0; i < MANY; i++) found += text_frames_find(&frames, slice_of((const char *)&i, sizeof i)) != NULL;
  CHECK(found > TEXT_FRAMES_BUCKETS && found <= TEXT_FRAMES_BUCKETS * TEXT_FRAMES_WAYS);
  text_frames_done(&frames, NULL);
  CHECK_SLICE(held->made, "made");
  CHECK_SLICE(held->losses, "losses");
  text_frame_drop(held, NULL);
}

TEST(frames_are_not_kept_beyond_their_bytes) {
  enum { MANY = 100 };
  struct text_frames frames = {0};
  struct buf made = {0};
  unsigned found = 0;
  while (made.len < TEXT_FRAME_MAX_BYTES) buf_text(&made, "0123456789abcdef");
  for (int i = 0; i < MANY; i++) {
    struct text_frame like = {
        .key = slice_of((const char *)&i, sizeof i), .is_fit = true, .asked = LUA_NOREF, .made = buf_view(&made)};
    CHECK(text_frames_add(&frames, NULL, &like) != NULL);
    CHECK(text_frames_find(&frames, like.key) != NULL);
    CHECK(frames.bytes <= TEXT_FRAMES_MAX_BYTES);
  }
  for (int i = 0; i < MANY; i++) found += text_frames_find(&frames, slice_of((const char *)&i, sizeof i)) != NULL;
  CHECK(found > 0 && found < TEXT_FRAMES_MAX_BYTES / TEXT_FRAME_MAX_BYTES);
  text_frames_done(&frames, NULL);
  CHECK_INT(frames.bytes, 0);
  buf_done(&made);
}

/* ---- in the gate ---- */

#define MESSAGES_ANSWER                                                                                                \
  "{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"two\",\"content\":[{\"type\":\"text\","   \
  "\"text\":\"bonjour\"}],\"stop_reason\":\"end_turn\",\"stop_sequence\":null,\"usage\":{\"input_tokens\":3,"          \
  "\"output_tokens\":2}}"

static void serve(struct mock_peer *p) {
  while (mock_request(p))
    if (!mock_answer(p, 200, "", MESSAGES_ANSWER)) return;
}

static void count_frames(const struct script *s, unsigned *fit, unsigned *unfit) {
  *fit = *unfit = 0;
  for (unsigned i = 0; i < TEXT_FRAMES_BUCKETS * TEXT_FRAMES_WAYS; i++) {
    const struct text_frame *frame = s->frames.places[i / TEXT_FRAMES_WAYS][i % TEXT_FRAMES_WAYS];
    if (frame == NULL) continue;
    CHECK_INT(frame->holders, 1); /* no attempt is left that holds on to it */
    if (frame->is_fit) ++*fit;
    else ++*unfit;
  }
}

#define AGENT                                                                                                          \
  ",{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"1\",\"type\":\"function\",\"function\":{\"name\":\"a\","         \
  "\"arguments\":"                                                                                                     \
  "\"{}\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":\"x\"}"
#define TOOL(name) "{\"type\":\"function\",\"function\":{\"name\":\"" name "\"}}"

TEST(a_frame_is_learnt_once) {
  static const struct {
    const char *body;
    unsigned status, fit, unfit;
  } rows[] = {
      {"{\"model\":\"b/two\",\"messages\":[" TURN("user", "hi") "]}", 200, 1, 0},
      {"{\"model\":\"b/two\",\"messages\":[" TURN("user", "hello") "]}", 200, 1, 0},
      {"{\"model\":\"b/two\",\"messages\":[" TURN("system", "s") "," TURN("user", "hi") "]}", 200, 2, 0},
      {"{\"model\":\"b/two\",\"messages\":[" TURN("user", "hi") "],\"temperature\":0.5}", 200, 3, 0},
      /* The wish for JSON goes into the system text: what stands there is not the client's own. */
      {"{\"model\":\"b/two\",\"messages\":[" TURN("system", "s") "," TURN(
           "user", "hi") "],"
                         "\"response_format\":{\"type\":\"json_object\"}}",
       200, 3, 1},
      {"{\"model\":\"b/two\",\"messages\":[" TURN("system", "s") "," TURN(
           "user", "ho") "],"
                         "\"response_format\":{\"type\":\"json_object\"}}",
       200, 3, 1},
      {"{\"model\":\"b/two\",\"messages\":[" TURN("user", "hi") "],\"temperature\":\"warm\"}", 400, 3, 1},
      {"{\"model\":\"b/two\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\",\"name\":\"n\"}],\"seed\":1}", 200, 3,
       1},
      {"{\"model\":\"b/two\",\"messages\":[" TURN("user", "hi") "],\"seed\":1,\"stream\":false}", 200, 4, 1},
      /* Names that the provider does not take are sent as others, which may be those that were called before. */
      {"{\"model\":\"b/two\",\"messages\":[" TURN("user", "hi") AGENT "],\"tools\":[" TOOL("a") "]}", 200, 5, 1},
      {"{\"model\":\"b/two\",\"messages\":[" TURN("user", "ho") AGENT AGENT "],\"tools\":[" TOOL("a") "]}", 200, 5, 1},
      {"{\"model\":\"b/two\",\"messages\":[" TURN("user", "hi") AGENT "],\"tools\":[" TOOL("a.b") "]}", 200, 5, 2},
      {"{\"model\":\"b/two\",\"messages\":[" TURN("user", "hi") "],\"tools\":[" TOOL("a.b") "]}", 200, 6, 2},
  };
  struct stage s;
  unsigned fit, unfit;
  stage_init(&s);
  struct mock *m = mock_start(serve, NULL);
  stage_open_with(&s, stage_config(&s, "builtin", m->port));
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    CHECK_INT(ask(&s.house, "/v1/chat/completions", "", rows[i].body, NULL, &s.answer), rows[i].status);
    if (rows[i].status == 200) CHECK(stage_answered(&s, "\"content\":\"bonjour\""));
    count_frames(stage_script(&s), &fit, &unfit);
    CHECK_INT(fit, rows[i].fit);
    CHECK_INT(unfit, rows[i].unfit);
  }
  CHECK(stage_answered(&s, "\"prompt_tokens\":3"));
  stage_close(&s);
  mock_stop(m);
  stage_done(&s);
}

static bool is_told(lua_State *L, const struct text_frame *frame, const char *name) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, frame->asked);
  lua_getfield(L, -1, name);
  bool told = lua_toboolean(L, -1);
  lua_pop(L, 2);
  return told;
}

/* What Lua has noted of the request for its answers is there for all requests with the frame, and nothing of one. */
TEST(a_frame_tells_what_answers_must_know) {
  struct stage s;
  stage_init(&s);
  struct mock *m = mock_start(serve, NULL);
  stage_open_with(&s, stage_config(&s, "builtin", m->port));
  for (int i = 0; i < 2; i++) {
    CHECK_INT(
        ask(&s.house, "/v1/chat/completions", "",
            "{\"model\":\"b/two\",\"messages\":[" TURN(
                "user",
                "hi") "],"
                      "\"response_format\":{\"type\":\"json_object\"},\"stream_options\":{\"include_usage\":true}}",
            NULL, &s.answer),
        200);
  }
  const struct script *script = stage_script(&s);
  const struct text_frame *frame = NULL;
  for (unsigned i = 0; frame == NULL && i < TEXT_FRAMES_BUCKETS; i++) frame = script->frames.places[i][0];
  CHECK(frame != NULL && frame->is_fit && frame->hop != LUA_NOREF);
  if (frame != NULL && frame->is_fit) {
    CHECK(is_told(script->vm->L, frame, "wants_format"));
    CHECK(is_told(script->vm->L, frame, "stream_usage"));
    CHECK(!is_told(script->vm->L, frame, "wants_thinking"));
    CHECK(!is_told(script->vm->L, frame, "request_id"));
    CHECK(!is_told(script->vm->L, frame, "losses"));
  }
  stage_close(&s);
  mock_stop(m);
  stage_done(&s);
}

UNIT_MAIN()
