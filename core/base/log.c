/* log: one write per line to stderr. Any thread. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

static enum log_level threshold = LOG_INFO;

void log_threshold(enum log_level lowest) {
  threshold = lowest;
}

void log_write(enum log_level level, const char *topic, const char *format, ...) {
  static const char *const names[] = {"debug", "info ", "warn ", "error"};
  if (level < threshold) return;
  char line[2048];
  clock_rfc3339(clock_wall_ms(), line);
  int len = CLOCK_RFC3339_BYTES;
  len += snprintf(line + len, sizeof line - (size_t)len, " %s %s: ", names[level], topic);
  va_list args;
  va_start(args, format);
  int more = vsnprintf(line + len, sizeof line - (size_t)len, format, args);
  va_end(args);
  if (more > 0) len += more;
  if (len > (int)sizeof line - 2) len = (int)sizeof line - 2;
  /* A value from outside must not start a line of its own; a traceback keeps its lines, indented. */
  for (int i = CLOCK_RFC3339_BYTES; i < len; i++)
    if ((unsigned char)line[i] < 0x20 && line[i] != '\t') line[i] = line[i] == '\n' ? '\v' : '?';
  char out[4096];
  size_t used = 0;
  for (int i = 0; i < len && used < sizeof out - 8; i++) {
    if (line[i] == '\v') {
      memcpy(out + used, "\n    ", 5);
      used += 5;
    } else {
      out[used++] = line[i];
    }
  }
  out[used++] = '\n';
  ssize_t ignored = write(STDERR_FILENO, out, used);
  (void)ignored;
}
