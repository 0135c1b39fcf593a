/* trace: the record of a request made by hand: every field of the table in its order, valid JSON whatever the names. */
#include "gate/account/trace.h"

#include "check.h"
#include "gate/request.h"
#include "wire/json.h"

static const char *const names[] = {
#define FIELD(name, type, put, doc) name,
#include "gate/account/trace_table.h"
#undef FIELD
};
enum { FIELDS = sizeof names / sizeof *names };

#define HOSTILE                                                                                                        \
  "a\"b\\c\nd\x01"                                                                                                     \
  "e\xff\xc3\xa9</script>"

static struct generation generation = {.number = 3};
static struct tenure tenure = {.generation = &generation};
static struct gate gate = {.worker = 2};
static struct provider provider = {.name = HOSTILE, .keys = {{.label = HOSTILE}}};
static struct price price = {.date = "2026-01-02"};
static struct target target = {
    .name = SLICE_INIT("p/m"), .model = SLICE_INIT(HOSTILE), .provider = &provider, .price = &price};
static struct team team = {.name = HOSTILE};
static struct key key = {.name = HOSTILE, .team = &team};

static void fill(struct request *r, struct attempt *a) {
  static const struct endpoint endpoint = {.operation = OPERATION_EMBEDDINGS};
  *r = (struct request){.gate = &gate,
                        .endpoint = &endpoint,
                        .tenure = &tenure,
                        .dialect = &dialect_openai_chat,
                        .method = SLICE("POST"),
                        .path = SLICE(HOSTILE),
                        .peer = "127.0.0.1:1",
                        .route_name = SLICE(HOSTILE),
                        .fault = {.code = FAULT_COUNT}};
  memcpy(r->id, "req_0123456789abcdefghijklmn", REQUEST_ID_BYTES);
  r->opened_ns = 1000000000;
  r->ended_ns = 1012345678;
  r->opened_wall_ms = 1767312000123;
  if (a == NULL) return;
  *a = (struct attempt){.request = r, .number = 1, .target = &target, .status = 200, .phase = ATTEMPT_DONE};
  snprintf(a->failure_text, sizeof a->failure_text, "%s", HOSTILE);
  snprintf(a->provider_request_id, sizeof a->provider_request_id, "%s", HOSTILE);
  a->started_ns = 1001000000;
  a->first_content_ns = 1005000000;
  a->ended_ns = 1011000000;
  a->times = (struct upcall_times){
      .started_ns = 1001000000, .connected_ns = 1002500000, .sent_ns = 1002501000, .head_ns = 1004000000};
  a->reading.finish = FINISH_TOOL_CALLS;
  a->cost_pico_usd = 1000000000001;
  r->attempts = r->source = a;
  r->plan[0] = &target;
  r->plan_count = 1;
  r->key = &key;
  r->asked.model = SLICE(HOSTILE);
  r->asked.stream = true;
  r->losses = SLICE("top_k,seed");
  r->cost_pico_usd = a->cost_pico_usd;
  r->usage = (struct usage){.input_tokens = 10,
                            .output_tokens = 5,
                            .cache_read_tokens = 3,
                            .cache_write_tokens = 1,
                            .cache_write_1h_tokens = 1,
                            .source = USAGE_PROVIDER};
  r->status = 200;
}

static struct slice field(const struct buf *record, const char *name) {
  const char *path[] = {name, NULL};
  return json_find(buf_view(record), path);
}

struct order {
  unsigned next;
};

static enum json_walk_step in_order(void *owner, enum json_kind kind, struct slice at, struct slice text,
                                    struct slice raw, size_t count) {
  struct order *o = owner;
  (void)text, (void)raw;
  if (at.ptr == NULL) {
    CHECK(kind == JSON_OBJECT);
    CHECK_INT(count, FIELDS);
    return JSON_WALK_ENTER;
  }
  if (o->next < FIELDS) CHECK_SLICE(at, names[o->next]);
  o->next++;
  return JSON_WALK_SKIP;
}

static bool ends(void *owner) {
  (void)owner;
  return true;
}

