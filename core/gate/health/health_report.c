/* health_report: see the header. */
#include "gate/health/health_report.h"

#include "gate/attempt/target.h"
#include "gate/health/key_state.h"
#include "gate/health/provider_state.h"
#include "wire/json.h"

struct keys_of {
  struct buf *out;
  const char *provider;
  uint64_t now_ns;
};

static const char *yes_or_no(bool yes) {
  return yes ? "true" : "false";
}

static void separate(struct buf *out) {
  if (out->ptr[out->len - 1] != '[') buf_byte(out, ',');
}

static void put_breaker(struct buf *out, const char *name, const struct breaker *b, uint64_t now_ns) {
  buf_fill(out, ",\"%s\":%s,\"%s_for_ms\":%u", name, yes_or_no(atomic_load(&b->until_ns) != 0), name,
           breaker_left_ms(b, now_ns));
}

static void put_key(void *owner, const struct key_state *s) {
  struct keys_of *keys = owner;
  if (strcmp(s->provider, keys->provider) != 0) return;
  separate(keys->out);
  buf_text(keys->out, "{\"key\":");
  json_put_string(keys->out, slice_text(s->label));
  put_breaker(keys->out, "benched", &s->breaker, keys->now_ns);
  buf_byte(keys->out, '}');
}

static void put_provider(struct buf *out, const struct provider_state *s, uint64_t now_ns) {
  separate(out);
  buf_text(out, "{\"name\":");
  json_put_string(out, slice_text(s->name));
  buf_fill(out, ",\"checks_fail\":%s,\"availability\":{", yes_or_no(atomic_load(&s->down)));
  for (enum availability_window w = 0; w < AVAILABILITY_COUNT; w++) {
    struct availability a = provider_availability(s, w, now_ns);
    buf_fill(out, "%s\"%s\":{\"share\":", w > 0 ? "," : "", availability_name(w));
    if (availability_share(a) < 0) buf_text(out, "null");
    else buf_fill(out, "%.6f", availability_share(a));
    buf_fill(out, ",\"attempts\":%llu}", (unsigned long long)availability_attempts(a));
  }
  buf_text(out, "},\"keys\":[");
  key_state_each(put_key, &(struct keys_of){out, s->name, now_ns});
  buf_text(out, "]}");
}

static void put_target(struct buf *out, const struct target_state *s, uint64_t now_ns) {
  separate(out);
  buf_text(out, "{\"name\":");
  json_put_string(out, slice_text(s->name));
  put_breaker(out, "ejected", &s->breaker, now_ns);
  buf_fill(out, ",\"failures_in_row\":%u,\"in_flight\":%d}", atomic_load(&s->failures_in_row),
           atomic_load(&s->in_flight));
}

void health_report(struct buf *out, uint64_t now_ns) {
  buf_text(out, "\"providers\":[");
  for (const struct provider_state *s = provider_state_first(); s != NULL; s = s->next) put_provider(out, s, now_ns);
  buf_text(out, "],\"targets\":[");
  for (const struct target_state *s = target_state_first(); s != NULL; s = s->next) put_target(out, s, now_ns);
  buf_byte(out, ']');
}
