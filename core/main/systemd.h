/* systemd: tells the service manager how the process is (sd_notify(3)), and that it is alive (WatchdogSec=). Without
 * NOTIFY_SOCKET in the environment all of it does nothing. No libsystemd: the protocol is one datagram a message. Never
 * waits. */
#ifndef MOONGATE_MAIN_SYSTEMD_H
#define MOONGATE_MAIN_SYSTEMD_H

#include <stdbool.h>
#include <stdint.h>

/* Lines "NAME=value\n"; by printf format. Lost when the manager does not take it. */
void systemd_tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* How often WATCHDOG=1 must come at least; 0: nobody waits for it. taken_over: this process is not the one that was
 * started, but does its work from now on. */
uint64_t systemd_watchdog_ms(bool taken_over);

#endif
