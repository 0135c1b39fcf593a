/* trace: the record of each request, one JSON line, also for refusals and aborts. Formatted on the worker after the
 * client has been served, put into the worker's ring, written by the writer thread: a slow disk costs lines (counted),
 * never latency. No message content, no secrets. The fields are listed in trace_table.h, which also generates
 * docs/reference/trace.md. */
#ifndef MOONGATE_GATE_TRACE_H
#define MOONGATE_GATE_TRACE_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

struct request;
struct trace_log;

/* The writer thread and its file ("-": stdout). rings: one a worker. */
struct trace_log *trace_log_open(const char *file, unsigned workers, struct err *e);
void trace_log_close(struct trace_log *t); /* writes what is queued, joins the thread */
/* One whole line with its '\n'. The worker's thread. false: dropped, counted. */
bool trace_log_put(struct trace_log *t, unsigned worker, struct slice line);
uint64_t trace_log_dropped(const struct trace_log *t);
/* Opens the file anew (log rotation); any thread. */
void trace_log_reopen(struct trace_log *t);

/* The record of a request that has ended. */
void trace_format(struct buf *out, const struct request *r);
/* The manual: a Markdown table of every field. */
void trace_reference(struct buf *out);

#endif
