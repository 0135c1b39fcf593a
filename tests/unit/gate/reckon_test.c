/* reckon, attached: the rules by hand, and how far off they are over recorded traffic, whose providers told the truth:
 * prompts and streams whose tokens all stand in what was sent. */
#include "gate/account/reckon.h"

#include "check.h"
#include "gate/account/attached.h"
#include "wire/recorded.h"

/* ---- by hand */

static struct asked ask_of(uint32_t text_bytes, uint32_t tool_bytes) {
  return (struct asked){.text_bytes = text_bytes, .tool_bytes = tool_bytes, .has_tools = tool_bytes > 0};
}

TEST(a_prompt_is_reckoned_by_its_model) {
  struct asked plain = ask_of(3500, 0), tools = ask_of(3500, 600);
  CHECK_INT(reckon_prompt(&plain, &dialect_openai_chat, SLICE("gpt-5")), 1003);
  CHECK_INT(reckon_prompt(&tools, &dialect_openai_chat, SLICE("gpt-5")), 1103);
  CHECK_INT(reckon_prompt(&plain, &dialect_anthropic_messages, SLICE("x")), 1003);
  CHECK_INT(reckon_prompt(&tools, &dialect_anthropic_messages, SLICE("x")), 1653);
  CHECK_INT(reckon_prompt(&tools, &dialect_bedrock_converse, SLICE("eu.anthropic.claude-sonnet-4-5")), 1653);
  CHECK_INT(reckon_prompt(&plain, &dialect_openai_chat, SLICE("grok-4")), 1153);
  CHECK_INT(reckon_prompt(&plain, &dialect_gemini, SLICE("gemini-2.5-pro")), 703);
  CHECK_INT(reckon_prompt(&tools, &dialect_openai_chat, SLICE("qwen3")), 1213);
  plain.attached_tokens = 1600;
  CHECK_INT(reckon_prompt(&plain, &dialect_openai_chat, SLICE("gpt-5")), 2603);
}

static uint64_t whole(const struct asked *asked, const struct dialect *d, uint64_t bytes, const char *read) {
  struct reckoned_whole w = {.bytes = bytes};
  if (read != NULL) reckon_read(&w, slice_text(read));
  return reckon_whole(asked, d, &w);
}

TEST(a_whole_answer_is_reckoned_without_its_frame_and_within_its_limit) {
  struct asked asked = ask_of(100, 0);
  CHECK_INT(whole(&asked, &dialect_openai_chat, 720 + 3500, NULL), 1000);
  CHECK_INT(whole(&asked, &dialect_anthropic_messages, 470 + 35, NULL), 18); /* an eighth at least */
  CHECK_INT(whole(&asked, &dialect_openai_chat, 0, NULL), 0);
  asked.max_tokens = 64;
  CHECK_INT(whole(&asked, &dialect_openai_chat, 720 + 3500, NULL), 64);
  asked = ask_of(100, 1000); /* Responses repeat the tools; an eighth is 353 bytes */
  CHECK_INT(whole(&asked, &dialect_openai_responses, 1480 + 1000 + 350, NULL), 101);
}

TEST(what_came_of_a_whole_answer_is_looked_through) {
  struct asked asked = ask_of(100, 0);
  static const char *const same[] = {
      "{\"content\":\"0123456789012345678901234567890123\"}",
      "{\"content\" : [{\"type\":\"text\", \"text\" :\n\"0123456789012345678901234567890123\"",
      "{\"content\":\"01234567890123\\\"67890123456789012",
      "{\"x\":\"content\",\"y\":\"aaaa\",\"arguments\":\"0123456789012345678901234567890123\",\"content\":null,\"z\":"
      "\"a\"}",
  };
  for (unsigned i = 0; i < sizeof same / sizeof *same; i++) {
    struct reckoned_whole w = {0};
    reckon_read(&w, slice_text(same[i]));
    CHECK(w.text_bytes >= 33 && w.text_bytes <= 35);
    CHECK_INT(w.read_bytes, strlen(same[i]));
    CHECK_INT(reckon_whole(&asked, &dialect_openai_chat, &w), 10);
  }
  /* What is still to come may be text as well. */
  CHECK_INT(whole(&asked, &dialect_openai_chat, 720 + 700, same[0]), 200);
  CHECK_INT(whole(&asked, &dialect_openai_chat, strlen(same[0]) + 1, same[0]), 10);
  struct reckoned_whole cut = {0};
  for (size_t at = 0; at < strlen(same[3]); at++) reckon_read(&cut, slice_of(same[3], at));
}

struct told {
  struct reading reading;
  struct reckoned reckoned;
};