static void formatted(struct buf *out, const struct request *r) {
  static const struct json_walker walker = {in_order, ends};
  struct order o = {0};
  struct json_fault fault = {0};
  out->len = 0;
  trace_format(out, r);
  CHECK_INT(out->ptr[out->len - 1], '\n');
  CHECK(memchr(out->ptr, '\n', out->len - 1) == NULL);
  CHECK(json_walk(slice_of(out->ptr, out->len - 1), &walker, &o, &fault));
  if (fault.why != NULL) fprintf(stderr, "%s at %zu of %.*s\n", fault.why, fault.at, (int)out->len, out->ptr);
  CHECK_INT(o.next, FIELDS);
}

TEST(every_field_is_there_in_the_tables_order) {
  struct request r;
  struct attempt a;
  struct buf out = {0};
  fill(&r, &a);
  formatted(&out, &r);
  CHECK_SLICE(field(&out, "request_id"), "\"req_0123456789abcdefghijklmn\"");
  CHECK_SLICE(field(&out, "provider_chosen"), "\"a\\\"b\\\\c\\nd\\u0001e\xef\xbf\xbd\xc3\xa9</script>\"");
  CHECK_SLICE(field(&out, "latency_ms"), "12.345");
  CHECK_SLICE(field(&out, "ttft_ms"), "null");
  CHECK_SLICE(field(&out, "overhead_ms"), "2.345");
  CHECK_SLICE(field(&out, "cost_usd"), "1.000000000001");
  CHECK_SLICE(field(&out, "cost_pico_usd"), "1000000000001");
  CHECK_SLICE(field(&out, "ts"), "\"2026-01-02T00:00:00.123Z\"");
  CHECK_SLICE(field(&out, "cache_write_tokens"), "2");
  CHECK_SLICE(field(&out, "losses"), "[\"top_k\",\"seed\"]");
  CHECK_SLICE(field(&out, "fallback_used"), "false");
  CHECK_SLICE(field(&out, "finish_reason"), "\"tool_calls\"");
  CHECK_SLICE(field(&out, "price_date"), "\"2026-01-02\"");
  struct json_field times[] = {{.key = SLICE("attempts.0.connect_ms")},
                               {.key = SLICE("attempts.0.send_ms")},
                               {.key = SLICE("attempts.0.wait_ms")},
                               {.key = SLICE("attempts.0.total_ms")}};
  CHECK(json_pick(buf_view(&out), times, 4));
  CHECK_SLICE(times[0].raw, "1.5");
  CHECK_SLICE(times[1].raw, "0.001");
  CHECK_SLICE(times[2].raw, "1.499");
  CHECK_SLICE(times[3].raw, "10");
  buf_done(&out);
}

TEST(request_that_was_never_routed_has_every_field_too) {
  struct request r;
  struct buf out = {0};
  fill(&r, NULL);
  fault_set(&r.fault, FAULT_KEY_MISSING, "no %s", HOSTILE);
  r.outcome = OUTCOME_REFUSED;
  formatted(&out, &r);
  CHECK_SLICE(field(&out, "provider_chosen"), "null");
  CHECK_SLICE(field(&out, "model_requested"), "null");
  CHECK_SLICE(field(&out, "key"), "null");
  CHECK_SLICE(field(&out, "error_code"), "\"key_missing\"");
  CHECK_SLICE(field(&out, "outcome"), "\"refused\"");
  CHECK_SLICE(field(&out, "attempts"), "[]");
  CHECK_SLICE(field(&out, "losses"), "[]");
  CHECK_SLICE(field(&out, "cost_usd"), "0");
  buf_done(&out);
}

TEST(money_is_exact_to_the_last_digit) {
  static const struct {
    int64_t pico;
    const char *usd;
  } rows[] = {{1, "0.000000000001"},
              {10, "0.00000000001"},
              {250000, "0.00000025"},
              {999999999999, "0.999999999999"},
              {1000000000000, "1"},
              {1500000000000, "1.5"},
              {INT64_MAX, "9223372.036854775807"}};
  struct request r;
  struct buf out = {0};
  fill(&r, NULL);
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    r.cost_pico_usd = rows[i].pico;
    formatted(&out, &r);
    CHECK_SLICE(field(&out, "cost_usd"), rows[i].usd);
  }
  buf_done(&out);
}

TEST(manual_has_a_row_a_field) {
  struct buf out = {0};
  unsigned rows = 0;
  trace_reference(&out);
  for (struct slice s = buf_view(&out); s.len > 0; s = slice_from(s, 1)) rows += slice_starts(s, SLICE("\n| `"));
  CHECK_INT(rows, FIELDS);
  buf_done(&out);
}

UNIT_MAIN()
