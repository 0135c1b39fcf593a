/* reference_providers: the chapter on providers, from the files in adapters/ and adapters/models/. Main thread. */
#ifndef MOONGATE_MAIN_REFERENCE_PROVIDERS_H
#define MOONGATE_MAIN_REFERENCE_PROVIDERS_H

#include "base/bytes.h"
#include "base/err.h"

bool reference_providers(const char *script_root, struct buf *out, struct err *e);

#endif
