/* run: the only place that resumes Lua. A worker's thread, or the loader's; the thread must have entered the watchdog.
 *
 * A slot is a reused coroutine. Work is done inside it, so that everything that may throw (pushing arguments, reading
 * results) is protected:
 *
 *                  run_start                                   run_release
 *   idle slot ───────────────▶ enter → the hook → leave ──▶ RUN_DONE ───────▶ idle
 *                                 │  ▲                      RUN_FAILED, RUN_KILLED, RUN_OUT_OF_MEMORY: a new coroutine
 *                        run_wait ▼  │ run_resume                              takes the place of the old one
 *                              RUN_WAITING ── run_release (the request died) ──▶ idle
 *
 * It does NOT decide what a failure means for the request; the caller does, by the outcome. */
#ifndef MOONGATE_SCRIPT_RUN_H
#define MOONGATE_SCRIPT_RUN_H

#include "script/vm.h"

/* The hooks of script files. RUN_LOAD is the body of a file. Order and names as in lua/gw/api.lua. */
enum run_hook { RUN_LOAD, RUN_SETUP, RUN_ROUTE, RUN_RETRY, RUN_REQUEST, RUN_RESPONSE, RUN_EVENT, RUN_HOOK_COUNT };

const char *run_hook_name(enum run_hook hook);  /* "route" */
enum run_hook run_hook_named(const char *name); /* RUN_HOOK_COUNT: there is none */

enum run_outcome {
  RUN_DONE,         /* enter, the hook and leave returned */
  RUN_WAITING,      /* run_wait was called: run_resume goes on, run_release gives up */
  RUN_FAILED,       /* an error was raised */
  RUN_KILLED,       /* over its CPU limit */
  RUN_OUT_OF_MEMORY /* over the VM's memory cap */
};

/* What a hook call is made of. Both functions run inside the coroutine and may throw. */
struct run_task {
  /* Pushes the function, then its arguments; returns the number of arguments, or -1 to call nothing. */
  int (*enter)(lua_State *L, void *owner);
  /* Reads the results at 1..lua_gettop(L). NULL: they are dropped. With enter's -1: what enter left on the stack. */
  void (*leave)(lua_State *L, void *owner);
};

/* What went wrong; filled when the outcome is FAILED, KILLED or OUT_OF_MEMORY. Holds no addresses. */
struct run_report {
  enum run_outcome outcome;
  enum run_hook hook;
  char file[128]; /* "policies/cost.lua"; "" when not known */
  int line;       /* 0 when not known */
  char message[512];
  char traceback[2048]; /* lines "\tfile:line: in function 'name'" */
  /* The script raised a table { field = "…", message = "…" }: the client's body is at fault, at this field. */
  bool is_client_fault;
  char field[128];
  uint64_t count; /* how often this (file, hook, line) has failed in this VM, this time included */
};

/* How often a place failed. */
struct run_fault {
  char file[128];
  enum run_hook hook;
  int line;
  uint64_t count;
};

enum { RUN_FAULTS_MAX = 64 }; /* places kept in a VM; further ones are counted together with file "" and line 0 */

struct run_slot {
  struct vm *vm;
  lua_State *L; /* the coroutine; NULL when memory did not suffice to make a new one (then run_start fails) */
  int reference;
  enum run_hook hook;
  const struct run_task *task;
  void *owner; /* of the running or waiting call; NULL when idle */
  int (*give)(lua_State *L, void *owner);
  uint64_t used_ns;    /* CPU limit used by the stretches before the last wait */
  uint64_t allowed_ns; /* added to the hook's CPU limit: run_allow */
  bool is_waiting;
  struct run_slot *next; /* in vm->spare */
};

/* An idle slot; NULL when the memory cap allows no coroutine. */
struct run_slot *run_take(struct vm *vm);
/* Gives the slot back to the VM. A waiting coroutine is dropped: nothing of the script runs any more, `owner` is not
 * touched. */
void run_release(struct run_slot *slot);
/* Frees the spare slots; by vm_free. */
void run_drop_spare(struct vm *vm);

/* Adds to the CPU limit of the slot's calls until it is released: what they go through is long. */
static inline void run_allow(struct run_slot *slot, uint64_t more_ns) {
  slot->allowed_ns = more_ns;
}

/* Runs a hook until it ends or waits. owner: handed to the task, and to API functions by run_owner. report may be NULL.
 * Not to be called while another script runs on this thread. */
enum run_outcome run_start(struct run_slot *slot, enum run_hook hook, const struct run_task *task, void *owner,
                           struct run_report *report);
/* Goes on after RUN_WAITING. give pushes what the waiting call returns and says how many; it may throw. */
enum run_outcome run_resume(struct run_slot *slot, int (*give)(lua_State *L, void *owner), struct run_report *report);

/* For API functions that wait: `return run_wait(L, "gw.sleep");`. The call's results are what give pushes. Throws where
 * Lua cannot wait (inside a callback of table.sort or string.gsub). */
int run_wait(lua_State *L, const char *function);

/* The running call's owner, hook. Only while a script runs. */
static inline void *run_owner(lua_State *L);
static inline enum run_hook run_hook_now(lua_State *L);

/* Throws when the watchdog wants the script to end. For loops in C that may take long. */
static inline void run_poll(lua_State *L);
void run_stop_here(lua_State *L); /* returns only when called by a hook */

static inline void *run_owner(lua_State *L) {
  return vm_of(L)->running->owner;
}

static inline enum run_hook run_hook_now(lua_State *L) {
  return vm_of(L)->running->hook;
}

static inline void run_poll(lua_State *L) {
  if (vm_of(L)->stop) run_stop_here(L);
}

/* The places that failed in this VM, at most RUN_FAULTS_MAX + 1. Borrowed until the next run. */
const struct run_fault *run_faults(const struct vm *vm, uint32_t *count);

#endif
