/* control: commands that talk to a running gateway's admin port: `moongate reload`, `moongate status`. Blocking; no
 * threads. */
#ifndef MOONGATE_MAIN_CONTROL_H
#define MOONGATE_MAIN_CONTROL_H

#include "base/bytes.h"
#include "base/err.h"

/* One request to the admin port at address ("127.0.0.1:8081"), with the token of MOONGATE_ADMIN_TOKEN when that is set.
 * *status and out: the answer. */
bool control_call(const char *address, const char *method, const char *target, unsigned *status, struct buf *out,
                  struct err *e);

#endif
