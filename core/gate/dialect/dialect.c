/* dialect: the rows, and what all of them share. Any thread. */
#include "gate/dialect/dialect.h"

#include "base/must.h"
#include "gate/account/price.h"
#include "gate/dialect/dialect_read.h"

static const struct dialect *const rows[DIALECT_COUNT] = {
    [DIALECT_OPENAI_CHAT] = &dialect_openai_chat,
    [DIALECT_OPENAI_RESPONSES] = &dialect_openai_responses,
    [DIALECT_ANTHROPIC_MESSAGES] = &dialect_anthropic_messages,
    [DIALECT_GEMINI] = &dialect_gemini,
    [DIALECT_COHERE_CHAT] = &dialect_cohere_chat,
    [DIALECT_BEDROCK_CONVERSE] = &dialect_bedrock_converse,
};

const struct dialect *dialect_of(enum dialect_id id) {
  must(id < DIALECT_COUNT);
  return rows[id];
}

const struct dialect *dialect_named(struct slice name) {
  for (unsigned i = 0; i < DIALECT_COUNT; i++)
    if (slice_eq(slice_text(rows[i]->name), name)) return rows[i];
  return NULL;
}

enum dialect_id dialect_index(const struct dialect *d) {
  unsigned i = 0;
  while (rows[i] != d) must(++i < DIALECT_COUNT);
  return (enum dialect_id)i;
}

const char *finish_reason_name(enum finish_reason reason) {
  static const char *const names[] = {"", "stop", "length", "tool_calls", "refusal", "pause", "other"};
  return names[reason];
}

void dialect_read_cost(struct usage *u, struct slice usage) {
  struct json_field f[] = {
      {.key = SLICE_INIT("cost")}, {.key = SLICE_INIT("cost.total_cost")}, {.key = SLICE_INIT("cost_in_usd_ticks")}};
  if (!json_pick(usage, f, 3)) return;
  if (f[2].raw.ptr != NULL) u->cost_told = price_scale(f[2].raw, 2, &u->told_pico_usd, NULL);
  else u->cost_told = price_scale(f[0].kind == JSON_OBJECT ? f[1].raw : f[0].raw, 12, &u->told_pico_usd, NULL);
}

enum finish_reason dialect_finish(struct slice raw, const struct finish_word *words, size_t count) {
  struct slice text;
  if (raw.ptr == NULL || !json_plain(raw, &text) || text.len == 0) return FINISH_NONE;
  for (size_t i = 0; i < count; i++)
    if (slice_eq(text, words[i].word)) return words[i].reason;
  return FINISH_OTHER;
}

void dialect_read_error(struct reading *r, struct slice body, struct slice type, struct slice message) {
  struct json_field f[] = {{.key = type}, {.key = message}};
  if (!json_pick(body, f, 2)) return;
  dialect_text(r->error_type, sizeof r->error_type, f[0].raw);
  dialect_text(r->error_text, sizeof r->error_text, f[1].raw);
}

void dialect_put_message(struct buf *out, const struct fault *f, bool with_param, bool with_code) {
  struct buf message = {0};
  if (with_param && f->param[0] && strstr(f->text, f->param) == NULL) buf_fill(&message, "%s: ", f->param);
  buf_text(&message, f->text);
  buf_byte(&message, ' ');
  buf_text(&message, fault_row(f->code)->advice);
  if (with_code) buf_fill(&message, " (%s)", fault_code_text(f));
  json_put_string(out, buf_view(&message));
  buf_done(&message);
}
