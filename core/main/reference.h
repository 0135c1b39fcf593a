/* reference: the chapters of docs/reference that are generated from tables of the source. Main thread. */
#ifndef MOONGATE_MAIN_REFERENCE_H
#define MOONGATE_MAIN_REFERENCE_H

#include <stdbool.h>

/* Writes the chapter (config, errors, trace, metrics, script) to stdout; false, told on stderr, when there is none of
 * that name. */
bool reference_write(const char *chapter, const char *script_root);

#endif
