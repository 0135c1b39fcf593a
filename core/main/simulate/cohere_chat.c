/* simulate_cohere_chat: the row of cohere.chat, POST …/v2/chat. Pure; any thread. Shapes, field order and wording of
 * errors are those of api.cohere.com: the plan before calls, citations of the request's first document, tokens counted
 * beside what is billed for. It does NOT do logprobs or stop sequences. */
#include "main/simulate/dialect.h"
#include "main/simulate/json.h"
#include "main/simulate/openai.h"
#include "wire/json.h"

#define LITERAL(out, text) buf_append((out), (text), sizeof(text) - 1)

/* Tokens of the prompt's frame: seen by the model, never billed. */
enum { FRAME_TOKENS = 400, CITED_BYTES = 4 };

static bool read(struct slice body, const struct http_head *head, struct sim_ask *ask, struct sim_refusal *why) {
  enum { MODEL, MESSAGES, STREAM, TOOLS, CHOICE, FORMAT, MAX, DOCUMENTS, FIELDS };
  struct json_field f[FIELDS] = {{.key = SLICE("model")},       {.key = SLICE("messages")},
                                 {.key = SLICE("stream")},      {.key = SLICE("tools")},
                                 {.key = SLICE("tool_choice")}, {.key = SLICE("response_format")},
                                 {.key = SLICE("max_tokens")},  {.key = SLICE("documents")}};
  struct json_fault fault;
  (void)head;
  *why = (struct sim_refusal){.status = 400};
  if (!json_scan(body, f, FIELDS, &fault)) why->message = SLICE("invalid request: the body is not valid JSON");
  else if (f[MODEL].raw.ptr == NULL || f[MODEL].kind != JSON_STRING)
    why->message = SLICE("invalid request: model is required.");
  else if (f[MESSAGES].raw.ptr == NULL) why->message = SLICE("invalid request: messages are required.");
  else if (f[MESSAGES].kind != JSON_ARRAY)
    why->message = SLICE("invalid request: messages must be a list of messages.");
  if (why->message.len > 0) return false;
  ask->model = f[MODEL].raw;
  ask->stream = f[STREAM].raw.ptr != NULL && f[STREAM].kind == JSON_TRUE;
  if (f[TOOLS].raw.ptr != NULL && f[TOOLS].kind == JSON_ARRAY) ask->tools = f[TOOLS].raw;
  if (f[DOCUMENTS].raw.ptr != NULL && f[DOCUMENTS].kind == JSON_ARRAY) ask->documents = f[DOCUMENTS].raw;
  if (!json_to_u64(f[MAX].raw, &ask->max_tokens)) ask->max_tokens = 0;
  if (sim_json_is(f[CHOICE].raw, "NONE")) ask->tool_choice = SIM_TOOL_NONE;
  if (sim_json_is(f[CHOICE].raw, "REQUIRED")) ask->tool_choice = SIM_TOOL_REQUIRED;
  if (sim_json_is(sim_json_get(f[FORMAT].raw, "type"), "json_object")) {
    struct slice schema = sim_json_get(f[FORMAT].raw, "json_schema");
    ask->schema = schema.ptr != NULL ? schema : SLICE("{}");
  }
  sim_openai_read_messages(f[MESSAGES].raw, ask);
  ask->input_tokens = (f[MESSAGES].raw.len + ask->tools.len + ask->documents.len) / 4;
  return true;
}

static void wrong_key(struct slice key, struct buf *message) {
  buf_text(message, key.len == 0 ? "no api key supplied" : "invalid api token");
}

static void headers(const struct sim_answer *a, struct buf *out) {
  LITERAL(out, "x-trial-endpoint-call-limit: 40\r\nx-trial-endpoint-call-remaining: 39\r\nx-debug-trace-id: ");
  sim_id_put(out, "", a, 7);
  LITERAL(out, "\r\n");
}

static void put_finish(const struct sim_answer *a, struct buf *out) {
  static const struct sim_finish_words words = {.stop = SLICE_INIT("COMPLETE"),
                                                .length = SLICE_INIT("MAX_TOKENS"),
                                                .tool_calls = SLICE_INIT("TOOL_CALL"),
                                                .refusal = SLICE_INIT("ERROR_TOXIC"),
                                                .content_filter = SLICE_INIT("ERROR_TOXIC")};
  LITERAL(out, "\"finish_reason\":");
  json_put_string(out, sim_finish_word(a, &words));
}

