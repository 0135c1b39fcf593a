/* Calls over TLS: whom a call trusts and whom it refuses before a byte of the request is sent, and that bytes flow
 * as they do without it. */
#include "certificates.h"
#include "seen.h"

static struct authority authority;

/* Made at the first use, kept for all tests. */
static const char *ca_file(void) {
  if (!authority.key) authority = authority_new();
  return authority.file;
}

static SSL_CTX *good_server(void) {
  ca_file();
  return server_with(&authority, "DNS:localhost,IP:127.0.0.1", -60, 3600);
}

static struct upstream_config trusting(void) {
  struct upstream_config config = upstream_config_default;
  config.ca_file = ca_file();
  return config;
}

static char asked_name[64], asked_alpn[64];

static int note_name(SSL *ssl, int *alert, void *owner) {
  (void)alert, (void)owner;
  const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  snprintf(asked_name, sizeof asked_name, "%s", name ? name : "");
  return SSL_TLSEXT_ERR_OK;
}

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
                       unsigned in_len, void *owner) {
  (void)ssl, (void)owner;
  snprintf(asked_alpn, sizeof asked_alpn, "%.*s", (int)in_len - 1, (const char *)in + 1);
  *out = in + 1;
  *out_len = in[0];
  return SSL_TLSEXT_ERR_OK;
}

TEST(a_trusted_provider_is_served_by_name_and_by_address) {
  for (int by_address = 0; by_address < 2; by_address++) {
    SSL_CTX *tls = good_server();
    SSL_CTX_set_tlsext_servername_callback(tls, note_name);
    SSL_CTX_set_alpn_select_cb(tls, choose_alpn, NULL);
    strcpy(asked_name, "not called");
    struct provider *v = provider_start(serve_whole, NULL, tls);
    struct seen s = {0};
    call_at(&s, "https", by_address ? "127.0.0.1" : "localhost", v->port, "POST", trusting());
    CHECK_INT(s.ends, 1);
    if (s.fails) fprintf(stderr, "%s\n", s.fault.text);
    CHECK_SLICE(buf_view(&s.body), "{\"a\":1}");
    CHECK_SLICE(slice_text(asked_name), by_address ? "" : "localhost");
    CHECK_SLICE(slice_text(asked_alpn), "http/1.1");
    CHECK(s.times.connected_ns > s.times.started_ns && s.times.connected_ns <= s.times.sent_ns);
    seen_done(&s);
    provider_stop(v);
    SSL_CTX_free(tls);
  }
}

/* One call that must be refused in the handshake. Returns the fault; nothing of the request may have been sent. */
static struct upcall_fault refused_by(SSL_CTX *tls, struct upstream_config config) {
  struct provider *v = provider_start(serve_whole, NULL, tls);
  struct seen s = {0};
  unsigned before = open_descriptors();
  call_at(&s, "https", "localhost", v->port, "POST", config);
  CHECK(open_descriptors() <= before + 1); /* the provider's own end may still be closing */
  CHECK_INT(s.fails, 1);
  CHECK_INT(s.heads + s.ends, 0);
  CHECK_INT(s.fault.phase, UPCALL_TLS);
  CHECK_INT(s.fault.why, UPCALL_TLS_FAULT);
  CHECK_INT(v->requests, 0);
  CHECK_INT(s.times.connected_ns, 0);
  seen_done(&s);
  provider_stop(v);
  SSL_CTX_free(tls);
  return s.fault;
}

