/* price: exact decimals, rows with tiers and steps, and golden invoices. */
#include "gate/account/price.h"

#include "base/memory.h"
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

TEST(numbers_of_json_are_scaled_and_rounded) {
  static const struct {
    const char *text;
    int places;
    uint64_t out;
    bool exact;
  } rows[] = {{"1.25e-07", 12, 125000, true},
              {"3.75E-8", 12, 37500, true},
              {"0.000000075", 12, 75000, true},
              {"2e-06", 12, 2000000, true},
              {"0", 12, 0, true},
              {"0.0", 12, 0, true},
              {"0.0076509169000000005", 12, 7650916900, false},
              {"1.5e-12", 12, 2, false},
              {"1.4e-12", 12, 1, false},
              {"4e-13", 12, 0, false},
              {"5e-13", 12, 1, false},
              {"1e-400", 12, 0, false},
              {"0.3", 6, 300000, true},
              {"12345678901234567890123", -4, 1234567890123456789, false},
              {"120e-1", 0, 12, true},
              {"758000", 2, 75800000, true}};
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    uint64_t out = 7;
    bool exact = !rows[i].exact;
    CHECK(price_scale(slice_text(rows[i].text), rows[i].places, &out, &exact));
    CHECK_INT(out, rows[i].out);
    CHECK(exact == rows[i].exact);
    if (out != rows[i].out || exact != rows[i].exact) fprintf(stderr, "  at %s\n", rows[i].text);
  }
  static const char *const bad[] = {"", "-1", "x", "1e", "1e+", "1.e3", ".5", "1e999", "null", "\"1\"", "1 "};
  for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
    uint64_t out;
    CHECK(!price_scale(slice_text(bad[i]), 12, &out, NULL));
  }
  uint64_t out;
  CHECK(!price_scale(SLICE("1e20"), 12, &out, NULL)); /* does not fit */
}

/* ---- rows ---- */

static struct value *field(struct value *table, struct slice key) {
  for (uint32_t i = 0; i < table->count; i++)
    if (slice_eq(table->fields[i].key, key)) return &table->fields[i].value;
  return value_add_field(table, key);
}

/* "input", "1", "flex.output", "2", "flex.above.200000.input", "3" …, NULL: steps in rising order. */
static struct value *row_of(const char *const *fields) {
  struct value *row = value_new();
  row->kind = VALUE_TABLE;
  for (; fields[0] != NULL; fields += 2) {
    struct slice path = slice_text(fields[0]);
    struct value *at = row;
    ptrdiff_t point;
    while ((point = slice_find_byte(path, '.')) >= 0) {
      struct slice word = slice_of(path.ptr, (size_t)point);
      uint64_t tokens;
      path = slice_from(path, (size_t)point + 1);
      if (!slice_to_u64(word, &tokens)) {
        at = field(at, word);
        continue;
      }
      const struct value *last = at->count > 0 ? value_get(&at->items[at->count - 1], "tokens") : NULL;
      if (last != NULL && (uint64_t)last->integer == tokens) {
        at = &at->items[at->count - 1];
      } else {
        at = value_add_item(at);
        *value_add_field(at, SLICE("tokens")) =
            (struct value){.kind = VALUE_INTEGER, .integer = (int64_t)tokens, .number = (double)tokens};
      }
    }
    value_set_text(value_add_field(at, path), slice_text(fields[1]));
  }
  return row;
}

#define ROW(...) ((const char *const[]){__VA_ARGS__, NULL})

