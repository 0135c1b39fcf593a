/* script_report: see the header. The worker's or the loader's thread. */
#include "script/script_report.h"

#include "base/clock.h"
#include "base/log.h"
#include "gate/gate.h"
#include "gate/request.h"
#include "script/script.h"

enum { LOGGED_ALWAYS = 5 };

bool script_report_tell(const struct run_report *report, const char *name, struct err *e) {
  const char *file = report->file[0] ? report->file : name;
  if (report->line > 0) return err_set(e, "%s:%d: %s", file, report->line, report->message);
  return *file ? err_set(e, "%s: %s", file, report->message) : err_set(e, "%s", report->message);
}

void script_report_log(struct script *s, const struct request *r, const struct run_report *report) {
  struct meter *meter = r->gate->meter;
  meter_add(report->outcome == RUN_FAILED ? &meter->script_failures : &meter->script_kills, 1);
  uint64_t now_ns = clock_ns();
  if (report->count > LOGGED_ALWAYS && now_ns - s->logged_ns < 1000000000u) return;
  s->logged_ns = now_ns;
  log_error("script", "`%s` failed: %s:%d: %s (request %.*s, generation %u, %llu times)%s%s",
            run_hook_name(report->hook), report->file[0] ? report->file : "?", report->line, report->message,
            REQUEST_ID_BYTES, r->id, s->generation, (unsigned long long)report->count, report->traceback[0] ? "\n" : "",
            report->traceback);
}
