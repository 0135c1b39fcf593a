/* Calls over HTTP/2, by libcurl: Debian's nginx speaks HTTP/2 on loopback, in the clear and over TLS, and hands
 * each request to a scripted provider behind it. The events must be those of HTTP/1.1. */
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "certificates.h"
#include "seen.h"

static struct authority authority;

/* nginx as a child, between the calls and a provider. */
struct front {
  pid_t pid;
  uint16_t clear, tls; /* ports */
  char folder[32];
};

static uint16_t free_port(void) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof at;
  must(bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && getsockname(fd, (struct sockaddr *)&at, &size) == 0);
  close(fd);
  return ntohs(at.sin_port);
}

static bool listens(uint16_t port) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  bool open = connect(fd, (struct sockaddr *)&at, sizeof at) == 0;
  close(fd);
  return open;
}

static void front_key(const struct front *f, const char *alternative, long until_s) {
  SSL_CTX *context = server_with(&authority, alternative, -7200, until_s);
  char path[64];
  snprintf(path, sizeof path, "%s/cert.pem", f->folder);
  FILE *file = fopen(path, "w");
  must(PEM_write_X509(file, SSL_CTX_get0_certificate(context)) == 1);
  fclose(file);
  snprintf(path, sizeof path, "%s/key.pem", f->folder);
  file = fopen(path, "w");
  must(PEM_write_PrivateKey(file, SSL_CTX_get0_privatekey(context), NULL, NULL, 0, NULL, NULL) == 1);
  fclose(file);
  SSL_CTX_free(context);
}

static struct front front_start(uint16_t behind, const char *alternative, long until_s) {
  if (!authority.key) authority = authority_new();
  struct front f = {.folder = "/tmp/upcall_h2_XXXXXX", .clear = free_port()};
  do f.tls = free_port();
  while (f.tls == f.clear);
  must(mkdtemp(f.folder) != NULL);
  front_key(&f, alternative, until_s);
  char path[64];
  snprintf(path, sizeof path, "%s/nginx.conf", f.folder);
  FILE *file = fopen(path, "w");
  fprintf(file,
          "daemon off; master_process off; pid %1$s/pid; error_log %1$s/error.log;\n"
          "events { worker_connections 256; }\n"
          "http { access_log off; client_body_temp_path %1$s/body; proxy_temp_path %1$s/proxy;\n"
          "  fastcgi_temp_path %1$s/f; uwsgi_temp_path %1$s/u; scgi_temp_path %1$s/s;\n"
          "  server { listen 127.0.0.1:%2$u http2; listen 127.0.0.1:%3$u ssl http2;\n"
          "    ssl_certificate %1$s/cert.pem; ssl_certificate_key %1$s/key.pem; client_max_body_size 0;\n"
          "    location / { proxy_pass http://127.0.0.1:%4$u; proxy_http_version 1.1; proxy_buffering off;\n"
          "      proxy_request_buffering off; proxy_set_header Connection \"\"; proxy_redirect off;\n"
          "      add_header x-way \"$server_protocol $connection\" always;\n"
          "      add_header x-expected \"<$http_expect>\" always; } } }\n",
          f.folder, f.clear, f.tls, behind);
  fclose(file);
  f.pid = fork();
  must(f.pid >= 0);
  if (f.pid == 0) {
    execlp("nginx", "nginx", "-p", f.folder, "-c", path, "-e", "/dev/null", (char *)NULL);
    execl("/usr/sbin/nginx", "nginx", "-p", f.folder, "-c", path, "-e", "/dev/null", (char *)NULL);
    perror("nginx (package nginx-light)");
    _exit(127);
  }
  for (int i = 0; i < 3000 && !listens(f.tls); i++) usleep(10000);
  must(listens(f.tls));
  return f;
}

static void front_stop(struct front *f) {
  kill(f->pid, SIGKILL);
  waitpid(f->pid, NULL, 0);
  static const char *const left[] = {"cert.pem", "key.pem", "nginx.conf", "pid", "error.log"}, *const folders[] = {
                                                                                                   "body", "proxy", "f",
                                                                                                   "u",    "s",     ""};
  char path[64];
  for (size_t i = 0; i < 5; i++) snprintf(path, sizeof path, "%s/%s", f->folder, left[i]), unlink(path);
  for (size_t i = 0; i < 6; i++) snprintf(path, sizeof path, "%s/%s", f->folder, folders[i]), rmdir(path);
}

