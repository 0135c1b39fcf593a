/* asked: what each protocol's body says to routing, and what of it is refused by name. */
#include "gate/asked.h"

#include "check.h"
#include "gate/dialect/dialect.h"

static struct arena arena;

static bool read_as(const struct dialect *d, const char *text, struct asked *out, struct fault *f) {
  struct buf body = padded(text);
  *f = (struct fault){0};
  bool ok = asked_read(&d->request, &arena, buf_view(&body), out, f);
  CHECK(ok || f->text[0] != '\0');
  buf_done(&body);
  return ok;
}

TEST(each_protocol_has_its_own_words) {
  static const struct {
    const struct dialect *dialect;
    const char *body;
    uint64_t limit;
    bool stream, tools;
  } rows[] = {
      {&dialect_openai_chat, "{\"model\":\"m\",\"messages\":[],\"max_tokens\":5,\"max_completion_tokens\":7}", 7, false,
       false},
      {&dialect_openai_responses, "{\"model\":\"m\",\"input\":\"hi\",\"max_output_tokens\":9,\"stream\":true}", 9, true,
       false},
      {&dialect_openai_responses, "{\"model\":\"m\",\"prompt\":{\"id\":\"p\"},\"max_tokens\":9}", 0, false, false},
      {&dialect_anthropic_messages, "{\"model\":\"m\",\"messages\":[],\"max_tokens\":5,\"tools\":[{}]}", 5, false,
       true},
      {&dialect_cohere_chat, "{\"model\":\"m\",\"messages\":[],\"max_tokens\":5,\"stream\":null}", 5, false, false},
      {&dialect_gemini, "{\"contents\":[],\"generationConfig\":{\"maxOutputTokens\":11},\"model\":7,\"stream\":7}", 11,
       false, false},
      {&dialect_gemini, "{\"contents\":[],\"generation_config\":{\"maxOutputTokens\":12},\"\":1}", 12, false, false},
      {&dialect_gemini, "{\"contents\":[],\"generationConfig\":{},\"tools\":[{}]}", 0, false, true},
      {&dialect_bedrock_converse,
       "{\"messages\":[],\"inferenceConfig\":{\"maxTokens\":13},\"toolConfig\":{\"tools\":[]}}", 13, false, true},
      {&dialect_bedrock_converse, "{}", 0, false, false},
  };
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct asked asked = {0};
    struct fault f;
    bool ok = read_as(rows[i].dialect, rows[i].body, &asked, &f);
    if (!ok) fprintf(stderr, "row %u: %s\n", i, f.text);
    CHECK(ok);
    CHECK_INT(asked.max_tokens, rows[i].limit);
    CHECK_INT(asked.stream, rows[i].stream);
    CHECK_INT(asked.has_tools, rows[i].tools);
    CHECK_INT(asked.model_raw.ptr != NULL, rows[i].dialect->request.fields[ASKED_MODEL].len > 0);
  }
}

TEST(faults_name_the_field) {
  static const struct {
    const struct dialect *dialect;
    const char *body, *field;
  } rows[] = {{&dialect_openai_responses, "{\"input\":\"hi\"}", "model"},
              {&dialect_openai_responses, "{\"model\":\"m\",\"input\":7}", "input"},
              {&dialect_openai_chat, "{\"model\":\"m\",\"messages\":\"hi\"}", "messages"},
              {&dialect_cohere_chat, "{\"model\":\"m\"}", "messages"},
              {&dialect_gemini, "{\"contents\":\"hi\"}", "contents"},
              {&dialect_gemini, "{\"contents\":[],\"generationConfig\":7}", "generationConfig"},
              {&dialect_gemini, "{\"contents\":[],\"generationConfig\":{\"maxOutputTokens\":\"7\"}}",
               "generationConfig.maxOutputTokens"},
              {&dialect_bedrock_converse, "{\"inferenceConfig\":{\"maxTokens\":-1}}", "inferenceConfig.maxTokens"}};
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct asked asked = {0};
    struct fault f;
    CHECK(!read_as(rows[i].dialect, rows[i].body, &asked, &f));
    CHECK_SLICE(slice_text(f.param), rows[i].field);
  }
}

TEST(what_the_path_said_stays) {
  struct asked asked = {.model = SLICE("from/the-path"), .stream = true, .framing = FRAMING_JSON_ARRAY};
  struct fault f;
  CHECK(read_as(&dialect_gemini, "{\"contents\":[{\"parts\":[]}],\"model\":\"x\",\"stream\":false}", &asked, &f));
  CHECK_SLICE(asked.model, "from/the-path");
  CHECK(asked.stream && asked.framing == FRAMING_JSON_ARRAY && asked.model_raw.ptr == NULL);
  arena_done(&arena);
}

UNIT_MAIN()
