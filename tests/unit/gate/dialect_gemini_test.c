/* The Gemini row against recorded answers and streams of both framings, read whole and byte by byte: what it finds is
 * what a walk through the same bytes finds. Then shapes that no recording has. */
#include "check.h"
#include "gate/dialect/dialect.h"
#include "wire/recorded.h"

/* ---- the walk: what the leaves of a document say, by their last keys */

struct walked {
  uint64_t prompt, candidates, thoughts, tool_prompt, cached;
  bool told, content, called, blocked, failed;
  char finish[40];
  unsigned depth;
  char keys[JSON_DEPTH_MAX + 2][32];
};

static bool under(const struct walked *w, const char *key) {
  for (unsigned i = 0; i < w->depth; i++)
    if (strcmp(w->keys[i], key) == 0) return true;
  return false;
}

static void walked_leaf(struct walked *w, enum json_kind kind, const char *key, struct slice text) {
  static const struct {
    const char *key;
    size_t offset;
  } counts[] = {{"promptTokenCount", offsetof(struct walked, prompt)},
                {"candidatesTokenCount", offsetof(struct walked, candidates)},
                {"thoughtsTokenCount", offsetof(struct walked, thoughts)},
                {"toolUsePromptTokenCount", offsetof(struct walked, tool_prompt)},
                {"cachedContentTokenCount", offsetof(struct walked, cached)}};
  if (under(w, "args") || under(w, "response") || under(w, "groundingMetadata")) return;
  if (kind == JSON_NUMBER && under(w, "usageMetadata"))
    for (unsigned i = 0; i < sizeof counts / sizeof *counts; i++)
      if (strcmp(key, counts[i].key) == 0)
        memcpy((char *)w + counts[i].offset, &(uint64_t){strtoull(text.ptr, NULL, 10)}, 8);
  if (kind != JSON_STRING) return;
  if (strcmp(key, "finishReason") == 0) snprintf(w->finish, sizeof w->finish, "%.*s", (int)text.len, text.ptr);
  if (strcmp(key, "blockReason") == 0) w->blocked = true;
  if (under(w, "content") && text.len > 0 && strcmp(key, "role") != 0) w->content = true;
}

static enum json_walk_step walked_value(void *owner, enum json_kind kind, struct slice key, struct slice text,
                                        struct slice raw, size_t count) {
  struct walked *w = owner;
  char name[32] = "";
  (void)raw, (void)count;
  if (key.ptr != NULL) snprintf(name, sizeof name, "%.*s", (int)key.len, key.ptr);
  if (strcmp(name, "functionCall") == 0 && under(w, "content")) w->called = w->content = true;
  if (strcmp(name, "toolCall") == 0 || strcmp(name, "toolResponse") == 0) w->content = true;
  if (strcmp(name, "usageMetadata") == 0 && w->depth == 1) {
    w->told = true;
    w->prompt = w->candidates = w->thoughts = w->tool_prompt = w->cached = 0;
  }
  if (strcmp(name, "error") == 0 && w->depth <= 2) w->failed = true;
  if (kind != JSON_ARRAY && kind != JSON_OBJECT) {
    walked_leaf(w, kind, name, text);
    return JSON_WALK_SKIP;
  }
  memcpy(w->keys[w->depth++], name, sizeof name);
  return JSON_WALK_ENTER;
}

static bool walked_end(void *owner) {
  ((struct walked *)owner)->depth--;
  return true;
}

static void walk(struct walked *w, struct slice document) {
  static const struct json_walker walker = {walked_value, walked_end};
  CHECK(json_walk(document, &walker, w, NULL));
}

static const char *finish_name(const struct walked *w) {
  if (w->finish[0] == '\0') return w->blocked ? "refusal" : "";
  if (strcmp(w->finish, "STOP") == 0) return w->called ? "tool_calls" : "stop";
  if (strcmp(w->finish, "MAX_TOKENS") == 0) return "length";
  return strcmp(w->finish, "SAFETY") == 0 ? "refusal" : "other";
}

static void compare(const char *name, const struct reading *r, const struct walked *w) {
  const struct usage *u = &r->usage;
  bool same = u->input_tokens == w->prompt + w->tool_prompt && u->output_tokens == w->candidates + w->thoughts &&
              u->reasoning_tokens == w->thoughts && u->cache_read_tokens == w->cached &&
              (u->source == USAGE_PROVIDER) == w->told && r->failed == w->failed &&
              strcmp(finish_reason_name(r->finish), finish_name(w)) == 0;
  if (!same)
    fprintf(stderr, "%s: in %lu out %lu thought %lu cached %lu told %d failed %d %s/%s\n", name, u->input_tokens,
            u->output_tokens, u->reasoning_tokens, u->cache_read_tokens, u->source, r->failed,
            finish_reason_name(r->finish), finish_name(w));
  CHECK(same);
}

