/* delta: which events of each dialect are one more piece and nothing else. That streams come out the same with and
 * without is tested by tests/lua/dialects/passage_spec.lua. */
#include "check.h"

#include "gate/dialect/dialect.h"

/* "kind place part piece rest"; "-": the event must be read as a whole. */
static const char *delta_of(const struct dialect *d, const char *name, const char *json) {
  static const char *const kinds[] = {"text", "thinking", "arguments"};
  static char out[512];
  struct buf event = padded(json);
  struct stream_event e = {.name = slice_text(name), .data = buf_view(&event), .has_data = true};
  struct delta found = {.raw = {NULL, 0}};
  snprintf(out, sizeof out, "-");
  if (d->read_delta(&e, &found))
    snprintf(out, sizeof out, "%s %d %d %.*s%s%.*s", kinds[found.kind], (int)found.place, (int)found.part,
             (int)found.raw.len, found.raw.ptr, found.rest.len > 0 ? " " : "", (int)found.rest.len,
             found.rest.ptr ? found.rest.ptr : "");
  buf_done(&event);
  return out;
}

#define IS(name, json, expected) CHECK_SLICE(slice_text(delta_of(d, name, json)), expected)
#define NONE(name, json) IS(name, json, "-")

#define CHUNK(choice) "{\"id\":\"c\",\"choices\":[{" choice "}],\"usage\":null}"
#define PIECE(delta) CHUNK("\"index\":0,\"delta\":{" delta "},\"finish_reason\":null")
#define CALL(call) PIECE("\"tool_calls\":[{" call "}]")

TEST(chat_texts) {
  const struct dialect *d = &dialect_openai_chat;
  IS("", PIECE("\"content\":\" a\\n\""), "text 0 0 \" a\\n\"");
  IS("", CHUNK("\"delta\" : { \"content\" :\n \"b\" }"), "text 0 0 \"b\"");
  IS("", CHUNK("\"index\":0,\"logprobs\":null,\"delta\":{\"content\":\"}\"}"), "text 0 0 \"}\"");
  IS("", PIECE("\"role\":\"assistant\",\"content\":\"a\",\"refusal\":null,\"tool_calls\":[]"), "text 0 0 \"a\"");
  IS("", PIECE("\"content\":\"a\",\"reasoning_content\":null,\"token_id\":7,\"audio\":null"), "text 0 0 \"a\"");
  IS("", "{\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":{\"prompt_tokens\":1}}",
     "text 0 0 \"a\" {\"prompt_tokens\":1}");
  NONE("", "{\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":[]}");
  NONE("error", PIECE("\"content\":\"a\""));
  static const char *const others[] = {
      PIECE("\"content\":\"\""),
      PIECE("\"content\":null"),
      PIECE("\"content\":[{\"type\":\"text\"}]"),
      PIECE("\"content\":\"a\",\"content\":\"b\""),
      PIECE("\"content\":\"a\",\"refusal\":\"b\""),
      PIECE("\"content\":\"a\",\"function_call\":{}"),
      PIECE("\"content\":\"a\",\"annotations\":[{}]"),
      PIECE("\"content\":\"a\",\"audio\":{}"),
      PIECE("\"content\":\"a\",\"thinking_blocks\":[{}]"),
      PIECE("\"content\":\"a\",\"reasoning_content\":\"\""),
      PIECE("\"content\":\"a\",\"reasoning_content\":\"b\""),
      PIECE("\"content\":\"a\",\"reasoning_details\":[{\"type\":\"reasoning.text\"}]"),
      PIECE("\"content\":\"a\",\"re\\u0066usal\":\"b\""),
      CHUNK("\"index\":1,\"delta\":{\"content\":\"a\"}"),
      CHUNK("\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\""),
      CHUNK("\"index\":0,\"delta\":{\"content\":\"a\"},\"logprobs\":{\"content\":[]}"),
      CHUNK("\"index\":0,\"delta\":{\"content\":\"a\"}},{\"index\":1,\"delta\":{\"content\":\"b\"}"),
      "{\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"error\":{\"message\":\"x\"}}",
      "{\"choices\":[]}",
      "[DONE]",
      "",
  };
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) NONE("", others[i]);
}

