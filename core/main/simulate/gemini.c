/* simulate_gemini: the row of gemini, POST …/models/NAME:generateContent and :streamGenerateContent, the latter as
 * server-sent events (alt=sse) or as one JSON array. Pure; any thread. Shapes, field order and wording of errors are
 * those of generativelanguage.googleapis.com: calls come whole, what was thought is signed on the part after it, every
 * event counts all tokens so far. It does NOT do candidateCount > 1, grounding or code execution. */
#include "main/simulate/dialect.h"
#include "main/simulate/json.h"
#include "wire/json.h"
#include "wire/url.h"

/* A member by its name in camelCase, or in snake_case: clients send both. */
static struct slice get(struct slice object, const char *camel, const char *snake) {
  struct slice found = sim_json_get(object, camel);
  return found.ptr != NULL ? found : sim_json_get(object, snake);
}

/* ---- the request */

static struct slice action_of(struct slice path) {
  static const char *const actions[] = {":streamGenerateContent", ":generateContent"};
  for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
    if (slice_ends(path, slice_text(actions[i]))) return slice_text(actions[i]);
  return (struct slice){0};
}

static bool takes(struct slice path) {
  return action_of(path).len > 0 || slice_ends(path, SLICE("/v1beta/models"));
}

/* Between the last '/' and the action, as a raw JSON string. */
static bool read_model(struct slice path, struct sim_ask *ask) {
  struct slice name = slice_of(path.ptr, path.len - action_of(path).len);
  char *out = ask->model_text;
  size_t len = 0;
  for (ptrdiff_t slash; (slash = slice_find_byte(name, '/')) >= 0;) name = slice_from(name, (size_t)slash + 1);
  if (name.len == 0 || name.len + 2 > sizeof ask->model_text || !url_decode(name, out + 1, &len)) return false;
  for (size_t i = 1; i <= len; i++)
    if ((unsigned char)out[i] < 0x20 || out[i] == '"' || out[i] == '\\') return false;
  out[0] = out[len + 1] = '"';
  ask->model = slice_of(out, len + 2);
  return true;
}

static void read_choice(struct slice config, struct sim_ask *ask) {
  struct slice calling = get(config, "functionCallingConfig", "function_calling_config");
  struct slice mode = sim_json_get(calling, "mode"), name;
  struct slice names = get(calling, "allowedFunctionNames", "allowed_function_names");
  if (sim_json_is(mode, "NONE")) ask->tool_choice = SIM_TOOL_NONE;
  if (!sim_json_is(mode, "ANY")) return;
  ask->tool_choice = SIM_TOOL_REQUIRED;
  if (sim_json_element(&names, &name)) {
    ask->tool_choice = SIM_TOOL_NAMED;
    ask->named = name;
  }
}

/* The last text in what a tool answered, {"output":"…"} or {"name":"…","content":"…"} mostly; else all of it. */
static struct slice result_content(struct slice response) {
  struct slice rest = response, key, value, text = response;
  while (sim_json_member(&rest, &key, &value))
    if (*value.ptr == '"') text = value;
  return text;
}

static void read_content(struct slice content, struct sim_ask *ask) {
  struct slice parts = sim_json_get(content, "parts"), rest = parts, part, raw;
  if (sim_json_is(sim_json_get(content, "role"), "model")) {
    ask->result_count = 0;
    return;
  }
  while (sim_json_element(&rest, &part)) {
    struct slice response = get(part, "functionResponse", "function_response");
    if (response.ptr == NULL || ask->result_count == SIM_RESULTS_MAX) continue;
    struct slice said = result_content(sim_json_get(response, "response"));
    sim_ask_add_result(ask, sim_json_get(response, "id"), said)->name = sim_json_get(response, "name");
  }
  rest = parts;
  if (sim_ask_text_next(&rest, &raw)) ask->user = parts;
}

