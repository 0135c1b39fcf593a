/* simulate_answer: composing, cutting and numbering answers. Pure; any thread.
 *
 * What decides the text, first that applies: text=, echo, tool results in the request, a schema asked for,
 * answer_bytes= or chunks= (filler), else a sentence with the model's name and the first words of the last user
 * message. */
#include "main/simulate/answer.h"

#include "main/simulate/dialect.h"
#include "main/simulate/json.h"
#include "main/simulate/schema.h"
#include "wire/json.h"

enum { WORD_BYTES = 8, CALLS_MAX = 16, HEARD_WORDS = 12, RESULT_WORDS = 12, CALL_DELTA_BYTES = 12 };

static const char filler[] =
    "gateway routing request through another network certain process streams careful adapter balance replied message "
    "measure between ";
enum { FILLER_BYTES = sizeof filler - 1 };
_Static_assert(FILLER_BYTES % WORD_BYTES == 0, "filler is made of words of 7 letters");

uint64_t sim_mix(uint64_t seed, uint64_t number) {
  uint64_t z = seed * 0x9e3779b97f4a7c15u + number + 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

void sim_id_put(struct buf *out, const char *prefix, const struct sim_answer *a, unsigned salt) {
  static const char letters[] = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz0123456789ABCDEF";
  buf_text(out, prefix);
  char *at = buf_reserve(out, 24);
  uint64_t bits = sim_mix(a->seed + salt, a->number * 2);
  for (unsigned i = 0; i < 24; i++, bits >>= 6) {
    if (i == 10) bits = sim_mix(a->seed + salt, a->number * 2 + 1);
    if (i == 20) bits = a->number;
    at[i] = letters[bits & 63];
  }
  out->len += 24;
}

void sim_signature_put(struct buf *out, const struct sim_answer *a) {
  buf_byte(out, '"');
  sim_id_put(out, "EqQBCkYIBxgCKkA", a, 50);
  sim_id_put(out, "", a, 51);
  buf_text(out, "GAE=\"");
}

static uint64_t count_words(struct slice text) {
  uint64_t words = 0;
  bool inside = false;
  for (size_t i = 0; i < text.len; i++) {
    bool blank = text.ptr[i] == ' ' || text.ptr[i] == '\n' || text.ptr[i] == '\t';
    if (!blank && !inside) words++;
    inside = !blank;
  }
  return words;
}

uint64_t sim_block_tokens(const struct sim_block *b, uint64_t to) {
  if (to >= b->bytes) return b->words;
  if (b->text.ptr == NULL) return to / WORD_BYTES;
  return count_words(slice_of(b->text.ptr, to));
}

static uint64_t next_word(struct slice text, uint64_t at) {
  while (at < text.len && (text.ptr[at] == ' ' || text.ptr[at] == '\n' || text.ptr[at] == '\t')) at++;
  while (at < text.len && text.ptr[at] != ' ' && text.ptr[at] != '\n' && text.ptr[at] != '\t') at++;
  return at;
}

uint64_t sim_block_cut(const struct sim_block *b, uint64_t at, uint64_t k) {
  if (b->deltas > 0) {
    uint64_t to = k + 1 >= b->deltas ? b->bytes : b->bytes * (k + 1) / b->deltas;
    if (b->text.ptr != NULL)
      while (to < b->bytes && ((unsigned char)b->text.ptr[to] & 0xc0) == 0x80) to++;
    return to;
  }
  if (b->text.ptr == NULL) return at + WORD_BYTES < b->bytes ? at + WORD_BYTES : b->bytes;
  uint64_t to = next_word(b->text, at);
  /* Blanks at the very end belong to the last word. */
  return next_word(b->text, to) == b->bytes && count_words(slice_from(b->text, to)) == 0 ? b->bytes : to;
}

void sim_block_put(const struct sim_block *b, uint64_t from, uint64_t to, struct buf *out) {
  if (b->text.ptr != NULL) {
    json_put_string(out, slice_of(b->text.ptr + from, to - from));
    return;
  }
  char *at = buf_reserve(out, to - from + 2);
  *at++ = '"';
  while (from < to) {
    uint64_t skip = from % FILLER_BYTES, part = FILLER_BYTES - skip < to - from ? FILLER_BYTES - skip : to - from;
    memcpy(at, filler + skip, part);
    at += part;
    from += part;
  }
  *at++ = '"';
  out->len = (size_t)(at - out->ptr);
}

static struct sim_block *add_block(struct sim_answer *a, enum sim_block_kind kind, struct slice text) {
  struct sim_block *b = &a->blocks[a->block_count++];
  *b = (struct sim_block){.kind = kind, .text = text, .bytes = text.len, .words = count_words(text)};
  return b;
}

static void add_filler(struct sim_answer *a, enum sim_block_kind kind, uint64_t bytes) {
  struct sim_block *b = add_block(a, kind, (struct slice){0});
  b->bytes = bytes;
  b->words = (bytes + WORD_BYTES - 1) / WORD_BYTES;
}

static void add_call(struct sim_answer *a, struct slice name, struct slice schema, struct arena *arena) {
  struct buf arguments = {0};
  sim_schema_put(&arguments, schema);
  struct sim_block *b = add_block(a, SIM_CALL, arena_copy(arena, buf_view(&arguments)));
  buf_done(&arguments);
  b->name = name;
  b->words += 1;
  b->deltas = (b->bytes + CALL_DELTA_BYTES - 1) / CALL_DELTA_BYTES;
}

static bool list_names(struct slice list, struct slice name) {
  while (list.len > 0) {
    ptrdiff_t comma = slice_find_byte(list, ',');
    struct slice item = slice_of(list.ptr, comma < 0 ? list.len : (size_t)comma);
    if (slice_eq(slice_trim(item), name)) return true;
    list = comma < 0 ? slice_of(NULL, 0) : slice_from(list, (size_t)comma + 1);
  }
  return false;
}

static void add_calls(struct sim_answer *a, const struct sim_ask *ask, const struct sim_steer *steer,
                      const struct sim_dialect *dialect, struct arena *arena) {
  struct slice rest = ask->tools, raw_name, schema;
  unsigned before = a->block_count;
  while (a->block_count - before < CALLS_MAX && dialect->tool(&rest, &raw_name, &schema)) {
    struct slice name = sim_json_text(arena, raw_name);
    bool wanted = list_names(steer->tools, name);
    if (ask->result_count == 0 && steer->tools.len == 0 && ask->tool_choice != SIM_TOOL_NONE) {
      wanted = ask->tool_choice == SIM_TOOL_NAMED ? slice_eq(ask->named, raw_name) : sim_ask_calls(ask->user, name);
    }
    if (wanted) add_call(a, raw_name, schema, arena);
  }
  /* Something has to be called, and the message named nothing: the first tool. */
  rest = ask->tools;
  if (a->block_count == before && ask->result_count == 0 && ask->tool_choice == SIM_TOOL_REQUIRED &&
      dialect->tool(&rest, &raw_name, &schema))
    add_call(a, raw_name, schema, arena);
}

static struct slice results_text(const struct sim_ask *ask, struct arena *arena) {
  struct slice parts[SIM_RESULTS_MAX * 4 + 1];
  size_t count = 0;
  parts[count++] = SLICE("The tools answered.");
  for (unsigned i = 0; i < ask->result_count; i++) {
    const struct sim_result *r = &ask->results[i];
    parts[count++] = SLICE(" ");
    parts[count++] = sim_json_text(arena, r->name.ptr != NULL ? r->name : r->id);
    parts[count++] = SLICE(": ");
    parts[count++] = sim_ask_words(r->content, RESULT_WORDS, arena);
  }
  return arena_join(arena, parts, count);
}

static struct slice sentence(const struct sim_ask *ask, struct arena *arena) {
  return arena_join(arena,
                    (struct slice[]){SLICE("This is "), sim_json_text(arena, ask->model),
                                     SLICE(", simulated. You said: "), sim_ask_words(ask->user, HEARD_WORDS, arena)},
                    4);
}

static struct slice schema_text(struct slice schema, struct arena *arena) {
  struct buf out = {0};
  if (*schema.ptr == '"') schema = sim_json_text(arena, schema);
  sim_schema_put(&out, schema);
  struct slice text = arena_copy(arena, buf_view(&out));
  buf_done(&out);
  return text;
}

static void add_text(struct sim_answer *a, const struct sim_ask *ask, const struct sim_steer *steer,
                     struct arena *arena) {
  enum sim_block_kind kind = slice_eq(steer->finish, SLICE("refusal")) ? SIM_REFUSAL : SIM_TEXT;
  bool sized = steer->answer_bytes != SIM_UNSET || steer->chunks > 0;
  if (steer->text.len > 0) add_block(a, kind, steer->text);
  else if (steer->echo) add_block(a, kind, sim_ask_text(ask->user, arena));
  else if (kind == SIM_REFUSAL) add_block(a, kind, SLICE("I'm sorry, I can't assist with that."));
  else if (ask->schema.len > 0 && ask->result_count == 0) add_block(a, kind, schema_text(ask->schema, arena));
  else if (steer->answer_bytes != SIM_UNSET) add_filler(a, kind, steer->answer_bytes);
  else if (sized) add_filler(a, kind, steer->chunks * WORD_BYTES);
  else add_block(a, kind, ask->result_count > 0 ? results_text(ask, arena) : sentence(ask, arena));
  struct sim_block *b = &a->blocks[a->block_count - 1];
  if (!sized && ask->max_tokens > 0 && b->words > ask->max_tokens) {
    uint64_t end = 0;
    for (uint64_t words = 0; words < ask->max_tokens; words++) end = next_word(b->text, end);
    b->text.len = b->bytes = end;
    b->words = ask->max_tokens;
    a->finish = SLICE("length");
  }
  b->deltas = steer->chunks < b->bytes ? steer->chunks : b->bytes;
}

void sim_answer_compose(struct sim_answer *a, const struct sim_ask *ask, const struct sim_steer *steer,
                        const struct sim_dialect *dialect, struct arena *arena) {
  a->model = arena_copy(arena, ask->model);
  a->stream_type = ask->stream_type;
  a->documents = arena_copy(arena, ask->documents);
  a->blocks = arena_alloc(arena, (ask->tools.ptr != NULL ? CALLS_MAX + 3 : 2) * sizeof *a->blocks);
  a->block_count = 0;
  a->finish = SLICE("stop");
  if (steer->thinking || steer->thinking_text.len > 0)
    add_block(a, SIM_THINKING,
              steer->thinking_text.len > 0 ? steer->thinking_text
                                           : SLICE("The question is simple, so the answer is short."));
  unsigned before = a->block_count;
  if (ask->tools.ptr != NULL) add_calls(a, ask, steer, dialect, arena);
  if (a->block_count > before) a->finish = SLICE("tool_calls");
  else add_text(a, ask, steer, arena);
  if (steer->finish.len > 0) a->finish = steer->finish;
  a->input_tokens = ask->input_tokens;
  a->cached_tokens = steer->cached_tokens < ask->input_tokens ? steer->cached_tokens : ask->input_tokens;
  a->output_tokens = a->thinking_tokens = a->deltas = 0;
  for (unsigned i = 0; i < a->block_count; i++) {
    const struct sim_block *b = &a->blocks[i];
    a->output_tokens += b->words;
    if (b->kind == SIM_THINKING) a->thinking_tokens += b->words;
    a->deltas += b->deltas > 0 ? b->deltas : b->text.ptr != NULL ? b->words : (b->bytes + WORD_BYTES - 1) / WORD_BYTES;
  }
  a->usage = !steer->no_usage;
  a->stream_usage = ask->stream_usage;
}

void sim_answer_number_events(struct sim_answer *a, struct arena *arena) {
  a->event_number = arena_alloc(arena, sizeof *a->event_number);
  *a->event_number = 0;
}

struct slice sim_finish_word(const struct sim_answer *a, const struct sim_finish_words *words) {
  struct slice word = {0};
  if (slice_eq(a->finish, SLICE("stop"))) word = words->stop;
  else if (slice_eq(a->finish, SLICE("length"))) word = words->length;
  else if (slice_eq(a->finish, SLICE("tool_calls"))) word = words->tool_calls;
  else if (slice_eq(a->finish, SLICE("refusal"))) word = words->refusal;
  else if (slice_eq(a->finish, SLICE("content_filter"))) word = words->content_filter;
  return word.len > 0 ? word : a->finish;
}
