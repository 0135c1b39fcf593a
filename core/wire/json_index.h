/* json_index: a text cut into tokens, and the strict grammar over them. Private to json; C++; one document at a time
 * per thread (a walk that calls back into json gets a second parser).
 *
 *     {"a": [1, "x"]}      simdjson's first stage gives the offset of each token: brackets, ':' and ',', the opening
 *     ^^  ^ ^^^ ^  ^^      quote of a string, the first byte of a number or word. It also has checked UTF-8, controls
 *     01  2 345 6  78      within strings, and that strings are closed. json_index.cpp adds escapes, json_grammar.cpp
 *                          all else.
 *
 * Tokens are numbered; `at[count]` is the length of the text. Nothing here decodes. */
#ifndef MOONGATE_WIRE_JSON_INDEX_H
#define MOONGATE_WIRE_JSON_INDEX_H

extern "C" {
#include "base/bytes.h"
}
#include "wire/json.h"

struct json_parser;

struct json_index {
  const char *text;
  size_t len;
  const uint32_t *at; /* offsets of the tokens */
  uint32_t count;
  /* After json_grammar with `record`, for each token that opens an array or object: */
  uint32_t *close; /* the token that closes it */
  uint32_t *size;  /* its number of elements */
  struct json_parser *parser;
};

enum json_strictness { JSON_LOOSE, JSON_STRICT };

/* Cuts the text. JSON_STRICT checks escapes too. Each successful call is followed by json_index_done. */
bool json_index_init(struct json_index *x, struct slice text, enum json_strictness how, struct json_fault *fault);
void json_index_done(struct json_index *x);

/* Makes room for close and size. */
void json_index_record(struct json_index *x);
/* Room for decoded texts: `bytes` of it, behind the first `used`, which are kept. Growing moves it: ask for all at once
 * when earlier texts are still in use. */
char *json_index_room(struct json_index *x, size_t used, size_t bytes);
/* A list of keys with room for `count` of them; what was in it is kept. */

/* Checks the value that starts at token `token`, `depth` arrays and objects deep in the document, whole, and sets *next
 * to the token after it. */
bool json_grammar(struct json_index *x, uint32_t token, unsigned depth, bool record, uint32_t *next,
                  struct json_fault *fault);
/* The token after the value at `token`, by its brackets alone; 0 when the text ends within it. */
uint32_t json_token_end(const struct json_index *x, uint32_t token);
/* Whether the number or word at `token` is one, whole. A string always is. */
bool json_scalar_ok(const struct json_index *x, uint32_t token);

static inline bool json_blank(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline bool json_fail(struct json_fault *fault, size_t at, const char *why) {
  if (fault != nullptr) *fault = {at, why};
  return false;
}

/* The byte a token begins with, 0 past the last. */
static inline char json_token(const struct json_index *x, uint32_t token) {
  return token < x->count ? x->text[x->at[token]] : '\0';
}

/* The text of a value from its first token to the one before `next`. */
static inline struct slice json_raw(const struct json_index *x, uint32_t token, uint32_t next) {
  const char *begin = x->text + x->at[token];
  const char *end = x->text + x->at[next];
  if (*begin == '{' || *begin == '[') return {begin, (size_t)(x->text + x->at[next - 1] + 1 - begin)};
  while (json_blank(end[-1])) end--;
  return {begin, (size_t)(end - begin)};
}

static inline enum json_kind json_kind_of(char first) {
  switch (first) {
  case '{': return JSON_OBJECT;
  case '[': return JSON_ARRAY;
  case '"': return JSON_STRING;
  case 't': return JSON_TRUE;
  case 'f': return JSON_FALSE;
  case 'n': return JSON_NULL;
  default: return JSON_NUMBER;
  }
}

#endif