TEST(certificates_that_do_not_hold_are_refused) {
  struct upcall_fault f = refused_by((ca_file(), server_with(&authority, "DNS:localhost", -7200, -3600)), trusting());
  CHECK(strstr(f.text, "expired") != NULL);
  f = refused_by(server_with(&authority, "DNS:localhost", 3600, 7200), trusting());
  CHECK(strstr(f.text, "not yet valid") != NULL);
  f = refused_by(server_with(&authority, "DNS:example.com", -60, 3600), trusting());
  CHECK(strstr(f.text, "ostname mismatch") != NULL);
  f = refused_by(server_with(&authority, "IP:127.0.0.1", -60, 3600), trusting());
  CHECK(strstr(f.text, "ostname mismatch") != NULL);
  /* The subject's common name is "localhost"; without an alternative name it counts for nothing. */
  f = refused_by(server_with(&authority, NULL, -60, 3600), trusting());
  CHECK(strstr(f.text, "ostname mismatch") != NULL);
  f = refused_by(server_with(NULL, "DNS:localhost", -60, 3600), trusting());
  CHECK(strstr(f.text, "self-signed") != NULL);
  /* Signed by an authority that the system does not know. */
  refused_by(good_server(), upstream_config_default);
}

TEST(old_protocols_are_refused) {
  static const int versions[] = {TLS1_VERSION, TLS1_1_VERSION};
  for (int i = 0; i < 2; i++) {
    SSL_CTX *tls = good_server();
    SSL_CTX_set_cipher_list(tls, "ALL:@SECLEVEL=0");
    SSL_CTX_set_min_proto_version(tls, versions[i]);
    SSL_CTX_set_max_proto_version(tls, versions[i]);
    refused_by(tls, trusting());
  }
  for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
    SSL_CTX *tls = good_server();
    SSL_CTX_set_max_proto_version(tls, version);
    struct provider *v = provider_start(serve_whole, NULL, tls);
    struct seen s = {0};
    call_at(&s, "https", "localhost", v->port, "POST", trusting());
    CHECK_INT(s.ends, 1);
    seen_done(&s);
    provider_stop(v);
    SSL_CTX_free(tls);
  }
}

TEST(only_insecure_takes_any_certificate) {
  SSL_CTX *tls = server_with(NULL, "DNS:example.com", -7200, -3600);
  struct provider *v = provider_start(serve_whole, NULL, tls);
  struct upstream_config config = upstream_config_default;
  config.insecure = true;
  struct seen s = {0};
  call_at(&s, "https", "localhost", v->port, "POST", config);
  CHECK_INT(s.ends, 1);
  seen_done(&s);
  provider_stop(v);
  SSL_CTX_free(tls);
}

/* ---- handshakes that go wrong: the provider speaks no TLS at all ---- */

static void serve_stall(struct peer *p) {
  peer_saw_close(p);
}

static void serve_hang_up(struct peer *p) {
  char some[16];
  recv(p->fd, some, sizeof some, 0);
}