static struct upstream_config over_http2(void) {
  struct upstream_config config = upstream_config_default;
  config.http2 = true;
  config.ca_file = authority.file;
  return config;
}

static struct front good_front(uint16_t behind) {
  return front_start(behind, "DNS:localhost,IP:127.0.0.1", 3600);
}

TEST(one_call_over_http2_in_the_clear_and_over_tls) {
  struct provider *v = provider_start(serve_whole, NULL, NULL);
  struct front f = good_front(v->port);
  for (int tls = 0; tls < 2; tls++) {
    struct seen s = {.wanted = SLICE("x-way")};
    call_at(&s, tls ? "https" : "http", "localhost", tls ? f.tls : f.clear, "POST", over_http2());
    if (s.fails) fprintf(stderr, "%s\n", s.fault.text);
    CHECK_INT(s.status, 200);
    CHECK_INT(s.heads, 1);
    CHECK_INT(s.ends, 1);
    CHECK_SLICE(buf_view(&s.body), "{\"a\":1}");
    CHECK(slice_starts(buf_view(&s.kept), SLICE("HTTP/2.0 ")));
    CHECK(strncmp(provider_last(v), "POST /v1/chat/completions?x=y HTTP/1.1\r\n", 40) == 0);
    CHECK(strstr(provider_last(v), "\r\nauthorization: Bearer " SECRET "\r\n") != NULL);
    CHECK(strstr(provider_last(v), "\r\naccept-encoding: identity\r\n") != NULL);
    CHECK(strstr(provider_last(v), "\r\ncontent-type: application/json\r\n") != NULL);
    CHECK(strstr(provider_last(v), "\r\n\r\n{\"model\":\"m\"}") != NULL);
    CHECK(strcasestr(provider_last(v), "expect:") == NULL);
    CHECK(strcasestr(provider_last(v), "user-agent:") == NULL);
    CHECK(strcasestr(provider_last(v), "\r\naccept:") == NULL);
    CHECK(s.times.started_ns <= s.times.connected_ns && s.times.connected_ns <= s.times.sent_ns);
    CHECK(s.times.sent_ns <= s.times.head_ns && s.times.head_ns <= s.times.ended_ns);
    CHECK(!s.times.reused);
    seen_done(&s);
  }
  front_stop(&f);
  provider_stop(v);
}

TEST(every_framing_behind_http2) {
  for (size_t i = 0; i < sizeof framed / sizeof *framed; i++) {
    if (framed[i].close || framed[i].status == 201) continue; /* this nginx forwards no 1xx */
    struct answer_script a = {.bytes = framed[i].bytes};
    struct provider *v = provider_start(serve_answer, &a, NULL);
    struct front f = good_front(v->port);
    struct seen s = {0};
    call_at(&s, "http", "127.0.0.1", f.clear, framed[i].method, over_http2());
    CHECK_INT(s.status, framed[i].status);
    CHECK_SLICE(buf_view(&s.body), framed[i].body);
    CHECK_INT(s.ends, 1);
    if (s.fails) fprintf(stderr, "%s: %s\n", framed[i].name, s.fault.text);
    seen_done(&s);
    front_stop(&f);
    provider_stop(v);
  }
}

TEST(connections_are_reused_within_an_upstream_only) {
  struct provider *v = provider_start(serve_whole, NULL, NULL);
  struct front f = good_front(v->port);
  struct loop *l = loop_new();
  unsigned running = 0;
  struct upstream *u[2];
  for (int i = 0; i < 2; i++) u[i] = upstream_to(l, "https", "localhost", f.tls, over_http2());
  struct buf way[2] = {{0}, {0}};
  for (int round = 0; round < 5; round++) {
    struct seen s[2];
    for (int i = 0; i < 2; i++) {
      s[i] = (struct seen){.loop = l, .running = &running, .wanted = SLICE("x-way")};
      seen_start(&s[i], u[i], "POST", "/", NULL, 0);
    }
    loop_until_over(l, 60000);
    for (int i = 0; i < 2; i++) {
      CHECK_INT(s[i].ends, 1);
      CHECK_INT(s[i].times.reused, round > 0);
      if (way[i].len == 0) buf_slice(&way[i], buf_view(&s[i].kept));
      CHECK(slice_eq(buf_view(&way[i]), buf_view(&s[i].kept)));
      seen_done(&s[i]);
    }
  }
  CHECK(!slice_eq(buf_view(&way[0]), buf_view(&way[1])));
  for (int i = 0; i < 2; i++) {
    buf_done(&way[i]);
    upstream_retire(u[i]);
  }
  loop_free(l);
  front_stop(&f);
  provider_stop(v);
}