TEST(what_a_row_leaves_out_has_a_rule) {
  struct arena arena;
  struct price p;
  struct err e;
  bool priced;
  arena_init(&arena);
  struct value *row = row_of(ROW("input", "3", "output", "15", "cache_write", "3.75"));
  CHECK(price_read(row, &arena, &p, &priced, &e) && priced);
  CHECK_INT(p.rates.cache_read, 3000000); /* no discount known: none given */
  CHECK_INT(p.rates.cache_write_1h, 3750000);
  CHECK_INT(p.rates.audio_input, 3000000);
  CHECK_INT(p.rates.reasoning, 15000000);
  CHECK(p.units == NULL && p.step_count == 0);
  value_free(row);
  /* A step keeps the ratio, rounded up: 0.3 of 3, of 7 → 0.7; 3.75 of 3, of 7 → 8.75. */
  row = row_of(ROW("input", "3", "output", "15", "cache_read", "0.3", "cache_write", "3.75", "above.1000.input", "7",
                   "above.1000.output", "22.5", "flex.input", "0.000001", "flex.output", "1"));
  CHECK(price_read(row, &arena, &p, &priced, &e));
  CHECK_INT(p.step_count, 2);
  CHECK_INT(p.steps[0].rates.cache_read, 700000);
  CHECK_INT(p.steps[0].rates.cache_write_1h, 8750000);
  CHECK_INT(p.steps[1].rates.cache_read, 1);
  value_free(row);
  row = row_of(ROW("input", "0", "output", "0", "cache_read", "0", "flex.input", "2", "flex.output", "2"));
  CHECK(price_read(row, &arena, &p, &priced, &e) && priced);
  CHECK_INT(p.steps[0].rates.cache_read, 2000000); /* no ratio to keep: the careful side */
  value_free(row);
  row = row_of(ROW("per_request", "0.005"));
  CHECK(price_read(row, &arena, &p, &priced, &e) && priced);
  CHECK_INT(p.units->request, 5000000000);
  value_free(row);
  row = value_new();
  row->kind = VALUE_TABLE;
  CHECK(price_read(row, &arena, &p, &priced, &e) && !priced);
  value_free(row);
  arena_done(&arena);
}

static void refused(const char *const *fields, const char *text) {
  struct arena arena;
  struct price p;
  struct err e = {{0}};
  bool priced;
  arena_init(&arena);
  struct value *row = row_of(fields);
  CHECK(!price_read(row, &arena, &p, &priced, &e));
  CHECK(strstr(e.text, text) != NULL);
  if (strstr(e.text, text) == NULL) fprintf(stderr, "%s\n", e.text);
  value_free(row);
  arena_done(&arena);
}

TEST(bad_rows_say_why) {
  refused(ROW("input", "1"), "needs input and output");
  refused(ROW("cache_read", "1"), "needs input and output");
  refused(ROW("input", "1", "output", "0.0000001"), "output must be US dollars per million tokens");
  refused(ROW("input", "1", "output", "1", "per_image", "x"), "per_image must be US dollars");
  refused(ROW("input", "1", "output", "1", "flex.input", "1"), "needs input and output");
  refused(ROW("input", "1", "output", "1", "flex.cache_reed", "1"), "unknown key \"cache_reed\"");
  refused(ROW("input", "1", "output", "1", "flex", "1"), "flex must be a table");
  refused(ROW("input", "1", "output", "1", "above", "1"), "above must be a list");
  refused(ROW("flex.input", "1", "flex.output", "1"), "so needs input and output");
  refused(ROW("input", "1", "output", "1", "above.20.input", "1", "above.20.output", "1", "above.10.input", "1",
              "above.10.output", "1"),
          "tokens must rise");
  refused(ROW("input", "1", "output", "1", "above.20.x", "1"), "unknown key \"x\"");
}

/* ---- bills ---- */

enum { HAIKU, MINI, GPT5, LONGER, PRO, FLASH, VOICE, SONNET, STAIRS, NOVA, SONAR, EARS, BRUSH, MOUTH, FINDER, OWN };

