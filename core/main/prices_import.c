/* prices_import: one reader a format, each from the list's own names to ours. */
#include "main/prices_import.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "gate/account/catalogue.h"
#include "main/simulate/json.h"
#include "wire/json.h"

/* ---- whose models ------------------------------------------------------------------------------------------- */

/* A provider's name in a list, and the adapter that it is here. */
struct owner {
  const char *theirs, *adapter;
};

static const struct owner litellm_owners[] = {
    {"ai21", NULL},
    {"anthropic", "anthropic"},
    {"azure", "azure"},
    {"azure_ai", "azure"},
    {"azure_text", "azure"},
    {"baseten", "baseten"},
    {"bedrock", "bedrock"},
    {"bedrock_converse", "bedrock"},
    {"cerebras", "cerebras"},
    {"cloudflare", "cloudflare"},
    {"cohere", "cohere"},
    {"cohere_chat", "cohere"},
    {"dashscope", "qwen"},
    {"databricks", "databricks"},
    {"deepinfra", "deepinfra"},
    {"deepseek", "deepseek"},
    {"fireworks_ai", "fireworks"},
    {"fireworks_ai-embedding-models", "fireworks"},
    {"gemini", "gemini"},
    {"github", "github"},
    {"groq", "groq"},
    {"huggingface", "huggingface"},
    {"hyperbolic", "hyperbolic"},
    {"mistral", "mistral"},
    {"moonshot", "moonshot"},
    {"nebius", "nebius"},
    {"novita", "novita"},
    {"nvidia_nim", "nvidia"},
    {"ollama", "ollama"},
    {"openai", "openai"},
    {"openrouter", "openrouter"},
    {"perplexity", "perplexity"},
    {"sambanova", "sambanova"},
    {"text-completion-openai", "openai"},
    {"together_ai", "together"},
    {"vertex_ai", "vertex"},
    {"vertex_ai-anthropic_models", "vertex"},
    {"vertex_ai-deepseek_models", "vertex"},
    {"vertex_ai-embedding-models", "vertex"},
    {"vertex_ai-language-models", "vertex"},
    {"vertex_ai-llama_models", "vertex"},
    {"vertex_ai-minimax_models", "vertex"},
    {"vertex_ai-mistral_models", "vertex"},
    {"vertex_ai-moonshot_models", "vertex"},
    {"vertex_ai-openai_models", "vertex"},
    {"vertex_ai-qwen_models", "vertex"},
    {"vertex_ai-zai_models", "vertex"},
    {"xai", "xai"},
    {"zai", "zhipu"},
};

static const struct owner models_dev_owners[] = {
    {"alibaba", "qwen"},
    {"amazon-bedrock", "bedrock"},
    {"anthropic", "anthropic"},
    {"azure", "azure"},
    {"baseten", "baseten"},
    {"cerebras", "cerebras"},
    {"cloudflare-workers-ai", "cloudflare"},
    {"cohere", "cohere"},
    {"databricks", "databricks"},
    {"deepinfra", "deepinfra"},
    {"deepseek", "deepseek"},
    {"fireworks-ai", "fireworks"},
    {"github-models", "github"},
    {"google", "gemini"},
    {"google-vertex", "vertex"},
    {"google-vertex-anthropic", "vertex"},
    {"groq", "groq"},
    {"huggingface", "huggingface"},
    {"hyperbolic", "hyperbolic"},
    {"mistral", "mistral"},
    {"moonshotai", "moonshot"},
    {"nebius", "nebius"},
    {"novita-ai", "novita"},
    {"nvidia", "nvidia"},
    {"openai", "openai"},
    {"openrouter", "openrouter"},
    {"perplexity", "perplexity"},
    {"sambanova", "sambanova"},
    {"togetherai", "together"},
    {"xai", "xai"},
    {"zai", "zhipu"},
};

static const char *adapter_of(const struct owner *owners, size_t count, struct slice theirs) {
  for (size_t i = 0; i < count; i++)
    if (slice_eq(theirs, slice_text(owners[i].theirs))) return owners[i].adapter;
  return NULL;
}

