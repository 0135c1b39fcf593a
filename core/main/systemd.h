/* systemd: tells the service manager how the process is (sd_notify(3)), and that it is alive (WatchdogSec=). Without
 * NOTIFY_SOCKET in the environment all of it does nothing. No libsystemd: the protocol is one datagram a message. */
#ifndef MOONGATE_MAIN_SYSTEMD_H
#define MOONGATE_MAIN_SYSTEMD_H

#include <stdbool.h>
#include <stdint.h>

/* Lines "NAME=value\n"; by printf format. Waits up to five seconds while a busy manager's queue is full (sd_notify(3)
 * waits for ever): a process of whose READY=1 or MAINPID= it does not hear is killed. Lost after that. */
void systemd_tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* WATCHDOG=1. Never waits: the next one comes soon. */
void systemd_tell_alive(void);
/* How often WATCHDOG=1 must come at least; 0: nobody waits for it. taken_over: this process is not the one that was
 * started, but does its work from now on. */
uint64_t systemd_watchdog_ms(bool taken_over);

#endif
