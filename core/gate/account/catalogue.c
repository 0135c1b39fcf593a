/* catalogue: a sorted table of "owner/model". Built on one thread; any thread once built. */
#include "gate/account/catalogue.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

const char *const capability_names[CAPABILITY_COUNT + 1] = {
    [CAN_TOOLS] = "tools",
    [CAN_PARALLEL_TOOLS] = "parallel_tools",
    [CAN_IMAGES] = "images",
    [CAN_PDF] = "pdf",
    [CAN_AUDIO] = "audio",
    [CAN_AUDIO_OUTPUT] = "audio_output",
    [CAN_VIDEO] = "video",
    [CAN_THINKING] = "thinking",
    [CAN_JSON_SCHEMA] = "json_schema",
    [CAN_PREFILL] = "prefill",
};

struct catalogue {
  struct arena arena;  /* rows, names, dates, sources */
  struct model **rows; /* sorted by name */
  size_t count, room;
  struct price estimate;
  bool estimates;
  struct slice last_date, last_source; /* most rows share them with the row before */
};

struct catalogue *catalogue_new(void) {
  struct catalogue *c = mem_new(struct catalogue);
  arena_init(&c->arena);
  return c;
}

void catalogue_free(struct catalogue *c) {
  if (c == NULL) return;
  arena_done(&c->arena);
  arena_drop_spare(); /* the loader has no other use for the chunks */
  mem_free(c->rows);
  mem_free(c);
}

size_t catalogue_count(const struct catalogue *c) {
  return c->count;
}

void catalogue_unknown(struct catalogue *c, const struct price_rates *estimate) {
  c->estimates = estimate != NULL;
  if (estimate != NULL)
    c->estimate = (struct price){.rates = *estimate, .own = false, .estimate = true, .date = "", .source = "estimate"};
}

/* ---- building ----------------------------------------------------------------------------------------------- */

/* Where the name is, or where it belongs. */
static size_t place_of(const struct catalogue *c, struct slice name, bool *there) {
  size_t low = 0, high = c->count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    int order = slice_compare(slice_text(c->rows[middle]->name), name);
    if (order == 0) return *there = true, middle;
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  *there = false;
  return low;
}

static const char *kept(struct catalogue *c, struct slice text, struct slice *last) {
  if (last->ptr == NULL || !slice_eq(*last, text)) *last = arena_copy(&c->arena, text);
  return last->ptr;
}

static bool tokens_of(const struct value *row, const char *key, uint32_t *out, struct err *e) {
  const struct value *v = value_get(row, key);
  if (v == NULL) return true;
  if (v->kind != VALUE_INTEGER || v->integer <= 0 || v->integer > UINT32_MAX)
    return err_set(e, "%s must be a whole number of tokens", key);
  *out = (uint32_t)v->integer;
  return true;
}

static bool capabilities_of(const struct value *row, struct model *m, struct err *e) {
  const struct value *v = value_get(row, "can");
  if (v == NULL) return true;
  if (v->kind != VALUE_TEXT) return err_set(e, "can must be a string of words like \"tools images\"");
  struct slice words = v->text;
  m->capabilities_known = true;
  while (words.len > 0) {
    ptrdiff_t blank = slice_find_byte(words, ' ');
    struct slice word = slice_of(words.ptr, blank < 0 ? words.len : (size_t)blank);
    words = slice_from(words, word.len + (blank >= 0));
    if (word.len == 0) continue;
    unsigned i = 0;
    while (i < CAPABILITY_COUNT && !slice_eq(word, slice_text(capability_names[i]))) i++;
    if (i == CAPABILITY_COUNT)
      return err_set(e,
                     "can: \"%.*s\" is not one of: tools, parallel_tools, images, pdf, audio, audio_output, video, "
                     "thinking, json_schema, prefill",
                     (int)word.len, word.ptr);
    m->capabilities |= (uint16_t)(1u << i);
  }
  return true;
}

static bool known_keys(const struct value *row, struct err *e) {
  static const char *const known[] = {"context", "max_output", "can", "date", "source"};
  for (uint32_t i = 0; i < row->count; i++) {
    struct slice key = row->fields[i].key;
    bool is_known = price_knows_key(key);
    for (size_t n = 0; n < sizeof known / sizeof *known; n++)
      is_known = is_known || slice_eq(key, slice_text(known[n]));
    if (!is_known)
      return err_set(e,
                     "unknown key \"%s\"; known: input, output, cache_read, cache_write, cache_write_1h, audio_input, "
                     "audio_output, reasoning, per_request, per_image, per_second, per_character, per_search, above, "
                     "flex, priority, batch, context, max_output, can, date, source",
                     key.ptr);
  }
  return true;
}

static bool text_of(const struct value *row, const char *key, struct slice *out, struct err *e) {
  const struct value *v = value_get(row, key);
  if (v == NULL) return true;
  if (v->kind != VALUE_TEXT) return err_set(e, "%s must be a string", key);
  *out = v->text;
  return true;
}

