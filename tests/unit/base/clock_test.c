/* clock: dates as they are written, and a monotonic clock that goes on. */
#include "base/clock.h"

#include <stdlib.h>
#include <time.h>

#include "check.h"

static void check_date(int64_t wall_ms, const char *expected) {
  char out[CLOCK_RFC3339_BYTES];
  clock_rfc3339(wall_ms, out);
  CHECK_SLICE(slice_of(out, sizeof out), expected);
}

TEST(dates) {
  check_date(0, "1970-01-01T00:00:00.000Z");
  check_date(1, "1970-01-01T00:00:00.001Z");
  check_date(999, "1970-01-01T00:00:00.999Z");
  check_date(1000, "1970-01-01T00:00:01.000Z");
  check_date(951782399999, "2000-02-28T23:59:59.999Z");
  check_date(951782400000, "2000-02-29T00:00:00.000Z");
  check_date(1795335360123, "2026-11-22T08:16:00.123Z");
  check_date(4102444799050, "2099-12-31T23:59:59.050Z");
  check_date(253402300799999, "9999-12-31T23:59:59.999Z");
}

TEST(the_kept_second_does_not_stick) {
  check_date(1795335360999, "2026-11-22T08:16:00.999Z");
  check_date(1795335361000, "2026-11-22T08:16:01.000Z");
  check_date(1795335360000, "2026-11-22T08:16:00.000Z");
}

TEST(clocks) {
  uint64_t before = clock_ns();
  struct timespec pause = {0, 2000000};
  nanosleep(&pause, NULL);
  CHECK(clock_ns() - before >= 2000000);
  long long from_s = time(NULL), now_s = clock_wall_ms() / 1000, until_s = time(NULL);
  CHECK(from_s <= now_s && now_s <= until_s + 1); /* time(2) is a tick behind */
}

UNIT_MAIN()
