/* run: slots, the one lua_resume, and what is read from a coroutine that failed. The VM's thread.
 *
 * A coroutine that failed or was given up while waiting is never reset or resumed: lua_resetthread would run the
 * script's
 * __close functions, after a kill with hooks switched off. It is left to the collector and a new one takes its place.
 */
#include "script/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/must.h"
#include "script/watchdog.h"

enum {
  SPARE_MAX = 64,           /* idle slots that a VM keeps after a burst */
  STRETCH_MIN_NS = 1000000, /* what a script that waited long still gets, so that it may answer */
  OVERRUN_TIMES = 3,  /* by the wall clock, which also counts what other threads took: then it gets nothing more */
  FRAMES_MAX = 16,    /* in a traceback */
  DEEP_FRAMES = 20000 /* more on the stack when memory ends: it was recursion */
};

static const char *const hook_names[RUN_HOOK_COUNT] = {"load",    "setup",    "route", "retry",
                                                       "request", "response", "event"};

_Static_assert((int)RUN_HOOK_COUNT <= (int)VM_RUN_HOOKS_MAX, "struct vm has room for every hook");

const char *run_hook_name(enum run_hook hook) {
  return hook_names[hook];
}

enum run_hook run_hook_named(const char *name) {
  int hook = 0;
  while (hook < RUN_HOOK_COUNT && strcmp(hook_names[hook], name) != 0) hook++;
  return (enum run_hook)hook;
}

/* ---- slots ---- */

static int l_run_new_coroutine(lua_State *L) {
  struct run_slot *slot = lua_touserdata(L, 1);
  lua_State *fresh = lua_newthread(L);            /* slot thread */
  int reference = luaL_ref(L, LUA_REGISTRYINDEX); /* slot */
  slot->L = fresh;
  slot->reference = reference;
  return 0;
}

static int l_run_drop_coroutine(lua_State *L) {
  struct run_slot *slot = lua_touserdata(L, 1);
  luaL_unref(L, LUA_REGISTRYINDEX, slot->reference);
  return 0;
}

/* Leaves the old coroutine to the collector. Must succeed with no memory left, hence the loan. */
static void drop_coroutine(struct run_slot *slot) {
  vm_lend(slot->vm, true);
  if (slot->L != NULL) must(vm_call(slot->vm, l_run_drop_coroutine, slot, NULL));
  vm_lend(slot->vm, false);
  slot->L = NULL;
  slot->reference = LUA_NOREF;
}

/* slot->L is NULL afterwards when memory does not suffice. */
static void replace_coroutine(struct run_slot *slot) {
  drop_coroutine(slot);
  if (vm_call(slot->vm, l_run_new_coroutine, slot, NULL)) return;
  vm_collect(slot->vm);
  vm_call(slot->vm, l_run_new_coroutine, slot, NULL);
}

struct run_slot *run_take(struct vm *vm) {
  struct run_slot *slot = vm->spare;
  if (slot != NULL) {
    vm->spare = slot->next;
    slot->next = NULL;
  } else {
    slot = mem_new(struct run_slot);
    slot->vm = vm;
    slot->reference = LUA_NOREF;
  }
  if (slot->L == NULL) replace_coroutine(slot);
  if (slot->L != NULL) return slot;
  mem_free(slot);
  return NULL;
}

static void free_slot(struct run_slot *slot) {
  drop_coroutine(slot);
  mem_free(slot);
}

void run_release(struct run_slot *slot) {
  struct vm *vm = slot->vm;
  must(vm->running != slot);
  if (slot->is_waiting) replace_coroutine(slot);
  slot->is_waiting = false;
  slot->owner = NULL;
  slot->allowed_ns = 0;
  uint32_t count = 0;
  for (struct run_slot *at = vm->spare; at != NULL && count < SPARE_MAX; at = at->next) count++;
  if (count == SPARE_MAX) {
    free_slot(slot);
    return;
  }
  slot->next = vm->spare;
  vm->spare = slot;
}

void run_drop_spare(struct vm *vm) {
  while (vm->spare != NULL) {
    struct run_slot *slot = vm->spare;
    vm->spare = slot->next;
    free_slot(slot);
  }
}

/* ---- what went wrong ---- */

static void note_place(struct run_report *r, const char *file, int line) {
  if (*file == '@') file++;
  snprintf(r->file, sizeof r->file, "%s", file);
  r->line = line;
}

/* Lines of the Lua functions on the dead coroutine's stack. Allocates nothing, so that it works after OUT_OF_MEMORY. */
static void read_traceback(lua_State *L, struct run_report *r) {
  lua_Debug frame;
  size_t len = 0;
  for (int level = 0, shown = 0; shown < FRAMES_MAX && lua_getstack(L, level, &frame); level++) {
    if (!lua_getinfo(L, "Sln", &frame) || frame.currentline < 0) continue;
    if (shown == 0 && r->file[0] == 0) note_place(r, frame.short_src, frame.currentline);
    const char *what = *frame.what == 'm' ? "in the file's body" : frame.name ? frame.name : "in a function";
    bool named = *frame.what != 'm' && frame.name;
    int put = snprintf(r->traceback + len, sizeof r->traceback - len, "%s\t%s:%d: %s%s%s", shown ? "\n" : "",
                       frame.short_src, frame.currentline, named ? "in '" : "", what, named ? "'" : "");
    if (put < 0 || (size_t)put >= sizeof r->traceback - len) break;
    len += (size_t)put;
    shown++;
  }
}

