/* run: outcomes, reports, waiting, and scripts that will not end. Limits are measured in the thread's own CPU time. */
#include <pthread.h>
#include <signal.h>

#include "script/bed.h"
#include "script/guard.h"

/* Under the thread sanitizer signals are delivered only when the program calls into the C library, which an empty loop
 * never does; there every payload allocates. */
#ifdef __SANITIZE_THREAD__
#define TURN "local t = {} t[1] = {}"
#else
#define TURN "local x = 1"
#endif

static const struct {
  const char *name, *text;
} endless[] = {
    {"while", "while true do " TURN " end"},
    {"numeric for", "for i = 1, math.huge do " TURN " end"},
    {"repeat", "repeat " TURN " until false"},
    {"goto", "::again:: do " TURN " end goto again"},
    {"tail call", "local function f() " TURN " return f() end f()"},
    {"pcall", "while true do pcall(function() while true do " TURN " end end) end"},
    {"nested pcall", "local function f() " TURN " while true do pcall(pcall, f) end end f()"},
    {"pcall of error", "while true do " TURN " pcall(error, 'x') end"},
    {"xpcall handler loops", "xpcall(error, function() while true do " TURN " end end)"},
    {"xpcall, loops, handler loops",
     "xpcall(function() while true do " TURN " end end, function() while true do " TURN " end end)"},
    {"xpcall again and again", "local function h() while true do " TURN " end end while true do xpcall(error, h) end"},
    {"xpcall in its handler",
     "local function h() xpcall(error, function() while true do " TURN " end end) end while true do xpcall(h, h) end"},
    {"__close", "do local x <close> = setmetatable({}, {__close = function() while true do " TURN " end end}) end"},
    {"__close after a kill", "local x <close> = setmetatable({}, {__close = function() while true do " TURN " end end})"
                             " while true do " TURN " end"},
    {"__close in a pcall",
     "while true do pcall(function() local x <close> = setmetatable({}, {__close = function() while true do " TURN
     " end end}) while true do " TURN " end end) end"},
    {"__index function", "local t = setmetatable({}, {__index = function(t, k) " TURN " return t[k + 1] and nil end})"
                         " while true do pcall(function() return t[1] end) end"},
    {"__eq, __lt, __concat", "local m = {} m.__lt = function(a, b) while true do " TURN " end end "
                             "local a, b = setmetatable({}, m), setmetatable({}, m) return a < b"},
    {"__tostring", "tostring(setmetatable({}, {__tostring = function() while true do " TURN " end end}))"},
    {"__tostring of a logged value",
     "gw.log.info(setmetatable({}, {__tostring = function() while true do " TURN " end end}))"},
    {"__pairs",
     "for k in pairs(setmetatable({}, {__pairs = function() return function() " TURN " return 1 end end})) do end"},
    {"iterator", "for x in function() " TURN " return 1 end do end"},
    {"sort order", "table.sort({3, 2, 1}, function() while true do " TURN " end end)"},
    {"sort __lt", "local m = {__lt = function() while true do " TURN " end end} "
                  "table.sort({setmetatable({}, m), setmetatable({}, m)})"},
    {"gsub callback", "(('x'):rep(10)):gsub('x', function() while true do " TURN " end end)"},
    {"gsub table", "('x'):gsub('x', setmetatable({}, {__index = function() while true do " TURN " end end}))"},
    {"string work", "local s = 'x' while true do s = (s .. 'y'):sub(1, 100):upper():rep(3) end"},
    {"patterns", "local s = ('a'):rep(1000) while true do s:find('b') end"},
    {"json", "local t = gw.json.decode('[1,2,3]') while true do gw.json.encode(t) end"},
};

TIMED(an_endless_script_is_killed_in_time) {
  struct bed bed;
  bed_init(&bed, (struct vm_options){0});
  for (size_t i = 0; i < sizeof endless / sizeof *endless; i++) {
    enum run_outcome outcome = bed_run(&bed, RUN_ROUTE, endless[i].text);
    bool killed =
        outcome == RUN_KILLED && bed.cpu_ms < 200 * BED_SLOWER && strstr(bed.report.message, "20 ms") != NULL;
    if (!killed) {
      fprintf(stderr, "%s: outcome %d after %.1f ms: %s\n", endless[i].name, (int)outcome, bed.cpu_ms,
              bed.report.message);
    }
    CHECK(killed);
    BED_GIVES(&bed, "return 1 + 1, ('x'):rep(3)", "2 xxx");
  }
  bed_done(&bed);
}

