/* uptls: OpenSSL on the sockets of upconn. One worker's thread.
 *
 * The context (trust, the name to check, the last session) belongs to the upstream; a connection has its SSL and,
 * for as long as it lasts, a handshake with its deadline. */
#include "io/uptls.h"

#include <arpa/inet.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/memory.h"
#include "base/must.h"
#include "io/trust.h"
#include "io/upstream.h"

enum { RECORD_BYTES = 16 * 1024 };

struct uptls {
  SSL_CTX *shared;
  struct trust *trust;
  char *server_name;      /* for SNI; NULL for an address */
  SSL_SESSION *session;   /* the newest, offered by the next handshake */
  struct upconn *reading; /* while uptls_recv is at work */
};

struct handshake {
  struct timer deadline;
};

static int keep_session(SSL *ssl, SSL_SESSION *session) {
  struct uptls *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
  SSL_SESSION_free(t->session);
  t->session = session;
  if (t->reading != NULL) t->reading->ticket_came = true;
  return 1; /* ours now */
}

static const char *last_reason(void) {
  unsigned long code = ERR_peek_last_error();
  const char *reason = code ? ERR_reason_error_string(code) : NULL;
  return reason ? reason : "no reason given";
}

struct uptls *uptls_new(struct slice host, const char *ca_file, bool insecure, struct err *e) {
  struct trust *trust = trust_take(ca_file, e);
  if (trust == NULL) return NULL;
  SSL_CTX *shared = SSL_CTX_new(TLS_client_method());
  must(shared != NULL);
  struct uptls *t = mem_new(struct uptls);
  t->shared = shared;
  t->trust = trust;
  SSL_CTX_set1_cert_store(shared, trust_store(trust));
  SSL_CTX_set_app_data(shared, t);
  must(SSL_CTX_set_min_proto_version(shared, TLS1_2_VERSION) == 1);
  SSL_CTX_set_options(shared, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_mode(shared,
                   SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(shared, 1);
  static const unsigned char http11[] = "\x08http/1.1";
  must(SSL_CTX_set_alpn_protos(shared, http11, sizeof http11 - 1) == 0);
  SSL_CTX_set_session_cache_mode(shared, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(shared, keep_session);

  char *name = mem_text(host.ptr, host.len);
  X509_VERIFY_PARAM *checks = SSL_CTX_get0_param(shared);
  unsigned char address[sizeof(struct in6_addr)];
  if (inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1) {
    must(X509_VERIFY_PARAM_set1_ip_asc(checks, name) == 1);
    mem_free(name);
  } else {
    X509_VERIFY_PARAM_set_hostflags(checks, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    must(X509_VERIFY_PARAM_set1_host(checks, name, 0) == 1);
    t->server_name = name;
  }
  SSL_CTX_set_verify(shared, insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
  return t;
}

void uptls_free(struct uptls *t) {
  SSL_SESSION_free(t->session);
  SSL_CTX_free(t->shared);
  trust_release(t->trust);
  mem_free(t->server_name);
  mem_free(t);
}

static void handshake_end(struct upconn *x) {
  timer_clear(&x->handshake->deadline);
  mem_free(x->handshake);
  x->handshake = NULL;
}

static void too_late(void *owner) {
  struct upconn *x = owner;
  x->user->refused(x->owner, true, "the TLS handshake took too long");
}

void uptls_begin(struct upconn *x, uint32_t within_ms) {
  struct uptls *t = x->upstream->tls;
  x->ssl = SSL_new(t->shared);
  must(x->ssl != NULL && SSL_set_fd(x->ssl, x->fd) == 1);
  if (t->server_name != NULL) must(SSL_set_tlsext_host_name(x->ssl, t->server_name) == 1);
  if (t->session != NULL) SSL_set_session(x->ssl, t->session);
  SSL_set_connect_state(x->ssl);
  x->handshake = mem_new(struct handshake);
  timer_init(&x->handshake->deadline, x->upstream->loop, too_late, x);
  timer_set_ms(&x->handshake->deadline, within_ms);
  upconn_wake(x);
}

void uptls_step(struct upconn *x) {
  ERR_clear_error();
  int done = SSL_do_handshake(x->ssl);
  if (done == 1) {
    handshake_end(x);
    upconn_writing(x, false);
    x->user->opened(x->owner);
    return;
  }
  int wants = SSL_get_error(x->ssl, done);
  if (wants == SSL_ERROR_WANT_READ || wants == SSL_ERROR_WANT_WRITE) {
    upconn_writing(x, wants == SSL_ERROR_WANT_WRITE);
    return;
  }
  long verdict = SSL_get_verify_result(x->ssl);
  const char *why = verdict != X509_V_OK     ? X509_verify_cert_error_string(verdict)
                    : wants == SSL_ERROR_SSL ? last_reason()
                                             : "the connection was closed during the TLS handshake";
  x->user->refused(x->owner, false, why);
}

void uptls_end(struct upconn *x) {
  if (x->handshake != NULL) handshake_end(x);
  /* Otherwise OpenSSL takes the session for spoilt and would not resume it. Nothing is sent. */
  SSL_set_quiet_shutdown(x->ssl, 1);
  SSL_shutdown(x->ssl);
  SSL_free(x->ssl);
}

/* The bytes of the next record, small parts gathered in `record`. The same parts always give the same bytes, as OpenSSL
 * demands of a repeated write. */
static struct slice next_record(const struct iovec *parts, int count, size_t skip, char *record, bool *copied) {
  size_t len = 0;
  *copied = false;
  for (int i = 0; i < count && len < RECORD_BYTES; i++) {
    if (skip >= parts[i].iov_len) {
      skip -= parts[i].iov_len;
      continue;
    }
    const char *from = (const char *)parts[i].iov_base + skip;
    size_t left = parts[i].iov_len - skip, room = RECORD_BYTES - len;
    skip = 0;
    if (len == 0 && (left >= RECORD_BYTES || i + 1 == count)) return slice_of(from, left < room ? left : room);
    *copied = true;
    memcpy(record + len, from, left < room ? left : room);
    len += left < room ? left : room;
  }
  return slice_of(record, len);
}

/* SSL_get_error takes an older error of the thread for this call's. There hardly ever is one, and clearing none takes
 * as long as clearing all. */
static void forget_errors(void) {
  if (ERR_peek_error() != 0) ERR_clear_error();
}

ssize_t uptls_send(struct upconn *x, const struct iovec *parts, int count) {
  char record[RECORD_BYTES];
  size_t total = 0;
  for (;;) {
    bool copied;
    struct slice next = next_record(parts, count, total, record, &copied);
    if (next.len == 0) return (ssize_t)total;
    size_t took = 0;
    forget_errors();
    int done = SSL_write_ex(x->ssl, next.ptr, next.len, &took);
    if (copied) OPENSSL_cleanse(record, next.len); /* the request's head has a secret in it */
    if (done == 1) {
      total += took;
      continue;
    }
    if (total > 0) return (ssize_t)total;
    int wants = SSL_get_error(x->ssl, done);
    return wants == SSL_ERROR_WANT_WRITE || wants == SSL_ERROR_WANT_READ ? 0 : UPCONN_LOST;
  }
}

/* Handling a session ticket made OpenSSL set up a buffer for writing, 16 KB that it would keep until it writes. Only
 * between two records: OpenSSL itself looks for a half read one since 3.0.14 (CVE-2024-4741). */
static void drop_buffers(struct upconn *x) {
  bool between = SSL_pending(x->ssl) == 0 && strcmp(SSL_rstate_string(x->ssl), "RH") == 0;
  if (between && SSL_free_buffers(x->ssl) == 1) x->ticket_came = false;
}

ssize_t uptls_recv(struct upconn *x, char *at, size_t room) {
  struct uptls *t = x->upstream->tls;
  size_t total = 0;
  int done;
  t->reading = x;
  forget_errors();
  do {
    size_t got = 0;
    done = SSL_read_ex(x->ssl, at + total, room - total, &got);
    if (done != 1) break;
    total += got;
  } while (total < room && SSL_has_pending(x->ssl));
  int wants = done == 1 ? SSL_ERROR_NONE : SSL_get_error(x->ssl, done);
  t->reading = NULL;
  if (x->ticket_came) drop_buffers(x);
  if (total > 0) {
    /* What OpenSSL keeps does not show on the socket: more bytes, or an end that it will report again. */
    if (wants != SSL_ERROR_WANT_READ && wants != SSL_ERROR_WANT_WRITE && (done != 1 || SSL_has_pending(x->ssl)))
      upconn_wake(x);
    return (ssize_t)total;
  }
  if (wants == SSL_ERROR_WANT_READ || wants == SSL_ERROR_WANT_WRITE) return 0;
  return wants == SSL_ERROR_ZERO_RETURN ? UPCONN_CLOSED : UPCONN_LOST;
}

bool uptls_has_bytes(const struct upconn *x) {
  return SSL_has_pending(x->ssl) || (SSL_get_shutdown(x->ssl) & SSL_RECEIVED_SHUTDOWN);
}
