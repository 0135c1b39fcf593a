/* transfer: libcurl easy handles on one multi per upstream. One worker's thread.
 *
 * A connection carries one stream at a time: libcurl 7.88 sends no RST_STREAM for a handle that is removed, so the
 * only way to stop a provider from generating (and charging) is to close the connection, and that must not hit
 * another call.
 *
 *     libcurl's callbacks ──▶ head lines, body bytes (≤ HOLD_BYTES, then libcurl pauses) ──▶ tell, in a later pass
 *
 * An easy handle is reset and kept for the next call; the request's lines are wiped when it is given back. */
#include "io/transfer.h"

#include <openssl/crypto.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/must.h"
#include "io/answer.h"
#include "io/dial.h"
#include "io/multi.h"

enum {
  HOLD_BYTES = 64 * 1024, /* of an answer's body, before libcurl is paused */
  HEAD_BYTES = 64 * 1024,
  INTERIM_MAX = 16, /* 1xx heads */
  EASIES_KEPT = 32,
  LINES_MAX = HTTP_HEADERS_MAX + 8
};

struct transfers {
  struct multi multi;
  char *origin, *ca_file, *proxy; /* ca_file may be NULL */
  bool insecure, tls;
  uint32_t connect_ms; /* with the handshake: libcurl has one clock for both */
  uint32_t idle_ms;
  uint64_t body_bytes;
  unsigned spare_count;
  CURL *spare[EASIES_KEPT];
};

struct transfer {
  struct transfers *all;
  CURL *easy; /* NULL once given back */
  const struct transfer_user *user;
  void *owner;
  struct upcall_times *times;
  struct later tell;

  char *lines; /* the request's header lines, zero-terminated each; NULL once wiped */
  size_t lines_bytes;
  struct curl_slist *nodes;
  const struct iovec *body;
  int body_parts;
  uint64_t body_bytes, read_bytes; /* of the request's body: all, and what libcurl took */
  uint64_t moved_ns;               /* when it last took some */
  uint64_t dialled_ns;             /* when a TLS handshake began */

  struct buf head;        /* the answer's head as HTTP/1.1 text */
  struct buf held;        /* body bytes not yet told */
  uint64_t allowed_bytes; /* of body, still */
  unsigned interim;
  bool head_whole, head_told;
  bool paused;      /* by the user */
  bool curl_paused; /* we refused bytes */
  bool finished;    /* by libcurl, with result */
  bool result_told, telling, cancelled;
  CURLcode result;
  const char *why; /* our own reason to end it */
  char text[CURL_ERROR_SIZE];
};

/* ---- libcurl's callbacks: they only keep and count */

static size_t on_header(char *line, size_t one, size_t len, void *owner) {
  (void)one;
  struct transfer *t = owner;
  struct slice s = slice_of(line, len);
  if (t->head_whole) return len; /* a trailer */
  if (slice_starts(s, SLICE("HTTP/2 "))) {
    t->head.len = 0;
    buf_text(&t->head, "HTTP/1.1 ");
    s = slice_from(s, sizeof "HTTP/2 " - 1);
  } else if (slice_starts(s, SLICE("HTTP/"))) {
    t->head.len = 0;
  }
  if (t->head.len + s.len > HEAD_BYTES) {
    t->why = "a head larger than the limit";
    return 0;
  }
  buf_slice(&t->head, s);
  if (!slice_eq(s, SLICE("\r\n"))) return len;
  bool interim = t->head.len > 9 && t->head.ptr[9] == '1';
  if (interim && ++t->interim > INTERIM_MAX) {
    t->why = "too many 1xx heads";
    return 0;
  }
  t->head_whole = !interim;
  if (t->head_whole) loop_later(t->all->multi.loop, &t->tell);
  return len;
}

static size_t on_body(char *bytes, size_t one, size_t len, void *owner) {
  (void)one;
  struct transfer *t = owner;
  if (t->held.len > 0 && t->held.len + len > HOLD_BYTES) {
    t->curl_paused = true;
    return CURL_WRITEFUNC_PAUSE;
  }
  if (len > t->allowed_bytes) {
    t->why = "a body larger than the limit";
    return 0;
  }
  t->allowed_bytes -= len;
  buf_append(&t->held, bytes, len);
  loop_later(t->all->multi.loop, &t->tell);
  return len;
}

