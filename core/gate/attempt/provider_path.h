/* provider_path: the path and query of a provider's endpoint, from a template of its dialect or its adapter in which
 * {model} stands for the model's name. Pure; any thread. */
#ifndef MOONGATE_GATE_PROVIDER_PATH_H
#define MOONGATE_GATE_PROVIDER_PATH_H

#include "base/bytes.h"

/* Whether the name can be a path's segment: no "." or ".." between its slashes, none of ? # % \, no blank. */
bool provider_path_takes(struct slice model);
/* Appends the template with the model's name in it, percent-encoded ('/' too), and, when `query` is not empty, with it
 * as (one more) query parameter. false: the name cannot stand in a path, and the template has {model}. */
bool provider_path_put(struct buf *out, struct slice template, struct slice model, struct slice query);

#endif