static void read_config(struct slice config, struct sim_ask *ask) {
  struct slice most = get(config, "maxOutputTokens", "max_output_tokens");
  struct slice schema = get(config, "responseJsonSchema", "response_json_schema");
  if (schema.ptr == NULL) schema = get(config, "responseSchema", "response_schema");
  if (schema.ptr != NULL) ask->schema = schema;
  else if (sim_json_is(get(config, "responseMimeType", "response_mime_type"), "application/json"))
    ask->schema = SLICE("{}");
  if (most.ptr == NULL || !json_to_u64(most, &ask->max_tokens)) ask->max_tokens = 0;
}

static bool read(struct slice body, const struct http_head *head, struct sim_ask *ask, struct sim_refusal *why) {
  enum { CONTENTS, SYSTEM, SYSTEM_SNAKE, TOOLS, CHOICE, CHOICE_SNAKE, CONFIG, CONFIG_SNAKE, FIELDS };
  struct json_field f[FIELDS] = {{.key = SLICE("contents")},           {.key = SLICE("systemInstruction")},
                                 {.key = SLICE("system_instruction")}, {.key = SLICE("tools")},
                                 {.key = SLICE("toolConfig")},         {.key = SLICE("tool_config")},
                                 {.key = SLICE("generationConfig")},   {.key = SLICE("generation_config")}};
  struct json_fault fault;
  *why = (struct sim_refusal){.status = 400};
  if (!json_scan(body, f, FIELDS, &fault))
    why->message = SLICE("Invalid JSON payload received. The simulator could not read it.");
  else if (!read_model(head->path, ask))
    why->message = SLICE("* GenerateContentRequest.model: unexpected model name format");
  else if (f[CONTENTS].raw.ptr == NULL || f[CONTENTS].kind != JSON_ARRAY || f[CONTENTS].raw.len < 4)
    why->message = SLICE("* GenerateContentRequest.contents: contents is not specified\n");
  if (why->message.len > 0) return false;
  struct slice contents = f[CONTENTS].raw, content;
  while (sim_json_element(&contents, &content)) read_content(content, ask);
  if (f[TOOLS].raw.ptr != NULL && f[TOOLS].kind == JSON_ARRAY) ask->tools = f[TOOLS].raw;
  read_choice(f[CHOICE].raw.ptr != NULL ? f[CHOICE].raw : f[CHOICE_SNAKE].raw, ask);
  read_config(f[CONFIG].raw.ptr != NULL ? f[CONFIG].raw : f[CONFIG_SNAKE].raw, ask);
  ask->stream = slice_ends(head->path, SLICE(":streamGenerateContent"));
  if (!slice_eq(http_query_of(head->query, SLICE("alt")), SLICE("sse")))
    ask->stream_type = SLICE("application/json; charset=UTF-8");
  ask->input_tokens = (f[CONTENTS].raw.len + f[SYSTEM].raw.len + f[SYSTEM_SNAKE].raw.len + ask->tools.len) / 4;
  return true;
}

/* Declarations stand in lists within the list of tools. *rest goes into both and, over the brackets that close them,
 * out of them again. */
static bool tool(struct slice *rest, struct slice *name, struct slice *schema) {
  struct slice key, value;
  for (*rest = slice_trim(*rest); rest->len > 1; *rest = slice_trim(*rest)) {
    char next = *slice_trim(slice_from(*rest, 1)).ptr;
    if (*rest->ptr == ']' || *rest->ptr == '}' || (next != '"' && next != '{')) {
      *rest = slice_from(*rest, 1);
    } else if (next == '"') {
      if (!sim_json_member(rest, &key, &value)) return false;
      bool declares = slice_eq(key, SLICE("functionDeclarations")) || slice_eq(key, SLICE("function_declarations"));
      if (declares) *rest = slice_of(value.ptr, (size_t)(rest->ptr + rest->len - value.ptr));
    } else {
      if (!sim_json_element(rest, &value)) return false;
      if (get(value, "functionDeclarations", "function_declarations").ptr != NULL)
        *rest = slice_of(value.ptr, (size_t)(rest->ptr + rest->len - value.ptr));
      *name = sim_json_get(value, "name");
      *schema = get(value, "parametersJsonSchema", "parameters_json_schema");
      if (schema->ptr == NULL) *schema = sim_json_get(value, "parameters");
      if (schema->ptr == NULL) *schema = SLICE("{}");
      if (name->len > 0 && *name->ptr == '"') return true;
    }
  }
  return false;
}