static size_t on_read(char *at, size_t one, size_t room, void *owner) {
  struct transfer *t = owner;
  room *= one;
  if (t->head_told) return CURL_READFUNC_PAUSE; /* the body is no longer ours to read */
  size_t total = 0;
  uint64_t skip = t->read_bytes;
  for (int i = 0; i < t->body_parts && total < room; i++) {
    if (skip >= t->body[i].iov_len) {
      skip -= t->body[i].iov_len;
      continue;
    }
    size_t left = t->body[i].iov_len - (size_t)skip, len = left < room - total ? left : room - total;
    memcpy(at + total, (const char *)t->body[i].iov_base + skip, len);
    total += len;
    skip = 0;
  }
  t->read_bytes += total;
  t->moved_ns = clock_ns();
  if (t->read_bytes == t->body_bytes && t->times->sent_ns == 0) t->times->sent_ns = t->moved_ns;
  return total;
}

static int on_seek(void *owner, curl_off_t offset, int origin) {
  struct transfer *t = owner;
  if (origin != SEEK_SET || t->head_told) return CURL_SEEKFUNC_FAIL;
  t->times->resent = t->times->sent_ns != 0;
  t->read_bytes = (uint64_t)offset;
  t->times->sent_ns = 0;
  return CURL_SEEKFUNC_OK;
}

/* libcurl makes the context of a handshake when TCP stands. */
static CURLcode on_handshake(CURL *easy, void *tls, void *owner) {
  (void)easy;
  (void)tls;
  struct transfer *t = owner;
  t->dialled_ns = clock_ns();
  return CURLE_OK;
}

/* ---- the end */

static void wipe_lines(struct transfer *t) {
  if (t->lines == NULL) return;
  OPENSSL_cleanse(t->lines, t->lines_bytes);
  mem_free(t->lines);
  mem_free(t->nodes);
  t->lines = NULL;
  t->nodes = NULL;
}

/* Takes the handle out of libcurl; the connection of an unfinished stream is closed by that. */
static void give_back(struct transfer *t) {
  if (t->easy == NULL) return;
  struct transfers *all = t->all;
  if (!t->finished) curl_easy_setopt(t->easy, CURLOPT_FORBID_REUSE, 1L);
  multi_remove(&all->multi, t->easy);
  curl_easy_reset(t->easy);
  if (all->spare_count < EASIES_KEPT) all->spare[all->spare_count++] = t->easy;
  else curl_easy_cleanup(t->easy);
  t->easy = NULL;
  wipe_lines(t);
}

static void transfer_free(struct transfer *t) {
  buf_done(&t->head);
  buf_done(&t->held);
  mem_free(t);
}

void transfer_cancel(struct transfer *t) {
  give_back(t);
  loop_later_cancel(&t->tell);
  t->cancelled = true;
  if (!t->telling) transfer_free(t);
}

/* Connection times, as soon as libcurl knows them. */
static void note_times(struct transfer *t) {
  curl_off_t connected_us = 0;
  long connects = 0;
  curl_easy_getinfo(t->easy, CURLINFO_PRETRANSFER_TIME_T, &connected_us);
  curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &connects);
  if (connected_us > 0) t->times->connected_ns = t->times->started_ns + (uint64_t)connected_us * 1000;
  t->times->reused = connected_us > 0 && connects == 0;
}

static void finished(void *owner, CURL *easy, CURLcode result) {
  (void)owner;
  struct transfer *t;
  curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)(void *)&t);
  t->finished = true;
  t->result = result;
  note_times(t);
  loop_later(t->all->multi.loop, &t->tell);
}

enum upcall_phase transfer_phase(struct transfer *t, uint64_t *since_ns) {
  struct upcall_times *times = t->times;
  if (t->easy != NULL && !t->head_told) note_times(t);
  if (t->head_told || t->easy == NULL) return UPCALL_BODY;
  if (times->connected_ns != 0) {
    bool sent = times->sent_ns != 0 || t->body_bytes == 0;
    *since_ns = sent || t->moved_ns > times->connected_ns ? t->moved_ns : times->connected_ns;
    return sent ? UPCALL_WAIT : UPCALL_SEND;
  }
  *since_ns = t->dialled_ns != 0 ? t->dialled_ns : times->started_ns;
  return t->dialled_ns != 0 ? UPCALL_TLS : UPCALL_CONNECT;
}

