/* text_list: see the header. */
#include "script/translation/text_list.h"

#include "wire/json_simd.h"

/* ---- strings ---- */

/* Is there an escape that the writer of JSON would not make: \u0041, \/ ? A doubled backslash may be taken for one. */
static bool has_rare_escape(struct slice raw) {
  for (size_t at = 0; at < raw.len; at += 64) {
    uint64_t mask = json_mask_backslashes(raw.ptr + at);
    for (; mask != 0; mask &= mask - 1) {
      size_t next = at + (size_t)__builtin_ctzll(mask) + 1;
      if (next >= raw.len) return false;
      if (raw.ptr[next] == 'u' || raw.ptr[next] == '/') return true;
    }
  }
  return false;
}

/* Decodes a string of JSON into the empty buffer. */
static bool unquote(struct slice raw, struct buf *out) {
  size_t len = 0;
  if (!json_unquote(raw, buf_reserve(out, raw.len), &len)) return false;
  out->len = len;
  return true;
}

void text_list_put_string(struct buf *out, struct slice raw) {
  if (!has_rare_escape(raw)) {
    buf_slice(out, raw);
    return;
  }
  struct buf text = {0};
  if (unquote(raw, &text)) json_put_string(out, buf_view(&text));
  else buf_slice(out, raw);
  buf_done(&text);
}

/* Where in the raw string the first character stands that is no blank, or its closing quote. */
static size_t first_word(struct slice raw) {
  size_t at = 1;
  while (at + 1 < raw.len) {
    const char *c = raw.ptr + at;
    if (*c != ' ' && *c != '\\') break;
    size_t len = *c == ' ' ? 1 : c[1] == 'u' ? 6 : 2;
    bool is_blank = *c == ' ' || (c[1] != 'u' && memchr("nrtf", c[1], 4) != NULL) ||
                    (c[1] == 'u' && memcmp(c + 2, "0020", 4) == 0) ||
                    (c[1] == 'u' && memcmp(c + 2, "000", 3) == 0 && memchr("9aAbBcCdD", c[5], 9) != NULL);
    if (!is_blank) break;
    at += len;
  }
  return at;
}

bool text_list_has_words(struct slice raw) {
  return first_word(raw) + 1 < raw.len;
}

/* ---- moulds ---- */

struct writing {
  const struct text_form *form;
  const struct text_way *way;
  struct buf *out;
  size_t begin;       /* of the list in out */
  bool fits;          /* so far */
  struct buf decoded; /* one text at a time */
};

static void put_plain(struct writing *w, struct slice word) {
  buf_byte(w->out, '"');
  buf_slice(w->out, word);
  buf_byte(w->out, '"');
}

static bool is_string(struct slice raw) {
  return raw.len > 0 && *raw.ptr == '"';
}

/* The text in a string, when it is a JSON object or list; first: '{' or '['. */
static bool is_json(struct writing *w, struct slice raw, char *first) {
  struct slice begin = slice_from(raw, first_word(raw));
  if (begin.len == 0 || memchr("{[\\", *begin.ptr, 3) == NULL) return false;
  w->decoded.len = 0;
  if (!unquote(raw, &w->decoded)) return false;
  struct slice text = buf_view(&w->decoded);
  size_t at = 0;
  while (at < text.len && memchr(" \n\r\t", text.ptr[at], 4) != NULL) at++;
  *first = at < text.len ? text.ptr[at] : '\0';
  return (*first == '{' || *first == '[') && json_valid(text, NULL);
}

static void put_arguments(struct writing *w, struct slice raw) {
  char first = '{';
  if (!is_string(raw)) buf_slice(w->out, raw);
  else if (is_json(w, raw, &first) && first == '{') buf_slice(w->out, buf_view(&w->decoded));
  else w->fits = false;
}

/* What came of a call, as an object. */
static void put_result_object(struct writing *w, struct slice raw) {
  const struct text_mould *output = &w->form->tools.output;
  bool is_text = is_string(raw);
  char first = is_text ? '"' : *raw.ptr;
  bool is_value = !is_text || is_json(w, raw, &first);
  if (is_text && is_value) raw = buf_view(&w->decoded);
  if (is_value && first == '{') {
    buf_slice(w->out, raw);
    return;
  }
  buf_slice(w->out, output->piece[0]);
  if (is_value) buf_slice(w->out, raw);
  else text_list_put_string(w->out, raw);
  buf_slice(w->out, output->piece[1]);
}

