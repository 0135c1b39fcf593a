/* catalogue: how rows are found, which win, what they know besides prices. */
#include "gate/account/catalogue.h"

#include "base/memory.h"
#include "check.h"

/* { [name] = { field = text, … } } */
static struct value *put(struct value *rows, const char *name, const char *const *fields) {
  struct value *row = value_add_field(rows, slice_text(name));
  row->kind = VALUE_TABLE;
  row->line = 7;
  for (; fields[0] != NULL; fields += 2)
    value_set_text(value_add_field(row, slice_text(fields[0])), slice_text(fields[1]));
  return row;
}

#define ROW(...) ((const char *const[]){__VA_ARGS__, NULL})

static const struct model *find(const struct catalogue *c, const char *provider, const char *adapter,
                                const char *model) {
  return catalogue_find(c, slice_text(provider), slice_text(adapter), slice_text(model));
}

static uint64_t input_of(const struct catalogue *c, const char *provider, const char *adapter, const char *model) {
  const struct model *m = find(c, provider, adapter, model);
  return m ? m->price.rates.input : 0;
}

TEST(models_are_found_by_provider_then_adapter_then_undated) {
  struct catalogue *c = catalogue_new();
  struct value *rows = value_new();
  struct err e;
  put(rows, "openai/gpt-5-mini", ROW("input", "0.25", "output", "2", "cache_read", "0.025"));
  put(rows, "openai/gpt-4", ROW("input", "30", "output", "60"));
  put(rows, "mine/gpt-5-mini", ROW("input", "1", "output", "1"));
  put(rows, "anthropic/claude-haiku-4-5",
      ROW("input", "1", "output", "5", "cache_write_1h", "2", "date", "2026-01-02", "source", "page"));
  put(rows, "openai/gpt-5-mini-2024-01-01", ROW("input", "3", "output", "3"));
  CHECK(catalogue_add(c, rows, "2025-11-01", "models.lua", false, "models.lua", &e));
  CHECK_INT(catalogue_count(c), 5);
  CHECK_INT(input_of(c, "x", "openai", "gpt-5-mini"), 250000);
  CHECK_INT(input_of(c, "mine", "openai", "gpt-5-mini"), 1000000);
  CHECK_INT(input_of(c, "x", "openai", "gpt-5-mini-2025-08-07"), 250000);
  CHECK_INT(input_of(c, "x", "openai", "gpt-5-mini-2024-01-01"), 3000000);
  CHECK_INT(input_of(c, "mine", "openai", "gpt-5-mini-2024-01-01"), 3000000); /* the exact name first */
  CHECK_INT(input_of(c, "x", "anthropic", "claude-haiku-4-5-20251001"), 1000000);
  CHECK_INT(input_of(c, "x", "anthropic", "claude-haiku-4-5-latest"), 1000000);
  CHECK_INT(input_of(c, "x", "anthropic", "claude-haiku-4-5@20251001"), 1000000);
  static const char *const none[] = {
      "gpt-5", "gpt-5-min", "gpt-5-mini-", "gpt-5-mini-2025",     "gpt-5-mini-x-20250807", "gpt-5-mini20250807",
      "",      "20250807",  "-20250807",   "gpt-5-mini-120250807"};
  for (unsigned i = 0; i < sizeof none / sizeof *none; i++) CHECK(find(c, "x", "openai", none[i]) == NULL);
  CHECK(find(c, "x", "openai", "gpt-4-0613") == NULL);
  CHECK(find(c, "x", "anthropic", "gpt-5-mini") == NULL);
  CHECK(find(NULL, "x", "openai", "gpt-5-mini") == NULL);
  const struct model *m = find(c, "x", "anthropic", "claude-haiku-4-5");
  CHECK_SLICE(slice_text(m->name), "anthropic/claude-haiku-4-5");
  CHECK_SLICE(slice_text(m->price.date), "2026-01-02");
  CHECK_SLICE(slice_text(m->price.source), "page");
  CHECK_SLICE(slice_text(find(c, "x", "openai", "gpt-4")->price.date), "2025-11-01");
  char longest[600];
  memset(longest, 'm', sizeof longest);
  CHECK(catalogue_find(c, SLICE("x"), SLICE("y"), slice_of(longest, sizeof longest)) == NULL);
  value_free(rows);
  catalogue_free(c);
}

TEST(a_star_stands_for_models_without_a_row) {
  struct catalogue *c = catalogue_new();
  struct value *rows = value_new();
  struct err e;
  put(rows, "own/*", ROW("input", "0", "output", "0"));
  put(rows, "own/large", ROW("input", "1", "output", "1"));
  CHECK(catalogue_add(c, rows, "d", "s", false, "f", &e));
  CHECK(find(c, "box", "own", "anything:8b")->priced);
  CHECK_INT(input_of(c, "box", "own", "anything:8b"), 0);
  CHECK_INT(input_of(c, "box", "own", "large"), 1000000);
  CHECK(find(c, "box", "other", "anything:8b") == NULL);
  value_free(rows);
  catalogue_free(c);
}