/* ---- rows --------------------------------------------------------------------------------------------------- */

static void skip(struct price_import *p, const char *why, struct slice name) {
  struct price_skips *s = p->skips;
  while (s < p->skips + p->skip_count && strcmp(s->why, why) != 0) s++;
  if (s == p->skips + p->skip_count) {
    if (p->skip_count == SKIPS_MAX) return;
    p->skip_count++;
    *s = (struct price_skips){.why = why};
  }
  if (s->count < SKIP_EXAMPLES)
    snprintf(s->examples[s->count], sizeof s->examples[0], "%.*s", (int)(name.len < 63 ? name.len : 63), name.ptr);
  s->count++;
}

/* A row being made: kept when it turns out whole. */
struct making {
  struct price_import *import;
  struct arena *arena;
  char name[256];
  struct value row;
};

static bool begin(struct making *m, const char *adapter, struct slice model) {
  int len = snprintf(m->name, sizeof m->name, "%s/%.*s", adapter, (int)model.len, model.ptr);
  m->row = (struct value){.kind = VALUE_TABLE};
  return len > 0 && (size_t)len < sizeof m->name && model.len > 0;
}

/* A number, or a string with one. */
static struct slice number_of(struct slice raw) {
  return raw.len >= 2 && *raw.ptr == '"' ? slice_of(raw.ptr + 1, raw.len - 2) : raw;
}

/* raw × 10^shift as a decimal with `places` places, under key; nothing when raw is absent or null. False: no price. */
static bool put_amount(struct making *m, struct value *into, const char *key, struct slice raw, int shift, int places) {
  uint64_t amount, unit = 1;
  bool exact;
  char text[48];
  if (raw.ptr == NULL || slice_eq(raw, SLICE("null")) || value_get(into, key) != NULL) return true;
  if (!price_scale(number_of(raw), shift + places, &amount, &exact)) return false;
  for (int i = 0; i < places; i++) unit *= 10;
  m->import->rounded += !exact;
  int len = snprintf(text, sizeof text, "%llu.%0*llu", (unsigned long long)(amount / unit), places,
                     (unsigned long long)(amount % unit));
  while (text[len - 1] == '0') len--;
  if (text[len - 1] == '.') len--;
  value_set_text(value_add_field(into, slice_text(key)), slice_of(text, (size_t)len));
  return true;
}

static void put_whole(struct value *row, const char *key, uint64_t number) {
  *value_add_field(row, slice_text(key)) =
      (struct value){.kind = VALUE_INTEGER, .integer = (int64_t)number, .number = (double)number};
}

static void put_tokens(struct value *row, const char *key, struct slice raw) {
  uint64_t tokens;
  if (raw.ptr != NULL && price_scale(number_of(raw), 0, &tokens, NULL) && tokens > 0 && tokens <= UINT32_MAX)
    put_whole(row, key, tokens);
}

static void forget(struct value *v) { /* v itself is the caller's */
  struct value *whole = value_new();
  *whole = *v;
  value_free(whole);
}

struct words {
  char text[160];
  size_t len;
};

static void put_word(struct words *w, enum capability which, bool can) {
  if (can)
    w->len +=
        (size_t)snprintf(w->text + w->len, sizeof w->text - w->len, "%s%s", w->len ? " " : "", capability_names[which]);
}

static void put_words(struct value *row, const struct words *w) {
  value_set_text(value_add_field(row, SLICE("can")), slice_of(w->text, w->len));
}

/* Lists give a price for input alone to models that make no text. */
static void complete(struct value *prices) {
  bool in = value_get(prices, "input") != NULL, made = value_get(prices, "output") != NULL;
  if (in != made) value_set_text(value_add_field(prices, in ? SLICE("output") : SLICE("input")), SLICE("0"));
}