static bool read_row(struct catalogue *c, const struct value *row, struct slice date, struct slice source,
                     struct model *m, struct err *e) {
  if (!known_keys(row, e) || !tokens_of(row, "context", &m->context_tokens, e) ||
      !tokens_of(row, "max_output", &m->output_tokens, e) || !capabilities_of(row, m, e) ||
      !text_of(row, "date", &date, e) || !text_of(row, "source", &source, e) ||
      !price_read(row, &c->arena, &m->price, &m->priced, e))
    return false;
  m->price.date = kept(c, date, &c->last_date);
  m->price.source = kept(c, source, &c->last_source);
  return true;
}

static void put(struct catalogue *c, struct slice name, struct model *m) {
  bool there;
  size_t at = place_of(c, name, &there);
  if (there) {
    const struct model *before = c->rows[at];
    if (!m->priced) m->price = before->price, m->priced = before->priced;
    if (m->context_tokens == 0) m->context_tokens = before->context_tokens;
    if (m->output_tokens == 0) m->output_tokens = before->output_tokens;
    if (!m->capabilities_known) m->capabilities = before->capabilities;
    m->capabilities_known = m->capabilities_known || before->capabilities_known;
    m->name = before->name;
  } else {
    if (c->count == c->room) c->rows = mem_resize(c->rows, (c->room = c->room ? c->room * 2 : 64) * sizeof *c->rows);
    memmove(c->rows + at + 1, c->rows + at, (c->count - at) * sizeof *c->rows);
    c->count++;
    m->name = arena_text(&c->arena, name);
  }
  c->rows[at] = m;
}

bool catalogue_add(struct catalogue *c, const struct value *rows, const char *date, const char *source, bool own,
                   const char *file, struct err *e) {
  for (uint32_t i = 0; i < rows->count; i++) {
    struct slice name = rows->fields[i].key;
    const struct value *v = &rows->fields[i].value;
    ptrdiff_t slash = slice_find_byte(name, '/');
    if (v->kind != VALUE_TABLE || slash <= 0 || (size_t)slash + 1 == name.len)
      return err_set(e,
                     "%s:%d: prices[\"%s\"] must be named \"provider/model\" and be a table like { input = \"0.25\", "
                     "output = \"2\" }",
                     file, v->line, name.ptr);
    struct model *m = arena_new(&c->arena, struct model);
    struct err why;
    if (!read_row(c, v, slice_text(date), slice_text(source), m, &why))
      return err_set(e, "%s:%d: prices[\"%s\"]: %s", file, v->line, name.ptr, why.text);
    m->price.own = own;
    put(c, name, m);
  }
  return true;
}

/* ---- looking up --------------------------------------------------------------------------------------------- */

static const struct model *find(const struct catalogue *c, struct slice owner, struct slice model) {
  char name[256];
  if (owner.len + model.len + 1 > sizeof name) return NULL;
  memcpy(name, owner.ptr, owner.len);
  name[owner.len] = '/';
  memcpy(name + owner.len + 1, model.ptr, model.len);
  bool there;
  size_t at = place_of(c, slice_of(name, owner.len + 1 + model.len), &there);
  return there ? c->rows[at] : NULL;
}

/* "gpt-5-mini-2025-08-07" → "gpt-5-mini", "claude-haiku-4-5-20251001" → "claude-haiku-4-5",
 * "claude-3-7-sonnet@20250219" → "claude-3-7-sonnet", "…-latest" → "…". */
struct slice catalogue_undated(struct slice model) {
  if (slice_ends(model, SLICE("-latest"))) return slice_of(model.ptr, model.len - 7);
  size_t digits = 0, at = model.len;
  while (at > 0 && ((model.ptr[at - 1] >= '0' && model.ptr[at - 1] <= '9') || model.ptr[at - 1] == '-')) {
    at--;
    digits += model.ptr[at] != '-';
    if (digits == 8 && at > 0 && (model.ptr[at - 1] == '-' || model.ptr[at - 1] == '@'))
      return slice_of(model.ptr, at - 1);
    if (digits > 8) break;
  }
  return model;
}

const struct model *catalogue_find(const struct catalogue *c, struct slice provider, struct slice adapter,
                                   struct slice model) {
  if (c == NULL) return NULL;
  struct slice owners[] = {provider, adapter}, names[] = {model, catalogue_undated(model), SLICE("*")};
  for (unsigned n = 0; n < 3; n++) {
    for (unsigned o = 0; o < 2; o++) {
      const struct model *m = find(c, owners[o], names[n]);
      if (m != NULL) return m;
    }
  }
  return NULL;
}

const struct price *catalogue_price(const struct catalogue *c, const struct model *m) {
  if (m != NULL && m->priced) return &m->price;
  return c != NULL && c->estimates ? &c->estimate : NULL;
}