/* Limit and 10 % of the thread's own time. The best of some tries counts: a busy machine may wake the watchdog late. */
TIMED(a_kill_comes_at_the_limit) {
  struct bed bed;
  double best_ms = 1e9;
  bed_init(&bed, (struct vm_options){0});
  for (int i = 0; i < 9; i++) {
    CHECK_INT(bed_run(&bed, RUN_ROUTE, "while true do " TURN " end"), RUN_KILLED);
    CHECK(bed.cpu_ms > 9);
    if (bed.cpu_ms < best_ms) best_ms = bed.cpu_ms;
  }
  if (best_ms > 22) fprintf(stderr, "killed after %.1f ms at best\n", best_ms);
  CHECK(best_ms <= 22);
  bed_done(&bed);
}

/* What goes through a long body may compute longer; the next call of the slot may not. */
TEST(an_allowance_is_added_to_the_limit_of_one_taking) {
  static const char *const sixty_ms = "local n = 0 while n < 3e7 do n = n + 1 end return n";
  struct bed bed;
  bed_init(&bed, (struct vm_options){0});
  run_allow(bed.slot, 600000000000u);
  CHECK_INT(bed_run(&bed, RUN_ROUTE, sixty_ms), RUN_DONE);
  run_release(bed.slot);
  bed.slot = run_take(bed.vm);
  CHECK_INT(bed_run(&bed, RUN_ROUTE, "while true do " TURN " end"), RUN_KILLED);
  CHECK(strstr(bed.report.message, "20 ms") != NULL);
  bed_done(&bed);
}

/* What an earlier document has left behind is collected before a later one is refused. */
TEST(documents_that_fit_one_by_one_fit_one_after_another) {
  struct bed bed;
  bed_init(&bed, (struct vm_options){.memory_max_bytes = 16u << 20});
  run_allow(bed.slot, 600000000000u);
  CHECK_INT(bed_run(&bed, RUN_ROUTE,
                    "local text = '{\"a\":\"' .. ('x'):rep(3 << 20) .. '\"}' "
                    "for i = 1, 20 do assert(gw.json.decode(text)) end"),
            RUN_DONE);
  bed_done(&bed);
}

TEST(a_kill_is_reported_where_it_looped) {
  struct bed bed;
  bed_init(&bed, (struct vm_options){0});
  CHECK_INT(bed_run(&bed, RUN_ROUTE, "local function turn()\n  while true do " TURN " end\nend\nturn()"), RUN_KILLED);
  CHECK_SLICE(slice_text(bed.report.file), "test.lua");
  CHECK_INT(bed.report.line, 2);
  CHECK(strstr(bed.report.message, "`route`") != NULL);
  CHECK(strstr(bed.report.traceback, "test.lua:2: in 'turn'") != NULL);
  CHECK(strstr(bed.report.traceback, "test.lua:4: in the file's body") != NULL);
  bed_done(&bed);
}

/* No armed hook in normal running, none left after a kill. */
TEST(no_hook_stays_armed) {
  struct bed bed;
  bed_init(&bed, (struct vm_options){0});
  CHECK_INT(bed_run(&bed, RUN_ROUTE, "return 1"), RUN_DONE);
  CHECK_INT(lua_gethookmask(bed.slot->L), 0);
  CHECK_INT(bed_run(&bed, RUN_ROUTE, "while true do " TURN " end"), RUN_KILLED);
  CHECK_INT(lua_gethookmask(bed.slot->L), 0);
  CHECK(!watchdog_is_watching());
  bed_done(&bed);
}

