/* value: building a tree, reading it, and that secrets are gone after it is freed. */
#include "base/value.h"

#include "check.h"

TEST(a_tree) {
  struct value *root = value_new();
  CHECK_INT(root->kind, VALUE_NIL);
  for (int i = 0; i < 100; i++) {
    char key[16];
    snprintf(key, sizeof key, "key%d", i);
    struct value *field = value_add_field(root, slice_text(key));
    field->kind = VALUE_INTEGER;
    field->integer = i;
    field->line = i + 1;
  }
  struct value *list = value_add_field(root, SLICE("list"));
  for (int i = 0; i < 33; i++) value_set_text(value_add_item(list), i % 2 ? SLICE("odd") : SLICE("even"));
  CHECK_INT(root->kind, VALUE_TABLE);
  CHECK_INT(root->count, 101);
  for (int i = 0; i < 100; i++) {
    char key[16];
    snprintf(key, sizeof key, "key%d", i);
    const struct value *field = value_get(root, key);
    CHECK(field != NULL && field->integer == i && field->line == i + 1);
  }
  const struct value *read = value_get(root, "list");
  CHECK_INT(read->kind, VALUE_LIST);
  CHECK_INT(read->count, 33);
  CHECK_SLICE(read->items[32].text, "even");
  CHECK(read->items[1].text.ptr[3] == '\0');
  CHECK(strcmp(root->fields[100].key.ptr, "list") == 0);
  value_free(root);
}

TEST(getting_from_what_is_no_table) {
  struct value *v = value_new();
  CHECK(value_get(NULL, "a") == NULL && value_get(v, "a") == NULL);
  value_set_text(v, SLICE("a"));
  CHECK(value_get(v, "a") == NULL);
  value_free(v);
  value_free(NULL);
}

TEST(setting_again_replaces) {
  struct value *v = value_new();
  v->line = 7;
  value_set_text(value_add_item(v), SLICE("below"));
  value_set_text(v, SLICE("one"));
  value_set_text(v, SLICE("two"));
  CHECK_INT(v->kind, VALUE_TEXT);
  CHECK_SLICE(v->text, "two");
  CHECK_INT(v->line, 7);
  CHECK_INT(v->count, 0);
  value_free(v);
}

TEST(secrets) {
  struct value *v = value_new();
  value_set_secret(v, SLICE("env OPENAI_API_KEY"), SLICE("sk-123"));
  CHECK_INT(v->kind, VALUE_SECRET);
  CHECK_SLICE(v->text, "env OPENAI_API_KEY");
  CHECK_SLICE(v->secret, "sk-123");
  value_set_secret(v, SLICE("env UNSET"), slice_of(NULL, 0));
  CHECK(v->secret.ptr == NULL);
  value_set_secret(v, SLICE("env EMPTY"), SLICE(""));
  CHECK(v->secret.ptr != NULL && v->secret.len == 0);
  value_free(v);
}

TEST(names_of_kinds) {
  CHECK_SLICE(slice_text(value_kind_name(VALUE_TEXT)), "a string");
  CHECK_SLICE(slice_text(value_kind_name(VALUE_LIST)), "a list");
  CHECK_SLICE(slice_text(value_kind_name(VALUE_NIL)), "nothing");
}

UNIT_MAIN()
