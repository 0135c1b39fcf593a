/* json_turns: over the tokens of json_index, as json.cpp is. Every value that is looked at must be of the shape, token
 * by token; all else at the top is stepped over. Functions give the token behind what they read, 0 when it does not
 * fit. */
#include "wire/json_turns.h"

extern "C" {
#include "base/memory.h"
}
#include "wire/json_index.h"

static const struct slice text_word = {"text", 4}, type_word = {"type", 4}, role_word = {"role", 4};

/* Is the string at `token` this word? Reads at most a word's length past the text, which its padding holds. */
static inline bool is_word(const struct json_index *x, uint32_t token, struct slice word) {
  const char *at = x->text + x->at[token] + 1;
  return word.len > 0 && word.len < JSON_PADDING - 2 && memcmp(at, word.ptr, word.len) == 0 && at[word.len] == '"';
}

static inline bool is_key(const struct json_index *x, uint32_t token) {
  return json_token(x, token) == '"' && json_token(x, token + 1) == ':';
}

/* The token behind a member that ends before `next`, or 0; *more: another key follows there. */
static inline uint32_t member_end(const struct json_index *x, uint32_t next, bool *more) {
  char c = json_token(x, next);
  *more = c == ',';
  return c == ',' || c == '}' ? next + 1 : 0;
}

static bool is_one_of(const struct json_index *x, uint32_t token, const struct slice *words, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (is_word(x, token, words[i])) return true;
  return false;
}

/* The token behind a null or an empty list. */
static uint32_t read_empty(const struct json_index *x, uint32_t token) {
  if (json_token(x, token) == 'n') return token + 1;
  return json_token(x, token) == '[' && json_token(x, token + 1) == ']' ? token + 2 : 0;
}

/* {"type": "text", "text": "…"} */
static uint32_t read_part(const struct json_index *x, uint32_t token, const struct json_turns_shape *shape,
                          struct slice *text) {
  bool has_type = false, more = true;
  if (json_token(x, token++) != '{') return 0;
  text->ptr = nullptr;
  while (more) {
    if (!is_key(x, token)) return 0;
    uint32_t next = json_token(x, token + 2) == '"' ? token + 3 : 0;
    if (next != 0 && text->ptr == nullptr && is_word(x, token, text_word)) {
      *text = json_raw(x, token + 2, token + 3);
    } else if (next != 0 && !has_type && is_word(x, token, type_word)) {
      has_type = is_one_of(x, token + 2, shape->types, JSON_TURN_WORDS_MAX);
      if (!has_type) return 0;
    } else {
      next = is_word(x, token, text_word) ? 0 : read_empty(x, token + 2);
    }
    token = next != 0 ? member_end(x, next, &more) : 0;
    if (token == 0) return 0;
  }
  return text->ptr != nullptr ? token : 0;
}

/* "…" or a list of one part. */
static uint32_t read_content(const struct json_index *x, uint32_t token, const struct json_turns_shape *shape,
                             struct slice *text) {
  char c = json_token(x, token);
  if (c == '"' && shape->may_be_text) {
    *text = json_raw(x, token, token + 1);
    return token + 1;
  }
  if (c != '[') return 0;
  token = read_part(x, token + 1, shape, text);
  return token != 0 && json_token(x, token) == ']' ? token + 1 : 0;
}

static bool read_role(const struct json_index *x, uint32_t token, const struct json_turns_shape *shape,
                      enum json_turn_role *role) {
  for (int i = 0; i < JSON_TURN_ROLES; i++) {
    if (!is_word(x, token, shape->roles[i])) continue;
    *role = (enum json_turn_role)i;
    return true;
  }
  return false;
}

/* Is this the key of what makes a turn? A null under it is a fault of the client's, which Lua tells. */
static bool says_something(const struct json_index *x, uint32_t token, const struct json_turns_shape *shape) {
  return is_word(x, token, role_word) || is_word(x, token, shape->content) || is_word(x, token, type_word);
}

/* {"role": "user", "content": …} */
static uint32_t read_turn(const struct json_index *x, uint32_t token, const struct json_turns_shape *shape,
                          struct json_turn *turn) {
  bool has_role = false, has_text = false, has_kind = false, more = true;
  if (json_token(x, token++) != '{') return 0;
  while (more) {
    if (!is_key(x, token)) return 0;
    uint32_t next = token + 3;
    if (!has_role && is_word(x, token, role_word)) {
      has_role = json_token(x, token + 2) == '"' && read_role(x, token + 2, shape, &turn->role);
      if (!has_role) return 0;
    } else if (!has_text && is_word(x, token, shape->content)) {
      next = read_content(x, token + 2, shape, &turn->text);
      if (next == 0) return 0;
      has_text = true;
    } else if (!has_kind && is_word(x, token, type_word)) {
      has_kind = json_token(x, token + 2) == '"' && is_word(x, token + 2, shape->kind);
      if (!has_kind) return 0;
    } else if (json_token(x, token + 2) != '"' || !is_one_of(x, token, shape->ignored, JSON_TURN_WORDS_MAX)) {
      next = says_something(x, token, shape) ? 0 : read_empty(x, token + 2);
    }
    token = next != 0 ? member_end(x, next, &more) : 0;
    if (token == 0) return 0;
  }
  return has_role && has_text ? token : 0;
}