TEST(chat_thoughts_and_calls) {
  const struct dialect *d = &dialect_openai_chat;
  IS("", PIECE("\"reasoning_content\":\"a\",\"content\":null"), "thinking 0 0 \"a\"");
  IS("", PIECE("\"content\":\"\",\"reasoning\":\"a\",\"channel\":\"analysis\""), "thinking 0 0 \"a\"");
  IS("",
     PIECE(
         "\"reasoning\":\"a\",\"reasoning_details\":[{\"type\":\"reasoning.text\",\"text\":\"a\",\"signature\":null}]"),
     "thinking 0 0 \"a\"");
  NONE("", PIECE("\"reasoning\":\"a\",\"reasoning_details\":[{\"type\":\"reasoning.text\",\"signature\":\"s\"}]"));
  NONE("", PIECE("\"reasoning\":\"a\",\"reasoning_details\":[{\"type\":\"reasoning.encrypted\",\"data\":\"s\"}]"));
  NONE("", PIECE("\"reasoning\":\"a\",\"reasoning_content\":\"b\""));
  IS("", CALL("\"index\":2,\"function\":{\"arguments\":\"{\"}"), "arguments 2 0 \"{\"");
  IS("", CALL("\"id\":null,\"index\":0,\"type\":\"function\",\"function\":{\"name\":\"\",\"arguments\":\"1\"}"),
     "arguments 0 0 \"1\"");
  static const char *const others[] = {
      CALL("\"function\":{\"arguments\":\"1\"}"),
      CALL("\"index\":null,\"function\":{\"arguments\":\"1\"}"),
      CALL("\"index\":0,\"id\":\"c\",\"function\":{\"arguments\":\"1\"}"),
      CALL("\"index\":0,\"function\":{\"name\":\"f\",\"arguments\":\"1\"}"),
      CALL("\"index\":0,\"function\":{\"arguments\":\"\"}"),
      CALL("\"index\":0,\"function\":{\"arguments\":{}}"),
      CALL("\"index\":0,\"function\":{\"arguments\":\"1\"},\"custom\":{\"input\":\"x\"}"),
      CALL("\"index\":0,\"function\":{\"arguments\":\"1\"}},{\"index\":1,\"function\":{\"arguments\":\"1\"}"),
      PIECE("\"content\":\"a\",\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"1\"}}]"),
  };
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) NONE("", others[i]);
}

#define DELTA(delta) "{\"type\":\"content_block_delta\",\"index\":3,\"delta\":{" delta "}}"

TEST(messages) {
  const struct dialect *d = &dialect_anthropic_messages;
  IS("content_block_delta", DELTA("\"type\":\"text_delta\",\"text\":\" a\\\"\""), "text 0 0 \" a\\\"\"");
  IS("", DELTA(" \"text\": \"b\", \"type\": \"text_delta\" "), "text 0 0 \"b\"");
  IS("", DELTA("\"type\":\"thinking_delta\",\"thinking\":\"a\""), "thinking 0 0 \"a\"");
  IS("", DELTA("\"type\":\"input_json_delta\",\"partial_json\":\"{\""), "arguments 3 0 \"{\"");
  static const char *const others[] = {
      DELTA("\"type\":\"text_delta\",\"text\":\"\""),
      DELTA("\"type\":\"text_delta\",\"thinking\":\"a\""),
      DELTA("\"type\":\"signature_delta\",\"signature\":\"a\""),
      DELTA("\"type\":\"text_delta\",\"text\":\"a\",\"more\":1"),
      "{\"type\":\"content_block_start\",\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}",
      "{\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}",
      "{\"type\":\"ping\"}",
  };
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) NONE("", others[i]);
}

#define CANDIDATE(part, more)                                                                                          \
  "{\"candidates\":[{\"content\":{\"parts\":[" part "],\"role\":\"model\"},\"index\":0" more                           \
  "}],\"usageMetadata\":{\"promptTokenCount\":3},\"modelVersion\":\"m\"}"

TEST(gemini) {
  const struct dialect *d = &dialect_gemini;
  IS("", CANDIDATE("{\"text\":\"a\"}", ""), "text 0 0 \"a\" {\"promptTokenCount\":3}");
  IS("", CANDIDATE("{\"text\":\"a\",\"thought\":true}", ""), "thinking 0 0 \"a\" {\"promptTokenCount\":3}");
  IS("", "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}", "text 0 0 \"a\"");
  static const char *const others[] = {
      CANDIDATE("{\"text\":\"\"}", ""),
      CANDIDATE("{\"text\":\"a\",\"thoughtSignature\":\"s\"}", ""),
      CANDIDATE("{\"text\":\"a\"},{\"text\":\"b\"}", ""),
      CANDIDATE("{\"functionCall\":{\"name\":\"f\"}}", ""),
      CANDIDATE("", ""),
      CANDIDATE("{\"text\":\"a\"}", ",\"finishReason\":\"STOP\""),
      CANDIDATE("{\"text\":\"a\"}", ",\"groundingMetadata\":{}"),
      CANDIDATE("{\"text\":\"a\"}", "},{\"index\":1"),
      "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]},\"index\":1}]}",
      "{\"promptFeedback\":{},\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}",
  };
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) NONE("", others[i]);
}

