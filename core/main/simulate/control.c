/* simulate_control: /simulate/…, by which tests ask what was received and change the defaults while it runs. Any worker
 * answers for all. */
#include "base/memory.h"
#include "main/simulate/json.h"
#include "main/simulate/worker.h"
#include "wire/json.h"

enum { LIST_DEFAULT = 20 };

static void reply(struct exchange *x, unsigned status, const struct buf *body) {
  exchange_reply(x, status, SLICE("content-type: application/json\r\n"), &(struct iovec){body->ptr, body->len}, 1);
}

void sim_defaults_set(struct simulator *s, const struct sim_steer *steer) {
  struct sim_defaults *fresh = mem_new(struct sim_defaults);
  arena_init(&fresh->arena);
  fresh->steer = *steer;
  struct slice *const texts[] = {
      &fresh->steer.type,   &fresh->steer.text,   &fresh->steer.thinking_text, &fresh->steer.tools,
      &fresh->steer.finish, &fresh->steer.header, &fresh->steer.provider,      NULL};
  for (struct slice *const *text = texts; *text != NULL; text++) **text = arena_copy(&fresh->arena, **text);
  pthread_mutex_lock(&s->lock);
  fresh->before = atomic_load(&s->defaults);
  atomic_store_explicit(&s->defaults, fresh, memory_order_release);
  pthread_mutex_unlock(&s->lock);
}

/* A JSON object of keys and plain values, or the words of the header x-simulate. */
static bool read_config(struct slice body, struct sim_steer *steer, struct arena *arena, struct err *e) {
  struct json_fault fault;
  struct slice key, value;
  if (slice_trim(body).len == 0 || *slice_trim(body).ptr != '{') return sim_steer_parse(steer, body, arena, e);
  if (!json_valid(body, &fault)) return err_set(e, "not JSON: %s at byte %zu", fault.why, fault.at);
  while (sim_json_member(&body, &key, &value)) {
    struct slice text = *value.ptr == '"' ? sim_json_text(arena, value) : value;
    if (!sim_steer_set(steer, key, text, arena, e)) return false;
  }
  return true;
}

static void config(struct sim_worker *w, struct exchange *x, struct buf *out) {
  struct sim_steer steer = atomic_load(&w->simulator->defaults)->steer;
  struct arena arena;
  struct err e;
  arena_init(&arena);
  bool good = read_config(exchange_body(x), &steer, &arena, &e);
  if (good) sim_defaults_set(w->simulator, &steer);
  arena_done(&arena);
  if (good) {
    buf_text(out, "{\"ok\":true}\n");
  } else {
    buf_text(out, "{\"error\":");
    json_put_string(out, slice_text(e.text));
    buf_text(out, "}\n");
  }
  reply(x, good ? 200 : 400, out);
}

static void reset(struct sim_worker *w, struct exchange *x, struct buf *out) {
  struct simulator *s = w->simulator;
  sim_defaults_set(s, &s->given);
  pthread_mutex_lock(&s->lock);
  memset(s->counts, 0, sizeof s->counts);
  pthread_mutex_unlock(&s->lock);
  atomic_store(&s->requests, 0);
  atomic_store(&s->began_ns, 0);
  for (unsigned i = 0; i < s->worker_count; i++) sim_record_clear(s->recorders[i]);
  buf_text(out, "{\"ok\":true}\n");
  reply(x, 200, out);
}

static void requests(struct sim_worker *w, struct exchange *x, struct buf *out) {
  uint64_t most = LIST_DEFAULT;
  struct slice query = exchange_head(x)->query;
  if (slice_starts(query, SLICE("n="))) slice_to_u64(slice_from(query, 2), &most);
  sim_record_list(w->simulator->recorders, w->simulator->worker_count, most > UINT32_MAX ? UINT32_MAX : (unsigned)most,
                  out);
  reply(x, 200, out);
}

static void stats(struct sim_worker *w, struct exchange *x, struct buf *out) {
  sim_record_stats(w->simulator->recorders, w->simulator->worker_count, out);
  reply(x, 200, out);
}

static const struct {
  struct slice method, path;
  void (*run)(struct sim_worker *w, struct exchange *x, struct buf *out);
} rows[] = {
    {SLICE_INIT("GET"), SLICE_INIT("/simulate/requests"), requests},
    {SLICE_INIT("GET"), SLICE_INIT("/simulate/stats"), stats},
    {SLICE_INIT("POST"), SLICE_INIT("/simulate/config"), config},
    {SLICE_INIT("POST"), SLICE_INIT("/simulate/reset"), reset},
};

void sim_control(struct sim_worker *w, struct exchange *x) {
  const struct http_head *head = exchange_head(x);
  struct buf *out = &w->out;
  out->len = 0;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (slice_eq(head->method, rows[i].method) && slice_eq(head->path, rows[i].path)) {
      rows[i].run(w, x, out);
      return;
    }
  buf_text(
      out,
      "{\"error\":\"GET /simulate/requests, GET /simulate/stats, POST /simulate/config, POST /simulate/reset\"}\n");
  reply(x, 404, out);
}
