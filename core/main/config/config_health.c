/* config_health: see the header. */
#include "main/config/config_health.h"

#include <stdio.h>

#include "base/memory.h"
#include "main/config/schema.h"

/* Where a value stands: in the provider's own table, else in the shared one. */
struct place {
  const struct value *own, *shared;
};

static const struct value *table_with(struct place p, const char *key) {
  return value_get(p.own, key) != NULL ? p.own : p.shared;
}

static uint32_t ms_of(struct place p, const char *path, const char *key) {
  return (uint32_t)schema_ms(table_with(p, key), path);
}

static uint32_t count_of(struct place p, const char *path, const char *key) {
  return (uint32_t)schema_integer(table_with(p, key), path);
}

/* The longest time may not be shorter than the first. */
static bool times_fit(const struct provider *p, struct place at, const char *first, const char *longest,
                      uint32_t first_ms, uint32_t longest_ms, const char *name, struct err *e) {
  if (longest_ms >= first_ms) return true;
  const struct value *in = table_with(at, longest), *v = value_get(in, longest);
  if (v == NULL) v = value_get(in = table_with(at, first), first);
  bool own = in == at.own && in != at.shared;
  return err_set(e, "%s:%d: %s%s%shealth.%s (%u ms) is shorter than %s (%u ms), the time it begins with", name, v->line,
                 own ? "providers." : "", own ? p->name : "", own ? "." : "", longest, longest_ms, first, first_ms);
}

static bool set_checks(struct provider *p, struct place health, const char *name, struct err *e) {
  const struct value *own = value_get(health.own, "active"), *shared = value_get(health.shared, "active");
  struct health_rules *rules = &p->health;
  struct place at = {own, shared};
  if (own == NULL && shared == NULL) return true;
  const char *path = schema_text(table_with(at, "path"), "health.active.path");
  rules->check_every_ms = ms_of(at, "health.active.every", "every");
  rules->check_timeout_ms = ms_of(at, "health.active.timeout", "timeout");
  rules->check_eject_after = count_of(at, "health.active.eject_after", "eject_after");
  rules->check_path = mem_text(path, strlen(path));
  const struct value *wrong = value_get(table_with(at, "path"), "path");
  if (*path != '/' || strpbrk(path, " \t\r\n#") != NULL)
    return err_set(e,
                   "%s:%d: health.active.path must begin with \"/\" and hold no blank, not \"%.80s\"\n  for example: "
                   "path = \"/models\"",
                   name, wrong->line, path);
  wrong = value_get(table_with(at, "every"), "every");
  if (rules->check_every_ms < 1000)
    return err_set(e, "%s:%d: health.active.every must be \"1s\" or more: each check is a call to the provider", name,
                   wrong->line);
  return true;
}

static bool set_rules(struct provider *p, struct place at, const char *name, struct err *e) {
  p->health = (struct health_rules){
      .eject_after = count_of(at, "health.eject_after", "eject_after"),
      .error_share_ppm = schema_share_ppm(table_with(at, "error_share"), "health.error_share"),
      .error_minimum = count_of(at, "health.error_minimum", "error_minimum"),
      .window_ms = ms_of(at, "health.window", "window"),
      .eject_ms = ms_of(at, "health.eject", "eject"),
      .eject_max_ms = ms_of(at, "health.eject_max", "eject_max"),
      .key_ms = ms_of(at, "health.key_bench", "key_bench"),
      .key_max_ms = ms_of(at, "health.key_bench_max", "key_bench_max"),
  };
  const struct health_rules *r = &p->health;
  return times_fit(p, at, "eject", "eject_max", r->eject_ms, r->eject_max_ms, name, e) &&
         times_fit(p, at, "key_bench", "key_bench_max", r->key_ms, r->key_max_ms, name, e) &&
         set_checks(p, at, name, e);
}

bool config_health_set(struct config *c, const struct value *tree, const char *name, struct err *e) {
  const struct value *shared = value_get(tree, "health"), *providers = value_get(tree, "providers");
  c->panic_ppm = schema_share_ppm(shared, "health.panic");
  for (uint32_t i = 0; i < c->provider_count; i++) {
    struct provider *p = c->providers[i];
    if (!set_rules(p, (struct place){value_get(value_get(providers, p->name), "health"), shared}, name, e))
      return false;
    health_attach(p);
  }
  return true;
}

void config_health_dump(const struct provider *p, struct buf *out) {
  const struct health_rules *r = &p->health;
  buf_fill(
      out,
      "--     health: ejected after %u in a row or %g %% of %u within %u ms, for %u to %u ms; keys benched for %u to "
      "%u ms; ",
      r->eject_after, r->error_share_ppm / 1e4, r->error_minimum, r->window_ms, r->eject_ms, r->eject_max_ms, r->key_ms,
      r->key_max_ms);
  if (r->check_every_ms > 0) buf_fill(out, "GET %s%s every %u ms\n", p->base_path, r->check_path, r->check_every_ms);
  else buf_text(out, "no active checks\n");
}