/* Of a step or tier: what it does not say costs what it costs without it. */
static void complete_like(struct value *prices, const struct value *base) {
  static const char *const both[] = {"input", "output"};
  for (unsigned i = 0; i < 2; i++) {
    const struct value *same = value_get(base, both[i]);
    if (same != NULL && value_get(prices, both[i]) == NULL)
      value_set_text(value_add_field(prices, slice_text(both[i])), same->text);
  }
}

/* Takes the row when the catalogue would. */
static void keep(struct making *m, struct slice shown) {
  struct price_import *p = m->import;
  struct catalogue *judge = catalogue_new();
  struct value one = {.kind = VALUE_TABLE, .count = 1};
  struct value_field field = {.key = slice_text(m->name), .value = m->row};
  struct err e;
  one.fields = &field;
  bool priced = value_get(&m->row, "input") != NULL;
  for (uint32_t i = 0; i < m->row.count && !priced; i++) priced = slice_starts(m->row.fields[i].key, SLICE("per_"));
  bool fine = priced && catalogue_add(judge, &one, "", "", false, "", &e);
  catalogue_free(judge);
  if (fine && value_get(p->rows, m->name) == NULL) {
    struct value *row = value_add_field(p->rows, slice_text(m->name));
    *row = m->row;
    return;
  }
  skip(p,
       !priced ? "it has no price that a gateway could count"
       : fine  ? "a row of that name came before"
               : "its tiers do not fit",
       shown);
  forget(&m->row);
}

static void drop(struct making *m, const char *why, struct slice shown) {
  forget(&m->row);
  skip(m->import, why, shown);
}

static bool is_true(struct slice object, const char *key) {
  return slice_eq(sim_json_get(object, key), SLICE("true"));
}

static bool is_other(const struct price_import *p, const char *adapter) {
  return p->adapter != NULL && strcmp(p->adapter, adapter) != 0;
}

/* ---- LiteLLM ------------------------------------------------------------------------------------------------ */

static const char *const litellm_rates[][2] = {
    {"input", "input_cost_per_token"},
    {"output", "output_cost_per_token"},
    {"cache_read", "cache_read_input_token_cost"},
    {"cache_write", "cache_creation_input_token_cost"},
    {"cache_write_1h", "cache_creation_input_token_cost_above_1hr"},
    {"audio_input", "input_cost_per_audio_token"},
    {"audio_output", "output_cost_per_audio_token"},
    {"reasoning", "output_cost_per_reasoning_token"},
};
enum { LITELLM_RATES = sizeof litellm_rates / sizeof *litellm_rates };

/* NAME, or NAME_above_200k_tokens, each with the tier's ending. */
static bool litellm_prices(struct making *m, struct value *into, struct slice entry, unsigned above_k,
                           const char *ending) {
  for (unsigned i = 0; i < LITELLM_RATES; i++) {
    char key[128], step[32] = "";
    if (above_k > 0) snprintf(step, sizeof step, "_above_%uk_tokens", above_k);
    snprintf(key, sizeof key, "%s%s%s", litellm_rates[i][1], step, ending);
    if (!put_amount(m, into, litellm_rates[i][0], sim_json_get(entry, key), 6, 6)) return false;
  }
  return true;
}

/* The steps of one tier: those sizes of prompts for which the entry has an input or an output price. */
static bool litellm_steps(struct making *m, struct value *into, struct slice entry, const char *ending) {
  static const unsigned sizes_k[] = {32, 100, 128, 200, 256, 272, 512};
  struct value *list = NULL;
  if (slice_find(entry, SLICE("_above_")) < 0) return true;
  for (unsigned i = 0; i < sizeof sizes_k / sizeof *sizes_k; i++) {
    struct value step = {.kind = VALUE_TABLE};
    put_whole(&step, "tokens", sizes_k[i] * 1000);
    if (!litellm_prices(m, &step, entry, sizes_k[i], ending)) return false;
    if (value_get(&step, "input") != NULL || value_get(&step, "output") != NULL) {
      complete_like(&step, list != NULL ? &list->items[list->count - 1] : into);
      if (list == NULL) list = value_add_field(into, SLICE("above"));
      *value_add_item(list) = step;
    } else {
      forget(&step);
    }
  }
  return true;
}

