/* The dialects' readers against recorded provider traffic: what they find in each whole answer and each stream is what
 * an independent, slow reading of the same bytes finds. Then shapes that no recording has. */
#include "gate/dialect/dialect.h"

#include "check.h"
#include "gate/stream_reading.h"
#include "wire/recorded.h"

/* ---- the slow reading: a document as a list of its leaves, by path */

struct leaf {
  char path[128];
  enum json_kind kind;
  struct buf text; /* decoded */
};

struct leaves {
  struct leaf *all;
  size_t count;
  char path[600];
  size_t starts[JSON_DEPTH_MAX + 2]; /* of path, at each depth */
  unsigned index[JSON_DEPTH_MAX + 2];
  unsigned depth;
};

static enum json_walk_step leaf_value(void *owner, enum json_kind kind, struct slice key, struct slice text,
                                      struct slice raw, size_t count) {
  struct leaves *l = owner;
  (void)raw;
  size_t at = l->starts[l->depth];
  int len = 0;
  if (l->depth > 0) {
    if (key.ptr != NULL)
      len = snprintf(l->path + at, sizeof l->path - at, "%s%.*s", at ? "." : "", (int)key.len, key.ptr);
    else len = snprintf(l->path + at, sizeof l->path - at, "%s%u", at ? "." : "", l->index[l->depth]++);
  }
  size_t end = at + (size_t)len;
  if (end > 120) return JSON_WALK_SKIP;
  l->all = realloc(l->all, (l->count + 1) * sizeof *l->all);
  struct leaf *leaf = &l->all[l->count++];
  *leaf = (struct leaf){.kind = kind};
  snprintf(leaf->path, sizeof leaf->path, "%.*s", (int)end, l->path);
  if (kind != JSON_ARRAY && kind != JSON_OBJECT) buf_slice(&leaf->text, text);
  else buf_u64(&leaf->text, count);
  buf_byte(&leaf->text, '\0');
  if (kind != JSON_ARRAY && kind != JSON_OBJECT) return JSON_WALK_SKIP;
  l->depth++;
  l->starts[l->depth] = end;
  l->index[l->depth] = 0;
  return JSON_WALK_ENTER;
}

static bool leaf_end(void *owner) {
  ((struct leaves *)owner)->depth--;
  return true;
}

static bool leaves_of(struct leaves *l, struct slice json) {
  static const struct json_walker walker = {leaf_value, leaf_end};
  struct buf copy = {0};
  *l = (struct leaves){0};
  buf_slice(&copy, json);
  buf_reserve(&copy, 0);
  bool ok = json_walk(buf_view(&copy), &walker, l, NULL);
  buf_done(&copy);
  return ok;
}

static void leaves_done(struct leaves *l) {
  for (size_t i = 0; i < l->count; i++) buf_done(&l->all[i].text);
  free(l->all);
}

static const struct leaf *at(const struct leaves *l, const char *path) {
  for (size_t i = 0; i < l->count; i++)
    if (strcmp(l->all[i].path, path) == 0) return &l->all[i];
  return NULL;
}

static const char *text_at(const struct leaves *l, const char *path) {
  const struct leaf *f = at(l, path);
  return f != NULL && f->kind == JSON_STRING ? f->text.ptr : "";
}

static uint64_t number_at(const struct leaves *l, const char *prefix, const char *path, uint64_t otherwise) {
  char whole[128];
  snprintf(whole, sizeof whole, "%s%s", prefix, path);
  const struct leaf *f = at(l, whole);
  return f != NULL && f->kind == JSON_NUMBER ? strtoull(f->text.ptr, NULL, 10) : otherwise;
}

static bool is_object(const struct leaves *l, const char *path) {
  const struct leaf *f = at(l, path);
  return f != NULL && f->kind == JSON_OBJECT;
}

/* What the slow reading believes. */
struct belief {
  uint64_t input, read, written, output, reasoning, heard, spoken;
  bool told, complete, content, failed;
  char finish[32];
};

