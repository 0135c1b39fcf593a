/* admin: one function a path. Main thread. */
#include "main/admin.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/secret.h"
#include "gate/account/meter.h"
#include "gate/admission/admission.h"
#include "gate/health/health_report.h"
#include "wire/json.h"

static void reply(struct exchange *x, unsigned status, const char *type, struct slice body) {
  struct buf headers = {0};
  buf_fill(&headers, "content-type: %s\r\ncache-control: no-store\r\nx-content-type-options: nosniff\r\n", type);
  if (status == 401) buf_text(&headers, "www-authenticate: Bearer\r\n");
  struct iovec part = {(char *)body.ptr, body.len};
  exchange_reply(x, status, buf_view(&headers), &part, 1);
  buf_done(&headers);
}

static void refuse(struct exchange *x, unsigned status, const char *code, const char *what) {
  struct buf body = {0};
  buf_fill(&body, "{\"error\":{\"code\":\"%s\",\"message\":", code);
  json_put_string(&body, slice_text(what));
  buf_text(&body, "}}\n");
  reply(x, status, "application/json", buf_view(&body));
  buf_done(&body);
}

/* A name that resolves to loopback in a browser is not loopback (DNS rebinding). */
static bool host_is_loopback(const struct http_head *head) {
  struct slice host = head->host;
  ptrdiff_t port = host.len > 0 && *host.ptr == '[' ? slice_find(host, SLICE("]:")) + 1 : slice_find_byte(host, ':');
  if (port > 0) host.len = (size_t)port;
  return slice_eq_nocase(host, SLICE("localhost")) || slice_starts(host, SLICE("127.")) ||
         slice_eq(host, SLICE("[::1]"));
}

static bool allowed(const struct admin *a, struct exchange *x, const struct http_head *head) {
  if (a->token != NULL) {
    struct slice sent = http_header_of(head, SLICE("authorization"));
    bool bearer = sent.len > 7 && slice_eq_nocase(slice_of(sent.ptr, 7), SLICE("bearer "));
    if (bearer && http_header_count(head, SLICE("authorization")) == 1 && secret_equals(a->token, slice_from(sent, 7)))
      return true;
    refuse(x, 401, "admin_token_wrong", "Send `authorization: Bearer TOKEN` with the config's admin.token.");
    return false;
  }
  if (!host_is_loopback(head)) {
    refuse(x, 403, "host_not_loopback", "Without admin.token this port answers only to a loopback Host.");
    return false;
  }
  if (slice_eq(head->method, SLICE("POST")) && http_header_of(head, SLICE("x-moongate-admin")).ptr == NULL) {
    refuse(x, 403, "admin_header_missing",
           "Send the header `x-moongate-admin: 1` (browsers do not send it across sites), or set admin.token.");
    return false;
  }
  return true;
}

static void metrics(struct exchange *x) {
  struct buf out = {0};
  meter_write(&out);
  reply(x, 200, "text/plain; version=0.0.4; charset=utf-8", buf_view(&out));
  buf_done(&out);
}

static void status(const struct admin *a, struct exchange *x) {
  struct buf out = {0};
  int64_t requests = 0, connections = 0;
  for (unsigned i = 0; i < a->worker_count; i++) {
    requests += atomic_load(&a->workers[i].gate->meter->in_flight);
    connections += atomic_load(&a->workers[i].gate->meter->connections);
  }
  buf_fill(&out,
           "{\"version\":\"%s\",\"generation\":%u,\"uptime_s\":%lld,\"draining\":%s,\"workers\":%u,\"requests_in_"
           "flight\":%lld,\"requests_waiting\":%u,\"client_connections\":%lld,",
           a->version, reloader_generation(a->reloader), (long long)((clock_wall_ms() - a->started_wall_ms) / 1000),
           a->draining ? "true" : "false", a->worker_count, (long long)requests, admission_waiting(),
           (long long)connections);
  health_report(&out, clock_ns());
  buf_text(&out, "}\n");
  reply(x, 200, "application/json", buf_view(&out));
  buf_done(&out);
}

/* The asking exchange may leave before the answer: then only its note stays, without it. */
struct ask {
  struct exchange *exchange;
};

static void put_lines(struct buf *out, const char *lines) {
  buf_byte(out, '[');
  for (struct slice left = slice_text(lines); left.len > 0;) {
    ptrdiff_t end = slice_find_byte(left, '\n');
    json_put_string(out, end < 0 ? left : slice_of(left.ptr, (size_t)end));
    left = end < 0 ? SLICE("") : slice_from(left, (size_t)end + 1);
    if (left.len > 0) buf_byte(out, ',');
  }
  buf_byte(out, ']');
}

