/* TLS records that arrive in pieces: a relay hands the provider's bytes over one at a time, so that a read ends behind
 * each byte of a record, its header too. */
#include "certificates.h"
#include "seen.h"

enum { ANSWERS = 3, PAUSE_US = 100 };

struct relay {
  int listener, provider, client;
  uint16_t port;
  pthread_t up, down;
};

static void *carry_up(void *argument) {
  struct relay *r = argument;
  char bytes[4096];
  ssize_t got;
  while ((got = recv(r->client, bytes, sizeof bytes, 0)) > 0)
    if (send(r->provider, bytes, (size_t)got, MSG_NOSIGNAL) != got) break;
  shutdown(r->provider, SHUT_RDWR);
  return NULL;
}

static void *carry_down(void *argument) {
  struct relay *r = argument;
  int on = 1;
  char byte;
  r->client = accept(r->listener, NULL, NULL);
  must(r->client >= 0 && setsockopt(r->client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0);
  must(pthread_create(&r->up, NULL, carry_up, r) == 0);
  while (recv(r->provider, &byte, 1, 0) == 1) {
    if (send(r->client, &byte, 1, MSG_NOSIGNAL) != 1) break;
    usleep(PAUSE_US); /* so that the other side reads it alone */
  }
  shutdown(r->client, SHUT_RDWR);
  pthread_join(r->up, NULL);
  return NULL;
}

static void relay_start(struct relay *r, uint16_t to_port) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, to = at;
  socklen_t size = sizeof at;
  *r = (struct relay){.listener = socket(AF_INET, SOCK_STREAM, 0), .provider = socket(AF_INET, SOCK_STREAM, 0)};
  must(bind(r->listener, (struct sockaddr *)&at, sizeof at) == 0 && listen(r->listener, 1) == 0);
  must(getsockname(r->listener, (struct sockaddr *)&at, &size) == 0);
  r->port = ntohs(at.sin_port);
  to.sin_port = htons(to_port);
  must(connect(r->provider, (struct sockaddr *)&to, sizeof to) == 0);
  must(pthread_create(&r->down, NULL, carry_down, r) == 0);
}

static void relay_stop(struct relay *r) {
  shutdown(r->provider, SHUT_RDWR);
  pthread_join(r->down, NULL);
  close(r->listener);
  close(r->provider);
  close(r->client);
}

TEST(records_that_come_byte_by_byte_are_read_whole) {
  struct authority authority = authority_new();
  SSL_CTX *tls = server_with(&authority, "DNS:localhost", -60, 3600);
  struct provider *v = provider_start(serve_whole, NULL, tls);
  struct relay relay;
  relay_start(&relay, v->port);
  struct upstream_config config = upstream_config_default;
  config.ca_file = authority.file;
  struct loop *l = loop_new();
  unsigned running = 0;
  struct upstream *u = upstream_to(l, "https", "localhost", relay.port, config);
  for (int i = 0; i < ANSWERS; i++) {
    struct seen s = {.loop = l, .running = &running};
    seen_start(&s, u, "POST", "/v1/x", NULL, 0);
    loop_until_over(l, 60000);
    CHECK_INT(s.ends, 1);
    CHECK_INT(s.times.reused, i > 0);
    CHECK_SLICE(buf_view(&s.body), "{\"a\":1}");
    seen_done(&s);
  }
  upstream_retire(u);
  loop_for_ms(l, 20);
  loop_free(l);
  relay_stop(&relay);
  provider_stop(v);
  SSL_CTX_free(tls);
  authority_free(&authority);
}

UNIT_MAIN()
