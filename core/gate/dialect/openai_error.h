/* openai_error: a fault in the words of OpenAI's API, which its two dialects have alike. Pure; any thread. */
#ifndef MOONGATE_GATE_OPENAI_ERROR_H
#define MOONGATE_GATE_OPENAI_ERROR_H

#include "base/bytes.h"
#include "gate/fault.h"

/* {"error":{…}}, as struct dialect's put_fault; the request's id is in the x-request-id header alone. */
void openai_error_put(struct buf *out, const struct fault *f, struct slice request_id);
/* The object in it: message, type, param and code. */
void openai_error_put_object(struct buf *out, const struct fault *f);

#endif