static void hear(struct told *t, const char *json, uint64_t output_tokens) {
  struct buf event = padded(json);
  struct stream_event e = {.data = buf_view(&event), .has_data = true};
  t->reading.deltas++;
  t->reading.usage.output_tokens = output_tokens;
  reckon_event(&t->reckoned, &dialect_openai_chat, &t->reading, &e);
  buf_done(&event);
}

static uint64_t sum_of(const struct told *t) {
  struct asked asked = {0};
  return reckon_stream(&t->reckoned, &t->reading, &asked, SLICE("gpt-5"));
}

#define PIECE(text) "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" text "\"},\"finish_reason\":null}]}"
enum { LATE = 4, CALL = 20 };

TEST(a_stream_is_reckoned_by_its_text) {
  struct told t = {0};
  CHECK_INT(sum_of(&t), 0);
  hear(&t, PIECE("gateway "), 0);
  CHECK_INT(sum_of(&t), 1 + LATE);
  hear(&t, PIECE("0123456789012345678901234567890123456"), 0); /* 37 bytes */
  CHECK_INT(sum_of(&t), 1 + 11 + LATE);
  for (unsigned i = 2; i < 1000; i++) hear(&t, PIECE(" a"), 0);
  /* 8 are read, then one in 16, which stands for those before it. */
  CHECK(sum_of(&t) >= 998 + 12 + LATE && sum_of(&t) <= 998 + 12 + LATE + 2);
}

TEST(calls_have_a_frame) {
  struct told t = {0};
  hear(&t,
       "{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\","
       "\"arguments\":\"\"}}]}}]}",
       0);
  CHECK_INT(sum_of(&t), 1 + CALL + LATE);
  struct asked asked = {0};
  CHECK_INT(reckon_stream(&t.reckoned, &t.reading, &asked, SLICE("claude-x")), 1 + 45 + LATE);
  asked.max_tokens = 30;
  CHECK_INT(reckon_stream(&t.reckoned, &t.reading, &asked, SLICE("claude-x")), 30);
}

TEST(what_the_provider_has_told_is_not_reckoned_again) {
  struct told t = {0};
  hear(&t, PIECE("0123456789012345678901234567890123456"), 3); /* told before all content, as Anthropic does */
  CHECK_INT(sum_of(&t), 3 + 11 + LATE);
  hear(&t, PIECE("0123456789012345678901234567890123456"), 25); /* with the event, as Gemini does */
  CHECK_INT(sum_of(&t), 25 + LATE);
  hear(&t, PIECE("gateway "), 25);
  CHECK_INT(sum_of(&t), 25 + 1 + LATE);
  t.reading.usage.output_tokens = 31; /* at the end, without content */
  CHECK_INT(sum_of(&t), 31 + LATE);
}

TEST(usage_behind_the_finish_reason_is_all) {
  struct told t = {0};
  hear(&t, PIECE("gateway "), 0);
  t.reading.finish = FINISH_STOP;
  CHECK(!reckon_is_told(&t.reckoned, &t.reading));
  t.reading.usage = (struct usage){.output_tokens = 7, .source = USAGE_PROVIDER};
  CHECK(reckon_is_told(&t.reckoned, &t.reading));
  t.reading.finish = FINISH_NONE; /* as some tell along the way */
  CHECK(!reckon_is_told(&t.reckoned, &t.reading));
  /* Told before all content, and never again. */
  struct told early = {.reading.usage.source = USAGE_PROVIDER};
  hear(&early, PIECE("gateway "), 1);
  early.reading.finish = FINISH_STOP;
  CHECK(!reckon_is_told(&early.reckoned, &early.reading));
}

/* ---- attachments */

static struct attached measured(const char *before, const char *head, size_t bytes, const char *after) {
  struct buf text = {0};
  buf_text(&text, before);
  buf_text(&text, head);
  for (size_t i = strlen(head); i < bytes; i++) buf_byte(&text, "ABCDefgh0123+/"[i % 14]);
  buf_text(&text, after);
  buf_reserve(&text, 0);
  struct attached found = attached_measure(buf_view(&text));
  buf_done(&text);
  return found;
}

TEST(pictures_and_documents_are_no_text) {
  struct attached found = measured("[{\"data\":\"", "iVBOR", 50000, "\"},{\"text\":\"what is it?\"}]");
  CHECK_INT(found.bytes, 50000);
  CHECK_INT(found.tokens, 1600);
  found = measured("[{\"url\":\"data:image/png;base64,", "iVBOR", 4000, "\"}]");
  CHECK_INT(found.bytes, 4000);
  CHECK_INT(found.tokens, 1000);
  found = measured("[{\"data\":\"", "JVBERi0xLjQ", 60000, "\"}]");
  CHECK_INT(found.bytes, 60000);
  CHECK_INT(found.tokens, 10000);
  found = measured("[\"", "", 1500, "\"]"); /* too short to matter */
  CHECK_INT(found.bytes, 0);
  found = measured("", "", 0, "");
  CHECK_INT(found.bytes, 0);
}

