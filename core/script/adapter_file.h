/* adapter_file: what adapters/NAME.lua says as data, for building a config. Builds and closes a VM; not on a worker
 * that serves. */
#ifndef MOONGATE_SCRIPT_ADAPTER_FILE_H
#define MOONGATE_SCRIPT_ADAPTER_FILE_H

#include "base/err.h"
#include "gate/config.h"
#include "io/sources.h"

/* name: "openai-compatible", or a path ending in ".lua". NULL on failure (unknown name: e has a did-you-mean). The
 * caller owns it (config->adapters). */
struct adapter *adapter_file_read(const char *script_root, const char *name, struct sources *sources, struct err *e);
/* Whether the environment variable that turns this provider on is set; told from the file's text, on a line of its own
 * (`environment = "NAME",`), without running it: a start without a config looks at all of them. */
bool adapter_file_is_on(const char *script_root, const char *name, struct sources *sources);
/* Names of all adapter files, sorted, NULL-terminated; free each and the list with mem_free. */
char **adapter_file_names(const char *script_root);

#endif
