/* endpoint: which row a path finds, what it says of the request, and paths that lead nowhere. */
#include "gate/endpoint.h"

#include "check.h"
#include "gate/attempt/provider_path.h"
#include "wire/url.h"

static struct arena arena;

static const struct endpoint *find(const char *path, const char *header) {
  struct http_head head = {.path = slice_text(path)};
  if (header != NULL) head.headers[head.header_count++] = (struct http_header){slice_text(header), SLICE("x")};
  return endpoint_of(&head);
}

TEST(paths_find_their_rows) {
  static const struct {
    const char *path, *header;
    enum operation operation;
    enum dialect_id dialect;
  } rows[] = {{"/v1/chat/completions", NULL, OPERATION_CHAT, DIALECT_OPENAI_CHAT},
              {"/v1/messages", NULL, OPERATION_CHAT, DIALECT_ANTHROPIC_MESSAGES},
              {"/v1/responses", NULL, OPERATION_CHAT, DIALECT_OPENAI_RESPONSES},
              {"/v2/chat", NULL, OPERATION_CHAT, DIALECT_COHERE_CHAT},
              {"/v1beta/models/m:generateContent", NULL, OPERATION_CHAT, DIALECT_GEMINI},
              {"/v1/models/a/b:streamGenerateContent", NULL, OPERATION_CHAT, DIALECT_GEMINI},
              {"/model/a%2Fb:1/converse", NULL, OPERATION_CHAT, DIALECT_BEDROCK_CONVERSE},
              {"/v1/responses/input_tokens", NULL, OPERATION_COUNT_TOKENS, DIALECT_OPENAI_RESPONSES},
              {"/v1/responses/resp_1/cancel", NULL, OPERATION_RESPONSES, DIALECT_OPENAI_RESPONSES},
              {"/v1/messages/batches", NULL, OPERATION_BATCHES, DIALECT_ANTHROPIC_MESSAGES},
              {"/v1/files/f", NULL, OPERATION_FILES, DIALECT_OPENAI_CHAT},
              {"/v1/files/f", "anthropic-version", OPERATION_FILES, DIALECT_ANTHROPIC_MESSAGES},
              {"/v1/models", NULL, OPERATION_MODELS, DIALECT_OPENAI_CHAT},
              {"/v1/models", "anthropic-version", OPERATION_MODELS, DIALECT_ANTHROPIC_MESSAGES},
              {"/v1/models/a", "x-goog-api-key", OPERATION_MODEL, DIALECT_GEMINI},
              {"/providers/p/x", NULL, OPERATION_RAW, DIALECT_OPENAI_CHAT},
              {"/v1beta/models/:generateContent", NULL, OPERATION_MODEL, DIALECT_GEMINI},
              {"/model//converse", NULL, OPERATION_NONE, DIALECT_BEDROCK_CONVERSE},
              {"/v1/messages/nothing", NULL, OPERATION_NONE, DIALECT_ANTHROPIC_MESSAGES},
              {"/v2/x", NULL, OPERATION_NONE, DIALECT_COHERE_CHAT},
              {"/v1beta/x", NULL, OPERATION_NONE, DIALECT_GEMINI},
              {"/v1/chat/completions/x", NULL, OPERATION_NONE, DIALECT_OPENAI_CHAT},
              {"", NULL, OPERATION_NONE, DIALECT_OPENAI_CHAT}};
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    const struct endpoint *e = find(rows[i].path, rows[i].header);
    if (e->operation != rows[i].operation || e->dialect != rows[i].dialect) fprintf(stderr, "%s\n", rows[i].path);
    CHECK_INT(e->operation, rows[i].operation);
    CHECK_INT(e->dialect, rows[i].dialect);
    CHECK_INT(endpoint_for_path(slice_text(rows[i].path))->operation, OPERATION_NONE);
  }
}

static bool read_path(const char *path, const char *query, struct asked *out) {
  struct http_head head = {.path = slice_text(path), .query = slice_text(query)};
  struct fault f = {0};
  *out = (struct asked){0};
  bool ok = endpoint_read_path(endpoint_of(&head), &arena, &head, out, &f);
  CHECK(ok || f.text[0] != '\0');
  return ok;
}