static struct slice credential(const struct http_head *head) {
  struct slice key = http_header_of(head, SLICE("x-goog-api-key"));
  if (key.len == 0) key = http_query_of(head->query, SLICE("key"));
  return key.len > 0 ? key : sim_bearer_token(head);
}

static void wrong_key(struct slice key, struct buf *message) {
  buf_text(message, key.len == 0 ? "Method doesn't allow unregistered callers (callers without established identity). "
                                   "Please use API Key or other form of API consumer identity to call this API."
                                 : "API key not valid. Please pass a valid API key.");
}

/* ---- the answer */

static void headers(const struct sim_answer *a, struct buf *out) {
  (void)a;
  buf_text(out, "server: scaffolding on HTTPServer2\r\nserver-timing: gfet4t7; dur=12\r\nvary: Origin\r\n");
}

static void put_finish(const struct sim_answer *a, struct buf *out) {
  static const struct sim_finish_words words = {.stop = SLICE_INIT("STOP"),
                                                .length = SLICE_INIT("MAX_TOKENS"),
                                                .tool_calls = SLICE_INIT("STOP"),
                                                .refusal = SLICE_INIT("SAFETY"),
                                                .content_filter = SLICE_INIT("SAFETY")};
  buf_text(out, ",\"finishReason\": ");
  json_put_string(out, sim_finish_word(a, &words));
}

/* Signed is the first part after what was thought. */
static bool is_signed(const struct sim_answer *a, unsigned index) {
  return index > 0 && a->blocks[index - 1].kind == SIM_THINKING;
}

static void put_signature(const struct sim_answer *a, struct buf *out) {
  buf_text(out, ",\"thoughtSignature\": \"");
  sim_id_put(out, "EqQBCkYI", a, 50);
  sim_id_put(out, "", a, 51);
  buf_text(out, "\"");
}

/* Bytes [from, to) of a block as one part. */
static void put_part(const struct sim_answer *a, unsigned index, uint64_t from, uint64_t to, struct buf *out) {
  const struct sim_block *b = &a->blocks[index];
  if (b->kind == SIM_CALL) {
    buf_text(out, "{\"functionCall\": {\"name\": ");
    buf_slice(out, b->name);
    buf_text(out, ",\"args\": ");
    buf_slice(out, b->text);
    buf_text(out, ",\"id\": \"");
    sim_id_put(out, "", a, 100 + index);
    buf_text(out, "\"}");
  } else {
    buf_text(out, "{\"text\": ");
    sim_block_put(b, from, to, out);
    if (b->kind == SIM_THINKING) buf_text(out, ",\"thought\": true");
  }
}

