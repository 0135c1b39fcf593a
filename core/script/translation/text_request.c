/* text_request: see the header. */
#include "script/translation/text_request.h"

#include "base/must.h"

/* How turns may follow each other, and what is in them, as far as a translation may care. */
enum {
  HAS_SYSTEM = 1 << 0,
  HAS_ASSISTANT = 1 << 1,
  ENDS_WITH_ASSISTANT = 1 << 2,
  REPEATS_USER = 1 << 3, /* turns of one role follow each other */
  REPEATS_ASSISTANT = 1 << 4,
  HAS_TOOLS = 1 << 5,
  HAS_LONG_IDS = 1 << 6,   /* which some providers do not take */
  HAS_MANY_TEXTS = 1 << 7, /* a turn of the user's with more than one */
  HAS_ERRORS = 1 << 8,
  MARKS_SYSTEM = 1 << 9, /* which of the user's and of the assistant's, of what kind, has a cache marker */
  MARKS_FIRST = 1 << 10, /* four bits */
  MARKS_ANY = 15 << 10,
  MARKS_LATE = 1 << 14 /* the first one comes in a turn behind that of the first call */
};

enum {
  SHORT_ID_BYTES = 40, /* the least that any adapter names as its most; adapters for less make frames unfit */
  NEAR_CALLS = 512     /* how far before a result its call is looked for */
};

/* ---- taking apart ---- */

/* Claude Code's first words, which change with each request and are not for others: only Lua knows which ones. */
static bool may_be_header(struct slice raw) {
  return slice_starts(raw, SLICE("\"x-")) || slice_starts(raw, SLICE("\"x\\")) || slice_starts(raw, SLICE("\"\\u0078"));
}

/* Losses are listed in the order in which they first occur, and a marker may be one, as may be a call and an error: the
 * sample must have them in the order of the body. False when it cannot. */
static bool order_marks(struct text_said *s) {
  const struct json_turn *t = s->first, *end = s->first + s->count;
  if (!(s->pattern & MARKS_ANY) || s->pattern & MARKS_SYSTEM || !(s->pattern & HAS_TOOLS)) return true;
  while (!t->is_marked && t->kind != JSON_TURN_CALL) t++;
  while (!t->is_marked && t + 1 < end && !t[1].begins) t++;
  if (!t->is_marked) s->pattern |= MARKS_LATE;
  return !(s->pattern & HAS_ERRORS) && (!(s->pattern & MARKS_LATE) || !(s->pattern & ENDS_WITH_ASSISTANT));
}

static bool may_be_said(const struct json_turn *t) {
  bool is_string = *t->text.ptr == '"', is_empty = is_string && t->text.len == 2;
  if (t->kind == JSON_TURN_RESULT && is_empty) return !t->is_error;
  return t->role != JSON_TURN_SYSTEM && (!is_string || text_list_has_words(t->text));
}

/* The bit of a marked text, call or result. */
static unsigned mark_of(const struct json_turn *t) {
  return MARKS_FIRST << (t->kind == JSON_TURN_TEXT && t->role == JSON_TURN_ASSISTANT ? 3u : (unsigned)t->kind);
}

static unsigned pattern_of(const struct json_turn *t) {
  unsigned pattern = t->role == JSON_TURN_ASSISTANT ? HAS_ASSISTANT : 0;
  if (t->is_marked) pattern |= mark_of(t);
  if (t->kind == JSON_TURN_TEXT) return pattern;
  return pattern | HAS_TOOLS | (t->id.len > SHORT_ID_BYTES ? HAS_LONG_IDS : 0) | (t->is_error ? HAS_ERRORS : 0);
}

/* The call that the result at `at` is of: the last one before it that has its id. NULL: none that is near. */
static const struct json_turn *call_of(const struct text_said *s, const struct json_turn *at) {
  const struct json_turn *far = at - s->first > NEAR_CALLS ? at - NEAR_CALLS : s->first;
  for (const struct json_turn *t = at; t > far;) {
    t--;
    if (t->kind == JSON_TURN_CALL && slice_eq(t->id, at->id)) return t;
  }
  return NULL;
}

/* Names the result at `at` and puts it behind those of its turn whose calls came before its own: names are views of the
 * body, whose order is that of the calls. */
