/* dialect_bedrock_converse: what the reader finds in recorded streams, however their bytes are cut, and in shapes that
 * no recording has. The recorded bodies are read at run time. */
#include "gate/dialect/dialect.h"

#include "check.h"
#include "wire/recorded.h"

static const struct dialect *const d = &dialect_bedrock_converse;

static struct buf decoded(struct slice base64) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  struct buf out = {0};
  uint32_t held = 0;
  unsigned have = 0;
  for (size_t i = 0; i < base64.len && base64.ptr[i] != '='; i++) {
    held = held << 6 | (uint32_t)(strchr(digits, base64.ptr[i]) - digits);
    have += 6;
    if (have >= 8) buf_byte(&out, (char)(held >> (have -= 8) & 255));
  }
  return out;
}

/* Feeds the bytes in two pieces, each with slack of its own. */
static struct reading read_cut(struct slice bytes, size_t cut) {
  struct reading r = {0};
  struct stream_reader s;
  struct stream_event e;
  stream_init(&s, FRAMING_AWS_EVENTS, 1 << 20);
  for (unsigned piece = 0; piece < 2; piece++) {
    struct buf copy = {0};
    buf_slice(&copy, piece == 0 ? slice_of(bytes.ptr, cut) : slice_from(bytes, cut));
    struct slice in = buf_view(&copy);
    while (stream_next(&s, &in, &e) == STREAM_EVENT) d->read_event(&r, &e);
    buf_done(&copy);
  }
  CHECK_INT(stream_finish(&s, &e), STREAM_MORE);
  stream_done(&s);
  return r;
}

static bool same(const struct reading *a, const struct reading *b) {
  return memcmp(&a->usage, &b->usage, sizeof a->usage) == 0 && a->finish == b->finish && a->events == b->events &&
         a->content_begun == b->content_begun && a->complete == b->complete && a->failed == b->failed &&
         strcmp(a->error_type, b->error_type) == 0 && strcmp(a->error_text, b->error_text) == 0;
}

static unsigned streams, exceptions;

static void cut_everywhere(const char *name, struct slice body) {
  if (!slice_starts(slice_text(name), SLICE("bedrock-converse-"))) return;
  struct buf bytes = decoded(body);
  struct reading whole = read_cut(buf_view(&bytes), bytes.len);
  CHECK(whole.events > 0);
  if (whole.failed) {
    exceptions++;
    CHECK(whole.error_type[0] && whole.error_text[0]);
  } else {
    CHECK(whole.complete && whole.content_begun && whole.finish != FINISH_NONE && whole.finish != FINISH_OTHER);
    CHECK_INT(whole.usage.source, USAGE_PROVIDER);
    /* totalTokens counts input with what the cache served and took, and output: the last event has it. */
    uint64_t total;
    ptrdiff_t at = slice_find(buf_view(&bytes), SLICE("\"totalTokens\":"));
    CHECK(at > 0);
    struct slice digits = slice_from(buf_view(&bytes), (size_t)at + 14);
    size_t count = 0;
    while (count < digits.len && digits.ptr[count] >= '0' && digits.ptr[count] <= '9') count++;
    digits.len = count;
    CHECK(slice_to_u64(digits, &total));
    CHECK_INT(whole.usage.input_tokens + whole.usage.output_tokens, total);
  }
  for (size_t cut = 0; cut < bytes.len; cut++) {
    struct reading r = read_cut(buf_view(&bytes), cut);
    if (!same(&r, &whole)) fprintf(stderr, "%s cut at %zu\n", name, cut);
    CHECK(same(&r, &whole));
  }
  buf_done(&bytes);
  streams++;
}

TEST(recorded_streams_read_the_same_at_each_cut) {
  char root[4096];
  DIR *there = opendir(recorded_path("wire", root, sizeof root));
  if (there == NULL) {
    printf("no recorded traffic at %s\n", root);
    return;
  }
  closedir(there);
  recorded_streams("aws-eventstream", cut_everywhere);
  CHECK_INT(streams, 13);
  CHECK_INT(exceptions, 1);
}

static struct reading event(const char *name, const char *json, bool is_exception, struct reading r) {
  struct buf text = {0};
  buf_text(&text, json);
  struct stream_event e = {
      .name = slice_text(name), .data = buf_view(&text), .has_data = true, .is_exception = is_exception};
  buf_reserve(&text, 64);
  e.data.ptr = text.ptr;
  d->read_event(&r, &e);
  buf_done(&text);
  return r;
}

TEST(usage_is_inclusive_and_knows_the_age_of_what_was_written) {
  struct reading r = event("messageStop", "{\"stopReason\":\"tool_use\"}", false, (struct reading){0});
  CHECK_INT(r.finish, FINISH_TOOL_CALLS);
  CHECK(!r.complete);
  r = event("metadata",
            "{\"usage\":{\"inputTokens\":10,\"outputTokens\":7,\"totalTokens\":1117,\"cacheReadInputTokens\":1000,"
            "\"cacheWriteInputTokens\":100,\"cacheDetails\":[{\"ttl\":\"5m\",\"inputTokens\":40},{\"ttl\":\"1h\","
            "\"inputTokens\":60}]},\"metrics\":{\"latencyMs\":1}}",
            false, r);
  CHECK(r.complete);
  CHECK_INT(r.usage.input_tokens, 1110);
  CHECK_INT(r.usage.output_tokens, 7);
  CHECK_INT(r.usage.cache_read_tokens, 1000);
  CHECK_INT(r.usage.cache_write_tokens, 40);
  CHECK_INT(r.usage.cache_write_1h_tokens, 60);
}

