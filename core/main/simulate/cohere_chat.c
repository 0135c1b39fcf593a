/* simulate_cohere_chat: the row of cohere.chat, POST …/v2/chat. Pure; any thread. Shapes, field order and wording of
 * errors are those of api.cohere.com: the plan before calls, citations of the request's first document, tokens counted
 * beside what is billed for. It does NOT do logprobs or stop sequences. */
#include "main/simulate/dialect.h"
#include "main/simulate/json.h"
#include "main/simulate/openai.h"
#include "wire/json.h"

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
  sim_ask_begin(ask, &f[MODEL], &f[STREAM], &f[TOOLS]);
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
  buf_text(out, "x-trial-endpoint-call-limit: 40\r\nx-trial-endpoint-call-remaining: 39\r\nx-debug-trace-id: ");
  sim_id_put(out, "", a, 7);
  buf_text(out, "\r\n");
}

static void put_finish(const struct sim_answer *a, struct buf *out) {
  static const struct sim_finish_words words = {.stop = SLICE_INIT("COMPLETE"),
                                                .length = SLICE_INIT("MAX_TOKENS"),
                                                .tool_calls = SLICE_INIT("TOOL_CALL"),
                                                .refusal = SLICE_INIT("ERROR_TOXIC"),
                                                .content_filter = SLICE_INIT("ERROR_TOXIC")};
  buf_text(out, "\"finish_reason\":");
  json_put_string(out, sim_finish_word(a, &words));
}

static void put_usage(const struct sim_answer *a, struct buf *out) {
  sim_put_count(out, ",\"usage\":{\"billed_units\":{\"input_tokens\":", a->input_tokens);
  sim_put_count(out, ",\"output_tokens\":", a->output_tokens);
  sim_put_count(out, "},\"tokens\":{\"input_tokens\":", a->input_tokens + FRAME_TOKENS);
  sim_put_count(out, ",\"output_tokens\":", a->output_tokens);
  if (a->thinking_tokens > 0) {
    sim_put_count(out, ",\"reasoning_tokens\":", a->thinking_tokens);
  }
  sim_put_count(out, "},\"cached_tokens\":", a->cached_tokens);
  buf_text(out, "}");
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
  buf_text(out, "{\"id\":\"");
  sim_id_put(out, "call_", a, 100 + block);
  buf_text(out, "\",\"type\":\"function\",\"function\":{\"name\":");
  buf_slice(out, a->blocks[block].name);
  buf_text(out, ",\"arguments\":");
}

/* The first document of the request, cited for the first word of the answer's text; nothing where there is none, and
 * none for a text that is shorter. */
static bool put_citation(const struct sim_answer *a, unsigned block, struct buf *out) {
  const struct sim_block *b = &a->blocks[block];
  struct slice documents = a->documents, document;
  if (b->kind != SIM_TEXT || b->bytes < CITED_BYTES || !sim_json_element(&documents, &document)) return false;
  struct slice id = sim_json_get(document, "id");
  buf_text(out, "{\"start\":0,\"end\":4,\"text\":");
  sim_block_put(b, 0, CITED_BYTES, out);
  buf_text(out, ",\"sources\":[{\"type\":\"document\",\"id\":");
  buf_slice(out, id.ptr != NULL ? id : SLICE("\"doc:0\""));
  buf_text(out, ",\"document\":");
  if (*document.ptr == '{') {
    struct slice fields = sim_json_get(document, "data");
    buf_slice(out, fields.ptr != NULL && *fields.ptr == '{' ? fields : SLICE("{}"));
  } else {
    buf_text(out, "{\"text\":");
    buf_slice(out, document);
    buf_text(out, "}");
  }
  sim_put_count(out, "}],\"type\":\"TEXT_CONTENT\",\"content_index\":", number_of(a, block));
  buf_text(out, "}");
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
    buf_text(out, "}");
  }
  if (!first) buf_text(out, "]");
}

static void put_calls(const struct sim_answer *a, struct buf *out) {
  bool first = true;
  if (has_plan(a)) {
    buf_text(out, ",\"tool_plan\":");
    json_put_string(out, slice_text(plan));
  }
  for (unsigned i = 0; i < a->block_count; i++) {
    if (!is_call(a, i)) continue;
    buf_text(out, first ? ",\"tool_calls\":[" : ",");
    first = false;
    put_call_head(a, i, out);
    sim_block_put(&a->blocks[i], 0, a->blocks[i].bytes, out);
    buf_text(out, "}}");
  }
  if (!first) buf_text(out, "]");
}

static void whole(const struct sim_answer *a, struct buf *out) {
  buf_text(out, "{\"id\":\"");
  sim_id_put(out, "", a, 1);
  buf_text(out, "\",\"message\":{\"role\":\"assistant\"");
  put_calls(a, out);
  put_content(a, out);
  for (unsigned i = 0; i < a->block_count; i++) {
    struct buf citation = {0};
    if (put_citation(a, i, &citation)) {
      buf_text(out, ",\"citations\":[");
      buf_slice(out, buf_view(&citation));
      buf_text(out, "]");
    }
    buf_done(&citation);
  }
  buf_text(out, "},");
  put_finish(a, out);
  if (a->usage) put_usage(a, out);
  buf_text(out, "}");
}

