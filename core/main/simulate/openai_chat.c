/* simulate_openai_chat: the row of openai.chat, POST …/chat/completions. Pure; any thread. Shapes, field order and
 * wording of errors are those of api.openai.com; thinking goes into reasoning_content, as servers that speak this
 * dialect do. It does NOT do n > 1, logprobs or audio. */
#include "main/simulate/dialect.h"
#include "main/simulate/json.h"
#include "main/simulate/openai.h"
#include "wire/json.h"

static void read_choice(struct slice choice, struct sim_ask *ask) {
  if (sim_json_is(choice, "none")) ask->tool_choice = SIM_TOOL_NONE;
  if (sim_json_is(choice, "required")) ask->tool_choice = SIM_TOOL_REQUIRED;
  if (choice.len == 0 || *choice.ptr != '{') return;
  ask->named = sim_json_get(sim_json_get(choice, "function"), "name");
  if (ask->named.ptr != NULL) ask->tool_choice = SIM_TOOL_NAMED;
}

static void read_format(struct slice format, struct sim_ask *ask) {
  struct slice type = sim_json_get(format, "type");
  if (sim_json_is(type, "json_object")) ask->schema = SLICE("{}");
  if (sim_json_is(type, "json_schema")) ask->schema = sim_json_get(sim_json_get(format, "json_schema"), "schema");
}

static bool read(struct slice body, const struct http_head *head, struct sim_ask *ask, struct sim_refusal *why) {
  enum { MODEL, MESSAGES, STREAM, OPTIONS, TOOLS, CHOICE, FORMAT, MAX_OLD, MAX, FIELDS };
  struct json_field f[FIELDS] = {
      {.key = SLICE("model")},           {.key = SLICE("messages")},   {.key = SLICE("stream")},
      {.key = SLICE("stream_options")},  {.key = SLICE("tools")},      {.key = SLICE("tool_choice")},
      {.key = SLICE("response_format")}, {.key = SLICE("max_tokens")}, {.key = SLICE("max_completion_tokens")}};
  struct json_fault fault;
  (void)head;
  *why = (struct sim_refusal){.status = 400};
  if (!json_scan(body, f, FIELDS, &fault)) {
    why->message =
        SLICE("We could not parse the JSON body of your request. (HINT: This likely means you aren't using your "
              "HTTP library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid "
              "JSON. If you have trouble figuring out how to fix this, please contact us through our help "
              "center at help.openai.com.)");
    return false;
  }
  if (f[MODEL].raw.ptr == NULL || f[MODEL].kind != JSON_STRING)
    why->message = SLICE("you must provide a model parameter");
  else if (f[MESSAGES].raw.ptr == NULL) why->message = SLICE("Missing required parameter: 'messages'.");
  else if (f[MESSAGES].kind != JSON_ARRAY)
    why->message = SLICE("Invalid type for 'messages': expected an array of objects.");
  if (why->message.len > 0) return false;
  sim_ask_begin(ask, &f[MODEL], &f[STREAM], &f[TOOLS]);
  ask->stream_usage = slice_eq(sim_json_get(f[OPTIONS].raw, "include_usage"), SLICE("true"));
  if (!json_to_u64(f[MAX].raw, &ask->max_tokens) && !json_to_u64(f[MAX_OLD].raw, &ask->max_tokens)) ask->max_tokens = 0;
  read_choice(f[CHOICE].raw, ask);
  read_format(f[FORMAT].raw, ask);
  sim_openai_read_messages(f[MESSAGES].raw, ask);
  ask->input_tokens = (f[MESSAGES].raw.len + ask->tools.len) / 4;
  return true;
}

static struct slice finish_word(const struct sim_answer *a) {
  /* A refusal ends with "stop": what tells it is message.refusal. */
  return slice_eq(a->finish, SLICE("refusal")) ? SLICE("stop") : a->finish;
}

static void put_finish(const struct sim_answer *a, struct buf *out) {
  json_put_string(out, finish_word(a));
}

static const struct sim_block *block_of(const struct sim_answer *a, enum sim_block_kind kind) {
  for (unsigned i = 0; i < a->block_count; i++)
    if (a->blocks[i].kind == kind) return &a->blocks[i];
  return NULL;
}

