/* hooks: the only door between the core and scripts: a few function pointers, so that gate/ knows no Lua and the whole
 * core can be tested with hooks written in C. All calls are made on the worker's thread, with that worker's script of
 * the request's generation.
 *
 * An absent hook costs nothing: the pointers are called only where `config` says that a script has one, or where two
 * dialects differ. */
#ifndef MOONGATE_GATE_HOOKS_H
#define MOONGATE_GATE_HOOKS_H

#include "base/bytes.h"
#include "gate/fault.h"
#include "wire/stream_event.h"

struct script; /* one VM of one generation on one worker */
struct request;
struct attempt;

enum hook_verdict {
  HOOK_DONE,
  HOOK_ABSENT,  /* nothing there, or it returned nothing: the builtin way */
  HOOK_WAITING, /* route and retry only: request_resumed(r) is called later, once */
  HOOK_REFUSED, /* f says no: gw.refuse, a body that cannot be carried, an answer that cannot be read */
  HOOK_FAILED   /* the script failed; it is logged; f holds what a client may read */
};

struct hooks {
  /* Orders the route's targets: fills r->plan (request_plan_add). */
  enum hook_verdict (*route)(struct script *s, struct request *r, struct fault *f);
  /* After a failed attempt, before the next: may replace the rest of the plan (request_plan_replace, then add). */
  enum hook_verdict (*retry)(struct script *s, struct request *r, struct attempt *failed, struct fault *f);
  /* The provider's request when the client's bytes cannot pass as they are: fills a->body, and sets
   * a->losses. */
  enum hook_verdict (*build)(struct script *s, struct attempt *a, struct fault *f);
  /* A whole 2xx answer → the client's dialect: *out in the request's arena. */
  enum hook_verdict (*answer)(struct script *s, struct attempt *a, struct slice body, struct slice *out,
                              struct fault *f);
  /* One event of a provider's stream → zero or more events of the client's dialect, appended to out. */
  enum hook_verdict (*event)(struct script *s, struct attempt *a, const struct stream_event *e, struct buf *out,
                             struct fault *f);
  /* The stream ended well: what is left to say. */
  enum hook_verdict (*finish)(struct script *s, struct attempt *a, struct buf *out, struct fault *f);
  /* A provider's error answer → the client's dialect: *status and *out. */
  enum hook_verdict (*error)(struct script *s, struct attempt *a, struct slice body, unsigned *status,
                             struct slice *out, struct fault *f);
  /* The stream of `a` has broken off after its content began: HOOK_DONE where another attempt may go on with what was
   * said, HOOK_ABSENT where none may. */
  enum hook_verdict (*recover)(struct script *s, struct attempt *a);
  /* The stream of `a` has begun: no attempt follows, and the request's body goes after this call. */
  void (*drop_body)(struct script *s, struct attempt *a);
  /* Ends whatever the script keeps for it: suspended coroutines, stream translators. */
  void (*forget_attempt)(struct script *s, struct attempt *a);
  void (*forget_request)(struct script *s, struct request *r);
  /* Looks for memory that scripts have let go of, for about a millisecond; true when it has looked at all of it. */
  bool (*tidy)(struct script *s);
  /* The memory the VM uses, for metrics. */
  size_t (*memory_bytes)(const struct script *s);
};

#endif
