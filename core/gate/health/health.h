/* health: which targets and keys are left out for a time, because of what attempts told: passive outlier ejection. A
 * target is ejected after failures in a row, or when too large a share of its recent attempts failed; a key is benched
 * when the provider refuses it or its account has no money left. Both come back by one live request at a time
 * (gate/breaker). State is the process's, so workers share it and reloads keep it; choosing and learning take no lock.
 *
 * It never sends anything itself (gate/health_check does, where the config asks for it), and it never leaves a request
 * without a target: who is left out is tried last. */
#ifndef MOONGATE_GATE_HEALTH_H
#define MOONGATE_GATE_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

struct attempt;
struct provider;
struct request;
struct target;
struct target_state;

/* A provider's rules. Zeroed: nobody is ever left out, nothing is checked. */
struct health_rules {
  uint32_t eject_after;     /* failures in a row; 0: this rule does not hold */
  uint32_t error_share_ppm; /* of the attempts within window_ms, if there were error_minimum; 0: does not hold */
  uint32_t error_minimum, window_ms;
  uint32_t eject_ms, eject_max_ms; /* the first time and at most; doubles in between. eject_ms 0: never */
  uint32_t key_ms, key_max_ms;     /* the same for keys */
  uint32_t check_every_ms;         /* active checks; 0: none */
  uint32_t check_timeout_ms, check_eject_after;
  char *check_path; /* behind base_url */
};

enum health_why { HEALTH_FINE, HEALTH_EJECTED, HEALTH_PROBED, HEALTH_KEYS_BENCHED, HEALTH_CHECKS_FAIL };
const char *health_why_name(enum health_why why); /* "ejected" */

/* Would it be tried now? *left_ms: until it may be, 0 where nobody can tell. */
enum health_why health_look(const struct target *t, uint64_t now_ns, uint32_t *left_ms);

/* ---- choosing */

/* What an attempt was let in with. */
struct health_claim {
  bool made;
  bool target_probe, key_probe; /* it is the one request that asks an ejected target, a benched key: no verdict yet */
  bool probed;                  /* it was that, whatever came of it; for the trace */
  uint32_t key_index;           /* of the provider's keys */
};

/* turn: of the provider's keys; moved on. false: the target is left out. */
bool health_claim(const struct target *t, uint32_t *turn, uint64_t now_ns, struct health_claim *out);
/* The target is tried whatever its state is, with the best of its keys. */
void health_force(const struct target *t, uint32_t *turn, uint64_t now_ns, struct health_claim *out);

/* A target of the plan that was passed over; a request's list, in its arena. */
struct health_skip {
  struct target *target;
  enum health_why why;
  uint32_t left_ms;
  struct health_skip *next;
};

/* Takes the next target of the plan; there must be one. Who is left out goes behind the others, or is dropped when its
 * keys are benched; it is taken after all when nobody else is left, or when more than config.panic_ppm of the route's
 * targets are left out. */
struct target *health_next(struct request *r, uint64_t now_ns, struct health_claim *out);
/* The attempt failed because of its key, and the provider has another one to try: its target is the plan's next. */
void health_rotate(struct request *r, const struct attempt *failed, uint64_t now_ns);

/* ---- learning */

enum health_verdict { HEALTH_NOTHING, HEALTH_GOOD, HEALTH_BAD };
/* What the end of an attempt says of its target; started_ns: the attempt's. */
void health_judge(struct target_state *s, const struct health_rules *rules, enum health_verdict verdict, bool probe,
                  uint64_t started_ns, uint64_t now_ns);
/* Its first content is there: a probe has succeeded, however long the rest takes. */
void health_content(struct attempt *a);
/* It has ended. Once an attempt. */
void health_record(struct attempt *a);

/* ---- the config's side */

/* Finds the states of a provider and its keys, once its name, base_url and keys are set; and lets them go. */
void health_attach(struct provider *p);
void health_detach(struct provider *p);

#endif
