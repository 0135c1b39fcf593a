/* failure: why an attempt failed, and what may be tried after it. Pure; any thread. Sources: each provider's error
 * documentation; criteria for what is retried: only what did not reach content, never the caller's own mistakes. */
#ifndef MOONGATE_GATE_FAILURE_H
#define MOONGATE_GATE_FAILURE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

enum failure_class {
#define FAILURE(id, name, next_target, counts_against_health, doc) FAILURE_##id,
#include "gate/attempt/failure_table.h"
#undef FAILURE
  FAILURE_COUNT
};

struct failure_row {
  const char *name;           /* "rate_limited"; in traces, metrics, and as attempt.class in scripts */
  bool next_target;           /* builtin goes on to the plan's next target */
  bool counts_against_health; /* the target's error rate takes it into account */
  const char *doc;
};
const struct failure_row *failure_row(enum failure_class c);
/* FAILURE_NONE when there is none of that name. */
enum failure_class failure_named(struct slice name);

/* What an adapter knows better than the defaults: its `errors` table. Each part that is set must fit. */
struct failure_rule {
  uint16_t status; /* 0: any */
  char *name;      /* the provider's type or code, whichever says more; NULL: any */
  char *match;     /* part of the message; NULL: any */
  enum failure_class class;
};

/* The class of an HTTP error answer: the first rule that fits, then status, then the provider's error type or code and
 * message where the status alone does not tell. */
enum failure_class failure_classify(unsigned status, const char *error_type, const char *error_text,
                                    const struct failure_rule *rules, uint32_t rule_count);

/* The same for an error within a 200 answer or stream: otherwise is what tells nothing in particular. */
enum failure_class failure_classify_inner(const char *error_type, const char *error_text,
                                          const struct failure_rule *rules, uint32_t rule_count,
                                          enum failure_class otherwise);

#endif
