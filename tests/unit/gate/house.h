/* house: the whole gate in one test thread: a loop, a listener with the gate's service, a config built by hand, hooks
 * in C, raw clients. Each wait turns the loop and reads the client in alternation; providers (mock.h) have their
 * threads. */
#ifndef MOONGATE_TESTS_GATE_HOUSE_H
#define MOONGATE_TESTS_GATE_HOUSE_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>

#include "base/arena.h"
#include "base/secret.h"
#include "check.h"
#include "gate/gate.h"
#include "gate/reply.h"
#include "gate/request.h"
#include "mock.h"
#include "wire/recorded.h"

enum { WAIT_MS = 30000 };

/* ---- the config */

struct config_made {
  struct config *config;
  struct adapter *openai, *anthropic;
};

static inline char *text_of(const char *text) {
  return mem_text(text, strlen(text));
}

static inline struct adapter *house_adapter(struct config *c, const char *name, const struct dialect *d) {
  struct adapter *a = mem_new(struct adapter);
  a->name = text_of(name);
  a->dialect = d;
  a->stream_usage = d == &dialect_openai_chat;
  if (d == &dialect_anthropic_messages) a->headers = text_of("anthropic-version: 2023-06-01\r\n");
  c->adapters = mem_resize(c->adapters, (c->adapter_count + 1) * sizeof(struct adapter *));
  return c->adapters[c->adapter_count++] = a;
}

static inline struct config_made house_config(void) {
  struct config *c = config_new();
  c->body_bytes = 8 << 20;
  c->head_bytes = 32768;
  c->head_ms = 5000;
  c->body_ms = 5000;
  c->keep_alive_ms = 75000;
  c->write_idle_ms = 60000;
  c->connections = 1000;
  c->catalogue = catalogue_new();
  return (struct config_made){c, house_adapter(c, "openai", &dialect_openai_chat),
                              house_adapter(c, "anthropic", &dialect_anthropic_messages)};
}

#define HOUSE_KEY "sk-provider-secret-1234"

/* Of a provider, in ms; a second to connect. */
#define TIMEOUTS(first, between, total)                                                                                \
  (struct timeouts) {                                                                                                  \
    .connect_ms = 1000, .first_token_ms = (first), .between_tokens_ms = (between), .total_ms = (total)                 \
  }

static inline struct provider *house_provider(struct config *c, const char *name, struct adapter *a, uint16_t port) {
  struct provider *p = mem_new(struct provider);
  char url[64], identity[64];
  snprintf(url, sizeof url, "http://127.0.0.1:%u/v1", port);
  snprintf(identity, sizeof identity, "http://127.0.0.1:%u", port);
  p->name = text_of(name);
  p->adapter = a;
  p->base_url = text_of(url);
  p->base_path = text_of("/v1");
  p->authority = text_of("127.0.0.1");
  p->dialect = a->dialect;
  p->timeouts = TIMEOUTS(10000, 10000, 30000);
  p->key_count = 1;
  p->keys[0] = (struct provider_key){
      .label = text_of("env TEST_KEY"),
      .line = secret_join(SLICE("authorization: Bearer "), SLICE(HOUSE_KEY), SLICE("\r\n")),
      .bare = secret_new(SLICE(HOUSE_KEY)),
      .identity = text_of(identity),
  };
  p->index = c->provider_count;
  c->providers = mem_resize(c->providers, (c->provider_count + 1) * sizeof(struct provider *));
  return c->providers[c->provider_count++] = p;
}

/* Targets by name, NULL at the end; their providers must be there. */
static inline struct route *house_route(struct config *c, const char *name, ...) {
  struct route *r = mem_new(struct route);
  va_list targets;
  r->name = text_of(name);
  r->policy = text_of("builtin");
  va_start(targets, name);
  for (const char *target; (target = va_arg(targets, const char *)) != NULL;) {
    ptrdiff_t slash = slice_find_byte(slice_text(target), '/');
    struct provider *p = config_provider(c, slice_of(target, (size_t)slash));
    r->targets = mem_resize(r->targets, (r->target_count + 1) * sizeof(struct target *));
    r->targets[r->target_count++] = config_add_target(c, p, slice_text(target + slash + 1));
  }
  va_end(targets);
  r->index = c->route_count;
  c->routes = mem_resize(c->routes, (c->route_count + 1) * sizeof(struct route *));
  return c->routes[c->route_count++] = r;
}