/* Qwen and others: [{"range":[0,32000],"input_cost_per_token":…}, …] in place of one price. */
static bool litellm_ranges(struct making *m, struct slice entry) {
  struct slice ranges = sim_json_get(entry, "tiered_pricing"), one;
  struct value list = {.kind = VALUE_NIL};
  bool fine = true;
  while (fine && ranges.ptr != NULL && sim_json_element(&ranges, &one)) {
    struct slice range = sim_json_get(one, "range"), from;
    uint64_t tokens;
    if (range.ptr == NULL || !sim_json_element(&range, &from) || !price_scale(from, 0, &tokens, NULL)) continue;
    struct value *into = &m->row;
    if (tokens > 0) {
      into = value_add_item(&list);
      into->kind = VALUE_TABLE;
      put_whole(into, "tokens", tokens);
    }
    fine = litellm_prices(m, into, one, 0, "");
  }
  if (list.kind == VALUE_LIST) *value_add_field(&m->row, SLICE("above")) = list;
  return fine;
}

static bool litellm_tiers(struct making *m, struct slice entry) {
  static const char *const tiers[][2] = {{"flex", "_flex"}, {"priority", "_priority"}, {"batch", "_batches"}};
  for (unsigned t = 0; t < 3; t++) {
    struct value tier = {.kind = VALUE_TABLE};
    if (slice_find(entry, slice_text(tiers[t][1])) < 0) continue;
    bool fine = litellm_prices(m, &tier, entry, 0, tiers[t][1]);
    if (value_get(&tier, "input") != NULL || value_get(&tier, "output") != NULL) complete_like(&tier, &m->row);
    if (fine && value_get(&tier, "input") != NULL) {
      fine = litellm_steps(m, &tier, entry, tiers[t][1]);
      *value_add_field(&m->row, slice_text(tiers[t][0])) = tier;
    } else {
      forget(&tier);
    }
    if (!fine) return false;
  }
  return true;
}

static bool litellm_units(struct making *m, struct slice entry) {
  static const char *const units[][2] = {
      {"per_image", "output_cost_per_image"},        {"per_image", "input_cost_per_image"},
      {"per_second", "input_cost_per_second"},       {"per_second", "output_cost_per_second"},
      {"per_character", "input_cost_per_character"}, {"per_search", "input_cost_per_query"},
      {"per_request", "input_cost_per_request"}};
  struct slice mode = sim_json_get(entry, "mode");
  bool chats = sim_json_is(mode, "chat") || sim_json_is(mode, "responses") || sim_json_is(mode, "completion") ||
               sim_json_is(mode, "embedding");
  for (unsigned i = 0; i < sizeof units / sizeof *units; i++) /* a chat model's images are tokens too */
    if ((!chats || i >= 5) && !put_amount(m, &m->row, units[i][0], sim_json_get(entry, units[i][1]), 0, 12))
      return false;
  struct slice search = sim_json_get(entry, "search_context_cost_per_query");
  /* Perplexity searches for each request, little unless told otherwise. */
  bool always = slice_starts(slice_text(m->name), SLICE("perplexity/sonar"));
  return !chats ||
         put_amount(m, &m->row, always ? "per_request" : "per_search",
                    sim_json_get(search, always ? "search_context_size_low" : "search_context_size_medium"), 0, 12);
}

