/* watchdog: one thread that notices a script that runs too long and has it stopped.
 *
 *   worker                             watchdog thread
 *   watchdog_begin ─ started_ns ─────▶ looks every few ms; sleeps exactly to the nearest deadline
 *     Lua runs …                       late by the worker's CPU clock? condemned = started_ns, pthread_kill
 *   signal handler on the worker: condemned is still what runs? vm->stop = 1, lua_sethook(count 1) on itself
 *     the hook stops the script (run_stop_here) at each instruction; it stays armed until
 *   watchdog_end
 *
 * No hook is armed before a script is late: an armed count hook doubles the cost of Lua whatever its count. lua_sethook
 * is async-signal-safe but not thread-safe, so it is called on the thread that runs the state. A signal may arrive
 * while Lua enters a function and miss it: it is sent again each millisecond until the script ends. Limits are CPU
 * time, so a worker that the system takes off the processor is not blamed on its script. */
#ifndef MOONGATE_SCRIPT_WATCHDOG_H
#define MOONGATE_SCRIPT_WATCHDOG_H

#include "script/vm.h"

/* Starts the thread and installs the signal's handler (SIGURG), once a process, before threads enter; threads must not
 * block that signal. Again: no effect. */
bool watchdog_start(struct err *e);
/* Ends the thread; every other thread must have left. */
void watchdog_stop(void);

/* Each thread that runs scripts enters once before and leaves once after. */
void watchdog_enter(void);
void watchdog_leave(void);

/* By run.c around each stretch of Lua on this thread. limit_ns 0: it is stopped at its first instruction. Neither may
 * wait nor fail. */
uint64_t watchdog_begin(struct vm *vm, lua_State *L, uint64_t limit_ns); /* returns the clock it read */
void watchdog_end(lua_State *L);                                         /* disarms the hook if one was armed */

/* A stretch runs on this thread. */
bool watchdog_is_watching(void);

#endif
