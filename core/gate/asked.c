/* asked: see the header. Any thread. */
#include "gate/asked.h"

#include <stdio.h>

#include "gate/account/attached.h"
#include "wire/json.h"
#include "wire/multipart.h"

enum { MODEL_BYTES_MAX = 256 };

static bool invalid(struct fault *f, struct slice field, const char *why) {
  fault_set(f, FAULT_FIELD_INVALID, "`%.*s` %s", (int)field.len, field.ptr, why);
  snprintf(f->param, sizeof f->param, "%.*s", (int)field.len, field.ptr);
  return false;
}

bool asked_model_fits(struct slice model, struct fault *f) {
  if (model.len == 0) return invalid(f, SLICE("model"), "is empty.");
  if (model.len > MODEL_BYTES_MAX) return invalid(f, SLICE("model"), "is longer than 256 bytes.");
  for (size_t i = 0; i < model.len; i++)
    if ((unsigned char)model.ptr[i] < 0x20 || model.ptr[i] == 0x7f)
      return invalid(f, SLICE("model"), "holds a control character.");
  return true;
}

static bool read_model(struct arena *arena, const struct json_field *model, struct asked *out, struct fault *f) {
  if (model->raw.ptr == NULL)
    return invalid(f, model->key, "is missing; name a route, a provider/model, or a known model.");
  if (model->kind != JSON_STRING) return invalid(f, model->key, "must be a string.");
  if (model->raw.len > MODEL_BYTES_MAX + 2) return invalid(f, model->key, "is longer than 256 bytes.");
  /* Decoded into the arena: the record is written when the body may be gone. */
  char *decoded = arena_alloc(arena, model->raw.len);
  size_t len = 0;
  if (!json_unquote(model->raw, decoded, &len)) return invalid(f, model->key, "must be a string.");
  out->model = slice_of(decoded, len);
  out->model_raw = model->raw;
  return asked_model_fits(out->model, f);
}

static bool read_limit(const struct request_shape *shape, const struct json_field *limit, struct asked *out,
                       struct fault *f) {
  struct slice raw = limit->raw;
  if (raw.ptr == NULL || limit->kind == JSON_NULL) return true;
  if (shape->limit_path[0] != NULL) {
    if (limit->kind != JSON_OBJECT) return invalid(f, limit->key, "must be an object.");
    raw = json_find(raw, shape->limit_path);
    if (raw.ptr == NULL || slice_eq(raw, SLICE("null"))) return true;
    if (json_to_u64(raw, &out->max_tokens)) return true;
    char name[96];
    int len = snprintf(name, sizeof name, "%.*s.%s", (int)limit->key.len, limit->key.ptr, shape->limit_path[0]);
    return invalid(f, slice_of(name, (size_t)len), "must be a whole number of at least 0.");
  }
  return json_to_u64(raw, &out->max_tokens) || invalid(f, limit->key, "must be a whole number of at least 0.");
}

static bool read_stream_options(const struct json_field *options, struct asked *out, struct fault *f) {
  static const char *const path[] = {"include_usage", NULL};
  if (options->raw.ptr == NULL) return true;
  if (options->kind != JSON_OBJECT && options->kind != JSON_NULL) return invalid(f, options->key, "must be an object.");
  out->stream_options_raw = options->raw;
  if (options->kind == JSON_OBJECT) out->usage_event = slice_eq(json_find(options->raw, path), SLICE("true"));
  return true;
}

static bool messages_fit(const struct request_shape *shape, const struct json_field *messages, struct fault *f) {
  if (shape->messages_any) return true;
  if (messages->raw.ptr == NULL) return shape->messages_optional || invalid(f, messages->key, "is missing.");
  if (messages->kind == JSON_ARRAY) return true;
  if (shape->messages_may_be_text)
    return messages->kind == JSON_STRING || invalid(f, messages->key, "must be a string or an array.");
  return invalid(f, messages->key, "must be an array.");
}

