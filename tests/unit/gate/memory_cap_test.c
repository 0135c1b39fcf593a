/* memory_cap: what is held and what is promised, against nine tenths of a cap. */
#include "gate/admission/memory_cap.h"

#include "check.h"

#define MIB UINT64_C(1048576)
#define MS UINT64_C(1000000)

TEST(promises_count_until_they_arrive) {
  memory_cap_pretend(10 * MIB);
  CHECK(memory_cap_promise(100 * MIB, 40 * MIB, 1000 * MS));
  CHECK(memory_cap_promise(100 * MIB, 40 * MIB, 1000 * MS));
  CHECK(!memory_cap_promise(100 * MIB, MIB, 1000 * MS));
  memory_cap_arrived(40 * MIB);
  CHECK(memory_cap_promise(100 * MIB, MIB, 1000 * MS));
  memory_cap_arrived(MIB);
  memory_cap_arrived(40 * MIB);
}

TEST(the_system_is_asked_again_after_ten_ms) {
  memory_cap_pretend(10 * MIB);
  CHECK(memory_cap_promise(100 * MIB, 0, 5000 * MS));
  memory_cap_pretend(95 * MIB);
  CHECK(!memory_cap_promise(100 * MIB, 0, 6000 * MS));
  memory_cap_pretend(10 * MIB);
  CHECK(memory_cap_promise(100 * MIB, 0, 7000 * MS));
}

TEST(more_than_the_cap_is_more_than_nine_tenths) {
  memory_cap_pretend(95 * MIB);
  CHECK(!memory_cap_exceeded(100 * MIB, 7500 * MS));
  memory_cap_pretend(101 * MIB);
  CHECK(memory_cap_exceeded(100 * MIB, 8500 * MS));
}

TEST(this_process_holds_something) {
  memory_cap_pretend(0);
  CHECK(memory_cap_promise(UINT64_C(1) << 40, 0, 9000 * MS));
  CHECK(!memory_cap_promise(65536, 0, 9001 * MS));
}

UNIT_MAIN()
