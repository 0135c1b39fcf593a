/* json_turns: over the tokens of json_index, as json.cpp is. Every value that is looked at must be of the shape, token
 * by token; all else at the top is stepped over. Functions give the token behind what they read, 0 when it does not
 * fit. */
#include "wire/json_turns.h"

extern "C" {
#include "base/memory.h"
}
#include "wire/json_index.h"

static const struct slice text_word = {"text", 4}, type_word = {"type", 4}, role_word = {"role", 4};
static const struct slice output_word = {"output", 6}, error_word = {"error", 5}, no_word = {nullptr, 0};

/* What is said where nothing stands; with room behind, as there is behind what stands in a body. */
static const char empty_text[2 + JSON_PADDING] = "\"\"", empty_object[2 + JSON_PADDING] = "{}";

/* ---- words and members ---- */

/* Is the string at `token` this word? Reads at most a word's length past the text, which its padding holds. */
static inline bool is_word(const struct json_index *x, uint32_t token, struct slice word) {
  const char *at = x->text + x->at[token] + 1;
  return word.len > 0 && word.len < JSON_PADDING - 2 && *at == *word.ptr && at[word.len] == '"' &&
         memcmp(at, word.ptr, word.len) == 0;
}

static inline bool is_key(const struct json_index *x, uint32_t token) {
  return json_token(x, token) == '"' && json_token(x, token + 1) == ':';
}