static void litellm_facts(struct making *m, struct slice entry) {
  static const struct {
    enum capability which;
    const char *key;
  } facts[] = {{CAN_TOOLS, "supports_function_calling"},
               {CAN_PARALLEL_TOOLS, "supports_parallel_function_calling"},
               {CAN_IMAGES, "supports_vision"},
               {CAN_PDF, "supports_pdf_input"},
               {CAN_AUDIO, "supports_audio_input"},
               {CAN_AUDIO_OUTPUT, "supports_audio_output"},
               {CAN_VIDEO, "supports_video_input"},
               {CAN_THINKING, "supports_reasoning"},
               {CAN_JSON_SCHEMA, "supports_response_schema"},
               {CAN_PREFILL, "supports_assistant_prefill"}};
  struct slice mode = sim_json_get(entry, "mode");
  put_tokens(&m->row, "context", sim_json_get(entry, "max_input_tokens"));
  put_tokens(&m->row, "max_output", sim_json_get(entry, "max_output_tokens"));
  if (!sim_json_is(mode, "chat") && !sim_json_is(mode, "responses")) return;
  struct words w = {.len = 0};
  for (unsigned i = 0; i < sizeof facts / sizeof *facts; i++)
    put_word(&w, facts[i].which, is_true(entry, facts[i].key));
  put_words(&m->row, &w);
}

/* The model's own name behind "groq/", "vertex_ai/", …; ptr NULL when it is a regional or sized row of its own. */
static struct slice litellm_model(struct slice key, struct slice owner, const char *adapter) {
  struct slice model = key;
  ptrdiff_t dash = slice_find_byte(owner, '-');
  struct slice prefixes[] = {owner, slice_of(owner.ptr, dash < 0 ? owner.len : (size_t)dash), slice_text(adapter)};
  for (unsigned i = 0; i < 3; i++) {
    if (model.len <= prefixes[i].len + 1 || !slice_starts(model, prefixes[i]) || model.ptr[prefixes[i].len] != '/')
      continue;
    model = slice_from(model, prefixes[i].len + 1);
    break;
  }
  bool sized = slice_find_byte(model, '/') >= 0 && (strcmp(adapter, "bedrock") == 0 || strcmp(adapter, "azure") == 0 ||
                                                    strcmp(adapter, "openai") == 0 || strcmp(adapter, "gemini") == 0);
  return sized ? slice_of(NULL, 0) : model;
}

static void litellm_entry(struct price_import *p, struct arena *arena, struct slice key, struct slice entry) {
  static const char *const unserved[] = {"video_generation", "search", "vector_store", "ocr", "realtime", "guardrail"};
  struct making m = {.import = p, .arena = arena};
  struct slice owner = sim_json_text(arena, sim_json_get(entry, "litellm_provider")),
               retired = sim_json_text(arena, sim_json_get(entry, "deprecation_date")),
               mode = sim_json_get(entry, "mode");
  const char *adapter = adapter_of(litellm_owners, sizeof litellm_owners / sizeof *litellm_owners, owner);
  if (adapter == NULL) return skip(p, "its provider has no adapter here", key);
  if (is_other(p, adapter)) return;
  if (retired.len == 10 && slice_compare(retired, slice_text(p->date)) < 0) return skip(p, "it is retired", key);
  for (unsigned i = 0; i < sizeof unserved / sizeof *unserved; i++)
    if (sim_json_is(mode, unserved[i])) return skip(p, "its kind is not served", key);
  struct slice model = litellm_model(key, owner, adapter);
  if (model.ptr == NULL) return skip(p, "it is a row for one region or one size", key);
  if (!begin(&m, adapter, model)) return skip(p, "its name is too long", key);
  bool fine = litellm_prices(&m, &m.row, entry, 0, "") && litellm_ranges(&m, entry);
  complete(&m.row);
  bool tokens = value_get(&m.row, "input") != NULL;
  fine = fine && (!tokens || value_get(&m.row, "above") != NULL || litellm_steps(&m, &m.row, entry, "")) &&
         (!tokens || litellm_tiers(&m, entry)) && litellm_units(&m, entry);
  if (!fine) return drop(&m, "a price is no number", key);
  litellm_facts(&m, entry);
  keep(&m, key);
}

/* ---- OpenRouter --------------------------------------------------------------------------------------------- */

static bool has_word(struct slice array, const char *word) {
  struct slice one;
  while (array.ptr != NULL && sim_json_element(&array, &one))
    if (sim_json_is(one, word)) return true;
  return false;
}

