/* listen_socket: makes the sockets that listeners accept from, or takes over such that listen already. Any thread.
 * Opening may wait for the resolver when the host is a name. It does not accept. */
#ifndef MOONGATE_IO_LISTEN_SOCKET_H
#define MOONGATE_IO_LISTEN_SOCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* address: as listener_open's. shared: with SO_REUSEPORT. -1: e tells. */
int listen_socket_open(const char *address, bool shared, struct err *e);
/* Makes a descriptor that somebody else opened fit: non-blocking, closed on exec. false: it is no TCP socket that
 * listens. */
bool listen_socket_adopt(int fd, struct err *e);
bool listen_socket_is_shared(int fd); /* SO_REUSEPORT was set */
uint16_t listen_socket_port(int fd);

#endif
