/* suggest: slips are recognised, other words are not. */
#include "base/suggest.h"

#include "check.h"

static const char *const keys[] = {"listen", "admin", "providers", "routes", "teams", "cache", "redis", "ttl"};

static const char *nearest(const char *word) {
  const char *found = suggest_nearest(word, keys, sizeof keys / sizeof *keys);
  return found ? found : "";
}

TEST(slips) {
  CHECK_SLICE(slice_text(nearest("lisen")), "listen");
  CHECK_SLICE(slice_text(nearest("litsen")), "listen");
  CHECK_SLICE(slice_text(nearest("listenn")), "listen");
  CHECK_SLICE(slice_text(nearest("provider")), "providers");
  CHECK_SLICE(slice_text(nearest("porviders")), "providers");
  CHECK_SLICE(slice_text(nearest("route")), "routes");
  CHECK_SLICE(slice_text(nearest("tll")), "ttl");
  CHECK_SLICE(slice_text(nearest("cache")), "cache");
}

TEST(other_words) {
  CHECK_SLICE(slice_text(nearest("")), "");
  CHECK_SLICE(slice_text(nearest("x")), "");
  CHECK_SLICE(slice_text(nearest("timeout")), "");
  CHECK_SLICE(slice_text(nearest("providers_of_everything")), "");
  CHECK_SLICE(slice_text(nearest("a_word_of_more_than_forty_eight_letters_which_nobody_types")), "");
  CHECK(suggest_nearest("listen", NULL, 0) == NULL);
}

TEST(a_swap_costs_one) {
  static const char *const two[] = {"abxc", "acb"};
  CHECK_SLICE(slice_text(suggest_nearest("abc", two, 1)), "abxc");
  CHECK_SLICE(slice_text(suggest_nearest("abc", two + 1, 1)), "acb");
}

UNIT_MAIN()
