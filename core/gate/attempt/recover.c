/* recover: see the header. The worker's thread. */
#include "gate/attempt/recover.h"

#include "gate/request.h"

const char *recover_mode_name(enum recover_mode mode) {
  static const char *const names[] = {"none", "restart", "continue"};
  return names[mode];
}

static enum recover_mode mode_of(const struct request *r) {
  return r->route != NULL ? r->route->recover : RECOVER_NONE;
}

void recover_prepare(struct attempt *a) {
  struct request *r = a->request;
  if (mode_of(r) == RECOVER_NONE || !r->asked.stream || r->endpoint->operation != OPERATION_CHAT) return;
  a->recovers = a->translated = true;
  a->resumes = r->recover.breaks > 0;
  a->continues = a->resumes && mode_of(r) == RECOVER_CONTINUE;
  if (r->recover.begun == r->recover.breaks) return;
  r->recover.begun = r->recover.breaks;
  meter_add(&r->gate->meter->recoveries, 1);
}

static uint32_t left_ms(const struct request *r, uint32_t total_ms, uint64_t now_ns) {
  uint64_t gone_ms = now_ns > r->ready_ns ? (now_ns - r->ready_ns) / 1000000 : 0;
  return total_ms > gone_ms ? total_ms - (uint32_t)gone_ms : 0;
}

void recover_limit(struct attempt *a) {
  uint32_t *total_ms = &a->clocks.limits.total_ms;
  if (*total_ms == 0) return; /* no such clock */
  uint32_t left = left_ms(a->request, *total_ms, a->started_ns);
  *total_ms = left > 0 ? left : 1;
}

/* By what the provider is to blame for, and another may not be. */
static bool is_recoverable(const struct attempt *a) {
  const struct adapter *adapter = a->target->provider->adapter;
  enum failure_class told = a->failure;
  if (told == FAILURE_STREAM_ERROR)
    told = failure_classify_inner(a->reading.error_type, a->reading.error_text, adapter->errors, adapter->error_count,
                                  told);
  return failure_row(a->failure)->counts_against_health && a->failure != FAILURE_TOTAL_TIMEOUT &&
         failure_row(told)->next_target;
}

bool recover_begin(struct request *r, struct attempt *a) {
  if (!a->recovers || !request_is_heard(r) || r->delivery.ended) return false;
  if (a->resumes && a->first_content_ns == 0) {
    /* Nothing of it was seen but what says nothing, which the writer believes to be out. */
    if (a->streams) request_write(r, buf_view(&a->held));
    return true;
  }
  /* A finished answer lacks its figures, which nobody else can tell. */
  if (r->recover.breaks == RECOVERIES_MAX || a->reading.finish != FINISH_NONE || !is_recoverable(a)) return false;
  uint32_t total_ms = a->clocks.limits.total_ms;
  if (!a->resumes && total_ms > 0 && left_ms(r, total_ms, loop_now_ns(r->gate->loop)) == 0) return false;
  if (r->tenure->generation->hooks->recover(r->tenure->script, a) != HOOK_DONE) return false;
  r->recover.breaks++;
  return true;
}

bool recover_can_continue(const struct target *t) {
  return t->facts != NULL && (t->facts->capabilities >> CAN_PREFILL & 1) != 0;
}

bool recover_takes(const struct request *r, const struct target *t) {
  return r->recover.breaks == 0 || mode_of(r) != RECOVER_CONTINUE || recover_can_continue(t);
}

bool recover_keeps_body(const struct attempt *a) {
  return a->recovers && a->request->recover.breaks < RECOVERIES_MAX;
}

uint64_t recover_spoken_tokens(const struct request *r) {
  uint64_t sum = 0;
  for (const struct attempt *a = r->attempts; a != NULL; a = a->next)
    if (a->phase == ATTEMPT_FAILED && a->first_content_ns != 0) sum += a->reading.usage.output_tokens;
  return sum;
}

void recover_end(const struct request *r) {
  if (r->recover.begun > 0 && r->outcome == OUTCOME_OK) meter_add(&r->gate->meter->recoveries_succeeded, 1);
}
