/* text_request: see the header. */
#include "script/translation/text_request.h"

#include "base/must.h"

/* How turns may follow each other, as far as a translation may care. */
enum {
  HAS_SYSTEM = 1 << 0,
  HAS_ASSISTANT = 1 << 1,
  ENDS_WITH_ASSISTANT = 1 << 2,
  REPEATS_A_ROLE = 1 << 3 /* turns of one role follow each other */
};

enum { SAMPLE_TURNS_MAX = 5, SAMPLE_TEXT_BYTES = 7 };

/* With room behind each, as a raw string has in a body. */
static const char sample_texts[SAMPLE_TURNS_MAX + 1][SAMPLE_TEXT_BYTES + 1 + JSON_PADDING] = {
    "\"moon0\"", "\"moon1\"", "\"moon2\"", "\"moon3\"", "\"moon4\"", "\"moon5\"",
};

static struct slice sample_text(unsigned i) {
  return slice_of(sample_texts[i], SAMPLE_TEXT_BYTES);
}

/* ---- taking apart ---- */

/* Claude Code's first words, which change with each request and are not for others: only Lua knows which ones. */
static bool is_header(struct slice raw) {
  return slice_starts(raw, SLICE("\"x-"));
}

/* Sets the system text and the turns behind it; false when there are other system texts, a text of blanks, or when the
 * conversation does not begin with the user. */
static bool take_turns(struct text_split *s) {
  const struct json_turns *t = &s->turns;
  const struct json_turn *at = t->turns, *end = t->turns + t->count;
  s->said = t->system_text;
  if (at->role == JSON_TURN_SYSTEM) {
    if (s->said.ptr != NULL) return false;
    s->said = at->text;
    at++;
  }
  if (s->said.ptr != NULL && (!text_form_has_words(s->said) || is_header(s->said))) return false;
  if (at == end || at->role != JSON_TURN_USER) return false;
  s->first = at;
  s->count = (size_t)(end - at);
  s->pattern = s->said.ptr != NULL ? HAS_SYSTEM : 0;
  for (; at < end; at++) {
    if (at->role == JSON_TURN_SYSTEM || !text_form_has_words(at->text)) return false;
    if (at->role == JSON_TURN_ASSISTANT) s->pattern |= HAS_ASSISTANT;
    if (at > s->first && at->role == at[-1].role) s->pattern |= REPEATS_A_ROLE;
  }
  if (end[-1].role == JSON_TURN_ASSISTANT) s->pattern |= ENDS_WITH_ASSISTANT;
  return true;
}

static void put_bytes(struct buf *out, const char *from, const char *to) {
  buf_append(out, from, (size_t)(to - from));
}

/* The key: numbers, the models, then the body without its list and its system text. */
static bool put_key(struct text_split *s) {
  const struct text_ask *ask = s->ask;
  const struct json_turns *t = &s->turns;
  struct buf *key = &s->key;
  uint32_t numbers[] = {ask->from_dialect,
                        ask->to_dialect,
                        ask->provider,
                        ask->stream,
                        s->pattern,
                        (uint32_t)ask->model.len,
                        (uint32_t)ask->target_model.len};
  size_t taken = t->list.len + t->system.len;
  key->len = 0;
  if (ask->body.len - taken > TEXT_FRAME_MAX_BYTES) return false;
  buf_append(key, numbers, sizeof numbers);
  buf_slice(key, ask->model);
  buf_slice(key, ask->target_model);
  s->frame_at = key->len;
  s->system = SIZE_MAX;
  const char *at = ask->body.ptr, *end = at + ask->body.len;
  bool system_first = t->system.ptr != NULL && t->system.ptr < t->list.ptr;
  for (int i = 0; i < 2; i++) {
    bool is_system = (i == 0) == system_first;
    struct slice value = is_system ? t->system : t->list;
    if (value.ptr == NULL) continue;
    put_bytes(key, at, value.ptr);
    *(is_system ? &s->system : &s->list) = key->len - s->frame_at;
    at = value.ptr + value.len;
  }
  put_bytes(key, at, end);
  return true;
}

bool text_request_split(struct text_split *s, const struct text_ask *ask) {
  s->ask = ask;
  if (!ask->from->is_there || !ask->to->is_there) return false;
  return json_turns_read(ask->body, &ask->from->shape, &s->turns) && take_turns(s) && put_key(s);
}

void text_split_done(struct text_split *s) {
  json_turns_done(&s->turns);
  buf_done(&s->key);
}

/* ---- learning ---- */

/* Turns that follow each other as those of the body do, in the fewest words. */
static size_t sample_turns(unsigned pattern, struct json_turn *turns) {
  size_t count = 0, each = pattern & REPEATS_A_ROLE ? 2 : 1;
  for (size_t i = 0; i < each; i++) turns[count++].role = JSON_TURN_USER;
  if (pattern & HAS_ASSISTANT) {
    for (size_t i = 0; i < each; i++) turns[count++].role = JSON_TURN_ASSISTANT;
    if (!(pattern & ENDS_WITH_ASSISTANT)) turns[count++].role = JSON_TURN_USER;
  }
  must(count <= SAMPLE_TURNS_MAX);
  for (size_t i = 0; i < count; i++) turns[i].text = sample_text((unsigned)i);
  return count;
}

