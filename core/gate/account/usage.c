/* usage: the names that providers give to service tiers. Any thread. */
#include "gate/account/usage.h"

enum service_tier service_tier_named(struct slice word) {
  static const struct {
    struct slice ending;
    enum service_tier tier;
  } names[] = {
      {SLICE_INIT("flex"), TIER_FLEX}, {SLICE_INIT("priority"), TIER_PRIORITY}, {SLICE_INIT("batch"), TIER_BATCH}};
  for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
    size_t len = names[i].ending.len;
    if (word.len >= len && slice_eq_nocase(slice_from(word, word.len - len), names[i].ending)) return names[i].tier;
  }
  return TIER_STANDARD;
}