/* Does the text say by itself that it is an error? An escaped letter may be any. */
static bool says_error(struct writing *w, struct slice raw) {
  static const struct slice word = SLICE_INIT("error");
  struct slice begin = slice_from(raw, is_string(raw) ? 1 : 0);
  if (begin.len > word.len) begin.len = word.len;
  if (slice_find(begin, SLICE("\\u")) >= 0) w->fits = false;
  return slice_eq_nocase(begin, word);
}

static void put_string(struct writing *w, const struct json_turn *t) {
  size_t at = w->out->len;
  if (is_string(t->text)) text_list_put_string(w->out, t->text);
  else json_put_string(w->out, t->text);
  if (!t->is_error || text_mould_is_there(&w->way->error) || says_error(w, t->text)) return;
  struct slice prefix = SLICE("\"Error: ");
  size_t behind = w->out->len - at - 1; /* the quote that opens it */
  buf_reserve(w->out, prefix.len);
  memmove(w->out->ptr + at + prefix.len, w->out->ptr + at + 1, behind);
  memcpy(w->out->ptr + at, prefix.ptr, prefix.len);
  w->out->len += prefix.len - 1;
}

static void put_mould(struct writing *w, const struct text_mould *mould, const struct json_turn *t) {
  if (!text_mould_is_there(mould)) {
    w->fits = false;
    return;
  }
  buf_slice(w->out, mould->piece[0]);
  for (unsigned i = 0; i < mould->holes; i++) {
    switch (mould->hole[i]) {
    case 'i': put_plain(w, t->id); break;
    case 'n': put_plain(w, t->name); break;
    case 's': put_string(w, t); break;
    default:
      if (t->kind == JSON_TURN_CALL) put_arguments(w, t->text);
      else put_result_object(w, t->text);
    }
    buf_slice(w->out, mould->piece[i + 1]);
  }
}

static bool is_first_call(const struct json_turn *t) {
  while (!t->begins)
    if ((--t)->kind == JSON_TURN_CALL) return false;
  return true;
}

/* Only samples in the client's own dialect have marks: no other dialect has a key for them. */
static bool is_marked(const struct writing *w, const struct json_turn *t) {
  return t->is_marked && w->form->shape.mark.len > 0;
}

/* Puts a mark into the object that was written from `at` on. */
static void put_mark(struct writing *w, size_t at) {
  struct buf rest = {0};
  struct slice object = slice_from(buf_view(w->out), at + 1);
  buf_slice(&rest, object);
  w->out->len = at + 1;
  buf_byte(w->out, '"');
  buf_slice(w->out, w->form->shape.mark);
  buf_text(w->out, "\":{\"type\":\"ephemeral\"},");
  buf_slice(w->out, buf_view(&rest));
  buf_done(&rest);
}

static void put_one(struct writing *w, const struct json_turn *t) {
  size_t at = w->out->len;
  bool is_empty = is_string(t->text) && t->text.len == 2;
  if (t->kind == JSON_TURN_TEXT) put_mould(w, &w->form->part[t->role], t);
  else if (t->kind == JSON_TURN_CALL) put_mould(w, is_first_call(t) ? &w->way->first_call : &w->way->call, t);
  else if (t->is_error && text_mould_is_there(&w->way->error)) put_mould(w, &w->way->error, t);
  else put_mould(w, is_empty ? &w->way->empty_result : &w->way->result, t);
  if (is_marked(w, t)) put_mark(w, at);
}

/* ---- turns ---- */

static void next_element(struct writing *w) {
  if (w->out->len > w->begin) buf_byte(w->out, ',');
}

static void put_many(struct writing *w, const struct json_turn *from, const struct json_turn *to) {
  for (const struct json_turn *t = from; t < to; t++) {
    if (t > from) buf_byte(w->out, ',');
    put_one(w, t);
  }
}

/* A turn with a list of these in it; of one text alone, with that. */
static void put_turn(struct writing *w, const struct json_turn *from, const struct json_turn *to) {
  const struct text_mould *mould = &w->form->turn_of_parts[from->role];
  if (from == to) return;
  next_element(w);
  if (to == from + 1 && from->kind == JSON_TURN_TEXT && !is_marked(w, from)) {
    put_mould(w, &w->form->turn[from->role], from);
    return;
  }
  if (!text_mould_is_there(mould)) {
    w->fits = false;
    return;
  }
  buf_slice(w->out, mould->piece[0]);
  put_many(w, from, to);
  buf_slice(w->out, mould->piece[1]);
}

