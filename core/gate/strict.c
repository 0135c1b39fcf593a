/* strict: see the header. */
#include "gate/strict.h"

#include <stdio.h>

#include "gate/request.h"

/* A header can only make it stricter: who says "1" or "yes" means it too, and must not be served laxly. */
static bool is_demanded(const struct request *r) {
  if (r->route != NULL && r->route->strict) return true;
  struct slice said = r->head != NULL ? http_header_of(r->head, SLICE("x-moongate-strict")) : slice_of(NULL, 0);
  return said.len > 0 && !slice_eq_nocase(said, SLICE("false")) && !slice_eq(said, SLICE("0"));
}

bool strict_refuses(const struct attempt *a) {
  return a->losses.len > 0 && is_demanded(a->request);
}

void strict_fault(const struct attempt *a, struct fault *out) {
  enum { LISTED_BYTES_MAX = 240 };
  ptrdiff_t comma = slice_find_byte(a->losses, ',');
  size_t first = comma < 0 ? a->losses.len : (size_t)comma;
  fault_set(out, FAULT_LOSSY, "strict is on, and %s cannot be given: %.*s.", a->target->name.ptr,
            (int)(a->losses.len < LISTED_BYTES_MAX ? a->losses.len : LISTED_BYTES_MAX), a->losses.ptr);
  snprintf(out->param, sizeof out->param, "%.*s", (int)first, a->losses.ptr);
}

struct attempt *strict_blamed(const struct request *r, struct attempt *last) {
  if (last->failure != FAILURE_LOSSY) return last;
  struct attempt *blamed = NULL;
  for (struct attempt *a = r->attempts; a != NULL; a = a->next)
    if (a->failure != FAILURE_LOSSY && a->phase == ATTEMPT_FAILED) blamed = a;
  return blamed != NULL ? blamed : r->attempts;
}