static void believe_finish(struct belief *b, const char *reason) {
  static const char *const names[][2] = {{"stop", "stop"},
                                         {"length", "length"},
                                         {"tool_calls", "tool_calls"},
                                         {"function_call", "tool_calls"},
                                         {"content_filter", "refusal"},
                                         {"end_turn", "stop"},
                                         {"stop_sequence", "stop"},
                                         {"max_tokens", "length"},
                                         {"tool_use", "tool_calls"},
                                         {"refusal", "refusal"},
                                         {"pause_turn", "pause"},
                                         {"model_context_window_exceeded", "length"}};
  if (reason[0] == '\0') return;
  snprintf(b->finish, sizeof b->finish, "other");
  for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(names[i][0], reason) == 0) snprintf(b->finish, sizeof b->finish, "%s", names[i][1]);
}

static void believe_chat_usage(struct belief *b, const struct leaves *l, const char *prefix) {
  b->told = true;
  b->input = number_at(l, prefix, "prompt_tokens", 0);
  b->output = number_at(l, prefix, "completion_tokens", 0);
  b->read =
      number_at(l, prefix, "prompt_tokens_details.cached_tokens", number_at(l, prefix, "prompt_cache_hit_tokens", 0));
  b->written = number_at(l, prefix, "prompt_tokens_details.cache_write_tokens", 0);
  b->reasoning = number_at(l, prefix, "completion_tokens_details.reasoning_tokens", 0);
  uint64_t heard = number_at(l, prefix, "prompt_tokens_details.audio_tokens", 0);
  if (heard > 0 && number_at(l, prefix, "total_tokens", 0) == b->input + b->output + heard) b->input += heard;
  b->heard = heard;
  b->spoken = number_at(l, prefix, "completion_tokens_details.audio_tokens", 0);
  if (b->read > b->input) b->input += b->read;
  if (b->reasoning > b->output) b->output += b->reasoning;
  else if (b->reasoning > 0 && number_at(l, prefix, "total_tokens", 0) == b->input + b->output + b->reasoning)
    b->output += b->reasoning;
}

static void believe_messages_usage(struct belief *b, const struct leaves *l, const char *prefix) {
  b->told = true;
  uint64_t plain = number_at(l, prefix, "input_tokens", b->input - b->read - b->written);
  b->read = number_at(l, prefix, "cache_read_input_tokens", b->read);
  b->written = number_at(l, prefix, "cache_creation_input_tokens", b->written);
  b->input = plain + b->read + b->written;
  b->output = number_at(l, prefix, "output_tokens", b->output);
  b->reasoning = number_at(l, prefix, "output_tokens_details.thinking_tokens", b->reasoning);
}

static bool speaks(const struct leaf *f) {
  if (f == NULL || f->kind == JSON_NULL) return false;
  if (f->kind == JSON_STRING) return f->text.len > 1;
  return strcmp(f->text.ptr, "0") != 0;
}

static void believe_chat_event(struct belief *b, const struct leaves *l) {
  static const char *const parts[] = {"content", "reasoning_content", "reasoning", "tool_calls",
                                      "refusal", "function_call",     "audio",     "reasoning_details"};
  char path[64];
  if (is_object(l, "usage")) believe_chat_usage(b, l, "usage.");
  else if (is_object(l, "x_groq.usage")) believe_chat_usage(b, l, "x_groq.usage.");
  believe_finish(b, text_at(l, "choices.0.finish_reason"));
  if (text_at(l, "choices.0.finish_reason")[0]) b->content = true;
  for (unsigned i = 0; i < sizeof parts / sizeof *parts; i++) {
    snprintf(path, sizeof path, "choices.0.delta.%s", parts[i]);
    if (speaks(at(l, path))) b->content = true;
  }
  if (is_object(l, "error")) b->failed = true;
}

