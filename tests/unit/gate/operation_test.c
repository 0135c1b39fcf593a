/* operation: usage out of answers beyond chat, and bodies that are read for them. */
#include "gate/dialect/operation.h"

#include "check.h"
#include "gate/dialect/splice.h"

static struct reading answer(enum operation operation, const struct dialect *d, const char *text, uint64_t characters) {
  struct buf b = padded(text);
  struct reading r = {0};
  struct asked asked = {.characters = characters};
  operation_read_answer(operation, d, &asked, &r, buf_view(&b));
  buf_done(&b);
  return r;
}

TEST(usage_of_whole_answers) {
  static const struct {
    enum operation operation;
    const struct dialect *dialect;
    const char *text;
    bool complete;
    enum usage_source source;
    uint64_t input, output, cached, images, ms, searches;
  } rows[] = {
      {OPERATION_EMBEDDINGS, &dialect_openai_chat, "{\"data\":[],\"usage\":{\"prompt_tokens\":8,\"total_tokens\":8}}",
       true, USAGE_PROVIDER, 8, 0, 0, 0, 0, 0},
      {OPERATION_EMBEDDINGS, &dialect_openai_chat, "{\"usage\":{\"total_tokens\":10}}", true, USAGE_PROVIDER, 10, 0, 0,
       0, 0, 0},
      {OPERATION_EMBEDDINGS, &dialect_cohere_chat, "{\"meta\":{\"billed_units\":{\"input_tokens\":4}}}", true,
       USAGE_PROVIDER, 4, 0, 0, 0, 0, 0},
      {OPERATION_EMBEDDINGS, &dialect_bedrock_converse, "{\"embedding\":[1],\"inputTextTokenCount\":6}", true,
       USAGE_PROVIDER, 6, 0, 0, 0, 0, 0},
      {OPERATION_EMBEDDINGS, &dialect_gemini, "{\"embedding\":{},\"usageMetadata\":{\"promptTokenCount\":3}}", true,
       USAGE_PROVIDER, 3, 0, 0, 0, 0, 0},
      {OPERATION_EMBEDDINGS, &dialect_gemini, "{\"embedding\":{}}", true, USAGE_NONE, 0, 0, 0, 0, 0, 0},
      {OPERATION_EMBEDDINGS, &dialect_openai_chat, "[]", false, USAGE_NONE, 0, 0, 0, 0, 0, 0},
      {OPERATION_EMBEDDINGS, &dialect_openai_chat, "", false, USAGE_NONE, 0, 0, 0, 0, 0, 0},
      {OPERATION_RERANK, &dialect_cohere_chat, "{\"meta\":{\"billed_units\":{\"search_units\":2}}}", true,
       USAGE_PROVIDER, 0, 0, 0, 0, 0, 2},
      {OPERATION_RERANK, &dialect_openai_chat, "{\"results\":[]}", true, USAGE_ESTIMATED, 0, 0, 0, 0, 0, 1},
      {OPERATION_COMPLETIONS, &dialect_openai_chat,
       "{\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":3,\"prompt_tokens_details\":{\"cached_tokens\":4}}}",
       true, USAGE_PROVIDER, 9, 3, 4, 0, 0, 0},
      {OPERATION_IMAGES, &dialect_openai_chat,
       "{\"data\":[{\"url\":\"a\"},{}],\"usage\":{\"input_tokens\":1,"
       "\"output_tokens\":2}}",
       true, USAGE_PROVIDER, 1, 2, 0, 2, 0, 0},
      {OPERATION_TRANSCRIPTIONS, &dialect_openai_chat, "{\"usage\":{\"type\":\"duration\",\"seconds\":12}}", true,
       USAGE_PROVIDER, 0, 0, 0, 0, 12000, 0},
      {OPERATION_TRANSCRIPTIONS, &dialect_openai_chat, "{\"duration\":1.25}", true, USAGE_ESTIMATED, 0, 0, 0, 0, 1250,
       0},
      {OPERATION_COUNT_TOKENS, &dialect_anthropic_messages, "{\"input_tokens\":5}", true, USAGE_NONE, 0, 0, 0, 0, 0, 0},
      {OPERATION_FILES, &dialect_openai_chat, "not JSON", true, USAGE_NONE, 0, 0, 0, 0, 0, 0},
      {OPERATION_RAW, &dialect_anthropic_messages,
       "{\"type\":\"message\",\"content\":[],\"usage\":{\"input_tokens\":2,\"cache_read_input_tokens\":3,"
       "\"output_tokens\":4}}",
       true, USAGE_PROVIDER, 5, 4, 3, 0, 0, 0},
  };
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct reading r = answer(rows[i].operation, rows[i].dialect, rows[i].text, 0);
    const struct usage *u = &r.usage;
    bool same = r.complete == rows[i].complete && u->source == rows[i].source && u->input_tokens == rows[i].input &&
                u->output_tokens == rows[i].output && u->cache_read_tokens == rows[i].cached &&
                u->images == rows[i].images && u->audio_ms == rows[i].ms && u->searches == rows[i].searches;
    if (!same) fprintf(stderr, "row %u: %s\n", i, rows[i].text);
    CHECK(same);
  }
  CHECK_INT(answer(OPERATION_SPEECH, &dialect_openai_chat, "{}", 17).usage.characters, 17);
}

