/* json: find and pick, over the tokens of json_index. Any thread. Copies nothing: what it gives points
 * into the caller's text. Walking is in json_walk.cpp, single values in json_text.c, writing in json_write.c. */
#include <algorithm>

#include "wire/json_index.h"

static const size_t PICK_MAX = 64;

/* The key at `token`, decoded. *used is how much of the index's room earlier keys take. */
static bool key_decoded(struct json_index *x, uint32_t token, size_t *used, struct slice *key) {
  struct slice raw = json_raw(x, token, token + 1);
  if (json_plain(raw, key)) return true;
  /* All keys together are no longer than the text: asked for at once, the room does not move under earlier ones. */
  char *out = json_index_room(x, 0, x->len) + *used;
  size_t len;
  if (!json_unquote(raw, out, &len)) return false;
  *key = slice_of(out, len);
  *used += len;
  return true;
}

uint32_t json_token_end(const struct json_index *x, uint32_t token) {
  unsigned depth = 0;
  do {
    char c = json_token(x, token);
    if (c == '{' || c == '[') depth++;
    else if (depth == 0 && (c == '\0' || c == '}' || c == ']' || c == ',' || c == ':')) return 0;
    else if (c == '}' || c == ']') depth--;
    else if (token >= x->count) return 0;
    token++;
  } while (depth > 0);
  return token;
}

/* Where a pick stands: the object's keys and the array's indexes that are wanted below are named by bits of `below`,
 * one for each wanted field; rest[i] is where field i's path goes on, past its end once it has arrived. */
struct pick {
  struct json_index *x;
  struct json_field *wanted;
  size_t rest[PICK_MAX];
  size_t left;                    /* fields not found yet, and one more when `known` asks to see the whole text */
  const struct json_names *known; /* NULL: whatever else is there */
};

/* The part of field i's path that comes next, up to a dot. */
static inline struct slice pick_part(const struct pick *p, unsigned i) {
  const struct slice *path = &p->wanted[i].key;
  size_t from = p->rest[i], to = from;
  while (to < path->len && path->ptr[to] != '.') to++;
  return slice_of(path->ptr + from, to - from);
}

/* The fields of `below` that want the key at `token`, compared as it stands in the text, and moved past it. Keys are
 * many and the wanted ones few: nearly all differ in their first letter. */
static uint64_t pick_key(struct pick *p, uint32_t token, uint64_t below, struct slice *step) {
  const char *key = p->x->text + p->x->at[token] + 1;
  uint64_t matched = 0;
  for (uint64_t bits = below; bits != 0; bits &= bits - 1) {
    unsigned i = (unsigned)__builtin_ctzll(bits);
    if (p->wanted[i].key.ptr[p->rest[i]] != *key) continue;
    struct slice part = pick_part(p, i);
    if (memcmp(key, part.ptr, part.len) != 0 || key[part.len] != '"') continue;
    matched |= 1ull << i;
    p->rest[i] += part.len + 1;
    *step = slice_of(key, part.len);
  }
  return matched;
}

enum : uint32_t { PICK_FAULT = 0, PICK_ALL = UINT32_MAX };

static uint32_t pick_value(struct pick *p, uint32_t token, uint64_t below);

/* The fields of `below` whose path goes on with `step`, moved past it. */
static uint64_t pick_step(struct pick *p, uint64_t below, struct slice step) {
  uint64_t matched = 0;
  for (uint64_t bits = below; bits != 0; bits &= bits - 1) {
    unsigned i = (unsigned)__builtin_ctzll(bits);
    struct slice rest = slice_from(p->wanted[i].key, p->rest[i]);
    if (rest.len < step.len || (step.len > 0 && *rest.ptr != *step.ptr)) continue; /* nearly always */
    if (!slice_starts(rest, step) || (rest.len > step.len && rest.ptr[step.len] != '.')) continue;
    matched |= 1ull << i;
    p->rest[i] += step.len + 1;
  }
  return matched;
}

static void pick_step_back(struct pick *p, uint64_t matched, struct slice step) {
  for (uint64_t bits = matched; bits != 0; bits &= bits - 1) p->rest[__builtin_ctzll(bits)] -= step.len + 1;
}

/* A value below an array or object: entered when something in it is wanted. */
static uint32_t pick_below(struct pick *p, uint32_t token, uint64_t below, struct slice step) {
  uint64_t matched = pick_step(p, below, step);
  if (matched == 0) return json_token_end(p->x, token);
  uint32_t next = pick_value(p, token, matched);
  pick_step_back(p, matched, step);
  return next;
}

/* Whether a member that nobody wants may stand here: token is its key. */
static bool pick_passes(const struct pick *p, uint32_t token, uint32_t next) {
  if (p->known == nullptr || next == PICK_FAULT) return true;
  const char *key = p->x->text + p->x->at[token] + 1;
  const char *end = static_cast<const char *>(memchr(key, '"', p->x->at[token + 1] - p->x->at[token] - 1));
  if (end != nullptr && json_names_have(p->known, slice_of(key, (size_t)(end - key)))) return true;
  char first = json_token(p->x, token + 2);
  if (first == '{' || first == '[') return next == token + 4;
  struct slice raw = json_raw(p->x, token + 2, next);
  return slice_eq(raw, SLICE("null")) || slice_eq(raw, SLICE("false")) || slice_eq(raw, SLICE("\"\""));
}

