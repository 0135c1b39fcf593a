/* hooks: route and retry, which choose and may wait; the rest of the table is in translation.c.
 *
 *   start ─▶ RUN_DONE: the choice is applied to the plan      ─▶ verdict
 *        ├─▶ RUN_WAITING: wait_begin … go_on ─▶ run_resume ─▶ request_resumed(verdict)
 *        └─▶ failed: logged, counted                           ─▶ HOOK_FAILED */
#include "script/hooks.h"

#include "gate/request.h"
#include "script/api/api_request.h"
#include "script/run.h"
#include "script/script.h"
#include "script/script_report.h"
#include "script/translation/recovery.h"
#include "script/translation/translation.h"

_Static_assert((int)CHOICE_MAX == (int)PLAN_MAX, "a choice fits into a plan");

static const struct script_route *route_of(const struct script_call *call) {
  return &call->script->routes[call->route->index];
}

static int enter_route(lua_State *L, void *owner) {
  struct script_call *call = owner;
  const struct script_route *route = route_of(call);
  lua_rawgeti(L, LUA_REGISTRYINDEX, route->route); /* route */
  lua_rawgeti(L, LUA_REGISTRYINDEX, route->self);  /* route self */
  api_request_push(L, call->request);              /* route self req */
  return 2;
}

static void leave_route(lua_State *L, void *owner) {
  struct script_call *call = owner;
  choice_read(L, &call->script->choice, route_of(call)->route);
}

static int enter_retry(lua_State *L, void *owner) {
  struct script_call *call = owner;
  const struct script_route *route = route_of(call);
  lua_rawgeti(L, LUA_REGISTRYINDEX, route->retry);                   /* retry */
  lua_rawgeti(L, LUA_REGISTRYINDEX, route->self);                    /* retry self */
  api_request_push(L, call->request);                                /* retry self req */
  api_request_push_attempt(L, call->request, call->request->failed); /* retry self req attempt */
  return 3;
}

static void leave_retry(lua_State *L, void *owner) {
  struct script_call *call = owner;
  choice_read(L, &call->script->choice, route_of(call)->retry);
}

static void go_on(struct script_request *state, int (*give)(lua_State *L, void *owner));

static enum hook_verdict apply(struct request *r, const struct choice *choice, bool replaces, struct fault *f) {
  if (choice->refused) {
    *f = choice->fault;
    return HOOK_REFUSED;
  }
  if (!choice->given) return HOOK_ABSENT;
  if (replaces) request_plan_replace(r);
  for (uint16_t i = 0; i < choice->count; i++) request_plan_add(r, choice->targets[i]);
  return HOOK_DONE;
}

/* What the run's outcome is to the request. The slot goes back unless the script waits. */
static enum hook_verdict judge(struct script_request *state, enum run_outcome outcome, const struct run_report *report,
                               struct fault *f) {
  struct script *s = state->call.script;
  struct request *r = state->r;
  if (outcome == RUN_WAITING) {
    wait_begin(state, go_on);
    return HOOK_WAITING;
  }
  if (state->slot != NULL) run_release(state->slot);
  state->slot = NULL;
  if (state->wait.over != NULL || state->wait.fetch != NULL) wait_end(state);
  if (outcome == RUN_DONE) return apply(r, &s->choice, state->failed != NULL, f);
  script_report_log(s, r, report);
  fault_set(f, FAULT_SCRIPT_FAILED, "The policy of route \"%s\" failed.", state->call.route->name);
  return HOOK_FAILED;
}

static enum hook_verdict start(struct script *s, struct request *r, struct attempt *failed, enum run_hook hook,
                               const struct run_task *task, struct fault *f) {
  struct script_request *state = script_request_of(s, r);
  struct run_report report;
  enum run_outcome outcome = RUN_OUT_OF_MEMORY;
  state->failed = failed;
  state->wait.waited_ns = 0;
  state->slot = run_take(s->vm);
  if (state->slot != NULL) outcome = run_start(state->slot, hook, task, &state->call, &report);
  else report = (struct run_report){.outcome = outcome, .hook = hook, .message = "no memory is left for scripts"};
  return judge(state, outcome, &report, f);
}

/* A wait is over. Nothing may be touched after request_resumed: the request may be gone. */
static void go_on(struct script_request *state, int (*give)(lua_State *L, void *owner)) {
  struct run_report report;
  struct fault f = {.code = FAULT_COUNT};
  enum run_outcome outcome = run_resume(state->slot, give, &report);
  enum hook_verdict verdict = judge(state, outcome, &report, &f);
  if (verdict != HOOK_WAITING) request_resumed(state->r, verdict, &f);
}

static enum hook_verdict route(struct script *s, struct request *r, struct fault *f) {
  static const struct run_task task = {enter_route, leave_route};
  return start(s, r, NULL, RUN_ROUTE, &task, f);
}

static enum hook_verdict retry(struct script *s, struct request *r, struct attempt *failed, struct fault *f) {
  static const struct run_task task = {enter_retry, leave_retry};
  return start(s, r, failed, RUN_RETRY, &task, f);
}

static bool tidy(struct script *s) {
  return vm_collect_some(s->vm);
}

static size_t memory_bytes(const struct script *s) {
  return s->vm->memory.used_bytes;
}

const struct hooks script_hooks = {
    .route = route,
    .retry = retry,
    .build = translation_build,
    .answer = translation_answer,
    .event = translation_event,
    .finish = translation_finish,
    .error = translation_error,
    .recover = recovery_ask,
    .drop_body = script_request_drop_body,
    .forget_attempt = translation_forget,
    .forget_request = script_request_end,
    .tidy = tidy,
    .memory_bytes = memory_bytes,
};