/* An escaped key may be any other: nobody here can tell. */
static bool is_escaped(const struct json_index *x, uint32_t key) {
  return memchr(x->text + x->at[key], '\\', x->at[key + 1] - x->at[key]) != nullptr;
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

static bool is_empty_list(const struct json_index *x, uint32_t token) {
  return json_token(x, token) == '[' && json_token(x, token + 1) == ']';
}

static bool is_empty_text(const struct json_index *x, uint32_t token) {
  return json_token(x, token) == '"' && x->text[x->at[token] + 1] == '"';
}

/* A member that is looked for. */
struct member {
  struct slice key;
  uint32_t value; /* its token; 0: it is not there */
};

static bool is_said(const struct json_index *x, const struct member &m) {
  return m.value != 0 && json_token(x, m.value) != 'n';
}

static struct member *find_member(const struct json_index *x, uint32_t key, struct member *wanted, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (is_word(x, key, wanted[i].key)) return &wanted[i];
  return nullptr;
}

/* Under which keys an empty list says nothing, too. */
struct lists {
  const struct slice *keys;
  bool any;
};

static const struct lists no_lists = {nullptr, false}, any_lists = {nullptr, true};

static bool may_be_list(const struct json_index *x, uint32_t key, struct lists lists) {
  return lists.any || (lists.keys != nullptr && is_one_of(x, key, lists.keys, JSON_TURN_WORDS_MAX));
}

/* An object whose other members say nothing: they are null, texts under one of the `ignored` keys, or such lists. */
static uint32_t read_members(const struct json_index *x, uint32_t token, struct member *wanted, size_t count,
                             const struct slice *ignored, struct lists lists) {
  bool more = json_token(x, token + 1) != '}';
  if (json_token(x, token) != '{') return 0;
  token += more ? 1 : 2;
  while (more) {
    if (!is_key(x, token)) return 0;
    uint32_t value = token + 2, next = json_token_end(x, value);
    struct member *found = find_member(x, token, wanted, count);
    if (found != nullptr) {
      if (found->value != 0) return 0;
      found->value = value;
    } else if (json_token(x, value) != '"' || ignored == nullptr ||
               !is_one_of(x, token, ignored, JSON_TURN_WORDS_MAX)) {
      bool is_empty = json_token(x, value) == 'n' || (is_empty_list(x, value) && may_be_list(x, token, lists));
      if (!is_empty || is_escaped(x, token)) return 0;
    }
    token = next != 0 ? member_end(x, next, &more) : 0;
    if (token == 0) return 0;
  }
  return token;
}

/* The token of the value of an object's "type", wherever it stands; 0 when there is none. */
static uint32_t find_type(const struct json_index *x, uint32_t token) {
  bool more = json_token(x, token) == '{';
  for (token++; more && token != 0 && is_key(x, token);) {
    if (is_word(x, token, type_word)) return json_token(x, token + 2) == '"' ? token + 2 : 0;
    uint32_t next = json_token_end(x, token + 2);
    token = next != 0 ? member_end(x, next, &more) : 0;
  }
  return 0;
}

static bool read_plain(const struct json_index *x, uint32_t token, struct slice *out) {
  if (token == 0 || json_token(x, token) != '"') return false;
  const char *at = x->text + x->at[token] + 1;
  size_t len = 0;
  for (char c = at[0]; len <= JSON_TURN_PLAIN_MAX && c != '"'; c = at[++len]) {
    bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    if (!is_plain) return false;
  }
  *out = {at, len};
  return len > 0 && len <= JSON_TURN_PLAIN_MAX;
}

/* ---- texts ---- */

static struct lists lists_of(const struct json_turns_shape *shape) {
  return {shape->lists, false};
}

/* Is there a mark? false: what stands under its key is none. */
static bool read_mark(const struct json_index *x, const struct member &m, bool *is_marked) {
  *is_marked = is_said(x, m);
  return !*is_marked || json_token(x, m.value) == '{';
}

/* {"type": "text", "text": "…"}; of an answer the type may be left out. is_marked NULL: no mark may be there. */
static uint32_t read_part(const struct json_index *x, uint32_t token, const struct json_turns_shape *shape,
                          bool is_answer, struct slice *text, bool *is_marked) {
  struct member wanted[] = {{text_word, 0}, {type_word, 0}, {is_marked != nullptr ? shape->mark : no_word, 0}};
  struct lists lists = is_answer ? any_lists : lists_of(shape);
  uint32_t next = read_members(x, token, wanted, 3, nullptr, lists), at = wanted[0].value, type = wanted[1].value;
  if (next == 0 || at == 0 || json_token(x, at) != '"') return 0;
  bool is_typed = is_said(x, wanted[1]);
  if (is_typed && (json_token(x, type) != '"' || !is_one_of(x, type, shape->types, JSON_TURN_WORDS_MAX))) return 0;
  if (!is_typed && !is_answer && shape->types[0].len > 0) return 0;
  if (is_marked != nullptr && !read_mark(x, wanted[2], is_marked)) return 0;
  *text = json_raw(x, at, at + 1);
  return next;
}

/* "…" or a list of one part. */
static uint32_t read_text(const struct json_index *x, uint32_t token, const struct json_turns_shape *shape,
                          bool is_answer, struct slice *text, bool *is_marked) {
  char c = json_token(x, token);
  if (c == '"' && shape->may_be_text) {
    *text = json_raw(x, token, token + 1);
    return token + 1;
  }
  if (c != '[') return 0;
  token = read_part(x, token + 1, shape, is_answer, text, is_marked);
  return token != 0 && json_token(x, token) == ']' ? token + 1 : 0;
}

/* ---- calls and results ---- */

static bool read_arguments(const struct json_index *x, const struct member &m, const struct json_tools_shape *tools,
                           struct slice *out) {
  bool is_text = tools->arguments_are_text;
  *out = {empty_object, 2};
  if (!is_said(x, m)) return true;
  if (json_token(x, m.value) != (is_text ? '"' : '{')) return false;
  struct slice raw = json_raw(x, m.value, json_token_end(x, m.value));
  if (!is_text || raw.len > 2) *out = raw;
  return true;
}

/* The type that the object of a call or a result may have. */
static bool is_typed(const struct json_index *x, const struct member &type, struct slice word) {
  return type.value == 0 || (json_token(x, type.value) == '"' && is_word(x, type.value, word));
}

static uint32_t read_call(const struct json_index *x, uint32_t token, const struct json_turns_shape *shape,
                          struct json_turn *call) {
  const struct json_tools_shape *tools = &shape->tools;
  bool is_inside = tools->inside.len > 0, is_keyed = tools->place == JSON_TOOLS_KEYED;
  struct member said[] = {
      {tools->name, 0}, {tools->arguments, 0}, {tools->call_id, 0}, {type_word, 0}, {shape->mark, 0}};
  struct member outer[] = {{tools->inside, 0}, {tools->call_id, 0}, {type_word, 0}};
  const struct slice *ignored = tools->place == JSON_TOOLS_LISTED ? shape->ignored : nullptr;
  uint32_t next = is_inside ? read_members(x, token, outer, 3, ignored, no_lists)
                            : read_members(x, token, said, 5, ignored, no_lists);
  if (next == 0) return 0;
  if (is_inside) {
    if (outer[0].value == 0 || read_members(x, outer[0].value, said, 2, nullptr, no_lists) == 0) return 0;
    said[2] = outer[1];
    said[3] = outer[2];
  }
  struct slice type = tools->place == JSON_TOOLS_BESIDE ? tools->call_type : is_keyed ? no_word : tools->call;
  call->kind = JSON_TURN_CALL;
  call->is_error = false;
  bool fits = read_mark(x, said[4], &call->is_marked) && is_typed(x, said[3], type) &&
              read_plain(x, said[0].value, &call->name) && read_arguments(x, said[1], tools, &call->text) &&
              read_plain(x, said[2].value, &call->id);
  return fits ? next : 0;
}

/* {"output": "…"}, {"error": "…"}, or any other object. */
static bool read_object(const struct json_index *x, uint32_t token, struct slice *out, bool *is_error) {
  uint32_t key = token + 1, next;
  if (json_token(x, token) != '{') return false;
  *out = json_raw(x, token, json_token_end(x, token));
  if (json_token(x, key) == '}') return true;
  if (!is_key(x, key) || is_escaped(x, key)) return false;
  next = json_token_end(x, key + 2);
  if (json_token(x, next) == ',') { /* of a key that comes twice one is left */
    size_t len = x->at[key + 1] - x->at[key];
    return is_key(x, next + 1) && !is_escaped(x, next + 1) &&
           (x->at[next + 2] - x->at[next + 1] != len ||
            memcmp(x->text + x->at[key], x->text + x->at[next + 1], len) != 0);
  }
  *is_error = is_word(x, key, error_word);
  if (!*is_error && !is_word(x, key, output_word)) return true;
  if (json_token(x, key + 2) != '"') return false;
  *out = json_raw(x, key + 2, key + 3);
  return true;
}

/* A part of an output that is told by its key: a text, or an object or list under output_value_key. */
static uint32_t read_keyed_output(const struct json_index *x, uint32_t token, const struct json_tools_shape *tools,
                                  struct slice *out) {
  struct member wanted[] = {{text_word, 0}, {tools->output_value_key, 0}};
  uint32_t next = read_members(x, token, wanted, 2, nullptr, no_lists);
  bool has_text = is_said(x, wanted[0]), has_value = is_said(x, wanted[1]);
  if (next == 0 || has_text == has_value) return 0;
  uint32_t value = wanted[has_text ? 0 : 1].value;
  char c = json_token(x, value);
  if (has_text ? c != '"' : c != '{' && c != '[') return 0;
  *out = json_raw(x, value, json_token_end(x, value));
  return next;
}

static bool read_output(const struct json_index *x, const struct member &m, const struct json_turns_shape *shape,
                        struct json_turn *result) {
  const struct json_tools_shape *tools = &shape->tools;
  struct slice *out = &result->text;
  *out = {empty_text, 2};
  if (!is_said(x, m) || (!tools->result_is_object && is_empty_list(x, m.value))) return true;
  if (tools->result_is_object) return read_object(x, m.value, out, &result->is_error);
  if (tools->place != JSON_TOOLS_KEYED) return read_text(x, m.value, shape, false, out, nullptr) != 0;
  uint32_t end = json_token(x, m.value) == '[' ? read_keyed_output(x, m.value + 1, tools, out) : 0;
  return end != 0 && json_token(x, end) == ']';
}

static bool read_error(const struct json_index *x, const struct member &m, const struct json_tools_shape *tools,
                       bool *is_error) {
  if (!is_said(x, m)) return true;
  char c = json_token(x, m.value);
  if (tools->error_words[0].len == 0) {
    *is_error = c == 't';
    return c == 't' || c == 'f';
  }
  *is_error = c == '"' && is_word(x, m.value, tools->error_words[1]);
  return *is_error || (c == '"' && is_word(x, m.value, tools->error_words[0]));
}

enum { RESULT_MEMBERS = 5 };

/* What a result has, once its members are found: its id, its output, its name, whether it is an error, its mark. */
static bool take_result(const struct json_index *x, const struct json_turns_shape *shape, const struct member *said,
                        struct json_turn *result) {
  result->kind = JSON_TURN_RESULT;
  result->name = no_word;
  result->is_error = false;
  bool is_named = is_said(x, said[2]);
  return read_plain(x, said[0].value, &result->id) && read_output(x, said[1], shape, result) &&
         (!is_named || json_token(x, said[2].value) == '"') &&
         read_error(x, said[3], &shape->tools, &result->is_error) && read_mark(x, said[4], &result->is_marked);
}

static uint32_t read_result(const struct json_index *x, uint32_t token, const struct json_turns_shape *shape,
                            struct json_turn *result) {
  const struct json_tools_shape *tools = &shape->tools;
  struct member said[] = {{tools->result_id, 0}, {tools->output, 0}, {tools->result_name, 0},
                          {tools->error, 0},     {shape->mark, 0},   {type_word, 0}};
  const struct slice *ignored = tools->place == JSON_TOOLS_LISTED ? shape->ignored : nullptr;
  uint32_t next = read_members(x, token, said, RESULT_MEMBERS + 1, ignored, no_lists);
  struct slice type = tools->place == JSON_TOOLS_KEYED ? no_word : tools->result;
  return next != 0 && is_typed(x, said[5], type) && take_result(x, shape, said, result) ? next : 0;
}

/* ---- turns ---- */

struct reading {
  const struct json_index *x;
  const struct json_turns_shape *shape;
  struct json_turns *out;
};

static bool add(struct reading *r, const struct json_turn *said) {
  struct json_turns *t = r->out;
  if (t->count == JSON_TURNS_MAX) return false;
  if (t->count == t->cap) {
    t->cap = t->cap ? t->cap * 2 : 32;
    t->turns = (struct json_turn *)mem_resize(t->turns, t->cap * sizeof *t->turns);
  }
  t->turns[t->count++] = *said;
  return true;
}

static bool add_text(struct reading *r, struct slice text) {
  struct json_turn said = {text, no_word, no_word, JSON_TURN_USER, JSON_TURN_TEXT, false, false, false};
  return add(r, &said);
}

static uint32_t read_tool(struct reading *r, uint32_t token, bool is_call, struct json_turn *said) {
  return is_call ? read_call(r->x, token, r->shape, said) : read_result(r->x, token, r->shape, said);
}

/* A part of a content: a text or, where they stand there, a call or a result. */
static uint32_t read_said(struct reading *r, uint32_t token) {
  const struct json_index *x = r->x;
  const struct json_tools_shape *tools = &r->shape->tools;
  struct json_turn said = {no_word, no_word, no_word, JSON_TURN_USER, JSON_TURN_TEXT, false, false, false};
  bool is_keyed = tools->place == JSON_TOOLS_KEYED;
  uint32_t kind = is_keyed && is_key(x, token + 1) ? token + 1 : 0, next;
  if (tools->place == JSON_TOOLS_TYPED) kind = find_type(x, token);
  bool is_call = kind != 0 && is_word(x, kind, tools->call), is_result = kind != 0 && is_word(x, kind, tools->result);
  if (!is_call && !is_result) {
    next = read_part(x, token, r->shape, false, &said.text, &said.is_marked);
  } else if (is_keyed) {
    struct member only[] = {{is_call ? tools->call : tools->result, 0}};
    next = read_members(x, token, only, 1, nullptr, no_lists);
    if (next == 0 || read_tool(r, only[0].value, is_call, &said) == 0) return 0;
  } else {
    next = read_tool(r, token, is_call, &said);
  }
  return next != 0 && add(r, &said) ? next : 0;
}

static bool read_content(struct reading *r, uint32_t token) {
  if (json_token(r->x, token) == '"') {
    return r->shape->may_be_text && add_text(r, json_raw(r->x, token, token + 1));
  }
  if (json_token(r->x, token) != '[') return false;
  do {
    token = read_said(r, token + 1);
  } while (token != 0 && json_token(r->x, token) == ',');
  return token != 0 && json_token(r->x, token) == ']';
}

static bool read_calls(struct reading *r, uint32_t token) {
  struct json_turn call = {};
  if (is_empty_list(r->x, token)) return true;
  if (json_token(r->x, token) != '[') return false;
  do {
    token = read_call(r->x, token + 1, r->shape, &call);
    if (token == 0 || !add(r, &call)) return false;
  } while (json_token(r->x, token) == ',');
  return json_token(r->x, token) == ']';
}

static bool read_role(const struct json_index *x, uint32_t token, const struct json_turns_shape *shape,
                      enum json_turn_role *role) {
  if (token == 0 || json_token(x, token) != '"') return false;
  for (int i = 0; i < JSON_TURN_ROLES; i++) {
    if (!is_word(x, token, shape->roles[i])) continue;
    *role = (enum json_turn_role)i;
    return true;
  }
  return false;
}

/* What the turn from `first` on has said is of this role. Decides whether it goes on with the one before. */
static bool end_turn(struct reading *r, size_t first, enum json_turn_role role) {
  const struct json_turns_shape *shape = r->shape;
  struct json_turn *said = r->out->turns;
  if (r->out->count == first) return false;
  for (size_t i = first; i < r->out->count; i++) {
    if (said[i].kind == JSON_TURN_CALL && role != JSON_TURN_ASSISTANT) return false;
    if (said[i].kind == JSON_TURN_RESULT && role != JSON_TURN_USER) return false;
    said[i].role = role;
  }
  const struct json_turn *before = first > 0 ? &said[first - 1] : nullptr;
  enum json_tools_place place = shape->tools.place;
  bool is_result = said[first].kind == JSON_TURN_RESULT && (place == JSON_TOOLS_BESIDE || place == JSON_TOOLS_LISTED);
  bool joins_results = is_result && before != nullptr && before->kind == JSON_TURN_RESULT;
  bool joins_assistant =
      shape->joins_assistant && role == JSON_TURN_ASSISTANT && before != nullptr && before->role == role;
  said[first].begins = !joins_results && !joins_assistant;
  if (!shape->joins_texts || role != JSON_TURN_ASSISTANT) return true;
  for (size_t i = first; i < r->out->count; i++) {
    if (i > 0 && !said[i].begins && said[i].kind == JSON_TURN_TEXT && said[i - 1].kind == JSON_TURN_TEXT) return false;
  }
  return true;
}

/* {"role": "user", "content": …} */
static uint32_t read_message(struct reading *r, uint32_t token) {
  const struct json_index *x = r->x;
  const struct json_turns_shape *shape = r->shape;
  const struct json_tools_shape *tools = &shape->tools;
  bool is_beside = tools->place == JSON_TOOLS_BESIDE;
  struct member said[] = {{role_word, 0},
                          {shape->content, 0},
                          {type_word, 0},
                          {is_beside ? tools->call : no_word, 0},
                          {is_beside ? tools->result_id : no_word, 0},
                          {is_beside ? tools->result_name : no_word, 0}};
  enum json_turn_role role;
  size_t first = r->out->count;
  uint32_t next = read_members(x, token, said, sizeof said / sizeof *said, shape->ignored, lists_of(shape));
  if (next == 0 || !is_typed(x, said[2], shape->kind) || said[0].value == 0) return 0;
  bool has_calls = is_said(x, said[3]) && !is_empty_list(x, said[3].value);
  if (is_beside && json_token(x, said[0].value) == '"' && is_word(x, said[0].value, tools->result)) {
    const struct member members[RESULT_MEMBERS] = {said[4], said[1], said[5], {no_word, 0}, {no_word, 0}};
    struct json_turn result = {};
    bool fits = !has_calls && take_result(x, shape, members, &result) && add(r, &result);
    return fits && end_turn(r, first, JSON_TURN_USER) ? next : 0;
  }
  if (!read_role(x, said[0].value, shape, &role) || is_said(x, said[4]) || is_said(x, said[5])) return 0;
  bool is_empty = has_calls && (!is_said(x, said[1]) || is_empty_text(x, said[1].value));
  if (!is_empty && (said[1].value == 0 || !read_content(r, said[1].value))) return 0;
  if (has_calls && !read_calls(r, said[3].value)) return 0;
  return end_turn(r, first, role) ? next : 0;
}

/* An element of the list: a message or, where they stand there, a call or a result. */
static uint32_t read_turn(struct reading *r, uint32_t token) {
  const struct json_tools_shape *tools = &r->shape->tools;
  size_t first = r->out->count;
  uint32_t type = tools->place == JSON_TOOLS_LISTED ? find_type(r->x, token) : 0, next = 0;
  struct json_turn said = {};
  bool is_call = type != 0 && is_word(r->x, type, tools->call),
       is_result = type != 0 && is_word(r->x, type, tools->result);
  if (!is_call && !is_result) return read_message(r, token);
  next = read_tool(r, token, is_call, &said);
  if (next == 0 || !add(r, &said)) return 0;
  return end_turn(r, first, is_call ? JSON_TURN_ASSISTANT : JSON_TURN_USER) ? next : 0;
}

/* ---- the body ---- */

static uint32_t read_list(struct reading *r, uint32_t token) {
  uint32_t begin = token;
  if (json_token(r->x, token) == '"' && r->shape->list_may_be_text) {
    r->out->list = json_raw(r->x, token, token + 1);
    return add_text(r, r->out->list) && end_turn(r, 0, JSON_TURN_USER) ? token + 1 : 0;
  }
  if (json_token(r->x, token) != '[') return 0;
  do {
    token = read_turn(r, token + 1);
    if (token == 0) return 0;
  } while (json_token(r->x, token) == ',');
  if (json_token(r->x, token) != ']') return 0;
  r->out->list = json_raw(r->x, begin, token + 1);
  return token + 1;
}

static uint32_t read_system(struct reading *r, uint32_t token) {
  uint32_t next;
  const struct json_index *x = r->x;
  struct slice *text = &r->out->system_text;
  if (json_token(x, token) == '{') { /* {"parts": […]} */
    if (!is_key(x, token + 1) || !is_word(x, token + 1, r->shape->content)) return 0;
    next = read_text(x, token + 3, r->shape, false, text, &r->out->system_is_marked);
    if (next == 0 || json_token(x, next) != '}') return 0;
    next++;
  } else {
    next = read_text(x, token, r->shape, false, text, &r->out->system_is_marked);
    if (next == 0) return 0;
  }
  r->out->system = json_raw(x, token, next);
  return next;
}

static bool read_body(struct reading *r) {
  const struct json_index *x = r->x;
  uint32_t token = 1;
  bool more = true;
  if (json_token(x, 0) != '{') return false;
  while (more) {
    if (!is_key(x, token)) return false;
    uint32_t next;
    if (is_word(x, token, r->shape->list)) {
      if (r->out->list.ptr != nullptr) return false;
      next = read_list(r, token + 2);
    } else if (is_word(x, token, r->shape->system)) {
      if (r->out->system.ptr != nullptr) return false;
      next = read_system(r, token + 2);
    } else {
      next = json_token_end(x, token + 2);
    }
    token = next != 0 ? member_end(x, next, &more) : 0;
    if (token == 0) return false;
  }
  return token == x->count && r->out->count > 0;
}

bool json_turns_read(struct slice body, const struct json_turns_shape *shape, struct json_turns *out) {
  struct json_index x;
  struct reading r = {&x, shape, out};
  out->list = out->system = out->system_text = no_word;
  out->count = 0;
  out->system_is_marked = false;
  if (!json_index_init(&x, body, JSON_LOOSE, nullptr)) return false;
  bool fits = read_body(&r);
  json_index_done(&x);
  return fits;
}

/* {"role": "assistant", "content": …} of an answer: whose it is goes without saying. */
static uint32_t read_answer(const struct json_index *x, const struct json_turns_shape *shape, struct slice *text) {
  struct member said[] = {{shape->content, 0}, {role_word, 0}};
  uint32_t next = read_members(x, 0, said, 2, nullptr, any_lists);
  if (next == 0 || said[0].value == 0 || (is_said(x, said[1]) && json_token(x, said[1].value) != '"')) return 0;
  return read_text(x, said[0].value, shape, true, text, nullptr) != 0 ? next : 0;
}

bool json_turns_text(struct slice content, const struct json_turns_shape *shape, struct slice *text) {
  struct json_index x;
  if (content.len > 0 && *content.ptr == '"') {
    *text = content;
    return shape->may_be_text;
  }
  if (!json_index_init(&x, content, JSON_LOOSE, nullptr)) return false;
  bool is_message = json_token(&x, 0) == '{';
  bool fits = (is_message ? read_answer(&x, shape, text) : read_text(&x, 0, shape, true, text, nullptr)) == x.count;
  json_index_done(&x);
  return fits;
}

void json_turns_done(struct json_turns *t) {
  mem_free(t->turns);
  *t = {};
}