/* Texts as one string. */
static void put_joined(struct writing *w, const struct json_turn *from, const struct json_turn *to) {
  size_t begin = w->out->len;
  for (const struct json_turn *t = from; t < to; t++) {
    size_t at = w->out->len;
    if (t->kind != JSON_TURN_TEXT) continue;
    text_list_put_string(w->out, t->text);
    if (at == begin) continue;
    memmove(w->out->ptr + at - 1, w->out->ptr + at + 1, w->out->len - at - 1); /* the quotes between them go */
    w->out->len -= 2;
  }
}

/* The assistant's turn where calls stand beside the content. */
static void put_beside(struct writing *w, const struct json_turn *from, const struct json_turn *to) {
  const struct text_tools *tools = &w->form->tools;
  bool has_text = false, has_calls = false;
  for (const struct json_turn *t = from; t < to; t++) {
    has_text = has_text || t->kind == JSON_TURN_TEXT;
    has_calls = has_calls || t->kind == JSON_TURN_CALL;
  }
  const struct text_mould *mould = !has_calls ? &w->form->turn[JSON_TURN_ASSISTANT]
                                   : has_text ? &tools->calls
                                              : &tools->calls_alone;
  next_element(w);
  buf_slice(w->out, mould->piece[0]);
  if (has_text) {
    put_joined(w, from, to);
    buf_slice(w->out, mould->piece[1]);
  }
  if (!has_calls) return;
  bool first = true;
  for (const struct json_turn *t = from; t < to; t++) {
    if (t->kind != JSON_TURN_CALL) continue;
    if (!first) buf_byte(w->out, ',');
    put_one(w, t);
    first = false;
  }
  buf_slice(w->out, mould->piece[mould->holes]);
}

static void put_elements(struct writing *w, const struct json_turn *from, const struct json_turn *to) {
  for (const struct json_turn *t = from; t < to; t++) {
    next_element(w);
    put_one(w, t);
  }
}

static const struct json_turn *end_of_kind(const struct json_turn *from, const struct json_turn *to) {
  const struct json_turn *t = from;
  while (t < to && t->kind == from->kind) t++;
  return t;
}

/* What one role says in a row: of the user first what came of calls, then texts. */
static void put_row(struct writing *w, const struct json_turn *from, const struct json_turn *to) {
  enum json_tools_place place = w->form->shape.tools.place;
  bool is_user = from->role == JSON_TURN_USER, takes_parts = place == JSON_TOOLS_TYPED || place == JSON_TOOLS_KEYED;
  if (takes_parts && !(is_user && w->form->tools.results_apart)) {
    put_turn(w, from, to);
  } else if (place == JSON_TOOLS_BESIDE && !is_user) {
    put_beside(w, from, to);
  } else {
    for (const struct json_turn *t = from, *end; t < to; t = end) {
      end = end_of_kind(t, to);
      if (t->kind == JSON_TURN_TEXT || takes_parts) put_turn(w, t, end);
      else put_elements(w, t, end);
    }
  }
}

bool text_list_put(const struct text_form *form, unsigned way, struct slice system, const struct json_turn *turns,
                   size_t count, bool joins, struct buf *out) {
  struct writing w = {.form = form, .way = &form->tools.ways[way], .out = out, .begin = out->len, .fits = true};
  const struct json_turn *end = turns + count;
  joins = joins && form->joins;
  if (system.ptr != NULL && text_form_lists_system(form)) text_list_put_system(form, system, false, out);
  for (const struct json_turn *from = turns, *to; from < end && w.fits; from = to) {
    for (to = from + 1; to < end && to->role == from->role && (joins || !to->begins);) to++;
    put_row(&w, from, to);
  }
  buf_done(&w.decoded);
  return w.fits;
}

void text_list_put_system(const struct text_form *form, struct slice system, bool is_marked, struct buf *out) {
  struct writing w = {.form = form, .out = out, .begin = out->len};
  struct json_turn t = {.text = system, .role = JSON_TURN_USER, .is_marked = is_marked};
  if (is_marked && form->shape.mark.len > 0) {
    buf_byte(out, '[');
    put_one(&w, &t);
    buf_byte(out, ']');
    return;
  }
  put_mould(&w, &form->turn[JSON_TURN_SYSTEM], &t);
}
