/* What a bad provider may try: two framings at once, encodings, storms of heads, bodies without end. */
#include "seen.h"

TEST(answers_that_break_http_fail_as_bad) {
  static const char *const bad[] = {
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
      "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
      "HTTP/1.1 200 OK\r\nCONTENT-ENCODING: br\r\nContent-Length: 3\r\n\r\nabc",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nX: a\r\n folded\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
      "HTTP/2 200\r\nContent-Length: 0\r\n\r\n",
      "ICY 200 OK\r\n\r\n",
      "\x16\x03\x01\x02\x00",
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    struct seen s = {0};
    answer_of(&s, "POST", (struct answer_script){.bytes = bad[i], .len = i == 12 ? 5 : 0, .close = i == 12},
              upstream_config_default);
    CHECK_INT(s.fails, 1);
    CHECK_INT(s.ends, 0);
    CHECK_INT(s.fault.why, UPCALL_BAD);
    if (s.fault.why != UPCALL_BAD) fprintf(stderr, "case %zu: %s\n", i, s.fault.text);
    seen_done(&s);
  }
}

static void serve_endless_headers(struct peer *p) {
  peer_request(p);
  peer_say(p, "HTTP/1.1 200 OK\r\n");
  while (peer_say(p, "x-a: b\r\n")) {}
}

static void serve_giant_header(struct peer *p) {
  static char much[65536];
  memset(much, 'a', sizeof much);
  peer_request(p);
  peer_say(p, "HTTP/1.1 200 OK\r\nx-a: ");
  for (int i = 0; i < 3200 && peer_send(p, much, sizeof much); i++) {}
}

static void serve_interim_storm(struct peer *p) {
  peer_request(p);
  while (peer_say(p, "HTTP/1.1 102 Processing\r\n\r\n")) {}
}

TEST(endless_heads_fail_early) {
  static void (*const storms[])(struct peer *) = {serve_endless_headers, serve_giant_header, serve_interim_storm};
  for (size_t i = 0; i < 3; i++) {
    struct provider *v = provider_start(storms[i], NULL, NULL);
    struct seen s = {0};
    call_once(&s, v->port, "POST", upstream_config_default);
    CHECK_INT(s.fails, 1);
    CHECK_INT(s.heads, 0);
    CHECK_INT(s.fault.why, UPCALL_BAD);
    CHECK_INT(s.fault.phase, UPCALL_WAIT);
    seen_done(&s);
    provider_stop(v);
  }
}

TEST(sixteen_interim_heads_are_still_fine) {
  struct buf bytes = {0};
  for (int i = 0; i < 16; i++) buf_text(&bytes, "HTTP/1.1 102 Processing\r\n\r\n");
  buf_text(&bytes, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  struct seen s = {0};
  answer_of(&s, "POST", (struct answer_script){.bytes = bytes.ptr, .len = bytes.len}, upstream_config_default);
  CHECK_INT(s.ends, 1);
  seen_done(&s);
  buf_done(&bytes);
}

TEST(a_body_over_the_limit_fails_in_each_framing) {
  static const char *const over[] = {
      "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n123456789",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n1234\r\n5\r\n56789\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\n\r\n123456789",
  };
  struct upstream_config config = upstream_config_default;
  for (size_t i = 0; i < 3; i++)
    for (unsigned allowed = 8; allowed < 10; allowed++) {
      config.body_bytes = allowed;
      struct seen s = {0};
      answer_of(&s, "POST", (struct answer_script){.bytes = over[i], .close = true}, config);
      CHECK_INT(s.fails, allowed == 8);
      CHECK_INT(s.ends, allowed == 9);
      if (s.fails) CHECK_INT(s.fault.why, UPCALL_BAD);
      CHECK(s.body.len <= allowed);
      seen_done(&s);
    }
}

UNIT_MAIN()