static void put_usage(const struct sim_answer *a, struct buf *out) {
  LITERAL(out, ",\"usage\":{\"billed_units\":{\"input_tokens\":");
  buf_u64(out, a->input_tokens);
  LITERAL(out, ",\"output_tokens\":");
  buf_u64(out, a->output_tokens);
  LITERAL(out, "},\"tokens\":{\"input_tokens\":");
  buf_u64(out, a->input_tokens + FRAME_TOKENS);
  LITERAL(out, ",\"output_tokens\":");
  buf_u64(out, a->output_tokens);
  if (a->thinking_tokens > 0) {
    LITERAL(out, ",\"reasoning_tokens\":");
    buf_u64(out, a->thinking_tokens);
  }
  LITERAL(out, "},\"cached_tokens\":");
  buf_u64(out, a->cached_tokens);
  LITERAL(out, "}");
}

static bool is_call(const struct sim_answer *a, unsigned block) {
  return a->blocks[block].kind == SIM_CALL;
}

/* Content and calls are counted apart, each from 0. */
static unsigned number_of(const struct sim_answer *a, unsigned block) {
  unsigned number = 0;
  for (unsigned i = 0; i < block; i++) number += is_call(a, i) == is_call(a, block);
  return number;
}

/* Models that do not think say first what they will call. */
static bool has_plan(const struct sim_answer *a) {
  return a->block_count > 0 && is_call(a, 0);
}

static const char plan[] = "I will call the tools.";

static void put_call_head(const struct sim_answer *a, unsigned block, struct buf *out) {
  LITERAL(out, "{\"id\":\"");
  sim_id_put(out, "call_", a, 100 + block);
  LITERAL(out, "\",\"type\":\"function\",\"function\":{\"name\":");
  buf_slice(out, a->blocks[block].name);
  LITERAL(out, ",\"arguments\":");
}

/* The first document of the request, cited for the first word of the answer's text; nothing where there is none, and
 * none for a text that is shorter. */
static bool put_citation(const struct sim_answer *a, unsigned block, struct buf *out) {
  const struct sim_block *b = &a->blocks[block];
  struct slice documents = a->documents, document;
  if (b->kind != SIM_TEXT || b->bytes < CITED_BYTES || !sim_json_element(&documents, &document)) return false;
  struct slice id = sim_json_get(document, "id");
  LITERAL(out, "{\"start\":0,\"end\":4,\"text\":");
  sim_block_put(b, 0, CITED_BYTES, out);
  LITERAL(out, ",\"sources\":[{\"type\":\"document\",\"id\":");
  buf_slice(out, id.ptr != NULL ? id : SLICE("\"doc:0\""));
  LITERAL(out, ",\"document\":");
  if (*document.ptr == '{') {
    struct slice fields = sim_json_get(document, "data");
    buf_slice(out, fields.ptr != NULL && *fields.ptr == '{' ? fields : SLICE("{}"));
  } else {
    LITERAL(out, "{\"text\":");
    buf_slice(out, document);
    LITERAL(out, "}");
  }
  LITERAL(out, "}],\"type\":\"TEXT_CONTENT\",\"content_index\":");
  buf_u64(out, number_of(a, block));
  LITERAL(out, "}");
  return true;
}

static const char *kind_of(const struct sim_block *b) {
  return b->kind == SIM_THINKING ? "thinking" : "text";
}

static void put_content(const struct sim_answer *a, struct buf *out) {
  bool first = true;
  for (unsigned i = 0; i < a->block_count; i++) {
    const struct sim_block *b = &a->blocks[i];
    if (is_call(a, i)) continue;
    buf_text(out, first ? ",\"content\":[" : ",");
    first = false;
    buf_text(out, b->kind == SIM_THINKING ? "{\"type\":\"thinking\",\"thinking\":" : "{\"type\":\"text\",\"text\":");
    sim_block_put(b, 0, b->bytes, out);
    LITERAL(out, "}");
  }
  if (!first) LITERAL(out, "]");
}