/* ---- streams */

static void read_in_pieces(enum framing framing, struct slice body, size_t piece, struct reading *r) {
  struct stream_reader reader;
  struct stream_event e;
  struct buf bytes = {0};
  stream_init(&reader, framing, 16 << 20);
  for (size_t at = 0; at < body.len; at += piece) {
    bytes.len = 0;
    buf_append(&bytes, body.ptr + at, body.len - at < piece ? body.len - at : piece);
    buf_reserve(&bytes, 64);
    struct slice in = buf_view(&bytes);
    while (stream_next(&reader, &in, &e) == STREAM_EVENT) dialect_gemini.read_event(r, &e);
  }
  while (stream_finish(&reader, &e) == STREAM_EVENT) dialect_gemini.read_event(r, &e);
  stream_done(&reader);
  buf_done(&bytes);
}

static unsigned wholes, streams;

static void compare_stream(const char *name, enum framing framing, struct slice body) {
  struct walked w = {0};
  struct stream_reader reader;
  struct stream_event e;
  struct slice in = body;
  stream_init(&reader, framing, 16 << 20);
  struct reading stepped = {0};
  for (;;) {
    enum stream_verdict verdict = stream_next(&reader, &in, &e);
    if (verdict == STREAM_MORE && stream_finish(&reader, &e) != STREAM_EVENT) break;
    if (!e.has_data) continue;
    w.content = false;
    walk(&w, e.data);
    dialect_gemini.read_event(&stepped, &e);
    bool content_seen = w.content || w.finish[0];
    if (stepped.is_content != content_seen) fprintf(stderr, "%s: %.*s\n", name, (int)e.data.len, e.data.ptr);
    CHECK(stepped.is_content == content_seen);
  }
  stream_done(&reader);
  compare(name, &stepped, &w);
  CHECK(stepped.content_begun && stepped.finish != FINISH_NONE && !stepped.complete);
  static const size_t pieces[] = {1, 7, 1 << 20};
  for (unsigned i = 0; i < sizeof pieces / sizeof *pieces; i++) {
    struct reading r = {0};
    read_in_pieces(framing, body, pieces[i], &r);
    CHECK(memcmp(&r.usage, &stepped.usage, sizeof r.usage) == 0 && r.finish == stepped.finish);
  }
  streams++;
}

static void compare_file(const char *name, struct slice file) {
  enum { PROTOCOL, STATUS, FRAMING, BODY, FIELDS };
  struct json_field f[FIELDS] = {[PROTOCOL] = {.key = SLICE("protocol")},
                                 [STATUS] = {.key = SLICE("status")},
                                 [FRAMING] = {.key = SLICE("stream_framing")},
                                 [BODY] = {.key = SLICE("response_body")}};
  struct slice protocol;
  CHECK(json_scan(file, f, FIELDS, NULL));
  if (!json_plain(f[PROTOCOL].raw, &protocol) || !slice_starts(protocol, SLICE("gemini.")) ||
      !slice_ends(protocol, SLICE("enerateContent")))
    return;
  struct buf body = {0};
  CHECK(json_unquote(f[BODY].raw, buf_reserve(&body, f[BODY].raw.len), &body.len));
  buf_reserve(&body, 64);
  if (f[FRAMING].kind == JSON_STRING) {
    compare_stream(name, slice_eq(f[FRAMING].raw, SLICE("\"sse\"")) ? FRAMING_SSE : FRAMING_JSON_ARRAY,
                   buf_view(&body));
  } else {
    struct walked w = {0};
    struct reading r = {0};
    walk(&w, buf_view(&body));
    dialect_gemini.read_answer(&r, buf_view(&body));
    compare(name, &r, &w);
    CHECK(r.complete == slice_eq(f[STATUS].raw, SLICE("200")));
    if (r.failed) CHECK(r.error_type[0] != '\0' && r.error_text[0] != '\0');
    wholes++;
  }
  buf_done(&body);
}

TEST(recorded_answers_read_as_a_walk_does) {
  static const char *const folders[] = {"gemini", "vertex"};
  for (unsigned i = 0; i < 2; i++)
    for (struct recorded_walk w = {.only = folders[i]}; recorded_next(&w);) compare_file(w.name, w.file);
  fprintf(stderr, "recorded: %u whole answers, %u streams\n", wholes, streams);
}