static const char *const models[][24] = {
    [HAIKU] = {"input", "1", "output", "5", "cache_read", "0.1", "cache_write", "1.25", "cache_write_1h", "2"},
    [MINI] = {"input", "0.25", "output", "2", "cache_read", "0.025"},
    [GPT5] = {"input",          "1.25",  "output",          "10", "cache_read",      "0.125",
              "flex.input",     "0.625", "flex.output",     "5",  "flex.cache_read", "0.0625",
              "priority.input", "2.5",   "priority.output", "20", "batch.input",     "0.625",
              "batch.output",   "5"},
    [LONGER] = {"input",
                "2.5",
                "output",
                "15",
                "cache_read",
                "0.25",
                "above.272000.input",
                "5",
                "above.272000.output",
                "22.5",
                "above.272000.cache_read",
                "0.5",
                "flex.input",
                "1.25",
                "flex.output",
                "7.5",
                "flex.above.272000.input",
                "2.5",
                "flex.above.272000.output",
                "11.25"},
    [PRO] = {"input", "1.25", "output", "10", "cache_read", "0.125", "above.200000.input", "2.5", "above.200000.output",
             "15", "batch.input", "0.625", "batch.output", "5", "batch.above.200000.input", "1.25",
             "batch.above.200000.output", "7.5"},
    [FLASH] = {"input", "0.3", "output", "2.5", "cache_read", "0.03", "audio_input", "1"},
    [VOICE] = {"input", "2.5", "output", "10", "audio_input", "40", "audio_output", "80"},
    [SONNET] = {"input", "3", "output", "15", "cache_read", "0.3", "cache_write", "3.75", "cache_write_1h", "6",
                "above.200000.input", "6", "above.200000.output", "22.5"},
    [STAIRS] = {"input", "0.4", "output", "1.2", "reasoning", "4", "above.32000.input", "0.7", "above.32000.output",
                "2.1", "above.128000.input", "1.2", "above.128000.output", "3.6"},
    [NOVA] = {"input", "0.0375", "output", "0.15", "cache_read", "0.009375"},
    [SONAR] = {"input", "1", "output", "1", "per_request", "0.005"},
    [EARS] = {"per_second", "0.0001"},
    [BRUSH] = {"per_image", "0.04"},
    [MOUTH] = {"per_character", "0.000015"},
    [FINDER] = {"input", "0.1", "output", "0.5", "per_search", "0.01"},
    [OWN] = {"input", "0", "output", "0"},
};

