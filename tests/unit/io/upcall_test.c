/* Calls over plain HTTP/1.1 against a scripted provider: what is sent, how answers are framed, where a call may go,
 * connecting, retiring. */
#include "seen.h"

TEST(one_call_sends_what_was_asked_and_tells_the_answer) {
  struct provider *v = provider_start(serve_whole, NULL, NULL);
  struct seen s = {0};
  call_once(&s, v->port, "POST", upstream_config_default);
  CHECK_INT(s.status, 200);
  CHECK_SLICE(buf_view(&s.body), "{\"a\":1}");
  CHECK_INT(s.ends, 1);
  CHECK_INT(s.heads, 1);
  CHECK_INT(s.fails, 0);
  char expected[512];
  snprintf(expected, sizeof expected,
           "POST /v1/chat/completions?x=y HTTP/1.1\r\nhost: 127.0.0.1:%u\r\naccept-encoding: identity\r\n"
           "content-type: application/json\r\ncontent-length: 13\r\nauthorization: Bearer " SECRET
           "\r\n\r\n{\"model\":\"m\"}",
           v->port);
  CHECK_SLICE(slice_text(provider_last(v)), expected);
  CHECK(s.times.started_ns <= s.times.connected_ns && s.times.connected_ns <= s.times.sent_ns);
  CHECK(s.times.sent_ns <= s.times.head_ns && s.times.head_ns <= s.times.ended_ns);
  CHECK(!s.times.reused);
  seen_done(&s);
  provider_stop(v);
}

/* ---- framing ---- */

TEST(every_framing_whole_and_byte_by_byte) {
  for (unsigned piece = 0; piece < 4; piece++)
    for (size_t i = 0; i < sizeof framed / sizeof *framed; i++) {
      struct seen s = {0};
      answer_of(&s, framed[i].method,
                (struct answer_script){.bytes = framed[i].bytes, .piece = piece, .close = framed[i].close},
                upstream_config_default);
      CHECK_INT(s.status, framed[i].status);
      CHECK_SLICE(buf_view(&s.body), framed[i].body);
      CHECK_INT(s.heads, 1);
      CHECK_INT(s.ends, 1);
      CHECK_INT(s.fails, 0);
      if (s.ends != 1) fprintf(stderr, "%s in pieces of %u: %s\n", framed[i].name, piece, s.fault.text);
      seen_done(&s);
    }
}

TEST(every_framing_cut_at_each_byte_fails_unless_its_end_is_the_close) {
  for (unsigned how = 0; how < 2; how++)
    for (size_t i = 0; i < sizeof framed / sizeof *framed; i++) {
      size_t all = strlen(framed[i].bytes);
      for (size_t cut = 1; cut < all; cut++) {
        struct seen s = {0};
        answer_of(&s, framed[i].method,
                  (struct answer_script){.bytes = framed[i].bytes, .cut = cut, .close = how == 0, .reset = how == 1},
                  upstream_config_default);
        /* A body until close ends wherever the close is: the content's own end must tell. */
        bool by_close = framed[i].close && how == 0 && s.heads == 1;
        CHECK_INT(s.ends, by_close);
        CHECK_INT(s.fails, !by_close);
        if (!by_close) CHECK_INT(s.fault.why, UPCALL_RESET);
        if (!by_close) CHECK_INT(s.fault.phase, s.heads ? UPCALL_BODY : UPCALL_WAIT);
        CHECK(s.body.len <= strlen(framed[i].body) &&
              memcmp(s.body.ptr ? s.body.ptr : "", framed[i].body, s.body.len) == 0);
        seen_done(&s);
      }
    }
}

/* ---- redirects, environment, targets ---- */

TEST(a_redirect_is_an_answer_and_nobody_follows_it) {
  struct provider *canary = provider_start(serve_canary, NULL, NULL);
  static const unsigned statuses[] = {301, 302, 303, 307, 308};
  for (size_t i = 0; i < 5; i++) {
    char bytes[256], location[64];
    snprintf(location, sizeof location, "http://127.0.0.1:%u/taken", canary->port);
    snprintf(bytes, sizeof bytes, "HTTP/1.1 %u Moved\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n", statuses[i],
             location);
    struct seen s = {.wanted = SLICE("location")};
    answer_of(&s, "POST", (struct answer_script){.bytes = bytes}, upstream_config_default);
    CHECK_INT(s.status, statuses[i]);
    CHECK_SLICE(buf_view(&s.kept), location);
    CHECK_INT(s.ends, 1);
    seen_done(&s);
  }
  CHECK_INT(canary->connections, 0);
  provider_stop(canary);
}

