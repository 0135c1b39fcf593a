/* simulate_embeddings: reading bodies and writing vectors and ranks. Pure; any thread. A vector is eight numbers unless
 * more are asked for; a score is the share of the query's words that a document has. It does NOT embed images: an image
 * is a text like any other. */
#include "main/simulate/embeddings.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "base/memory.h"
#include "main/simulate/json.h"
#include "wire/json.h"

enum { DIMENSIONS = 8, DIMENSIONS_MAX = 4096, BASE64_BLOCK = 3, BASE64_TEXT = 4, INT8_MOST = 127 };

enum shape { OPENAI, COHERE, GEMINI, GEMINI_ONE, VERTEX, TITAN, COHERE_ON_AWS, RANK, COHERE_RANK, RANK_ON_AWS, NONE };

static enum shape shape_of(struct slice path) {
  bool second = slice_find(path, SLICE("/v2/")) >= 0;
  if (slice_ends(path, SLICE("/embeddings"))) return OPENAI;
  if (slice_ends(path, SLICE("/embed"))) return COHERE;
  if (slice_ends(path, SLICE(":batchEmbedContents"))) return GEMINI;
  if (slice_ends(path, SLICE(":embedContent"))) return GEMINI_ONE;
  if (slice_ends(path, SLICE(":predict"))) return VERTEX;
  if (slice_ends(path, SLICE("/rerank"))) return second ? COHERE_RANK : RANK;
  if (!slice_ends(path, SLICE("/invoke"))) return NONE;
  if (slice_find(path, SLICE("titan-embed")) >= 0) return TITAN;
  if (slice_find(path, SLICE("cohere.embed")) >= 0) return COHERE_ON_AWS;
  return slice_find(path, SLICE("rerank")) >= 0 ? RANK_ON_AWS : NONE;
}

const struct sim_dialect *sim_embeddings_dialect(struct slice path) {
  switch (shape_of(path)) {
  case OPENAI:
  case RANK: return &sim_openai_chat;
  case COHERE:
  case COHERE_RANK: return &sim_cohere_chat;
  case GEMINI:
  case GEMINI_ONE:
  case VERTEX: return &sim_gemini;
  case TITAN:
  case COHERE_ON_AWS:
  case RANK_ON_AWS: return &sim_bedrock_converse;
  case NONE: break;
  }
  return NULL;
}

static bool ranks(enum shape shape) {
  return shape == RANK || shape == COHERE_RANK || shape == RANK_ON_AWS;
}

/* ---- what is to be embedded or ranked */

/* The list of inputs, or one value that is the only input. */
static struct slice list_of(enum shape shape, struct slice body) {
  static const char *const cohere[] = {"texts", "images", "inputs"};
  switch (shape) {
  case OPENAI: return sim_json_get(body, "input");
  case COHERE:
  case COHERE_ON_AWS:
    for (unsigned i = 0; i < 3; i++) {
      struct slice list = sim_json_get(body, cohere[i]);
      if (list.ptr != NULL && *list.ptr == '[') return list;
    }
    return (struct slice){0};
  case GEMINI: return sim_json_get(body, "requests");
  case VERTEX: return sim_json_get(body, "instances");
  case GEMINI_ONE: return sim_json_get(body, "content").ptr != NULL ? body : (struct slice){0};
  case TITAN: return sim_json_get(body, "inputText");
  default: return sim_json_get(body, "documents");
  }
}

struct inputs {
  struct slice rest;
  bool one; /* rest is the only input: a string, an object, or one text's token ids */
};

static struct inputs inputs_of(enum shape shape, struct slice body) {
  struct slice all = list_of(shape, body), list = all, first;
  bool one = all.len > 0 && *all.ptr != '[';
  if (!one && sim_json_element(&list, &first)) one = *first.ptr >= '0' && *first.ptr <= '9';
  return (struct inputs){all, one};
}

static bool next_input(struct inputs *inputs, struct slice *input) {
  if (!inputs->one) return sim_json_element(&inputs->rest, input);
  *input = inputs->rest;
  inputs->rest = (struct slice){0};
  inputs->one = false;
  return true;
}

