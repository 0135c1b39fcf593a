/* json_grammar: RFC 8259 over the tokens of json_index: numbers, words, and how brackets, commas and colons follow each
 * other. No recursion; the open arrays and objects are on a stack of JSON_DEPTH_MAX. Any thread; does not look into
 * strings, which json_index has checked. */
#include "wire/json_index.h"

static inline bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/* The end of the number that starts at `at`, or NULL; reads nothing from `end` on. */
static const char *number_end(const char *at, const char *end) {
  if (at < end && *at == '-') at++;
  if (at == end || !is_digit(*at)) return nullptr;
  if (*at == '0') at++;
  else
    while (at < end && is_digit(*at)) at++;
  if (at < end && *at == '.') {
    at++;
    if (at == end || !is_digit(*at)) return nullptr;
    while (at < end && is_digit(*at)) at++;
  }
  if (at < end && (*at == 'e' || *at == 'E')) {
    at++;
    if (at < end && (*at == '+' || *at == '-')) at++;
    if (at == end || !is_digit(*at)) return nullptr;
    while (at < end && is_digit(*at)) at++;
  }
  return at;
}

bool json_scalar_ok(const struct json_index *x, uint32_t token) {
  const char *at = x->text + x->at[token];
  /* Up to the next token there is this scalar and blanks: whatever else stands there makes it a bad one. */
  const char *end = x->text + x->at[token + 1];
  size_t left = (size_t)(end - at);
  const char *stop = nullptr;
  switch (*at) {
  case '"': return true;
  case 't': stop = left >= 4 && memcmp(at, "true", 4) == 0 ? at + 4 : nullptr; break;
  case 'f': stop = left >= 5 && memcmp(at, "false", 5) == 0 ? at + 5 : nullptr; break;
  case 'n': stop = left >= 4 && memcmp(at, "null", 4) == 0 ? at + 4 : nullptr; break;
  default: stop = number_end(at, end);
  }
  return stop != nullptr && (stop == end || json_blank(*stop));
}

static const char *scalar_fault(char first) {
  switch (first) {
  case '}':
  case ']':
  case ',':
  case ':': return "a value is missing";
  case 't':
  case 'f':
  case 'n': return "neither true nor false nor null";
  default: return is_digit(first) || first == '-' ? "not a number" : "not a value";
  }
}

/* The fault at a token, or at the end of the text when there is none. */
static bool fail_token(const struct json_index *x, uint32_t token, const char *why, struct json_fault *fault) {
  if (token >= x->count) return json_fail(fault, x->len, "ends too early");
  return json_fail(fault, x->at[token], why);
}

static bool fail_key(const struct json_index *x, uint32_t token, struct json_fault *fault) {
  if (json_token(x, token) != '"') return fail_token(x, token, "a key is missing", fault);
  return fail_token(x, token + 1, "a ':' is missing after a key", fault);
}

static inline bool key_at(const struct json_index *x, uint32_t token) {
  return json_token(x, token) == '"' && json_token(x, token + 1) == ':';
}

bool json_grammar(struct json_index *x, uint32_t token, unsigned depth, bool record, uint32_t *next,
                  struct json_fault *fault) {
  uint32_t open[JSON_DEPTH_MAX], elements[JSON_DEPTH_MAX];
  char closer[JSON_DEPTH_MAX];
  unsigned outer = depth;
  for (;;) {
    char first = json_token(x, token);
    if (first == '{' || first == '[') {
      if (depth >= JSON_DEPTH_MAX) return fail_token(x, token, "nested too deep", fault);
      char last = first == '{' ? '}' : ']';
      if (json_token(x, token + 1) == last) {
        if (record) {
          x->close[token] = token + 1;
          x->size[token] = 0;
        }
        token += 2;
      } else {
        open[depth] = token;
        elements[depth] = 1;
        closer[depth++] = last;
        token++;
        if (first == '[') continue;
        if (!key_at(x, token)) return fail_key(x, token, fault);
        token += 2;
        continue;
      }
    } else {
      if (token >= x->count || !json_scalar_ok(x, token)) return fail_token(x, token, scalar_fault(first), fault);
      token++;
    }
    for (;;) {
      if (depth == outer) {
        *next = token;
        return true;
      }
      char c = json_token(x, token);
      if (c == ',') break;
      if (c != closer[depth - 1])
        return fail_token(x, token, closer[depth - 1] == '}' ? "neither ',' nor '}'" : "neither ',' nor ']'", fault);
      depth--;
      if (record) {
        x->close[open[depth]] = token;
        x->size[open[depth]] = elements[depth];
      }
      token++;
    }
    elements[depth - 1]++;
    token++;
    if (closer[depth - 1] == '}') {
      if (!key_at(x, token)) return fail_key(x, token, fault);
      token += 2;
    }
  }
}
