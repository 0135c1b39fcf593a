/* json_index: simdjson's first stage, and escapes. Each thread has one parser, which grows and is reused; a buffer
 * above PARSER_KEEP_BYTES goes back to the system after its use. The first stage alone is called through simdjson's
 * dom_parser_implementation, whose second stage (a tree) is never wanted here. */
#define SIMDJSON_EXCEPTIONS 0
#include <simdjson.h>

#include <new>

extern "C" {
#include "base/bytes.h"
#include "base/memory.h"
}
#include "wire/json_index.h"
#include "wire/json_simd.h"
#include "wire/json_utf8.h"

static const size_t PARSER_FIRST_BYTES = 16 * 1024;
static const size_t PARSER_KEEP_BYTES = 4 * 1024 * 1024;

/* simdjson's token buffer has four bytes for each byte of text. */
static const size_t TOKEN_BYTES = sizeof(uint32_t);

struct json_parser {
  std::unique_ptr<simdjson::internal::dom_parser_implementation> stage;
  uint32_t *records = nullptr; /* close, then size, of json_index */
  size_t record_count = 0;
  char *room = nullptr;
  size_t room_bytes = 0;
  bool busy = false;

  ~json_parser() {
    mem_free(records);
    mem_free(room);
  }
};

static thread_local json_parser own;

/* A document inside another's callbacks gets a parser of its own. */
static json_parser *parser_take() {
  json_parser *parser = own.busy ? new (mem_alloc(sizeof(json_parser))) json_parser : &own;
  parser->busy = true;
  return parser;
}

static void parser_give(json_parser *parser) {
  if (parser != &own) {
    parser->~json_parser();
    mem_free(parser);
    return;
  }
  parser->busy = false;
  if (parser->stage && parser->stage->capacity() * TOKEN_BYTES > PARSER_KEEP_BYTES) parser->stage.reset();
  if (parser->record_count * 2 * sizeof *parser->records > PARSER_KEEP_BYTES) {
    mem_free(parser->records);
    parser->records = nullptr;
    parser->record_count = 0;
  }
  if (parser->room_bytes > PARSER_KEEP_BYTES) {
    mem_free(parser->room);
    parser->room = nullptr;
    parser->room_bytes = 0;
  }
}

/* A size to grow to: the next power of two, so that growing ends soon. */
static size_t grown(size_t first, size_t need) {
  size_t size = first;
  while (size < need) size *= 2;
  return size;
}

static bool parser_grow(json_parser *parser, size_t len) {
  if (parser->stage && parser->stage->capacity() >= len) return true;
  if (len >= UINT32_MAX / 2) return false;
  size_t capacity = grown(PARSER_FIRST_BYTES, len);
  if (parser->stage) return parser->stage->set_capacity(capacity) == simdjson::SUCCESS;
  return simdjson::get_active_implementation()->create_dom_parser_implementation(capacity, 1, parser->stage) ==
         simdjson::SUCCESS;
}

void json_index_record(struct json_index *x) {
  json_parser *parser = x->parser;
  if (parser->record_count < x->count) {
    parser->record_count = grown(1024, x->count);
    parser->records = (uint32_t *)mem_resize(parser->records, parser->record_count * 2 * sizeof *parser->records);
  }
  x->close = parser->records;
  x->size = parser->records + parser->record_count;
}

char *json_index_room(struct json_index *x, size_t used, size_t bytes) {
  json_parser *parser = x->parser;
  if (parser->room_bytes < used + bytes) {
    parser->room_bytes = grown(1024, used + bytes);
    parser->room = (char *)mem_resize(parser->room, parser->room_bytes);
  }
  return parser->room + used;
}

bool json_utf8_valid(struct slice text) {
  return simdjson::validate_utf8(text.ptr, text.len);
}

/* simdjson says that something is wrong with the bytes but not where: looks for it, slowly. */
static bool fail_bytes(struct slice text, struct json_fault *fault) {
  bool within = false;
  size_t opened = 0;
  for (size_t i = 0; i < text.len;) {
    unsigned char c = (unsigned char)text.ptr[i];
    size_t bad, len = json_utf8_sequence(text.ptr + i, text.len - i, &bad);
    if (len == 0) return json_fail(fault, i, "not UTF-8");
    if (within && c < 0x20) return json_fail(fault, i, "a control character within a string");
    if (c == '"') {
      within = !within;
      opened = i;
    }
    char after = i + 1 < text.len ? text.ptr[i + 1] : '\0';
    bool escaped = within && c == '\\' && (after == '"' || after == '\\');
    i += escaped ? 2 : len;
  }
  if (within) return json_fail(fault, opened, "a string that is not closed");
  return json_fail(fault, 0, "not JSON");
}

static bool hex_digits(const char *at, size_t count) {
  for (size_t i = 0; i < count; i++) {
    char c = at[i];
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))) return false;
  }
  return true;
}

/* The length of the escape at `at`, 0 when JSON does not have it. */
static inline size_t escape_length(const char *at) {
  /* A table, not a switch: text has an escape each line, and this loop is a fifth of a body's validation. */
  static const struct lengths {
    unsigned char of[256];
    constexpr lengths() : of() {
      for (const char *c = "\"\\/bfnrt"; *c; c++) of[(unsigned char)*c] = 2;
      of[(unsigned char)'u'] = 6;
    }
  } table;
  size_t len = table.of[(unsigned char)at[1]];
  return len != 6 || hex_digits(at + 2, 4) ? len : 0;
}

/* Every backslash of the text begins an escape that RFC 8259 knows. Looks at all bytes, not only at strings: outside of
 * them a backslash is refused by the grammar. A closing quote ends a \u that is too short, so nothing past the text
 * decides. */
static bool escapes_ok(struct slice text, struct json_fault *fault) {
  const char *end = text.ptr + text.len, *next;
  for (const char *block = text.ptr; block < end; block = next) {
    uint64_t mask = json_mask_backslashes(block);
    next = block + 64;
    while (mask != 0) {
      const char *at = block + __builtin_ctzll(mask);
      if (at >= end) return true;
      size_t len = escape_length(at);
      if (len == 0)
        return json_fail(fault, (size_t)(at - text.ptr),
                         at[1] == 'u' ? "a \\u without four hex digits" : "an escape that JSON does not have");
      if (at + len >= next) {
        next = at + len;
        break;
      }
      mask &= UINT64_MAX << (at + len - block);
    }
  }
  return true;
}

bool json_index_init(struct json_index *x, struct slice text, enum json_strictness how, struct json_fault *fault) {
  json_parser *parser = parser_take();
  if (!parser_grow(parser, text.len)) {
    parser_give(parser);
    return json_fail(fault, 0, "too large");
  }
  simdjson::error_code code =
      parser->stage->stage1((const uint8_t *)text.ptr, text.len, simdjson::stage1_mode::regular);
  bool cut = code == simdjson::SUCCESS;
  if (code == simdjson::EMPTY) json_fail(fault, text.len, "no value");
  else if (!cut) fail_bytes(text, fault);
  else if (how == JSON_STRICT) cut = escapes_ok(text, fault);
  if (!cut) {
    parser_give(parser);
    return false;
  }
  x->text = text.ptr;
  x->len = text.len;
  x->at = parser->stage->structural_indexes.get();
  x->count = parser->stage->n_structural_indexes;
  x->close = x->size = nullptr;
  x->parser = parser;
  return true;
}

void json_index_done(struct json_index *x) {
  parser_give(x->parser);
}
