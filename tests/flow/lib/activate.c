/* activate: what a service manager does at socket activation (sd_listen_fds(3)): opens listening sockets on loopback,
 * writes their ports, and becomes the command with them at descriptors 3, 4, …
 *
 *     activate PORTS_FILE NAME[:NAME…] COMMAND [ARGUMENT…]
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv) {
  if (argc < 4) return 64;
  FILE *ports = fopen(argv[1], "we");
  unsigned count = 1;
  char text[32];
  for (const char *at = argv[2]; *at; at++) count += *at == ':';
  for (unsigned i = 0; i < count; i++) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, 64) != 0) return 1;
    getsockname(fd, (struct sockaddr *)&at, &len);
    fprintf(ports, "%u\n", ntohs(at.sin_port));
    if (dup2(fd, 100 + (int)i) < 0) return 1;
  }
  fclose(ports);
  for (unsigned i = 0; i < count; i++) {
    dup2(100 + (int)i, 3 + (int)i);
    close(100 + (int)i);
  }
  snprintf(text, sizeof text, "%ld", (long)getpid());
  setenv("LISTEN_PID", text, 1);
  setenv("WATCHDOG_PID", text, 1);
  snprintf(text, sizeof text, "%u", count);
  setenv("LISTEN_FDS", text, 1);
  setenv("LISTEN_FDNAMES", argv[2], 1);
  execv(argv[3], argv + 3);
  return 1;
}
