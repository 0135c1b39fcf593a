/* server over TLS: what the edge accepts, exchanges, leaving, slow readers, and certificates that change. */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>

#include "certificate.h"
#include "edge.h"

#define POST_HELLO "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
#define GET_WAIT "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"

struct secure {
  struct edge edge;
  struct certificate certificate;
  struct tls_identity *identity;
};

struct secure_client {
  struct client c; /* fd, got, eof */
  SSL_CTX *ctx;
  SSL *ssl;
};

static void secure_init(struct secure *s) {
  struct err err = {{0}};
  certificate_init(&s->certificate, "first");
  s->identity = tls_identity_new(s->certificate.chain, s->certificate.key, &err);
  CHECK_SLICE(slice_text(err.text), "");
  edge_init(&s->edge, NULL, s->identity);
}

static void secure_done(struct secure *s) {
  edge_done(&s->edge);
  tls_identity_free(s->identity);
  certificate_done(&s->certificate);
}

static void secure_prepare(struct secure_client *c, struct secure *s) {
  *c = (struct secure_client){.ctx = SSL_CTX_new(TLS_client_method())};
  client_open(&c->c, &s->edge);
  c->ssl = SSL_new(c->ctx);
  SSL_set_fd(c->ssl, c->c.fd);
}

/* True when the handshake succeeded. */
static bool secure_handshake(struct secure_client *c) {
  uint64_t give_up_ns = clock_ns() + WAIT_MS * 1000000ull;
  while (clock_ns() < give_up_ns) {
    ERR_clear_error();
    int result = SSL_connect(c->ssl);
    if (result == 1) return true;
    int why = SSL_get_error(c->ssl, result);
    if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) return false;
    edge_turn(c->c.edge);
  }
  return false;
}

static void secure_open(struct secure_client *c, struct secure *s) {
  secure_prepare(c, s);
  CHECK(secure_handshake(c));
}

static void secure_close(struct secure_client *c) {
  SSL_free(c->ssl);
  SSL_CTX_free(c->ctx);
  client_close(&c->c);
}

/* A listener with TLS and one client of it; and their end. */
static void secure_meet(struct secure *s, struct secure_client *c) {
  secure_init(s);
  secure_open(c, s);
}

static void secure_part(struct secure *s, struct secure_client *c) {
  secure_close(c);
  secure_done(s);
}

static void secure_read(struct secure_client *c, size_t most) {
  while (!c->c.eof && most > 0) {
    size_t room = most < 65536 ? most : 65536;
    ERR_clear_error();
    int n = SSL_read(c->ssl, buf_reserve(&c->c.got, room), (int)room);
    if (n <= 0 && SSL_get_error(c->ssl, n) == SSL_ERROR_WANT_READ) return;
    if (n <= 0) c->c.eof = true, c->c.reset = SSL_get_error(c->ssl, n) != SSL_ERROR_ZERO_RETURN;
    else c->c.got.len += (size_t)n, most -= (size_t)n;
  }
}

static void secure_send(struct secure_client *c, const char *bytes, size_t len) {
  while (len > 0) {
    ERR_clear_error();
    int n = SSL_write(c->ssl, bytes, (int)(len < 16000 ? len : 16000));
    if (n <= 0) {
      if (SSL_get_error(c->ssl, n) != SSL_ERROR_WANT_WRITE) return;
      edge_turn(c->c.edge);
      continue;
    }
    bytes += n;
    len -= (size_t)n;
  }
}

static void secure_say(struct secure_client *c, const char *text) {
  secure_send(c, text, strlen(text));
}

static bool secure_wait(struct secure_client *c, const char *text) {
  uint64_t give_up_ns = clock_ns() + WAIT_MS * 1000000ull;
  for (;;) {
    edge_turn(c->c.edge);
    secure_read(c, SIZE_MAX);
    if (text ? bytes_have(&c->c.got, text) : c->c.eof) return true;
    if (c->c.eof || clock_ns() > give_up_ns) {
      fprintf(stderr, "waited for \"%s\"\n", text ? text : "(end)");
      return false;
    }
    edge_pause();
  }
}

