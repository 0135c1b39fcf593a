/* value: the tree and its memory, all from the heap. One thread at a time. Reads no format and checks no schema. */
#include "base/value.h"

#include "base/memory.h"
#include "base/must.h"

const char *value_kind_name(enum value_kind kind) {
  switch (kind) {
  case VALUE_NIL: return "nothing";
  case VALUE_BOOL: return "true or false";
  case VALUE_INTEGER: return "an integer";
  case VALUE_NUMBER: return "a number";
  case VALUE_TEXT: return "a string";
  case VALUE_SECRET: return "a secret";
  case VALUE_LIST: return "a list";
  case VALUE_TABLE: return "a table";
  }
  must(!"a value of no kind");
  return NULL;
}

const struct value *value_get(const struct value *v, const char *key) {
  if (v == NULL || v->kind != VALUE_TABLE) return NULL;
  struct slice wanted = slice_text(key);
  for (uint32_t i = 0; i < v->count; i++)
    if (slice_eq(v->fields[i].key, wanted)) return &v->fields[i].value;
  return NULL;
}

struct value *value_new(void) {
  return mem_new(struct value);
}

static void text_free(struct slice *text) {
  mem_free((char *)text->ptr);
  *text = (struct slice){0};
}

/* Everything below v, and its own text; v itself becomes nil. */
static void value_clear(struct value *v) {
  if (v->kind == VALUE_LIST) {
    for (uint32_t i = 0; i < v->count; i++) value_clear(&v->items[i]);
    mem_free(v->items);
  } else if (v->kind == VALUE_TABLE) {
    for (uint32_t i = 0; i < v->count; i++) {
      text_free(&v->fields[i].key);
      value_clear(&v->fields[i].value);
    }
    mem_free(v->fields);
  }
  if (v->secret.ptr != NULL) explicit_bzero((char *)v->secret.ptr, v->secret.len);
  text_free(&v->secret);
  text_free(&v->text);
  *v = (struct value){.line = v->line};
}

void value_free(struct value *v) {
  if (v == NULL) return;
  value_clear(v);
  mem_free(v);
}

/* Room for one more element behind `count`; capacities are powers of two, so none has to be stored. */
static void *grown(void *elements, uint32_t count, size_t bytes_each) {
  if ((count & (count - 1)) != 0) return elements;
  return mem_resize(elements, (count == 0 ? 1 : (size_t)count * 2) * bytes_each);
}

struct value *value_add_item(struct value *list) {
  if (list->kind == VALUE_NIL) list->kind = VALUE_LIST;
  must(list->kind == VALUE_LIST);
  list->items = grown(list->items, list->count, sizeof *list->items);
  struct value *item = &list->items[list->count++];
  *item = (struct value){0};
  return item;
}

struct value *value_add_field(struct value *table, struct slice key) {
  if (table->kind == VALUE_NIL) table->kind = VALUE_TABLE;
  must(table->kind == VALUE_TABLE);
  table->fields = grown(table->fields, table->count, sizeof *table->fields);
  struct value_field *field = &table->fields[table->count++];
  *field = (struct value_field){.key = slice_of(mem_text(key.ptr, key.len), key.len)};
  return &field->value;
}

void value_set_text(struct value *v, struct slice text) {
  value_clear(v);
  v->kind = VALUE_TEXT;
  v->text = slice_of(mem_text(text.ptr, text.len), text.len);
}

void value_set_secret(struct value *v, struct slice reference, struct slice secret) {
  value_clear(v);
  v->kind = VALUE_SECRET;
  v->text = slice_of(mem_text(reference.ptr, reference.len), reference.len);
  if (secret.ptr != NULL) v->secret = slice_of(mem_text(secret.ptr, secret.len), secret.len);
}

bool value_same(const struct value *a, const struct value *b) {
  if (a->kind != b->kind || a->boolean != b->boolean || a->integer != b->integer || a->count != b->count) return false;
  if (a->number != b->number || !slice_eq(a->text, b->text) || !slice_eq(a->secret, b->secret)) return false;
  for (uint32_t i = 0; i < a->count; i++) {
    if (a->kind == VALUE_LIST && !value_same(&a->items[i], &b->items[i])) return false;
    if (a->kind != VALUE_TABLE) continue;
    if (!slice_eq(a->fields[i].key, b->fields[i].key) || !value_same(&a->fields[i].value, &b->fields[i].value))
      return false;
  }
  return true;
}
