/* endpoint: the table, and its look-up: a short list of comparisons, of lengths first. Any thread. */
#include "gate/endpoint.h"

#include <stdio.h>

#include "wire/url.h"

/* ---- bodies of what is no chat ---------------------------------------------------------------------------------- */

#define MODEL_FIELDS [ASKED_MODEL] = SLICE_INIT("model"), [ASKED_STREAM] = SLICE_INIT("stream")

static const struct request_shape
    input_shape = {.fields = {MODEL_FIELDS, [ASKED_MESSAGES] = SLICE_INIT("input")},
                   .model_optional = true,
                   .messages_any = true},
    prompt_shape = {.fields = {MODEL_FIELDS, [ASKED_STREAM_OPTIONS] = SLICE_INIT("stream_options"),
                               [ASKED_LIMIT] = SLICE_INIT("max_tokens"), [ASKED_MESSAGES] = SLICE_INIT("prompt")},
                    .model_optional = true,
                    .messages_any = true},
    texts_shape = {.fields = {[ASKED_MODEL] = SLICE_INIT("model"),
                              [ASKED_MESSAGES] = SLICE_INIT("texts"),
                              [ASKED_SYSTEM] = SLICE_INIT("inputs")},
                   .messages_any = true},
    documents_shape = {.fields = {[ASKED_MODEL] = SLICE_INIT("model"),
                                  [ASKED_MESSAGES] = SLICE_INIT("documents"),
                                  [ASKED_SYSTEM] = SLICE_INIT("query")},
                       .messages_any = true},
    messages_shape = {.fields = {[ASKED_MODEL] = SLICE_INIT("model"),
                                 [ASKED_MESSAGES] = SLICE_INIT("messages"),
                                 [ASKED_SYSTEM] = SLICE_INIT("system"),
                                 [ASKED_TOOLS] = SLICE_INIT("tools")}},
    content_shape = {.fields = {[ASKED_MESSAGES] = SLICE_INIT("requests"), [ASKED_SYSTEM] = SLICE_INIT("content")},
                     .messages_any = true};

static const struct endpoint rows[] = {
#define FIXED(is, in, with, takes, path, model, body, at)                                                              \
  {.operation = OPERATION_##is,                                                                                        \
   .dialect = DIALECT_##in,                                                                                            \
   .header = SLICE_INIT(with),                                                                                         \
   .method = SLICE_INIT(takes),                                                                                        \
   .before = SLICE_INIT(path),                                                                                         \
   .place = MODEL_##model,                                                                                             \
   .shape = body,                                                                                                      \
   .provider = SLICE_INIT(at)},
#define NAMED(is, in, start, end, always_streams, framed, body, at)                                                    \
  {.operation = OPERATION_##is,                                                                                        \
   .dialect = DIALECT_##in,                                                                                            \
   .method = SLICE_INIT("POST"),                                                                                       \
   .before = SLICE_INIT(start),                                                                                        \
   .after = SLICE_INIT(end),                                                                                           \
   .place = MODEL_IN_PATH,                                                                                             \
   .streams = always_streams,                                                                                          \
   .framing = FRAMING_##framed,                                                                                        \
   .shape = body,                                                                                                      \
   .provider = SLICE_INIT(at)},
#define BELOW(is, in, with, start, at)                                                                                 \
  {.operation = OPERATION_##is,                                                                                        \
   .dialect = DIALECT_##in,                                                                                            \
   .header = SLICE_INIT(with),                                                                                         \
   .before = SLICE_INIT(start),                                                                                        \
   .below = true,                                                                                                      \
   .place = MODEL_NOWHERE,                                                                                             \
   .provider = SLICE_INIT(at)},
#define NAMED_MODEL(in, with, start)                                                                                   \
  {.operation = OPERATION_MODEL,                                                                                       \
   .dialect = DIALECT_##in,                                                                                            \
   .header = SLICE_INIT(with),                                                                                         \
   .method = SLICE_INIT("GET"),                                                                                        \
   .before = SLICE_INIT(start),                                                                                        \
   .place = MODEL_IN_PATH},
#include "gate/endpoint_table.h"
#undef FIXED
#undef NAMED
#undef BELOW
#undef NAMED_MODEL
};

enum { ROWS = sizeof rows / sizeof *rows };

/* ---- look-up ---------------------------------------------------------------------------------------------------- */

static bool fits(const struct endpoint *e, struct slice path) {
  if (e->place != MODEL_IN_PATH && !e->below) return slice_eq(path, e->before);
  return path.len > e->before.len + e->after.len && slice_starts(path, e->before) && slice_ends(path, e->after);
}