static void modalities(struct words *w, struct slice in, struct slice out, const char *pdf) {
  put_word(w, CAN_IMAGES, has_word(in, "image"));
  put_word(w, CAN_PDF, has_word(in, pdf));
  put_word(w, CAN_AUDIO, has_word(in, "audio"));
  put_word(w, CAN_AUDIO_OUTPUT, has_word(out, "audio"));
  put_word(w, CAN_VIDEO, has_word(in, "video"));
}

static void openrouter_entry(struct price_import *p, struct arena *arena, struct slice entry) {
  static const char *const rates[][2] = {{"input", "prompt"},
                                         {"output", "completion"},
                                         {"cache_read", "input_cache_read"},
                                         {"cache_write", "input_cache_write"},
                                         {"cache_write_1h", "input_cache_write_1h"},
                                         {"audio_input", "audio"},
                                         {"reasoning", "internal_reasoning"}};
  struct making m = {.import = p, .arena = arena};
  struct slice id = sim_json_text(arena, sim_json_get(entry, "id")), price = sim_json_get(entry, "pricing"),
               kinds = sim_json_get(entry, "architecture"), takes = sim_json_get(entry, "supported_parameters");
  if (is_other(p, "openrouter")) return;
  if (!begin(&m, "openrouter", id)) return skip(p, "its name is too long", id);
  bool fine = true;
  for (unsigned i = 0; i < sizeof rates / sizeof *rates && fine; i++) {
    struct slice raw = sim_json_get(price, rates[i][1]);
    /* "0" beside a price for prompts says that there is none of its own. */
    bool zero = i > 1 && slice_eq(number_of(raw), SLICE("0"));
    fine = zero || put_amount(&m, &m.row, rates[i][0], raw, 6, 6);
  }
  fine = fine && put_amount(&m, &m.row, "per_request", sim_json_get(price, "request"), 0, 12) &&
         put_amount(&m, &m.row, "per_search", sim_json_get(price, "web_search"), 0, 12);
  if (!fine) return drop(&m, "a price is no number", id);
  complete(&m.row);
  put_tokens(&m.row, "context", sim_json_get(entry, "context_length"));
  put_tokens(&m.row, "max_output", sim_json_get(sim_json_get(entry, "top_provider"), "max_completion_tokens"));
  struct words w = {.len = 0};
  put_word(&w, CAN_TOOLS, has_word(takes, "tools"));
  put_word(&w, CAN_PARALLEL_TOOLS, has_word(takes, "parallel_tool_calls"));
  modalities(&w, sim_json_get(kinds, "input_modalities"), sim_json_get(kinds, "output_modalities"), "file");
  put_word(&w, CAN_THINKING, has_word(takes, "reasoning"));
  put_word(&w, CAN_JSON_SCHEMA, has_word(takes, "structured_outputs"));
  put_words(&m.row, &w);
  keep(&m, id);
}

/* ---- models.dev --------------------------------------------------------------------------------------------- */

static bool models_dev_prices(struct making *m, struct value *into, struct slice cost) {
  static const char *const rates[][2] = {{"input", "input"},
                                         {"output", "output"},
                                         {"cache_read", "cache_read"},
                                         {"cache_write", "cache_write"},
                                         {"audio_input", "input_audio"},
                                         {"audio_output", "output_audio"},
                                         {"reasoning", "reasoning"}};
  for (unsigned i = 0; i < sizeof rates / sizeof *rates; i++)
    if (!put_amount(m, into, rates[i][0], sim_json_get(cost, rates[i][1]), 0, 6)) return false;
  return true;
}

