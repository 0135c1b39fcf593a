/* upcall: the life of one call on a pooled connection. One worker's thread.
 *
 * A call owns its connection from the moment it got one until the answer's end. Its memory goes one turn after its
 * last event, so that every function here may go on after an event in which the call was cancelled; `over` says so. */
#include "io/upcall.h"

#include <curl/curl.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/must.h"
#include "io/answer.h"
#include "io/transfer.h"
#include "io/upconn.h"
#include "io/upstream.h"

/* A body of up to JOINED_BYTES is copied behind its head: one piece is cheaper for the kernel than several. */
enum { READ_BYTES = 64 * 1024, SEND_PARTS = 16, JOINED_BYTES = 4096 };

struct upcall {
  struct buf memory; /* holds this struct too */
  struct upstream *upstream;
  struct upcall_events events;
  void *owner;
  struct dial *dial;                /* while a connection is opened */
  struct upconn *conn;              /* from then on, until the answer's end */
  struct transfer *transfer;        /* instead of these two with HTTP/2 */
  struct buf head;                  /* the request's head, and a small body; empty once it cannot be needed again */
  size_t secret_at, secret_bytes;   /* in head */
  uint64_t sent_bytes, total_bytes; /* of head and body */
  struct answer answer;
  struct buf held;      /* received, not yet handed over: part of a head, or what came before a pause */
  struct slice *unread; /* while events are told: what is behind the present piece */
  const char *refused;  /* why it cannot even start */
  struct upcall_times times;
  uint64_t since_ns; /* of the present phase */
  struct later later;
  bool over, paused;
  bool answered; /* a byte of an answer came */
  bool resent;
  int body_parts;
  struct iovec body[];
};

/* What recv fills and the answer is parsed in: one for each thread that has calls, from its first to the thread's end.
 * As an array of the thread's it would be there, and touched, in every thread of the process. */
static _Thread_local char *read_buffer;
static pthread_key_t read_buffer_key; /* for the end of the thread */
static pthread_once_t read_buffer_once = PTHREAD_ONCE_INIT;

static void make_read_buffer_key(void) {
  must(pthread_key_create(&read_buffer_key, mem_free) == 0);
}

static void need_read_buffer(void) {
  if (read_buffer != NULL) return;
  must(pthread_once(&read_buffer_once, make_read_buffer_key) == 0);
  read_buffer = mem_zero(READ_BYTES + BUF_SLACK);
  must(pthread_setspecific(read_buffer_key, read_buffer) == 0);
}

static void call_connect(struct upcall *c, bool may_reuse);

static char *copy_text(const char *text) {
  return mem_text(text, strlen(text));
}

static void *zeroed(size_t count, size_t bytes) {
  return mem_zero(count * bytes);
}

void upcall_library_init(void) {
  /* libcurl's heap ends as ours does: it says so, and the process ends with 71. */
  must(curl_global_init_mem(CURL_GLOBAL_DEFAULT, mem_alloc, mem_free, mem_resize, copy_text, zeroed) == CURLE_OK);
  signal(SIGPIPE, SIG_IGN); /* OpenSSL writes with write(2) */
}

/* ---- the end of a call ---- */

static void wipe_head(struct upcall *c) {
  if (c->head.ptr == NULL) return;
  OPENSSL_cleanse(c->head.ptr + c->secret_at, c->secret_bytes);
  buf_done(&c->head);
}

/* After this no event is told. */
static void call_over(struct upcall *c) {
  if (c->dial != NULL) dial_cancel(c->dial);
  if (c->conn != NULL) upconn_close(c->conn);
  if (c->transfer != NULL) transfer_cancel(c->transfer);
  c->dial = NULL;
  c->conn = NULL;
  c->transfer = NULL;
  c->times.ended_ns = clock_ns();
  c->over = true;
  wipe_head(c);
  loop_later(c->upstream->loop, &c->later);
}

static void call_fail(struct upcall *c, enum upcall_phase phase, enum upcall_why why, const char *text) {
  struct upcall_fault fault = {.phase = phase, .why = why};
  snprintf(fault.text, sizeof fault.text, "%s", text);
  call_over(c);
  c->events.fail(c->owner, &fault);
}

static enum upcall_phase phase_of(const struct upcall *c) {
  if (c->times.head_ns != 0) return UPCALL_BODY;
  return c->sent_bytes < c->total_bytes ? UPCALL_SEND : UPCALL_WAIT;
}

