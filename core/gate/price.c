/* price: a sorted table of "owner/model". Any thread once built. */
#include "gate/price.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

struct row {
  char *name; /* "openai/gpt-5-mini" */
  struct price price;
  char *date, *source;
};

struct price_table {
  struct row **rows; /* sorted by name */
  size_t count;
};

struct price_table *price_table_new(void) {
  return mem_new(struct price_table);
}

void price_table_free(struct price_table *t) {
  if (t == NULL) return;
  for (size_t i = 0; i < t->count; i++) {
    mem_free(t->rows[i]->name);
    mem_free(t->rows[i]->date);
    mem_free(t->rows[i]->source);
    mem_free(t->rows[i]);
  }
  mem_free(t->rows);
  mem_free(t);
}

bool price_parse(struct slice decimal, uint64_t *pico_usd) {
  ptrdiff_t point = slice_find_byte(decimal, '.');
  struct slice whole = point < 0 ? decimal : slice_of(decimal.ptr, (size_t)point);
  struct slice part = point < 0 ? SLICE("") : slice_from(decimal, (size_t)point + 1);
  uint64_t units = 0, millionths = 0;
  if (part.len > 6 || whole.len > 7 || !slice_to_u64(whole, &units)) return false;
  if (point >= 0 && !slice_to_u64(part, &millionths)) return false;
  for (size_t i = part.len; i < 6; i++) millionths *= 10;
  *pico_usd = units * 1000000 + millionths;
  return true;
}

/* Where the name is, or where it belongs. */
static size_t place_of(const struct price_table *t, struct slice name, bool *there) {
  size_t low = 0, high = t->count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    int order = slice_compare(slice_text(t->rows[middle]->name), name);
    if (order == 0) return *there = true, middle;
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  *there = false;
  return low;
}

static bool amount(const struct value *row, const char *field, uint64_t fallback, uint64_t *out) {
  const struct value *v = value_get(row, field);
  if (v == NULL) {
    *out = fallback;
    return true;
  }
  if (v->kind == VALUE_TEXT) return price_parse(v->text, out);
  if (v->kind != VALUE_INTEGER && v->kind != VALUE_NUMBER) return false;
  char text[32];
  int len = snprintf(text, sizeof text, "%.6f", v->number);
  return len > 0 && (size_t)len < sizeof text && price_parse(slice_of(text, (size_t)len), out);
}

bool price_table_add(struct price_table *t, const struct value *rows, const char *date, const char *source,
                     const char *file, struct err *e) {
  static const char *const known[] = {"input",          "output", "cache_read", "cache_write",
                                      "cache_write_1h", "date",   "source"};
  for (uint32_t i = 0; i < rows->count; i++) {
    const struct value_field *field = &rows->fields[i];
    const struct value *v = &field->value;
    if (v->kind != VALUE_TABLE || slice_find_byte(field->key, '/') <= 0)
      return err_set(e,
                     "%s:%d: prices[\"%s\"] must be named \"provider/model\" and be a table like { input = \"0.25\", "
                     "output = \"2\" }",
                     file, v->line, field->key.ptr);
    for (uint32_t k = 0; k < v->count; k++) {
      bool is_known = false;
      for (size_t n = 0; n < sizeof known / sizeof *known; n++)
        if (slice_eq(v->fields[k].key, slice_text(known[n]))) is_known = true;
      if (!is_known)
        return err_set(e,
                       "%s:%d: unknown key \"%s\" in prices[\"%s\"]; known: input, output, cache_read, cache_write, "
                       "cache_write_1h, date, source",
                       file, v->fields[k].value.line, v->fields[k].key.ptr, field->key.ptr);
    }
    struct price price = {0};
    if (value_get(v, "input") == NULL || value_get(v, "output") == NULL || !amount(v, "input", 0, &price.input) ||
        !amount(v, "output", 0, &price.output) || !amount(v, "cache_read", price.input, &price.cache_read) ||
        !amount(v, "cache_write", price.input, &price.cache_write) ||
        !amount(v, "cache_write_1h", price.cache_write, &price.cache_write_1h))
      return err_set(e,
                     "%s:%d: prices[\"%s\"] needs input and output in US dollars per million tokens, as texts with at "
                     "most six decimals (\"0.25\")",
                     file, v->line, field->key.ptr);
    const struct value *own_date = value_get(v, "date"), *own_source = value_get(v, "source");
    if ((own_date != NULL && own_date->kind != VALUE_TEXT) || (own_source != NULL && own_source->kind != VALUE_TEXT))
      return err_set(e, "%s:%d: prices[\"%s\"]: date and source must be strings", file, v->line, field->key.ptr);
    struct row *row = mem_new(struct row);
    row->name = mem_text(field->key.ptr, field->key.len);
    struct slice d = own_date ? own_date->text : slice_text(date),
                 s = own_source ? own_source->text : slice_text(source);
    row->date = mem_text(d.ptr, d.len);
    row->source = mem_text(s.ptr, s.len);
    price.date = row->date;
    price.source = row->source;
    row->price = price;
    bool there;
    size_t at = place_of(t, field->key, &there);
    if (there) {
      mem_free(t->rows[at]->name);
      mem_free(t->rows[at]->date);
      mem_free(t->rows[at]->source);
      mem_free(t->rows[at]);
    } else {
      t->rows = mem_resize(t->rows, (t->count + 1) * sizeof *t->rows);
      memmove(t->rows + at + 1, t->rows + at, (t->count - at) * sizeof *t->rows);
      t->count++;
    }
    t->rows[at] = row;
  }
  return true;
}

static const struct price *find(const struct price_table *t, struct slice owner, struct slice model) {
  char name[256];
  if (owner.len + model.len + 1 > sizeof name) return NULL;
  memcpy(name, owner.ptr, owner.len);
  name[owner.len] = '/';
  memcpy(name + owner.len + 1, model.ptr, model.len);
  bool there;
  size_t at = place_of(t, slice_of(name, owner.len + 1 + model.len), &there);
  return there ? &t->rows[at]->price : NULL;
}

/* "gpt-5-mini-2025-08-07" → "gpt-5-mini", "claude-haiku-4-5-20251001" → "claude-haiku-4-5", "…-latest" → "…". */
static struct slice undated(struct slice model) {
  if (slice_ends(model, SLICE("-latest"))) return slice_of(model.ptr, model.len - 7);
  size_t digits = 0, at = model.len;
  while (at > 0 && ((model.ptr[at - 1] >= '0' && model.ptr[at - 1] <= '9') || model.ptr[at - 1] == '-')) {
    at--;
    digits += model.ptr[at] != '-';
    if (digits == 8 && at > 0 && model.ptr[at - 1] == '-') return slice_of(model.ptr, at - 1);
    if (digits > 8) break;
  }
  return model;
}

const struct price *price_table_find(const struct price_table *t, struct slice provider, struct slice adapter,
                                     struct slice model) {
  if (t == NULL) return NULL;
  struct slice owners[] = {provider, adapter}, names[] = {model, undated(model)};
  for (unsigned n = 0; n < 2; n++) {
    for (unsigned o = 0; o < 2; o++) {
      const struct price *p = find(t, owners[o], names[n]);
      if (p != NULL) return p;
    }
  }
  return NULL;
}