TEST(proxies_and_netrc_of_the_environment_are_ignored) {
  struct provider *canary = provider_start(serve_canary, NULL, NULL), *v = provider_start(serve_whole, NULL, NULL);
  char proxy[64], home[] = "/tmp/upcall_home_XXXXXX", netrc[128];
  snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", canary->port);
  static const char *const names[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
  for (size_t i = 0; i < 5; i++) setenv(names[i], proxy, 1);
  must(mkdtemp(home) != NULL);
  setenv("HOME", home, 1);
  snprintf(netrc, sizeof netrc, "%s/.netrc", home);
  FILE *file = fopen(netrc, "w");
  fputs("machine 127.0.0.1 login thief password canary-pw\ndefault login thief password canary-pw\n", file);
  fclose(file);
  struct seen s = {0};
  call_once(&s, v->port, "POST", upstream_config_default);
  CHECK_INT(s.ends, 1);
  CHECK_INT(canary->connections, 0);
  CHECK_INT(slice_find(slice_text(provider_last(v)), SLICE("Basic")), -1);
  CHECK_INT(slice_find(slice_text(provider_last(v)), SLICE("canary-pw")), -1);
  for (size_t i = 0; i < 5; i++) unsetenv(names[i]);
  unlink(netrc);
  rmdir(home);
  seen_done(&s);
  provider_stop(v);
  provider_stop(canary);
}

static void serve_connect_proxy(struct peer *p) {
  if (!peer_request(p)) return; /* CONNECT */
  peer_say(p, "HTTP/1.1 200 Connection established\r\n\r\n");
  serve_whole(p);
}

TEST(a_configured_proxy_is_used_also_against_no_proxy) {
  struct provider *v = provider_start(serve_connect_proxy, NULL, NULL);
  char proxy[64];
  snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", v->port);
  setenv("no_proxy", "*", 1);
  struct upstream_config config = upstream_config_default;
  config.proxy = proxy;
  struct seen s = {0};
  call_once(&s, 9, "POST", config);
  CHECK_INT(s.ends, 1);
  CHECK_INT(v->requests, 2);
  unsetenv("no_proxy");
  seen_done(&s);
  provider_stop(v);
}

TEST(a_target_that_is_not_escaped_is_never_sent) {
  struct provider *v = provider_start(serve_whole, NULL, NULL);
  static const char *const targets[] = {"/a b", "/a\r\nx: y", "", "x", "/a\x7f", "/a\tb"};
  struct loop *l = loop_new();
  struct upstream *u = upstream_to(l, "http", "127.0.0.1", v->port, upstream_config_default);
  for (size_t i = 0; i < 6; i++) {
    unsigned running = 0;
    struct seen s = {.loop = l, .running = &running};
    seen_start(&s, u, "POST", targets[i], NULL, 0);
    CHECK_INT(s.fails, 0);
    loop_until_over(l, 60000);
    CHECK_INT(s.fails, 1);
    CHECK_INT(s.fault.why, UPCALL_BAD);
  }
  upstream_retire(u);
  loop_free(l);
  CHECK_INT(v->connections, 0);
  provider_stop(v);
}

TEST(addresses_that_cannot_be_used_are_refused_at_the_start) {
  static const char *const urls[] = {"ftp://example.com", "http://", "file:///etc/passwd", "http://u:p@example.com/",
                                     "example.com"};
  struct loop *l = loop_new();
  for (size_t i = 0; i < 5; i++) {
    struct upstream_config config = upstream_config_default;
    struct err e = {0};
    config.base_url = urls[i];
    CHECK(upstream_new(l, &config, &e) == NULL);
    CHECK(e.text[0] != '\0');
  }
  struct upstream_config config = upstream_config_default;
  struct err e = {0};
  config.base_url = "http://example.com";
  config.proxy = "https://proxy.example.com";
  CHECK(upstream_new(l, &config, &e) == NULL);
  config = upstream_config_default;
  config.base_url = "https://example.com";
  config.ca_file = "/nonexistent.pem";
  CHECK(upstream_new(l, &config, &e) == NULL);
  CHECK(strstr(e.text, "/nonexistent.pem") != NULL);
  loop_free(l);
}

/* ---- connecting ---- */

TEST(a_refused_connection_fails_in_the_connect_phase) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof at;
  must(bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && getsockname(fd, (struct sockaddr *)&at, &size) == 0);
  struct seen s = {0};
  call_once(&s, ntohs(at.sin_port), "POST", upstream_config_default);
  CHECK_INT(s.fails, 1);
  CHECK_INT(s.fault.phase, UPCALL_CONNECT);
  CHECK_INT(s.fault.why, UPCALL_REFUSED);
  CHECK_INT(s.times.connected_ns, 0);
  close(fd);
}

TEST(a_name_that_does_not_resolve_fails_in_the_connect_phase) {
  struct loop *l = loop_new();
  unsigned running = 0;
  struct upstream *u = upstream_to(l, "http", "no-such-host.invalid", 80, upstream_config_default);
  struct seen s = {.loop = l, .running = &running};
  seen_start(&s, u, "GET", "/", NULL, 0);
  loop_until_over(l, 60000);
  CHECK_INT(s.fails, 1);
  CHECK_INT(s.fault.phase, UPCALL_CONNECT);
  upstream_retire(u);
  loop_free(l);
}

TEST(a_connect_that_hangs_fails_by_the_clock) {
  struct full_port full = full_port_open();
  struct upstream_config config = upstream_config_default;
  config.connect_ms = 300;
  struct seen s = {0};
  call_once(&s, full.port, "POST", config);
  CHECK_INT(s.fails, 1);
  CHECK_INT(s.fault.phase, UPCALL_CONNECT);
  CHECK_INT(s.fault.why, UPCALL_TIMEOUT);
  full_port_close(&full);
}

/* ---- retire ---- */

TEST(a_retired_upstream_lets_running_calls_finish) {
  struct provider *v = provider_start(serve_sum, NULL, NULL);
  struct loop *l = loop_new();
  unsigned running = 0;
  struct upstream *u = upstream_to(l, "http", "127.0.0.1", v->port, upstream_config_default);
  struct seen s[2];
  for (int i = 0; i < 2; i++) {
    s[i] = (struct seen){.loop = l, .running = &running};
    seen_start(&s[i], u, "GET", "/", NULL, 0);
  }
  upstream_retire(u);
  loop_until_over(l, 60000);
  for (int i = 0; i < 2; i++) {
    CHECK_INT(s[i].ends, 1);
    seen_done(&s[i]);
  }
  loop_free(l);
  provider_stop(v);
}

UNIT_MAIN()
