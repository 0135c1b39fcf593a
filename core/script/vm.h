/* vm: one Lua state with its memory cap, and the things in it that are made once and reused. One thread at a time: it
 * may be built on the loader thread, run on a worker, and closed on the loader thread again.
 *
 *   vm_new ── main state (boots, owns) ──┬── the template that every script's environment is copied from (sandbox.h)
 *                                        ├── guards: where each gw function may be called (guard.h)
 *                                        └── slots: reused coroutines; scripts run only there (run.h)
 *
 * It does NOT run scripts; run.c is the only place that resumes Lua. Functions marked "throws" may raise a Lua error
 * and are called from inside protected code only. */
#ifndef MOONGATE_SCRIPT_VM_H
#define MOONGATE_SCRIPT_VM_H

#include <lauxlib.h>
#include <lua.h>
#include <signal.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/log.h"
#include "script/heap.h"

enum { VM_MEMORY_DEFAULT_BYTES = 64 << 20 };

struct guard;
struct run_fault;
struct run_report;
struct run_slot;

/* Where the API's side effects go. Every member may be NULL; `owner` is handed back. None may call into this VM. */
struct vm_doors {
  void *owner;
  void (*log)(void *owner, enum log_level level, struct slice place, struct slice text); /* NULL: base/log */
  void (*count)(void *owner, struct slice name, int64_t by);                             /* NULL: dropped */
  int64_t (*now_ms)(void *owner);                                                        /* NULL: the wall clock */
};

struct vm_options {
  const char *script_root; /* directory that holds lua/, policies/, adapters/; lua/gw/{api,check}.lua are read */
  size_t memory_max_bytes; /* 0: VM_MEMORY_DEFAULT_BYTES */
  struct vm_doors doors;
  /* Further parts of the API, ended by NULL: each is called once, protected, with the template's gw table at index 1,
   * and adds its functions with guard_add (guard.h). */
  const lua_CFunction *openers;
};

/* Made once for a VM and fetched by vm_push. */
enum vm_thing {
  VM_TEMPLATE,        /* table: what an environment is copied from */
  VM_STRINGS,         /* table: the string functions behind ("x"):rep() */
  VM_API,             /* table: lua/gw/api.lua */
  VM_CHECK,           /* table: lua/gw/check.lua */
  VM_ARRAY_METATABLE, /* of JSON arrays */
  VM_RAW_METATABLE,   /* of raw JSON */
  VM_STOPPED_TEXT,    /* string: the error a stopped script dies of */
  VM_FIELD_TEXT,      /* string "field": fetched without allocating when an error is read */
  VM_MESSAGE_TEXT,    /* string "message" */
  VM_ENV_METATABLE,   /* of private content: an unknown global is an error */
  VM_THING_COUNT
};

struct vm_memory {
  size_t used_bytes;
  size_t peak_bytes;
  size_t max_bytes;
  uint64_t refusals; /* allocations that the cap refused, also those a script's pcall swallowed */
  bool is_lenient;   /* the cap is looked at by the caller, allocations never fail: see vm_lend */
};

enum { VM_RUN_HOOKS_MAX = 8 };

/* What lua/gw/api.lua says about one hook. */
struct vm_hook {
  uint32_t cpu_ms;  /* of Lua, waiting not counted */
  uint32_t wait_ms; /* longest wait in all; 0: may not wait */
};

/* Of an object that is written as JSON. */
struct vm_member {
  struct slice key; /* borrowed from the table */
  int value;        /* stack index; 0: it is still in the table */
};

struct vm {
  lua_State *L; /* the main state */
  struct vm_memory memory;
  struct heap heap;
  struct vm_doors doors;
  char *script_root;
  int things[VM_THING_COUNT];             /* registry references */
  volatile sig_atomic_t stop;             /* set by the watchdog's signal: the running script must end */
  bool is_stop_noted;                     /* stopped holds where the running script was stopped */
  struct run_report *stopped;             /* made at the first stop */
  struct run_slot *running;               /* NULL between runs */
  struct run_slot *spare;                 /* slots that wait for work */
  struct vm_hook hooks[VM_RUN_HOOKS_MAX]; /* by enum run_hook */
  struct guard *guards;                   /* guard.h */
  uint32_t guard_count;
  struct run_fault *faults; /* run.h: how often each place failed */
  uint32_t fault_count;
  struct buf out;            /* reused by the JSON writer; owned here so that a throw cannot leak it */
  struct buf padded;         /* reused by the JSON reader */
  struct vm_member *members; /* reused by the JSON writer: of the open objects */
  uint32_t members_len, members_cap;
  double log_tokens; /* rate limit of gw.log */
  uint64_t log_filled_ns;
  uint64_t log_dropped;
};

/* Builds and boots a VM. NULL when the API description cannot be read or the cap is too small; e says why. Reads files,
 * so not on a worker that serves. */
struct vm *vm_new(const struct vm_options *options, struct err *e);
/* Closes the state; slots must have been released. No script code runs: scripts cannot have finalizers. */
void vm_free(struct vm *vm);

/* The VM that a state belongs to; any coroutine of it will do. */
static inline struct vm *vm_of(lua_State *L) {
  return *(struct vm **)lua_getextraspace(L);
}

/* Pushes a thing. Does not throw; needs one stack slot. */
static inline void vm_push(lua_State *L, enum vm_thing thing) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, vm_of(L)->things[thing]); /* … thing */
}

/* Pops the top value and keeps it as a thing. Throws. */
void vm_keep(lua_State *L, enum vm_thing thing);

/* Protected C work on the main state, outside hooks: calls work(L) with the light userdata `argument` at index 1. False
 * when it threw; e says what. For making and dropping references, not for running scripts. */
bool vm_call(struct vm *vm, lua_CFunction work, void *argument, struct err *e);

/* Between lend(true) and lend(false) allocations never fail, so that Lua cannot throw across frames of C++ (the JSON
 * parser). The caller looks at vm_is_over itself and stops early. */
void vm_lend(struct vm *vm, bool lenient);

static inline bool vm_is_over(const struct vm *vm) {
  return vm->memory.used_bytes > vm->memory.max_bytes;
}

/* A full collection. Does not throw. */
void vm_collect(struct vm *vm);
/* A part of one, about a millisecond; true when that was the last. Does not throw. */
bool vm_collect_some(struct vm *vm);

#endif
