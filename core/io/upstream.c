/* upstream: settings and the pool of idle connections. One worker's thread. */
#include "io/upstream.h"

#include <stdio.h>

#include "base/memory.h"
#include "base/must.h"
#include "io/transfer.h"
#include "io/upconn.h"
#include "io/uptls.h"
#include "wire/url.h"

const struct upstream_config upstream_config_default = {
    .connect_ms = 3000, .tls_ms = 3000, .idle_ms = 60000, .connections_idle = 128, .body_bytes = 256u << 20};

static void upstream_free(struct upstream *u) {
  timer_clear(&u->idle_timer);
  if (u->transfers != NULL) transfers_free(u->transfers);
  dialer_done(&u->dialer);
  if (u->tls != NULL) uptls_free(u->tls);
  mem_free(u->host_line);
  mem_free(u);
}

/* Closes what has been unused for idle_ms and sets the timer for the next. */
static void sweep(void *owner) {
  struct upstream *u = owner;
  uint64_t now_ns = loop_now_ns(u->loop), idle_ns = u->idle_ms * UINT64_C(1000000);
  while (!list_empty(&u->idle)) {
    struct upconn *oldest = list_item(u->idle.prev, struct upconn, link);
    uint64_t due_ns = oldest->idle_since_ns + idle_ns;
    if (due_ns > now_ns) {
      timer_set_ms(&u->idle_timer, (due_ns - now_ns) / 1000000 + 1);
      return;
    }
    upstream_drop_idle(u, oldest);
  }
}

struct upstream *upstream_new(struct loop *l, const struct upstream_config *config, struct err *e) {
  struct url url;
  if (!url_parse(slice_text(config->base_url), &url, e)) return NULL;
  struct slice proxy = slice_text(config->proxy);
  if (proxy.len > 0 && !slice_starts(proxy, SLICE("http://")) && !slice_starts(proxy, SLICE("socks"))) {
    err_set(e, "a proxy must be http:// or socks5://");
    return NULL;
  }
  struct uptls *tls = NULL;
  if (url.tls && !config->http2) {
    tls = uptls_new(url.host, config->ca_file, config->insecure, e);
    if (tls == NULL) return NULL;
  }
  struct upstream *u = mem_new(struct upstream);
  u->loop = l;
  u->holders = 1;
  u->tls = tls;
  u->connect_ms = config->connect_ms;
  u->tls_ms = config->tls_ms;
  u->idle_ms = config->idle_ms;
  u->connections_idle = config->connections_idle;
  u->body_bytes = config->body_bytes;
  list_init(&u->idle);
  timer_init(&u->idle_timer, l, sweep, u);

  struct buf text = {0};
  buf_fill(&text, "host: %.*s\r\n", (int)url.authority.len, url.authority.ptr);
  u->host_line = mem_text(text.ptr, text.len);
  u->host_line_bytes = text.len;
  text.len = 0;
  bool six = slice_find_byte(url.host, ':') >= 0;
  buf_fill(&text, "http%s://%s%.*s%s:%u", config->http2 && url.tls ? "s" : "", six ? "[" : "", (int)url.host.len,
           url.host.ptr, six ? "]" : "", url.port);
  buf_byte(&text, '\0');
  dialer_init(&u->dialer, l, text.ptr, config->proxy, config->connect_ms);
  if (config->http2) u->transfers = transfers_new(l, text.ptr, config);
  buf_done(&text);
  return u;
}

struct upstream *upstream_share(struct upstream *u) {
  must(!u->retired);
  u->holders++;
  return u;
}

void upstream_hold(struct upstream *u) {
  must(!u->retired);
  u->calls++;
}

void upstream_let_go(struct upstream *u) {
  must(u->calls > 0);
  if (--u->calls == 0 && u->retired) upstream_free(u);
}

void upstream_retire(struct upstream *u) {
  must(u->holders > 0);
  if (--u->holders > 0) return;
  u->retired = true;
  while (!list_empty(&u->idle)) upstream_drop_idle(u, list_item(u->idle.next, struct upconn, link));
  if (u->calls == 0) upstream_free(u);
}

unsigned upstream_idle_connections(const struct upstream *u) {
  return u->idle_count;
}

struct upconn *upstream_take_idle(struct upstream *u) {
  if (list_empty(&u->idle)) return NULL;
  struct upconn *x = list_item(u->idle.next, struct upconn, link);
  list_remove(&x->link);
  u->idle_count--;
  return x;
}

void upstream_put_idle(struct upstream *u, struct upconn *x) {
  if (u->retired || u->idle_count >= u->connections_idle) {
    upconn_close(x);
    return;
  }
  x->idle_since_ns = loop_now_ns(u->loop);
  list_add_first(&u->idle, &x->link);
  u->idle_count++;
  if (u->idle_timer.due_ns == 0) timer_set_ms(&u->idle_timer, u->idle_ms);
}

void upstream_drop_idle(struct upstream *u, struct upconn *x) {
  list_remove(&x->link);
  u->idle_count--;
  upconn_close(x);
}
