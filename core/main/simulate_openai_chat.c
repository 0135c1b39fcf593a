/* simulate_openai_chat: the row of openai.chat, POST …/chat/completions. Pure; any thread. Shapes, field order and
 * wording of errors are those of api.openai.com; thinking goes into reasoning_content, as servers that speak this
 * dialect do. It does NOT do n > 1, logprobs or audio. */
#include "main/simulate_dialect.h"
#include "main/simulate_json.h"
#include "wire/json.h"

#define LITERAL(out, text) buf_append((out), (text), sizeof(text) - 1)

enum { CREATED_FIRST = 1760000000 }; /* seconds; each request is one second later, so that answers repeat exactly */

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

static void name_result(struct slice calls, struct sim_result *result) {
  struct slice call;
  while (sim_json_element(&calls, &call))
    if (slice_eq(sim_json_get(call, "id"), result->id))
      result->name = sim_json_get(sim_json_get(call, "function"), "name");
}

static void read_messages(struct slice messages, struct sim_ask *ask) {
  struct slice message, calls = {0};
  while (sim_json_element(&messages, &message)) {
    struct slice role = sim_json_get(message, "role");
    if (sim_json_is(role, "user")) ask->user = sim_json_get(message, "content");
    if (sim_json_is(role, "assistant")) calls = sim_json_get(message, "tool_calls");
    if (!sim_json_is(role, "tool")) {
      ask->result_count = 0;
    } else if (ask->result_count < SIM_RESULTS_MAX) {
      struct sim_result *result = &ask->results[ask->result_count++];
      *result =
          (struct sim_result){.id = sim_json_get(message, "tool_call_id"), .content = sim_json_get(message, "content")};
      name_result(calls, result);
    }
  }
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
  ask->model = f[MODEL].raw;
  ask->stream = f[STREAM].raw.ptr != NULL && f[STREAM].kind == JSON_TRUE;
  ask->stream_usage = slice_eq(sim_json_get(f[OPTIONS].raw, "include_usage"), SLICE("true"));
  if (f[TOOLS].raw.ptr != NULL && f[TOOLS].kind == JSON_ARRAY) ask->tools = f[TOOLS].raw;
  if (!json_to_u64(f[MAX].raw, &ask->max_tokens) && !json_to_u64(f[MAX_OLD].raw, &ask->max_tokens)) ask->max_tokens = 0;
  read_choice(f[CHOICE].raw, ask);
  read_format(f[FORMAT].raw, ask);
  read_messages(f[MESSAGES].raw, ask);
  ask->input_tokens = (f[MESSAGES].raw.len + ask->tools.len) / 4;
  return true;
}

static bool tool(struct slice *rest, struct slice *name, struct slice *schema) {
  struct slice entry;
  while (sim_json_element(rest, &entry)) {
    struct slice function = sim_json_get(entry, "function");
    *name = sim_json_get(function, "name");
    *schema = sim_json_get(function, "parameters");
    if (name->len > 0 && *name->ptr == '"') return true;
  }
  return false;
}

static struct slice credential(const struct http_head *head) {
  struct slice value = http_header_of(head, SLICE("authorization"));
  return slice_starts(value, SLICE("Bearer ")) ? slice_from(value, 7) : (struct slice){0};
}

static void wrong_key(struct slice key, struct buf *message) {
  if (key.len == 0) {
    LITERAL(message,
            "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer "
            "auth (i.e. Authorization: Bearer YOUR_KEY), or as the password field (with blank username) if you're "
            "accessing the API from your browser and are prompted for a username and password. You can obtain an "
            "API key from https://platform.openai.com/account/api-keys.");
    return;
  }
  LITERAL(message, "Incorrect API key provided: ");
  /* As the provider does: eight bytes, stars, four bytes. */
  bool long_enough = key.len >= 16;
  buf_append(message, key.ptr, long_enough ? 8 : key.len / 4);
  for (size_t i = 0; i < (long_enough ? key.len - 12 : 4); i++) buf_byte(message, '*');
  if (long_enough) buf_append(message, key.ptr + key.len - 4, 4);
  LITERAL(message, ". You can find your API key at https://platform.openai.com/account/api-keys.");
}

