/* bed: what the script tests share: a VM on the source tree, and one call that runs a piece of Lua in the real sandbox
 * under a hook's limits. */
#ifndef MOONGATE_TESTS_SCRIPT_BED_H
#define MOONGATE_TESTS_SCRIPT_BED_H

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "script/run.h"
#include "script/stdlib/sandbox.h"
#include "script/watchdog.h"

/* How much slower than a release build this one may be. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { BED_SLOWER = 10 };
#else
enum { BED_SLOWER = 1 };
#endif

struct bed {
  struct vm *vm;
  struct run_slot *slot;
  struct run_report report;
  char result[8192]; /* what the piece returned, as text */
  double cpu_ms;     /* the thread's time for the last piece */
  const char *text;
  const struct sandbox_sources *sources;
};

static char bed_root_path[512];

/* The directory that holds lua/: the checkout, found from this file before the tests begin. */
static const char *bed_root(void) {
  return bed_root_path;
}

static void bed_init(struct bed *bed, struct vm_options options) {
  struct err e = {""};
  memset(bed, 0, sizeof *bed);
  options.script_root = bed_root();
  bed->vm = vm_new(&options, &e);
  if (bed->vm == NULL) {
    fprintf(stderr, "%s\n", e.text);
    exit(1);
  }
  bed->slot = run_take(bed->vm);
}

static void bed_done(struct bed *bed) {
  run_release(bed->slot);
  vm_free(bed->vm);
}

static int bed_enter(lua_State *L, void *owner) {
  struct bed *bed = owner;
  sandbox_load(L, slice_text(bed->text), "test.lua", bed->sources);
  return 0;
}

static void bed_leave(lua_State *L, void *owner) {
  struct bed *bed = owner;
  bed->result[0] = 0;
  for (int i = 1, count = lua_gettop(L); i <= count; i++) {
    size_t len = strlen(bed->result);
    snprintf(bed->result + len, sizeof bed->result - len, "%s%s", i > 1 ? " " : "", sandbox_tostring(L, i, NULL));
    lua_pop(L, 1);
  }
}

static double bed_cpu_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

/* Runs the text as a hook's work; bed->result or bed->report hold what came of it. */
static enum run_outcome bed_run(struct bed *bed, enum run_hook hook, const char *text) {
  static const struct run_task task = {bed_enter, bed_leave};
  bed->text = text;
  bed->result[0] = 0;
  memset(&bed->report, 0, sizeof bed->report);
  double before = bed_cpu_ms();
  enum run_outcome outcome = run_start(bed->slot, hook, &task, bed, &bed->report);
  bed->cpu_ms = bed_cpu_ms() - before;
  return outcome;
}

/* The piece ends well and returns `expected`. */
__attribute__((unused)) static bool bed_gives(struct bed *bed, const char *text, const char *expected) {
  enum run_outcome outcome = bed_run(bed, RUN_SETUP, text);
  if (outcome == RUN_DONE && strcmp(bed->result, expected) == 0) return true;
  fprintf(stderr, "%s\n  gave \"%s\" (outcome %d: %s), not \"%s\"\n", text, bed->result, (int)outcome,
          bed->report.message, expected);
  return false;
}

/* The piece fails at test.lua:`line`, with `part` in its message. */
__attribute__((unused)) static bool bed_fails(struct bed *bed, enum run_hook hook, const char *text, int line,
                                              const char *part) {
  enum run_outcome outcome = bed_run(bed, hook, text);
  if (outcome == RUN_FAILED && bed->report.line == line && strcmp(bed->report.file, "test.lua") == 0 &&
      strstr(bed->report.message, part) != NULL) {
    return true;
  }
  fprintf(stderr, "%s\n  outcome %d \"%s\" %s:%d: %s, not test.lua:%d: …%s…\n", text, (int)outcome, bed->result,
          bed->report.file, bed->report.line, bed->report.message, line, part);
  return false;
}

#define BED_GIVES(bed, text, expected) CHECK(bed_gives((bed), (text), (expected)))
#define BED_FAILS(bed, text, line, part) CHECK(bed_fails((bed), RUN_SETUP, (text), (line), (part)))

/* The watchdog runs around the tests, and their thread has entered it. */
__attribute__((constructor)) static void bed_begin(void) {
  struct err e = {""};
  snprintf(bed_root_path, sizeof bed_root_path, "%s", __FILE__);
  for (int up = 0; up < 4; up++) *strrchr(bed_root_path, '/') = 0;
  if (!watchdog_start(&e)) exit(1);
  watchdog_enter();
}

__attribute__((destructor)) static void bed_end(void) {
  watchdog_leave();
  watchdog_stop();
}

#endif