/* ---- shapes by hand */

static struct reading read_one(const char *event) {
  struct buf text = {0};
  struct reading r = {0};
  buf_text(&text, event);
  buf_reserve(&text, 64);
  struct stream_event e = {.has_data = true, .data = buf_view(&text)};
  dialect_gemini.read_event(&r, &e);
  buf_done(&text);
  return r;
}

TEST(events_say_content_and_end) {
  static const struct {
    const char *event;
    bool content, failed;
    enum finish_reason finish;
  } rows[] = {
      {"{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}", true, false, FINISH_NONE},
      {"{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}]}}]}", false, false, FINISH_NONE},
      {"{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"},{\"text\":\"b\"}]}}]}", true, false, FINISH_NONE},
      {"{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"t\",\"thought\":true}]}}]}", true, false, FINISH_NONE},
      {"{\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"f\"}}]}}]}", true, false, FINISH_NONE},
      {"{\"candidates\":[{\"content\":{\"parts\":[{\"inlineData\":{}}]}}]}", true, false, FINISH_NONE},
      {"{\"candidates\":[{\"content\":{},\"finishReason\":\"MAX_TOKENS\"}]}", true, false, FINISH_LENGTH},
      {"{\"candidates\":[{\"finishReason\":\"RECITATION\"}]}", true, false, FINISH_REFUSAL},
      {"{\"candidates\":[{\"finishReason\":\"MALFORMED_FUNCTION_CALL\"}]}", true, false, FINISH_OTHER},
      {"{\"candidates\":[{\"finishReason\":\"FINISH_REASON_UNSPECIFIED\"}]}", false, false, FINISH_NONE},
      {"{\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}", true, false, FINISH_REFUSAL},
      {"{\"promptFeedback\":{\"safetyRatings\":[]}}", false, false, FINISH_NONE},
      {"{\"usageMetadata\":{\"promptTokenCount\":1}}", false, false, FINISH_NONE},
      {"{\"error\":{\"code\":503,\"message\":\"m\",\"status\":\"UNAVAILABLE\"}}", false, true, FINISH_NONE},
      {"[{\"error\":{\"code\":503,\"message\":\"m\",\"status\":\"UNAVAILABLE\"}}]", false, true, FINISH_NONE},
      {"{\"error\":null,\"candidates\":[]}", false, false, FINISH_NONE},
      {"{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"{\\\"error\\\":1}\"}]}}]}", true, false, FINISH_NONE},
      {"not json", false, false, FINISH_NONE}};
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct reading r = read_one(rows[i].event);
    if (r.is_content != rows[i].content || r.failed != rows[i].failed || r.finish != rows[i].finish)
      fprintf(stderr, "%s\n", rows[i].event);
    CHECK(r.is_content == rows[i].content && r.content_begun == rows[i].content && r.failed == rows[i].failed);
    CHECK(r.finish == rows[i].finish && !r.complete);
    if (r.failed) CHECK(strcmp(r.error_type, "UNAVAILABLE") == 0 && strcmp(r.error_text, "m") == 0);
  }
}

TEST(arguments_of_a_call_are_not_taken_for_fields) {
  struct reading r = read_one("{\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"f\",\"args\":{"
                              "\"error\":{\"message\":\"m\"},\"finishReason\":\"SAFETY\",\"usageMetadata\":{"
                              "\"promptTokenCount\":900}}}}]},\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":7,"
                              "\"candidatesTokenCount\":2}}");
  CHECK(!r.failed && r.finish == FINISH_NONE && r.is_content);
  CHECK_INT(r.usage.input_tokens, 7);
  CHECK_INT(r.usage.output_tokens, 2);
}

TEST(a_call_in_any_event_makes_it_the_finish) {
  static const char stream[] =
      "data: "
      "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"},{\"functionCall\":{\"name\":\"f\"}}]}}]}\r\n\r\n"
      "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}]},\"finishReason\":\"STOP\"}]}\r\n\r\n";
  struct reading r = {0};
  read_in_pieces(FRAMING_SSE, slice_text(stream), 1, &r);
  CHECK_INT(r.finish, FINISH_TOOL_CALLS);
}