static unsigned call_index(const struct sim_answer *a, unsigned block) {
  unsigned index = 0;
  for (unsigned i = 0; i < block; i++) index += a->blocks[i].kind == SIM_CALL;
  return index;
}

static void put_block(const struct sim_answer *a, enum sim_block_kind kind, struct buf *out) {
  const struct sim_block *b = block_of(a, kind);
  if (b != NULL) sim_block_put(b, 0, b->bytes, out);
  else buf_text(out, "null");
}

static void put_calls(const struct sim_answer *a, struct buf *out) {
  bool first = true;
  for (unsigned i = 0; i < a->block_count; i++) {
    const struct sim_block *b = &a->blocks[i];
    if (b->kind != SIM_CALL) continue;
    buf_text(out, first ? ",\n        \"tool_calls\": [" : ",");
    first = false;
    buf_text(out, "\n          {\n            \"id\": \"");
    sim_id_put(out, "call_", a, 100 + i);
    buf_text(out, "\",\n            \"type\": \"function\",\n            \"function\": {\n              \"name\": ");
    buf_slice(out, b->name);
    buf_text(out, ",\n              \"arguments\": ");
    sim_block_put(b, 0, b->bytes, out);
    buf_text(out, "\n            }\n          }");
  }
  if (!first) buf_text(out, "\n        ]");
}

static void whole(const struct sim_answer *a, struct buf *out) {
  buf_text(out, "{\n  \"id\": \"");
  sim_id_put(out, "chatcmpl-", a, 1);
  sim_put_count(out, "\",\n  \"object\": \"chat.completion\",\n  \"created\": ", SIM_OPENAI_CREATED + a->number);
  buf_text(out, ",\n  \"model\": ");
  buf_slice(out, a->model);
  buf_text(out,
           ",\n  \"choices\": [\n    {\n      \"index\": 0,\n      \"message\": {\n        \"role\": \"assistant\",\n"
           "        \"content\": ");
  put_block(a, SIM_TEXT, out);
  if (block_of(a, SIM_THINKING) != NULL) {
    buf_text(out, ",\n        \"reasoning_content\": ");
    put_block(a, SIM_THINKING, out);
  }
  put_calls(a, out);
  buf_text(out, ",\n        \"refusal\": ");
  put_block(a, SIM_REFUSAL, out);
  buf_text(out, ",\n        \"annotations\": []\n      },\n      \"logprobs\": null,\n      \"finish_reason\": ");
  put_finish(a, out);
  buf_text(out, "\n    }\n  ]");
  if (a->usage) {
    sim_put_count(out, ",\n  \"usage\": {\n    \"prompt_tokens\": ", a->input_tokens);
    sim_put_count(out, ",\n    \"completion_tokens\": ", a->output_tokens);
    sim_put_count(out, ",\n    \"total_tokens\": ", a->input_tokens + a->output_tokens);
    sim_put_count(out, ",\n    \"prompt_tokens_details\": {\n      \"cached_tokens\": ", a->cached_tokens);
    sim_put_count(
        out, ",\n      \"audio_tokens\": 0\n    },\n    \"completion_tokens_details\": {\n      \"reasoning_tokens\": ",
        a->thinking_tokens);
    buf_text(out, ",\n      \"audio_tokens\": 0,\n      \"accepted_prediction_tokens\": 0,\n"
                  "      \"rejected_prediction_tokens\": 0\n    }\n  }");
  }
  buf_text(out, ",\n  \"service_tier\": \"default\",\n  \"system_fingerprint\": \"fp_51db84afab\"\n}\n");
}

static void begin(struct sim_answer *a, struct arena *arena) {
  struct buf head = {0};
  buf_text(&head, "data: {\"id\":\"");
  sim_id_put(&head, "chatcmpl-", a, 1);
  sim_put_count(&head, "\",\"object\":\"chat.completion.chunk\",\"created\":", SIM_OPENAI_CREATED + a->number);
  buf_text(&head, ",\"model\":");
  buf_slice(&head, a->model);
  buf_text(&head, ",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_51db84afab\",\"choices\":[");
  a->event_head = arena_copy(arena, buf_view(&head));
  buf_done(&head);
}