static void believe_messages_event(struct belief *b, const struct leaves *l) {
  const char *type = text_at(l, "type"), *block = text_at(l, "content_block.type");
  if (is_object(l, "message.usage")) believe_messages_usage(b, l, "message.usage.");
  if (strcmp(type, "message_delta") == 0 && is_object(l, "usage")) believe_messages_usage(b, l, "usage.");
  believe_finish(b, text_at(l, "delta.stop_reason"));
  if (text_at(l, "delta.stop_reason")[0] || strcmp(type, "content_block_delta") == 0) b->content = true;
  if (block[0] && strcmp(block, "text") != 0 && strcmp(block, "thinking") != 0) b->content = true;
  if (strcmp(type, "message_stop") == 0) b->complete = true;
  if (strcmp(type, "error") == 0) b->failed = true;
}

/* ---- the comparison */

static unsigned wholes, streams;

static void compare(const char *name, const struct reading *r, const struct belief *b) {
  const struct usage *u = &r->usage;
  bool same = u->input_tokens == b->input && u->cache_read_tokens == b->read &&
              u->cache_write_tokens + u->cache_write_1h_tokens == b->written && u->output_tokens == b->output &&
              (r->usage.source == USAGE_PROVIDER) == b->told && r->complete == b->complete &&
              r->content_begun == b->content && r->failed == b->failed &&
              strcmp(finish_reason_name(r->finish), b->finish) == 0 && u->reasoning_tokens == b->reasoning &&
              u->audio_input_tokens == b->heard && u->audio_output_tokens == b->spoken;
  if (!same)
    fprintf(stderr,
            "%s: in %lu/%lu read %lu/%lu written %lu/%lu out %lu/%lu told %d/%d complete %d/%d content %d/%d failed "
            "%d/%d %s/%s\n",
            name, u->input_tokens, b->input, u->cache_read_tokens, b->read,
            u->cache_write_tokens + u->cache_write_1h_tokens, b->written, u->output_tokens, b->output,
            r->usage.source == USAGE_PROVIDER, b->told, r->complete, b->complete, r->content_begun, b->content,
            r->failed, b->failed, finish_reason_name(r->finish), b->finish);
  CHECK(same);
  CHECK(u->cache_read_tokens + u->cache_write_tokens + u->cache_write_1h_tokens <= u->input_tokens);
  CHECK(u->reasoning_tokens <= u->output_tokens);
}

/* One line at a time, by hand: "data:" lines only; recorded streams have one a event. */
static void believe_stream(struct belief *b, bool chat, struct slice body) {
  while (body.len > 0) {
    size_t end = 0;
    while (end < body.len && body.ptr[end] != '\n' && body.ptr[end] != '\r') end++;
    struct slice line = slice_of(body.ptr, end);
    body = slice_from(body, end + 1);
    if (!slice_starts(line, SLICE("data:"))) continue;
    line = slice_trim(slice_from(line, 5));
    if (slice_eq(line, SLICE("[DONE]"))) {
      b->complete = true;
      continue;
    }
    struct leaves l;
    if (leaves_of(&l, line)) {
      if (chat) believe_chat_event(b, &l);
      else believe_messages_event(b, &l);
    }
    leaves_done(&l);
  }
}