static void put_calls(const struct sim_answer *a, struct buf *out) {
  bool first = true;
  if (has_plan(a)) {
    LITERAL(out, ",\"tool_plan\":");
    json_put_string(out, slice_text(plan));
  }
  for (unsigned i = 0; i < a->block_count; i++) {
    if (!is_call(a, i)) continue;
    buf_text(out, first ? ",\"tool_calls\":[" : ",");
    first = false;
    put_call_head(a, i, out);
    sim_block_put(&a->blocks[i], 0, a->blocks[i].bytes, out);
    LITERAL(out, "}}");
  }
  if (!first) LITERAL(out, "]");
}

static void whole(const struct sim_answer *a, struct buf *out) {
  LITERAL(out, "{\"id\":\"");
  sim_id_put(out, "", a, 1);
  LITERAL(out, "\",\"message\":{\"role\":\"assistant\"");
  put_calls(a, out);
  put_content(a, out);
  for (unsigned i = 0; i < a->block_count; i++) {
    struct buf citation = {0};
    if (put_citation(a, i, &citation)) {
      LITERAL(out, ",\"citations\":[");
      buf_slice(out, buf_view(&citation));
      LITERAL(out, "]");
    }
    buf_done(&citation);
  }
  LITERAL(out, "},");
  put_finish(a, out);
  if (a->usage) put_usage(a, out);
  LITERAL(out, "}");
}

static void put_event_head(const char *type, struct buf *out) {
  LITERAL(out, "event: ");
  buf_text(out, type);
  LITERAL(out, "\ndata: {\"type\":\"");
  buf_text(out, type);
  LITERAL(out, "\"");
}

static void put_index(const struct sim_answer *a, unsigned block, struct buf *out) {
  LITERAL(out, ",\"index\":");
  buf_u64(out, number_of(a, block));
}

static void put_begin(const struct sim_answer *a, struct buf *out) {
  LITERAL(out, "event: message-start\ndata: {\"id\":\"");
  sim_id_put(out, "", a, 1);
  LITERAL(out,
          "\",\"type\":\"message-start\",\"delta\":{\"message\":{\"role\":\"assistant\",\"content\":[],\"tool_plan\":"
          "\"\",\"tool_calls\":[],\"citations\":[]}}}\n\n");
  if (!has_plan(a)) return;
  put_event_head("tool-plan-delta", out);
  LITERAL(out, ",\"delta\":{\"message\":{\"tool_plan\":");
  json_put_string(out, slice_text(plan));
  LITERAL(out, "}}}\n\n");
}

static void put_open(const struct sim_answer *a, unsigned block, struct buf *out) {
  bool call = is_call(a, block);
  put_event_head(call ? "tool-call-start" : "content-start", out);
  put_index(a, block, out);
  if (call) {
    LITERAL(out, ",\"delta\":{\"message\":{\"tool_calls\":");
    put_call_head(a, block, out);
    LITERAL(out, "\"\"}}}}}\n\n");
    return;
  }
  LITERAL(out, ",\"delta\":{\"message\":{\"content\":{\"type\":\"");
  buf_text(out, kind_of(&a->blocks[block]));
  LITERAL(out, "\",\"");
  buf_text(out, kind_of(&a->blocks[block]));
  LITERAL(out, "\":\"\"}}}}\n\n");
}

static void put_delta(const struct sim_answer *a, const struct sim_step *step, struct buf *out) {
  const struct sim_block *b = &a->blocks[step->block];
  bool call = is_call(a, step->block);
  put_event_head(call ? "tool-call-delta" : "content-delta", out);
  put_index(a, step->block, out);
  if (call) LITERAL(out, ",\"delta\":{\"message\":{\"tool_calls\":{\"function\":{\"arguments\":");
  else LITERAL(out, ",\"delta\":{\"message\":{\"content\":{\"");
  if (!call) {
    buf_text(out, kind_of(b));
    LITERAL(out, "\":");
  }
  sim_block_put(b, step->from, step->to, out);
  buf_text(out, call ? "}}}}}\n\n" : "}}}}\n\n");
}

