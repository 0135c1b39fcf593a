/* full_port: a port where nobody gets through: a listener whose queue is full, so that the kernel drops SYNs. */
#ifndef MOONGATE_TESTS_FULL_PORT_H
#define MOONGATE_TESTS_FULL_PORT_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/must.h"

struct full_port {
  int listener, waiting[4];
  uint16_t port;
};

/* Of a listener the kernel tells its queue: how many wait in it, and of how many (tcp(7), tcp_diag). */
static inline bool full_port_is_full(int listener) {
  struct tcp_info queue;
  socklen_t len = sizeof queue;
  must(getsockopt(listener, IPPROTO_TCP, TCP_INFO, &queue, &len) == 0);
  return queue.tcpi_unacked > queue.tcpi_sacked;
}

static inline struct full_port full_port_open(void) {
  struct full_port p = {.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof at;
  must(bind(p.listener, (struct sockaddr *)&at, len) == 0 && listen(p.listener, 0) == 0);
  must(getsockname(p.listener, (struct sockaddr *)&at, &len) == 0);
  p.port = ntohs(at.sin_port);
  for (unsigned i = 0; i < 4; i++) {
    p.waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    connect(p.waiting[i], (struct sockaddr *)&at, len);
  }
  unsigned tries = 0;
  while (!full_port_is_full(p.listener) && tries++ < 30000) usleep(1000);
  must(full_port_is_full(p.listener));
  return p;
}

static inline void full_port_close(struct full_port *p) {
  for (unsigned i = 0; i < 4; i++) close(p->waiting[i]);
  close(p->listener);
}

#endif
