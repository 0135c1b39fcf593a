/* simulate_openai: wrong keys, headers, messages, tools, errors and models of api.openai.com. Pure; any thread. It
 * does NOT know an API's answers: those are the dialects'. */
#include "main/simulate/openai.h"

#include "main/simulate/json.h"
#include "wire/json.h"

void sim_openai_wrong_key(struct slice key, struct buf *message) {
  if (key.len == 0) {
    buf_text(message,
             "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer "
             "auth (i.e. Authorization: Bearer YOUR_KEY), or as the password field (with blank username) if you're "
             "accessing the API from your browser and are prompted for a username and password. You can obtain an "
             "API key from https://platform.openai.com/account/api-keys.");
    return;
  }
  buf_text(message, "Incorrect API key provided: ");
  /* As the provider does: eight bytes, stars, four bytes. */
  bool long_enough = key.len >= 16;
  buf_append(message, key.ptr, long_enough ? 8 : key.len / 4);
  for (size_t i = 0; i < (long_enough ? key.len - 12 : 4); i++) buf_byte(message, '*');
  if (long_enough) buf_append(message, key.ptr + key.len - 4, 4);
  buf_text(message, ". You can find your API key at https://platform.openai.com/account/api-keys.");
}

void sim_openai_headers(const struct sim_answer *a, struct buf *out) {
  buf_text(out, "openai-version: 2020-10-01\r\nopenai-processing-ms: 12\r\n"
                "x-ratelimit-limit-requests: 10000\r\nx-ratelimit-limit-tokens: 200000\r\n"
                "x-ratelimit-remaining-requests: 9999\r\nx-ratelimit-remaining-tokens: 199961\r\n"
                "x-ratelimit-reset-requests: 8.64s\r\nx-ratelimit-reset-tokens: 11ms\r\nx-request-id: ");
  sim_id_put(out, "req_", a, 7);
  buf_text(out, "\r\n");
}

static void name_result(struct slice calls, struct sim_result *result) {
  struct slice call;
  while (sim_json_element(&calls, &call))
    if (slice_eq(sim_json_get(call, "id"), result->id))
      result->name = sim_json_get(sim_json_get(call, "function"), "name");
}

void sim_openai_read_messages(struct slice messages, struct sim_ask *ask) {
  struct slice message, calls = {0};
  while (sim_json_element(&messages, &message)) {
    struct slice role = sim_json_get(message, "role");
    if (sim_json_is(role, "user")) ask->user = sim_json_get(message, "content");
    if (sim_json_is(role, "assistant")) calls = sim_json_get(message, "tool_calls");
    if (!sim_json_is(role, "tool")) {
      ask->result_count = 0;
    } else if (ask->result_count < SIM_RESULTS_MAX) {
      struct slice id = sim_json_get(message, "tool_call_id");
      name_result(calls, sim_ask_add_result(ask, id, sim_json_get(message, "content")));
    }
  }
}

bool sim_openai_tool(struct slice *rest, struct slice *name, struct slice *schema) {
  struct slice entry;
  while (sim_json_element(rest, &entry)) {
    struct slice function = sim_json_get(entry, "function");
    *name = sim_json_get(function, "name");
    *schema = sim_json_get(function, "parameters");
    if (name->len > 0 && *name->ptr == '"') return true;
  }
  return false;
}

void sim_openai_ping(struct buf *out) {
  buf_text(out, ": ping\n\n");
}

void sim_openai_put_done(const struct sim_answer *a, struct buf *out) {
  (void)a;
  buf_text(out, "data: [DONE]\n\n");
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

void sim_openai_put_error(const struct sim_refusal *why, const char *open, const char *between, const char *close,
                          struct buf *out) {
  const struct fault *usual = fault_of(why);
  buf_text(out, open);
  buf_text(out, "\"message\": ");
  json_put_string(out, why->message.len > 0 ? why->message : usual->message);
  buf_text(out, between);
  buf_text(out, "\"type\": ");
  json_put_string(out, why->type.len > 0 ? why->type : usual->type);
  buf_text(out, between);
  buf_text(out, "\"param\": null");
  buf_text(out, between);
  buf_text(out, "\"code\": ");
  if (usual->code.len > 0) json_put_string(out, usual->code);
  else buf_text(out, "null");
  buf_text(out, close);
}

void sim_openai_error(const struct sim_answer *a, const struct sim_refusal *why, struct buf *out) {
  (void)a;
  sim_openai_put_error(why, "{\n  \"error\": {\n    ", ",\n    ", "\n  }\n}\n", out);
}

void sim_openai_models(struct buf *out) {
  static const char *const ids[] = {"gpt-5", "gpt-5-mini", "gpt-4o", "gpt-4o-mini"};
  buf_text(out, "{\n  \"object\": \"list\",\n  \"data\": [");
  for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
    buf_text(out, i == 0 ? "\n    {\n      \"id\": \"" : ",\n    {\n      \"id\": \"");
    buf_text(out, ids[i]);
    sim_put_count(out, "\",\n      \"object\": \"model\",\n      \"created\": ", SIM_OPENAI_CREATED);
    buf_text(out, ",\n      \"owned_by\": \"system\"\n    }");
  }
  buf_text(out, "\n  ]\n}\n");
}