static void common_name(struct secure_client *c, char out[32]) {
  X509 *x = SSL_get1_peer_certificate(c->ssl);
  CHECK(x != NULL && X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, out, 32) > 0);
  X509_free(x);
}

TEST(exchanges_over_tls) {
  struct secure s;
  struct secure_client c;
  secure_init(&s);
  secure_prepare(&c, &s);
  static const unsigned char protocols[] = "\x02h2\x08http/1.1";
  SSL_set_alpn_protos(c.ssl, protocols, sizeof protocols - 1);
  CHECK(secure_handshake(&c));
  const unsigned char *chosen;
  unsigned len;
  SSL_get0_alpn_selected(c.ssl, &chosen, &len);
  CHECK_SLICE(slice_of((const char *)chosen, len), "http/1.1");
  CHECK_SLICE(slice_text(SSL_get_version(c.ssl)), "TLSv1.3");
  secure_say(&c, POST_HELLO POST_HELLO);
  CHECK(secure_wait(&c, "hello"));
  secure_say(&c, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe");
  edge_pass_ms(&s.edge, 5);
  secure_say(&c, "llo");
  CHECK(edge_wait(&s.edge, "finished\nopened POST /echo\nready 5\nclosed finished\nopened POST /echo\nready 5\nclo"));
  secure_say(&c, "GET /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  CHECK(secure_wait(&c, NULL));
  CHECK(!c.c.reset); /* with a close_notify */
  CHECK_INT(bytes_count(&c.c.got, "\r\n\r\nhello"), 3);
  secure_part(&s, &c);
}

TEST(pipelining_over_tls) {
  enum { COUNT = 1000 };
  struct secure s;
  struct secure_client c;
  struct buf all = {0};
  secure_meet(&s, &c);
  for (int i = 0; i < COUNT; i++) buf_text(&all, POST_HELLO);
  secure_send(&c, all.ptr, all.len);
  uint64_t end_ns = clock_ns() + WAIT_MS * 1000000ull;
  while (clock_ns() < end_ns && bytes_count(&c.c.got, "\r\n\r\nhello") < COUNT) {
    edge_turn(&s.edge);
    secure_read(&c, SIZE_MAX);
  }
  CHECK_INT(bytes_count(&c.c.got, "\r\n\r\nhello"), COUNT);
  secure_part(&s, &c);
  buf_done(&all);
}

/* OpenSSL reads both records at once; no event of the socket announces the second one. */
TEST(records_that_arrive_together_are_all_read) {
  struct secure s;
  struct secure_client c;
  secure_meet(&s, &c);
  setsockopt(c.c.fd, IPPROTO_TCP, TCP_CORK, &(int){1}, sizeof(int));
  secure_say(&c, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n");
  secure_say(&c, "hel");
  secure_say(&c, "lo" GET_WAIT);
  setsockopt(c.c.fd, IPPROTO_TCP, TCP_CORK, &(int){0}, sizeof(int));
  CHECK(edge_wait(&s.edge, "closed finished\nopened GET /wait\nready 0\n"));
  secure_part(&s, &c);
}

TEST(large_bodies_both_ways_over_tls) {
  enum { BYTES = 3000000 };
  struct secure s;
  struct secure_client c;
  char *body = mem_alloc(BYTES);
  for (int i = 0; i < BYTES; i++) body[i] = (char)('a' + (i / 3 + i % 17) % 26);
  secure_meet(&s, &c);
  secure_say(&c, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n");
  secure_send(&c, body, BYTES);
  CHECK(edge_wait(&s.edge, "ready 3000000"));
  struct slice sent = slice_of(body, BYTES);
  for (uint64_t end_ns = clock_ns() + WAIT_MS * 1000000ull; clock_ns() < end_ns && !c.c.eof; edge_turn(&s.edge)) {
    if (slice_ends(buf_view(&c.c.got), sent)) break;
    secure_read(&c, 20000);
  }
  CHECK(edge_wait(&s.edge, "closed finished"));
  CHECK(slice_ends(buf_view(&c.c.got), sent));
  secure_part(&s, &c);
  mem_free(body);
}

TEST(slow_reader_of_a_stream_over_tls) {
  enum { TOTAL = 5000000, PIECE = 7000 };
  struct secure s;
  struct secure_client c;
  char *all = mem_alloc(TOTAL);
  for (unsigned i = 0; i < TOTAL; i++) all[i] = (char)('a' + (i / 7 + i % 13) % 26);
  secure_meet(&s, &c);
  secure_say(&c, "GET /wait HTTP/1.0\r\n\r\n");
  CHECK(edge_wait(&s.edge, "ready"));
  exchange_start(s.edge.x, 200, SLICE(""));
  bool open = true;
  for (size_t written = 0, step = 0; written < TOTAL; step++) {
    if (open) {
      /* Sizes of all kinds: below and above what is gathered, and above a record. */
      size_t bytes = step % 5 == 0 ? 40000 : step % 5 == 1 ? 10 : PIECE;
      if (bytes > TOTAL - written) bytes = TOTAL - written;
      open = exchange_write(s.edge.x, slice_of(all + written, bytes));
      written += bytes;
      if (!open) s.edge.log.len = 0;
      if (step % 3 == 0) edge_turn(&s.edge);
    } else {
      secure_read(&c, 30000);
      edge_turn(&s.edge);
      open = bytes_have(&s.edge.log, "drained");
    }
  }
  exchange_end(s.edge.x);
  CHECK(secure_wait(&c, NULL));
  CHECK(slice_ends(buf_view(&c.c.got), slice_of(all, TOTAL)));
  secure_part(&s, &c);
  mem_free(all);
}

TEST(leaving_by_close_notify_or_fin_is_noticed) {
  for (int how = 0; how < 3; how++) {
    struct secure s;
    struct secure_client c;
    secure_meet(&s, &c);
    secure_say(&c, GET_WAIT);
    CHECK(edge_wait(&s.edge, "ready"));
    if (how == 0) SSL_shutdown(c.ssl); /* the socket stays open */
    if (how == 1) shutdown(c.c.fd, SHUT_WR);
    if (how == 2) client_reset(&c.c);
    CHECK(edge_wait(&s.edge, "closed gone"));
    CHECK_INT(listener_connections(s.edge.listener), 0);
    secure_part(&s, &c);
  }
}

/* A close_notify ends one direction, and the answer may follow; a FIN without it is an end that nobody has meant. */
TEST(a_close_notify_may_be_half_a_close) {
  for (int notify = 0; notify < 2; notify++) {
    struct server_limits limits = server_limits_default;
    struct secure s;
    struct secure_client c;
    secure_init(&s);
    limits.half_close_waits = true;
    listener_limits(s.edge.listener, &limits);
    secure_open(&c, &s);
    secure_say(&c, GET_WAIT);
    CHECK(edge_wait(&s.edge, "ready"));
    if (notify) SSL_shutdown(c.ssl);
    else shutdown(c.c.fd, SHUT_WR);
    if (notify) {
      CHECK(secure_wait(&c, "100 Continue"));
      edge_reply(s.edge.x, 200, SLICE("patient"));
      CHECK(secure_wait(&c, "patient"));
    }
    CHECK(edge_wait(&s.edge, notify ? "closed finished" : "closed gone"));
    secure_part(&s, &c);
  }
}

TEST(refusals_over_tls_can_be_read) {
  enum { BYTES = 300000 };
  struct secure s;
  struct secure_client c;
  char *body = mem_zero(BYTES);
  secure_meet(&s, &c);
  secure_say(&c, "POST /small HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n");
  secure_send(&c, body, BYTES);
  CHECK(secure_wait(&c, NULL));
  CHECK(!c.c.reset);
  CHECK(slice_starts(buf_view(&c.c.got), SLICE("HTTP/1.1 413 ")));
  secure_part(&s, &c);
  mem_free(body);
}

static bool offers(struct secure *s, int version, const char *ciphers, const unsigned char *protocols) {
  struct secure_client c;
  secure_prepare(&c, s);
  SSL_set_security_level(c.ssl, 0);
  SSL_set_min_proto_version(c.ssl, version);
  SSL_set_max_proto_version(c.ssl, version);
  if (ciphers != NULL) CHECK_INT(SSL_set_cipher_list(c.ssl, ciphers), 1);
  if (protocols != NULL) SSL_set_alpn_protos(c.ssl, protocols, (unsigned)protocols[0] + 1);
  bool agreed = secure_handshake(&c);
  secure_close(&c);
  CHECK(edge_connections(&s->edge, 0));
  return agreed;
}

TEST(only_modern_tls_is_spoken) {
  struct secure s;
  secure_init(&s);
  CHECK(offers(&s, TLS1_3_VERSION, NULL, NULL));
  CHECK(offers(&s, TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256", NULL));
  CHECK(offers(&s, TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305", NULL));
  CHECK(!offers(&s, TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA", NULL)); /* CBC */
  CHECK(!offers(&s, TLS1_2_VERSION, "ECDHE-ECDSA-AES128-CCM", NULL));
  CHECK(!offers(&s, TLS1_1_VERSION, NULL, NULL));
  CHECK(!offers(&s, TLS1_VERSION, NULL, NULL));
  CHECK(!offers(&s, TLS1_3_VERSION, NULL, (const unsigned char *)"\x02h2"));
  secure_done(&s);
}

static bool agrees_on(struct secure *s, const char *group) {
  struct secure_client c;
  secure_prepare(&c, s);
  CHECK_INT(SSL_set1_groups_list(c.ssl, group), 1);
  bool agreed = secure_handshake(&c);
  secure_close(&c);
  return agreed;
}

/* A handshake over ffdhe8192 would cost the gateway a hundred times what X25519 does, and its client nothing much. */
TEST(keys_are_exchanged_over_curves_only) {
  struct secure s;
  secure_init(&s);
  CHECK(agrees_on(&s, "X25519"));
  CHECK(agrees_on(&s, "P-256"));
  CHECK(agrees_on(&s, "P-384"));
  CHECK(!agrees_on(&s, "ffdhe2048"));
  CHECK(!agrees_on(&s, "ffdhe8192"));
  secure_done(&s);
}

TEST(renegotiation_is_refused) {
  struct secure s;
  struct secure_client c;
  secure_init(&s);
  secure_prepare(&c, &s);
  SSL_set_max_proto_version(c.ssl, TLS1_2_VERSION);
  CHECK(secure_handshake(&c));
  SSL_renegotiate(c.ssl);
  CHECK(!secure_handshake(&c));
  secure_part(&s, &c);
}

TEST(what_is_not_tls_is_closed) {
  struct secure s;
  struct client c;
  secure_init(&s);
  client_open(&c, &s.edge);
  client_say(&c, POST_HELLO);
  CHECK(client_wait(&c, NULL));
  CHECK_INT(listener_connections(s.edge.listener), 0);
  CHECK_INT(s.edge.log.len, 0);
  client_close(&c);
  secure_done(&s);
}

/* A record that fails its check in the middle of an exchange: one error, no spinning. */
TEST(a_broken_record_ends_the_connection) {
  struct secure s;
  struct secure_client c;
  secure_meet(&s, &c);
  secure_say(&c, GET_WAIT);
  CHECK(edge_wait(&s.edge, "ready"));
  client_send(&c.c, "\x17\x03\x03\x00\x20 this is thirty-two bytes of dust!", 5 + 32);
  CHECK(edge_wait(&s.edge, "closed gone"));
  CHECK(edge_sleep_ms(&s.edge, 50) < 20000000);
  CHECK_INT(listener_connections(s.edge.listener), 0);
  secure_part(&s, &c);
}

TEST(a_reload_drops_nobody) {
  struct secure s;
  struct secure_client old, fresh;
  struct err err = {{0}};
  char name[32];
  secure_init(&s);
  secure_open(&old, &s);
  secure_say(&old, GET_WAIT);
  CHECK(edge_wait(&s.edge, "ready"));
  struct exchange *x = s.edge.x;
  certificate_write(&s.certificate, "second");
  CHECK(tls_identity_reload(s.identity, &err));
  secure_open(&fresh, &s);
  common_name(&fresh, name);
  CHECK_SLICE(slice_text(name), "second");
  edge_reply(x, 200, SLICE("still here"));
  CHECK(secure_wait(&old, "still here"));
  secure_say(&old, POST_HELLO);
  CHECK(secure_wait(&old, "\r\n\r\nhello"));
  common_name(&old, name);
  CHECK_SLICE(slice_text(name), "first");
  /* Broken files leave the present certificate in place. */
  FILE *f = fopen(s.certificate.chain, "w");
  fputs("not a certificate\n", f);
  fclose(f);
  CHECK(!tls_identity_reload(s.identity, &err));
  CHECK(strstr(err.text, "chain.pem") != NULL && strstr(err.text, "no start line") != NULL);
  secure_close(&fresh);
  secure_open(&fresh, &s);
  common_name(&fresh, name);
  CHECK_SLICE(slice_text(name), "second");
  secure_close(&fresh);
  secure_close(&old);
  secure_done(&s);
}

static void *accept_often(void *identity) {
  int pair[2];
  CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  for (int i = 0; i < 300; i++) SSL_free(tls_accept_new(identity, pair[0]));
  close(pair[0]);
  close(pair[1]);
  return NULL;
}

/* Worth most under ThreadSanitizer. */
TEST(workers_accept_while_another_thread_reloads) {
  struct secure s;
  pthread_t workers[2];
  struct err err;
  unsigned reloads = 0;
  secure_init(&s);
  for (int i = 0; i < 2; i++) CHECK_INT(pthread_create(&workers[i], NULL, accept_often, s.identity), 0);
  for (int i = 0; i < 30; i++) reloads += tls_identity_reload(s.identity, &err);
  for (int i = 0; i < 2; i++) pthread_join(workers[i], NULL);
  CHECK_INT(reloads, 30);
  secure_done(&s);
}

TEST(faults_of_files_are_told) {
  struct certificate a, b;
  struct err err;
  certificate_init(&a, "a");
  certificate_init(&b, "b");
  CHECK(tls_identity_new("/nowhere/chain.pem", a.key, &err) == NULL);
  CHECK(strstr(err.text, "/nowhere/chain.pem: ") == err.text && strstr(err.text, "No such file") != NULL);
  CHECK(tls_identity_new(a.chain, "/nowhere/key.pem", &err) == NULL);
  CHECK(strstr(err.text, "/nowhere/key.pem: ") == err.text);
  CHECK(tls_identity_new(a.chain, b.key, &err) == NULL);
  CHECK(strstr(err.text, b.key) == err.text && strstr(err.text, "mismatch") != NULL);
  CHECK(ERR_peek_error() == 0);
  certificate_done(&a);
  certificate_done(&b);
}

TEST(sessions_resume_by_ticket) {
  struct secure s;
  struct secure_client c;
  secure_init(&s);
  for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
    SSL_SESSION *session = NULL;
    for (int round = 0; round < 2; round++) {
      secure_prepare(&c, &s);
      SSL_set_max_proto_version(c.ssl, version);
      if (session != NULL) CHECK_INT(SSL_set_session(c.ssl, session), 1);
      CHECK(secure_handshake(&c));
      CHECK_INT(SSL_session_reused(c.ssl), round);
      secure_say(&c, POST_HELLO);
      CHECK(secure_wait(&c, "hello"));
      if (round == 0) session = SSL_get1_session(c.ssl);
      SSL_shutdown(c.ssl);
      secure_close(&c);
    }
    SSL_SESSION_free(session);
  }
  secure_done(&s);
}

UNIT_MAIN()
