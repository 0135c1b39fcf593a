/* must: what happens when an invariant does not hold. Any thread; allocates nothing. */
#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void must_fail(const char *condition, const char *file, int line) {
  fprintf(stderr, "moongate: bug: %s does not hold at %s:%d\n", condition, file, line);
  abort();
}