bool asked_read(const struct request_shape *shape, struct arena *arena, struct slice body, struct asked *out,
                struct fault *f) {
  struct json_field fields[ASKED_FIELDS];
  for (unsigned i = 0; i < ASKED_FIELDS; i++) fields[i] = (struct json_field){.key = shape->fields[i]};
  struct json_fault fault = {0};
  if (!json_scan(body, fields, ASKED_FIELDS, &fault)) {
    fault_set(f, FAULT_BAD_JSON, "The body is not valid JSON at byte %zu: %s.", fault.at,
              fault.why ? fault.why : "unreadable");
    return false;
  }
  /* A name that the protocol has not is empty, and a body may well have a field "". */
  for (unsigned i = 0; i < ASKED_FIELDS; i++)
    if (fields[i].key.len == 0) fields[i].raw = slice_of(NULL, 0);
  bool needs_model =
      shape->fields[ASKED_MODEL].len > 0 && (fields[ASKED_MODEL].raw.ptr != NULL || !shape->model_optional);
  if (needs_model && !read_model(arena, &fields[ASKED_MODEL], out, f)) return false;
  const struct json_field *stream = &fields[ASKED_STREAM];
  if (stream->raw.ptr != NULL && stream->kind != JSON_TRUE && stream->kind != JSON_FALSE && stream->kind != JSON_NULL)
    return invalid(f, stream->key, "must be true or false.");
  if (stream->raw.ptr != NULL) out->stream = stream->kind == JSON_TRUE;
  if (!messages_fit(shape, &fields[ASKED_MESSAGES], f)) return false;
  const struct json_field *other = &fields[ASKED_OTHER_LIMIT];
  if (!read_limit(shape, other->raw.ptr ? other : &fields[ASKED_LIMIT], out, f)) return false;
  if (!read_stream_options(&fields[ASKED_STREAM_OPTIONS], out, f)) return false;
  size_t messages = fields[ASKED_MESSAGES].raw.len, tools = fields[ASKED_TOOLS].raw.len;
  out->message_bytes = (uint32_t)messages;
  struct attached attached = attached_measure(fields[ASKED_MESSAGES].raw);
  out->attached_tokens = (uint32_t)attached.tokens;
  out->text_bytes = (uint32_t)(messages + fields[ASKED_SYSTEM].raw.len - attached.bytes);
  out->tool_bytes = (uint32_t)tools;
  out->prompt_tokens = (out->text_bytes + out->tool_bytes) / 4 + out->attached_tokens;
  out->has_tools = tools > 2;
  out->input_raw = fields[ASKED_MESSAGES].raw;
  out->previous_raw = fields[ASKED_PREVIOUS].raw;
  out->not_stored = fields[ASKED_STORE].raw.ptr != NULL && fields[ASKED_STORE].kind == JSON_FALSE;
  return true;
}

bool asked_read_form(struct arena *arena, struct slice content_type, struct slice body, struct asked *out,
                     struct fault *f) {
  struct multipart form;
  struct multipart_part part;
  enum multipart_verdict verdict = MULTIPART_BROKEN;
  if (multipart_begin(&form, content_type, body)) {
    while ((verdict = multipart_next(&form, &part)) == MULTIPART_PART) {
      if (slice_eq(part.name, SLICE("stream"))) out->stream = slice_eq(part.value, SLICE("true"));
      if (!slice_eq(part.name, SLICE("model"))) continue;
      if (out->model_raw.ptr != NULL) return invalid(f, part.name, "is there twice.");
      out->model_raw = part.value;
      out->model_is_plain = true;
    }
  }
  if (verdict == MULTIPART_BROKEN) {
    fault_set(f, FAULT_BAD_FORM, "The body is no form: %s.", form.why);
    return false;
  }
  if (out->model_raw.ptr == NULL) return true;
  out->model = arena_copy(arena, out->model_raw);
  return asked_model_fits(out->model, f);
}

uint64_t asked_characters(const struct request_shape *shape, struct slice body) {
  struct json_field text = {.key = shape->fields[ASKED_MESSAGES]};
  struct json_fault fault;
  uint64_t count = 0;
  if (!json_scan(body, &text, 1, &fault) || text.raw.ptr == NULL || text.kind != JSON_STRING) return 0;
  struct buf decoded = {0};
  if (json_unquote(text.raw, buf_reserve(&decoded, text.raw.len), &decoded.len))
    for (size_t i = 0; i < decoded.len; i++) count += ((unsigned char)decoded.ptr[i] & 0xc0) != 0x80;
  buf_done(&decoded);
  return count;
}