TEST(stop_reasons) {
  static const struct {
    const char *word;
    enum finish_reason reason;
  } rows[] = {{"end_turn", FINISH_STOP},
              {"stop_sequence", FINISH_STOP},
              {"tool_use", FINISH_TOOL_CALLS},
              {"max_tokens", FINISH_LENGTH},
              {"model_context_window_exceeded", FINISH_LENGTH},
              {"guardrail_intervened", FINISH_REFUSAL},
              {"content_filtered", FINISH_REFUSAL},
              {"malformed_tool_use", FINISH_OTHER}};
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    char json[80];
    snprintf(json, sizeof json, "{\"stopReason\":\"%s\"}", rows[i].word);
    CHECK_INT(event("messageStop", json, false, (struct reading){0}).finish, rows[i].reason);
  }
}

/* Metadata without a stop reason before it is no end: something is missing. */
TEST(metadata_alone_is_not_complete) {
  struct reading r = event("metadata", "{\"usage\":{\"inputTokens\":1,\"outputTokens\":2,\"totalTokens\":3}}", false,
                           (struct reading){0});
  CHECK(!r.complete);
  CHECK_INT(r.usage.output_tokens, 2);
}

TEST(content_begins_with_a_delta_or_a_call) {
  struct reading r = event("messageStart", "{\"role\":\"assistant\"}", false, (struct reading){0});
  CHECK(!r.content_begun && !r.is_content);
  r = event("contentBlockStart",
            "{\"contentBlockIndex\":0,\"start\":{\"toolUse\":{\"toolUseId\":\"t\",\"name\":\"f\"}}}", false, r);
  CHECK(r.content_begun && r.is_content);
  r = event("contentBlockStop", "{\"contentBlockIndex\":0}", false, r);
  CHECK(!r.is_content);
  r = event("contentBlockDelta", "{\"contentBlockIndex\":1,\"delta\":{\"text\":\"a\"}}", false, r);
  CHECK(r.is_content);
  CHECK_INT(r.events, 4);
}

TEST(exceptions_within_a_stream_fail_it) {
  struct reading r =
      event("throttlingException", "{\"message\":\"Too many tokens, please wait.\"}", true, (struct reading){0});
  CHECK(r.failed);
  CHECK_SLICE(slice_text(r.error_type), "throttlingException");
  CHECK_SLICE(slice_text(r.error_text), "Too many tokens, please wait.");
}

static struct reading answer(const char *json) {
  struct buf text = {0};
  struct reading r = {0};
  buf_text(&text, json);
  d->read_answer(&r, buf_view(&text));
  buf_done(&text);
  return r;
}

TEST(whole_answers) {
  struct reading r = answer("{\"output\":{\"message\":{\"role\":\"assistant\",\"content\":[{\"text\":\"hi\"}]}},"
                            "\"stopReason\":\"max_tokens\",\"usage\":{\"inputTokens\":3,\"outputTokens\":4,"
                            "\"totalTokens\":7},\"metrics\":{\"latencyMs\":5}}");
  CHECK(r.complete && r.content_begun);
  CHECK_INT(r.finish, FINISH_LENGTH);
  CHECK_INT(r.usage.input_tokens, 3);
  r = answer("{\"message\":\"The model is not ready.\"}");
  CHECK(r.failed && !r.complete);
  CHECK_SLICE(slice_text(r.error_text), "The model is not ready.");
  CHECK(!answer("{}").complete && !answer("{}").failed);
  CHECK(!answer("{\"output\":").complete);
}

TEST(error_bodies) {
  static const struct {
    const char *header, *body, *type, *text;
  } rows[] = {
      {"ValidationException:http://internal.amazon.com/coral/com.amazon.bedrock/", "{\"message\":\"bad\"}",
       "ValidationException", "bad"},
      {"", "{\"__type\":\"com.amazon.coral.service#UnrecognizedClientException\",\"message\":\"no\"}",
       "UnrecognizedClientException", "no"},
      {"", "{\"Message\":\"User is not authorized\"}", "", "User is not authorized"},
      {"ThrottlingException", "not JSON", "ThrottlingException", ""},
  };
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct reading r = {0};
    struct buf text = {0};
    buf_text(&text, rows[i].body);
    snprintf(r.error_type, sizeof r.error_type, "%s", rows[i].header);
    d->read_error(&r, buf_view(&text));
    CHECK_SLICE(slice_text(r.error_type), rows[i].type);
    CHECK_SLICE(slice_text(r.error_text), rows[i].text);
    buf_done(&text);
  }
}

UNIT_MAIN()