/* Whether the connection can serve another call once the answer is DONE. */
static bool may_keep(const struct upcall *c, size_t surplus_bytes) {
  return surplus_bytes == 0 && c->answer.keep_alive && c->sent_bytes == c->total_bytes;
}

static void call_end(struct upcall *c, size_t surplus_bytes) {
  /* Before the event, so that a call started in it finds the connection. */
  if (may_keep(c, surplus_bytes)) {
    upconn_release(c->conn);
    c->conn = NULL;
  }
  call_over(c);
  c->events.end(c->owner);
}

/* ---- the answer ---- */

/* Tells what *in holds until it is used up, or the call is paused or over. */
static void tell(struct upcall *c, struct slice *in) {
  c->unread = in;
  while (!c->over && !c->paused) {
    struct http_head head;
    struct slice piece;
    const char *why;
    enum answer_step step = answer_next(&c->answer, in, &head, &piece, &why);
    if (step == ANSWER_MORE) break;
    switch (step) {
    case ANSWER_HEAD:
      c->times.head_ns = clock_ns();
      wipe_head(c);
      upconn_writing(c->conn, false); /* the body is no longer ours to read */
      c->events.head(c->owner, &head);
      break;
    case ANSWER_BODY: c->events.body(c->owner, piece); break;
    case ANSWER_END: call_end(c, in->len); break;
    default: call_fail(c, phase_of(c), UPCALL_BAD, why);
    }
  }
  c->unread = NULL;
}

static void tell_held(struct upcall *c) {
  struct buf taken = c->held;
  c->held = (struct buf){0};
  struct slice in = buf_view(&taken);
  tell(c, &in);
  if (c->over || in.len == 0) {
    buf_done(&taken);
  } else {
    buf_drop_front(&taken, taken.len - in.len);
    c->held = taken;
  }
}

static void call_lost(struct upcall *c, bool orderly) {
  if (orderly && c->answered && answer_complete_at_close(&c->answer)) {
    c->answer.state = ANSWER_DONE;
    call_end(c, 0);
  } else if (!c->answered && c->times.reused && !c->resent) {
    upconn_close(c->conn);
    c->conn = NULL;
    c->resent = true;
    c->times.resent = c->times.sent_ns != 0;
    c->sent_bytes = 0;
    c->times.reused = false;
    c->times.connected_ns = c->times.sent_ns = 0;
    call_connect(c, false);
  } else {
    call_fail(c, phase_of(c), UPCALL_RESET,
              orderly ? "the provider closed the connection before the answer was complete"
                      : "the connection to the provider was lost before the answer was complete");
  }
}

static void on_readable(void *owner) {
  struct upcall *c = owner;
  ssize_t got = upconn_recv(c->conn, read_buffer, READ_BYTES);
  if (got == 0) return;
  if (got < 0) {
    call_lost(c, got == UPCONN_CLOSED);
    return;
  }
  c->answered = true;
  if (c->held.len > 0) {
    buf_append(&c->held, read_buffer, (size_t)got);
    tell_held(c);
    return;
  }
  struct slice in = slice_of(read_buffer, (size_t)got);
  tell(c, &in);
  if (!c->over && in.len > 0) buf_slice(&c->held, in);
}

/* ---- the request ---- */

/* The unsent parts, as many as fit. */
static int gather(const struct upcall *c, struct iovec *parts) {
  int count = 0;
  uint64_t skip = c->sent_bytes;
  for (int i = -1; i < c->body_parts && count < SEND_PARTS; i++) {
    struct iovec part = i < 0 ? (struct iovec){c->head.ptr, c->head.len} : c->body[i];
    if (skip >= part.iov_len) {
      skip -= part.iov_len;
      continue;
    }
    parts[count++] = (struct iovec){(char *)part.iov_base + skip, part.iov_len - (size_t)skip};
    skip = 0;
  }
  return count;
}

static void call_send(struct upcall *c) {
  uint64_t before = c->sent_bytes;
  while (c->sent_bytes < c->total_bytes) {
    struct iovec parts[SEND_PARTS];
    int count = gather(c, parts);
    ssize_t took = upconn_send(c->conn, parts, count);
    if (took == 0) {
      if (c->sent_bytes > before) c->since_ns = clock_ns();
      upconn_writing(c->conn, true);
      return;
    }
    if (took < 0) {
      /* An answer may have come before the connection went ("413", then close): reading tells. */
      upconn_writing(c->conn, false);
      upconn_wake(c->conn);
      return;
    }
    c->sent_bytes += (uint64_t)took;
  }
  c->times.sent_ns = c->since_ns = clock_ns();
  upconn_writing(c->conn, false);
  if (!c->times.reused) wipe_head(c);
}