static bool name_result(const struct text_said *s, struct json_turn *at) {
  const struct json_turn *call = call_of(s, at);
  if (call == NULL) return false;
  struct json_turn named = *at;
  named.name = call->name;
  for (; !at->begins && at[-1].name.ptr > named.name.ptr; at--) {
    *at = at[-1];
    at->begins = false;
  }
  named.begins = at->begins;
  *at = named;
  return true;
}

/* For providers that match results to calls by their place and name. */
static bool name_results(struct text_said *s) {
  for (struct json_turn *at = s->first; at < s->first + s->count; at++)
    if (at->kind == JSON_TURN_RESULT && !name_result(s, at)) return false;
  return true;
}

/* Sets the system text and what follows it; false when there are other system texts, a text of blanks, when the
 * conversation does not begin with words of the user, or when the user says something before what came of calls. */
static bool take_turns(const struct text_ask *ask, const struct json_turns *t, struct text_said *s) {
  struct json_turn *at = t->turns, *end = t->turns + t->count;
  s->system = t->system_text;
  if (at->role == JSON_TURN_SYSTEM) {
    if (s->system.ptr != NULL || (at + 1 < end && !at[1].begins)) return false;
    s->system = at->text;
    at++;
  }
  if (s->system.ptr != NULL && (!text_list_has_words(s->system) || may_be_header(s->system))) return false;
  if (at == end || at->role != JSON_TURN_USER || at->kind != JSON_TURN_TEXT) return false;
  s->first = at;
  s->count = (size_t)(end - at);
  s->pattern = (s->system.ptr != NULL ? HAS_SYSTEM : 0) | (t->system_is_marked ? MARKS_SYSTEM : 0);
  for (; at < end; at++) {
    bool follows = at > s->first && at->role == at[-1].role;
    if (!may_be_said(at)) return false;
    if (follows && at->kind == JSON_TURN_RESULT && at[-1].kind == JSON_TURN_TEXT) return false;
    s->pattern |= pattern_of(at);
    if (follows && at->begins) s->pattern |= at->role == JSON_TURN_USER ? REPEATS_USER : REPEATS_ASSISTANT;
    if (follows && !at->begins && at->role == JSON_TURN_USER && at->kind == JSON_TURN_TEXT && at[-1].kind == at->kind)
      s->pattern |= HAS_MANY_TEXTS;
  }
  if (end[-1].role == JSON_TURN_ASSISTANT) s->pattern |= ENDS_WITH_ASSISTANT;
  if (!order_marks(s)) return false;
  if (!(s->pattern & HAS_TOOLS)) return true;
  return text_form_has_tools(ask->to) && (!ask->to->tools.names_results || name_results(s));
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
                        s->said.pattern,
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
  return json_turns_read(ask->body, &ask->from->shape, &s->turns) && take_turns(ask, &s->turns, &s->said) && put_key(s);
}

void text_split_done(struct text_split *s) {
  json_turns_done(&s->turns);
  json_turns_done(&s->sample);
  buf_done(&s->key);
}

bool text_split_has_tools(const struct text_split *s) {
  return s->said.pattern & HAS_TOOLS;
}

/* ---- learning ---- */

enum { SAMPLE_MAX = 24, SAMPLE_TEXT_BYTES = 8 };

/* With room behind, as a raw string has in a body. */
#define SAMPLE_ROW(a, b, c, d) "\"moon" a "\"\"moon" b "\"\"moon" c "\"\"moon" d "\""
static const char sample_texts[] = SAMPLE_ROW("00", "01", "02", "03") SAMPLE_ROW("04", "05", "06", "07")
    SAMPLE_ROW("08", "09", "10", "11") "................................................................";
static const char sample_system[] = "\"moons.\"................................................................";
static const char sample_empty[] = "\"\"................................................................";
static const char sample_arguments[] =
    "\"{\\\"moon\\\":1}\"..............................................................";
static const char sample_word[] = "moon_moon-moon_moon-moon_moon-moon_moon-moon_moon-moon_moon-1234";

struct sample {
  struct json_turn turns[SAMPLE_MAX];
  size_t count, texts;
};

