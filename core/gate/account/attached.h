/* attached: what of a prompt is a picture, a document or a recording in base64, and not text: found without reading all
 * of it, since it is most of a body that holds one. Pure; any thread. It does not decode anything. */
#ifndef MOONGATE_GATE_ATTACHED_H
#define MOONGATE_GATE_ATTACHED_H

#include <stdint.h>

#include "base/bytes.h"

struct attached {
  uint64_t bytes;  /* of base64, as it stands */
  uint64_t tokens; /* that it is for a model, about */
};

/* json: the messages of a request, valid. Runs of base64 shorter than 2 KiB pass for text. */
struct attached attached_measure(struct slice json);

#endif