TEST(paths_say_model_stream_and_framing) {
  struct asked a;
  CHECK(read_path("/v1beta/models/up%2Fm%3A1:generateContent", "alt=sse", &a));
  CHECK_SLICE(a.model, "up/m:1");
  CHECK(!a.stream);
  CHECK(read_path("/v1beta/models/m:streamGenerateContent", "key=k&alt=sse", &a));
  CHECK(a.stream && a.framing == FRAMING_SSE);
  CHECK(read_path("/v1/models/m:streamGenerateContent", "alt=json", &a));
  CHECK(a.stream && a.framing == FRAMING_JSON_ARRAY);
  CHECK(read_path("/model/arn%3Aaws%3Ax%2Fy/converse-stream", "", &a));
  CHECK_SLICE(a.model, "arn:aws:x/y");
  CHECK(a.stream && a.framing == FRAMING_AWS_EVENTS);
  CHECK(read_path("/v1/chat/completions", "alt=sse", &a) && a.model.ptr == NULL && !a.stream);
  static const char *const bad[] = {"/model/a%00b/converse", "/model/a%zz/converse", "/model/a%0d%0ab/converse",
                                    "/providers/p/../x", "/v1/files/%2e%2e/x"};
  for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) CHECK(!read_path(bad[i], "", &a));
  char longest[400] = "/model/";
  memset(longest + 7, 'm', 300);
  strcpy(longest + 307, "/converse");
  CHECK(!read_path(longest, "", &a));
  arena_done(&arena);
  arena_init(&arena);
}

TEST(provider_paths) {
  static const struct {
    const char *template, *model, *query, *path; /* path NULL: refused */
  } rows[] = {{"/chat/completions", "a?b", "", "/chat/completions"},
              {"/models/{model}:streamGenerateContent", "m", "alt=sse", "/models/m:streamGenerateContent?alt=sse"},
              {"/d/{model}/c?v=1", "a/b:c d\xc3\xa9", "x=y", NULL},
              {"/d/{model}/c?v=1", "a/b:c\xc3\xa9", "x=y", "/d/a%2Fb%3Ac%C3%A9/c?v=1&x=y"},
              {"/model/{model}/converse", "..", "", NULL},
              {"/model/{model}/converse", "a/../b", "", NULL},
              {"/model/{model}/converse", "a/.", "", NULL},
              {"/model/{model}/converse", "a?b", "", NULL},
              {"/model/{model}/converse", "a#b", "", NULL},
              {"/model/{model}/converse", "a%2e", "", NULL},
              {"/model/{model}/converse", "a\\b", "", NULL},
              {"/model/{model}/converse", "a...b", "", "/model/a...b/converse"}};
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct buf out = {0};
    bool ok =
        provider_path_put(&out, slice_text(rows[i].template), slice_text(rows[i].model), slice_text(rows[i].query));
    CHECK_INT(ok, rows[i].path != NULL);
    if (ok && rows[i].path) CHECK_SLICE(buf_view(&out), rows[i].path);
    buf_done(&out);
  }
}

TEST(paths_that_stay_inside) {
  static const char *const inside[] = {"", "a", "a/b%20c", "a..b/..c", "a%2Fb", "...", "%41"};
  static const char *const outside[] = {".",        "..",         "a/..",   "../a",         "a/./b",    "%2e%2e",
                                        "a/%2E./b", "%252e%252e", "..%2Fa", "a%5c..",       "a\\..\\b", "%",
                                        "a%0",      "a%00",       "%2500",  "%25252525252e"};
  for (unsigned i = 0; i < sizeof inside / sizeof *inside; i++) CHECK(url_stays_inside(slice_text(inside[i])));
  for (unsigned i = 0; i < sizeof outside / sizeof *outside; i++) {
    bool stays = url_stays_inside(slice_text(outside[i]));
    if (stays) fprintf(stderr, "path %u\n", i);
    CHECK(!stays);
  }
}

TEST(the_manual_names_every_endpoint) {
  struct buf out = {0};
  endpoint_reference(&out);
  CHECK(slice_find(buf_view(&out), SLICE("| POST | `/v1beta/models/{model}:embedContent` | embeddings | gemini |")) >
        0);
  CHECK(slice_find(buf_view(&out), SLICE("| any | `/providers/…` | raw |")) > 0);
  CHECK(slice_find(buf_view(&out), SLICE("`/v1/files/…` with `anthropic-version` |")) > 0);
  buf_done(&out);
}

UNIT_MAIN()