TEST(a_long_text_is_text) {
  struct buf text = {0};
  buf_text(&text, "[{\"text\":\"");
  for (unsigned i = 0; i < 9000; i++) buf_text(&text, "no blank is far away ");
  for (unsigned i = 0; i < 9000; i++) buf_text(&text, "\u4e2d\u6587");
  /* Base64 in the midst of a text that goes on is a part of it. */
  for (unsigned i = 0; i < 3000; i++) buf_byte(&text, 'A');
  for (unsigned i = 0; i < 2000; i++) buf_text(&text, " words");
  buf_text(&text, "\"}]");
  buf_reserve(&text, 0);
  struct attached found = attached_measure(buf_view(&text));
  CHECK_INT(found.bytes, 0);
  CHECK_INT(found.tokens, 0);
  buf_done(&text);
}

TEST(each_of_several_is_found) {
  struct buf text = {0};
  for (unsigned k = 0; k < 5; k++) {
    buf_text(&text, "{\"data\":\"");
    for (unsigned i = 0; i < 8000; i++) buf_byte(&text, 'A');
    buf_text(&text, "\"},");
  }
  buf_reserve(&text, 0);
  struct attached found = attached_measure(buf_view(&text));
  CHECK_INT(found.bytes, 40000);
  CHECK_INT(found.tokens, 8000);
  buf_done(&text);
}

/* ---- over recorded traffic: reckoned against told, in hundredths */

enum { RATIOS_MAX = 1000 };
struct ratios {
  const char *what;
  int now[RATIOS_MAX], before[RATIOS_MAX];
  unsigned count;
};

static void add(struct ratios *r, uint64_t now, uint64_t before, uint64_t told) {
  CHECK(r->count < RATIOS_MAX);
  r->now[r->count] = (int)(now * 100 / told);
  r->before[r->count++] = (int)(before * 100 / told);
}

static int by_value(const void *a, const void *b) {
  return *(const int *)a - *(const int *)b;
}

static int share(const int *sorted, unsigned count, unsigned percent) {
  return sorted[count * percent / 100];
}

/* before: by the rules that these replaced, a quarter of a prompt's bytes and a token a delta. */
static void report(struct ratios *r) {
  qsort(r->now, r->count, sizeof *r->now, by_value);
  qsort(r->before, r->count, sizeof *r->before, by_value);
  printf("%s: %u: reckoned / told: p10 %d %%, median %d %%, p90 %d %%; before: %d %%, %d %%, %d %%\n", r->what,
         r->count, share(r->now, r->count, 10), share(r->now, r->count, 50), share(r->now, r->count, 90),
         share(r->before, r->count, 10), share(r->before, r->count, 50), share(r->before, r->count, 90));
}

static bool is_tagged(struct slice features, const char *const *tags) {
  for (; *tags != NULL; tags++)
    if (slice_find(features, slice_text(*tags)) >= 0) return true;
  return false;
}

/* Without the blanks between its values, as clients send it. */
static void compact(struct slice json, struct buf *out) {
  bool quoted = false;
  for (size_t i = 0; i < json.len; i++) {
    char c = json.ptr[i];
    if (c == '"') quoted = !quoted;
    if (quoted && c == '\\') buf_byte(out, json.ptr[i++]), c = json.ptr[i];
    if (quoted || (c != ' ' && c != '\n' && c != '\r' && c != '\t')) buf_byte(out, c);
  }
  buf_reserve(out, 0);
}

static void read_body(const struct dialect *d, struct slice framing, struct slice body, struct told *t) {
  if (slice_eq(framing, SLICE("null"))) {
    d->read_answer(&t->reading, body);
    return;
  }
  struct stream_reader reader;
  struct stream_event e;
  stream_init(&reader, slice_eq(framing, SLICE("\"sse\"")) ? FRAMING_SSE : FRAMING_JSON_ARRAY, 16 << 20);
  while (stream_next(&reader, &body, &e) == STREAM_EVENT) {
    /* As of a stream that breaks off: what is told at its end is not known yet. */
    struct usage before = t->reading.usage;
    d->read_event(&t->reading, &e);
    t->reading.deltas += t->reading.is_content;
    struct reading seen = t->reading;
    seen.usage = before;
    if (seen.is_content) reckon_event(&t->reckoned, d, &seen, &e);
  }
  stream_done(&reader);
}