static void compare_file(const char *name, struct slice file) {
  struct json_field f[] = {{.key = SLICE("protocol")},
                           {.key = SLICE("status")},
                           {.key = SLICE("stream_framing")},
                           {.key = SLICE("response_body")},
                           {.key = SLICE("method")}};
  struct slice protocol, method;
  struct json_fault fault;
  uint64_t status;
  CHECK(json_scan(file, f, 5, &fault));
  if (!json_plain(f[0].raw, &protocol) || !json_to_u64(f[1].raw, &status) || status >= 300 ||
      !json_plain(f[4].raw, &method) || !slice_eq(method, SLICE("POST")))
    return;
  const struct dialect *d = dialect_named(protocol);
  if (d != &dialect_openai_chat && d != &dialect_anthropic_messages) return; /* the others have tests of their own */
  bool chat = d == &dialect_openai_chat;
  struct buf body = {0};
  struct reading r = {0};
  struct belief b = {0};
  CHECK(json_unquote(f[3].raw, buf_reserve(&body, f[3].raw.len), &body.len));
  buf_reserve(&body, 0);
  if (slice_eq(f[2].raw, SLICE("\"sse\""))) {
    streams++;
    believe_stream(&b, chat, buf_view(&body));
    reading_of_stream(d, buf_view(&body), &r);
    compare(name, &r, &b);
    CHECK(r.complete || r.finish != FINISH_NONE || r.failed);
  } else {
    struct leaves l;
    wholes++;
    CHECK(leaves_of(&l, buf_view(&body)));
    if (chat && is_object(&l, "usage")) believe_chat_usage(&b, &l, "usage.");
    if (!chat && is_object(&l, "usage")) believe_messages_usage(&b, &l, "usage.");
    const struct leaf *content = at(&l, chat ? "choices" : "content");
    b.complete = b.content = content != NULL && content->kind == JSON_ARRAY;
    believe_finish(&b, text_at(&l, chat ? "choices.0.finish_reason" : "stop_reason"));
    d->read_answer(&r, buf_view(&body));
    compare(name, &r, &b);
    CHECK(r.complete);
    leaves_done(&l);
  }
  buf_done(&body);
}

TEST(recorded_answers_read_as_a_slow_reading_does) {
  struct recorded_walk w = {0};
  while (recorded_next(&w)) compare_file(w.name, w.file);
  fprintf(stderr, "recorded: %u whole answers, %u streams\n", wholes, streams);
}

/* ---- shapes by hand */

static struct reading after(const struct dialect *d, const char *stream) {
  struct buf b = padded(stream);
  struct reading r = {0};
  reading_of_stream(d, buf_view(&b), &r);
  buf_done(&b);
  return r;
}

/* Servers keep connections warm with pieces that say nothing: they must not pass for a model that goes on. */
TEST(an_empty_piece_is_no_content) {
  static const char
      chat[] = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n",
      messages[] = "data: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}\n\n",
      responses[] = "data: {\"type\":\"response.output_text.delta\",\"delta\":\"a\"}\n\n",
      cohere[] = "data: {\"type\":\"content-delta\",\"delta\":{\"message\":{\"content\":{\"text\":\"a\"}}}}\n\n";
  static const struct {
    const struct dialect *dialect;
    const char *before, *event;
    bool content;
  } rows[] = {
      {&dialect_openai_chat, chat, "{\"choices\":[{\"index\":0,\"delta\":{}}]}", false},
      {&dialect_openai_chat, chat, "{\"choices\":[{\"delta\":{\"content\":\"\"},\"finish_reason\":null}]}", false},
      {&dialect_openai_chat, chat, "{\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\": null}}]}", false},
      {&dialect_openai_chat, chat, "{\"choices\":[{\"delta\":{\"content\":\"\",\"reasoning_content\":null}}]}", false},
      {&dialect_openai_chat, chat, "{\"choices\":[{\"delta\":{\"content\":null,\"reasoning_content\":\"t\"}}]}", true},
      {&dialect_openai_chat, chat, "{\"choices\":[{\"delta\":{\"content\":\"\",\"reasoning\":\"t\"}}]}", true},
      {&dialect_openai_chat, chat, "{\"choices\":[{\"delta\":{\"content\":null,\"tool_calls\":[{\"index\":0}]}}]}",
       true},
      {&dialect_openai_chat, chat, "{\"choices\":[{\"delta\":{\"content\":\"\",\"images\":[{}]}}]}", true},
      {&dialect_openai_chat, chat, "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0}]}}]}", true},
      {&dialect_openai_chat, chat, "{\"choices\":[{\"delta\":{\"content\":\"\"},\"finish_reason\":\"stop\"}]}", true},
      {&dialect_openai_chat, chat, "{\"choices\":[{\"delta\":{\"content\":\"\\\"\"}}]}", true},
      {&dialect_anthropic_messages, messages,
       "{\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"\"}}", false},
      {&dialect_anthropic_messages, "",
       "{\"type\":\"content_block_delta\", \"delta\": {\"type\": \"text_delta\", \"text\": \"\"} }", false},
      {&dialect_anthropic_messages, messages,
       "{\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"\\\"\"}}", true},
      {&dialect_anthropic_messages, messages,
       "{\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\":\"}}", true},
      {&dialect_openai_responses, responses, "{\"type\":\"response.output_text.delta\",\"delta\":\"\"}", false},
      {&dialect_openai_responses, responses, "{\"type\":\"response.output_text.delta\",\"delta\":\"b\"}", true},
      {&dialect_cohere_chat, cohere,
       "{\"type\":\"content-delta\",\"delta\":{\"message\":{\"content\":{\"text\":\"\"}}}}", false},
      {&dialect_cohere_chat, "", "{\"type\":\"content-delta\",\"delta\":{\"message\":{\"content\":{\"text\":\"\"}}}}",
       false},
  };
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    char stream[400];
    snprintf(stream, sizeof stream, "%sdata: %s\n\n", rows[i].before, rows[i].event);
    struct reading r = after(rows[i].dialect, stream);
    if (r.is_content != rows[i].content) fprintf(stderr, "%s\n", stream);
    CHECK(r.is_content == rows[i].content && r.content_begun == (rows[i].content || *rows[i].before != '\0'));
  }
}

