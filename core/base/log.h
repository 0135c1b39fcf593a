/* log: what an operator reads on stderr, one line each: "2026-11-22T08:16:00.123Z info  listener: …". Any thread; a
 * line is one write. For events of the process; a request's story is its trace record. Never holds a secret or message
 * content. */
#ifndef MOONGATE_BASE_LOG_H
#define MOONGATE_BASE_LOG_H

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

void log_threshold(enum log_level lowest); /* default LOG_INFO; set before threads start */
/* topic: the module, one word. Control characters in the text are replaced. */
void log_write(enum log_level level, const char *topic, const char *format, ...) __attribute__((format(printf, 3, 4)));

#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_warn(...) log_write(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)

#endif