/* A quarter of what is left without 500 bytes, or of half. */
static uint64_t whole_before(uint64_t bytes) {
  return (bytes > 1000 ? bytes - 500 : bytes / 2) / 4;
}

static void compare(struct slice file, struct ratios *prompts, struct ratios *wholes, struct ratios *streams) {
  /* What is not sent, or not shown, cannot be reckoned. */
  static const char *const unsent[] = {"\"image",    "\"pdf", "document",       "\"audio",      "\"video",
                                       "file_",      "_id\"", "cached_content", "reference",    "server_tool",
                                       "web_search", "\"mcp", "routing",        "conversation", NULL},
                           *const unshown[] = {"thinking",  "reasoning", "server_tool", "web_search",
                                               "citations", "output\"",  "logprobs",    NULL};
  struct json_field f[] = {{.key = SLICE("protocol")},      {.key = SLICE("model")},
                           {.key = SLICE("status")},        {.key = SLICE("stream_framing")},
                           {.key = SLICE("response_body")}, {.key = SLICE("features")},
                           {.key = SLICE("request_body")}};
  struct slice protocol, model;
  struct json_fault fault;
  uint64_t status;
  CHECK(json_scan(file, f, 7, &fault));
  if (!json_plain(f[0].raw, &protocol) || !json_plain(f[1].raw, &model) || !json_to_u64(f[2].raw, &status)) return;
  if (slice_eq(protocol, SLICE("gemini.generateContent")) || slice_eq(protocol, SLICE("gemini.streamGenerateContent")))
    protocol = SLICE("gemini");
  if (slice_eq(protocol, SLICE("cohere.v2.chat"))) protocol = SLICE("cohere.chat");
  const struct dialect *d = dialect_named(protocol);
  if (d == NULL || status >= 300 || f[6].kind != JSON_OBJECT || slice_eq(f[3].raw, SLICE("\"aws-eventstream\"")))
    return;
  struct buf body = {0}, request = {0};
  struct told t = {0};
  struct arena arena;
  struct asked asked = {0};
  struct fault why;
  CHECK(json_unquote(f[4].raw, buf_reserve(&body, f[4].raw.len), &body.len));
  buf_reserve(&body, 0);
  read_body(d, f[3].raw, buf_view(&body), &t);
  compact(f[6].raw, &request);
  arena_init(&arena);
  const struct usage *u = &t.reading.usage;
  if (u->source == USAGE_PROVIDER && u->input_tokens > 0 && !is_tagged(f[5].raw, unsent) &&
      asked_read(&d->request, &arena, buf_view(&request), &asked, &why))
    add(prompts, reckon_prompt(&asked, d, model), (asked.text_bytes + asked.tool_bytes) / 4, u->input_tokens);
  if (u->output_tokens >= 8 && u->reasoning_tokens == 0 && !is_tagged(f[5].raw, unshown)) {
    uint64_t told = u->output_tokens;
    if (t.reading.deltas == 0) {
      add(wholes, whole(&asked, d, body.len, NULL), whole_before(body.len), told);
    } else {
      t.reading.usage.output_tokens = t.reckoned.told;
      add(streams, reckon_stream(&t.reckoned, &t.reading, &asked, model), t.reading.deltas, told);
    }
  }
  arena_done(&arena);
  buf_done(&request);
  buf_done(&body);
}

TEST(over_recorded_traffic_it_errs_slightly_high) {
  static struct ratios prompts = {.what = "prompts"}, wholes = {.what = "whole answers by their length"},
                       streams = {.what = "streams"};
  for (struct recorded_walk w = {0}; recorded_next(&w);) compare(w.file, &prompts, &wholes, &streams);
  if (prompts.count == 0) return; /* no recordings here */
  report(&prompts);
  report(&wholes);
  report(&streams);
  CHECK(prompts.count >= 300 && wholes.count >= 100 && streams.count >= 60);
  CHECK(share(prompts.now, prompts.count, 50) >= 100 && share(prompts.now, prompts.count, 50) <= 140);
  CHECK(share(wholes.now, wholes.count, 50) >= 100 && share(wholes.now, wholes.count, 50) <= 140);
  CHECK(share(streams.now, streams.count, 50) >= 100 && share(streams.now, streams.count, 50) <= 140);
  CHECK(share(prompts.now, prompts.count, 90) <= 260 && share(streams.now, streams.count, 90) <= 230);
  CHECK(share(prompts.now, prompts.count, 10) >= 40 && share(streams.now, streams.count, 10) >= 65);
}

UNIT_MAIN()