TEST(usage_of_streams) {
  static const char *const events[] = {"{\"choices\":[{\"text\":\"a\"}]}",
                                       "{\"choices\":[],\"usage\":{\"prompt_tokens\":2,"
                                       "\"completion_tokens\":1}}",
                                       "[DONE]"};
  struct reading r = {0};
  struct asked asked = {0}, looking = {.only_looks = true};
  for (unsigned i = 0; i < 3; i++) {
    struct buf b = padded(events[i]);
    struct stream_event e = {.data = buf_view(&b), .has_data = true};
    operation_read_event(OPERATION_COMPLETIONS, &dialect_openai_chat, &asked, &r, &e);
    CHECK_INT(r.usage_only, i == 1);
    CHECK_INT(r.complete, i == 2);
    CHECK(r.content_begun && !r.failed);
    buf_done(&b);
  }
  CHECK_INT(r.usage.input_tokens, 2);
  struct buf b = padded("{\"error\":{\"message\":\"no\",\"type\":\"t\"}}");
  struct stream_event e = {.data = buf_view(&b), .has_data = true}, silent = {.raw = SLICE(": x\n\n")};
  operation_read_event(OPERATION_IMAGES, &dialect_openai_chat, &asked, &r, &e);
  CHECK(r.failed);
  CHECK_SLICE(slice_text(r.error_text), "no");
  operation_read_event(OPERATION_IMAGES, &dialect_openai_chat, &asked, &r, &silent);
  buf_done(&b);
  /* What is stored was paid when it was made. */
  static const char *const stored = "{\"output\":[],\"usage\":{\"input_tokens\":9,\"output_tokens\":9}}";
  CHECK_INT(answer(OPERATION_RESPONSES, &dialect_openai_responses, stored, 0).usage.source, USAGE_NONE);
  CHECK_INT(answer(OPERATION_BATCHES, &dialect_openai_chat, stored, 0).usage.source, USAGE_NONE);
  CHECK_INT(answer(OPERATION_RAW, &dialect_openai_chat, stored, 0).usage.source, USAGE_PROVIDER);
  b = padded(stored);
  r = (struct reading){0};
  operation_read_answer(OPERATION_RAW, &dialect_openai_chat, &looking, &r, buf_view(&b));
  CHECK(r.complete && r.usage.source == USAGE_NONE);
  buf_done(&b);
}

TEST(who_serves_what) {
  CHECK(operation_is_shared(OPERATION_EMBEDDINGS, &dialect_openai_chat, &dialect_openai_responses));
  CHECK(!operation_is_shared(OPERATION_CHAT, &dialect_openai_chat, &dialect_openai_responses));
  CHECK(!operation_is_shared(OPERATION_FILES, &dialect_openai_chat, &dialect_anthropic_messages));
  CHECK(operation_is_shared(OPERATION_RAW, &dialect_openai_chat, &dialect_gemini));
  CHECK_SLICE(operation_path(OPERATION_EMBEDDINGS, &dialect_gemini), "/models/{model}:batchEmbedContents");
  CHECK_SLICE(operation_path(OPERATION_RERANK, &dialect_openai_responses), "/rerank");
  CHECK_INT(operation_path(OPERATION_RERANK, &dialect_gemini).len, 0);
  CHECK_INT(operation_path(OPERATION_MODERATIONS, &dialect_openai_chat).len, 0);
  for (enum operation i = 0; i < OPERATION_COUNT; i++)
    CHECK(operation_row(i)->doc[strlen(operation_row(i)->doc) - 1] == '.');
}

TEST(models_that_gemini_repeats) {
  static const struct {
    const char *body, *expected;
  } rows[] = {
      {"{}", "{}"},
      {"{\"model\":\"models/a\", \"content\":{\"model\":\"models/a\"}}",
       "{\"model\":\"models/n\\\"m\", \"content\":{\"model\":\"models/a\"}}"},
      {"{\"requests\":[{\"model\":\"x\"},{\"b\":[1.0],\"model\":\"y\"}]}",
       "{\"requests\":[{\"model\":\"models/n\\\"m\"},{\"b\":[1.0],\"model\":\"models/n\\\"m\"}]}"},
      {"{\"generateContentRequest\":{\"model\":\"x\",\"tools\":[{\"model\":\"y\"}]},\"model\":7}",
       "{\"generateContentRequest\":{\"model\":\"models/n\\\"m\",\"tools\":[{\"model\":\"y\"}]},\"model\":7}"},
  };
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct buf body = padded(rows[i].body), out = {0};
    splice_inner_models(&out, buf_view(&body), SLICE("n\"m"));
    CHECK_SLICE(buf_view(&out), rows[i].expected);
    buf_done(&body);
    buf_done(&out);
  }
}

TEST(forms_are_read) {
  struct arena arena;
  struct asked asked = {0};
  struct fault f = {0};
  arena_init(&arena);
#define FIELD(name, value) "--b\r\ncontent-disposition: form-data; name=\"" name "\"\r\n\r\n" value "\r\n"
  struct buf b = padded(FIELD("stream", "true") FIELD("model", "up/m") "--b--");
  CHECK(asked_read_form(&arena, SLICE("multipart/form-data; boundary=b"), buf_view(&b), &asked, &f));
  CHECK_SLICE(asked.model, "up/m");
  CHECK(asked.stream && asked.model_is_plain);
  struct iovec parts[SPLICE_PARTS_MAX];
  int count = splice_body(&arena, buf_view(&b), &asked, SLICE("other"), false, parts);
  CHECK_INT(count, 3);
  CHECK_SLICE(slice_of(parts[1].iov_base, parts[1].iov_len), "other");
  buf_done(&b);
  static const char *const bad[] = {FIELD("model", "a") FIELD("model", "a") "--b--", FIELD("model", "") "--b--",
                                    FIELD("model", "a\nb") "--b--", FIELD("model", "a")};
  for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
    b = padded(bad[i]);
    asked = (struct asked){0};
    CHECK(!asked_read_form(&arena, SLICE("multipart/form-data; boundary=b"), buf_view(&b), &asked, &f));
    CHECK(f.text[0] != '\0');
    buf_done(&b);
  }
  arena_done(&arena);
}

UNIT_MAIN()