TEST(memory_goes_back_to_where_it_was) {
  static const char *const bombs[] = {
      "local t = {} for i = 1, 1e9 do t[i] = {i} end",
      "local s = 'x' while true do s = s .. s end",
      "local function f(n) return f(n + 1) + 1 end f(1)",
      "local t = {} while true do t[#t + 1] = ('x'):rep(100000) .. #t end",
      "local t = {} for i = 1, 1e9 do t[('k'):rep(50) .. i] = i end",
      "local f = function() end while true do local g = f f = function() return g end end",
      "local s = ('x'):rep(1000000) s:gsub('x', ('y'):rep(1000))",
      "local t = {} for i = 1, 30 do t[i] = gw.json.decode('[' .. ('[],'):rep(1000000) .. '1]') end",
  };
  struct bed bed;
  bed_init(&bed, (struct vm_options){.memory_max_bytes = 16 << 20});
  BED_GIVES(&bed, "return 1", "1");
  vm_collect(bed.vm);
  size_t before = bed.vm->memory.used_bytes;
  for (size_t i = 0; i < sizeof bombs / sizeof *bombs; i++) {
    enum run_outcome outcome = bed_run(&bed, RUN_SETUP, bombs[i]);
    if (outcome == RUN_DONE) fprintf(stderr, "%s: done\n", bombs[i]);
    CHECK(outcome != RUN_DONE);
    CHECK(bed.vm->memory.peak_bytes <= (17u << 20));
    BED_GIVES(&bed, "return 1", "1");
    vm_collect(bed.vm);
    CHECK(bed.vm->memory.used_bytes < before + 524288);
  }
  bed_done(&bed);
}

TEST(out_of_memory_is_an_outcome) {
  struct bed bed;
  bed_init(&bed, (struct vm_options){.memory_max_bytes = 4 << 20});
  bed.vm->hooks[RUN_SETUP].cpu_ms = 10000;
  CHECK_INT(bed_run(&bed, RUN_SETUP, "\nlocal t = {} for i = 1, 1e9 do t[i] = {i} end"), RUN_OUT_OF_MEMORY);
  CHECK_INT(bed.report.line, 2);
  CHECK(strstr(bed.report.message, "4 MB") != NULL);
  uint64_t refusals = bed.vm->memory.refusals;
  CHECK(refusals > 0);
  BED_GIVES(&bed, "local ok, why = pcall(string.rep, 'x', 5000000) return ok, why", "false not enough memory");
  CHECK(bed.vm->memory.refusals > refusals);
  bed_done(&bed);
}

TEST(recursion_without_end_is_told) {
  struct bed bed;
  bed_init(&bed, (struct vm_options){0});
  bed.vm->hooks[RUN_SETUP].cpu_ms = 10000;
  bed.vm->memory.max_bytes = 8 << 20;
  CHECK_INT(bed_run(&bed, RUN_SETUP, "local function f() return f() + 1 end f()"), RUN_OUT_OF_MEMORY);
  CHECK(strstr(bed.report.message, "stack overflow") != NULL);
  bed.vm->memory.max_bytes = VM_MEMORY_DEFAULT_BYTES;
  const char *wide = "local t = {} for i = 1, 240 do t[i] = i end "
                     "local function f(...) return f(table.unpack(t)) + 1 end f()";
  CHECK_INT(bed_run(&bed, RUN_SETUP, wide), RUN_FAILED);
  CHECK(strstr(bed.report.message, "stack overflow") != NULL);
  bed_done(&bed);
}

TEST(errors_are_reported_with_their_place) {
  struct bed bed;
  bed_init(&bed, (struct vm_options){0});
  BED_FAILS(&bed, "\n\nerror('no good')", 3, "no good");
  CHECK_INT(bed.report.count, 1);
  BED_FAILS(&bed, "\n\nlocal t = nil\nreturn t.x", 4, "attempt to index a nil value (local 't')");
  BED_FAILS(&bed, "\n\nerror('no good')", 3, "no good");
  CHECK_INT(bed.report.count, 2);
  uint32_t count;
  const struct run_fault *faults = run_faults(bed.vm, &count);
  CHECK_INT(count, 2);
  CHECK_INT(faults[0].count, 2);
  CHECK_INT(faults[0].line, 3);
  CHECK_INT(faults[0].hook, RUN_SETUP);
  bed_done(&bed);
}

