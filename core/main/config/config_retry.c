/* config_retry: see the header. */
#include "main/config/config_retry.h"

#include <stdio.h>

#include "base/memory.h"
#include "base/suggest.h"
#include "gate/attempt/hedge.h"
#include "main/config/schema.h"

/* ---- timeouts ----------------------------------------------------------------------------------------------- */

/* v: a table of timeouts, or NULL. */
static uint32_t said(const struct value *v, enum clock_id id) {
  char path[64];
  const char *name = timeout_name(id);
  if (value_get(v, name) == NULL) return TIMEOUT_UNSAID;
  snprintf(path, sizeof path, "timeouts.%s", name);
  return (uint32_t)(id == CLOCK_TOKEN_RATE ? schema_integer(v, path) : schema_ms(v, path));
}

static struct timeouts timeouts_in(const struct value *v) {
  return (struct timeouts){.connect_ms = said(v, CLOCK_CONNECT),
                           .tls_ms = said(v, CLOCK_TLS),
                           .upload_ms = said(v, CLOCK_UPLOAD),
                           .first_token_ms = said(v, CLOCK_FIRST_TOKEN),
                           .between_tokens_ms = said(v, CLOCK_BETWEEN_TOKENS),
                           .min_tokens_per_s = said(v, CLOCK_TOKEN_RATE),
                           .first_byte_ms = said(v, CLOCK_FIRST_BYTE),
                           .between_bytes_ms = said(v, CLOCK_BETWEEN_BYTES),
                           .total_ms = said(v, CLOCK_TOTAL)};
}

static struct timeouts defaults(void) {
  return (struct timeouts){.connect_ms = (uint32_t)schema_ms(NULL, "timeouts.connect"),
                           .tls_ms = (uint32_t)schema_ms(NULL, "timeouts.tls"),
                           .upload_ms = (uint32_t)schema_ms(NULL, "timeouts.upload"),
                           .first_token_ms = (uint32_t)schema_ms(NULL, "timeouts.first_token"),
                           .between_tokens_ms = (uint32_t)schema_ms(NULL, "timeouts.between_tokens"),
                           .min_tokens_per_s = (uint32_t)schema_integer(NULL, "timeouts.min_tokens_per_s"),
                           .first_byte_ms = (uint32_t)schema_ms(NULL, "timeouts.first_byte"),
                           .between_bytes_ms = (uint32_t)schema_ms(NULL, "timeouts.between_bytes"),
                           .total_ms = TIMEOUT_UNSAID};
}

/* 0 is no clock, and so the longest. */
static void lengthen(uint32_t *longest_ms, uint32_t ms) {
  enum { NO_CLOCK_MS = 600000 };
  if (ms == TIMEOUT_UNSAID) return;
  if (ms == 0) ms = NO_CLOCK_MS;
  if (ms > *longest_ms) *longest_ms = ms;
}

static void allow(struct provider *p, const struct timeouts *t) {
  lengthen(&p->dial_ms, t->connect_ms);
  lengthen(&p->handshake_ms, t->tls_ms);
}

void config_retry_provider(struct provider *p, const struct value *v, const struct value *tree) {
  const struct value *models = value_get(v, "models"), *routes = value_get(tree, "routes");
  struct timeouts shared = timeouts_in(value_get(tree, "timeouts")), own = timeouts_in(value_get(v, "timeouts"));
  p->timeouts = defaults();
  timeouts_overlay(&p->timeouts, &shared);
  timeouts_overlay(&p->timeouts, &own);
  allow(p, &p->timeouts);
  uint32_t count = models != NULL ? models->count : 0;
  p->model_clocks = count > 0 ? mem_zero(count * sizeof *p->model_clocks) : NULL;
  p->model_clock_count = count;
  for (uint32_t i = 0; i < count; i++) {
    const struct value_field *f = &models->fields[i];
    p->model_clocks[i] = (struct model_clocks){f->key, timeouts_in(value_get(&f->value, "timeouts"))};
    allow(p, &p->model_clocks[i].timeouts);
  }
  for (uint32_t i = 0; routes != NULL && i < routes->count; i++) {
    struct timeouts t = timeouts_in(value_get(&routes->fields[i].value, "timeouts"));
    allow(p, &t);
  }
}

/* ---- retries ------------------------------------------------------------------------------------------------ */

/* An account without money has none a moment later. */
static bool may_be_named(enum failure_class c) {
  return failure_row(c)->next_target && c != FAILURE_QUOTA;
}