TEST(many_calls_at_once_over_http2_and_one_cancelled_hurts_no_other) {
  struct provider *v = provider_start(serve_sum, NULL, NULL);
  struct front f = good_front(v->port);
  struct loop *l = loop_new();
  unsigned running = 0;
  struct upstream *u = upstream_to(l, "https", "localhost", f.tls, over_http2());
  struct seen s[24];
  for (int i = 0; i < 24; i++) {
    s[i] = (struct seen){.loop = l, .running = &running};
    if (i % 3 == 0) s[i].at_head = cancel_call;
    seen_start(&s[i], u, "POST", "/", NULL, 0);
  }
  loop_until_over(l, 60000);
  for (int i = 0; i < 24; i++) {
    CHECK_INT(s[i].ends, i % 3 != 0);
    CHECK_INT(s[i].fails, 0);
    seen_done(&s[i]);
  }
  upstream_retire(u);
  loop_free(l);
  front_stop(&f);
  provider_stop(v);
}

/* And at once: with "Expect: 100-continue", which libcurl adds to a large one, it would wait a second. */
TEST(a_large_request_arrives_whole_over_http2) {
  enum { BYTES = 3 << 20 };
  struct provider *v = provider_start(serve_sum, NULL, NULL);
  struct front f = good_front(v->port);
  char *bytes = mem_alloc(BYTES);
  uint32_t seed = 7;
  for (size_t i = 0; i < BYTES; i++) bytes[i] = (char)((seed = seed * 1664525 + 1013904223) >> 24);
  struct iovec parts[3] = {{bytes, 1}, {bytes + 1, 100000}, {bytes + 100001, BYTES - 100001}};
  struct loop *l = loop_new();
  unsigned running = 0;
  struct upstream *u = upstream_to(l, "https", "localhost", f.tls, over_http2());
  struct seen s = {.loop = l, .running = &running, .wanted = SLICE("x-expected")};
  seen_start(&s, u, "POST", "/", parts, 3);
  loop_until_over(l, 60000);
  char expected[32];
  snprintf(expected, sizeof expected, "%llx", (unsigned long long)sum_of(bytes, BYTES));
  CHECK_SLICE(buf_view(&s.body), expected);
  CHECK_SLICE(buf_view(&s.kept), "<>");
  seen_done(&s);
  upstream_retire(u);
  loop_free(l);
  mem_free(bytes);
  front_stop(&f);
  provider_stop(v);
}

TEST(a_pause_holds_back_a_provider_on_http2) {
  struct provider *v = provider_start(serve_flood, "", NULL);
  struct front f = good_front(v->port);
  struct loop *l = loop_new();
  unsigned running = 0;
  struct upstream *u = upstream_to(l, "http", "localhost", f.clear, over_http2());
  struct seen s = {.loop = l, .running = &running};
  long before_kb = resident_kb();
  flood_begin(&s, u);
  loop_for_ms(l, 500);
  CHECK_INT(s.bodies, 1);
  CHECK(v->closed_ns < 48 << 20);
  CHECK(resident_kb() - before_kb < 4096);
  flood_end(&s);
  upstream_retire(u);
  loop_free(l);
  front_stop(&f);
  provider_stop(v);
}

