/* reference: the chapters of docs/reference that are generated from tables of the source. Main thread. */
#ifndef MOONGATE_MAIN_REFERENCE_H
#define MOONGATE_MAIN_REFERENCE_H

#include <stdbool.h>

/* Writes the chapter (config, endpoints, errors, losses, metrics, providers, script, trace) to stdout; false, told on
 * stderr, when there is none of that name. as_json: losses as data instead of Markdown. */
bool reference_write(const char *chapter, bool as_json, const char *script_root);

#endif