/* All tokens of the blocks before `index`, and those of its first `to` bytes. */
static void put_usage(const struct sim_answer *a, unsigned index, uint64_t to, struct buf *out) {
  uint64_t thought = 0, said = 0;
  for (unsigned i = 0; i < a->block_count && i <= index; i++) {
    uint64_t tokens = i < index ? a->blocks[i].words : sim_block_tokens(&a->blocks[i], to);
    if (a->blocks[i].kind == SIM_THINKING) thought += tokens;
    else said += tokens;
  }
  sim_put_count(out, ",\"usageMetadata\": {\"promptTokenCount\": ", a->input_tokens);
  if (said > 0) {
    sim_put_count(out, ",\"candidatesTokenCount\": ", said);
  }
  sim_put_count(out, ",\"totalTokenCount\": ", a->input_tokens + said + thought);
  if (a->cached_tokens > 0) {
    sim_put_count(out, ",\"cachedContentTokenCount\": ", a->cached_tokens);
  }
  sim_put_count(out, ",\"promptTokensDetails\": [{\"modality\": \"TEXT\",\"tokenCount\": ", a->input_tokens);
  buf_text(out, "}]");
  if (thought > 0) {
    sim_put_count(out, ",\"thoughtsTokenCount\": ", thought);
  }
  buf_text(out, ",\"serviceTier\": \"standard\"}");
}

static void put_tail(const struct sim_answer *a, struct buf *out) {
  buf_text(out, ",\"modelVersion\": ");
  buf_slice(out, a->model);
  buf_text(out, ",\"responseId\": \"");
  sim_id_put(out, "", a, 1);
  buf_text(out, "\"}");
}

/* What stands behind the content of a whole answer, and of a stream's last event. */
static void put_ending(const struct sim_answer *a, struct buf *out) {
  put_finish(a, out);
  buf_text(out, ",\"index\": 0}]");
  if (a->usage) put_usage(a, a->block_count, 0, out);
  put_tail(a, out);
}

static void whole(const struct sim_answer *a, struct buf *out) {
  buf_text(out, "{\"candidates\": [{\"content\": {\"parts\": [");
  for (unsigned i = 0; i < a->block_count; i++) {
    if (i > 0) buf_byte(out, ',');
    put_part(a, i, 0, a->blocks[i].bytes, out);
    if (is_signed(a, i)) put_signature(a, out);
    buf_byte(out, '}');
  }
  buf_text(out, "],\"role\": \"model\"}");
  put_ending(a, out);
  buf_text(out, "\n");
}

/* ---- streams: an event a delta; calls come at once, when their block ends */

static bool is_array(const struct sim_answer *a) {
  return a->stream_type.ptr != NULL;
}

static void put_open(const struct sim_answer *a, struct buf *out) {
  bool first = a->event_number == NULL || (*a->event_number)++ == 0;
  if (is_array(a)) buf_text(out, first ? "[" : "\n,\n");
  else buf_text(out, "data: ");
}

static void put_close(const struct sim_answer *a, struct buf *out) {
  if (!is_array(a)) buf_text(out, "\r\n\r\n");
}

static void put_event(const struct sim_answer *a, unsigned index, uint64_t from, uint64_t to, struct buf *out) {
  put_open(a, out);
  buf_text(out, "{\"candidates\": [{\"content\": {\"parts\": [");
  put_part(a, index, from, to, out);
  if (is_signed(a, index) && a->blocks[index].kind == SIM_CALL) put_signature(a, out);
  buf_text(out, "}],\"role\": \"model\"},\"index\": 0}]");
  if (a->usage) put_usage(a, index, to, out);
  put_tail(a, out);
  put_close(a, out);
}

static void put_last(const struct sim_answer *a, struct buf *out) {
  unsigned last = a->block_count - 1;
  put_open(a, out);
  buf_text(out, "{\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"\"");
  if (a->block_count > 0 && is_signed(a, last) && a->blocks[last].kind != SIM_CALL) put_signature(a, out);
  buf_text(out, "}],\"role\": \"model\"}");
  put_ending(a, out);
  put_close(a, out);
}

static void put_delta(const struct sim_answer *a, const struct sim_step *step, struct buf *out) {
  if (a->blocks[step->block].kind != SIM_CALL) put_event(a, step->block, step->from, step->to, out);
}

static void put_call(const struct sim_answer *a, unsigned block, struct buf *out) {
  const struct sim_block *b = &a->blocks[block];
  if (b->kind == SIM_CALL) put_event(a, block, 0, b->bytes, out);
}

