/* vm: building, the memory cap, closing, and that the API's description and its functions are the same set. */
#include "script/bed.h"
#include "script/guard.h"

TEST(a_vm_that_cannot_be_built_says_why) {
  struct err e = {""};
  CHECK(vm_new(&(struct vm_options){.script_root = "/nowhere"}, &e) == NULL);
  CHECK(strstr(e.text, "cannot read /nowhere/lua/gw/api.lua") != NULL);
  CHECK(vm_new(&(struct vm_options){.script_root = bed_root(), .memory_max_bytes = 1000}, &e) == NULL);
  CHECK(strstr(e.text, "too small for Lua itself") != NULL);
}

/* Whatever the cap, building fails cleanly or works: each allocation of the boot is refused once. */
TEST(building_survives_every_refused_allocation) {
  struct err e = {""};
  struct vm *vm = NULL;
  unsigned failed = 0;
  for (size_t cap = 20000; vm == NULL; cap += 509) {
    vm = vm_new(&(struct vm_options){.script_root = bed_root(), .memory_max_bytes = cap}, &e);
    failed += vm == NULL;
  }
  CHECK(failed > 20);
  vm_free(vm);
}

/* Whatever the memory left, a run ends with an outcome, and the VM works again when there is room. */
TEST(running_survives_every_refused_allocation) {
  struct bed bed;
  bed_init(&bed, (struct vm_options){0});
  size_t most = bed.vm->memory.max_bytes;
  unsigned refused = 0;
  for (size_t room = 0; room < 60000; room += 257) {
    vm_collect(bed.vm);
    bed.vm->memory.max_bytes = bed.vm->memory.used_bytes + room;
    enum run_outcome outcome = bed_run(&bed, RUN_ROUTE,
                                       "local t = gw.json.decode('{\"a\":[1,2,{\"b\":\"text\"}]}') "
                                       "local s = ('x'):rep(100):gsub('x', 'yy') table.sort({3, 2, 1}) "
                                       "pcall(error, {}) return gw.json.encode(t) .. s");
    if (outcome != RUN_DONE) refused++;
    CHECK(outcome == RUN_DONE || outcome == RUN_OUT_OF_MEMORY || outcome == RUN_FAILED);
    bed.vm->memory.max_bytes = most;
    if (room % 5 == 0) BED_GIVES(&bed, "return 1", "1");
  }
  CHECK(refused > 20);
  bed_done(&bed);
}

TEST(the_heap_of_a_fresh_vm_is_small) {
  struct bed bed;
  bed_init(&bed, (struct vm_options){0});
  CHECK(bed.vm->memory.used_bytes < 256 * 1024);
  CHECK_INT(bed.vm->memory.refusals, 0);
  bed_done(&bed);
}

/* A function that is described but belongs to gw, gw.json or gw.log and is not registered would be a promise not kept.
 * Those that need requests and targets are registered by the openers of a generation. */
TEST(what_is_described_exists) {
  static const char *const by_openers[] = {"gw.pool", "gw.target", "gw.targets", "gw.sleep", "gw.fetch", "gw.refuse"};
  struct bed bed;
  bed_init(&bed, (struct vm_options){0});
  for (uint32_t i = 0; i < bed.vm->guard_count; i++) {
    const struct guard *guard = &bed.vm->guards[i];
    bool elsewhere = strchr(guard->name, ':') != NULL;
    for (size_t n = 0; n < sizeof by_openers / sizeof *by_openers; n++) {
      elsewhere |= strcmp(by_openers[n], guard->name) == 0;
    }
    if (guard->is_registered == elsewhere) fprintf(stderr, "%s\n", guard->name);
    CHECK(guard->is_registered != elsewhere);
  }
  CHECK_INT(bed.vm->hooks[RUN_ROUTE].cpu_ms, 20);
  CHECK_INT(bed.vm->hooks[RUN_ROUTE].wait_ms, 100);
  CHECK_INT(bed.vm->hooks[RUN_SETUP].cpu_ms, 200);
  CHECK_INT(bed.vm->hooks[RUN_EVENT].wait_ms, 0);
  bed_done(&bed);
}

UNIT_MAIN()
