/* systemd: see the header. Any thread. */
#include "main/systemd.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/bytes.h"

enum { TELL_WAIT_S = 5 };

static void tell(struct slice text, int flags) {
  const char *path = getenv("NOTIFY_SOCKET");
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  if (path == NULL || (*path != '/' && *path != '@') || strlen(path) >= sizeof to.sun_path) return;
  memcpy(to.sun_path, path, strlen(path));
  if (*path == '@') to.sun_path[0] = '\0'; /* Linux's abstract names */
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  const struct timeval longest = {.tv_sec = TELL_WAIT_S};
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &longest, sizeof longest);
  socklen_t room = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
  sendto(fd, text.ptr, text.len, flags | MSG_NOSIGNAL, (struct sockaddr *)&to, room);
  close(fd);
}

void systemd_tell(const char *format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  int len = vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  tell(slice_of(text, (size_t)len < sizeof text ? (size_t)len : sizeof text - 1), 0);
}

void systemd_tell_alive(void) {
  tell(SLICE("WATCHDOG=1\n"), MSG_DONTWAIT);
}

uint64_t systemd_watchdog_ms(bool taken_over) {
  const char *period = getenv("WATCHDOG_USEC"), *who = getenv("WATCHDOG_PID");
  uint64_t us, pid;
  if (period == NULL || !slice_to_u64(slice_text(period), &us)) return 0;
  if (who != NULL && !taken_over && (!slice_to_u64(slice_text(who), &pid) || pid != (uint64_t)getpid())) return 0;
  return us / 1000;
}