static void tell_result(struct transfer *t) {
  if (t->result == CURLE_OK && t->head_told) {
    give_back(t);
    t->user->end(t->owner);
    return;
  }
  long local_port = 0; /* known once TCP stands */
  curl_easy_getinfo(t->easy, CURLINFO_LOCAL_PORT, &local_port);
  bool connected = t->times->connected_ns != 0;
  enum upcall_phase phase = t->head_told                          ? UPCALL_BODY
                            : connected && t->times->sent_ns != 0 ? UPCALL_WAIT
                            : connected                           ? UPCALL_SEND
                            : local_port > 0 && t->all->tls       ? UPCALL_TLS
                                                                  : UPCALL_CONNECT;
  enum upcall_why why = UPCALL_RESET;
  switch (t->result) {
  case CURLE_COULDNT_RESOLVE_HOST:
  case CURLE_COULDNT_RESOLVE_PROXY:
  case CURLE_COULDNT_CONNECT: why = dial_none_left() ? UPCALL_NO_DESCRIPTOR : UPCALL_REFUSED; break;
  case CURLE_SSL_CONNECT_ERROR:
  case CURLE_PEER_FAILED_VERIFICATION:
  case CURLE_SSL_CERTPROBLEM:
  case CURLE_SSL_CIPHER:
  case CURLE_SSL_CACERT_BADFILE:
  case CURLE_SSL_ISSUER_ERROR:
    why = UPCALL_TLS_FAULT;
    phase = UPCALL_TLS;
    break;
  case CURLE_OPERATION_TIMEDOUT: why = UPCALL_TIMEOUT; break;
  case CURLE_WRITE_ERROR:
  case CURLE_WEIRD_SERVER_REPLY:
  case CURLE_UNSUPPORTED_PROTOCOL: why = UPCALL_BAD; break;
  default: break;
  }
  give_back(t);
  const char *text = t->why ? t->why : t->text[0] ? t->text : curl_easy_strerror(t->result);
  t->user->fail(t->owner, phase, why, text);
}

static void tell_head(struct transfer *t) {
  static const struct http_limits limits = {.head_bytes = HEAD_BYTES, .headers = HTTP_HEADERS_MAX};
  struct http_head head;
  struct http_refusal refusal = {.why = "no head"};
  size_t scanned = 0, head_bytes;
  const char *why = NULL;
  if (http_parse_response(buf_view(&t->head), &limits, true, &scanned, &head, &head_bytes, &refusal) != HTTP_COMPLETE)
    why = refusal.why;
  else why = answer_head_fault(&head);
  if (why != NULL) {
    give_back(t);
    t->user->fail(t->owner, UPCALL_WAIT, UPCALL_BAD, why);
    return;
  }
  if (t->easy != NULL) note_times(t);
  if (t->times->sent_ns == 0) t->times->sent_ns = clock_ns();
  t->head_told = true;
  t->user->head(t->owner, &head);
  buf_done(&t->head);
}

static void tell(void *owner) {
  struct transfer *t = owner;
  t->telling = true;
  while (!t->cancelled && !t->paused) {
    if (t->head_whole && !t->head_told) {
      tell_head(t);
    } else if (t->held.len > 0) {
      struct buf taken = t->held;
      t->held = (struct buf){0};
      t->user->body(t->owner, buf_view(&taken));
      buf_done(&taken);
    } else if (t->finished && !t->result_told) {
      t->result_told = true;
      tell_result(t);
      break;
    } else {
      break;
    }
  }
  t->telling = false;
  if (t->cancelled) {
    transfer_free(t);
  } else if (t->curl_paused && !t->paused && t->easy != NULL) {
    t->curl_paused = false;
    curl_easy_pause(t->easy, CURLPAUSE_CONT);
    multi_kick(&t->all->multi);
  }
}

void transfer_pause(struct transfer *t, bool on) {
  t->paused = on;
  if (!on) loop_later(t->all->multi.loop, &t->tell);
}

/* ---- the start */

