/* price: rates from rows, and bills. Pure. */
#include "gate/account/price.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS_MAX = 32 };

/* ---- decimals ----------------------------------------------------------------------------------------------- */

bool price_scale(struct slice number, int places, uint64_t *out, bool *exact) {
  enum { DIGITS_MAX = 19 };
  uint64_t digits = 0;
  unsigned kept = 0, next = 0;
  bool point = false, any = false, lost = false;
  int exponent = 0; /* of ten, for digits */
  size_t i = 0;
  for (; i < number.len; i++) {
    char c = number.ptr[i];
    if (c == '.' && !point && any) {
      point = true;
      continue;
    }
    if (c < '0' || c > '9') break;
    any = true;
    if (kept < DIGITS_MAX) {
      digits = digits * 10 + (unsigned)(c - '0');
      kept += digits > 0;
      exponent -= point;
    } else {
      exponent += !point;
      lost = lost || c != '0';
    }
  }
  if (!any || (point && number.ptr[i - 1] == '.')) return false;
  if (i < number.len) {
    if ((number.ptr[i] | 0x20) != 'e') return false;
    bool minus = ++i < number.len && number.ptr[i] == '-';
    if (i < number.len && (number.ptr[i] == '-' || number.ptr[i] == '+')) i++;
    uint64_t power;
    if (!slice_to_u64(slice_from(number, i), &power) || power > 400) return false;
    exponent += minus ? -(int)power : (int)power;
  }
  exponent += places;
  for (; exponent > 0; exponent--)
    if (__builtin_mul_overflow(digits, 10u, &digits)) return false;
  for (; exponent < 0 && (digits > 0 || next > 0); exponent++) {
    lost = lost || next > 0;
    next = (unsigned)(digits % 10);
    digits /= 10;
  }
  *out = digits + (next >= 5);
  if (exact != NULL) *exact = !lost && next == 0;
  return true;
}

/* Digits, perhaps a point and at most `places` more. */
static bool parse_decimal(struct slice decimal, size_t places, uint64_t *out) {
  ptrdiff_t point = slice_find_byte(decimal, '.');
  size_t whole = point < 0 ? decimal.len : (size_t)point, part = point < 0 ? 0 : decimal.len - whole - 1;
  if (whole == 0 || whole > 7 || part > places || (point >= 0 && part == 0)) return false;
  for (size_t i = 0; i < decimal.len; i++)
    if (i != whole && (decimal.ptr[i] < '0' || decimal.ptr[i] > '9')) return false;
  return price_scale(decimal, (int)places, out, NULL);
}

bool price_parse(struct slice decimal, uint64_t *pico_usd) {
  return parse_decimal(decimal, 6, pico_usd);
}

/* ---- rows --------------------------------------------------------------------------------------------------- */

static const char *const rate_names[] = {"input",          "output",      "cache_read",   "cache_write",
                                         "cache_write_1h", "audio_input", "audio_output", "reasoning"};
static const char *const unit_names[] = {"per_request", "per_image", "per_second", "per_character", "per_search"};
static const char *const tier_names[] = {[TIER_FLEX] = "flex", [TIER_PRIORITY] = "priority", [TIER_BATCH] = "batch"};

enum { INPUT, OUTPUT, CACHE_READ, CACHE_WRITE, CACHE_WRITE_1H, AUDIO_INPUT, AUDIO_OUTPUT, REASONING, RATES, UNITS = 5 };

/* The price under key as an integer; *there tells whether it is given. */
static bool amount(const struct value *row, const char *key, size_t places, uint64_t *out, bool *there) {
  const struct value *v = value_get(row, key);
  *there = v != NULL;
  if (v == NULL) return true;
  if (v->kind == VALUE_TEXT) return parse_decimal(v->text, places, out);
  if (v->kind != VALUE_INTEGER && v->kind != VALUE_NUMBER) return false;
  char text[48];
  int len = snprintf(text, sizeof text, "%.*f", (int)places, v->number);
  return len > 0 && (size_t)len < sizeof text && parse_decimal(slice_of(text, (size_t)len), places, out);
}

/* part × now / before, rounded up. */
static uint64_t in_ratio(uint64_t part, uint64_t now, uint64_t before) {
  if (before == 0) return part < now ? now : part;
  unsigned __int128 scaled = ((unsigned __int128)part * now + before - 1) / before;
  return scaled > UINT64_MAX ? UINT64_MAX : (uint64_t)scaled;
}