static void models_dev_entry(struct price_import *p, struct arena *arena, const char *adapter, struct slice id,
                             struct slice entry) {
  struct making m = {.import = p, .arena = arena};
  struct slice cost = sim_json_get(entry, "cost"), limit = sim_json_get(entry, "limit"),
               kinds = sim_json_get(entry, "modalities"), long_cost = sim_json_get(cost, "context_over_200k");
  if (!begin(&m, adapter, id)) return skip(p, "its name is too long", id);
  bool fine = models_dev_prices(&m, &m.row, cost);
  if (fine && long_cost.ptr != NULL && *long_cost.ptr == '{') {
    struct value *step = value_add_item(value_add_field(&m.row, SLICE("above")));
    step->kind = VALUE_TABLE;
    put_whole(step, "tokens", 200000);
    fine = models_dev_prices(&m, step, long_cost);
    complete_like(step, &m.row);
  }
  if (!fine) return drop(&m, "a price is no number", id);
  complete(&m.row);
  struct slice input = sim_json_get(limit, "input");
  put_tokens(&m.row, "context", input.ptr != NULL ? input : sim_json_get(limit, "context"));
  put_tokens(&m.row, "max_output", sim_json_get(limit, "output"));
  struct words w = {.len = 0};
  put_word(&w, CAN_TOOLS, is_true(entry, "tool_call"));
  modalities(&w, sim_json_get(kinds, "input"), sim_json_get(kinds, "output"), "pdf");
  put_word(&w, CAN_THINKING, is_true(entry, "reasoning"));
  put_word(&w, CAN_JSON_SCHEMA, is_true(entry, "structured_output"));
  put_words(&m.row, &w);
  keep(&m, id);
}

static void models_dev_owner(struct price_import *p, struct arena *arena, struct slice key, struct slice entry) {
  const char *adapter = adapter_of(models_dev_owners, sizeof models_dev_owners / sizeof *models_dev_owners, key);
  struct slice rest = sim_json_get(entry, "models"), id, model;
  if (adapter == NULL) return skip(p, "its provider has no adapter here", key);
  if (is_other(p, adapter)) return;
  while (sim_json_member(&rest, &id, &model)) models_dev_entry(p, arena, adapter, id, model);
}

/* ---- the list ----------------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b) {
  return slice_compare(((const struct value_field *)a)->key, ((const struct value_field *)b)->key);
}

static void read_all(struct price_import *p, struct arena *arena, struct slice json) {
  struct slice rest = json, key, entry, list = sim_json_get(json, "data");
  if (list.ptr != NULL && *list.ptr == '[') {
    p->format = "OpenRouter";
    while (sim_json_element(&list, &entry)) openrouter_entry(p, arena, entry);
    return;
  }
  while (sim_json_member(&rest, &key, &entry)) {
    if (sim_json_get(entry, "litellm_provider").ptr != NULL) {
      p->format = "LiteLLM";
      if (!slice_eq(key, SLICE("sample_spec"))) litellm_entry(p, arena, key, entry);
    } else if (sim_json_get(entry, "models").ptr != NULL) {
      p->format = "models.dev";
      models_dev_owner(p, arena, key, entry);
    }
  }
}

/* A dated name that says the same as its undated one, which stands for it. */
static bool says_nothing(const struct price_import *p, const struct value_field *f) {
  struct slice shorter = catalogue_undated(f->key);
  char name[256];
  if (shorter.len == f->key.len || slice_ends(f->key, SLICE("-latest"))) return false;
  snprintf(name, sizeof name, "%.*s", (int)shorter.len, shorter.ptr);
  const struct value *row = value_get(p->rows, name);
  return row != NULL && value_same(row, &f->value);
}

static void drop_doubles(struct price_import *p) {
  uint32_t kept_count = 0;
  for (uint32_t i = 0; i < p->rows->count; i++) { /* undated names are never dropped, so they can still be found */
    struct value_field *f = &p->rows->fields[i];
    if (!says_nothing(p, f)) {
      p->rows->fields[kept_count++] = *f;
      continue;
    }
    skip(p, "it is dated and says what its undated row says", f->key);
    forget(&f->value);
    mem_free((char *)f->key.ptr);
  }
  p->rows->count = kept_count;
}