static void put_head(const struct sim_answer *a, struct buf *out) {
  buf_slice(out, a->event_head);
}

static void put_tail(const struct sim_answer *a, struct buf *out) {
  if (a->stream_usage) buf_text(out, "],\"usage\":null}\n\n");
  else buf_text(out, "]}\n\n");
}

static void put_usage_chunk(const struct sim_answer *a, struct buf *out) {
  put_head(a, out);
  sim_put_count(out, "],\"usage\":{\"prompt_tokens\":", a->input_tokens);
  sim_put_count(out, ",\"completion_tokens\":", a->output_tokens);
  sim_put_count(out, ",\"total_tokens\":", a->input_tokens + a->output_tokens);
  sim_put_count(out, ",\"prompt_tokens_details\":{\"cached_tokens\":", a->cached_tokens);
  sim_put_count(out, ",\"audio_tokens\":0},\"completion_tokens_details\":{\"reasoning_tokens\":", a->thinking_tokens);
  buf_text(out, ",\"audio_tokens\":0,\"accepted_prediction_tokens\":0,\"rejected_prediction_tokens\":0}}}\n\n");
}

static void put_delta(const struct sim_answer *a, const struct sim_step *step, struct buf *out) {
  const struct sim_block *b = &a->blocks[step->block];
  put_head(a, out);
  switch (b->kind) {
  case SIM_TEXT: buf_text(out, "{\"index\":0,\"delta\":{\"content\":"); break;
  case SIM_THINKING: buf_text(out, "{\"index\":0,\"delta\":{\"reasoning_content\":"); break;
  case SIM_REFUSAL: buf_text(out, "{\"index\":0,\"delta\":{\"refusal\":"); break;
  case SIM_CALL:
    sim_put_count(out, "{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":", call_index(a, step->block));
    buf_text(out, ",\"function\":{\"arguments\":");
    break;
  }
  sim_block_put(b, step->from, step->to, out);
  if (b->kind == SIM_CALL) buf_text(out, "}}]");
  buf_text(out, "},\"logprobs\":null,\"finish_reason\":null}");
  put_tail(a, out);
}

static void put_call_open(const struct sim_answer *a, unsigned block, struct buf *out) {
  if (a->blocks[block].kind != SIM_CALL) return;
  put_head(a, out);
  sim_put_count(out, "{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":", call_index(a, block));
  buf_text(out, ",\"id\":\"");
  sim_id_put(out, "call_", a, 100 + block);
  buf_text(out, "\",\"type\":\"function\",\"function\":{\"name\":");
  buf_slice(out, a->blocks[block].name);
  buf_text(out, ",\"arguments\":\"\"}}]},\"logprobs\":null,\"finish_reason\":null}");
  put_tail(a, out);
}

static void put_begin(const struct sim_answer *a, struct buf *out) {
  put_head(a, out);
  if (block_of(a, SIM_TEXT) != NULL)
    buf_text(out, "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null},\"logprobs\":null,"
                  "\"finish_reason\":null}");
  else
    buf_text(out, "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":null},\"logprobs\":null,"
                  "\"finish_reason\":null}");
  put_tail(a, out);
}

static void put_last(const struct sim_answer *a, struct buf *out) {
  put_head(a, out);
  buf_text(out, "{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":");
  put_finish(a, out);
  buf_text(out, "}");
  put_tail(a, out);
  if (a->stream_usage && a->usage) put_usage_chunk(a, out);
}

static void error_event(const struct sim_answer *a, const struct sim_refusal *why, struct buf *out) {
  (void)a;
  sim_openai_put_error(why, "data: {\"error\":{", ",", "}}\n\n", out);
}

const struct sim_dialect sim_openai_chat = {
    .name = "openai.chat",
    .path_end = SLICE_INIT("/chat/completions"),
    .tool = sim_openai_tool,
    .begin = begin,
    SIM_OWN_CHAT,
    .steps = {put_begin, put_call_open, put_delta, NULL, put_last, sim_openai_put_done},
    SIM_OPENAI_PROVIDER,
};
