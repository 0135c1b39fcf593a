/* output: a client connection's queue towards the kernel. Worker's thread. What is written in one turn is collected and
 * leaves in one send; only a full socket is waited for. Knows no HTTP. */
#include <event2/event.h>

#include "base/memory.h"
#include "base/must.h"
#include "io/conn.h"

size_t conn_unsent(const struct conn *c) {
  return c->out.len - c->out_sent;
}

void conn_drop_output(struct conn *c) {
  struct listener *s = c->listener;
  c->out.len = c->out_sent = 0;
  if (c->out.ptr == NULL) return;
  if (s->buf_count < SPARE_BUFS && c->out.cap <= SPARE_BUF_BYTES) {
    s->bufs[s->buf_count++] = c->out;
    c->out = (struct buf){0};
  } else {
    buf_done(&c->out);
  }
}

char *conn_reserve(struct conn *c, size_t bytes) {
  struct listener *s = c->listener;
  if (c->out.ptr == NULL && s->buf_count > 0) c->out = s->bufs[--s->buf_count];
  if (c->out_sent > 0 && c->out_sent >= c->out.len / 2 && c->out.len + bytes + BUF_SLACK > c->out.cap) {
    buf_drop_front(&c->out, c->out_sent);
    c->out_sent = 0;
  }
  return buf_reserve(&c->out, bytes);
}

void conn_queue(struct conn *c, const struct iovec *parts, int count, size_t skip_bytes) {
  size_t bytes = 0;
  for (int i = 0; i < count; i++) bytes += parts[i].iov_len;
  if (bytes == skip_bytes) return;
  conn_reserve(c, bytes - skip_bytes);
  for (int i = 0; i < count; i++) {
    size_t off = skip_bytes < parts[i].iov_len ? skip_bytes : parts[i].iov_len;
    skip_bytes -= off;
    if (off < parts[i].iov_len) buf_append(&c->out, (const char *)parts[i].iov_base + off, parts[i].iov_len - off);
  }
}

/* The kernel has no room to watch it (epoll_ctl(2): ENOMEM, ENOSPC): nobody would hear of it again. */
static void unwatched(struct conn *c) {
  c->broken = true;
  conn_later(c);
}

void conn_watch_output(struct conn *c, bool wanted) {
  if (wanted == (c->writable != NULL)) return;
  if (wanted) {
    /* libevent refuses edge- and level-triggered events on one descriptor. */
    short what = (short)(EV_WRITE | EV_PERSIST | (c->edge ? EV_ET : 0));
    c->writable = mem_alloc(sizeof *c->writable);
    must(event_assign(c->writable, loop_base(c->listener->loop), c->transport.fd, what, conn_writable, c) == 0);
    if (event_add(c->writable, NULL) == 0) return;
    unwatched(c);
  } else {
    event_del(c->writable);
  }
  mem_free(c->writable);
  c->writable = NULL;
}

/* Edge-triggered while full: unread bytes would otherwise wake the loop without end, and without an event for reading
 * nobody would hear that the client left. */
void conn_watch_input(struct conn *c, bool full) {
  if (c->edge == full) return;
  bool output = c->writable != NULL;
  conn_watch_output(c, false);
  event_del(&c->readable);
  c->edge = full;
  short what = (short)(EV_READ | EV_PERSIST | (full ? EV_ET : 0));
  must(event_assign(&c->readable, loop_base(c->listener->loop), c->transport.fd, what, event_get_callback(&c->readable),
                    c) == 0);
  if (event_add(&c->readable, NULL) != 0) unwatched(c);
  conn_watch_output(c, output);
}

static void push(struct conn *c, const struct iovec *parts, int count) {
  struct iovec all[SEND_PARTS + 1];
  size_t queued = conn_unsent(c);
  int n = 0;
  if (queued > 0) all[n++] = (struct iovec){c->out.ptr + c->out_sent, queued};
  for (int i = 0; i < count; i++) all[n++] = parts[i];
  if (n == 0) return;
  ssize_t sent = transport_send(&c->transport, all, n, c->listener->record);
  if (sent == TRANSPORT_GONE) {
    c->broken = true;
    conn_drop_output(c);
    conn_watch_output(c, false);
    conn_later(c);
    return;
  }
  if (c->exchange != NULL) c->exchange->sent_bytes += (size_t)sent;
  size_t of_queue = (size_t)sent < queued ? (size_t)sent : queued;
  c->out_sent += of_queue;
  conn_queue(c, parts, count, (size_t)sent - of_queue);
  bool full = conn_unsent(c) > 0, was_full = c->writable != NULL;
  if (!full) conn_drop_output(c);
  conn_watch_output(c, full);
  if (c->phase != CONN_ANSWER || (!full && !was_full)) return;
  if (!full) timer_park(&c->timer);
  else if (sent > 0 || !was_full) timer_set_ms(&c->timer, c->listener->limits.write_idle_ms);
}

void conn_send(struct conn *c, const struct iovec *parts, int count) {
  if (c->broken) return;
  if (c->writable != NULL && conn_unsent(c) > 0) conn_queue(c, parts, count, 0);
  else push(c, parts, count);
}

void conn_flush(struct conn *c) {
  if (!c->broken) push(c, NULL, 0);
}