struct transfers *transfers_new(struct loop *l, const char *origin, const struct upstream_config *config) {
  struct transfers *all = mem_new(struct transfers);
  all->origin = mem_text(origin, strlen(origin));
  if (config->ca_file != NULL) all->ca_file = mem_text(config->ca_file, strlen(config->ca_file));
  all->proxy = config->proxy ? mem_text(config->proxy, strlen(config->proxy)) : mem_text("", 0);
  all->insecure = config->insecure;
  all->tls = slice_starts(slice_text(origin), SLICE("https:"));
  all->connect_ms = config->connect_ms + (all->tls ? config->tls_ms : 0);
  all->idle_ms = config->idle_ms;
  all->body_bytes = config->body_bytes;
  multi_init(&all->multi, l, finished, all);
  curl_multi_setopt(all->multi.curl, CURLMOPT_MAXCONNECTS, (long)config->connections_idle);
  curl_multi_setopt(all->multi.curl, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
  return all;
}

void transfers_free(struct transfers *all) {
  while (all->spare_count > 0) curl_easy_cleanup(all->spare[--all->spare_count]);
  multi_done(&all->multi);
  mem_free(all->origin);
  mem_free(all->ca_file);
  mem_free(all->proxy);
  mem_free(all);
}

static bool has_line(struct slice lines, struct slice name) {
  while (lines.len > 0) {
    if (lines.len > name.len && slice_eq_nocase(slice_of(lines.ptr, name.len), name)) return true;
    lines = slice_from(lines, (size_t)slice_find(lines, SLICE("\r\n")) + 2);
  }
  return false;
}

/* Cuts "a: b\r\nc: d\r\n" into zero-terminated lines, each with a node of its own. Returns how many nodes it made. */
static size_t cut_lines(char *at, size_t len, struct curl_slist *nodes, size_t count) {
  char *end = at + len;
  while (at < end) {
    must(count < LINES_MAX);
    char *stop = memmem(at, (size_t)(end - at), "\r\n", 2);
    must(stop != NULL);
    *stop = '\0';
    /* libcurl takes "name:" for a wish not to send it; "name;" sends it empty. */
    char *colon = strchr(at, ':');
    if (colon != NULL && colon[1 + strspn(colon + 1, " \t")] == '\0') strcpy(colon, ";");
    nodes[count++].data = at;
    at = stop + 2;
  }
  return count;
}

static void write_lines(struct transfer *t, const struct upcall_request *r) {
  t->lines_bytes = r->headers.len + r->secret_line.len;
  t->lines = mem_alloc(t->lines_bytes + 1);
  if (r->headers.len > 0) memcpy(t->lines, r->headers.ptr, r->headers.len);
  if (r->secret_line.len > 0) memcpy(t->lines + r->headers.len, r->secret_line.ptr, r->secret_line.len);
  t->nodes = mem_zero(LINES_MAX * sizeof *t->nodes);
  size_t count = 0;
  /* Without these libcurl adds its own. */
  static char expect[] = "Expect:", accept[] = "Accept:", type[] = "Content-Type:";
  t->nodes[count++].data = expect;
  if (!has_line(r->headers, SLICE("accept:"))) t->nodes[count++].data = accept;
  if (!has_line(r->headers, SLICE("content-type:"))) t->nodes[count++].data = type;
  count = cut_lines(t->lines, t->lines_bytes, t->nodes, count);
  for (size_t i = 0; i + 1 < count; i++) t->nodes[i].next = &t->nodes[i + 1];
}

static void configure(struct transfer *t, const struct upcall_request *r) {
  struct transfers *all = t->all;
  CURL *easy = t->easy;
  char *target = mem_text(r->target.ptr, r->target.len), *method = mem_text(r->method.ptr, r->method.len);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->text);
  curl_easy_setopt(easy, CURLOPT_URL, all->origin);
  curl_easy_setopt(easy, CURLOPT_REQUEST_TARGET, target);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                   (long)(all->tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE));
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)all->connect_ms);
  curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, (long)(all->idle_ms + 999) / 1000);
  curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
  curl_easy_setopt(easy, CURLOPT_PROXY, all->proxy);
  curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
  curl_easy_setopt(easy, CURLOPT_HTTPPROXYTUNNEL, 1L);
  curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, all->insecure ? 0L : 1L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, all->insecure ? 0L : 2L);
  if (all->ca_file != NULL) curl_easy_setopt(easy, CURLOPT_CAINFO, all->ca_file);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, t->nodes);
  if (all->tls) {
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_handshake);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, t);
  }
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
  if (slice_eq(r->method, SLICE("HEAD"))) {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  } else if (t->body_bytes > 0 || !slice_eq(r->method, SLICE("GET"))) {
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->body_bytes);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(easy, CURLOPT_READDATA, t);
    curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
    curl_easy_setopt(easy, CURLOPT_SEEKDATA, t);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
  }
  mem_free(target);
  mem_free(method);
}

struct transfer *transfer_start(struct transfers *all, const struct upcall_request *request,
                                const struct transfer_user *user, void *owner, struct upcall_times *times) {
  struct transfer *t = mem_new(struct transfer);
  t->all = all;
  t->user = user;
  t->owner = owner;
  t->times = times;
  t->tell = (struct later){.call = tell, .owner = t};
  t->allowed_bytes = all->body_bytes;
  t->body = request->body;
  t->body_parts = request->body_parts;
  for (int i = 0; i < t->body_parts; i++) t->body_bytes += t->body[i].iov_len;
  write_lines(t, request);
  t->easy = all->spare_count > 0 ? all->spare[--all->spare_count] : curl_easy_init();
  must(t->easy != NULL);
  configure(t, request);
  multi_add(&all->multi, t->easy);
  return t;
}