static uint32_t pick_object(struct pick *p, uint32_t token, uint64_t below) {
  if (json_token(p->x, token + 1) == '}') return token + 2;
  do {
    struct slice key = {nullptr, 0};
    if (json_token(p->x, token + 1) != '"' || json_token(p->x, token + 2) != ':') return PICK_FAULT;
    const char *at = p->x->text + p->x->at[token + 1];
    uint64_t matched = pick_key(p, token + 1, below, &key);
    if (matched != 0) {
      uint32_t next = pick_value(p, token + 3, matched);
      pick_step_back(p, matched, key);
      token = next;
    } else if (memchr(at, '\\', p->x->at[token + 2] - p->x->at[token + 1]) != nullptr) {
      size_t used = 0;
      if (p->known != nullptr || !key_decoded(p->x, token + 1, &used, &key)) return PICK_FAULT;
      token = pick_below(p, token + 3, below, key);
    } else {
      uint32_t next = json_token_end(p->x, token + 3);
      if (!pick_passes(p, token + 1, next)) return PICK_FAULT;
      token = next;
    }
    if (token == PICK_FAULT || token == PICK_ALL) return token;
  } while (json_token(p->x, token) == ',');
  return json_token(p->x, token) == '}' ? token + 1 : (uint32_t)PICK_FAULT;
}

static uint32_t pick_array(struct pick *p, uint32_t token, uint64_t below) {
  char digits[20];
  if (json_token(p->x, token + 1) == ']') return token + 2;
  uint64_t index = 0;
  do {
    token = pick_below(p, token + 1, below, slice_of(digits, digits_u64(digits, index++)));
    if (token == PICK_FAULT || token == PICK_ALL) return token;
  } while (json_token(p->x, token) == ',');
  return json_token(p->x, token) == ']' ? token + 1 : (uint32_t)PICK_FAULT;
}

static uint32_t pick_value(struct pick *p, uint32_t token, uint64_t below) {
  uint64_t here = 0;
  for (uint64_t bits = below; bits != 0; bits &= bits - 1) {
    unsigned i = (unsigned)__builtin_ctzll(bits);
    if (p->rest[i] <= p->wanted[i].key.len) continue;
    below &= ~(1ull << i);
    /* Of a key that comes twice the first one counts. */
    if (p->wanted[i].raw.ptr == nullptr) here |= 1ull << i;
  }
  char first = json_token(p->x, token);
  uint32_t next;
  if (first == '{' && below != 0) next = pick_object(p, token, below);
  else if (first == '[' && below != 0) next = pick_array(p, token, below);
  else next = json_token_end(p->x, token);
  if (next == PICK_FAULT || next == PICK_ALL || here == 0) return next;
  if (first != '{' && first != '[' && !json_scalar_ok(p->x, token)) return PICK_FAULT;
  for (uint64_t bits = here; bits != 0; bits &= bits - 1) {
    struct json_field *field = &p->wanted[__builtin_ctzll(bits)];
    field->raw = json_raw(p->x, token, next);
    field->kind = json_kind_of(first);
    p->left--;
  }
  return p->left == 0 ? (uint32_t)PICK_ALL : next;
}

static uint64_t pick_bits(size_t count) {
  return count == 64 ? UINT64_MAX : (1ull << count) - 1;
}

static bool pick_run(struct slice text, struct json_field *wanted, size_t count, const struct json_names *known) {
  struct json_index x;
  struct pick p;
  for (size_t i = 0; i < count; i++) {
    wanted[i].raw = {nullptr, 0};
    p.rest[i] = 0;
  }
  if (!json_index_init(&x, text, JSON_LOOSE, nullptr)) return false;
  p.x = &x;
  p.wanted = wanted;
  p.left = count + (known != nullptr ? 1 : 0);
  p.known = known;
  uint32_t next = pick_value(&p, 0, pick_bits(count));
  json_index_done(&x);
  return next == PICK_ALL || next == x.count;
}

bool json_pick(struct slice text, struct json_field *wanted, size_t count) {
  size_t done = 0;
  do {
    size_t part = std::min(count - done, PICK_MAX);
    if (!pick_run(text, wanted + done, part, nullptr)) return false;
    done += part;
  } while (done < count);
  return true;
}

bool json_pick_known(struct slice text, struct json_field *wanted, size_t count, const struct json_names *known) {
  return count <= PICK_MAX && pick_run(text, wanted, count, known);
}

struct slice json_find(struct slice text, const char *const *path) {
  struct json_index x;
  if (!json_index_init(&x, text, JSON_LOOSE, nullptr)) return {nullptr, 0};
  uint32_t token = 0, next;
  bool found = true;
  for (; found && *path != nullptr; path++) {
    struct slice step = slice_text(*path), key;
    found = json_token(&x, token) == '{' && json_token(&x, token + 1) == '"';
    while (found) {
      size_t used = 0;
      found = json_token(&x, token + 1) == '"' && json_token(&x, token + 2) == ':' &&
              key_decoded(&x, token + 1, &used, &key);
      token += 3;
      if (!found || slice_eq(key, step)) break;
      token = json_token_end(&x, token);
      found = token != 0 && json_token(&x, token) == ',';
    }
  }
  next = found ? json_token_end(&x, token) : 0;
  char first = json_token(&x, token);
  bool whole = next != 0 && (first == '{' || first == '[' || json_scalar_ok(&x, token));
  struct slice raw = whole ? json_raw(&x, token, next) : slice{nullptr, 0};
  json_index_done(&x);
  return raw;
}
