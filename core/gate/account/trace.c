/* trace: formatting of the record. The worker's thread, after the client has been served. The log itself is
 * trace_log.c. */
#include "gate/account/trace.h"

#include "base/clock.h"
#include "gate/request.h"
#include "wire/json.h"

static void put_text(struct buf *out, struct slice s) {
  json_put_string(out, s);
}

/* One of our own words: nothing in it needs an escape. */
static void put_word(struct buf *out, struct slice word) {
  char *to = buf_reserve(out, word.len + 2);
  *to = '"';
  memcpy(to + 1, word.ptr, word.len);
  to[word.len + 1] = '"';
  out->len += word.len + 2;
}

static void put_null(struct buf *out) {
  buf_slice(out, SLICE("null"));
}

static void put_name_slice(struct buf *out, struct slice s) {
  if (s.len == 0) put_null(out);
  else json_put_string(out, s);
}

static void put_name(struct buf *out, const char *name) {
  put_name_slice(out, slice_text(name));
}

static void put_bool(struct buf *out, bool yes) {
  buf_slice(out, yes ? SLICE("true") : SLICE("false"));
}

static void put_fraction(struct buf *out, uint64_t whole, uint64_t part, unsigned digits) {
  char *to = buf_reserve(out, 20 + 1 + 20);
  size_t len = digits_u64(to, whole);
  if (part > 0) {
    to[len++] = '.';
    digits_fill(to + len, part, digits);
    len += digits;
    while (to[len - 1] == '0') len--;
  }
  out->len += len;
}

static void put_ms(struct buf *out, uint64_t ns) {
  put_fraction(out, ns / 1000000, ns / 1000 % 1000, 3);
}

static void put_usd(struct buf *out, int64_t pico) {
  put_fraction(out, (uint64_t)pico / 1000000000000u, (uint64_t)pico % 1000000000000u, 12);
}

static void put_since(struct buf *out, uint64_t from_ns, uint64_t to_ns) {
  if (from_ns == 0 || to_ns < from_ns) put_null(out);
  else put_ms(out, to_ns - from_ns);
}

static void put_date(struct buf *out, int64_t wall_ms) {
  buf_byte(out, '"');
  clock_rfc3339(wall_ms, buf_reserve(out, CLOCK_RFC3339_BYTES));
  out->len += CLOCK_RFC3339_BYTES;
  buf_byte(out, '"');
}

/* "provider/model" of an answer that was another request's; empty: none, or nobody gave it. */
static struct slice followed_target(const struct request *r) {
  return r->coalesced != NULL ? r->coalesced->target : SLICE("");
}

static void put_provider(struct buf *out, const struct request *r, const struct attempt *a) {
  struct slice target = followed_target(r);
  ptrdiff_t slash = slice_find_byte(target, '/');
  put_name_slice(out, a ? slice_text(a->target->provider->name) : slice_of(target.ptr, slash > 0 ? (size_t)slash : 0));
}

static void put_model(struct buf *out, const struct request *r, const struct attempt *a) {
  struct slice target = followed_target(r);
  ptrdiff_t slash = slice_find_byte(target, '/');
  put_name_slice(out, a ? a->target->model : slash > 0 ? slice_from(target, (size_t)slash + 1) : SLICE(""));
}

static void put_code(struct buf *out, const struct request *r) {
  put_name(out, r->fault.code < FAULT_COUNT ? fault_code_text(&r->fault) : "");
}

static void put_error(struct buf *out, const struct request *r) {
  put_name(out, r->fault.code < FAULT_COUNT ? r->fault.text : "");
}

/* "a,b" → ["a","b"] */
static void put_list(struct buf *out, struct slice names) {
  buf_byte(out, '[');
  while (names.len > 0) {
    ptrdiff_t comma = slice_find_byte(names, ',');
    struct slice one = comma < 0 ? names : slice_of(names.ptr, (size_t)comma);
    json_put_string(out, one);
    names = comma < 0 ? SLICE("") : slice_from(names, (size_t)comma + 1);
    if (names.len > 0) buf_byte(out, ',');
  }
  buf_byte(out, ']');
}

static void put_skips(struct buf *out, const struct health_skip *s) {
  buf_byte(out, '[');
  for (; s != NULL; s = s->next) {
    buf_slice(out, SLICE("{\"provider\":"));
    put_text(out, slice_text(s->target->provider->name));
    buf_slice(out, SLICE(",\"model\":"));
    put_text(out, s->target->model);
    buf_slice(out, SLICE(",\"why\":"));
    put_word(out, slice_text(health_why_name(s->why)));
    buf_slice(out, SLICE(",\"left_ms\":"));
    buf_u64(out, s->left_ms);
    buf_byte(out, '}');
    if (s->next != NULL) buf_byte(out, ',');
  }
  buf_byte(out, ']');
}

static struct slice usage_source_name(enum usage_source source) {
  return source == USAGE_PROVIDER ? SLICE("provider") : source == USAGE_ESTIMATED ? SLICE("estimated") : SLICE("none");
}