static struct slice sample_system(unsigned pattern) {
  return pattern & HAS_SYSTEM ? sample_text(SAMPLE_TURNS_MAX) : slice_of(NULL, 0);
}

void text_request_sample(const struct text_split *s, struct buf *out) {
  struct json_turn turns[SAMPLE_TURNS_MAX];
  const struct text_form *form = s->ask->from;
  size_t count = sample_turns(s->pattern, turns), at = 0;
  struct slice frame = slice_from(buf_view(&s->key), s->frame_at), system = sample_system(s->pattern);
  bool system_first = s->system != SIZE_MAX && s->system < s->list;
  for (int i = 0; i < 2; i++) {
    bool is_system = (i == 0) == system_first;
    size_t to = is_system ? s->system : s->list;
    if (to == SIZE_MAX) continue;
    put_bytes(out, frame.ptr + at, frame.ptr + to);
    at = to;
    if (is_system) {
      text_form_put_system(form, system, out);
      continue;
    }
    buf_byte(out, '[');
    text_form_put_list(form, system, turns, count, false, out);
    buf_byte(out, ']');
  }
  put_bytes(out, frame.ptr + at, frame.ptr + frame.len);
}

/* Where in the raw list the sample's turns are, at its end: what stands before them belongs to the frame. */
static bool find_turns(struct slice list, struct slice turns, size_t *at) {
  if (list.len < turns.len + 2 || list.ptr[0] != '[') return false;
  *at = list.len - 1 - turns.len;
  char before = list.ptr[*at - 1];
  return (*at == 1 || before == ',') && memcmp(list.ptr + *at, turns.ptr, turns.len) == 0;
}

bool text_request_learn(const struct text_split *s, struct slice made, struct text_frame *frame, struct buf *store) {
  struct json_turn turns[SAMPLE_TURNS_MAX];
  const struct text_form *form = s->ask->to;
  struct json_field fields[2] = {{.key = form->shape.list}, {.key = form->system_key}};
  struct slice system = sample_system(s->pattern);
  size_t count = sample_turns(s->pattern, turns), turns_at = 0, system_at = SIZE_MAX, expected = store->len;
  bool lists_system = text_form_lists_system(form), has_key = !lists_system && system.ptr != NULL;
  if (!json_fields(made, fields, lists_system ? 1 : 2, NULL) || fields[0].raw.ptr == NULL) return false;
  if (has_key && fields[1].raw.ptr == NULL) return false;
  text_form_put_list(form, system, turns, count, true, store);
  size_t turns_len = store->len - expected;
  if (!find_turns(fields[0].raw, slice_from(buf_view(store), expected), &turns_at)) return false;
  turns_at += (size_t)(fields[0].raw.ptr - made.ptr);
  store->len = expected;
  if (has_key) {
    text_form_put_system(form, system, store);
    if (!slice_eq(fields[1].raw, slice_from(buf_view(store), expected))) return false;
    system_at = (size_t)(fields[1].raw.ptr - made.ptr);
    store->len = expected;
  }
  /* The longer way round: what comes first is cut out last, so that the other's place stays. */
  size_t system_len = has_key ? fields[1].raw.len : 0;
  size_t first_at = has_key && system_at < turns_at ? system_at : turns_at;
  size_t first_len = first_at == system_at ? system_len : turns_len;
  size_t second_at = !has_key ? made.len : first_at == system_at ? turns_at : system_at;
  size_t second_len = !has_key ? 0 : first_at == system_at ? turns_len : system_len;
  put_bytes(store, made.ptr, made.ptr + first_at);
  put_bytes(store, made.ptr + first_at + first_len, made.ptr + second_at);
  put_bytes(store, made.ptr + second_at + second_len, made.ptr + made.len);
  frame->turns_at = first_at == turns_at ? turns_at : turns_at - first_len;
  frame->system_at = !has_key ? SIZE_MAX : first_at == system_at ? system_at : system_at - first_len;
  frame->made = slice_from(buf_view(store), expected);
  return true;
}

/* ---- putting together ---- */

void text_request_write(const struct text_split *s, const struct text_frame *frame, struct buf *out) {
  enum { TURN_BYTES = 64 }; /* around a text, about */
  const struct text_form *form = s->ask->to;
  const char *made = frame->made.ptr;
  bool system_first = frame->system_at < frame->turns_at;
  bool system_last = frame->system_at != SIZE_MAX && !system_first;
  size_t at = 0;
  buf_reserve(out, s->ask->body.len + frame->made.len + s->count * TURN_BYTES);
  if (system_first) {
    put_bytes(out, made, made + frame->system_at);
    text_form_put_system(form, s->said, out);
    at = frame->system_at;
  }
  put_bytes(out, made + at, made + frame->turns_at);
  text_form_put_list(form, s->said, s->first, s->count, true, out);
  at = frame->turns_at;
  if (system_last) {
    put_bytes(out, made + at, made + frame->system_at);
    text_form_put_system(form, s->said, out);
    at = frame->system_at;
  }
  put_bytes(out, made + at, made + frame->made.len);
}
