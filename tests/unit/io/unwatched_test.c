/* server: a connection that the kernel has no room to watch any more (epoll_ctl(2): ENOMEM) is given up; the others and
 * the process go on. */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#include "edge.h"

static bool refuses;

/* In front of libc's: libevent calls it. */
int epoll_ctl(int epoll, int what, int fd, struct epoll_event *event) {
  if (refuses && what != EPOLL_CTL_DEL) {
    errno = ENOMEM;
    return -1;
  }
  return (int)syscall(SYS_epoll_ctl, epoll, what, fd, event);
}

static void meet(struct edge *e, struct client *c) {
  struct server_limits limits = server_limits_default;
  limits.half_close_waits = true;
  edge_init(e, &limits, NULL);
  client_open(c, e);
  client_say(c, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(edge_wait(e, "ready"));
}

TEST(whose_leaving_cannot_be_heard_has_left) {
  struct edge e;
  struct client c;
  meet(&e, &c);
  exchange_start(e.x, 200, SLICE(""));
  exchange_set_filler(e.x, SLICE(":\n\n"));
  refuses = true;
  CHECK(shutdown(c.fd, SHUT_WR) == 0); /* from then on it would be watched for a reset */
  CHECK(edge_wait(&e, "closed gone"));
  refuses = false;
  edge_part(&e, &c);
}

TEST(who_cannot_be_written_to_has_left) {
  struct edge e;
  struct client c;
  meet(&e, &c);
  exchange_start(e.x, 200, SLICE(""));
  refuses = true;
  static char block[1 << 20];
  memset(block, 'x', sizeof block);
  for (int i = 0; i < 64 && !bytes_have(&e.log, "closed"); i++) {
    exchange_write(e.x, slice_of(block, sizeof block));
    edge_turn(&e);
  }
  CHECK(edge_wait(&e, "closed gone"));
  refuses = false;
  edge_part(&e, &c);
}

UNIT_MAIN()
