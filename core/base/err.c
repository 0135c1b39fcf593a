/* err: formats into the caller's value. Any thread. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool err_set(struct err *e, const char *format, ...) {
  if (e == NULL) return false;
  va_list args;
  va_start(args, format);
  vsnprintf(e->text, sizeof e->text, format, args);
  va_end(args);
  return false;
}

bool err_before(struct err *e, const char *format, ...) {
  if (e == NULL) return false;
  char old[sizeof e->text];
  memcpy(old, e->text, sizeof old);
  va_list args;
  va_start(args, format);
  int len = vsnprintf(e->text, sizeof e->text, format, args);
  va_end(args);
  if (len >= 0 && (size_t)len < sizeof e->text) snprintf(e->text + len, sizeof e->text - (size_t)len, "%s", old);
  return false;
}
