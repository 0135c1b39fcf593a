/* dialect: the rows, and what all of them share. Any thread. */
#include "gate/dialect.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/must.h"

static const struct dialect *const rows[DIALECT_COUNT] = {
    [DIALECT_OPENAI_CHAT] = &dialect_openai_chat,
    [DIALECT_ANTHROPIC_MESSAGES] = &dialect_anthropic_messages,
};

const struct dialect *dialect_of(enum dialect_id id) {
  must(id < DIALECT_COUNT);
  return rows[id];
}

const struct dialect *dialect_named(struct slice name) {
  for (unsigned i = 0; i < DIALECT_COUNT; i++)
    if (slice_eq(slice_text(rows[i]->name), name)) return rows[i];
  return NULL;
}

enum dialect_id dialect_index(const struct dialect *d) {
  unsigned i = 0;
  while (rows[i] != d) must(++i < DIALECT_COUNT);
  return (enum dialect_id)i;
}

const struct dialect *dialect_for_path(struct slice path) {
  for (unsigned i = 0; i < DIALECT_COUNT; i++)
    if (slice_starts(path, rows[i]->client_path)) return rows[i];
  return &dialect_openai_chat;
}

const char *finish_reason_name(enum finish_reason reason) {
  static const char *const names[] = {"", "stop", "length", "tool_calls", "refusal", "pause", "other"};
  return names[reason];
}

static bool invalid(struct fault *f, const char *field, const char *why) {
  fault_set(f, FAULT_FIELD_INVALID, "`%s` %s", field, why);
  snprintf(f->param, sizeof f->param, "%s", field);
  return false;
}

bool dialect_read_request(const struct dialect *d, struct arena *arena, struct slice body, struct asked *out,
                          struct fault *f) {
  enum { MODEL, STREAM, STREAM_OPTIONS, MAX_TOKENS, MAX_COMPLETION_TOKENS, MESSAGES, SYSTEM, TOOLS, FIELDS };
  struct json_field fields[FIELDS] = {
      [MODEL] = {.key = SLICE_INIT("model")},
      [STREAM] = {.key = SLICE_INIT("stream")},
      [STREAM_OPTIONS] = {.key = SLICE_INIT("stream_options")},
      [MAX_TOKENS] = {.key = SLICE_INIT("max_tokens")},
      [MAX_COMPLETION_TOKENS] = {.key = SLICE_INIT("max_completion_tokens")},
      [MESSAGES] = {.key = SLICE_INIT("messages")},
      [SYSTEM] = {.key = SLICE_INIT("system")},
      [TOOLS] = {.key = SLICE_INIT("tools")},
  };
  struct json_fault fault = {0};
  if (!json_scan(body, fields, FIELDS, &fault)) {
    fault_set(f, FAULT_BAD_JSON, "The body is not valid JSON at byte %zu: %s.", fault.at,
              fault.why ? fault.why : "unreadable");
    return false;
  }
  *out = (struct asked){0};
  const struct json_field *model = &fields[MODEL];
  if (model->raw.ptr == NULL)
    return invalid(f, "model", "is missing; name a route, a provider/model, or a known model.");
  if (model->kind != JSON_STRING) return invalid(f, "model", "must be a string.");
  if (model->raw.len > 258) return invalid(f, "model", "is longer than 256 bytes.");
  /* Decoded into the arena: the record is written when the body may be gone. */
  char *decoded = arena_alloc(arena, model->raw.len);
  size_t len = 0;
  if (!json_unquote(model->raw, decoded, &len)) return invalid(f, "model", "must be a string.");
  out->model = slice_of(decoded, len);
  if (out->model.len == 0) return invalid(f, "model", "is empty.");
  for (size_t i = 0; i < out->model.len; i++)
    if ((unsigned char)out->model.ptr[i] < 0x20 || out->model.ptr[i] == 0x7f)
      return invalid(f, "model", "holds a control character.");
  out->model_raw = model->raw;

  const struct json_field *stream = &fields[STREAM];
  if (stream->raw.ptr != NULL && stream->kind != JSON_TRUE && stream->kind != JSON_FALSE && stream->kind != JSON_NULL)
    return invalid(f, "stream", "must be true or false.");
  out->stream = stream->raw.ptr != NULL && stream->kind == JSON_TRUE;
  if (fields[MESSAGES].raw.ptr == NULL) return invalid(f, "messages", "is missing.");
  if (fields[MESSAGES].kind != JSON_ARRAY) return invalid(f, "messages", "must be an array.");

  const struct json_field *limit =
      fields[MAX_COMPLETION_TOKENS].raw.ptr ? &fields[MAX_COMPLETION_TOKENS] : &fields[MAX_TOKENS];
  if (limit->raw.ptr != NULL && limit->kind != JSON_NULL && !json_to_u64(limit->raw, &out->max_tokens))
    return invalid(f, limit->key.ptr, "must be a whole number of at least 0.");
  const struct json_field *options = &fields[STREAM_OPTIONS];
  if (d == &dialect_openai_chat && options->raw.ptr != NULL) {
    if (options->kind != JSON_OBJECT && options->kind != JSON_NULL)
      return invalid(f, "stream_options", "must be an object.");
    out->stream_options_raw = options->raw;
    static const char *const path[] = {"include_usage", NULL};
    if (options->kind == JSON_OBJECT) out->usage_event = slice_eq(json_find(options->raw, path), SLICE("true"));
  }
  size_t prompt_bytes = fields[MESSAGES].raw.len + fields[SYSTEM].raw.len + fields[TOOLS].raw.len;
  out->message_bytes = (uint32_t)fields[MESSAGES].raw.len;
  out->prompt_tokens = (uint32_t)(prompt_bytes / 4);
  out->has_tools = fields[TOOLS].raw.len > 2;
  return true;
}