TEST(an_error_object_is_read_without_asking_it) {
  struct bed bed;
  bed_init(&bed, (struct vm_options){0});
  CHECK_INT(bed_run(&bed, RUN_ROUTE, "error(setmetatable({}, {__tostring = function() while true do end end}))"),
            RUN_FAILED);
  CHECK_SLICE(slice_text(bed.report.message), "the error is a table without message");
  CHECK_INT(bed_run(&bed, RUN_ROUTE, "error(setmetatable({}, {__index = function() while true do end end}))"),
            RUN_FAILED);
  CHECK_INT(bed_run(&bed, RUN_ROUTE, "error({ field = 'messages[2].role', message = 'unknown role' })"), RUN_FAILED);
  CHECK(bed.report.is_client_fault);
  CHECK_SLICE(slice_text(bed.report.field), "messages[2].role");
  CHECK_SLICE(slice_text(bed.report.message), "unknown role");
  CHECK_INT(bed.report.line, 1);
  CHECK_INT(bed_run(&bed, RUN_ROUTE, "error(nil)"), RUN_FAILED);
  CHECK_SLICE(slice_text(bed.report.message), "the error is nil");
  CHECK_INT(bed_run(&bed, RUN_ROUTE, "error(12.5)"), RUN_FAILED);
  CHECK_SLICE(slice_text(bed.report.message), "12.5");
  CHECK_INT(bed_run(&bed, RUN_ROUTE, "error(print)"), RUN_FAILED);
  CHECK_SLICE(slice_text(bed.report.message), "the error is function");
  bed_done(&bed);
}

TEST(no_report_shows_an_address) {
  static const char *const texts[] = {
      "error(tostring({}))",      "error(tostring(print))",
      "error(('%s'):format({}))", "error('' .. tostring(gw.json.null))",
      "local t = {} t[nil] = 1",  "error(string.format('%p', {}))",
      "return {} < {}",           "return #print",
      "({}).x.y.z = 1",           "local ok, e = pcall(next, {}, 'x') error(e)",
  };
  struct bed bed;
  bed_init(&bed, (struct vm_options){0});
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    CHECK_INT(bed_run(&bed, RUN_ROUTE, texts[i]), RUN_FAILED);
    CHECK(strstr(bed.report.message, "0x") == NULL);
    CHECK(strstr(bed.report.traceback, "0x") == NULL);
  }
  bed_done(&bed);
}

/* ---- waiting ---- */

static int l_bed_wait(lua_State *L) {
  return run_wait(L, "test.wait");
}

static int enter_waiting(lua_State *L, void *owner) {
  bed_enter(L, owner);
  lua_pushcfunction(L, l_bed_wait);
  return 1;
}

static int give_number(lua_State *L, void *owner) {
  (void)owner;
  lua_pushinteger(L, 42);
  lua_pushliteral(L, "given");
  return 2;
}

static int give_error(lua_State *L, void *owner) {
  (void)owner;
  return luaL_error(L, "upstream gone");
}

static const struct run_task waiting = {enter_waiting, bed_leave};

static enum run_outcome start_waiting(struct bed *bed, const char *text) {
  bed->text = text;
  return run_start(bed->slot, RUN_ROUTE, &waiting, bed, &bed->report);
}

TEST(a_waiting_call_returns_what_is_given) {
  struct bed bed;
  bed_init(&bed, (struct vm_options){0});
  CHECK_INT(start_waiting(&bed, "local wait = ... local a, b = wait() return a, b, select('#', wait())"), RUN_WAITING);
  CHECK_INT(run_resume(bed.slot, give_number, &bed.report), RUN_WAITING);
  CHECK_INT(run_resume(bed.slot, give_number, &bed.report), RUN_DONE);
  CHECK_SLICE(slice_text(bed.result), "42 given 2");
  CHECK_INT(start_waiting(&bed, "local wait = ... return pcall(wait)"), RUN_WAITING);
  CHECK_INT(run_resume(bed.slot, give_error, &bed.report), RUN_DONE);
  CHECK_SLICE(slice_text(bed.result), "false upstream gone");
  CHECK_INT(start_waiting(&bed, "local wait = ... wait()"), RUN_WAITING);
  CHECK_INT(run_resume(bed.slot, give_error, &bed.report), RUN_FAILED);
  CHECK_SLICE(slice_text(bed.report.message), "upstream gone");
  bed_done(&bed);
}