/* models: one allowed name, or NULL for all. */
static inline void house_key(struct config *c, const char *name, const char *secret, const char *model) {
  const struct key *twin;
  struct key k = {.name = text_of(name)};
  if (c->keys == NULL) c->keys = key_table_new();
  if (model != NULL) {
    k.models = mem_zero(2 * sizeof(char *));
    k.models[0] = text_of(model);
  }
  must(key_table_add(c->keys, k, slice_text(secret), &twin));
}

/* ---- generations */

static unsigned house_released;

static inline void house_release(struct generation *g) {
  house_released++;
  config_free(g->config);
  mem_free(g);
}

static inline struct generation *house_generation(struct config *c, const struct hooks *hooks) {
  struct generation *g = mem_new(struct generation);
  static uint32_t number;
  static const struct hooks none;
  g->number = ++number;
  g->config = c;
  g->hooks = hooks ? hooks : &none;
  atomic_init(&g->workers_using, 1);
  g->released = house_release;
  return g;
}

/* ---- the house */

struct house {
  struct loop *loop;
  struct later stop;
  struct gate *gate;
  struct listener *listener;
  struct trace_log *traces;
  char trace_path[64];
  struct buf trace; /* filled by house_trace */
};

static void house_stop_loop(void *owner) {
  loop_stop(((struct house *)owner)->loop);
}

static inline void house_init(struct house *h, struct config *c, const struct hooks *hooks) {
  struct err e = {{0}};
  struct server_limits limits;
  *h = (struct house){.loop = loop_new()};
  h->stop = (struct later){.call = house_stop_loop, .owner = h};
  snprintf(h->trace_path, sizeof h->trace_path, "/tmp/gate-test-trace-%d", (int)getpid());
  unlink(h->trace_path);
  h->traces = trace_log_open(h->trace_path, 1, &e);
  h->gate = gate_new(h->loop, 0, h->traces);
  gate_server_limits(c, &limits);
  gate_adopt(h->gate, house_generation(c, hooks));
  h->listener = listener_open(h->loop, "127.0.0.1:0", false, NULL, &limits, gate_service(), h->gate, &e);
  CHECK_SLICE(slice_text(e.text), "");
  must(h->traces != NULL && h->listener != NULL);
}

/* One turn of the loop that does not sleep. */
static inline void house_turn(struct house *h) {
  loop_later(h->loop, &h->stop);
  loop_run(h->loop);
}

static inline void house_pass_ms(struct house *h, unsigned ms) {
  for (uint64_t end_ns = clock_ns() + ms * 1000000ull; clock_ns() < end_ns; poll(NULL, 0, 1)) house_turn(h);
}

/* Until no request runs. */
static inline bool house_quiet(struct house *h) {
  for (uint64_t end_ns = clock_ns() + WAIT_MS * 1000000ull; h->gate->request_count > 0; poll(NULL, 0, 1)) {
    house_turn(h);
    if (clock_ns() > end_ns) return false;
  }
  house_turn(h);
  return true;
}

/* All records so far, once; the log is closed by it. */
static inline struct slice house_trace(struct house *h) {
  CHECK(house_quiet(h));
  trace_log_close(h->traces);
  h->traces = h->gate->traces = NULL;
  h->trace = recorded_file(h->trace_path);
  return buf_view(&h->trace);
}

static inline void house_done(struct house *h) {
  listener_close(h->listener);
  house_turn(h);
  gate_let_go(h->gate);
  house_turn(h);
  CHECK_INT(h->gate->request_count, 0);
  gate_free(h->gate);
  trace_log_close(h->traces);
  loop_free(h->loop);
  unlink(h->trace_path);
  buf_done(&h->trace);
  arena_drop_spare();
}

/* ---- clients */

struct client {
  struct house *house;
  int fd;
  struct buf got;
  bool eof, reset;
};