#define COHERE(type, message) "{\"type\":\"" type "\",\"index\":1,\"delta\":{\"message\":{" message "}}}"

TEST(cohere) {
  const struct dialect *d = &dialect_cohere_chat;
  IS("content-delta", COHERE("content-delta", "\"content\":{\"text\":\"a\"}"), "text 0 0 \"a\"");
  IS("", COHERE("content-delta", "\"content\":{\"thinking\":\"a\"}"), "thinking 0 0 \"a\"");
  IS("", COHERE("tool-plan-delta", "\"tool_plan\":\"a\""), "thinking 0 1 \"a\"");
  IS("", COHERE("tool-call-delta", "\"tool_calls\":{\"function\":{\"arguments\":\"a\"}}"), "arguments 1 0 \"a\"");
  NONE("", COHERE("content-delta", "\"tool_plan\":\"a\""));
  NONE("", COHERE("content-start", "\"content\":{\"text\":\"a\"}"));
  NONE("", COHERE("content-delta", "\"content\":{\"text\":\"a\",\"thinking\":\"b\"}"));
  NONE("", COHERE("content-delta", "\"content\":{\"text\":\"a\"}}},\"logprobs\":{\"a\":{\"text\":\"a\""));
  NONE("", COHERE("tool-call-delta", "\"tool_calls\":{\"arguments\":\"a\"}"));
  NONE("", "{\"type\":\"content-delta\",\"delta\":{\"content\":{\"text\":\"a\"}}}");
}

TEST(bedrock) {
  const struct dialect *d = &dialect_bedrock_converse;
  const char *name = "contentBlockDelta";
  IS(name, "{\"contentBlockIndex\":2,\"delta\":{\"text\":\"a\"},\"p\":\"abcd\"}", "text 0 0 \"a\"");
  IS(name, "{\"contentBlockIndex\":2,\"delta\":{\"toolUse\":{\"input\":\"a\"}}}", "arguments 2 0 \"a\"");
  IS(name, "{\"contentBlockIndex\":2,\"delta\":{\"reasoningContent\":{\"text\":\"a\"}}}", "thinking 0 0 \"a\"");
  NONE("contentBlockStart", "{\"contentBlockIndex\":2,\"delta\":{\"text\":\"a\"}}");
  NONE(name, "{\"contentBlockIndex\":2,\"delta\":{\"reasoningContent\":{\"signature\":\"a\"}}}");
  NONE(name, "{\"contentBlockIndex\":2,\"delta\":{\"reasoningContent\":{\"toolUse\":{\"input\":\"a\"}}}}");
  NONE(name, "{\"contentBlockIndex\":2,\"delta\":{\"citation\":{}}}");
}

#define RESPONSES(kind, more)                                                                                          \
  "{\"type\":\"response." kind ".delta\",\"sequence_number\":9,\"output_index\":4" more ",\"delta\":\"a\"}"

TEST(responses) {
  const struct dialect *d = &dialect_openai_responses;
  IS("response.output_text.delta", RESPONSES("output_text", ",\"content_index\":0,\"logprobs\":[]"), "text 4 0 \"a\"");
  IS("", RESPONSES("function_call_arguments", ",\"obfuscation\":\"x\""), "arguments 4 0 \"a\"");
  IS("", RESPONSES("reasoning_summary_text", ",\"summary_index\":2"), "thinking 4 2 \"a\"");
  IS("", RESPONSES("reasoning_text", ",\"content_index\":0"), "thinking 4 -1 \"a\"");
  NONE("", RESPONSES("reasoning_text", ""));
  NONE("", RESPONSES("refusal", ""));
  NONE("", RESPONSES("output_text", ",\"logprobs\":[{}]"));
  NONE("", "{\"type\":\"response.output_text.delta\",\"delta\":\"a\"}");
}

TEST(what_is_no_json_is_no_piece) {
  const struct dialect *d = &dialect_anthropic_messages;
  const char *whole = DELTA("\"type\":\"text_delta\",\"text\":\"a\"");
  for (size_t len = strlen(whole) - 1; len > 0; len--) {
    char cut[128] = "";
    memcpy(cut, whole, len);
    NONE("", cut);
  }
  NONE("", DELTA("\"type\":\"text_delta\",\"text\":\"a\"") "}");
  NONE("", DELTA("\"type\":\"text_delta\",\"text\":\"\\x\""));
  NONE("", DELTA("\"type\":\"text_delta\",\"text\":\"\xff\""));
  NONE("", "{\"more\":01,"
           "\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}");
}

UNIT_MAIN()