/* The text that makes the vector: the same raw string in every shape. */
static struct slice text_of(struct slice input) {
  if (*input.ptr != '{') return input;
  struct slice content = sim_json_get(input, "content"), part, text = sim_json_get(input, "text");
  if (text.ptr != NULL) return text;
  struct slice parts = content.ptr != NULL && *content.ptr == '{' ? sim_json_get(content, "parts") : content;
  if (parts.ptr != NULL && *parts.ptr == '"') return parts;
  if (parts.ptr != NULL && sim_json_element(&parts, &part)) {
    text = sim_json_get(part, "text");
    if (text.ptr != NULL) return text;
  }
  return input;
}

static uint64_t tokens_of(struct slice text) {
  return (text.len + 3) / 4;
}

bool sim_embeddings_read(struct slice path, struct slice body, struct sim_ask *ask, struct sim_refusal *why) {
  enum shape shape = shape_of(path);
  *why = (struct sim_refusal){.status = 400};
  struct json_fault fault;
  struct json_field model = {.key = SLICE("model")};
  if (!json_scan(body, &model, 1, &fault)) {
    why->message = SLICE("invalid request: the body is not a JSON object");
    return false;
  }
  ask->model = model.raw.ptr != NULL && model.kind == JSON_STRING ? model.raw : SLICE("\"embedding\"");
  struct inputs inputs = inputs_of(shape, body);
  struct slice input;
  if (!next_input(&inputs, &input)) {
    why->message = ranks(shape) ? SLICE("\"documents\" must be a non-empty string array")
                                : SLICE("invalid request: there is nothing to embed");
    return false;
  }
  if (ranks(shape) && sim_json_get(body, "query").ptr == NULL) {
    why->message = SLICE("\"query\" must be provided");
    return false;
  }
  if ((shape == COHERE || shape == COHERE_ON_AWS) && sim_json_get(body, "input_type").ptr == NULL) {
    why->message = SLICE("invalid request: input_type parameter is required");
    return false;
  }
  ask->user = text_of(input);
  do ask->input_tokens += tokens_of(text_of(input));
  while (next_input(&inputs, &input));
  return true;
}

/* ---- vectors */

static uint64_t hash_of(struct slice text) {
  uint64_t hash = 14695981039346656037u; /* FNV-1a */
  for (size_t i = 0; i < text.len; i++) hash = (hash ^ (unsigned char)text.ptr[i]) * 1099511628211u;
  return hash;
}

/* Number i of the vector: a 32-bit float from -1 up to 1. */
static float value_of(uint64_t hash, unsigned i) {
  return (float)((int64_t)(sim_mix(hash, i) >> 40) - (1 << 23)) / (float)(1 << 23);
}

static unsigned dimensions_of(struct slice body) {
  static const char *const names[] = {"dimensions", "output_dimension", "outputDimensionality"};
  struct slice first = sim_json_get(body, "requests"), parameters = sim_json_get(body, "parameters"), request;
  uint64_t wanted = DIMENSIONS;
  for (unsigned i = 0; i < 3; i++) {
    struct slice raw = sim_json_get(body, names[i]);
    if (raw.ptr == NULL && parameters.ptr != NULL) raw = sim_json_get(parameters, names[i]);
    struct slice list = first;
    if (raw.ptr == NULL && sim_json_element(&list, &request)) raw = sim_json_get(request, names[i]);
    if (raw.ptr != NULL) json_to_u64(raw, &wanted);
  }
  return wanted < 1 || wanted > DIMENSIONS_MAX ? DIMENSIONS : (unsigned)wanted;
}

static void put_numbers(struct slice text, unsigned dimensions, bool whole, struct buf *out) {
  uint64_t hash = hash_of(text);
  for (unsigned i = 0; i < dimensions; i++) {
    buf_byte(out, i == 0 ? '[' : ',');
    if (whole) buf_i64(out, (int64_t)(value_of(hash, i) * INT8_MOST));
    else json_put_double(out, (double)value_of(hash, i));
  }
  buf_byte(out, ']');
}

static void put_base64(struct slice text, unsigned dimensions, struct buf *out) {
  uint64_t hash = hash_of(text);
  struct buf bytes = {0};
  for (unsigned i = 0; i < dimensions; i++) {
    float value = value_of(hash, i);
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    for (unsigned shift = 0; shift < 32; shift += 8) buf_byte(&bytes, (char)(bits >> shift));
  }
  buf_byte(out, '"');
  char *at = buf_reserve(out, bytes.len / BASE64_BLOCK * BASE64_TEXT + BASE64_TEXT + 1);
  out->len += (size_t)EVP_EncodeBlock((unsigned char *)at, (unsigned char *)bytes.ptr, (int)bytes.len);
  buf_byte(out, '"');
  buf_done(&bytes);
}

