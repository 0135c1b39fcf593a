/* script: one VM of one generation on one worker, with the scripts of all its routes and providers, and what the VM
 * keeps for the requests that it serves. The worker's thread; built and closed on the loader's.
 *
 *   generation ──┬── script (worker 0) ── VM: dialects, translate, adapter of each provider, policy of each route
 *                ├── script (worker 1) ── …            └── requests: one struct script_request a request, pooled
 *                └── script_files: the sources of all of them
 *
 * It does NOT decide what a failure means for a request; hooks.c does. */
#ifndef MOONGATE_SCRIPT_SCRIPT_H
#define MOONGATE_SCRIPT_SCRIPT_H

#include "gate/config.h"
#include "gate/dialect/dialect.h"
#include "script/api/api_wait.h"
#include "script/choice.h"
#include "script/script_files.h"
#include "script/translation/text_request.h"
#include "script/vm.h"

struct attempt;
struct gate;
struct request;

/* The functions of lua/gw/translate.lua that C calls. */
enum script_translate {
  TRANSLATE_HOP,
  TRANSLATE_REQUEST,
  TRANSLATE_RESPONSE,
  TRANSLATE_TEXTS,
  TRANSLATE_ERROR,
  TRANSLATE_STREAM,
  TRANSLATE_RECOVER,
  TRANSLATE_COUNT
};

/* A route's policy in this VM: registry references, LUA_NOREF where the file has no such hook. */
struct script_route {
  int policy, self, route, retry;
  const struct script_file *file;
};

/* Owner of every run (run_owner): who is it that runs? */
struct script_call {
  struct script *script;
  const struct route *route;      /* whose pools and targets; NULL for adapters and dialects */
  struct script_request *request; /* NULL in load, setup and examples */
};

/* What the VM keeps for one request, from its first hook to its end. Pooled: the memory stays, `serial` tells a handle
 * of an earlier request that it is dead. */
struct script_request {
  struct script_call call; /* first: owner of the runs of route and retry */
  struct request *r;       /* NULL while spare */
  uint64_t serial;
  struct attempt *failed; /* that retry looks at */
  struct run_slot *slot;  /* of a route or retry that waits */
  struct wait wait;
  int body;                          /* registry reference: what req:body() gave */
  int recovery;                      /* the same: what was said, once an answer has broken off (recovery.h) */
  int64_t tool_count, message_count; /* -1: not counted yet */
  struct script_request *next;       /* of spare */
};

struct script {
  struct vm *vm; /* its doors.owner is this struct */
  const struct config *config;
  struct script_files *files; /* shared by the generation's scripts; the generation frees it */
  struct gate *gate;          /* NULL before load_attach */
  uint32_t generation;
  struct script_route *routes; /* [route->index] */
  int *adapters;               /* [provider->index]: { quirks, self, request, response, event } */
  int dialects[DIALECT_COUNT];
  struct text_form texts[DIALECT_COUNT];
  struct text_frames frames;
  struct text_split split; /* scratch */
  int translate[TRANSLATE_COUNT];
  int targets; /* registry reference: struct target * → its handle */
  int req_metatable;
  const void *target_metatable; /* identities, to tell handles */
  const void *refusal_metatable;
  struct choice choice; /* scratch of route and retry */
  struct script_request *spare;
  uint64_t logged_ns; /* rate limit of failures */
};

static inline struct script *script_of(lua_State *L) {
  return vm_of(L)->doors.owner;
}

/* Builds the VM and everything in it. config is not final yet: setup may add targets that a script names. Sets
 * has_policy and has_retry of the routes. NULL on failure: e holds "file:line: reason". */
struct script *script_new(struct config *config, struct script_files *files, const char *script_root,
                          uint32_t generation, struct err *e);
void script_free(struct script *s); /* NULL is fine */
/* Runs the examples of all policies. */
bool script_try_examples(struct script *s, struct err *e);

/* The state of a request, made on first use. */
struct script_request *script_request_of(struct script *s, struct request *r);
/* The request's body goes: drops what was decoded of it. Hooks that still come may ask for its counts, not for it. */
void script_request_drop_body(struct script *s, struct attempt *a);
/* Drops everything that is kept for it; its handles are dead. */
void script_request_end(struct script *s, struct request *r);

/* Frees a registry reference and sets it to LUA_NOREF. Does not throw. */
void script_unref(struct script *s, int *reference);

#endif