TEST(first_content_of_a_chat_stream) {
  static const struct {
    const char *event;
    bool content, usage_only, failed;
  } rows[] = {
      {"{\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}", false, false, false},
      {"{\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[]}}]}", false, false, false},
      {"{\"choices\":[{\"delta\":{\"content\":\" \"}}]}", true, false, false},
      {"{\"choices\":[{\"delta\":{\"reasoning_content\":\"t\"}}]}", true, false, false},
      {"{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0}]}}]}", true, false, false},
      {"{\"choices\":[{\"delta\":{\"refusal\":\"no\"}}]}", true, false, false},
      {"{\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}", true, false, false},
      {"{\"choices\":[],\"prompt_filter_results\":[]}", false, false, false},
      {"{\"choices\":[ ],\"usage\":{\"prompt_tokens\":1}}", false, true, false},
      {"{\"choices\":[],\"usage\":null}", false, false, false},
      {"{\"choices\":[{\"index\":0,\"text\":\"x\"}],\"usage\":{\"prompt_tokens\":1}}", false, false, false},
      {"{\"choices\":[{\"delta\":{\"content\":\"x\"}}],\"usage\":{\"prompt_tokens\":1}}", true, false, false},
      {"{\"error\":{\"message\":\"m\"}}", false, false, true},
      {"{\"error\":\"m\"}", false, false, true},
      {"{\"error\":null,\"choices\":[]}", false, false, false},
      {"{\"error\":{},\"choices\":[]}", false, false, false},
      {"{\"error\":false,\"choices\":[]}", false, false, false},
      {"not json", false, false, false}};
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    char stream[300];
    snprintf(stream, sizeof stream, "data: %s\n\n", rows[i].event);
    struct reading r = after(&dialect_openai_chat, stream);
    if (r.content_begun != rows[i].content || r.usage_only != rows[i].usage_only || r.failed != rows[i].failed)
      fprintf(stderr, "%s\n", stream);
    CHECK(r.content_begun == rows[i].content && r.is_content == rows[i].content && r.usage_only == rows[i].usage_only &&
          r.failed == rows[i].failed);
  }
}

