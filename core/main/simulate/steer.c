/* simulate_steer: the table of keys and the one parser for all the places they come from. Pure; any thread. */
#include "main/simulate/steer.h"

#include <stddef.h>
#include <stdlib.h>

#include "base/suggest.h"
#include "wire/http.h"

const struct sim_steer sim_steer_none = {.answer_bytes = SIM_UNSET,
                                         .retry_after = SIM_UNSET,
                                         .cut_at = SIM_UNSET,
                                         .corrupt_at = SIM_UNSET,
                                         .drip_bytes = 1,
                                         .fail = -1};

enum kind { NUMBER, STATUS, FLAG, SHARE, TEXT, HEADER, MOMENT, MALFORMED, RETRY_FORM };

struct row {
  const char *key;
  enum kind kind;
  size_t offset;
  uint64_t most; /* NUMBER: the largest */
  const char *what;
};

#define ROW(key, kind, most, what)                                                                                     \
  { #key, kind, offsetof(struct sim_steer, key), most, what }

static const struct row rows[] = {
    ROW(latency_ms, NUMBER, 3600000, "wait before the head of the answer"),
    ROW(ttft_ms, NUMBER, 3600000, "first content not before this long after the request (streams)"),
    ROW(tail, SHARE, 0, "this share of requests (0..1) begins tail_ms later than the others"),
    ROW(tail_ms, NUMBER, 3600000, "how much later: a stream's first content, a whole answer's head"),
    ROW(chunk_ms, NUMBER, 3600000, "time between two deltas"),
    ROW(chunks, NUMBER, 10000000, "number of deltas; default one a word"),
    ROW(answer_bytes, NUMBER, 1073741824, "answer with this many bytes of filler text"),
    ROW(ping_ms, NUMBER, 3600000, "a ping this often while the stream waits or stalls"),
    ROW(text, TEXT, 0, "the answer's text"),
    ROW(echo, FLAG, 0, "the answer's text is the last user message"),
    ROW(thinking, FLAG, 0, "thinking before the text"),
    ROW(thinking_text, TEXT, 0, "thinking before the text, with these words"),
    ROW(tools, TEXT, 0, "call these tools, NAME or NAME,NAME"),
    ROW(finish, TEXT, 0, "finish reason: length, refusal, content_filter, or any word"),
    ROW(cached_tokens, NUMBER, 1000000000, "how many of the input tokens count as cached"),
    ROW(no_usage, FLAG, 0, "leave usage out"),
    ROW(status, STATUS, 599, "answer with the provider's own error for this status"),
    ROW(retry_after, NUMBER, 86400, "with a retry-after header of this many seconds"),
    ROW(retry_form, RETRY_FORM, 0, "how retry_after is told: seconds, date, ms (retry-after-ms)"),
    ROW(header, HEADER, 0, "one more header of the answer, \"name: value\""),
    ROW(type, TEXT, 0, "the error's type, e.g. insufficient_quota"),
    ROW(quote_key, FLAG, 0, "the error's message quotes the whole credential it received"),
    ROW(stall, MOMENT, 0, "go silent at head, first_event, middle or end"),
    ROW(close, MOMENT, 0, "close the connection there"),
    ROW(reset, MOMENT, 0, "reset the connection (RST) there"),
    ROW(error_event, MOMENT, 0, "an error event inside the 200 stream there, then its end"),
    ROW(cut_at, NUMBER, 1073741824, "close after this many bytes of the body"),
    ROW(corrupt_at, NUMBER, 1073741824, "one bit of the body's byte with this number is turned"),
    ROW(malformed, MALFORMED, 0, "json, sse or content_type"),
    ROW(drip_ms, NUMBER, 3600000, "the body drips: a piece this often, however it was to be paced"),
    ROW(drip_bytes, NUMBER, 1073741824, "how large a piece is; default 1"),
    ROW(header_bytes, NUMBER, 67108864, "so many bytes of filler headers in the head"),
    ROW(gzip_bytes, NUMBER, 1073741824, "the body is a gzip of so many blanks, though identity was asked for"),
    ROW(provider, TEXT, 0, "the name by which the phases of a scenario strike or spare this request"),
    ROW(fail, SHARE, 0, "this share of requests (0..1) gets the faults named (status 500 if none); the others none"),
    ROW(fail_first, NUMBER, 1000000000, "the first N requests of a path and model get the faults; the others none"),
};

enum { ROWS = sizeof rows / sizeof *rows };

static const struct {
  const char *word;
  uint8_t moment;
} moments[] = {{"head", SIM_AT_HEAD},   {"1", SIM_AT_HEAD},        {"first_event", SIM_AT_FIRST},
               {"first", SIM_AT_FIRST}, {"middle", SIM_AT_MIDDLE}, {"end", SIM_AT_END},
               {"0", SIM_NEVER},        {"never", SIM_NEVER}};
static const char *const malformed_words[] = {"0", "json", "sse", "content_type", NULL};
static const char *const retry_words[] = {"seconds", "date", "ms", NULL};

static bool wrong_value(struct err *e, const struct row *row, struct slice value, const char *wanted) {
  return err_set(e, "%s=%.*s: expected %s", row->key, (int)(value.len < 60 ? value.len : 60), value.ptr, wanted);
}

static bool set_number(uint64_t *out, const struct row *row, struct slice value, struct err *e) {
  if (slice_to_u64(value, out) && *out <= row->most) return true;
  char wanted[64];
  snprintf(wanted, sizeof wanted, "a number from 0 to %llu", (unsigned long long)row->most);
  return wrong_value(e, row, value, wanted);
}

static bool set_status(uint64_t *out, const struct row *row, struct slice value, struct err *e) {
  uint64_t status;
  bool known = slice_to_u64(value, &status) && (status == 0 || (status >= 200 && status <= row->most));
  if (!known) return wrong_value(e, row, value, "a status from 200 to 599, or 0 for none");
  *out = status;
  return true;
}

static bool set_share(double *out, const struct row *row, struct slice value, struct err *e) {
  char text[32], *end;
  if (value.len == 0 || value.len >= sizeof text) return wrong_value(e, row, value, "a share from 0 to 1");
  snprintf(text, sizeof text, "%.*s", (int)value.len, value.ptr);
  double share = strtod(text, &end);
  if (*end != '\0' || !(share >= 0 && share <= 1)) return wrong_value(e, row, value, "a share from 0 to 1");
  *out = share;
  return true;
}

static bool set_flag(bool *out, const struct row *row, struct slice value, struct err *e) {
  bool on = slice_eq(value, SLICE("1")) || slice_eq(value, SLICE("true"));
  if (!on && !slice_eq(value, SLICE("0")) && !slice_eq(value, SLICE("false")))
    return wrong_value(e, row, value, "1 or 0");
  *out = on;
  return true;
}

static bool set_moment(uint8_t *out, const struct row *row, struct slice value, struct err *e) {
  for (size_t i = 0; i < sizeof moments / sizeof *moments; i++)
    if (slice_eq(value, slice_text(moments[i].word))) {
      *out = moments[i].moment;
      return true;
    }
  return wrong_value(e, row, value, "head, first_event, middle or end");
}

static bool set_word(uint8_t *out, const struct row *row, const char *const *words, const char *wanted,
                     struct slice value, struct err *e) {
  for (uint8_t i = 0; words[i] != NULL; i++)
    if (slice_eq(value, slice_text(words[i]))) {
      *out = i;
      return true;
    }
  return wrong_value(e, row, value, wanted);
}

static bool set_header(struct slice *out, const struct row *row, struct slice value, struct arena *arena,
                       struct err *e) {
  ptrdiff_t colon = slice_find_byte(value, ':');
  bool good = value.len == 0 || (colon > 0 && http_is_token(slice_of(value.ptr, (size_t)colon)) &&
                                 http_is_field_value(slice_trim(slice_from(value, (size_t)colon + 1))));
  if (!good) return wrong_value(e, row, value, "a header such as \"x-a: b\"");
  *out = arena_copy(arena, value);
  return true;
}

static const struct row *row_of(struct slice key) {
  for (size_t i = 0; i < ROWS; i++)
    if (slice_eq(key, slice_text(rows[i].key))) return &rows[i];
  return NULL;
}

static bool unknown_key(struct slice key, struct err *e) {
  const char *names[ROWS];
  for (size_t i = 0; i < ROWS; i++) names[i] = rows[i].key;
  char word[64];
  size_t len = key.len < sizeof word - 1 ? key.len : sizeof word - 1;
  if (len > 0) memcpy(word, key.ptr, len);
  word[len] = '\0';
  const char *near = suggest_nearest(word, names, ROWS);
  if (near == NULL) return err_set(e, "unknown key \"%s\" for the simulator", word);
  return err_set(e, "unknown key \"%s\" for the simulator; did you mean \"%s\"?", word, near);
}

bool sim_steer_set(struct sim_steer *s, struct slice key, struct slice value, struct arena *arena, struct err *e) {
  const struct row *row = row_of(key);
  if (row == NULL) return unknown_key(key, e);
  void *field = (char *)s + row->offset;
  if (value.len == 0 && row->kind != TEXT && row->kind != HEADER) value = SLICE("1");
  switch (row->kind) {
  case NUMBER: return set_number(field, row, value, e);
  case STATUS: return set_status(field, row, value, e);
  case FLAG: return set_flag(field, row, value, e);
  case SHARE: return set_share(field, row, value, e);
  case MOMENT: return set_moment(field, row, value, e);
  case MALFORMED: return set_word(field, row, malformed_words, "json, sse or content_type", value, e);
  case RETRY_FORM: return set_word(field, row, retry_words, "seconds, date or ms", value, e);
  case HEADER: return set_header(field, row, value, arena, e);
  case TEXT: *(struct slice *)field = arena_copy(arena, value);
  }
  return true;
}

static bool separates(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ';' || c == ',';
}

/* Cuts "key=value", "key", or the rest of a list off the front. value.ptr is NULL where there was no '='. */
static bool next_pair(struct slice *text, struct slice *key, struct slice *value, bool *after_comma) {
  *after_comma = false;
  for (; text->len > 0 && separates(*text->ptr); text->ptr++, text->len--) *after_comma = *text->ptr == ',';
  if (text->len == 0) return false;
  size_t at = 0;
  while (at < text->len && text->ptr[at] != '=' && !separates(text->ptr[at])) at++;
  *key = slice_of(text->ptr, at);
  *value = (struct slice){0};
  *text = slice_from(*text, at);
  if (text->len == 0 || *text->ptr != '=') return true;
  *text = slice_from(*text, 1);
  if (text->len > 0 && *text->ptr == '"') {
    ptrdiff_t close = slice_find_byte(slice_from(*text, 1), '"');
    size_t len = close < 0 ? text->len - 1 : (size_t)close;
    *value = slice_of(text->ptr + 1, len);
    *text = slice_from(*text, len + 2);
    return true;
  }
  for (at = 0; at < text->len && !separates(text->ptr[at]);) at++;
  *value = slice_of(text->ptr, at);
  *text = slice_from(*text, at);
  return true;
}

bool sim_steer_parse(struct sim_steer *s, struct slice text, struct arena *arena, struct err *e) {
  struct slice key, value, list_key = {0}, list = {0};
  bool after_comma;
  while (next_pair(&text, &key, &value, &after_comma)) {
    if (value.ptr == NULL && after_comma && list_key.len > 0 && row_of(key) == NULL) {
      value = arena_join(arena, (struct slice[]){list, SLICE(","), key}, 3);
      key = list_key;
    }
    if (!sim_steer_set(s, key, value, arena, e)) return false;
    const struct row *row = row_of(key);
    list_key = row->kind == TEXT ? key : (struct slice){0};
    list = value;
  }
  return true;
}

void sim_steer_help(FILE *out) {
  for (size_t i = 0; i < ROWS; i++) fprintf(out, "  %-14s %s\n", rows[i].key, rows[i].what);
}
