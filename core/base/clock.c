/* clock: readings and the one date format that the project writes. Any thread; the date of the last second is kept per
 * thread, because a trace record is written for every request. */
#include "base/clock.h"

#include <string.h>
#include <time.h>

uint64_t clock_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int64_t clock_wall_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void put(char *at, unsigned number, unsigned width) {
  while (width-- > 0) {
    at[width] = (char)('0' + number % 10);
    number /= 10;
  }
}

void clock_rfc3339(int64_t wall_ms, char out[CLOCK_RFC3339_BYTES]) {
  static _Thread_local int64_t last_second = -1;
  static _Thread_local char last[20];
  int64_t second = wall_ms / 1000;
  if (second != last_second) {
    time_t when = (time_t)second;
    struct tm date;
    gmtime_r(&when, &date);
    memcpy(last, "0000-00-00T00:00:00.", 20);
    put(last, (unsigned)date.tm_year + 1900, 4);
    put(last + 5, (unsigned)date.tm_mon + 1, 2);
    put(last + 8, (unsigned)date.tm_mday, 2);
    put(last + 11, (unsigned)date.tm_hour, 2);
    put(last + 14, (unsigned)date.tm_min, 2);
    put(last + 17, (unsigned)date.tm_sec, 2);
    last_second = second;
  }
  memcpy(out, last, 20);
  put(out + 20, (unsigned)(wall_ms % 1000), 3);
  out[23] = 'Z';
}