static void put_event_head(const char *type, struct buf *out) {
  buf_text(out, "event: ");
  buf_text(out, type);
  buf_text(out, "\ndata: {\"type\":\"");
  buf_text(out, type);
  buf_text(out, "\"");
}

static void put_index(const struct sim_answer *a, unsigned block, struct buf *out) {
  sim_put_count(out, ",\"index\":", number_of(a, block));
}

static void put_begin(const struct sim_answer *a, struct buf *out) {
  buf_text(out, "event: message-start\ndata: {\"id\":\"");
  sim_id_put(out, "", a, 1);
  buf_text(out,
           "\",\"type\":\"message-start\",\"delta\":{\"message\":{\"role\":\"assistant\",\"content\":[],\"tool_plan\":"
           "\"\",\"tool_calls\":[],\"citations\":[]}}}\n\n");
  if (!has_plan(a)) return;
  put_event_head("tool-plan-delta", out);
  buf_text(out, ",\"delta\":{\"message\":{\"tool_plan\":");
  json_put_string(out, slice_text(plan));
  buf_text(out, "}}}\n\n");
}

static void put_open(const struct sim_answer *a, unsigned block, struct buf *out) {
  bool call = is_call(a, block);
  put_event_head(call ? "tool-call-start" : "content-start", out);
  put_index(a, block, out);
  if (call) {
    buf_text(out, ",\"delta\":{\"message\":{\"tool_calls\":");
    put_call_head(a, block, out);
    buf_text(out, "\"\"}}}}}\n\n");
    return;
  }
  buf_text(out, ",\"delta\":{\"message\":{\"content\":{\"type\":\"");
  buf_text(out, kind_of(&a->blocks[block]));
  buf_text(out, "\",\"");
  buf_text(out, kind_of(&a->blocks[block]));
  buf_text(out, "\":\"\"}}}}\n\n");
}

static void put_delta(const struct sim_answer *a, const struct sim_step *step, struct buf *out) {
  const struct sim_block *b = &a->blocks[step->block];
  bool call = is_call(a, step->block);
  put_event_head(call ? "tool-call-delta" : "content-delta", out);
  put_index(a, step->block, out);
  if (call) buf_text(out, ",\"delta\":{\"message\":{\"tool_calls\":{\"function\":{\"arguments\":");
  else buf_text(out, ",\"delta\":{\"message\":{\"content\":{\"");
  if (!call) {
    buf_text(out, kind_of(b));
    buf_text(out, "\":");
  }
  sim_block_put(b, step->from, step->to, out);
  buf_text(out, call ? "}}}}}\n\n" : "}}}}\n\n");
}

static void put_close(const struct sim_answer *a, unsigned block, struct buf *out) {
  struct buf citation = {0};
  if (put_citation(a, block, &citation)) {
    put_event_head("citation-start", out);
    buf_text(out, ",\"index\":0,\"delta\":{\"message\":{\"citations\":");
    buf_slice(out, buf_view(&citation));
    buf_text(out, "}}}\n\nevent: citation-end\ndata: {\"type\":\"citation-end\",\"index\":0}\n\n");
  }
  buf_done(&citation);
  put_event_head(is_call(a, block) ? "tool-call-end" : "content-end", out);
  put_index(a, block, out);
  buf_text(out, "}\n\n");
}

static void put_message_end(const struct sim_answer *a, struct buf *out) {
  put_event_head("message-end", out);
  buf_text(out, ",\"delta\":{");
  put_finish(a, out);
  if (a->usage) put_usage(a, out);
  buf_text(out, "}}\n\n");
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

static void error(const struct sim_answer *a, const struct sim_refusal *why, struct buf *out) {
  buf_text(out, "{\"id\":\"");
  sim_id_put(out, "", a, 7);
  if (why->type.len > 0) {
    buf_text(out, "\",\"error_type\":");
    json_put_string(out, why->type);
  } else {
    buf_text(out, "\"");
  }
  buf_text(out, ",\"message\":");
  json_put_string(out, sim_refusal_worded(why, faults).message);
  buf_text(out, "}");
}

static void error_event(const struct sim_answer *a, const struct sim_refusal *why, struct buf *out) {
  (void)a;
  put_event_head("message-end", out);
  buf_text(out, ",\"delta\":{\"error\":");
  json_put_string(out, sim_refusal_worded(why, faults).message);
  buf_text(out, ",\"finish_reason\":\"ERROR\"}}\n\n");
}

static void models(struct buf *out) {
  buf_text(out, "{\"models\":[{\"name\":\"command-a-03-2025\",\"endpoints\":[\"chat\"],\"finetuned\":false,"
                "\"context_length\":288000},{\"name\":\"embed-v4.0\",\"endpoints\":[\"embed\"],\"finetuned\":false,"
                "\"context_length\":128000},{\"name\":\"rerank-v3.5\",\"endpoints\":[\"rerank\"],\"finetuned\":false,"
                "\"context_length\":4096}],\"next_page_token\":\"\"}");
}

const struct sim_dialect sim_cohere_chat = {
    .name = "cohere.chat",
    .path_end = SLICE_INIT("/chat"),
    .tool = sim_openai_tool,
    .credential = sim_bearer_token,
    .wrong_key = wrong_key,
    .headers = headers,
    .ping = sim_openai_ping,
    .error = error,
    .models = models,
    SIM_OWN_CHAT,
    .steps = {put_begin, put_open, put_delta, put_close, put_message_end, sim_openai_put_done},
};