TEST(two_slots_wait_at_once) {
  struct bed bed;
  bed_init(&bed, (struct vm_options){0});
  struct run_slot *other = run_take(bed.vm);
  CHECK(other != bed.slot);
  CHECK_INT(start_waiting(&bed, "local wait = ... return 'first', wait()"), RUN_WAITING);
  CHECK_INT(run_start(other, RUN_ROUTE, &waiting, &bed, NULL), RUN_WAITING);
  CHECK_INT(run_resume(bed.slot, give_number, NULL), RUN_DONE);
  CHECK_SLICE(slice_text(bed.result), "first 42 given");
  run_release(other); /* its request died: nothing of it runs any more */
  vm_collect(bed.vm);
  other = run_take(bed.vm);
  bed.text = "return 7";
  CHECK_INT(run_start(other, RUN_ROUTE, &waiting, &bed, NULL), RUN_DONE);
  CHECK_SLICE(slice_text(bed.result), "7");
  run_release(other);
  bed_done(&bed);
}

TEST(where_lua_cannot_wait_the_message_says_so) {
  struct bed bed;
  bed_init(&bed, (struct vm_options){0});
  CHECK_INT(start_waiting(&bed, "local wait = ... table.sort({2, 1}, wait)"), RUN_FAILED);
  CHECK(strstr(bed.report.message, "test.wait cannot wait inside a callback") != NULL);
  CHECK_INT(start_waiting(&bed, "local wait = ... return (('x'):gsub('x', wait))"), RUN_FAILED);
  CHECK_INT(start_waiting(&bed, "local wait = ... for x in wait do return x end"), RUN_WAITING);
  CHECK_INT(run_resume(bed.slot, give_number, NULL), RUN_DONE);
  CHECK_SLICE(slice_text(bed.result), "42");
  bed_done(&bed);
}

/* The limit counts the stretches together, and a script that waited is still killed. */
TIMED(waiting_does_not_renew_the_limit) {
  struct bed bed;
  bed_init(&bed, (struct vm_options){0});
  const char *text = "local wait = ... while true do for i = 1, 200000 do " TURN " end wait() end";
  double before = bed_cpu_ms();
  enum run_outcome outcome = start_waiting(&bed, text);
  int stretches = 0;
  while (outcome == RUN_WAITING && stretches++ < 100000) outcome = run_resume(bed.slot, give_number, &bed.report);
  CHECK_INT(outcome, RUN_KILLED);
  CHECK(bed_cpu_ms() - before < 200 * BED_SLOWER);
  bed_done(&bed);
}

TEST(a_burst_of_slots_eases_away) {
  struct bed bed;
  bed_init(&bed, (struct vm_options){0});
  struct run_slot *slots[200];
  for (int i = 0; i < 200; i++) slots[i] = run_take(bed.vm);
  for (int i = 0; i < 200; i++) run_release(slots[i]);
  int spare = 0;
  for (struct run_slot *s = bed.vm->spare; s != NULL; s = s->next) spare++;
  CHECK_INT(spare, 64);
  bed_done(&bed);
}

/* ---- guards ---- */

static int l_bed_guarded(lua_State *L) {
  guard_check(L);
  lua_pushliteral(L, "called");
  return 1;
}

static int open_guarded(lua_State *L) {
  static const luaL_Reg functions[] = {{"pool", l_bed_guarded}, {"sleep", l_bed_guarded}, {NULL, NULL}};
  guard_add(L, "gw.", functions);
  return 0;
}

static int open_undescribed(lua_State *L) {
  static const luaL_Reg functions[] = {{"explode", l_bed_guarded}, {NULL, NULL}};
  guard_add(L, "gw.", functions);
  return 0;
}