static bool set_classes(struct retry_rules *rules, const struct value *on, const char *route, const char *name,
                        struct err *e) {
  const char *known[FAILURE_COUNT];
  size_t count = 0;
  for (enum failure_class c = 0; c < FAILURE_COUNT; c++)
    if (may_be_named(c)) known[count++] = failure_row(c)->name;
  rules->on = 0;
  for (uint32_t i = 0; i < on->count; i++) {
    const struct value *v = &on->items[i];
    enum failure_class c = failure_named(v->text);
    if (may_be_named(c)) {
      rules->on |= UINT64_C(1) << c;
      continue;
    }
    const char *near = suggest_nearest(v->text.ptr, known, count);
    return err_set(e, "%s:%d: routes.%s.retry.on[%u]: \"%.60s\" is %s%s%s%s", name, v->line, route, i + 1, v->text.ptr,
                   c == FAILURE_NONE ? "no failure class" : "never tried again", near ? "; did you mean \"" : "",
                   near ? near : "", near ? "\"?" : "");
  }
  return true;
}

static bool set_retry(struct route *r, const struct value *v, const char *name, struct err *e) {
  const struct value *on = value_get(v, "on");
  struct retry_rules *rules = r->retry = mem_new(struct retry_rules);
  *rules = retry_rules_default;
  if (value_get(v, "attempts")) rules->attempts = (uint32_t)schema_integer(v, "routes.*.retry.attempts");
  if (value_get(v, "same_target")) rules->same_target = (uint32_t)schema_integer(v, "routes.*.retry.same_target");
  rules->base_ms = (uint32_t)schema_ms(v, "routes.*.retry.base");
  rules->max_ms = (uint32_t)schema_ms(v, "routes.*.retry.max");
  if (value_get(v, "attempts") != NULL && rules->attempts == 0)
    return err_set(e, "%s:%d: routes.%s.retry.attempts must be at least 1: the first try counts", name,
                   value_get(v, "attempts")->line, r->name);
  if (rules->base_ms > rules->max_ms)
    return err_set(e, "%s:%d: routes.%s.retry.base (%u ms) is longer than max (%u ms)", name, v->line, r->name,
                   rules->base_ms, rules->max_ms);
  return on == NULL || set_classes(rules, on, r->name, name, e);
}

/* ---- hedging ------------------------------------------------------------------------------------------------ */

static bool set_after(struct hedge_rules *rules, const struct value *after, const char *route, const char *name,
                      struct err *e) {
  uint64_t ms;
  for (enum recent_quantile q = 0; q < RECENT_QUANTILES; q++) {
    if (!slice_eq(after->text, slice_text(recent_quantile_names[q]))) continue;
    rules->quantile = q;
    return true;
  }
  if (schema_parse_ms(after->text, &ms) && ms > 0 && ms < UINT32_MAX) {
    rules->after_ms = (uint32_t)ms;
    return true;
  }
  const char *near = suggest_nearest(after->text.ptr, recent_quantile_names, RECENT_QUANTILES);
  return err_set(e,
                 "%s:%d: routes.%s.hedge.after must be \"p90\", \"p95\", \"p99\" or a duration such as \"1500ms\", "
                 "not \"%.60s\"%s%s%s",
                 name, after->line, route, after->text.ptr, near ? "; did you mean \"" : "", near ? near : "",
                 near ? "\"?" : "");
}

static bool set_hedge(struct route *r, const struct value *v, const char *name, struct err *e) {
  const struct value *after = value_get(v, "after"), *extra = value_get(v, "max_extra");
  struct hedge_rules *rules = r->hedge = mem_new(struct hedge_rules);
  rules->quantile = RECENT_P95;
  rules->extra_ppm = schema_share_ppm(v, "routes.*.hedge.max_extra");
  rules->budget = hedge_budget_of(r->name);
  if (rules->extra_ppm == 0)
    return err_set(e, "%s:%d: routes.%s.hedge.max_extra is 0: nothing would be hedged\n  for example: max_extra = 0.05",
                   name, extra->line, r->name);
  return after == NULL || set_after(rules, after, r->name, name, e);
}

bool config_retry_route(struct route *r, const struct value *v, const char *name, struct err *e) {
  const struct value *timeouts = value_get(v, "timeouts"), *retry = value_get(v, "retry");
  if (timeouts != NULL) {
    r->timeouts = mem_new(struct timeouts);
    *r->timeouts = timeouts_in(timeouts);
  }
  if (retry != NULL && !set_retry(r, retry, name, e)) return false;
  const struct value *hedge = value_get(v, "hedge");
  return hedge == NULL || set_hedge(r, hedge, name, e);
}

bool config_retry_budget(struct config *c, const struct value *tree, const char *name, struct err *e) {
  const struct value *v = value_get(tree, "retry_budget");
  uint64_t percent = schema_integer(v, "retry_budget.percent");
  if (percent > 1000)
    return err_set(e, "%s:%d: retry_budget.percent must be at most 1000, not %llu", name, value_get(v, "percent")->line,
                   (unsigned long long)percent);
  c->retry_budget = (struct retry_budget_rules){.share_ppm = (uint32_t)percent * 10000,
                                                .per_s = (uint32_t)schema_integer(v, "retry_budget.per_s")};
  return true;
}