/* base NULL: the standard rates themselves. */
static bool read_rates(const struct value *row, const struct price_rates *base, struct price_rates *out, bool *any,
                       struct err *e) {
  uint64_t rate[RATES] = {0};
  bool there[RATES];
  *any = false;
  for (unsigned i = 0; i < RATES; i++) {
    if (!amount(row, rate_names[i], 6, &rate[i], &there[i]))
      return err_set(e, "%s must be US dollars per million tokens, as text with at most six decimals (\"0.25\")",
                     rate_names[i]);
    *any = *any || there[i];
  }
  if (!*any) return true;
  if (!there[INPUT] || !there[OUTPUT])
    return err_set(e, "needs input and output in US dollars per million tokens, as texts with at most six decimals "
                      "(\"0.25\")");
  uint64_t in = rate[INPUT], made = rate[OUTPUT];
  if (base == NULL) {
    if (!there[CACHE_READ]) rate[CACHE_READ] = in;
    if (!there[CACHE_WRITE]) rate[CACHE_WRITE] = in;
    if (!there[CACHE_WRITE_1H]) rate[CACHE_WRITE_1H] = rate[CACHE_WRITE];
    if (!there[AUDIO_INPUT]) rate[AUDIO_INPUT] = in;
    if (!there[AUDIO_OUTPUT]) rate[AUDIO_OUTPUT] = made;
    if (!there[REASONING]) rate[REASONING] = made;
  } else {
    if (!there[CACHE_READ]) rate[CACHE_READ] = in_ratio(base->cache_read, in, base->input);
    if (!there[CACHE_WRITE]) rate[CACHE_WRITE] = in_ratio(base->cache_write, in, base->input);
    if (!there[CACHE_WRITE_1H]) rate[CACHE_WRITE_1H] = in_ratio(base->cache_write_1h, in, base->input);
    if (!there[AUDIO_INPUT]) rate[AUDIO_INPUT] = in_ratio(base->audio_input, in, base->input);
    if (!there[AUDIO_OUTPUT]) rate[AUDIO_OUTPUT] = in_ratio(base->audio_output, made, base->output);
    if (!there[REASONING]) rate[REASONING] = in_ratio(base->reasoning, made, base->output);
  }
  *out = (struct price_rates){rate[INPUT],          rate[OUTPUT],      rate[CACHE_READ],   rate[CACHE_WRITE],
                              rate[CACHE_WRITE_1H], rate[AUDIO_INPUT], rate[AUDIO_OUTPUT], rate[REASONING]};
  return true;
}

static bool is_one_of(struct slice key, const char *const *names, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (names[i] != NULL && slice_eq(key, slice_text(names[i]))) return true;
  return false;
}

bool price_knows_key(struct slice key) {
  return is_one_of(key, rate_names, RATES) || is_one_of(key, unit_names, UNITS) ||
         is_one_of(key, tier_names, TIER_COUNT) || slice_eq(key, SLICE("above"));
}

/* Within a tier or a step there are only rates, and the key named. */
static bool only_rates(const struct value *v, const char *besides, struct err *e) {
  for (uint32_t i = 0; i < v->count; i++) {
    struct slice key = v->fields[i].key;
    if (!is_one_of(key, rate_names, RATES) && !slice_eq(key, slice_text(besides)))
      return err_set(e, "unknown key \"%s\"", key.ptr);
  }
  return true;
}

struct steps {
  struct price_step at[STEPS_MAX];
  uint32_t count;
};

static bool add_step(struct steps *s, enum service_tier tier, uint64_t above, const struct price_rates *rates,
                     struct err *e) {
  if (s->count == STEPS_MAX) return err_set(e, "has more than %d tiers and steps", STEPS_MAX);
  if (s->count > 0 && s->at[s->count - 1].tier == tier && s->at[s->count - 1].above_tokens >= above)
    return err_set(e, "above: tokens must rise from step to step");
  s->at[s->count++] = (struct price_step){tier, (uint32_t)above, *rates};
  return true;
}

static bool read_above(const struct value *list, enum service_tier tier, const struct price_rates *base,
                       struct steps *out, struct err *e) {
  if (list == NULL) return true;
  if (list->kind != VALUE_LIST) return err_set(e, "above must be a list of { tokens = 200000, input = …, output = … }");
  for (uint32_t i = 0; i < list->count; i++) {
    const struct value *v = &list->items[i], *tokens = value_get(v, "tokens");
    struct price_rates rates;
    bool any;
    if (tokens == NULL || tokens->kind != VALUE_INTEGER || tokens->integer <= 0 || tokens->integer > UINT32_MAX)
      return err_set(e, "above[%u].tokens must be a whole number of tokens", i + 1);
    if (!only_rates(v, "tokens", e) || !read_rates(v, base, &rates, &any, e)) return false;
    if (!any) return err_set(e, "above[%u] needs input and output", i + 1);
    if (!add_step(out, tier, (uint64_t)tokens->integer, &rates, e)) return false;
  }
  return true;
}

