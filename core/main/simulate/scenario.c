/* simulate_scenario: the check of the file, key by key, and the draw. */
#include "main/simulate/scenario.h"

#include <stdio.h>

#include "base/suggest.h"
#include "main/simulate/answer.h"
#include "script/plain.h"

enum { PHASES_MAX = 64, SECONDS_MAX = 86400, MS_PER_S = 1000 };

struct reading {
  const char *file;
  struct arena *arena;
  struct err *e;
};

static bool wrong(struct reading *r, const struct value *v, const char *what, const char *wanted) {
  return err_set(r->e, "%s:%d: %s must be %s, not %s", r->file, v->line, what, wanted, value_kind_name(v->kind));
}

static bool known_keys(struct reading *r, const struct value *table, const char *where, const char *const *names,
                       size_t count) {
  for (uint32_t i = 0; i < table->count; i++) {
    const struct value_field *f = &table->fields[i];
    bool known = false;
    for (size_t n = 0; n < count; n++) known |= strcmp(f->key.ptr, names[n]) == 0;
    if (known) continue;
    const char *near = suggest_nearest(f->key.ptr, names, count);
    return err_set(r->e, "%s:%d: unknown key \"%s\" in %s%s%s%s", r->file, f->value.line, f->key.ptr, where,
                   near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
  }
  return true;
}

static bool is_number(const struct value *v) {
  return v->kind == VALUE_INTEGER || v->kind == VALUE_NUMBER;
}

/* Seconds as written, in ms. v NULL: *out stays. */
static bool read_seconds(struct reading *r, const struct value *v, const char *what, uint64_t *out) {
  if (v == NULL) return true;
  if (!is_number(v) || !(v->number >= 0 && v->number <= SECONDS_MAX))
    return wrong(r, v, what, "a number of seconds from 0 to 86400");
  *out = (uint64_t)(v->number * MS_PER_S + 0.5);
  return true;
}

static bool read_text(struct reading *r, const struct value *v, const char *what, struct slice *out) {
  if (v == NULL) return true;
  if (v->kind != VALUE_TEXT) return wrong(r, v, what, "a string");
  *out = arena_copy(r->arena, v->text);
  return true;
}

/* A value of a fault as the keys of the simulator read it. */
static bool fault_text(struct reading *r, const struct value_field *f, struct slice *out) {
  char number[40];
  const struct value *v = &f->value;
  if (v->kind == VALUE_TEXT) *out = arena_copy(r->arena, v->text);
  else if (v->kind == VALUE_BOOL) *out = v->boolean ? SLICE("1") : SLICE("0");
  else if (is_number(v)) {
    if (v->kind == VALUE_INTEGER) snprintf(number, sizeof number, "%lld", (long long)v->integer);
    else snprintf(number, sizeof number, "%.17g", v->number);
    *out = arena_copy(r->arena, slice_text(number));
  } else return wrong(r, v, f->key.ptr, "a string, a number or a boolean");
  return true;
}

static bool read_fault(struct reading *r, const struct value *phase, const struct value *fault, struct sim_phase *p) {
  struct sim_steer tried = sim_steer_none;
  struct err why;
  if (fault == NULL)
    return err_set(r->e, "%s:%d: a phase needs a fault, such as { status = 503 }", r->file, phase->line);
  if (fault->kind != VALUE_TABLE || fault->count == 0)
    return wrong(r, fault, "fault", "a table with keys of the simulator, such as { status = 503 }");
  p->keys = arena_alloc(r->arena, fault->count * sizeof *p->keys);
  p->values = arena_alloc(r->arena, fault->count * sizeof *p->values);
  for (; p->count < fault->count; p->count++) {
    const struct value_field *f = &fault->fields[p->count];
    struct slice *value = &p->values[p->count];
    p->keys[p->count] = arena_copy(r->arena, f->key);
    if (!fault_text(r, f, value)) return false;
    if (!sim_steer_set(&tried, f->key, *value, r->arena, &why))
      return err_set(r->e, "%s:%d: %s", r->file, f->value.line, why.text);
  }
  return true;
}

static bool read_phase(struct reading *r, const struct value *v, uint64_t end_ms, struct sim_phase *p) {
  static const char *const names[] = {"from", "to", "share", "provider", "fault"};
  if (v->kind != VALUE_TABLE)
    return wrong(r, v, "a phase", "a table such as { from = 1, to = 3, fault = { status = 503 } }");
  *p = (struct sim_phase){.share = 1, .to_ms = end_ms};
  const struct value *share = value_get(v, "share");
  if (!known_keys(r, v, "a phase", names, sizeof names / sizeof *names) ||
      !read_seconds(r, value_get(v, "from"), "from", &p->from_ms) ||
      !read_seconds(r, value_get(v, "to"), "to", &p->to_ms) ||
      !read_text(r, value_get(v, "provider"), "provider", &p->provider))
    return false;
  if (p->to_ms <= p->from_ms) return err_set(r->e, "%s:%d: `to` must be later than `from`", r->file, v->line);
  if (share != NULL) {
    if (!is_number(share) || !(share->number >= 0 && share->number <= 1))
      return wrong(r, share, "share", "a share from 0 to 1");
    p->share = share->number;
  }
  p->everybody = slice_eq(p->provider, SLICE("all"));
  return read_fault(r, v, value_get(v, "fault"), p);
}

static bool read_all(struct reading *r, const struct value *tree, struct sim_scenario *s) {
  static const char *const names[] = {"doc", "seconds", "phases"};
  const struct value *seconds = value_get(tree, "seconds"), *phases = value_get(tree, "phases");
  if (tree->kind != VALUE_TABLE) return wrong(r, tree, "a scenario", "a table");
  if (!known_keys(r, tree, "a scenario", names, 3) || !read_text(r, value_get(tree, "doc"), "doc", &s->doc) ||
      !read_seconds(r, seconds, "seconds", &s->seconds_ms))
    return false;
  if (phases == NULL || phases->kind != VALUE_LIST || phases->count == 0)
    return err_set(r->e, "%s:%d: a scenario needs `phases`, a list of tables", r->file,
                   phases ? phases->line : tree->line);
  if (phases->count > PHASES_MAX) return err_set(r->e, "%s:%d: more than %d phases", r->file, phases->line, PHASES_MAX);
  s->phases = arena_alloc(r->arena, phases->count * sizeof *s->phases);
  for (; s->count < phases->count; s->count++) {
    const struct value *v = &phases->items[s->count];
    struct sim_phase *p = &s->phases[s->count];
    if (!read_phase(r, v, seconds ? s->seconds_ms : SECONDS_MAX * (uint64_t)MS_PER_S, p)) return false;
    if (seconds != NULL && p->from_ms >= s->seconds_ms)
      return err_set(r->e, "%s:%d: this phase begins after the scenario's end", r->file, v->line);
    if (seconds == NULL && value_get(v, "to") != NULL && p->to_ms > s->seconds_ms) s->seconds_ms = p->to_ms;
  }
  return true;
}

struct sim_scenario *sim_scenario_read(const char *file, struct arena *arena, struct err *e) {
  struct reading r = {file, arena, e};
  struct sources *sources = sources_new();
  struct value *tree = plain_load(file, sources, e);
  struct sim_scenario *s = arena_alloc(arena, sizeof *s);
  *s = (struct sim_scenario){0};
  bool good = tree != NULL && read_all(&r, tree, s);
  value_free(tree);
  sources_unref(sources);
  return good ? s : NULL;
}

static bool strikes(const struct sim_phase *p, uint64_t at_ms, struct slice strike, struct slice provider) {
  struct slice wanted = p->provider.len > 0 ? p->provider : strike;
  return at_ms >= p->from_ms && at_ms < p->to_ms && (p->everybody || wanted.len == 0 || slice_eq(wanted, provider));
}

void sim_scenario_bend(const struct sim_scenario *s, uint64_t at_ms, struct slice strike, uint64_t draw,
                       struct sim_steer *steer, struct arena *arena) {
  struct err ignored;
  for (unsigned i = 0; i < s->count; i++) {
    const struct sim_phase *p = &s->phases[i];
    if (!strikes(p, at_ms, strike, steer->provider)) continue;
    /* The top 53 bits as a number from 0 to 1, of another draw for each phase. */
    if ((double)(sim_mix(draw, i) >> 11) * 0x1p-53 >= p->share) continue;
    for (unsigned k = 0; k < p->count; k++) sim_steer_set(steer, p->keys[k], p->values[k], arena, &ignored);
  }
}

bool sim_scenario_spares_nobody(const struct sim_scenario *s) {
  for (unsigned i = 0; i < s->count; i++)
    if (s->phases[i].everybody) return true;
  return false;
}