static inline void client_open(struct client *c, struct house *h) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in to = {
      .sin_family = AF_INET, .sin_port = htons(listener_port(h->listener)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  must(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
  fcntl(fd, F_SETFL, O_NONBLOCK);
  *c = (struct client){.house = h, .fd = fd};
}

static inline void client_close(struct client *c) {
  if (c->fd >= 0) close(c->fd);
  c->fd = -1;
  buf_done(&c->got);
}

static inline void client_send(struct client *c, struct slice bytes) {
  while (bytes.len > 0) {
    ssize_t n = send(c->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) {
      house_turn(c->house);
      continue;
    }
    if (n < 0) return;
    bytes = slice_from(bytes, (size_t)n);
  }
}

static inline void client_say(struct client *c, const char *text) {
  client_send(c, slice_text(text));
}

static inline void client_read(struct client *c) {
  while (!c->eof) {
    ssize_t n = recv(c->fd, buf_reserve(&c->got, 65536), 65536, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) c->eof = true, c->reset = n < 0;
    else c->got.len += (size_t)n;
  }
}

static inline bool has(struct slice s, const char *text) {
  return slice_find(s, slice_text(text)) >= 0;
}

static inline unsigned count_of(struct slice s, const char *text) {
  unsigned count = 0;
  for (ptrdiff_t at; (at = slice_find(s, slice_text(text))) >= 0; count++) s = slice_from(s, (size_t)at + 1);
  return count;
}

/* Until the client has received `text` (NULL: until the end of the connection). */
static inline bool client_wait(struct client *c, const char *text) {
  uint64_t give_up_ns = clock_ns() + WAIT_MS * 1000000ull;
  for (;;) {
    house_turn(c->house);
    client_read(c);
    if (text ? has(buf_view(&c->got), text) : c->eof) return true;
    if (c->eof || clock_ns() > give_up_ns) {
      fprintf(stderr, "waited for \"%s\"; got: %.*s\n", text ? text : "(end)",
              (int)(c->got.len < 900 ? c->got.len : 900), c->got.ptr ? c->got.ptr : "");
      return false;
    }
    poll(NULL, 0, 1);
  }
}

static inline void client_post_with(struct client *c, const char *path, const char *headers, struct slice body) {
  struct buf out = {0};
  buf_fill(&out, "POST %s HTTP/1.1\r\nhost: gate\r\ncontent-type: application/json\r\n%scontent-length: %zu\r\n\r\n",
           path, headers, body.len);
  buf_slice(&out, body);
  client_send(c, buf_view(&out));
  buf_done(&out);
}

static inline void client_post(struct client *c, const char *path, const char *body) {
  client_post_with(c, path, "", slice_text(body));
}

static inline unsigned client_status(const struct client *c) {
  return c->got.len > 12 ? (unsigned)strtoul(c->got.ptr + 9, NULL, 10) : 0;
}

/* Until one whole answer with a length, or one chunked stream, is there; its body decoded, in *body. */
static inline bool client_answer(struct client *c, struct buf *body) {
  uint64_t give_up_ns = clock_ns() + WAIT_MS * 1000000ull;
  for (;; poll(NULL, 0, 1)) {
    house_turn(c->house);
    client_read(c);
    ptrdiff_t head = slice_find(buf_view(&c->got), SLICE("\r\n\r\n"));
    if (head >= 0) {
      struct slice lines = slice_of(c->got.ptr, (size_t)head + 2),
                   rest = slice_from(buf_view(&c->got), (size_t)head + 4);
      ptrdiff_t length = slice_find(lines, SLICE("\r\ncontent-length: "));
      body->len = 0;
      if (client_status(c) == 204) return true;
      if (length >= 0) {
        size_t bytes = strtoull(lines.ptr + length + 18, NULL, 10);
        buf_append(body, rest.ptr, rest.len < bytes ? rest.len : bytes);
        if (rest.len >= bytes) return true;
      } else {
        struct http_chunked chunks = {0};
        struct http_refusal why;
        struct slice piece;
        enum http_chunk step;
        while ((step = http_chunked_next(&chunks, &rest, &piece, &why)) == HTTP_CHUNK_DATA) buf_slice(body, piece);
        if (step != HTTP_CHUNK_MORE) return step == HTTP_CHUNK_END;
      }
    }
    if (c->eof || clock_ns() > give_up_ns) {
      fprintf(stderr, "no whole answer; got: %.*s\n", (int)(c->got.len < 900 ? c->got.len : 900),
              c->got.ptr ? c->got.ptr : "");
      return false;
    }
  }
}

/* One request on a fresh connection and its whole answer; returns the status. */
static inline unsigned ask(struct house *h, const char *path, const char *headers, const char *body,
                           struct buf *head_and_body, struct buf *answer) {
  struct client c;
  client_open(&c, h);
  client_post_with(&c, path, headers, slice_text(body));
  CHECK(client_answer(&c, answer));
  unsigned status = client_status(&c);
  if (head_and_body != NULL) {
    head_and_body->len = 0;
    buf_slice(head_and_body, buf_view(&c.got));
  }
  client_close(&c);
  return status;
}

#endif
