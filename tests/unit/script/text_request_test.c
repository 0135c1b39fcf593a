/* text_request, text_form, text_frames: a body taken apart, its frame learnt and put together again; what keeps frames
 * apart; and in the gate: that a frame is learnt once, and which ones are not fit. */
#include "script/translation/text_request.h"

#include "stage.h"

#define CHAT_FORM                                                                                                      \
  "list = 'messages', content = 'content', roles = { system = 'system', user = 'user', assistant = 'assistant' }, "    \
  "types = { 'text' }, may_be_text = true, system = '{\"content\":%s,\"role\":\"system\"}', "                          \
  "user = '{\"content\":%s,\"role\":\"user\"}', assistant = '{\"content\":%s,\"role\":\"assistant\"}'"
#define PARTS_FORM                                                                                                     \
  "list = 'turns', content = 'p', roles = { user = 'U', assistant = 'A' }, system_key = 'sys', system = '[%s]', "      \
  "user = 'u(%s)', assistant = 'a(%s)', user_parts = 'uu(%s)', assistant_parts = 'aa(%s)', part = '<%s>'"

static struct text_form chat, parts;

static lua_State *words; /* holds on to those of the forms */

__attribute__((destructor)) static void close_words(void) {
  if (words != NULL) lua_close(words);
}

static void read_form(const char *text, struct text_form *form) {
  if (words == NULL) words = luaL_newstate();
  lua_State *L = words;
  must(luaL_dostring(L, text) == LUA_OK);
  text_form_read(L, lua_gettop(L), form);
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
  bool fit = text_request_learn(&o->split, buf_view(&text), &frame, &store);
  if (fit) text_request_write(&o->split, &frame, &o->out);
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
      "{\"a\":1,\"messages\":[{\"content\":\"moon5\",\"role\":\"system\"},{\"content\":\"moon0\",\"role\":\"user\"},"
      "{\"content\":\"moon1\",\"role\":\"assistant\"},{\"content\":\"moon2\",\"role\":\"user\"}],\"b\":2}");
  CHECK(learn_and_write(&o, "{\"k\":7,\"sys\":[\"moon5\"],\"turns\":[u(\"moon0\"),a(\"moon1\"),u(\"moon2\")]}") ==
        false); /* what a form writes must be JSON */
  done(&o);
}

TEST(both_places_in_both_orders) {
  static const char *const forms[] = {
      "return { list = 'l', content = 'c', roles = { user = 'u', assistant = 'a' }, system_key = 's', "
      "system = '[%s]', user = '{\"u\":%s}', assistant = '{\"a\":%s}', user_parts = '{\"us\":[%s]}', "
      "assistant_parts = '{\"as\":[%s]}', part = '[%s]' }"};
  static const struct {
    const char *made, *expected;
  } rows[] = {
      {"{\"s\":[\"moon5\"],\"x\":1,\"l\":[{\"us\":[[\"moon0\"],[\"moon1\"]]},{\"as\":[[\"moon2\"],[\"moon3\"]]},"
       "{\"u\":\"moon4\"}],\"y\":2}",
       "{\"s\":[\"S\"],\"x\":1,\"l\":[{\"us\":[[\"A\"],[\"B\"]]},{\"a\":\"C\"},{\"u\":\"D\"}],\"y\":2}"},
      {"{\"l\":[{\"us\":[[\"moon0\"],[\"moon1\"]]},{\"as\":[[\"moon2\"],[\"moon3\"]]},{\"u\":\"moon4\"}],"
       "\"s\":[\"moon5\"]}",
       "{\"l\":[{\"us\":[[\"A\"],[\"B\"]]},{\"a\":\"C\"},{\"u\":\"D\"}],\"s\":[\"S\"]}"},
      {"{\"l\":[{\"first\":0},{\"us\":[[\"moon0\"],[\"moon1\"]]},{\"as\":[[\"moon2\"],[\"moon3\"]]},{\"u\":\"moon4\"}],"
       "\"s\":[\"moon5\"]}",
       "{\"l\":[{\"first\":0},{\"us\":[[\"A\"],[\"B\"]]},{\"a\":\"C\"},{\"u\":\"D\"}],\"s\":[\"S\"]}"},
      {"{\"l\":[{\"us\":[[\"moon0\"],[\"moon1\"]]},{\"as\":[[\"moon2\"],[\"moon3\"]]},{\"u\":\"moon4\"},{\"last\":0}],"
       "\"s\":[\"moon5\"]}",
       NULL},
      {"{\"l\":[{\"us\":[[\"moon0\"],[\"moon1\"]]},{\"as\":[[\"moon2\"],[\"moon3\"]]},{\"u\":\"moon4\"}],"
       "\"s\":[\"moon5\",\"more\"]}",
       NULL},
      {"{\"l\":[{\"us\":[[\"moon0\"],[\"moon1\"]]},{\"as\":[[\"moon2\"],[\"moon3\"]]},{\"u\":\"moon4\"}]}", NULL},
      {"{\"l\":[{\"us\":[[\"moon1\"],[\"moon0\"]]},{\"as\":[[\"moon2\"],[\"moon3\"]]},{\"u\":\"moon4\"}],"
       "\"s\":[\"moon5\"]}",
       NULL},
      {"{\"s\":[\"moon5\"]}", NULL},
      {"{\"l\":\"moon0\",\"s\":[\"moon5\"]}", NULL},
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
      "{\"messages\":[" TURN("user", " \\u0020x") "]}",
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

TEST(a_key_is_all_but_the_texts) {
  struct buf a = {0}, b = {0};
  struct slice first = key_of("{\"messages\":[" TURN("user", "one") "],\"t\":1}", false, &a);
  CHECK(slice_eq(first, key_of("{\"messages\":[" TURN("user", "another") "],\"t\":1}", false, &b)));
  CHECK(!slice_eq(first, key_of("{\"messages\":[" TURN("user", "one") "],\"t\":2}", false, &b)));
  CHECK(!slice_eq(first, key_of("{\"messages\":[" TURN("user", "one") "],\"t\":1}", true, &b)));
  CHECK(!slice_eq(first, key_of("{\"messages\":[" TURN("user", "a") "," TURN("user", "b") "],\"t\":1}", false, &b)));
  CHECK(
      !slice_eq(first, key_of("{\"messages\":[" TURN("user", "a") "," TURN("assistant", "b") "],\"t\":1}", false, &b)));
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
    text_form_put_text(&out, buf_view(&raw));
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