static struct json_turn *add_sample(struct sample *sample, enum json_turn_role role, enum json_turn_kind kind) {
  must(sample->count < SAMPLE_MAX);
  struct json_turn *t = &sample->turns[sample->count++];
  *t = (struct json_turn){.role = role, .kind = kind, .begins = true};
  return t;
}

static struct slice next_text(struct sample *sample) {
  size_t at = sample->texts++ * SAMPLE_TEXT_BYTES;
  must(at + SAMPLE_TEXT_BYTES + JSON_PADDING < sizeof sample_texts);
  return slice_of(sample_texts + at, SAMPLE_TEXT_BYTES);
}

static void add_texts(struct sample *sample, enum json_turn_role role, size_t count) {
  for (size_t i = 0; i < count; i++) {
    struct json_turn *t = add_sample(sample, role, JSON_TURN_TEXT);
    t->text = next_text(sample);
  }
}

static void add_call(struct sample *sample, size_t id_len, size_t name_len, bool begins) {
  struct json_turn *t = add_sample(sample, JSON_TURN_ASSISTANT, JSON_TURN_CALL);
  t->text = slice_of(sample_arguments, 14);
  t->id = slice_of(sample_word, id_len);
  t->name = slice_of(sample_word, name_len);
  t->begins = begins;
}

static void add_result(struct sample *sample, size_t id_len, size_t name_len, bool is_empty, bool begins) {
  struct json_turn *t = add_sample(sample, JSON_TURN_USER, JSON_TURN_RESULT);
  t->text = is_empty ? slice_of(sample_empty, 2) : next_text(sample);
  t->id = slice_of(sample_word, id_len);
  t->name = slice_of(sample_word, name_len);
  t->begins = begins;
}

/* Each way in which calls and results can stand: beside a text and without, several at once, an empty result. */
static void add_tools(struct sample *sample, unsigned pattern) {
  size_t longest = pattern & HAS_LONG_IDS ? JSON_TURN_PLAIN_MAX : SHORT_ID_BYTES;
  add_texts(sample, JSON_TURN_ASSISTANT, 1);
  add_call(sample, longest, JSON_TURN_PLAIN_MAX, false);
  add_call(sample, 6, 4, false);
  add_result(sample, longest, JSON_TURN_PLAIN_MAX, false, true);
  add_result(sample, 6, 4, true, false);
  if (pattern & REPEATS_USER) add_texts(sample, JSON_TURN_USER, 1);
  add_call(sample, 7, 4, true);
  add_result(sample, 7, 4, false, true);
  sample->turns[sample->count - 1].is_error = pattern & HAS_ERRORS;
}

/* Turns that follow each other as those of the body do, in the fewest words. */
static void order_sample(unsigned pattern, struct sample *sample) {
  sample->count = sample->texts = 0;
  add_texts(sample, JSON_TURN_USER, pattern & REPEATS_USER ? 2 : 1);
  if (pattern & HAS_MANY_TEXTS) {
    add_texts(sample, JSON_TURN_USER, 1);
    sample->turns[sample->count - 1].begins = false;
  }
  if (pattern & HAS_TOOLS) add_tools(sample, pattern);
  if (!(pattern & HAS_ASSISTANT)) return;
  add_texts(sample, JSON_TURN_ASSISTANT, pattern & REPEATS_ASSISTANT ? 2 : 1);
  if (!(pattern & ENDS_WITH_ASSISTANT)) add_texts(sample, JSON_TURN_USER, 1);
}

static void make_sample(unsigned pattern, struct sample *sample) {
  bool may_be_marked = !(pattern & MARKS_LATE);
  order_sample(pattern, sample);
  for (size_t i = 0; i < sample->count; i++) {
    struct json_turn *t = &sample->turns[i];
    may_be_marked = may_be_marked || t->kind == JSON_TURN_RESULT;
    t->is_marked = may_be_marked && pattern & mark_of(t);
  }
}

