/* kit: the commands for authors: `moongate new adapter NAME` and `moongate test FILE…`. Main thread. */
#ifndef MOONGATE_MAIN_KIT_H
#define MOONGATE_MAIN_KIT_H

#include <stdbool.h>

/* Writes adapters/NAME.lua and adapters/NAME_spec.lua below the working directory. dialect_name: NULL for openai.chat.
 * Never overwrites. False, told on stderr, when it cannot. */
bool kit_new_adapter(const char *name, const char *dialect_name);

/* Tests adapter files and ends with a line "N passed, N failed" on stdout. False when something failed. */
bool kit_test_files(const char *script_root, const char *const *paths, int count);

#endif