TEST(chat_usage_tells_audio_tier_and_cost) {
  static const struct {
    const char *answer;
    struct usage usage;
  } rows[] = {
      /* Mistral: audio beside the prompt, the tier within usage. */
      {"{\"choices\":[],\"usage\":{\"prompt_audio_seconds\":3,\"prompt_tokens\":9,\"total_tokens\":632,"
       "\"completion_tokens\":248,\"prompt_tokens_details\":{\"cached_tokens\":0,\"audio_tokens\":375},"
       "\"service_tier\":\"flex\"}}",
       {.input_tokens = 384, .output_tokens = 248, .audio_input_tokens = 375, .tier = TIER_FLEX}},
      /* OpenAI: within it, both ways. */
      {"{\"service_tier\":\"priority\",\"choices\":[],\"usage\":{\"prompt_tokens\":21,\"completion_tokens\":9,"
       "\"total_tokens\":30,\"prompt_tokens_details\":{\"audio_tokens\":2},\"completion_tokens_details\":"
       "{\"audio_tokens\":7}}}",
       {.input_tokens = 21,
        .output_tokens = 9,
        .audio_input_tokens = 2,
        .audio_output_tokens = 7,
        .tier = TIER_PRIORITY}},
      {"{\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"cost\":0.00023250000000000001,"
       "\"cost_details\":{\"upstream_inference_cost\":null}},\"service_tier\":\"default\"}",
       {.input_tokens = 1, .output_tokens = 2, .cost_told = true, .told_pico_usd = 232500000}},
      {"{\"choices\":[],\"usage\":{\"prompt_tokens\":50,\"completion_tokens\":48,\"cost\":{\"input_tokens_cost\":5e-05,"
       "\"output_tokens_cost\":0.00005,\"request_cost\":0.005,\"total_cost\":0.0051}},\"service_tier\":null}",
       {.input_tokens = 50, .output_tokens = 48, .cost_told = true, .told_pico_usd = 5100000000}},
      {"{\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4,\"cost_in_usd_ticks\":758000}}",
       {.input_tokens = 3, .output_tokens = 4, .cost_told = true, .told_pico_usd = 75800000}},
      {"{\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4,\"cost\":null}}",
       {.input_tokens = 3, .output_tokens = 4}},
      {"{\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4,\"cost\":{\"diem\":0}}}",
       {.input_tokens = 3, .output_tokens = 4}},
  };
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct buf text = {0};
    buf_text(&text, rows[i].answer);
    for (unsigned streamed = 0; streamed < 2; streamed++) {
      struct reading r = {0};
      const struct usage *want = &rows[i].usage;
      if (streamed) {
        struct stream_event e = {.has_data = true, .data = buf_view(&text)};
        dialect_openai_chat.read_event(&r, &e);
      } else {
        dialect_openai_chat.read_answer(&r, buf_view(&text));
      }
      CHECK_INT(r.usage.input_tokens, want->input_tokens);
      CHECK_INT(r.usage.output_tokens, want->output_tokens);
      CHECK_INT(r.usage.audio_input_tokens, want->audio_input_tokens);
      CHECK_INT(r.usage.audio_output_tokens, want->audio_output_tokens);
      CHECK_INT(r.usage.tier, want->tier);
      CHECK_INT(r.usage.cost_told, want->cost_told);
      CHECK_INT(r.usage.told_pico_usd, want->told_pico_usd);
    }
    buf_done(&text);
  }
}

TEST(messages_usage_is_set_never_added) {
  struct reading r = after(
      &dialect_anthropic_messages,
      "event: message_start\ndata: "
      "{\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":21,\"cache_read_input_tokens\":188086,"
      "\"cache_creation_input_tokens\":1300,\"cache_creation\":{\"ephemeral_5m_input_tokens\":1000,\"ephemeral_1h_"
      "input_tokens\":300},\"output_tokens\":1}}}\n\n"
      "event: message_delta\ndata: "
      "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"},\"usage\":{\"output_tokens\":100}}\n\n"
      "event: message_delta\ndata: "
      "{\"type\":\"message_delta\",\"delta\":{},\"usage\":{\"output_tokens\":393,\"input_tokens\":22,"
      "\"output_tokens_details\":{\"thinking_tokens\":250}}}\n\n"
      "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{}}\n\n");
  CHECK_INT(r.usage.input_tokens, 22 + 188086 + 1300);
  CHECK_INT(r.usage.cache_read_tokens, 188086);
  CHECK_INT(r.usage.cache_write_tokens, 1000);
  CHECK_INT(r.usage.cache_write_1h_tokens, 300);
  CHECK_INT(r.usage.output_tokens, 393);
  CHECK_INT(r.usage.reasoning_tokens, 250);
  CHECK_INT(r.finish, FINISH_TOOL_CALLS);
  CHECK(!r.complete && r.content_begun);
}