static void serve_plain_words(struct peer *p) {
  peer_say(p, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
  peer_saw_close(p);
}

TEST(handshakes_that_stall_or_break_fail_in_their_phase) {
  static const struct {
    void (*serve)(struct peer *p);
    enum upcall_why why;
  } cases[] = {{serve_stall, UPCALL_TIMEOUT}, {serve_hang_up, UPCALL_TLS_FAULT}, {serve_plain_words, UPCALL_TLS_FAULT}};
  for (int i = 0; i < 3; i++) {
    struct provider *v = provider_start(cases[i].serve, NULL, NULL);
    struct upstream_config config = trusting();
    if (cases[i].why == UPCALL_TIMEOUT) config.tls_ms = 400;
    struct seen s = {0};
    call_at(&s, "https", "127.0.0.1", v->port, "POST", config);
    CHECK_INT(s.fails, 1);
    CHECK_INT(s.fault.phase, UPCALL_TLS);
    CHECK_INT(s.fault.why, cases[i].why);
    CHECK(s.fault.text[0] != '\0');
    provider_stop(v);
  }
}

TIMED(a_cancel_during_the_handshake_closes) {
  struct provider *v = provider_start(serve_stall, NULL, NULL);
  struct loop *l = loop_new();
  unsigned running = 0;
  struct upstream *u = upstream_to(l, "https", "127.0.0.1", v->port, trusting());
  struct seen s = {.loop = l, .running = &running};
  seen_start(&s, u, "GET", "/", NULL, 0);
  LOOP_UNTIL(l, v->connections == 1);
  loop_for_ms(l, 20);
  cancel_call(&s);
  /* The loop stands still: nothing but the cancel can have closed it. */
  for (int i = 0; i < 3000 && v->closed_ns == 0; i++) usleep(10000);
  CHECK(v->closed_ns != 0);
  CHECK_INT(s.fails + s.ends, 0);
  upstream_retire(u);
  loop_free(l);
  provider_stop(v);
}

/* ---- bytes ---- */

TEST(every_framing_over_tls_whole_and_byte_by_byte) {
  SSL_CTX *tls = good_server();
  for (unsigned piece = 0; piece < 2; piece++)
    for (size_t i = 0; i < sizeof framed / sizeof *framed; i++) {
      if (framed[i].close) continue;
      struct answer_script a = {.bytes = framed[i].bytes, .piece = piece};
      struct provider *v = provider_start(serve_answer, &a, tls);
      struct seen s = {0};
      call_at(&s, "https", "localhost", v->port, framed[i].method, trusting());
      CHECK_INT(s.status, framed[i].status);
      CHECK_SLICE(buf_view(&s.body), framed[i].body);
      CHECK_INT(s.ends, 1);
      seen_done(&s);
      provider_stop(v);
    }
  SSL_CTX_free(tls);
}

static void serve_until_notified_close(struct peer *p) {
  peer_request(p);
  peer_say(p, "HTTP/1.1 200 OK\r\n\r\nhello");
  if (p->provider->script) SSL_shutdown(p->ssl);
}

TEST(a_body_until_close_ends_only_with_the_close_of_tls) {
  SSL_CTX *tls = good_server();
  for (int notified = 0; notified < 2; notified++) {
    struct provider *v = provider_start(serve_until_notified_close, notified ? "" : NULL, tls);
    struct seen s = {0};
    call_at(&s, "https", "localhost", v->port, "POST", trusting());
    CHECK_SLICE(buf_view(&s.body), "hello");
    CHECK_INT(s.ends, notified);
    CHECK_INT(s.fails, !notified);
    if (!notified) CHECK_INT(s.fault.why, UPCALL_RESET);
    seen_done(&s);
    provider_stop(v);
  }
  SSL_CTX_free(tls);
}

TEST(connections_are_reused_and_sessions_resumed) {
  SSL_CTX *tls = good_server();
  struct provider *v = provider_start(serve_whole, NULL, tls);
  struct loop *l = loop_new();
  unsigned running = 0;
  struct upstream *u = upstream_to(l, "https", "localhost", v->port, trusting());
  for (int i = 0; i < 20; i++) {
    struct seen s = {.loop = l, .running = &running};
    seen_start(&s, u, "GET", "/", NULL, 0);
    loop_until_over(l, 60000);
    CHECK_INT(s.ends, 1);
    CHECK_INT(s.times.reused, i > 0);
    seen_done(&s);
  }
  CHECK_INT(v->connections, 1);
  struct seen s[3];
  for (int i = 0; i < 3; i++) {
    s[i] = (struct seen){.loop = l, .running = &running};
    seen_start(&s[i], u, "GET", "/", NULL, 0);
  }
  loop_until_over(l, 60000);
  for (int i = 0; i < 3; i++) seen_done(&s[i]);
  CHECK_INT(v->connections, 3);
  CHECK(v->resumed >= 1); /* OpenSSL may void a session that the other handshake is just using */
  upstream_retire(u);
  loop_free(l);
  provider_stop(v);
  SSL_CTX_free(tls);
}

static void serve_one_then_vanish(struct peer *p) {
  if (p->number > 0) {
    serve_whole(p);
    return;
  }
  if (peer_request(p)) peer_send(p, whole_answer, sizeof whole_answer - 1);
  peer_request(p);
  peer_reset(p);
}

TEST(a_request_that_dies_on_a_reused_tls_connection_is_sent_again) {
  SSL_CTX *tls = good_server();
  struct provider *v = provider_start(serve_one_then_vanish, NULL, tls);
  struct loop *l = loop_new();
  unsigned running = 0;
  struct upstream *u = upstream_to(l, "https", "localhost", v->port, trusting());
  for (int i = 0; i < 2; i++) {
    struct seen s = {.loop = l, .running = &running};
    seen_start(&s, u, "POST", "/", NULL, 0);
    loop_until_over(l, 60000);
    CHECK_INT(s.ends, 1);
    CHECK(!s.times.reused);
    seen_done(&s);
  }
  CHECK_INT(v->connections, 2);
  CHECK_INT(v->requests, 3);
  upstream_retire(u);
  loop_free(l);
  provider_stop(v);
  SSL_CTX_free(tls);
}

TEST(a_large_body_of_many_parts_arrives_whole) {
  enum { BYTES = 8 << 20, PARTS = 300 };
  SSL_CTX *tls = good_server();
  struct provider *v = provider_start(serve_sum, NULL, tls);
  char sum[32], *bytes = noise_new(BYTES, sum);
  struct iovec parts[PARTS];
  size_t at = 0;
  for (int i = 0; i < PARTS; i++) {
    size_t len = i == PARTS - 1 ? BYTES - at : (size_t)(i * i) % 40000;
    if (at + len > BYTES) len = 0;
    parts[i] = (struct iovec){bytes + at, len};
    at += len;
  }
  struct loop *l = loop_new();
  unsigned running = 0;
  struct upstream *u = upstream_to(l, "https", "localhost", v->port, trusting());
  struct seen s = {.loop = l, .running = &running};
  seen_start(&s, u, "POST", "/", parts, PARTS);
  loop_until_over(l, 60000);
  CHECK_SLICE(buf_view(&s.body), sum);
  seen_done(&s);
  upstream_retire(u);
  loop_free(l);
  mem_free(bytes);
  provider_stop(v);
  SSL_CTX_free(tls);
}

TEST(a_pause_holds_back_a_provider_on_tls) {
  SSL_CTX *tls = good_server();
  for (int chunked = 0; chunked < 2; chunked++) {
    struct provider *v = provider_start(serve_flood, chunked ? "" : NULL, tls);
    struct loop *l = loop_new();
    unsigned running = 0;
    struct upstream *u = upstream_to(l, "https", "localhost", v->port, trusting());
    struct seen s = {.loop = l, .running = &running};
    flood_begin(&s, u);
    loop_for_ms(l, 400);
    CHECK_INT(s.bodies, 1);
    CHECK(v->closed_ns < 16 << 20);
    flood_end(&s);
    upstream_retire(u);
    loop_free(l);
    provider_stop(v);
  }
  SSL_CTX_free(tls);
}

TIMED(a_cancel_closes_a_tls_stream) {
  SSL_CTX *tls = good_server();
  struct provider *v = provider_start(serve_silence, NULL, tls);
  struct loop *l = loop_new();
  unsigned running = 0;
  struct upstream *u = upstream_to(l, "https", "localhost", v->port, trusting());
  struct seen s = {.loop = l, .running = &running};
  seen_start(&s, u, "POST", "/", NULL, 0);
  LOOP_UNTIL(l, v->requests == 1);
  cancel_call(&s);
  for (int i = 0; i < 3000 && v->closed_ns == 0; i++) usleep(10000);
  CHECK(v->closed_ns != 0);
  upstream_retire(u);
  loop_free(l);
  provider_stop(v);
  SSL_CTX_free(tls);
}

__attribute__((destructor)) static void drop_authority(void) {
  if (authority.key) authority_free(&authority);
}

UNIT_MAIN()