/* type: a raw string, "float", "base64" or one of whole numbers; ptr NULL: float. */
static void put_vector(struct slice input, unsigned dimensions, struct slice type, struct buf *out) {
  struct slice text = text_of(input);
  bool whole = type.ptr != NULL && !sim_json_is(type, "float");
  if (type.ptr != NULL && sim_json_is(type, "base64")) put_base64(text, dimensions, out);
  else put_numbers(text, dimensions, whole, out);
}

/* All vectors with `open` before each and `close` behind it; OpenAI's have their index after `open`. */
static void put_vectors(enum shape shape, struct slice body, const char *open, const char *close, struct slice type,
                        struct buf *out) {
  struct inputs inputs = inputs_of(shape, body);
  struct slice input;
  unsigned dimensions = dimensions_of(body);
  for (uint64_t i = 0; next_input(&inputs, &input); i++) {
    if (i > 0) buf_byte(out, ',');
    buf_text(out, open);
    if (shape == OPENAI) {
      buf_u64(out, i);
      buf_text(out, ",\"embedding\":");
    }
    put_vector(input, dimensions, type, out);
    buf_text(out, close);
  }
}

static void put_by_type(enum shape shape, struct slice body, struct buf *out) {
  struct slice types = sim_json_get(body, "embedding_types"), type;
  if (types.ptr == NULL) types = SLICE("[\"float\"]");
  for (bool first = true; sim_json_element(&types, &type); first = false) {
    buf_byte(out, first ? '{' : ',');
    buf_slice(out, type);
    buf_text(out, ":[");
    put_vectors(shape, body, "", "", type, out);
    buf_byte(out, ']');
  }
  buf_byte(out, '}');
}

static void put_cohere(enum shape shape, struct slice body, const struct sim_answer *a, struct buf *out) {
  struct slice texts = sim_json_get(body, "texts");
  buf_text(out, "{\"id\":\"");
  sim_id_put(out, "", a, 1);
  buf_text(out, "\",\"texts\":");
  buf_slice(out, texts.ptr != NULL ? texts : SLICE("[]"));
  buf_text(out, ",\"embeddings\":");
  put_by_type(shape, body, out);
  if (shape == COHERE) {
    sim_put_count(
        out, ",\"meta\":{\"api_version\":{\"version\":\"2\"},\"billed_units\":{\"input_tokens\":", a->input_tokens);
    buf_text(out, "}}");
  }
  buf_text(out, ",\"response_type\":\"embeddings_by_type\"}");
}

static void put_openai(struct slice body, const struct sim_answer *a, struct buf *out) {
  struct slice format = sim_json_get(body, "encoding_format");
  buf_text(out, "{\"object\":\"list\",\"data\":[");
  put_vectors(OPENAI, body, "{\"object\":\"embedding\",\"index\":", "}", format, out);
  buf_text(out, "],\"model\":");
  buf_slice(out, a->model);
  sim_put_count(out, ",\"usage\":{\"prompt_tokens\":", a->input_tokens);
  sim_put_count(out, ",\"total_tokens\":", a->input_tokens);
  buf_text(out, "}}");
}

static void put_gemini(enum shape shape, struct slice body, const struct sim_answer *a, struct buf *out) {
  struct slice none = {0};
  buf_text(out, shape == GEMINI ? "{\"embeddings\":[" : "{\"embedding\":");
  put_vectors(shape, body, "{\"values\":", "}", none, out);
  buf_text(out, shape == GEMINI ? "]" : "");
  sim_put_count(out, ",\"usageMetadata\":{\"promptTokenCount\":", a->input_tokens);
  buf_text(out, "}}");
}

static void put_vertex(struct slice body, struct buf *out) {
  struct inputs inputs = inputs_of(VERTEX, body);
  struct slice input;
  unsigned dimensions = dimensions_of(body);
  buf_text(out, "{\"predictions\":");
  for (bool first = true; next_input(&inputs, &input); first = false) {
    buf_text(out, first ? "[{\"embeddings\":{\"statistics\":{\"truncated\":false,\"token_count\":"
                        : ",{\"embeddings\":{\"statistics\":{\"truncated\":false,\"token_count\":");
    buf_u64(out, tokens_of(text_of(input)));
    buf_text(out, "},\"values\":");
    put_vector(input, dimensions, (struct slice){0}, out);
    buf_text(out, "}}");
  }
  buf_text(out, "]}");
}

