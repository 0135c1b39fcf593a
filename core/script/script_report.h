/* script_report: what is told about a script that failed: to whoever loads it, to the log, to the counters. */
#ifndef MOONGATE_SCRIPT_SCRIPT_REPORT_H
#define MOONGATE_SCRIPT_SCRIPT_REPORT_H

#include "base/err.h"
#include "script/run.h"

struct script;
struct request;

/* "file:line: message" into e. name: the file when the report does not know it. Returns false. */
bool script_report_tell(const struct run_report *report, const char *name, struct err *e);
/* One line in the log with place, message, request, generation and traceback, and the worker's counters. Of a place
 * that fails again and again only the first few times, then once a second. */
void script_report_log(struct script *s, const struct request *r, const struct run_report *report);

#endif
