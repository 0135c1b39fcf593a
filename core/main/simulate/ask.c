/* simulate_ask: filling in what is asked, and reading the texts of a content value without decoding more than is
 * needed. Pure; any thread. */
#include "main/simulate/ask.h"

#include "base/must.h"
#include "main/simulate/json.h"

void sim_ask_begin(struct sim_ask *ask, const struct json_field *model, const struct json_field *stream,
                   const struct json_field *tools) {
  ask->model = model->raw;
  ask->stream = stream->raw.ptr != NULL && stream->kind == JSON_TRUE;
  if (tools->raw.ptr != NULL && tools->kind == JSON_ARRAY) ask->tools = tools->raw;
}

struct sim_result *sim_ask_add_result(struct sim_ask *ask, struct slice id, struct slice content) {
  must(ask->result_count < SIM_RESULTS_MAX);
  struct sim_result *result = &ask->results[ask->result_count++];
  *result = (struct sim_result){.id = id, .content = content};
  return result;
}

bool sim_ask_text_next(struct slice *rest, struct slice *raw) {
  if (rest->len > 0 && *rest->ptr == '"') {
    *raw = *rest;
    *rest = (struct slice){0};
    return true;
  }
  struct slice part;
  while (sim_json_element(rest, &part)) {
    *raw = sim_json_get(part, "text");
    if (raw->len >= 2 && *raw->ptr == '"') return true;
  }
  return false;
}

static bool blank(char c) {
  return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* A raw string cut to about `bytes`, where no escape and no UTF-8 sequence is split; decodable. */
static struct slice cut_raw(struct slice raw, size_t bytes, struct arena *arena) {
  if (raw.len <= bytes) return raw;
  size_t at = 1;
  while (at < bytes) at += raw.ptr[at] != '\\' ? 1 : raw.ptr[at + 1] == 'u' ? 6 : 2;
  while (at < raw.len - 1 && ((unsigned char)raw.ptr[at] & 0xc0) == 0x80) at++;
  /* A surrogate pair is two escapes: the second half goes with the first. */
  if (at + 6 < raw.len && raw.ptr[at] == '\\' && raw.ptr[at + 1] == 'u' && (raw.ptr[at + 2] | 0x20) == 'd') at += 6;
  if (at > raw.len - 1) at = raw.len - 1;
  return arena_join(arena, (struct slice[]){{raw.ptr, at}, SLICE("\"")}, 2);
}

struct slice sim_ask_words(struct slice content, unsigned words, struct arena *arena) {
  struct slice raw;
  if (!sim_ask_text_next(&content, &raw)) return (struct slice){"", 0};
  struct slice text = sim_json_text(arena, cut_raw(raw, (size_t)words * 12 + 2, arena));
  char *out = arena_alloc(arena, text.len + 1);
  size_t len = 0;
  for (size_t at = 0; at < text.len && words > 0; words--) {
    while (at < text.len && blank(text.ptr[at])) at++;
    if (at < text.len && len > 0) out[len++] = ' ';
    while (at < text.len && !blank(text.ptr[at])) out[len++] = text.ptr[at++];
  }
  return slice_of(out, len);
}

struct slice sim_ask_text(struct slice content, struct arena *arena) {
  struct slice raw, whole = {"", 0};
  while (sim_ask_text_next(&content, &raw)) {
    struct slice text = sim_json_text(arena, raw);
    whole = whole.len == 0 ? text : arena_join(arena, (struct slice[]){whole, text}, 2);
  }
  return whole;
}

/* What stands in the first directive of JSON text, decoded; ptr NULL when there is none. */
static struct slice directive_in(struct slice raw, struct arena *arena) {
  static const struct slice opening = SLICE_INIT("[[simulate");
  /* By the rare byte: prompts of 100 KB hold few brackets. */
  for (ptrdiff_t at; (at = slice_find_byte(raw, '[')) >= 0; raw = slice_from(raw, (size_t)at + 1)) {
    struct slice here = slice_from(raw, (size_t)at);
    if (!slice_starts(here, opening)) continue;
    here = slice_from(here, opening.len);
    ptrdiff_t end = slice_find(here, SLICE("]]"));
    if (end < 0) break;
    struct slice quoted = arena_join(arena, (struct slice[]){SLICE("\""), {here.ptr, (size_t)end}, SLICE("\"")}, 3);
    return sim_json_text(arena, quoted);
  }
  return (struct slice){0};
}

struct slice sim_ask_directive(const struct sim_ask *ask, struct arena *arena) {
  struct slice content = ask->user, raw, words = {0};
  for (unsigned i = ask->result_count; i > 0 && words.ptr == NULL; i--)
    words = directive_in(ask->results[i - 1].content, arena);
  while (words.ptr == NULL && sim_ask_text_next(&content, &raw)) words = directive_in(raw, arena);
  return words;
}

bool sim_ask_calls(struct slice content, struct slice name) {
  struct slice raw;
  while (sim_ask_text_next(&content, &raw)) {
    for (ptrdiff_t at; (at = slice_find(raw, SLICE("call "))) >= 0;) {
      raw = slice_from(raw, (size_t)at + 5);
      if (!slice_starts(raw, name) || raw.len <= name.len) continue;
      char behind = raw.ptr[name.len];
      bool goes_on = behind == '_' || behind == '-' || (behind >= '0' && behind <= '9') ||
                     (behind >= 'a' && behind <= 'z') || (behind >= 'A' && behind <= 'Z');
      if (!goes_on) return true;
    }
  }
  return false;
}
