/* soak: clients that do not behave: six requests in ten are answered (whole and streamed, connections kept), two get an
 * error, two leave in the middle. One thread, epoll, closed loop: PORT COUNT CONNECTIONS. Prints one line of name=value
 * pairs. It trusts the server's framing, and measures no time. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER_MAX = 65536, LEAVE_BYTES = 600 };

enum kind { WHOLE, STREAM, REFUSED, LEAVES_AT_ONCE, LEAVES_WITHIN };

struct client {
  int fd;
  enum kind kind;
  size_t len;
  char answer[ANSWER_MAX];
};

static struct sockaddr_in address = {.sin_family = AF_INET};
static uint64_t begun, count, done, answers, errors, left, broken;
static int poller;

static const enum kind kinds[] = {WHOLE, STREAM, REFUSED, STREAM, LEAVES_AT_ONCE,
                                  WHOLE, STREAM, REFUSED, WHOLE,  LEAVES_WITHIN};

static void die(const char *what) {
  perror(what);
  exit(1);
}

static void leave(struct client *c) {
  if (c->fd >= 0) close(c->fd);
  c->fd = -1;
}

static void open_connection(struct client *c) {
  int on = 1;
  c->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof address) != 0) die("connect");
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event) != 0) die("epoll_ctl");
}

/* The next request; those that leave at once have no answer to wait for, so the loop goes on. */
static void ask(struct client *c) {
  for (;;) {
    char body[256], request[512];
    if (begun == count) {
      leave(c);
      return;
    }
    c->kind = kinds[begun++ % (sizeof kinds / sizeof *kinds)];
    c->len = 0;
    if (c->fd < 0) open_connection(c);
    bool streams = c->kind == STREAM || c->kind == LEAVES_AT_ONCE || c->kind == LEAVES_WITHIN;
    const char *route = c->kind == REFUSED ? "bad" : begun % 3 == 0 ? "other" : "good";
    int body_len = snprintf(body, sizeof body,
                            "{\"model\":\"%s\",\"max_tokens\":50,%s\"messages\":[{\"role\":\"user\",\"content\":"
                            "\"soak %llu\"}]}",
                            route, streams ? "\"stream\":true," : "", (unsigned long long)begun);
    int len = snprintf(request, sizeof request,
                       "POST /v1/chat/completions HTTP/1.1\r\nhost: soak\r\ncontent-type: application/json\r\n"
                       "content-length: %d\r\n\r\n%s",
                       body_len, body);
    if (send(c->fd, request, (size_t)len, MSG_NOSIGNAL) != len) { /* a kept connection was closed meanwhile */
      leave(c);
      begun--;
      continue;
    }
    if (c->kind != LEAVES_AT_ONCE) return;
    leave(c);
    left++;
    done++;
  }
}

/* Whether the whole answer is there. */
static bool is_complete(struct client *c) {
  c->answer[c->len] = '\0';
  char *end = strstr(c->answer, "\r\n\r\n"), *length;
  if (end == NULL) return false;
  if ((length = strcasestr(c->answer, "content-length:")) != NULL && length < end)
    return c->len >= (size_t)(end + 4 - c->answer) + strtoull(length + 15, NULL, 10);
  return c->len >= 5 && memcmp(c->answer + c->len - 5, "0\r\n\r\n", 5) == 0;
}

static void take(struct client *c) {
  ssize_t n = recv(c->fd, c->answer + c->len, sizeof c->answer - 1 - c->len, 0);
  if (n < 0 && errno == EAGAIN) return;
  if (n > 0) c->len += (size_t)n;
  bool complete = n > 0 && is_complete(c);
  if (n > 0 && c->kind == LEAVES_WITHIN && c->len >= LEAVE_BYTES && !complete) {
    leave(c);
    left++;
  } else if (complete) {
    if (strncmp(c->answer + 9, "200", 3) == 0) answers++;
    else errors++;
  } else if (n <= 0) {
    leave(c);
    broken++;
  } else {
    return;
  }
  done++;
  ask(c);
}

int main(int argc, char **argv) {
  if (argc != 4) return fputs("soak PORT COUNT CONNECTIONS\n", stderr), 64;
  address.sin_port = htons((uint16_t)atoi(argv[1]));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  count = strtoull(argv[2], NULL, 10);
  int connections = atoi(argv[3]);
  struct client *clients = calloc((size_t)connections, sizeof *clients);
  struct epoll_event ready[64];
  poller = epoll_create1(0);
  for (int i = 0; i < connections; i++) {
    clients[i].fd = -1;
    ask(&clients[i]);
  }
  while (done < count) {
    int n = epoll_wait(poller, ready, 64, 30000);
    if (n == 0) return fputs("soak: nothing for 30 s\n", stderr), 1;
    for (int i = 0; i < n; i++) take(ready[i].data.ptr);
  }
  printf("requests=%llu answers=%llu errors=%llu left=%llu broken=%llu\n", (unsigned long long)done,
         (unsigned long long)answers, (unsigned long long)errors, (unsigned long long)left, (unsigned long long)broken);
  free(clients);
  return broken == 0 ? 0 : 1;
}