static bool add_turn(struct json_turns *t, struct json_turn turn) {
  if (t->count == JSON_TURNS_MAX) return false;
  if (t->count == t->cap) {
    t->cap = t->cap ? t->cap * 2 : 32;
    t->turns = (struct json_turn *)mem_resize(t->turns, t->cap * sizeof *t->turns);
  }
  t->turns[t->count++] = turn;
  return true;
}

static uint32_t read_list(const struct json_index *x, uint32_t token, const struct json_turns_shape *shape,
                          struct json_turns *out) {
  struct json_turn turn = {{nullptr, 0}, JSON_TURN_USER};
  uint32_t begin = token;
  if (json_token(x, token) == '"' && shape->list_may_be_text) {
    turn.text = out->list = json_raw(x, token, token + 1);
    return add_turn(out, turn) ? token + 1 : 0;
  }
  if (json_token(x, token) != '[') return 0;
  do {
    token = read_turn(x, token + 1, shape, &turn);
    if (token == 0 || !add_turn(out, turn)) return 0;
  } while (json_token(x, token) == ',');
  if (json_token(x, token) != ']') return 0;
  out->list = json_raw(x, begin, token + 1);
  return token + 1;
}

static uint32_t read_system(const struct json_index *x, uint32_t token, const struct json_turns_shape *shape,
                            struct json_turns *out) {
  uint32_t next;
  if (json_token(x, token) == '{') { /* {"parts": […]} */
    if (!is_key(x, token + 1) || !is_word(x, token + 1, shape->content)) return 0;
    next = read_content(x, token + 3, shape, &out->system_text);
    if (next == 0 || json_token(x, next) != '}') return 0;
    next++;
  } else {
    next = read_content(x, token, shape, &out->system_text);
    if (next == 0) return 0;
  }
  out->system = json_raw(x, token, next);
  return next;
}

static bool read_body(const struct json_index *x, const struct json_turns_shape *shape, struct json_turns *out) {
  uint32_t token = 1;
  bool more = true;
  if (json_token(x, 0) != '{') return false;
  while (more) {
    if (!is_key(x, token)) return false;
    uint32_t next;
    if (is_word(x, token, shape->list)) {
      if (out->list.ptr != nullptr) return false;
      next = read_list(x, token + 2, shape, out);
    } else if (is_word(x, token, shape->system)) {
      if (out->system.ptr != nullptr) return false;
      next = read_system(x, token + 2, shape, out);
    } else {
      next = json_token_end(x, token + 2);
    }
    token = next != 0 ? member_end(x, next, &more) : 0;
    if (token == 0) return false;
  }
  return token == x->count && out->count > 0;
}

bool json_turns_read(struct slice body, const struct json_turns_shape *shape, struct json_turns *out) {
  struct json_index x;
  out->list = out->system = out->system_text = {nullptr, 0};
  out->count = 0;
  if (!json_index_init(&x, body, JSON_LOOSE, nullptr)) return false;
  bool fits = read_body(&x, shape, out);
  json_index_done(&x);
  return fits;
}

/* {"role": "assistant", "content": …} of an answer: whose it is goes without saying. */
static uint32_t read_message(const struct json_index *x, uint32_t token, const struct json_turns_shape *shape,
                             struct slice *text) {
  bool has_text = false, more = true;
  if (json_token(x, token++) != '{') return 0;
  while (more) {
    if (!is_key(x, token)) return 0;
    uint32_t next = token + 3;
    if (is_word(x, token, shape->content)) {
      next = has_text ? 0 : read_content(x, token + 2, shape, text);
      has_text = true;
    } else if (json_token(x, token + 2) != '"' || !is_word(x, token, role_word)) {
      next = read_empty(x, token + 2);
    }
    token = next != 0 ? member_end(x, next, &more) : 0;
    if (token == 0) return 0;
  }
  return has_text ? token : 0;
}

bool json_turns_text(struct slice content, const struct json_turns_shape *shape, struct slice *text) {
  struct json_index x;
  if (content.len > 0 && *content.ptr == '"') {
    *text = content;
    return shape->may_be_text;
  }
  if (!json_index_init(&x, content, JSON_LOOSE, nullptr)) return false;
  bool is_message = json_token(&x, 0) == '{';
  bool fits = (is_message ? read_message(&x, 0, shape, text) : read_content(&x, 0, shape, text)) == x.count;
  json_index_done(&x);
  return fits;
}

void json_turns_done(struct json_turns *t) {
  mem_free(t->turns);
  *t = {};
}