static void serve_some_then_wait(struct peer *p) {
  peer_request(p);
  peer_say(p, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
  peer_saw_close(p);
}

TIMED(a_cancel_ends_the_stream_in_every_phase) {
  enum { AT_ONCE, WHILE_WAITING, IN_HEAD, IN_BODY, WHILE_STREAMING, PHASES };
  for (int phase = 0; phase < PHASES; phase++) {
    struct provider *v = provider_start(phase == WHILE_WAITING ? serve_silence : serve_some_then_wait, NULL, NULL);
    struct front f = good_front(v->port);
    struct loop *l = loop_new();
    unsigned running = 0;
    struct upstream *u = upstream_to(l, "https", "localhost", f.tls, over_http2());
    struct seen s = {.loop = l, .running = &running};
    if (phase == IN_HEAD) s.at_head = cancel_call;
    if (phase == IN_BODY) s.at_body = cancel_call_at_body;
    seen_start(&s, u, "POST", "/", NULL, 0);
    struct timer soon;
    timer_init(&soon, l, cancel_later, &s);
    if (phase == AT_ONCE) cancel_call(&s);
    if (phase == WHILE_WAITING) LOOP_UNTIL(l, v->requests == 1);
    if (phase == WHILE_STREAMING) LOOP_UNTIL(l, s.bodies == 1);
    if (phase == WHILE_WAITING || phase == WHILE_STREAMING) timer_set_ms(&soon, 20);
    if (phase != AT_ONCE) {
      loop_until_over(l, 60000);
      /* The loop stands still: nothing but the cancel can have ended it. */
      for (int i = 0; i < 3000 && v->closed_ns == 0; i++) usleep(10000);
      CHECK(v->closed_ns != 0);
    }
    CHECK_INT(s.ends + s.fails, 0);
    CHECK_INT(s.heads, phase >= IN_HEAD);
    /* And the next call is served. */
    struct seen t = {.loop = l, .running = &running, .at_head = cancel_call};
    if (phase > WHILE_WAITING) {
      seen_start(&t, u, "POST", "/", NULL, 0);
      loop_until_over(l, 60000);
      CHECK_INT(t.heads, 1);
    }
    seen_done(&s);
    upstream_retire(u);
    loop_free(l);
    front_stop(&f);
    provider_stop(v);
  }
}

TEST(what_is_wrong_with_an_answer_fails_as_on_http11) {
  static const struct {
    const char *bytes;
    enum upcall_why why;
    bool cut;
  } bad[] = {
      {"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", UPCALL_BAD, false},
      {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n1234567890", UPCALL_RESET, true},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", UPCALL_RESET, true},
      {"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n123456789012", UPCALL_BAD, false},
  };
  for (size_t i = 0; i < 4; i++) {
    struct answer_script a = {.bytes = bad[i].bytes, .close = bad[i].cut};
    struct provider *v = provider_start(serve_answer, &a, NULL);
    struct front f = good_front(v->port);
    struct upstream_config config = over_http2();
    config.body_bytes = 11;
    if (bad[i].cut) config.body_bytes = 1000;
    struct seen s = {0};
    call_at(&s, "http", "127.0.0.1", f.clear, "POST", config);
    CHECK_INT(s.fails, 1);
    CHECK_INT(s.ends, 0);
    CHECK_INT(s.fault.why, bad[i].why);
    if (s.fault.why != bad[i].why) fprintf(stderr, "case %zu: %s\n", i, s.fault.text);
    CHECK(s.body.len <= config.body_bytes);
    seen_done(&s);
    front_stop(&f);
    provider_stop(v);
  }
}

TEST(a_front_that_dies_fails_its_calls) {
  struct provider *v = provider_start(serve_some_then_wait, NULL, NULL);
  struct front f = good_front(v->port);
  struct loop *l = loop_new();
  unsigned running = 0;
  struct upstream *u = upstream_to(l, "https", "localhost", f.tls, over_http2());
  struct seen s = {.loop = l, .running = &running};
  seen_start(&s, u, "POST", "/", NULL, 0);
  LOOP_UNTIL(l, s.bodies == 1);
  CHECK_SLICE(buf_view(&s.body), "one");
  kill(f.pid, SIGKILL);
  loop_until_over(l, 60000);
  CHECK_INT(s.fails, 1);
  CHECK_INT(s.fault.why, UPCALL_RESET);
  CHECK_INT(s.fault.phase, UPCALL_BODY);
  seen_done(&s);
  upstream_retire(u);
  loop_free(l);
  front_stop(&f);
  provider_stop(v);
}

TEST(certificates_that_do_not_hold_are_refused_on_http2) {
  struct provider *v = provider_start(serve_whole, NULL, NULL);
  for (int i = 0; i < 3; i++) {
    struct front f = front_start(v->port, i == 1 ? "DNS:example.com" : "DNS:localhost", i == 0 ? -3600 : 3600);
    struct upstream_config config = over_http2();
    if (i == 2) config.ca_file = NULL;
    struct seen s = {0};
    call_at(&s, "https", "localhost", f.tls, "POST", config);
    CHECK_INT(s.fails, 1);
    CHECK_INT(s.fault.phase, UPCALL_TLS);
    CHECK_INT(s.fault.why, UPCALL_TLS_FAULT);
    config.insecure = true;
    call_at(&s, "https", "localhost", f.tls, "POST", config);
    CHECK_INT(s.ends, 1);
    seen_done(&s);
    front_stop(&f);
  }
  CHECK_INT(v->requests, 3);
  provider_stop(v);
}

TEST(connecting_over_http2_fails_in_its_phase) {
  struct upstream_config config = over_http2();
  struct seen s = {0};
  call_at(&s, "https", "127.0.0.1", free_port(), "POST", config);
  CHECK_INT(s.fault.phase, UPCALL_CONNECT);
  CHECK_INT(s.fault.why, UPCALL_REFUSED);
  struct full_port full = full_port_open();
  config.connect_ms = 300;
  call_at(&s, "https", "127.0.0.1", full.port, "POST", config);
  CHECK_INT(s.fault.phase, UPCALL_CONNECT);
  CHECK_INT(s.fault.why, UPCALL_TIMEOUT);
  full_port_close(&full);
  struct provider *v = provider_start(serve_silence, NULL, NULL);
  config.connect_ms = 1000; /* the TLS handshake's too; connecting itself takes none of it */
  call_at(&s, "https", "127.0.0.1", v->port, "POST", config);
  CHECK_INT(s.fault.phase, UPCALL_TLS);
  CHECK_INT(s.fault.why, UPCALL_TIMEOUT);
  CHECK_INT(s.fails, 3);
  provider_stop(v);
}

TEST(a_redirect_and_the_environment_change_nothing_on_http2) {
  struct provider *canary = provider_start(serve_canary, NULL, NULL);
  char bytes[256], proxy[64];
  snprintf(bytes, sizeof bytes, "HTTP/1.1 307 Moved\r\nLocation: http://127.0.0.1:%u/\r\nContent-Length: 0\r\n\r\n",
           canary->port);
  snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", canary->port);
  struct answer_script a = {.bytes = bytes};
  struct provider *v = provider_start(serve_answer, &a, NULL);
  struct front f = good_front(v->port);
  setenv("http_proxy", proxy, 1);
  setenv("ALL_PROXY", proxy, 1);
  struct seen s = {0};
  call_at(&s, "http", "127.0.0.1", f.clear, "POST", over_http2());
  CHECK_INT(s.status, 307);
  CHECK_INT(s.ends, 1);
  CHECK_INT(canary->connections, 0);
  unsetenv("http_proxy");
  unsetenv("ALL_PROXY");
  seen_done(&s);
  front_stop(&f);
  provider_stop(v);
  provider_stop(canary);
}

/* A provider without HTTP/2: ALPN falls back, the strict rules stay. */
TEST(without_http2_on_the_other_side_http11_is_spoken) {
  if (!authority.key) authority = authority_new();
  SSL_CTX *tls = server_with(&authority, "DNS:localhost", -60, 3600);
  struct provider *v = provider_start(serve_whole, NULL, tls);
  struct seen s = {0};
  call_at(&s, "https", "localhost", v->port, "POST", over_http2());
  CHECK_INT(s.ends, 1);
  CHECK_SLICE(buf_view(&s.body), "{\"a\":1}");
  seen_done(&s);
  provider_stop(v);
  static const char *const bad[] = {
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
  };
  for (size_t i = 0; i < 2; i++) {
    struct answer_script a = {.bytes = bad[i]};
    v = provider_start(serve_answer, &a, tls);
    s = (struct seen){0};
    call_at(&s, "https", "localhost", v->port, "POST", over_http2());
    CHECK_INT(s.fails, 1);
    CHECK_INT(s.heads, 0);
    CHECK_INT(s.fault.why, UPCALL_BAD);
    seen_done(&s);
    provider_stop(v);
  }
  SSL_CTX_free(tls);
}

__attribute__((destructor)) static void drop_authority(void) {
  if (authority.key) authority_free(&authority);
}

UNIT_MAIN()
