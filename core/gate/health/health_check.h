/* health_check: active checks, only where the config has `health.active`: a GET behind the provider's base_url every so
 * often, with one of its keys. When some in a row fail, the provider's targets are left out until one passes. They cost
 * no tokens; whether they tell more than live requests do is the operator's judgement. The first worker's thread.
 *
 *   RESTING ── every so often ──▶ ASKING ── answer below 500: passed; else, or no answer in time: failed ──▶ RESTING
 *
 * A check says nothing of a single model or key: an answer of 401 or 404 passes. */
#ifndef MOONGATE_GATE_HEALTH_CHECK_H
#define MOONGATE_GATE_HEALTH_CHECK_H

struct gate;
struct tenure;
struct health_checks;

/* Begins to check the providers of t's config; those that are not checked (any more) are not down. NULL: none is. */
struct health_checks *health_checks_start(struct gate *g, struct tenure *t);
void health_checks_stop(struct health_checks *all); /* before the tenure's pools go; NULL is fine */

#endif