static void on_writable(void *owner) {
  call_send(owner);
}

static void on_opened(void *owner) {
  struct upcall *c = owner;
  c->times.connected_ns = c->since_ns = clock_ns();
  if (c->paused) upconn_reading(c->conn, false);
  call_send(c);
}

static void on_refused(void *owner, bool timed_out, const char *why) {
  call_fail(owner, UPCALL_TLS, timed_out ? UPCALL_TIMEOUT : UPCALL_TLS_FAULT, why);
}

static const struct upconn_user as_user = {
    .opened = on_opened, .refused = on_refused, .readable = on_readable, .writable = on_writable};

static void on_dialled(void *owner, const struct dial_result *result) {
  struct upcall *c = owner;
  c->dial = NULL;
  if (result->fd < 0) {
    enum upcall_why why = result->no_descriptor ? UPCALL_NO_DESCRIPTOR : UPCALL_REFUSED;
    call_fail(c, UPCALL_CONNECT, result->timed_out ? UPCALL_TIMEOUT : why, result->text);
    return;
  }
  c->since_ns = clock_ns();
  c->conn = upconn_new(c->upstream, result->fd, c->upstream->tls_ms, &as_user, c);
  if (upconn_is_open(c->conn)) on_opened(c);
}

static void call_connect(struct upcall *c, bool may_reuse) {
  c->conn = may_reuse ? upstream_take_idle(c->upstream) : NULL;
  if (c->conn == NULL) {
    c->since_ns = clock_ns();
    c->dial = dial_start(&c->upstream->dialer, on_dialled, c);
    return;
  }
  upconn_serve(c->conn, &as_user, c);
  c->times.connected_ns = c->since_ns = c->times.started_ns;
  c->times.reused = true;
  call_send(c);
}

/* ---- HTTP/2 ---- */

static void transfer_head(void *owner, const struct http_head *head) {
  struct upcall *c = owner;
  c->times.head_ns = clock_ns();
  c->events.head(c->owner, head);
}

static void transfer_body(void *owner, struct slice bytes) {
  struct upcall *c = owner;
  c->events.body(c->owner, bytes);
}

static void transfer_end(void *owner) {
  struct upcall *c = owner;
  call_over(c);
  c->events.end(c->owner);
}

static void transfer_fail(void *owner, enum upcall_phase phase, enum upcall_why why, const char *text) {
  call_fail(owner, phase, why, text);
}

static const struct transfer_user as_transfer_user = {
    .head = transfer_head, .body = transfer_body, .end = transfer_end, .fail = transfer_fail};

/* ---- the interface ---- */

/* The end of a call, a refused start, or a resume. */
static void on_later(void *owner) {
  struct upcall *c = owner;
  if (c->over) {
    buf_done(&c->held);
    upstream_let_go(c->upstream);
    struct buf memory = c->memory;
    buf_done(&memory);
  } else if (c->refused != NULL) {
    call_fail(c, UPCALL_SEND, UPCALL_BAD, c->refused);
  } else if (!c->paused) {
    tell_held(c);
    if (!c->over && !c->paused && c->conn != NULL) upconn_reading(c->conn, true);
  }
}

/* The target is the one part of the head that may be made from a client's words. */
static const char *target_fault(struct slice target) {
  if (target.len == 0 || target.ptr[0] != '/') return "the request's target does not start with a slash";
  for (size_t i = 0; i < target.len; i++)
    if ((unsigned char)target.ptr[i] <= ' ' || target.ptr[i] == 0x7f) return "the request's target is not escaped";
  return NULL;
}