/* "file:line: text" → place and text. */
static void read_text(struct run_report *r, const char *text) {
  const char *colon = strchr(text, ':');
  char *end = NULL;
  long line = colon && colon > text && (size_t)(colon - text) < sizeof r->file ? strtol(colon + 1, &end, 10) : 0;
  if (line > 0 && end != NULL && end[0] == ':' && end[1] == ' ' && memchr(text, ' ', (size_t)(colon - text)) == NULL) {
    memcpy(r->file, text, (size_t)(colon - text));
    r->file[colon - text] = 0;
    r->line = (int)line;
    text = end + 2;
  }
  snprintf(r->message, sizeof r->message, "%s", text);
}

/* A string member of the error table at the top, without metamethods and without allocating. */
static const char *member(lua_State *L, enum vm_thing name) {
  vm_push(L, name);  /* error name */
  lua_rawget(L, -2); /* error value */
  const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
  lua_pop(L, 1); /* error; the table still holds the string */
  return text;
}

/* The error object is on top of the dead coroutine. Its metamethods are not asked: they are the script's. */
static void read_error(lua_State *L, struct run_report *r) {
  if (!lua_checkstack(L, 4)) {
    snprintf(r->message, sizeof r->message, "stack overflow");
    return;
  }
  int kind = lua_type(L, -1);
  if (kind == LUA_TSTRING) {
    read_text(r, lua_tostring(L, -1));
  } else if (kind == LUA_TTABLE) {
    const char *message = member(L, VM_MESSAGE_TEXT), *field = member(L, VM_FIELD_TEXT);
    r->is_client_fault = field != NULL && message != NULL;
    if (field != NULL) snprintf(r->field, sizeof r->field, "%s", field);
    if (message != NULL) read_text(r, message);
    else snprintf(r->message, sizeof r->message, "the error is a table without message");
  } else if (kind == LUA_TNUMBER) {
    snprintf(r->message, sizeof r->message, LUA_NUMBER_FMT, lua_tonumber(L, -1));
  } else {
    snprintf(r->message, sizeof r->message, "the error is %s", kind == LUA_TNIL ? "nil" : lua_typename(L, kind));
  }
}

static uint64_t count_fault(struct vm *vm, const struct run_report *r) {
  if (vm->faults == NULL) vm->faults = mem_zero((RUN_FAULTS_MAX + 1) * sizeof *vm->faults);
  for (uint32_t i = 0; i < vm->fault_count; i++) {
    struct run_fault *f = &vm->faults[i];
    if (f->line == r->line && f->hook == r->hook && strcmp(f->file, r->file) == 0) return ++f->count;
  }
  struct run_fault *f = &vm->faults[vm->fault_count];
  if (vm->fault_count < RUN_FAULTS_MAX) {
    memcpy(f->file, r->file, sizeof f->file);
    f->hook = r->hook;
    f->line = r->line;
    vm->fault_count++;
  } else if (vm->fault_count == RUN_FAULTS_MAX) {
    vm->fault_count++; /* the last one stands for all others */
  } else {
    f = &vm->faults[RUN_FAULTS_MAX];
  }
  return ++f->count;
}

const struct run_fault *run_faults(const struct vm *vm, uint32_t *count) {
  *count = vm->fault_count;
  return vm->faults;
}

static void fill_report(struct run_slot *slot, enum run_outcome outcome, struct run_report *r) {
  memset(r, 0, sizeof *r);
  const struct vm_hook *limit = &slot->vm->hooks[slot->hook];
  lua_Debug deep;
  if (outcome == RUN_KILLED && slot->vm->is_stop_noted) *r = *slot->vm->stopped;
  r->outcome = outcome;
  r->hook = slot->hook;
  if (outcome == RUN_FAILED) read_error(slot->L, r);
  if (r->traceback[0] == 0) read_traceback(slot->L, r);
  if (outcome == RUN_KILLED) {
    snprintf(r->message, sizeof r->message, "stopped: it computed for more than %u ms, the limit of `%s`",
             limit->cpu_ms + (unsigned)(slot->allowed_ns / 1000000u), run_hook_name(slot->hook));
  } else if (outcome == RUN_OUT_OF_MEMORY && lua_getstack(slot->L, DEEP_FRAMES, &deep)) {
    snprintf(r->message, sizeof r->message, "stack overflow: a function calls itself without end");
  } else if (outcome == RUN_OUT_OF_MEMORY) {
    snprintf(r->message, sizeof r->message, "stopped: scripts may use %zu MB of memory together",
             slot->vm->memory.max_bytes >> 20);
  }
  r->count = count_fault(slot->vm, r);
}

