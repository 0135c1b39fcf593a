/* retry_budget: see the header. Any thread. */
#include "gate/attempt/retry_budget.h"

#include "gate/account/tally.h"

#define SLOT_NS UINT64_C(1000000000)

void retry_budget_request(struct retry_budget *b, uint64_t now_ns) {
  tally_add(b->requests, RETRY_BUDGET_SLOTS, SLOT_NS, now_ns);
}

void retry_budget_repeat(struct retry_budget *b, uint64_t now_ns) {
  tally_add(b->repeats, RETRY_BUDGET_SLOTS, SLOT_NS, now_ns);
}

bool retry_budget_allows(const struct retry_budget *b, const struct retry_budget_rules *rules, uint64_t now_ns) {
  uint64_t requests = tally_sum(b->requests, RETRY_BUDGET_SLOTS, SLOT_NS, RETRY_BUDGET_SECONDS, now_ns);
  uint64_t repeats = tally_sum(b->repeats, RETRY_BUDGET_SLOTS, SLOT_NS, RETRY_BUDGET_SECONDS, now_ns);
  uint64_t allowed = requests * rules->share_ppm + UINT64_C(1000000) * rules->per_s * RETRY_BUDGET_SECONDS;
  return (repeats + 1) * 1000000 <= allowed;
}