static void put_close(const struct sim_answer *a, unsigned block, struct buf *out) {
  struct buf citation = {0};
  if (put_citation(a, block, &citation)) {
    put_event_head("citation-start", out);
    LITERAL(out, ",\"index\":0,\"delta\":{\"message\":{\"citations\":");
    buf_slice(out, buf_view(&citation));
    LITERAL(out, "}}}\n\nevent: citation-end\ndata: {\"type\":\"citation-end\",\"index\":0}\n\n");
  }
  buf_done(&citation);
  put_event_head(is_call(a, block) ? "tool-call-end" : "content-end", out);
  put_index(a, block, out);
  LITERAL(out, "}\n\n");
}

static void step_out(const struct sim_answer *a, const struct sim_step *step, struct buf *out) {
  switch (step->kind) {
  case SIM_STEP_BEGIN: put_begin(a, out); break;
  case SIM_STEP_OPEN: put_open(a, step->block, out); break;
  case SIM_STEP_DELTA: put_delta(a, step, out); break;
  case SIM_STEP_CLOSE: put_close(a, step->block, out); break;
  case SIM_STEP_FINISH:
    put_event_head("message-end", out);
    LITERAL(out, ",\"delta\":{");
    put_finish(a, out);
    if (a->usage) put_usage(a, out);
    LITERAL(out, "}}\n\n");
    break;
  case SIM_STEP_END: LITERAL(out, "data: [DONE]\n\n"); break;
  }
}

static const struct sim_fault faults[] = {
    {.status = 400, .message = SLICE_INIT("invalid request: the request could not be processed")},
    {.status = 401, .message = SLICE_INIT("invalid api token")},
    {.status = 402, .message = SLICE_INIT("Please add a payment method to your account")},
    {.status = 403, .message = SLICE_INIT("you are not allowed to use this resource")},
    {.status = 404,
     .message =
         SLICE_INIT("model not found, make sure the correct model ID was used and that you have access to the model.")},
    {.status = 422, .message = SLICE_INIT("invalid request: the request is well formed, but cannot be processed")},
    {.status = 429, .message = SLICE_INIT("Please wait and try again later")},
    {.status = 498, .message = SLICE_INIT("invalid token")},
    {.status = 503, .message = SLICE_INIT("the service is not available")},
    {.status = 504, .message = SLICE_INIT("upstream request timeout")},
    {.message = SLICE_INIT("internal server error")},
};

static struct slice message_of(const struct sim_refusal *why) {
  return why->message.len > 0 ? why->message : sim_fault_of(faults, why->status)->message;
}

static void error(const struct sim_answer *a, const struct sim_refusal *why, struct buf *out) {
  LITERAL(out, "{\"id\":\"");
  sim_id_put(out, "", a, 7);
  if (why->type.len > 0) {
    LITERAL(out, "\",\"error_type\":");
    json_put_string(out, why->type);
  } else {
    LITERAL(out, "\"");
  }
  LITERAL(out, ",\"message\":");
  json_put_string(out, message_of(why));
  LITERAL(out, "}");
}

static void error_event(const struct sim_answer *a, const struct sim_refusal *why, struct buf *out) {
  (void)a;
  put_event_head("message-end", out);
  LITERAL(out, ",\"delta\":{\"error\":");
  json_put_string(out, message_of(why));
  LITERAL(out, ",\"finish_reason\":\"ERROR\"}}\n\n");
}

static void models(struct buf *out) {
  LITERAL(out, "{\"models\":[{\"name\":\"command-a-03-2025\",\"endpoints\":[\"chat\"],\"finetuned\":false,"
               "\"context_length\":288000},{\"name\":\"embed-v4.0\",\"endpoints\":[\"embed\"],\"finetuned\":false,"
               "\"context_length\":128000},{\"name\":\"rerank-v3.5\",\"endpoints\":[\"rerank\"],\"finetuned\":false,"
               "\"context_length\":4096}],\"next_page_token\":\"\"}");
}

const struct sim_dialect sim_cohere_chat = {
    .name = "cohere.chat",
    .path_end = SLICE_INIT("/chat"),
    .read = read,
    .tool = sim_openai_tool,
    .credential = sim_openai_credential,
    .wrong_key = wrong_key,
    .headers = headers,
    .whole = whole,
    .step = step_out,
    .ping = sim_openai_ping,
    .error = error,
    .error_event = error_event,
    .models = models,
};