/* Sums made apart from this code, with fractions: tokens × price, in 10^-12 dollars. */
TEST(golden_invoices) {
  static const struct {
    unsigned model;
    struct usage usage;
    int64_t pico_usd;
  } rows[] = {
      {MINI, {.input_tokens = 0}, 0},
      {MINI, {.input_tokens = 1}, 250000},
      {MINI, {.output_tokens = 1}, 2000000},
      {MINI, {.input_tokens = 10, .output_tokens = 5}, 12500000},
      {MINI, {.input_tokens = 2006, .cache_read_tokens = 1920, .output_tokens = 300}, 669500000},
      {MINI, {.input_tokens = 9, .output_tokens = 120, .reasoning_tokens = 100}, 242250000},
      {MINI,
       {.input_tokens = 3000, .cache_write_tokens = 1000, .cache_write_1h_tokens = 1000, .output_tokens = 1},
       752000000},
      {HAIKU,
       {.input_tokens = 189107, .cache_read_tokens = 188086, .cache_write_tokens = 1000, .output_tokens = 393},
       22044600000},
      {HAIKU,
       {.input_tokens = 804, .cache_write_tokens = 500, .cache_write_1h_tokens = 300, .output_tokens = 1},
       1234000000},
      {HAIKU, {.input_tokens = 5, .cache_read_tokens = 9}, 900000},
      {HAIKU, {.input_tokens = 1000000, .output_tokens = 1000000}, 6000000000000},
      {HAIKU, {.input_tokens = 300, .cache_write_1h_tokens = 300, .output_tokens = 7}, 635000000},
      {HAIKU, {.input_tokens = 100, .output_tokens = 50, .tier = TIER_PRIORITY}, 350000000},
      {GPT5, {.input_tokens = 1000, .output_tokens = 1000}, 11250000000},
      {GPT5, {.input_tokens = 1000, .output_tokens = 1000, .tier = TIER_FLEX}, 5625000000},
      {GPT5, {.input_tokens = 1000, .cache_read_tokens = 800, .output_tokens = 10, .tier = TIER_FLEX}, 225000000},
      {GPT5, {.input_tokens = 1000, .output_tokens = 1000, .tier = TIER_PRIORITY}, 22500000000},
      {GPT5, {.input_tokens = 1000, .cache_read_tokens = 1000, .output_tokens = 1, .tier = TIER_PRIORITY}, 270000000},
      {GPT5, {.input_tokens = 1000, .output_tokens = 1000, .tier = TIER_BATCH}, 5625000000},
      {GPT5, {.input_tokens = 1000, .cache_read_tokens = 512, .output_tokens = 64, .tier = TIER_BATCH}, 657000000},
      {GPT5, {.input_tokens = 5000, .output_tokens = 3000, .reasoning_tokens = 2944}, 36250000000},
      {LONGER, {.input_tokens = 272000, .output_tokens = 100}, 681500000000},
      {LONGER, {.input_tokens = 272001, .output_tokens = 100}, 1362255000000},
      {LONGER, {.input_tokens = 400000, .cache_read_tokens = 300000, .output_tokens = 1000}, 672500000000},
      {LONGER, {.input_tokens = 272001, .output_tokens = 100, .tier = TIER_FLEX}, 681127500000},
      {LONGER, {.input_tokens = 271999, .output_tokens = 100, .tier = TIER_FLEX}, 340748750000},
      {LONGER, {.input_tokens = 300000, .cache_read_tokens = 7, .output_tokens = 0, .tier = TIER_FLEX}, 749984250000},
      {LONGER, {.input_tokens = 300000, .output_tokens = 1, .tier = TIER_BATCH}, 1500022500000},
      {PRO, {.input_tokens = 200000, .output_tokens = 1}, 250010000000},
      {PRO, {.input_tokens = 200001, .output_tokens = 1}, 500017500000},
      {PRO,
       {.input_tokens = 250000, .cache_read_tokens = 100001, .output_tokens = 5000, .reasoning_tokens = 4000},
       474997750000},
      {PRO, {.input_tokens = 250000, .output_tokens = 10, .tier = TIER_BATCH}, 312575000000},
      {PRO, {.input_tokens = 1000, .output_tokens = 65, .reasoning_tokens = 60}, 1900000000},
      {FLASH, {.input_tokens = 1000, .audio_input_tokens = 400, .output_tokens = 20}, 630000000},
      {FLASH, {.input_tokens = 1000, .audio_input_tokens = 1000}, 1000000000},
      {FLASH, {.input_tokens = 1000, .audio_input_tokens = 900, .cache_read_tokens = 600}, 418000000},
      {VOICE, {.input_tokens = 21, .audio_input_tokens = 2, .output_tokens = 1}, 137500000},
      {VOICE, {.input_tokens = 100, .output_tokens = 400, .audio_output_tokens = 350}, 28750000000},
      {VOICE, {.input_tokens = 100, .output_tokens = 400, .audio_output_tokens = 500}, 32250000000},
      {SONNET,
       {.input_tokens = 200000,
        .cache_read_tokens = 150000,
        .cache_write_tokens = 20000,
        .cache_write_1h_tokens = 10000,
        .output_tokens = 900},
       253500000000},
      {SONNET,
       {.input_tokens = 200001,
        .cache_read_tokens = 150000,
        .cache_write_tokens = 20000,
        .cache_write_1h_tokens = 10000,
        .output_tokens = 900},
       500256000000},
      {STAIRS, {.input_tokens = 32000, .output_tokens = 10, .reasoning_tokens = 10}, 12840000000},
      {STAIRS, {.input_tokens = 32001, .output_tokens = 10, .reasoning_tokens = 4}, 22441300000},
      {STAIRS, {.input_tokens = 128001, .output_tokens = 1000, .reasoning_tokens = 500}, 161401200000},
      {NOVA, {.input_tokens = 1, .output_tokens = 1}, 187500},
      {NOVA, {.input_tokens = 12345, .cache_read_tokens = 12344, .output_tokens = 678}, 217462500},
      {SONAR, {.input_tokens = 50, .output_tokens = 48}, 5098000000},
      {EARS, {.audio_ms = 3000}, 300000000},
      {EARS, {.audio_ms = 1}, 100000},
      {BRUSH, {.images = 2}, 80000000000},
      {MOUTH, {.characters = 1234}, 18510000000},
      {FINDER, {.input_tokens = 10, .output_tokens = 10, .searches = 3}, 30006000000},
      {OWN, {.input_tokens = 1000000000, .output_tokens = 1000000000}, 0},
  };
  struct price prices[sizeof models / sizeof *models];
  struct arena arena;
  arena_init(&arena);
  for (unsigned i = 0; i < sizeof models / sizeof *models; i++) {
    struct value *row = row_of(models[i]);
    struct err e = {{0}};
    bool priced;
    CHECK(price_read(row, &arena, &prices[i], &priced, &e) && priced);
    value_free(row);
  }
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct usage u = rows[i].usage;
    u.source = USAGE_PROVIDER;
    CHECK_INT(price_cost_pico_usd(&prices[rows[i].model], &u), rows[i].pico_usd);
    if (price_cost_pico_usd(&prices[rows[i].model], &u) != rows[i].pico_usd) fprintf(stderr, "  row %u\n", i);
  }
  arena_done(&arena);
}

