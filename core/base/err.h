/* err: the world's fault, told in words. The last parameter of a function that may fail; the function returns false.
 * Any thread; a plain value that owns nothing. Never holds a secret. */
#ifndef MOONGATE_BASE_ERR_H
#define MOONGATE_BASE_ERR_H

#include <stdbool.h>

struct err {
  char text[1024]; /* one or more lines; the first says what and where ("file:line: …"), the rest how to mend it */
};

/* Sets the text; returns false, so that `return err_set(e, …)` reads well. e may be NULL. */
bool err_set(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Puts a place or a reason before what is there. Returns false. */
bool err_before(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
