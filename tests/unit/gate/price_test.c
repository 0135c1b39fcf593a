/* price and usage: exact decimals, names of models, and golden invoices. */
#include "gate/price.h"

#include "check.h"

static uint64_t pico(const char *text) {
  uint64_t out = 0;
  CHECK(price_parse(slice_text(text), &out));
  return out;
}

TEST(decimals_are_exact) {
  CHECK_INT(pico("0"), 0);
  CHECK_INT(pico("1"), 1000000);
  CHECK_INT(pico("0.25"), 250000);
  CHECK_INT(pico("0.000001"), 1);
  CHECK_INT(pico("0.1"), 100000);
  CHECK_INT(pico("75.123456"), 75123456);
  CHECK_INT(pico("9999999.999999"), 9999999999999);
  static const char *const bad[] = {"",   ".",         ".5",  "5.",  "-1",    "+1",       "1e3", " 1",
                                    "1 ", "0.0000001", "1,5", "0x1", "1.2.3", "99999999", "$1",  "1.-5"};
  for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
    uint64_t out;
    CHECK(!price_parse(slice_text(bad[i]), &out));
  }
}

/* { [name] = { field = text, … } } */
static void put(struct value *rows, const char *name, const char *const *fields) {
  struct value *row = value_add_field(rows, slice_text(name));
  row->kind = VALUE_TABLE;
  row->line = 7;
  for (; fields[0] != NULL; fields += 2)
    value_set_text(value_add_field(row, slice_text(fields[0])), slice_text(fields[1]));
}

#define ROW(...) ((const char *const[]){__VA_ARGS__, NULL})

static const struct price *find(const struct price_table *t, const char *provider, const char *adapter,
                                const char *model) {
  return price_table_find(t, slice_text(provider), slice_text(adapter), slice_text(model));
}

TEST(models_are_found_by_provider_then_adapter_then_undated) {
  struct price_table *t = price_table_new();
  struct value *rows = value_new();
  struct err e;
  put(rows, "openai/gpt-5-mini", ROW("input", "0.25", "output", "2", "cache_read", "0.025"));
  put(rows, "openai/gpt-4", ROW("input", "30", "output", "60"));
  put(rows, "mine/gpt-5-mini", ROW("input", "1", "output", "1"));
  put(rows, "anthropic/claude-haiku-4-5",
      ROW("input", "1", "output", "5", "cache_read", "0.1", "cache_write", "1.25", "cache_write_1h", "2", "date",
          "2026-01-02", "source", "page"));
  put(rows, "openai/gpt-5-mini-2024-01-01", ROW("input", "3", "output", "3"));
  CHECK(price_table_add(t, rows, "2025-11-01", "prices.lua", "prices.lua", &e));
  CHECK_INT(find(t, "x", "openai", "gpt-5-mini")->input, 250000);
  CHECK_INT(find(t, "mine", "openai", "gpt-5-mini")->input, 1000000);
  CHECK_INT(find(t, "x", "openai", "gpt-5-mini-2025-08-07")->input, 250000);
  CHECK_INT(find(t, "x", "openai", "gpt-5-mini-2024-01-01")->input, 3000000);
  CHECK_INT(find(t, "mine", "openai", "gpt-5-mini-2024-01-01")->input, 3000000); /* the exact name first */
  CHECK_INT(find(t, "x", "anthropic", "claude-haiku-4-5-20251001")->output, 5000000);
  CHECK_INT(find(t, "x", "anthropic", "claude-haiku-4-5-latest")->output, 5000000);
  static const char *const none[] = {
      "gpt-5", "gpt-5-min", "gpt-5-mini-", "gpt-5-mini-2025",     "gpt-5-mini-x-20250807", "gpt-5-mini20250807",
      "",      "20250807",  "-20250807",   "gpt-5-mini-120250807"};
  for (unsigned i = 0; i < sizeof none / sizeof *none; i++) CHECK(find(t, "x", "openai", none[i]) == NULL);
  CHECK(find(t, "x", "openai", "gpt-4-0613") == NULL);
  CHECK(find(t, "x", "anthropic", "gpt-5-mini") == NULL);
  CHECK(find(NULL, "x", "openai", "gpt-5-mini") == NULL);
  const struct price *p = find(t, "x", "anthropic", "claude-haiku-4-5");
  CHECK_INT(p->cache_write, 1250000);
  CHECK_INT(p->cache_write_1h, 2000000);
  CHECK_SLICE(slice_text(p->date), "2026-01-02");
  CHECK_SLICE(slice_text(find(t, "x", "openai", "gpt-4")->date), "2025-11-01");
  CHECK_INT(find(t, "x", "openai", "gpt-4")->cache_read, 30000000); /* no discount known: none given */
  /* The config's own prices come second and win. */
  struct value *own = value_new();
  put(own, "openai/gpt-4", ROW("input", "0", "output", "0"));
  CHECK(price_table_add(t, own, "", "moongate.lua", "moongate.lua", &e));
  CHECK_INT(find(t, "x", "openai", "gpt-4")->output, 0);
  value_free(own);
  value_free(rows);
  price_table_free(t);
}