/* ---- ranks */

struct ranked {
  uint64_t index;
  double score;
  struct slice text; /* raw string */
};

static bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80;
}

/* The share of the query's words that the document has. */
static double score_of(struct slice query, struct slice document) {
  unsigned words = 0, found = 0;
  for (size_t at = 0; at < query.len;) {
    while (at < query.len && !is_letter(query.ptr[at])) at++;
    size_t from = at;
    while (at < query.len && is_letter(query.ptr[at])) at++;
    if (at == from) break;
    words++;
    found += slice_find(document, slice_of(query.ptr + from, at - from)) >= 0;
  }
  return words == 0 ? 0 : (double)found / words;
}

static int higher_first(const void *x, const void *y) {
  const struct ranked *a = x, *b = y;
  if (a->score != b->score) return a->score < b->score ? 1 : -1;
  return a->index < b->index ? -1 : 1;
}

static void put_results(struct slice body, struct buf *out) {
  struct slice documents = sim_json_get(body, "documents"), query = sim_json_get(body, "query"), document;
  struct ranked *all = NULL;
  uint64_t count = 0, top = UINT64_MAX;
  while (sim_json_element(&documents, &document)) {
    all = mem_resize(all, (count + 1) * sizeof *all);
    struct slice text = text_of(document);
    all[count] = (struct ranked){count, score_of(query, text), text};
    count++;
  }
  qsort(all, count, sizeof *all, higher_first);
  if (!json_to_u64(sim_json_get(body, "top_n"), &top)) json_to_u64(sim_json_get(body, "top_k"), &top);
  buf_byte(out, '[');
  for (uint64_t i = 0; i < count && i < top; i++) {
    buf_text(out, i == 0 ? "{\"index\":" : ",{\"index\":");
    buf_u64(out, all[i].index);
    buf_text(out, ",\"relevance_score\":");
    json_put_double(out, all[i].score);
    if (slice_eq(sim_json_get(body, "return_documents"), SLICE("true"))) {
      buf_text(out, ",\"document\":{\"text\":");
      buf_slice(out, all[i].text);
      buf_byte(out, '}');
    }
    buf_byte(out, '}');
  }
  buf_byte(out, ']');
  mem_free(all);
}

static void put_rank(enum shape shape, struct slice body, const struct sim_answer *a, struct buf *out) {
  bool voyage = sim_json_get(body, "top_k").ptr != NULL;
  if (shape == RANK) {
    buf_text(out, "{\"object\":\"list\",\"model\":");
    buf_slice(out, a->model);
    sim_put_count(out, ",\"usage\":{\"total_tokens\":", a->input_tokens);
    buf_text(out, voyage ? "},\"data\":" : "},\"results\":");
  } else {
    buf_text(out, "{\"id\":\"");
    sim_id_put(out, "", a, 1);
    buf_text(out, "\",\"results\":");
  }
  put_results(body, out);
  if (shape == COHERE_RANK)
    buf_text(out, ",\"meta\":{\"api_version\":{\"version\":\"2\"},\"billed_units\":{\"search_units\":1}}");
  buf_byte(out, '}');
}

void sim_embeddings_put(struct slice path, struct slice body, const struct sim_answer *a, struct buf *out) {
  enum shape shape = shape_of(path);
  switch (shape) {
  case OPENAI: put_openai(body, a, out); break;
  case COHERE:
  case COHERE_ON_AWS: put_cohere(shape, body, a, out); break;
  case GEMINI:
  case GEMINI_ONE: put_gemini(shape, body, a, out); break;
  case VERTEX: put_vertex(body, out); break;
  case TITAN:
    buf_text(out, "{\"embedding\":");
    put_vectors(TITAN, body, "", "", (struct slice){0}, out);
    sim_put_count(out, ",\"inputTextTokenCount\":", a->input_tokens);
    buf_text(out, "}");
    break;
  case RANK:
  case COHERE_RANK:
  case RANK_ON_AWS: put_rank(shape, body, a, out); break;
  case NONE: break;
  }
}
