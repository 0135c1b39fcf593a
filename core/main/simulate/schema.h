/* simulate_schema: the smallest JSON value that a JSON Schema accepts, for arguments of simulated tool calls and for
 * structured answers. Pure; any thread. It knows type, required, properties, enum, const, default, items, minItems,
 * minimum, minLength, anyOf, oneOf, allOf and local $ref; it does NOT solve pattern, format or not. */
#ifndef MOONGATE_MAIN_SIMULATE_SCHEMA_H
#define MOONGATE_MAIN_SIMULATE_SCHEMA_H

#include "base/bytes.h"

/* Appends the value as JSON. schema: raw text, validated before. Anything that is no schema object gives "{}". */
void sim_schema_put(struct buf *out, struct slice schema);

#endif