bool prices_import_read(struct price_import *p, struct slice json, struct err *e) {
  struct json_fault fault;
  struct arena arena;
  p->rows = value_new();
  p->rows->kind = VALUE_TABLE;
  if (!json_valid(json, &fault)) return err_set(e, "not JSON: %s at byte %zu", fault.why, fault.at);
  arena_init(&arena);
  if (json.len > 0) read_all(p, &arena, json);
  arena_done(&arena);
  if (p->format == NULL)
    return err_set(e, "not one of the known lists: LiteLLM's model_prices_and_context_window.json, OpenRouter's "
                      "/api/v1/models, models.dev's api.json");
  drop_doubles(p);
  if (p->rows->count > 0) qsort(p->rows->fields, p->rows->count, sizeof *p->rows->fields, by_name);
  return true;
}

void prices_import_done(struct price_import *p) {
  value_free(p->rows);
  p->rows = NULL;
}

/* ---- the file ----------------------------------------------------------------------------------------------- */

static void put_quoted(struct buf *out, struct slice text) {
  buf_byte(out, '"');
  for (size_t i = 0; i < text.len; i++) {
    unsigned char c = (unsigned char)text.ptr[i];
    if (c == '"' || c == '\\') buf_byte(out, '\\'), buf_byte(out, (char)c);
    else if (c < 0x20 || c == 0x7f) buf_fill(out, "\\%03u", c);
    else buf_byte(out, (char)c);
  }
  buf_byte(out, '"');
}

/* A row's fields in one order, each table and list on a line of its own, no line longer than LINE_MAX. */
static void put_row(struct buf *out, const struct value *row, unsigned indent) {
  static const char *const order[] = {
      "tokens",      "context",        "max_output",  "can",          "input",     "output",      "cache_read",
      "cache_write", "cache_write_1h", "audio_input", "audio_output", "reasoning", "per_request", "per_image",
      "per_second",  "per_character",  "per_search",  "above",        "flex",      "priority",    "batch"};
  enum { LINE_CHARS_MAX = 112 };
  struct buf field = {0};
  size_t line = out->len;
  bool first = true;
  while (line > 0 && out->ptr[line - 1] != '\n') line--;
  buf_byte(out, '{');
  for (unsigned i = 0; i < sizeof order / sizeof *order; i++) {
    const struct value *v = value_get(row, order[i]);
    if (v == NULL) continue;
    bool breaks = v->kind == VALUE_TABLE || v->kind == VALUE_LIST;
    field.len = 0;
    buf_fill(&field, "%s = ", order[i]);
    if (v->kind == VALUE_TEXT) put_quoted(&field, v->text);
    else if (v->kind == VALUE_INTEGER) buf_i64(&field, v->integer);
    if (!first) buf_byte(out, ',');
    if (breaks || out->len - line + field.len + 2 > LINE_CHARS_MAX) {
      line = out->len + 1;
      buf_fill(out, "\n%*s", (int)indent + 2, "");
    } else {
      buf_byte(out, ' ');
    }
    first = false;
    buf_slice(out, buf_view(&field));
    if (v->kind == VALUE_TABLE) put_row(out, v, indent + 2);
    for (uint32_t k = 0; v->kind == VALUE_LIST && k < v->count; k++) {
      buf_fill(out, "%s\n%*s", k == 0 ? "{" : ",", (int)indent + 4, "");
      put_row(out, &v->items[k], indent + 4);
    }
    if (v->kind == VALUE_LIST) buf_text(out, " }");
  }
  buf_text(out, " }");
  buf_done(&field);
}

void prices_import_write(const struct price_import *p, const char *source, struct buf *out) {
  buf_fill(out,
           "-- What models can do, take and cost; written by `moongate prices import`. US dollars per million tokens.\n"
           "return {\n  date = \"%s\",\n  source = ",
           p->date);
  put_quoted(out, slice_text(source));
  buf_text(out, ",\n  models = {\n");
  for (uint32_t i = 0; i < p->rows->count; i++) {
    buf_text(out, "    [");
    put_quoted(out, p->rows->fields[i].key);
    buf_text(out, "] = ");
    put_row(out, &p->rows->fields[i].value, 4);
    buf_text(out, ",\n");
  }
  buf_text(out, "  },\n}\n");
}