static void put_queued(struct buf *out, const struct request *r) {
  if (r->admission == NULL || r->admission->waited_ns == 0) put_null(out);
  else put_ms(out, r->admission->waited_ns);
}

static void put_drained(struct buf *out, const struct request *r) {
  uint64_t last_ns = r->disconnect.left_ns;
  for (const struct attempt *a = r->attempts; a != NULL; a = a->next)
    if (a->ended_ns > last_ns) last_ns = a->ended_ns;
  if (r->disconnect.reads_on) put_ms(out, last_ns - r->disconnect.left_ns);
  else put_null(out);
}

static struct slice coalesced_with(const struct request *r) {
  bool follows = r->coalesced != NULL && r->coalesced->with[0] != '\0';
  return follows ? slice_of(r->coalesced->with, REQUEST_ID_BYTES) : SLICE("");
}

static uint64_t overhead_ns(const struct request *r) {
  uint64_t total = r->ended_ns - r->opened_ns, waited = r->followed_ns;
  for (const struct attempt *a = r->attempts; a != NULL; a = a->next) waited += attempt_shared_ns(a, r->ended_ns);
  waited -= hedge_overlap_ns(r);
  return total > waited ? total - waited : 0;
}

static void put_attempts(struct buf *out, const struct request *r) {
  buf_byte(out, '[');
  for (const struct attempt *a = r->attempts; a != NULL; a = a->next) {
    const struct upcall_times *t = &a->times;
    buf_slice(out, SLICE("{\"n\":"));
    buf_u64(out, a->number);
    buf_slice(out, SLICE(",\"provider\":"));
    put_text(out, slice_text(a->target->provider->name));
    buf_slice(out, SLICE(",\"model\":"));
    put_text(out, a->target->model);
    buf_slice(out, SLICE(",\"key\":"));
    put_name(out, a->target->provider->keys[a->key_index].label);
    buf_slice(out, SLICE(",\"status\":"));
    buf_u64(out, a->status);
    buf_slice(out, SLICE(",\"class\":"));
    put_word(out, slice_text(failure_row(a->failure)->name));
    buf_slice(out, SLICE(",\"error\":"));
    put_name(out, a->failure_text);
    buf_slice(out, SLICE(",\"waited_ms\":"));
    buf_u64(out, a->waited_ms);
    buf_slice(out, SLICE(",\"connect_ms\":"));
    put_since(out, t->started_ns, t->connected_ns);
    buf_slice(out, SLICE(",\"send_ms\":"));
    put_since(out, t->connected_ns, t->sent_ns);
    buf_slice(out, SLICE(",\"wait_ms\":"));
    put_since(out, t->sent_ns, t->head_ns);
    buf_slice(out, SLICE(",\"first_token_ms\":"));
    put_since(out, a->started_ns, a->first_content_ns);
    buf_slice(out, SLICE(",\"total_ms\":"));
    put_since(out, a->started_ns, a->ended_ns);
    buf_slice(out, SLICE(",\"reused\":"));
    put_bool(out, t->reused);
    buf_slice(out, SLICE(",\"resent\":"));
    put_bool(out, t->resent);
    if (a->claim.probed) buf_slice(out, SLICE(",\"probe\":true"));
    if (a->resumes) buf_slice(out, SLICE(",\"recovered\":true"));
    if (a->is_hedge) buf_slice(out, SLICE(",\"hedge\":true"));
    buf_slice(out, SLICE(",\"provider_request_id\":"));
    put_name(out, a->provider_request_id);
    buf_slice(out, SLICE(",\"input_tokens\":"));
    buf_u64(out, a->reading.usage.input_tokens);
    buf_slice(out, SLICE(",\"output_tokens\":"));
    buf_u64(out, a->reading.usage.output_tokens);
    buf_slice(out, SLICE(",\"usage_source\":"));
    put_text(out, usage_source_name(a->reading.usage.source));
    buf_slice(out, SLICE(",\"cost_pico_usd\":"));
    buf_i64(out, a->cost_pico_usd);
    buf_byte(out, '}');
    if (a->next != NULL) buf_byte(out, ',');
  }
  buf_byte(out, ']');
}

void trace_format(struct buf *out, const struct request *r) {
  const struct attempt *final = r->source;
  if (final == NULL)
    for (const struct attempt *a = r->attempts; a != NULL; a = a->next) final = a;
  buf_reserve(out, 2048);
  size_t start = out->len;
#define FIELD(name, type, put, doc)                                                                                    \
  buf_slice(out, SLICE(",\"" name "\":"));                                                                             \
  put;
#include "gate/account/trace_table.h"
#undef FIELD
  out->ptr[start] = '{'; /* where the first field has its comma */
  buf_slice(out, SLICE("}\n"));
}

void trace_reference(struct buf *out) {
  buf_text(out, "| field | type | meaning |\n| --- | --- | --- |\n");
#define FIELD(name, type, put, doc) buf_text(out, "| `" name "` | " type " | " doc " |\n");
#include "gate/account/trace_table.h"
#undef FIELD
}