TEST(messages_content_begins_with_the_first_delta_or_a_block_that_says_something) {
  CHECK(!after(&dialect_anthropic_messages,
               "data: {\"type\":\"content_block_start\",\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n")
             .content_begun);
  CHECK(!after(&dialect_anthropic_messages, "event: ping\ndata: {\"type\":\"ping\"}\n\n").content_begun);
  CHECK(after(&dialect_anthropic_messages,
              "event: content_block_start\ndata: {\"content_block\":{\"type\":\"tool_use\"}}\n\n")
            .content_begun);
  CHECK(after(&dialect_anthropic_messages, "data: {\"type\":\"content_block_delta\"}\n\n").content_begun);
  struct reading r =
      after(&dialect_anthropic_messages,
            "event: error\ndata: "
            "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n");
  CHECK(r.failed && !r.content_begun);
  CHECK_SLICE(slice_text(r.error_type), "overloaded_error");
  CHECK_SLICE(slice_text(r.error_text), "Overloaded");
}

TEST(long_error_texts_are_cut_between_characters) {
  struct reading r = {0};
  struct buf b = {0};
  buf_text(&b, "{\"error\":{\"message\":\"x");
  for (unsigned i = 0; i < 300; i++) buf_text(&b, "\xc3\xa9");
  buf_text(&b, "\"}}");
  buf_reserve(&b, 0);
  dialect_openai_chat.read_error(&r, buf_view(&b));
  CHECK_INT(strlen(r.error_text), 199);
  r = (struct reading){0};
  b.len = 0;
  buf_text(&b, "{\"error\":{\"message\":\"");
  for (unsigned i = 0; i < 300; i++) buf_text(&b, "\xc3\xa9");
  buf_text(&b, "\"}}");
  buf_reserve(&b, 0);
  dialect_openai_chat.read_error(&r, buf_view(&b));
  CHECK_INT(strlen(r.error_text), 198);
  buf_done(&b);
}

TEST(dialects_are_found_by_name) {
  for (enum dialect_id i = 0; i < DIALECT_COUNT; i++) {
    CHECK(dialect_named(slice_text(dialect_of(i)->name)) == dialect_of(i));
    CHECK_INT(dialect_index(dialect_of(i)), i);
  }
  CHECK(dialect_named(SLICE("openai")) == NULL);
}

/* An answer whose usage is told in one field, and words of its keys in another that stands before it. */
TEST(usage_is_read_where_it_belongs) {
  static const char *const before[] = {
      "",
      "\"x_groq\":{\"usage\":{\"prompt_tokens\":900,\"completion_tokens\":901,\"queue_time\":1}},",
      "\"timings\":[{\"prompt_tokens\":900}],\"metadata\":{\"service_tier\":\"flex\",\"cost\":3},",
  };
  for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
    struct buf text = {0};
    struct reading r = {0};
    buf_text(&text, "{");
    buf_text(&text, before[i]);
    buf_text(&text,
             "\"choices\":[{\"finish_reason\":\"length\"}],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3,"
             "\"total_tokens\":10,\"prompt_tokens_details\":{\"cached_tokens\":2}}}");
    dialect_openai_chat.read_answer(&r, buf_view(&text));
    CHECK(r.complete && r.finish == FINISH_LENGTH);
    CHECK_INT(r.usage.input_tokens, 7);
    CHECK_INT(r.usage.output_tokens, 3);
    CHECK_INT(r.usage.cache_read_tokens, 2);
    CHECK(r.usage.tier == TIER_STANDARD && !r.usage.cost_told);
    buf_done(&text);
  }
}

UNIT_MAIN()