TEST(no_price_costs_nothing_and_too_much_saturates) {
  struct price p = {.rates = {.input = 1000000, .output = 5000000, .reasoning = 5000000}};
  struct usage u = {.input_tokens = 1000, .output_tokens = 1000};
  CHECK_INT(price_cost_pico_usd(NULL, &u), 0);
  u = (struct usage){.input_tokens = UINT64_MAX, .output_tokens = UINT64_MAX};
  CHECK_INT(price_cost_pico_usd(&p, &u), INT64_MAX);
  u = (struct usage){.input_tokens = 5, .cache_read_tokens = UINT64_MAX, .cache_write_tokens = UINT64_MAX};
  CHECK(price_cost_pico_usd(&p, &u) >= 0); /* the sum of the cached does not wrap around */
}

TEST(a_request_without_usage_pays_no_fee) {
  static const struct price_units units = {.request = 5000000000};
  struct price p = {.units = &units};
  struct usage u = {0};
  CHECK_INT(price_cost_pico_usd(&p, &u), 0);
  u.source = USAGE_ESTIMATED;
  CHECK_INT(price_cost_pico_usd(&p, &u), 5000000000);
}

TEST(what_the_provider_charged_counts_unless_the_price_is_ones_own) {
  struct price p = {.rates = {.input = 1000000, .output = 5000000, .reasoning = 5000000}};
  struct usage u = {.input_tokens = 10, .cost_told = true, .told_pico_usd = 42};
  CHECK_INT(price_cost_pico_usd(&p, &u), 42);
  u.told_pico_usd = UINT64_MAX;
  CHECK_INT(price_cost_pico_usd(&p, &u), INT64_MAX);
  p.own = true;
  CHECK_INT(price_cost_pico_usd(&p, &u), 10000000);
}

TEST(tiers_have_many_names) {
  static const struct {
    const char *word;
    enum service_tier tier;
  } rows[] = {{"flex", TIER_FLEX},         {"priority", TIER_PRIORITY},   {"batch", TIER_BATCH},
              {"default", TIER_STANDARD},  {"standard", TIER_STANDARD},   {"on_demand", TIER_STANDARD},
              {"", TIER_STANDARD},         {"ON_DEMAND_FLEX", TIER_FLEX}, {"ON_DEMAND_PRIORITY", TIER_PRIORITY},
              {"flexible", TIER_STANDARD}, {"ON_DEMAND", TIER_STANDARD}};
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++)
    CHECK_INT(service_tier_named(slice_text(rows[i].word)), rows[i].tier);
  CHECK_INT(service_tier_named((struct slice){0}), TIER_STANDARD);
}

UNIT_MAIN()
