/* models: GET /v1/models and /v1/models/{id}: the routes and targets that this key may use, in the client's shape. The
 * worker's thread. */
#ifndef MOONGATE_GATE_MODELS_H
#define MOONGATE_GATE_MODELS_H

#include "gate/request.h"

void models_reply(struct request *r);

#endif