/* In one piece that never grows: a buffer that grew would leave copies of the secret behind. */
static void write_head(struct upcall *c, const struct upcall_request *r, uint64_t body_bytes) {
  struct buf *head = &c->head;
  size_t joined_bytes = body_bytes <= JOINED_BYTES ? (size_t)body_bytes : 0;
  buf_reserve(head, r->method.len + r->target.len + c->upstream->host_line_bytes + r->headers.len + r->secret_line.len +
                        joined_bytes + 80 /* the words below */);
  size_t room = head->cap;
  buf_slice(head, r->method);
  buf_byte(head, ' ');
  buf_slice(head, r->target);
  buf_slice(head, SLICE(" HTTP/1.1\r\n"));
  buf_append(head, c->upstream->host_line, c->upstream->host_line_bytes);
  buf_slice(head, r->headers);
  if (body_bytes > 0 || (!slice_eq(r->method, SLICE("GET")) && !slice_eq(r->method, SLICE("HEAD")))) {
    buf_slice(head, SLICE("content-length: "));
    buf_u64(head, body_bytes);
    buf_slice(head, SLICE("\r\n"));
  }
  c->secret_at = head->len;
  c->secret_bytes = r->secret_line.len;
  buf_slice(head, r->secret_line);
  buf_slice(head, SLICE("\r\n"));
  c->total_bytes = head->len + body_bytes;
  if (joined_bytes > 0) {
    for (int i = 0; i < c->body_parts; i++) buf_append(head, c->body[i].iov_base, c->body[i].iov_len);
    c->body_parts = 0;
  }
  must(head->cap == room);
}

struct upcall *upcall_start(struct upstream *u, const struct upcall_request *request,
                            const struct upcall_events *events, void *owner) {
  must(request->headers.len == 0 || slice_ends(request->headers, SLICE("\r\n")));
  must(request->secret_line.len == 0 || slice_ends(request->secret_line, SLICE("\r\n")));
  upstream_hold(u);
  need_read_buffer();
  size_t bytes = sizeof(struct upcall) + (size_t)request->body_parts * sizeof(struct iovec);
  struct buf memory = {0};
  struct upcall *c = (struct upcall *)(void *)buf_reserve(&memory, bytes);
  memset(c, 0, bytes);
  c->memory = memory;
  c->upstream = u;
  c->events = *events;
  c->owner = owner;
  c->later = (struct later){.call = on_later, .owner = c};
  c->times.started_ns = clock_ns();
  c->body_parts = request->body_parts;
  uint64_t body_bytes = 0;
  for (int i = 0; i < request->body_parts; i++) {
    c->body[i] = request->body[i];
    body_bytes += request->body[i].iov_len;
  }
  c->refused = target_fault(request->target);
  if (c->refused != NULL) {
    loop_later(u->loop, &c->later);
  } else if (u->transfers != NULL) {
    struct upcall_request same = *request;
    same.body = c->body;
    c->transfer = transfer_start(u->transfers, &same, &as_transfer_user, c, &c->times);
  } else {
    answer_init(&c->answer, slice_eq(request->method, SLICE("HEAD")), u->body_bytes);
    write_head(c, request, body_bytes);
    call_connect(c, true);
  }
  return c;
}

/* Whether all that is left of the answer has already been received. */
static bool answer_is_here(struct upcall *c) {
  if (c->times.head_ns == 0) return false;
  struct slice held = buf_view(&c->held), *in = c->unread != NULL ? c->unread : &held;
  struct http_head head;
  struct slice piece;
  const char *why;
  enum answer_step step;
  do step = answer_next(&c->answer, in, &head, &piece, &why);
  while (step == ANSWER_BODY);
  return step == ANSWER_END && may_keep(c, in->len);
}

enum upcall_phase upcall_phase(const struct upcall *c, uint64_t *since_ns) {
  *since_ns = c->since_ns;
  if (c->transfer != NULL) return transfer_phase(c->transfer, since_ns);
  if (c->dial != NULL) return UPCALL_CONNECT;
  if (c->conn != NULL && !upconn_is_open(c->conn)) return UPCALL_TLS;
  return phase_of(c);
}

void upcall_cancel(struct upcall *c) {
  must(!c->over);
  if (c->conn != NULL && answer_is_here(c)) {
    upconn_release(c->conn);
    c->conn = NULL;
  }
  call_over(c);
}

void upcall_pause(struct upcall *c) {
  c->paused = true;
  if (c->transfer != NULL) transfer_pause(c->transfer, true);
  else if (c->conn != NULL && upconn_is_open(c->conn)) upconn_reading(c->conn, false);
}

void upcall_resume(struct upcall *c) {
  if (!c->paused) return;
  c->paused = false;
  if (c->transfer != NULL) transfer_pause(c->transfer, false);
  else loop_later(c->upstream->loop, &c->later);
}

const struct upcall_times *upcall_times(const struct upcall *c) {
  return &c->times;
}