static void reloaded(void *owner, const struct reload_result *r) {
  struct ask *ask = owner;
  if (ask->exchange != NULL) {
    struct buf out = {0};
    buf_fill(&out, "{\"ok\":%s,\"unchanged\":%s,\"generation\":%u,", r->ok ? "true" : "false",
             r->unchanged ? "true" : "false", r->generation);
    buf_fill(&out, "\"read_ms\":%.3f,\"build_ms\":%.3f,\"swap_ms\":%.3f,\"changed\":", (double)r->read_us / 1e3,
             (double)r->build_us / 1e3, (double)r->swap_us / 1e3);
    put_lines(&out, r->changed);
    buf_text(&out, ",\"restart\":");
    json_put_string(&out, slice_text(r->restart));
    buf_text(&out, ",\"error\":");
    if (r->ok) buf_text(&out, "null");
    else json_put_string(&out, slice_text(r->error));
    buf_text(&out, "}\n");
    reply(ask->exchange, r->ok ? 200 : 400, "application/json", buf_view(&out));
    exchange_set_owner(ask->exchange, NULL);
    buf_done(&out);
  }
  mem_free(ask);
}

static void upgraded(void *asker, bool ok, pid_t pid, const char *why) {
  struct ask *ask = asker;
  if (ask->exchange != NULL) {
    struct buf out = {0};
    if (ok) {
      buf_fill(&out, "{\"ok\":true,\"pid\":%ld,\"error\":null}\n", (long)pid);
    } else {
      buf_text(&out, "{\"ok\":false,\"error\":");
      json_put_string(&out, slice_text(why));
      buf_text(&out, "}\n");
    }
    reply(ask->exchange, ok ? 200 : 500, "application/json", buf_view(&out));
    exchange_set_owner(ask->exchange, NULL);
    buf_done(&out);
  }
  mem_free(ask);
}

static bool has_work(const struct http_head *head) {
  return slice_eq(head->path, SLICE("/reload")) || slice_eq(head->path, SLICE("/upgrade"));
}

static void opened(void *owner, struct exchange *x, const struct http_head *head) {
  struct admin *a = owner;
  bool get = slice_eq(head->method, SLICE("GET")) || slice_eq(head->method, SLICE("HEAD")),
       post = slice_eq(head->method, SLICE("POST"));
  exchange_set_owner(x, NULL);
  exchange_body_limit(x, 4096);
  if (get && slice_eq(head->path, SLICE("/livez"))) {
    reply(x, 200, "text/plain", SLICE("ok\n"));
  } else if (get && slice_eq(head->path, SLICE("/readyz"))) {
    if (a->draining) reply(x, 503, "text/plain", SLICE("draining\n"));
    else reply(x, 200, "text/plain", SLICE("ready\n"));
  } else if (!allowed(a, x, head)) {
    return;
  } else if (get && slice_eq(head->path, SLICE("/metrics"))) {
    metrics(x);
  } else if (get && slice_eq(head->path, SLICE("/status"))) {
    status(a, x);
  } else if (!(post && has_work(head))) {
    refuse(x, 404, "not_found",
           "Paths: GET /livez /readyz /metrics /status, POST /reload, /reload?back=1 and /upgrade.");
  }
}

static void ready(void *owner, struct exchange *x) {
  struct admin *a = owner;
  struct ask *ask = mem_new(struct ask);
  ask->exchange = x;
  exchange_set_owner(x, ask);
  if (slice_eq(exchange_head(x)->path, SLICE("/upgrade"))) {
    a->upgrade(a->owner, upgraded, ask);
    return;
  }
  bool back = slice_eq(exchange_head(x)->query, SLICE("back=1"));
  reload_now(a->reloader, back ? RELOAD_BACK : RELOAD_FILES, reloaded, ask);
}

static void closed(void *owner, struct exchange *x, enum exchange_end why) {
  (void)owner;
  (void)why;
  struct ask *ask = exchange_owner(x);
  if (ask != NULL) ask->exchange = NULL;
}

static void refusal(void *owner, struct exchange *x, struct slice path, const struct http_refusal *why,
                    struct buf *headers, struct buf *body) {
  (void)x;
  (void)owner;
  (void)path;
  buf_text(headers, "content-type: application/json\r\n");
  buf_fill(body, "{\"error\":{\"code\":\"bad_http\",\"message\":\"%s\"}}\n", why->why);
}

void admin_open(struct admin *a, struct loop *l, int fd) {
  static const struct service service = {opened, ready, NULL, closed, refusal};
  a->started_wall_ms = clock_wall_ms();
  a->version = MOONGATE_VERSION;
  struct server_limits limits = server_limits_default;
  limits.connections = 64;
  a->listener = listener_open_on(l, &fd, 1, NULL, &limits, &service, a);
}

void admin_stop(struct admin *a) {
  listener_stop(a->listener);
}

void admin_close(struct admin *a) {
  if (a->listener != NULL) listener_close(a->listener);
  secret_free(a->token);
}