TEST(the_configs_rows_win_and_keep_what_they_do_not_say) {
  struct catalogue *c = catalogue_new();
  struct value *rows = value_new(), *own = value_new();
  struct err e;
  struct value *row = put(rows, "openai/gpt-5", ROW("input", "1.25", "output", "10", "can", "tools  thinking"));
  *value_add_field(row, SLICE("context")) = (struct value){.kind = VALUE_INTEGER, .integer = 272000};
  *value_add_field(row, SLICE("max_output")) = (struct value){.kind = VALUE_INTEGER, .integer = 128000};
  put(rows, "openai/gpt-5-nano", ROW("can", ""));
  CHECK(catalogue_add(c, rows, "d", "s", false, "f", &e));
  put(own, "openai/gpt-5", ROW("input", "0", "output", "0"));
  put(own, "openai/gpt-5-nano", ROW("input", "2", "output", "0"));
  CHECK(catalogue_add(c, own, "", "moongate.lua", true, "moongate.lua", &e));
  CHECK_INT(catalogue_count(c), 2);
  const struct model *m = find(c, "x", "openai", "gpt-5");
  CHECK_INT(m->price.rates.output, 0);
  CHECK(m->price.own && m->priced);
  CHECK_INT(m->context_tokens, 272000);
  CHECK_INT(m->output_tokens, 128000);
  CHECK(m->capabilities_known);
  CHECK_INT(m->capabilities, 1 << CAN_TOOLS | 1 << CAN_THINKING);
  CHECK_INT(input_of(c, "x", "openai", "gpt-5-nano"), 2000000);
  value_free(rows);
  value_free(own);
  rows = value_new();
  put(rows, "openai/gpt-5", ROW("can", "images"));
  CHECK(catalogue_add(c, rows, "d", "s", true, "f", &e));
  m = find(c, "x", "openai", "gpt-5");
  CHECK(m->priced && m->price.rates.input == 0);
  CHECK_INT(m->capabilities, 1 << CAN_IMAGES);
  value_free(rows);
  catalogue_free(c);
}

TEST(a_model_without_a_price_gets_the_estimate_or_none) {
  struct catalogue *c = catalogue_new();
  struct value *rows = value_new();
  struct err e;
  put(rows, "openai/known", ROW("can", "tools"));
  put(rows, "openai/free", ROW("input", "0", "output", "0"));
  CHECK(catalogue_add(c, rows, "d", "s", false, "f", &e));
  CHECK(catalogue_price(c, NULL) == NULL);
  CHECK(catalogue_price(NULL, NULL) == NULL);
  struct price_rates flat = {.input = 5000000, .output = 25000000};
  catalogue_unknown(c, &flat);
  const struct price *p = catalogue_price(c, find(c, "x", "openai", "known"));
  CHECK(p != NULL && p->estimate && p->rates.output == 25000000);
  CHECK(catalogue_price(c, NULL) == p);
  CHECK(!catalogue_price(c, find(c, "x", "openai", "free"))->estimate);
  catalogue_unknown(c, NULL);
  CHECK(catalogue_price(c, NULL) == NULL);
  value_free(rows);
  catalogue_free(c);
}

static void refused(const char *name, const char *const *fields, const char *text) {
  struct catalogue *c = catalogue_new();
  struct value *rows = value_new();
  struct err e = {{0}};
  put(rows, name, fields);
  CHECK(!catalogue_add(c, rows, "", "", true, "m.lua", &e));
  CHECK(strstr(e.text, text) != NULL);
  if (strstr(e.text, text) == NULL) fprintf(stderr, "%s\n", e.text);
  value_free(rows);
  catalogue_free(c);
}

TEST(bad_rows_are_named_with_their_line) {
  refused("gpt-5", ROW("input", "1", "output", "1"), "m.lua:7: prices[\"gpt-5\"] must be named");
  refused("/gpt-5", ROW("input", "1", "output", "1"), "must be named");
  refused("gpt/", ROW("input", "1", "output", "1"), "must be named");
  refused("a/b", ROW("input", "1"), "m.lua:7: prices[\"a/b\"]: needs input and output");
  refused("a/b", ROW("input", "1", "output", "0.0000001"), "at most six decimals");
  refused("a/b", ROW("input", "1", "output", "1", "cache_reed", "1"), "unknown key \"cache_reed\"");
  refused("a/b", ROW("context", "1"), "context must be a whole number");
  refused("a/b", ROW("can", "tools fly"), "\"fly\" is not one of");
}

TEST(numbers_are_taken_and_dates_must_be_text) {
  struct catalogue *c = catalogue_new();
  struct value *rows = value_new(), *row = value_add_field(rows, SLICE("a/b"));
  struct err e = {{0}};
  row->kind = VALUE_TABLE;
  *value_add_field(row, SLICE("input")) = (struct value){.kind = VALUE_NUMBER, .number = 0.15};
  *value_add_field(row, SLICE("output")) = (struct value){.kind = VALUE_INTEGER, .integer = 2, .number = 2};
  CHECK(catalogue_add(c, rows, "d", "s", true, "m.lua", &e));
  CHECK_INT(input_of(c, "a", "", "b"), 150000);
  CHECK_INT(find(c, "a", "", "b")->price.rates.output, 2000000);
  *value_add_field(row, SLICE("date")) = (struct value){.kind = VALUE_INTEGER, .integer = 2025, .number = 2025};
  CHECK(!catalogue_add(c, rows, "d", "s", true, "m.lua", &e));
  CHECK(strstr(e.text, "date") != NULL);
  value_free(rows);
  catalogue_free(c);
}

UNIT_MAIN()