TEST(a_function_is_refused_in_the_wrong_hook_with_the_way_out) {
  const lua_CFunction openers[] = {open_guarded, NULL};
  struct bed bed;
  bed_init(&bed, (struct vm_options){.openers = openers});
  CHECK(bed_fails(&bed, RUN_EVENT, "\ngw.sleep(1)", 2, "gw.sleep may not be called in `event`, only in: route, retry"));
  CHECK(strstr(bed.report.message, "Do it in `route` or `retry`") != NULL);
  CHECK(bed_fails(&bed, RUN_ROUTE, "gw.pool('x')", 1, "gw.pool may not be called in `route`, only in: setup"));
  BED_GIVES(&bed, "return gw.pool('x')", "called");
  CHECK_INT(bed_run(&bed, RUN_RETRY, "return gw.sleep(1)"), RUN_DONE);
  bed_done(&bed);
}

TEST(an_undescribed_function_cannot_be_registered) {
  const lua_CFunction openers[] = {open_undescribed, NULL};
  struct err e = {""};
  CHECK(vm_new(&(struct vm_options){.script_root = bed_root(), .openers = openers}, &e) == NULL);
  CHECK(strstr(e.text, "gw.explode is not described in lua/gw/api.lua") != NULL);
}

/* ---- threads ---- */

static void *on_own_thread(void *unused) {
  (void)unused;
  watchdog_enter();
  for (int round = 0; round < 3; round++) {
    struct bed bed;
    bed_init(&bed, (struct vm_options){0});
    CHECK_INT(bed_run(&bed, RUN_ROUTE, "while true do " TURN " end"), RUN_KILLED);
    for (int i = 0; i < 2000; i++)
      CHECK_INT(bed_run(&bed, RUN_ROUTE, "local t = {} for i = 1, 50 do t[i] = i end"), RUN_DONE);
    bed_done(&bed);
  }
  watchdog_leave();
  return NULL;
}

TEST(only_the_late_thread_is_stopped) {
  pthread_t threads[3];
  for (int i = 0; i < 3; i++) CHECK(pthread_create(&threads[i], NULL, on_own_thread, NULL) == 0);
  for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
}

static struct sigaction watchdogs;
static volatile sig_atomic_t signals;

static void count_signal(int number) {
  signals++;
  watchdogs.sa_handler(number);
}

static int l_burn(lua_State *L) {
  (void)L;
  double until_ms = bed_cpu_ms() + 200;
  while (bed_cpu_ms() < until_ms) continue;
  return 0;
}

static int burn_enter(lua_State *L, void *owner) {
  (void)owner;
  lua_pushcfunction(L, l_burn);
  return 0;
}

/* A signal's work grows with the depth of the stack (lua_sethook walks it): one each millisecond would leave a script
 * that recurses without end no time to end in. */
TEST(a_script_that_cannot_stop_yet_is_signalled_less_and_less) {
  static const struct run_task task = {burn_enter, bed_leave};
  struct bed bed;
  struct sigaction counting = {.sa_handler = count_signal, .sa_flags = SA_RESTART};
  bed_init(&bed, (struct vm_options){0});
  signals = 0;
  CHECK(sigaction(SIGURG, &counting, &watchdogs) == 0);
  run_start(bed.slot, RUN_ROUTE, &task, &bed, &bed.report);
  CHECK(sigaction(SIGURG, &watchdogs, NULL) == 0);
  CHECK(signals >= 1);
  if (signals > 20) fprintf(stderr, "%d signals\n", (int)signals);
  CHECK(signals <= 20);
  CHECK_INT(bed_run(&bed, RUN_ROUTE, "local function f() return f() + 1 end return f()") != RUN_DONE, true);
  BED_GIVES(&bed, "return 'fine'", "fine");
  bed_done(&bed);
}

static void *build_vm(void *bed) {
  watchdog_enter();
  bed_init(bed, (struct vm_options){0});
  BED_GIVES(bed, "return 'built'", "built");
  watchdog_leave();
  return NULL;
}

TEST(a_vm_moves_between_threads) {
  struct bed bed;
  pthread_t loader;
  CHECK(pthread_create(&loader, NULL, build_vm, &bed) == 0);
  pthread_join(loader, NULL);
  CHECK_INT(bed_run(&bed, RUN_ROUTE, "while true do " TURN " end"), RUN_KILLED);
  BED_GIVES(&bed, "return 'here'", "here");
  bed_done(&bed);
}

UNIT_MAIN()