TEST(usage_tells_audio_and_tier_and_the_last_holds) {
  struct reading r = {0};
  static const char stream[] =
      "[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}],\"usageMetadata\":{\"promptTokenCount\":30,"
      "\"candidatesTokenCount\":1,\"promptTokensDetails\":[{\"modality\":\"TEXT\",\"tokenCount\":10},{\"modality\":"
      "\"AUDIO\",\"tokenCount\":20}]}}\n,\n{\"candidates\":[{\"finishReason\":\"STOP\"}],\"usageMetadata\":{"
      "\"promptTokenCount\":30,\"cachedContentTokenCount\":4,\"toolUsePromptTokenCount\":5,\"candidatesTokenCount\":6,"
      "\"thoughtsTokenCount\":7,\"promptTokensDetails\":[{\"modality\":\"TEXT\",\"tokenCount\":10},{\"modality\":"
      "\"AUDIO\",\"tokenCount\":20}],\"candidatesTokensDetails\":[{\"modality\":\"AUDIO\",\"tokenCount\":6}],"
      "\"trafficType\":\"ON_DEMAND_FLEX\"}},{\"modelVersion\":\"m\"}]";
  read_in_pieces(FRAMING_JSON_ARRAY, slice_text(stream), 3, &r);
  CHECK_INT(r.usage.input_tokens, 35);
  CHECK_INT(r.usage.output_tokens, 13);
  CHECK_INT(r.usage.reasoning_tokens, 7);
  CHECK_INT(r.usage.cache_read_tokens, 4);
  CHECK_INT(r.usage.audio_input_tokens, 20);
  CHECK_INT(r.usage.audio_output_tokens, 6);
  CHECK_INT(r.usage.tier, TIER_FLEX);
  CHECK_INT(r.finish, FINISH_STOP);
}

TEST(searches_are_counted_as_they_are_paid) {
  static const struct {
    const char *version;
    uint64_t searches;
  } rows[] = {{"gemini-2.5-flash", 1}, {"gemini-3-flash-preview", 2}};
  for (unsigned i = 0; i < 2; i++) {
    struct buf text = {0};
    struct reading r = {0};
    buf_fill(&text,
             "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]},\"finishReason\":\"STOP\","
             "\"groundingMetadata\":{\"webSearchQueries\":[\"\",\"b\",\"c\"]}}],\"usageMetadata\":"
             "{\"promptTokenCount\":1},\"modelVersion\":\"%s\"}",
             rows[i].version);
    buf_reserve(&text, 64);
    dialect_gemini.read_answer(&r, buf_view(&text));
    CHECK_INT(r.usage.searches, rows[i].searches);
    buf_done(&text);
  }
}

TEST(answers_without_candidates) {
  static const struct {
    const char *answer;
    bool complete, failed;
    enum finish_reason finish;
  } rows[] = {
      {"{\"promptFeedback\":{\"blockReason\":\"PROHIBITED_CONTENT\"}}", true, false, FINISH_REFUSAL},
      {"[{\"error\":{\"code\":429,\"message\":\"m\",\"status\":\"RESOURCE_EXHAUSTED\"}}]", false, true, FINISH_NONE},
      {"{\"error\":{\"code\":429,\"message\":\"m\",\"status\":\"RESOURCE_EXHAUSTED\"}}", false, true, FINISH_NONE},
      {"{}", false, false, FINISH_NONE},
      {"[]", false, false, FINISH_NONE},
      {"<html>", false, false, FINISH_NONE}};
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct buf text = {0};
    struct reading r = {0};
    buf_text(&text, rows[i].answer);
    buf_reserve(&text, 64);
    dialect_gemini.read_answer(&r, buf_view(&text));
    if (r.complete != rows[i].complete || r.failed != rows[i].failed) fprintf(stderr, "%s\n", rows[i].answer);
    CHECK(r.complete == rows[i].complete && r.failed == rows[i].failed && r.finish == rows[i].finish);
    buf_done(&text);
  }
}

/* Google's SDKs read a stream up to "\n\n", "\r\r" or "\r\n\r\n", and raise when something is left. */
TEST(a_stream_that_fails_leaves_something_that_sdks_raise_at) {
  struct buf out = {0};
  struct fault f;
  fault_set(&f, FAULT_BAD_JSON, "%s", "broken");
  dialect_gemini.put_stream_fault(&out, &f, &(struct stream_place){FRAMING_SSE, 0}, SLICE("req_1"));
  struct slice rest = buf_view(&out);
  for (ptrdiff_t end; (end = slice_find(rest, SLICE("\r\n\r\n"))) >= 0;) rest = slice_from(rest, (size_t)end + 4);
  CHECK(rest.len > 0 && slice_trim(rest).len > 0);
  CHECK(slice_find(rest, SLICE("\n\n")) < 0 && slice_find(rest, SLICE("\r\r")) < 0);
  CHECK(slice_find(buf_view(&out), SLICE("\"requestId\":\"req_1\"")) > 0);
  buf_done(&out);
}

UNIT_MAIN()