/* Nothing is there, and this dialect says so. */
static const struct endpoint nothing[DIALECT_COUNT] = {
    [DIALECT_OPENAI_CHAT] = {.operation = OPERATION_NONE, .dialect = DIALECT_OPENAI_CHAT},
    [DIALECT_OPENAI_RESPONSES] = {.operation = OPERATION_NONE, .dialect = DIALECT_OPENAI_RESPONSES},
    [DIALECT_ANTHROPIC_MESSAGES] = {.operation = OPERATION_NONE, .dialect = DIALECT_ANTHROPIC_MESSAGES},
    [DIALECT_GEMINI] = {.operation = OPERATION_NONE, .dialect = DIALECT_GEMINI},
    [DIALECT_COHERE_CHAT] = {.operation = OPERATION_NONE, .dialect = DIALECT_COHERE_CHAT},
    [DIALECT_BEDROCK_CONVERSE] = {.operation = OPERATION_NONE, .dialect = DIALECT_BEDROCK_CONVERSE},
};

const struct endpoint *endpoint_for_path(struct slice path) {
  for (unsigned i = 0; i < ROWS; i++)
    if (rows[i].header.len == 0 && fits(&rows[i], path)) return &nothing[rows[i].dialect];
  for (enum dialect_id i = 0; i < DIALECT_COUNT; i++) {
    struct slice prefix = dialect_of(i)->path_prefix;
    if (prefix.len > 0 && slice_starts(path, prefix)) return &nothing[i];
  }
  return &nothing[DIALECT_OPENAI_CHAT];
}

const struct endpoint *endpoint_of(const struct http_head *head) {
  for (unsigned i = 0; i < ROWS; i++) {
    const struct endpoint *e = &rows[i];
    if (fits(e, head->path) && (e->header.len == 0 || http_header_of(head, e->header).ptr != NULL)) return e;
  }
  return endpoint_for_path(head->path);
}

/* ---- what a path holds ------------------------------------------------------------------------------------------ */

struct slice endpoint_rest(const struct endpoint *e, struct slice path) {
  return slice_from(path, e->before.len);
}

static bool wrong_path(struct fault *f, const char *what) {
  fault_set(f, FAULT_FIELD_INVALID,
            "%s in the path has a broken escape, a control character, or leads out of its place.", what);
  snprintf(f->param, sizeof f->param, "path");
  return false;
}

bool endpoint_read_path(const struct endpoint *e, struct arena *arena, const struct http_head *head, struct asked *out,
                        struct fault *f) {
  struct slice path = head->path;
  if (e->below) return url_stays_inside(endpoint_rest(e, path)) || wrong_path(f, "A part");
  if (e->place != MODEL_IN_PATH) return true;
  struct slice escaped = slice_of(path.ptr + e->before.len, path.len - e->before.len - e->after.len);
  char *decoded = arena_alloc(arena, escaped.len + 1);
  size_t len = 0;
  if (!url_decode(escaped, decoded, &len)) {
    wrong_path(f, "The model");
    snprintf(f->param, sizeof f->param, "model");
    return false;
  }
  out->model = slice_of(decoded, len);
  out->stream = e->streams;
  out->framing = e->framing;
  if (e->framing == FRAMING_JSON_ARRAY && slice_eq(http_query_of(head->query, SLICE("alt")), SLICE("sse")))
    out->framing = FRAMING_SSE;
  return asked_model_fits(out->model, f);
}

void endpoint_reference(struct buf *out) {
  static const char *const places[] = {
      [MODEL_IN_BODY] = "body", [MODEL_IN_PATH] = "path", [MODEL_IN_FORM] = "form field", [MODEL_NOWHERE] = "–"};
  buf_text(out,
           "| method | path | operation | dialect | model | also translated to |\n| --- | --- | --- | --- | --- | --- "
           "|\n");
  for (unsigned i = 0; i < ROWS; i++) {
    const struct endpoint *e = &rows[i];
    buf_fill(out, "| %s | `%s%s%s`%s%s%s | %s | %s | %s | ", e->method.len > 0 ? e->method.ptr : "any", e->before.ptr,
             e->below                    ? "…"
             : e->place == MODEL_IN_PATH ? "{model}"
                                         : "",
             e->after.len > 0 ? e->after.ptr : "", e->header.len > 0 ? " with `" : "",
             e->header.len > 0 ? e->header.ptr : "", e->header.len > 0 ? "`" : "", operation_row(e->operation)->name,
             dialect_of(e->dialect)->name, places[e->place]);
    unsigned count = 0;
    for (enum dialect_id d = 0; d < DIALECT_COUNT; d++) {
      if (operation_is_shared(e->operation, dialect_of(e->dialect), dialect_of(d))) continue;
      if (e->operation != OPERATION_CHAT && operation_path(e->operation, dialect_of(d)).len == 0) continue;
      buf_fill(out, "%s%s", count++ ? ", " : "", dialect_of(d)->name);
    }
    buf_text(out, count > 0 ? " |\n" : "– |\n");
  }
}
