/* err: texts, places before them, and bounds. */
#include "base/err.h"

#include "check.h"

TEST(setting) {
  struct err e;
  CHECK(!err_set(&e, "%s:%d: no such key", "a.lua", 3));
  CHECK_SLICE(slice_text(e.text), "a.lua:3: no such key");
  CHECK(!err_before(&e, "in %s: ", "routes"));
  CHECK_SLICE(slice_text(e.text), "in routes: a.lua:3: no such key");
  CHECK(!err_set(NULL, "nobody asks") && !err_before(NULL, "nobody asks"));
}

TEST(long_texts_are_cut) {
  struct err e;
  char text[3000];
  memset(text, 'x', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  err_set(&e, "%s", text);
  CHECK_INT(strlen(e.text), sizeof e.text - 1);
  err_before(&e, "place: ");
  CHECK_INT(strlen(e.text), sizeof e.text - 1);
  CHECK(slice_starts(slice_text(e.text), SLICE("place: xxx")));
  err_before(&e, "%s", text);
  CHECK_INT(strlen(e.text), sizeof e.text - 1);
}

UNIT_MAIN()