static void refused(const char *name, const char *const *fields, const char *text) {
  struct price_table *t = price_table_new();
  struct value *rows = value_new();
  struct err e = {{0}};
  put(rows, name, fields);
  CHECK(!price_table_add(t, rows, "", "", "m.lua", &e));
  CHECK(strstr(e.text, text) != NULL);
  if (strstr(e.text, text) == NULL) fprintf(stderr, "%s\n", e.text);
  value_free(rows);
  price_table_free(t);
}

TEST(bad_rows_are_named_with_their_line) {
  refused("gpt-5", ROW("input", "1", "output", "1"), "m.lua:7: prices[\"gpt-5\"] must be named");
  refused("/gpt-5", ROW("input", "1", "output", "1"), "must be named");
  refused("a/b", ROW("input", "1"), "m.lua:7: prices[\"a/b\"] needs input and output");
  refused("a/b", ROW("input", "1", "output", "0.0000001"), "at most six decimals");
  refused("a/b", ROW("input", "1", "output", "1", "cache_reed", "1"), "unknown key \"cache_reed\"");
}

TEST(numbers_are_taken_and_dates_must_be_text) {
  struct price_table *t = price_table_new();
  struct value *rows = value_new(), *row = value_add_field(rows, SLICE("a/b"));
  struct err e = {{0}};
  row->kind = VALUE_TABLE;
  *value_add_field(row, SLICE("input")) = (struct value){.kind = VALUE_NUMBER, .number = 0.15};
  *value_add_field(row, SLICE("output")) = (struct value){.kind = VALUE_INTEGER, .integer = 2, .number = 2};
  CHECK(price_table_add(t, rows, "d", "s", "m.lua", &e));
  CHECK_INT(find(t, "a", "", "b")->input, 150000);
  CHECK_INT(find(t, "a", "", "b")->output, 2000000);
  *value_add_field(row, SLICE("date")) = (struct value){.kind = VALUE_INTEGER, .integer = 2025, .number = 2025};
  CHECK(!price_table_add(t, rows, "d", "s", "m.lua", &e));
  CHECK(strstr(e.text, "date") != NULL);
  value_free(rows);
  price_table_free(t);
}

/* Each row by hand: tokens × price, in 10^-12 dollars. */
TEST(golden_invoices) {
  static const struct price haiku = {
      .input = 1000000, .output = 5000000, .cache_read = 100000, .cache_write = 1250000, .cache_write_1h = 2000000};
  static const struct price mini = {
      .input = 250000, .output = 2000000, .cache_read = 25000, .cache_write = 250000, .cache_write_1h = 250000};
  static const struct {
    const struct price *price;
    struct usage usage;
    int64_t pico_usd;
  } rows[] = {
      {&mini, {.input_tokens = 10, .output_tokens = 5}, 12500000},
      {&mini,
       {.input_tokens = 2006, .cache_read_tokens = 1920, .output_tokens = 300},
       86 * 250000 + 1920 * 25000 + 300 * 2000000},
      {&mini,
       {.input_tokens = 9, .output_tokens = 120, .reasoning_tokens = 100},
       9 * 250000 + 120 * 2000000}, /* reasoning once */
      {&haiku,
       {.input_tokens = 21 + 188086 + 1000,
        .cache_read_tokens = 188086,
        .cache_write_tokens = 1000,
        .output_tokens = 393},
       21000000 + 18808600000 + 1250000000 + 1965000000},
      {&haiku,
       {.input_tokens = 4 + 500 + 300, .cache_write_tokens = 500, .cache_write_1h_tokens = 300, .output_tokens = 1},
       4000000 + 625000000 + 600000000 + 5000000},
      {&haiku, {0}, 0},
      {NULL, {.input_tokens = 1000, .output_tokens = 1000}, 0},
      {&haiku, {.input_tokens = 5, .cache_read_tokens = 9}, 900000}, /* more cached than there is: never negative */
      {&haiku, {.input_tokens = UINT64_MAX, .output_tokens = UINT64_MAX}, INT64_MAX}};
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++)
    CHECK_INT(usage_cost_pico_usd(&rows[i].usage, rows[i].price), rows[i].pico_usd);
}

UNIT_MAIN()