static void headers(const struct sim_answer *a, struct buf *out) {
  LITERAL(out, "openai-version: 2020-10-01\r\nopenai-processing-ms: 12\r\n"
               "x-ratelimit-limit-requests: 10000\r\nx-ratelimit-limit-tokens: 200000\r\n"
               "x-ratelimit-remaining-requests: 9999\r\nx-ratelimit-remaining-tokens: 199961\r\n"
               "x-ratelimit-reset-requests: 8.64s\r\nx-ratelimit-reset-tokens: 11ms\r\nx-request-id: ");
  sim_id_put(out, "req_", a, 7);
  LITERAL(out, "\r\n");
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
  else LITERAL(out, "null");
}

static void put_calls(const struct sim_answer *a, struct buf *out) {
  bool first = true;
  for (unsigned i = 0; i < a->block_count; i++) {
    const struct sim_block *b = &a->blocks[i];
    if (b->kind != SIM_CALL) continue;
    buf_text(out, first ? ",\n        \"tool_calls\": [" : ",");
    first = false;
    LITERAL(out, "\n          {\n            \"id\": \"");
    sim_id_put(out, "call_", a, 100 + i);
    LITERAL(out, "\",\n            \"type\": \"function\",\n            \"function\": {\n              \"name\": ");
    buf_slice(out, b->name);
    LITERAL(out, ",\n              \"arguments\": ");
    sim_block_put(b, 0, b->bytes, out);
    LITERAL(out, "\n            }\n          }");
  }
  if (!first) LITERAL(out, "\n        ]");
}

static void whole(const struct sim_answer *a, struct buf *out) {
  LITERAL(out, "{\n  \"id\": \"");
  sim_id_put(out, "chatcmpl-", a, 1);
  LITERAL(out, "\",\n  \"object\": \"chat.completion\",\n  \"created\": ");
  buf_u64(out, CREATED_FIRST + a->number);
  LITERAL(out, ",\n  \"model\": ");
  buf_slice(out, a->model);
  LITERAL(out,
          ",\n  \"choices\": [\n    {\n      \"index\": 0,\n      \"message\": {\n        \"role\": \"assistant\",\n"
          "        \"content\": ");
  put_block(a, SIM_TEXT, out);
  if (block_of(a, SIM_THINKING) != NULL) {
    LITERAL(out, ",\n        \"reasoning_content\": ");
    put_block(a, SIM_THINKING, out);
  }
  put_calls(a, out);
  LITERAL(out, ",\n        \"refusal\": ");
  put_block(a, SIM_REFUSAL, out);
  LITERAL(out, ",\n        \"annotations\": []\n      },\n      \"logprobs\": null,\n      \"finish_reason\": ");
  put_finish(a, out);
  LITERAL(out, "\n    }\n  ]");
  if (a->usage) {
    LITERAL(out, ",\n  \"usage\": {\n    \"prompt_tokens\": ");
    buf_u64(out, a->input_tokens);
    LITERAL(out, ",\n    \"completion_tokens\": ");
    buf_u64(out, a->output_tokens);
    LITERAL(out, ",\n    \"total_tokens\": ");
    buf_u64(out, a->input_tokens + a->output_tokens);
    LITERAL(out, ",\n    \"prompt_tokens_details\": {\n      \"cached_tokens\": ");
    buf_u64(out, a->cached_tokens);
    LITERAL(out,
            ",\n      \"audio_tokens\": 0\n    },\n    \"completion_tokens_details\": {\n      \"reasoning_tokens\": ");
    buf_u64(out, a->thinking_tokens);
    LITERAL(out, ",\n      \"audio_tokens\": 0,\n      \"accepted_prediction_tokens\": 0,\n"
                 "      \"rejected_prediction_tokens\": 0\n    }\n  }");
  }
  LITERAL(out, ",\n  \"service_tier\": \"default\",\n  \"system_fingerprint\": \"fp_51db84afab\"\n}\n");
}

static void begin(struct sim_answer *a, struct arena *arena) {
  struct buf head = {0};
  LITERAL(&head, "data: {\"id\":\"");
  sim_id_put(&head, "chatcmpl-", a, 1);
  LITERAL(&head, "\",\"object\":\"chat.completion.chunk\",\"created\":");
  buf_u64(&head, CREATED_FIRST + a->number);
  LITERAL(&head, ",\"model\":");
  buf_slice(&head, a->model);
  LITERAL(&head, ",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_51db84afab\",\"choices\":[");
  a->event_head = arena_copy(arena, buf_view(&head));
  buf_done(&head);
}