void text_request_sample(const struct text_split *s, struct buf *out) {
  struct sample sample;
  const struct text_form *form = s->ask->from;
  size_t at = 0;
  struct slice frame = slice_from(buf_view(&s->key), s->frame_at);
  struct slice system = s->said.pattern & HAS_SYSTEM ? slice_of(sample_system, SAMPLE_TEXT_BYTES) : slice_of(NULL, 0);
  bool system_first = s->system != SIZE_MAX && s->system < s->list;
  make_sample(s->said.pattern, &sample);
  for (int i = 0; i < 2; i++) {
    bool is_system = (i == 0) == system_first;
    size_t to = is_system ? s->system : s->list;
    if (to == SIZE_MAX) continue;
    put_bytes(out, frame.ptr + at, frame.ptr + to);
    at = to;
    if (is_system) {
      text_list_put_system(form, system, s->said.pattern & MARKS_SYSTEM, out);
      continue;
    }
    buf_byte(out, '[');
    text_list_put(form, 0, system, sample.turns, sample.count, false, out); /* what does not fit is no JSON for Lua */
    buf_byte(out, ']');
  }
  put_bytes(out, frame.ptr + at, frame.ptr + frame.len);
}

/* Where in the raw list the turns are as this way writes them, at its end: what stands before them belongs to the
 * frame. Their length; 0: they are not there. */
static size_t find_turns(const struct text_form *form, unsigned way, struct slice list, const struct text_said *said,
                         struct buf *store, size_t *at) {
  size_t before = store->len;
  bool fits = text_list_put(form, way, said->system, said->first, said->count, true, store);
  struct slice turns = slice_from(buf_view(store), before);
  store->len = before;
  if (!fits || list.len < turns.len + 2 || list.ptr[0] != '[') return 0;
  *at = list.len - 1 - turns.len;
  bool stands_alone = *at == 1 || list.ptr[*at - 1] == ',';
  return stands_alone && memcmp(list.ptr + *at, turns.ptr, turns.len) == 0 ? turns.len : 0;
}

bool text_request_learn(struct text_split *s, struct slice sample, struct slice made, struct text_frame *frame,
                        struct buf *store) {
  struct text_said said;
  const struct text_form *form = s->ask->to;
  if (!json_turns_read(sample, &s->ask->from->shape, &s->sample) || !take_turns(s->ask, &s->sample, &said))
    return false;
  struct json_field fields[2] = {{.key = form->shape.list}, {.key = form->system_key}};
  struct slice system = said.system;
  size_t turns_at = 0, system_at = SIZE_MAX, expected = store->len;
  bool lists_system = text_form_lists_system(form), has_key = !lists_system && system.ptr != NULL;
  if (!json_fields(made, fields, lists_system ? 1 : 2, NULL) || fields[0].raw.ptr == NULL) return false;
  if (has_key && fields[1].raw.ptr == NULL) return false;
  size_t turns_len = 0, ways = said.pattern & HAS_TOOLS ? form->tools.way_count : 1;
  for (frame->way = 0; frame->way < ways && turns_len == 0; frame->way++)
    turns_len = find_turns(form, frame->way, fields[0].raw, &said, store, &turns_at);
  if (turns_len == 0) return false;
  frame->way--;
  turns_at += (size_t)(fields[0].raw.ptr - made.ptr);
  if (has_key) {
    text_list_put_system(form, system, false, store);
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

bool text_request_write(const struct text_split *s, const struct text_frame *frame, struct buf *out) {
  enum { TURN_BYTES = 64 }; /* around a text, about */
  const struct text_form *form = s->ask->to;
  const char *made = frame->made.ptr;
  bool system_first = frame->system_at < frame->turns_at;
  bool system_last = frame->system_at != SIZE_MAX && !system_first;
  size_t at = 0;
  buf_reserve(out, s->ask->body.len + frame->made.len + s->said.count * TURN_BYTES);
  if (system_first) {
    put_bytes(out, made, made + frame->system_at);
    text_list_put_system(form, s->said.system, false, out);
    at = frame->system_at;
  }
  put_bytes(out, made + at, made + frame->turns_at);
  if (!text_list_put(form, frame->way, s->said.system, s->said.first, s->said.count, true, out)) return false;
  at = frame->turns_at;
  if (system_last) {
    put_bytes(out, made + at, made + frame->system_at);
    text_list_put_system(form, s->said.system, false, out);
    at = frame->system_at;
  }
  put_bytes(out, made + at, made + frame->made.len);
  return true;
}