/* ---- running ---- */

/* A stop is a yield wherever Lua can yield: no pcall, message handler or __close of the script sees it, and nothing is
 * unwound (an error through n nested pcalls costs n² in Lua 5.4: each looks at every frame). Inside callbacks of C
 * functions it is an error, which leads out to where a yield is possible. The place is noted here, because a yield in a
 * hook takes the program counter back. */
void run_stop_here(lua_State *L) {
  struct vm *vm = vm_of(L);
  if (!vm->is_stop_noted) {
    if (vm->stopped == NULL) vm->stopped = mem_new(struct run_report);
    memset(vm->stopped, 0, sizeof *vm->stopped);
    read_traceback(L, vm->stopped);
    vm->is_stop_noted = true;
  }
  if (lua_isyieldable(L)) {
    lua_yield(L, 0); /* returns only in a hook, and takes effect when the hook returns */
    return;
  }
  vm_push(L, VM_STOPPED_TEXT);
  lua_error(L);
}

static int left(lua_State *L, int status, lua_KContext unused) {
  (void)status;
  (void)unused;
  struct run_slot *slot = vm_of(L)->running;
  if (slot->task->leave != NULL) slot->task->leave(L, slot->owner);
  lua_settop(L, 0);
  return 0;
}

static int l_run_enter(lua_State *L) {
  struct run_slot *slot = vm_of(L)->running;
  int arguments = slot->task->enter(L, slot->owner);                 /* function, arguments */
  if (arguments >= 0) lua_callk(L, arguments, LUA_MULTRET, 0, left); /* results */
  return left(L, LUA_OK, 0);
}

static enum run_outcome resume(struct run_slot *slot, struct run_report *report) {
  struct vm *vm = slot->vm;
  uint64_t limit_ns = (uint64_t)vm->hooks[slot->hook].cpu_ms * 1000000u + slot->allowed_ns;
  if (slot->used_ns >= OVERRUN_TIMES * limit_ns) limit_ns = 0;
  else limit_ns = slot->used_ns + STRETCH_MIN_NS < limit_ns ? limit_ns - slot->used_ns : STRETCH_MIN_NS;
  int results = 0;
  vm->running = slot;
  vm->is_stop_noted = false;
  uint64_t began_ns = watchdog_begin(vm, slot->L, limit_ns);
  int status = lua_resume(slot->L, NULL, 0, &results);
  watchdog_end(slot->L);
  vm->running = NULL;
  if (status == LUA_OK) {
    lua_settop(slot->L, 0);
    return RUN_DONE;
  }
  if (status == LUA_YIELD && !vm->stop) {
    slot->used_ns += clock_ns() - began_ns;
    slot->is_waiting = true;
    return RUN_WAITING;
  }
  enum run_outcome outcome = vm->stop ? RUN_KILLED : status == LUA_ERRMEM ? RUN_OUT_OF_MEMORY : RUN_FAILED;
  struct run_report unread;
  fill_report(slot, outcome, report ? report : &unread);
  replace_coroutine(slot);
  if (outcome != RUN_FAILED) vm_collect(vm);
  return outcome;
}

enum run_outcome run_start(struct run_slot *slot, enum run_hook hook, const struct run_task *task, void *owner,
                           struct run_report *report) {
  must(slot->vm->running == NULL && !slot->is_waiting);
  slot->hook = hook;
  slot->task = task;
  slot->owner = owner;
  slot->used_ns = 0;
  if (slot->L == NULL) replace_coroutine(slot);
  if (slot->L == NULL) {
    struct run_report *r = report;
    if (r != NULL) {
      *r = (struct run_report){.outcome = RUN_OUT_OF_MEMORY, .hook = hook, .count = 1};
      snprintf(r->message, sizeof r->message, "no memory is left for scripts");
    }
    return RUN_OUT_OF_MEMORY;
  }
  lua_pushcfunction(slot->L, l_run_enter); /* enter */
  return resume(slot, report);
}

static int given(lua_State *L, int status, lua_KContext unused) {
  (void)status;
  (void)unused;
  struct run_slot *slot = vm_of(L)->running;
  return slot->give(L, slot->owner);
}

int run_wait(lua_State *L, const char *function) {
  if (!lua_isyieldable(L)) {
    return luaL_error(L,
                      "%s cannot wait inside a callback of table.sort or string.gsub: call it before, and use its "
                      "result in the callback",
                      function);
  }
  return lua_yieldk(L, 0, 0, given);
}

enum run_outcome run_resume(struct run_slot *slot, int (*give)(lua_State *L, void *owner), struct run_report *report) {
  must(slot->vm->running == NULL && slot->is_waiting);
  slot->is_waiting = false;
  slot->give = give;
  return resume(slot, report);
}