static void put_head(const struct sim_answer *a, struct buf *out) {
  buf_slice(out, a->event_head);
}

static void put_tail(const struct sim_answer *a, struct buf *out) {
  if (a->stream_usage) LITERAL(out, "],\"usage\":null}\n\n");
  else LITERAL(out, "]}\n\n");
}

static void put_usage_chunk(const struct sim_answer *a, struct buf *out) {
  put_head(a, out);
  LITERAL(out, "],\"usage\":{\"prompt_tokens\":");
  buf_u64(out, a->input_tokens);
  LITERAL(out, ",\"completion_tokens\":");
  buf_u64(out, a->output_tokens);
  LITERAL(out, ",\"total_tokens\":");
  buf_u64(out, a->input_tokens + a->output_tokens);
  LITERAL(out, ",\"prompt_tokens_details\":{\"cached_tokens\":");
  buf_u64(out, a->cached_tokens);
  LITERAL(out, ",\"audio_tokens\":0},\"completion_tokens_details\":{\"reasoning_tokens\":");
  buf_u64(out, a->thinking_tokens);
  LITERAL(out, ",\"audio_tokens\":0,\"accepted_prediction_tokens\":0,\"rejected_prediction_tokens\":0}}}\n\n");
}

static void put_delta(const struct sim_answer *a, const struct sim_step *step, struct buf *out) {
  const struct sim_block *b = &a->blocks[step->block];
  switch (b->kind) {
  case SIM_TEXT: LITERAL(out, "{\"index\":0,\"delta\":{\"content\":"); break;
  case SIM_THINKING: LITERAL(out, "{\"index\":0,\"delta\":{\"reasoning_content\":"); break;
  case SIM_REFUSAL: LITERAL(out, "{\"index\":0,\"delta\":{\"refusal\":"); break;
  case SIM_CALL:
    LITERAL(out, "{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":");
    buf_u64(out, call_index(a, step->block));
    LITERAL(out, ",\"function\":{\"arguments\":");
    break;
  }
  sim_block_put(b, step->from, step->to, out);
  if (b->kind == SIM_CALL) LITERAL(out, "}}]");
  LITERAL(out, "},\"logprobs\":null,\"finish_reason\":null}");
}

static void put_call_open(const struct sim_answer *a, unsigned block, struct buf *out) {
  put_head(a, out);
  LITERAL(out, "{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":");
  buf_u64(out, call_index(a, block));
  LITERAL(out, ",\"id\":\"");
  sim_id_put(out, "call_", a, 100 + block);
  LITERAL(out, "\",\"type\":\"function\",\"function\":{\"name\":");
  buf_slice(out, a->blocks[block].name);
  LITERAL(out, ",\"arguments\":\"\"}}]},\"logprobs\":null,\"finish_reason\":null}");
  put_tail(a, out);
}

static void step_out(const struct sim_answer *a, const struct sim_step *step, struct buf *out) {
  switch (step->kind) {
  case SIM_STEP_BEGIN:
    put_head(a, out);
    if (block_of(a, SIM_TEXT) != NULL)
      LITERAL(out,
              "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null},\"logprobs\":null,"
              "\"finish_reason\":null}");
    else
      LITERAL(out, "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":null},\"logprobs\":null,"
                   "\"finish_reason\":null}");
    put_tail(a, out);
    break;
  case SIM_STEP_OPEN:
    if (a->blocks[step->block].kind == SIM_CALL) put_call_open(a, step->block, out);
    break;
  case SIM_STEP_DELTA:
    put_head(a, out);
    put_delta(a, step, out);
    put_tail(a, out);
    break;
  case SIM_STEP_CLOSE: break;
  case SIM_STEP_FINISH:
    put_head(a, out);
    LITERAL(out, "{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":");
    put_finish(a, out);
    LITERAL(out, "}");
    put_tail(a, out);
    if (a->stream_usage && a->usage) put_usage_chunk(a, out);
    break;
  case SIM_STEP_END: LITERAL(out, "data: [DONE]\n\n"); break;
  }
}

static void ping(struct buf *out) {
  LITERAL(out, ": ping\n\n");
}

static const struct fault {
  unsigned status;
  struct slice type, code, message; /* code empty: null */
} faults[] = {
    {400, SLICE_INIT("invalid_request_error"), SLICE_INIT(""), SLICE_INIT("Invalid request.")},
    {401, SLICE_INIT("invalid_request_error"), SLICE_INIT("invalid_api_key"),
     SLICE_INIT("Incorrect API key provided.")},
    {403, SLICE_INIT("invalid_request_error"), SLICE_INIT("unsupported_country_region_territory"),
     SLICE_INIT("Country, region, or territory not supported")},
    {404, SLICE_INIT("invalid_request_error"), SLICE_INIT("model_not_found"),
     SLICE_INIT("The model does not exist or you do not have access to it.")},
    {429, SLICE_INIT("requests"), SLICE_INIT("rate_limit_exceeded"),
     SLICE_INIT(
         "Rate limit reached for requests per min (RPM): Limit 3, Used 3, Requested 1. Please try again in 20s.")},
    {429, SLICE_INIT("insufficient_quota"), SLICE_INIT("insufficient_quota"),
     SLICE_INIT(
         "You exceeded your current quota, please check your plan and billing details. For more information on this "
         "error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.")},
    {503, SLICE_INIT("service_unavailable_error"), SLICE_INIT(""),
     SLICE_INIT("The engine is currently overloaded, please try again later.")},
    {500, SLICE_INIT("server_error"), SLICE_INIT(""),
     SLICE_INIT("The server had an error while processing your request. Sorry about that!")}, /* also for all others */
};

static const struct fault *fault_of(const struct sim_refusal *why) {
  size_t i = 0;
  while (i + 1 < sizeof faults / sizeof *faults &&
         (faults[i].status != why->status || (why->type.len > 0 && !slice_eq(faults[i].type, why->type))))
    i++;
  if (why->type.len > 0 && faults[i].status != why->status)
    return fault_of(&(struct sim_refusal){.status = why->status});
  if (why->status > 404 && why->status < 429) return &faults[0];
  return &faults[i];
}

static void put_error(const struct sim_refusal *why, const char *open, const char *between, const char *close,
                      struct buf *out) {
  const struct fault *usual = fault_of(why);
  buf_text(out, open);
  LITERAL(out, "\"message\": ");
  json_put_string(out, why->message.len > 0 ? why->message : usual->message);
  buf_text(out, between);
  LITERAL(out, "\"type\": ");
  json_put_string(out, why->type.len > 0 ? why->type : usual->type);
  buf_text(out, between);
  LITERAL(out, "\"param\": null");
  buf_text(out, between);
  LITERAL(out, "\"code\": ");
  if (usual->code.len > 0) json_put_string(out, usual->code);
  else LITERAL(out, "null");
  buf_text(out, close);
}

static void error(const struct sim_answer *a, const struct sim_refusal *why, struct buf *out) {
  (void)a;
  put_error(why, "{\n  \"error\": {\n    ", ",\n    ", "\n  }\n}\n", out);
}

static void error_event(const struct sim_answer *a, const struct sim_refusal *why, struct buf *out) {
  (void)a;
  put_error(why, "data: {\"error\":{", ",", "}}\n\n", out);
}

static void models(struct buf *out) {
  static const char *const ids[] = {"gpt-5", "gpt-5-mini", "gpt-4o", "gpt-4o-mini"};
  LITERAL(out, "{\n  \"object\": \"list\",\n  \"data\": [");
  for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
    buf_text(out, i == 0 ? "\n    {\n      \"id\": \"" : ",\n    {\n      \"id\": \"");
    buf_text(out, ids[i]);
    LITERAL(out, "\",\n      \"object\": \"model\",\n      \"created\": ");
    buf_u64(out, CREATED_FIRST);
    LITERAL(out, ",\n      \"owned_by\": \"system\"\n    }");
  }
  LITERAL(out, "\n  ]\n}\n");
}

const struct sim_dialect sim_openai_chat = {
    .name = "openai.chat",
    .path_end = SLICE_INIT("/chat/completions"),
    .read = read,
    .tool = tool,
    .credential = credential,
    .wrong_key = wrong_key,
    .headers = headers,
    .whole = whole,
    .begin = begin,
    .step = step_out,
    .ping = ping,
    .error = error,
    .error_event = error_event,
    .models = models,
};
