/* listen_socket: see the header. */
#include "io/listen_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/must.h"

enum { BACKLOG = 4096 };

/* "host:port" → its parts; "[::1]:80" and ":80" too. */
static bool address_split(const char *address, char *host, size_t room, const char **port, struct err *e) {
  const char *colon = strrchr(address, ':');
  if (colon == NULL) return err_set(e, "listen address \"%s\": no port; write it as 127.0.0.1:8080", address);
  size_t len = (size_t)(colon - address);
  const char *from = address;
  if (len >= 2 && from[0] == '[' && from[len - 1] == ']') from++, len -= 2;
  if (len >= room) return err_set(e, "listen address \"%s\": the host is too long", address);
  memcpy(host, from, len);
  host[len] = '\0';
  *port = colon + 1;
  return true;
}

/* Accepted sockets inherit it: a streamed event must not wait for the acknowledgement of the one before. */
static void send_at_once(int fd) {
  int yes = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

static int listen_on(const struct addrinfo *a, bool shared) {
  int yes = 1, no = 0;
  int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (shared) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes);
  if (a->ai_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
  send_at_once(fd);
  if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0) return fd;
  int error = errno;
  close(fd);
  errno = error;
  return -1;
}

int listen_socket_open(const char *address, bool shared, struct err *e) {
  char host[256];
  const char *port = "";
  if (!address_split(address, host, sizeof host, &port, e)) return -1;
  const struct addrinfo want = {
      .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
  struct addrinfo *found;
  /* "All addresses" is one IPv6 socket that also takes IPv4, or an IPv4 one where the machine has no IPv6. */
  int failed = getaddrinfo(host[0] ? host : "::", port, &want, &found);
  if (failed != 0) {
    err_set(e, "listen address \"%s\": %s", address, gai_strerror(failed));
    return -1;
  }
  int fd = listen_on(found, shared), error = errno;
  freeaddrinfo(found);
  if (fd < 0 && host[0] == '\0' && (error == EAFNOSUPPORT || error == EADDRNOTAVAIL)) {
    if (getaddrinfo("0.0.0.0", port, &want, &found) == 0) {
      fd = listen_on(found, shared);
      error = errno;
      freeaddrinfo(found);
    }
  }
  if (fd < 0) err_set(e, "cannot listen on \"%s\": %s", address, strerror(error));
  return fd;
}

uint16_t listen_socket_port(int fd) {
  struct sockaddr_storage at;
  socklen_t len = sizeof at;
  must(getsockname(fd, (struct sockaddr *)&at, &len) == 0);
  if (at.ss_family == AF_INET6) return ntohs(((struct sockaddr_in6 *)&at)->sin6_port);
  return ntohs(((struct sockaddr_in *)&at)->sin_port);
}

static int option(int fd, int name) {
  int value = 0;
  socklen_t len = sizeof value;
  return getsockopt(fd, SOL_SOCKET, name, &value, &len) == 0 ? value : 0;
}

bool listen_socket_is_shared(int fd) {
  return option(fd, SO_REUSEPORT) != 0;
}

bool listen_socket_adopt(int fd, struct err *e) {
  int family = option(fd, SO_DOMAIN);
  if (option(fd, SO_ACCEPTCONN) == 0 || option(fd, SO_TYPE) != SOCK_STREAM || (family != AF_INET && family != AF_INET6))
    return err_set(e, "descriptor %d, which came with the process, is no TCP socket that listens", fd);
  must(fcntl(fd, F_SETFD, FD_CLOEXEC) == 0);
  must(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0);
  send_at_once(fd);
  return true;
}