static bool read_tiers(const struct value *row, const struct price_rates *base, struct steps *out, struct err *e) {
  if (!read_above(value_get(row, "above"), TIER_STANDARD, base, out, e)) return false;
  for (enum service_tier t = TIER_FLEX; t < TIER_COUNT; t++) {
    const struct value *v = value_get(row, tier_names[t]);
    struct price_rates rates;
    bool any;
    if (v == NULL) continue;
    if (v->kind != VALUE_TABLE) return err_set(e, "%s must be a table of prices", tier_names[t]);
    if (!only_rates(v, "above", e) || !read_rates(v, base, &rates, &any, e)) return false;
    if (!any) return err_set(e, "%s needs input and output", tier_names[t]);
    if (!add_step(out, t, 0, &rates, e) || !read_above(value_get(v, "above"), t, &rates, out, e)) return false;
  }
  return true;
}

static bool read_units(const struct value *row, struct arena *arena, struct price *out, struct err *e) {
  uint64_t unit[UNITS] = {0};
  bool any = false;
  for (unsigned i = 0; i < UNITS; i++) {
    bool there;
    if (!amount(row, unit_names[i], 12, &unit[i], &there))
      return err_set(e, "%s must be US dollars, as text with at most twelve decimals (\"0.005\")", unit_names[i]);
    any = any || there;
  }
  if (!any) return true;
  struct price_units *units = arena_new(arena, struct price_units);
  *units = (struct price_units){unit[0], unit[1], unit[2], unit[3], unit[4]};
  out->units = units;
  return true;
}

bool price_read(const struct value *row, struct arena *arena, struct price *out, bool *priced, struct err *e) {
  struct steps steps = {.count = 0};
  bool any;
  *out = (struct price){.date = "", .source = ""};
  if (!read_rates(row, NULL, &out->rates, &any, e) || !read_units(row, arena, out, e)) return false;
  *priced = any || out->units != NULL;
  if (!any && (value_get(row, "above") != NULL || value_get(row, "flex") != NULL ||
               value_get(row, "priority") != NULL || value_get(row, "batch") != NULL))
    return err_set(e, "has tiers or steps, and so needs input and output");
  if (!read_tiers(row, &out->rates, &steps, e)) return false;
  if (steps.count > 0) {
    struct price_step *kept = arena_alloc(arena, steps.count * sizeof *kept);
    memcpy(kept, steps.at, steps.count * sizeof *kept);
    out->steps = kept;
    out->step_count = steps.count;
  }
  return true;
}

/* ---- bills -------------------------------------------------------------------------------------------------- */

const struct price_rates *price_rates_for(const struct price *p, enum service_tier tier, uint64_t input_tokens) {
  const struct price_rates *rates = &p->rates;
  for (uint32_t i = 0; i < p->step_count; i++) { /* the last that fits: the standard tier's come first */
    const struct price_step *s = &p->steps[i];
    if ((s->tier == TIER_STANDARD || s->tier == tier) && (s->above_tokens == 0 || input_tokens > s->above_tokens))
      rates = &s->rates;
  }
  return rates;
}

static uint64_t least(uint64_t a, uint64_t b) {
  return a < b ? a : b;
}

int64_t price_cost_pico_usd(const struct price *p, const struct usage *u) {
  typedef unsigned __int128 wide;
  if (p == NULL) return 0;
  if (u->cost_told && !p->own) return u->told_pico_usd > INT64_MAX ? INT64_MAX : (int64_t)u->told_pico_usd;
  const struct price_rates *r = price_rates_for(p, u->tier, u->input_tokens);
  wide cached = (wide)u->cache_read_tokens + u->cache_write_tokens + u->cache_write_1h_tokens;
  uint64_t fresh = u->input_tokens > cached ? (uint64_t)(u->input_tokens - cached) : 0;
  uint64_t heard = least(u->audio_input_tokens, fresh), thought = least(u->reasoning_tokens, u->output_tokens),
           spoken = least(u->audio_output_tokens, u->output_tokens - thought);
  wide sum = (wide)(fresh - heard) * r->input + (wide)heard * r->audio_input +
             (wide)u->cache_read_tokens * r->cache_read + (wide)u->cache_write_tokens * r->cache_write +
             (wide)u->cache_write_1h_tokens * r->cache_write_1h +
             (wide)(u->output_tokens - thought - spoken) * r->output + (wide)thought * r->reasoning +
             (wide)spoken * r->audio_output;
  if (p->units != NULL && u->source != USAGE_NONE)
    sum += p->units->request + (wide)u->images * p->units->image + ((wide)u->audio_ms * p->units->second + 999) / 1000 +
           (wide)u->characters * p->units->character + (wide)u->searches * p->units->search;
  return sum > INT64_MAX ? INT64_MAX : (int64_t)sum;
}