static void put_end(const struct sim_answer *a, struct buf *out) {
  if (is_array(a)) buf_text(out, "\n]\n");
}

/* Blank lines between events, blanks between elements. */
static void ping(struct buf *out) {
  buf_text(out, "\r\n");
}

static const struct sim_fault faults[] = {
    {400, SLICE_INIT("INVALID_ARGUMENT"), SLICE_INIT("Request contains an invalid argument.")},
    {401, SLICE_INIT("UNAUTHENTICATED"), SLICE_INIT("API key not valid. Please pass a valid API key.")},
    {403, SLICE_INIT("PERMISSION_DENIED"), SLICE_INIT("The caller does not have permission")},
    {404, SLICE_INIT("NOT_FOUND"),
     SLICE_INIT("The model is not found for API version v1beta, or is not supported for generateContent.")},
    {405, SLICE_INIT("UNIMPLEMENTED"), SLICE_INIT("Method not allowed.")},
    {413, SLICE_INIT("INVALID_ARGUMENT"), SLICE_INIT("Request payload size exceeds the limit: 20971520 bytes.")},
    {429, SLICE_INIT("RESOURCE_EXHAUSTED"),
     SLICE_INIT("You exceeded your current quota, please check your plan and billing details.")},
    {503, SLICE_INIT("UNAVAILABLE"), SLICE_INIT("The model is overloaded. Please try again later.")},
    {504, SLICE_INIT("DEADLINE_EXCEEDED"), SLICE_INIT("Deadline expired before operation could complete.")},
    {0, SLICE_INIT("INTERNAL"), SLICE_INIT("An internal error has occurred.")},
};

static void put_error(const struct sim_refusal *why, struct buf *out) {
  /* 529 is what the play says for "overloaded"; this provider says it with 503. */
  struct sim_refusal said = *why;
  if (said.status == 529) said.status = 503;
  said = sim_refusal_worded(&said, faults);
  sim_put_count(out, "{\"error\": {\"code\": ", said.status);
  buf_text(out, ",\"message\": ");
  json_put_string(out, said.message);
  buf_text(out, ",\"status\": ");
  json_put_string(out, said.type);
  buf_text(out, "}}");
}

static void error(const struct sim_answer *a, const struct sim_refusal *why, struct buf *out) {
  (void)a;
  put_error(why, out);
  buf_text(out, "\n");
}

static void error_event(const struct sim_answer *a, const struct sim_refusal *why, struct buf *out) {
  put_open(a, out);
  put_error(why, out);
  if (is_array(a)) buf_text(out, "]");
  put_close(a, out);
  /* What its own SDKs raise at: core/gate/dialect/gemini.c, put_stream_fault. */
  if (!is_array(a)) buf_text(out, ": the stream ends with an error\n\r\n");
}

static void models(struct buf *out) {
  static const char *const ids[] = {"gemini-3-pro-preview", "gemini-3-flash-preview", "gemini-2.5-pro",
                                    "gemini-2.5-flash"};
  buf_text(out, "{\"models\": [");
  for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
    buf_text(out, i == 0 ? "{\"name\": \"models/" : ",{\"name\": \"models/");
    buf_text(out, ids[i]);
    buf_text(out, "\",\"displayName\": \"");
    buf_text(out, ids[i]);
    buf_text(out, "\",\"inputTokenLimit\": 1048576,\"outputTokenLimit\": 65536,\"supportedGenerationMethods\": "
                  "[\"generateContent\",\"countTokens\"]}");
  }
  buf_text(out, "]}\n");
}

const struct sim_dialect sim_gemini = {
    .name = "gemini",
    .takes = takes,
    .tool = tool,
    .begin = sim_answer_number_events,
    SIM_OWN_CHAT,
    .steps = {.delta = put_delta, .close = put_call, .finish = put_last, .end = put_end},
    SIM_OWN_PROVIDER,
};
