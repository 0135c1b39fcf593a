/* kept: what is found under whose name, how long, in how many bytes; and all of it from many threads. */
#include "gate/keeping/kept.h"

#include <pthread.h>
#include <stdio.h>

#include "base/memory.h"
#include "check.h"

enum { MINUTE = 60, ROOM = 1 << 20 };

static const struct kept_tenant me = {{1}}, other = {{2}};
static const struct kept_texts unframed = {NULL, 0};

static struct kept *store_of(uint64_t bytes) {
  struct kept *k = kept_new();
  kept_limit(k, bytes, MINUTE);
  return k;
}

static struct kept_text text_of(const char *id, const char *text) {
  return (struct kept_text){slice_text(id), slice_text(text)};
}

/* An answer with that id: what `list` holds, an input without id and an output with one. */
static bool put(struct kept *k, const struct kept_tenant *who, const char *id, const char *input, const char *output_id,
                const char *output, uint64_t now) {
  struct kept_list list = {0};
  struct kept_text in = text_of("", input), out = text_of(output_id, output);
  kept_hold(k, who, &in, 1, &list);
  bool is_kept = kept_put(k, who, slice_text(id), &list, (struct kept_texts){&out, 1}, unframed, now);
  CHECK(list.items == NULL && list.count == 0);
  return is_kept;
}

/* The texts of a list in one line, which is released. */
static const char *line_of(struct kept *k, struct kept_list *list) {
  static char line[512];
  size_t len = 0;
  line[0] = '\0';
  for (uint32_t i = 0; i < list->count; i++) {
    struct slice text = kept_item_text(list->items[i]);
    len += (size_t)snprintf(line + len, sizeof line - len, "%s%.*s", i > 0 ? " " : "", (int)text.len, text.ptr);
  }
  kept_release(k, list);
  return line;
}

/* "-": there is none. */
static const char *get(struct kept *k, const struct kept_tenant *who, const char *id, uint64_t now) {
  struct kept_list list = {0};
  return kept_get(k, who, slice_text(id), now, &list) ? line_of(k, &list) : "-";
}

static const char *get_item(struct kept *k, const struct kept_tenant *who, const char *id, uint64_t now) {
  struct kept_list list = {0};
  return kept_get_item(k, who, slice_text(id), now, &list) ? line_of(k, &list) : "-";
}

static struct kept_figures figures_of(struct kept *k) {
  struct kept_figures f;
  kept_read_figures(k, &f);
  return f;
}

#define CHECK_TEXT(value, expected) CHECK_SLICE(slice_text(value), expected)

TEST(an_answer_is_found_by_its_id_and_its_items_by_theirs) {
  struct kept *k = store_of(ROOM);
  CHECK(put(k, &me, "r1", "hello", "m1", "good day", 1));
  CHECK_TEXT(get(k, &me, "r1", 2), "hello good day");
  CHECK_TEXT(get_item(k, &me, "m1", 2), "good day");
  CHECK_TEXT(get(k, &me, "m1", 2), "-");
  CHECK_TEXT(get_item(k, &me, "r1", 2), "-");
  CHECK_TEXT(get(k, &me, "r", 2), "-");
  CHECK_TEXT(get_item(k, &me, "", 2), "-");
  kept_free(k);
}

TEST(nobody_finds_what_is_another_tenants) {
  struct kept *k = store_of(ROOM);
  CHECK(put(k, &me, "r1", "hello", "m1", "mine", 1));
  CHECK_TEXT(get(k, &other, "r1", 2), "-");
  CHECK_TEXT(get_item(k, &other, "m1", 2), "-");
  CHECK(!kept_forget(k, &other, SLICE("r1"), 2));
  /* The same words under the same ids are two tenants' own. */
  CHECK(put(k, &other, "r1", "hello", "m1", "mine", 2));
  CHECK_INT(figures_of(k).items, 4);
  CHECK(kept_forget(k, &me, SLICE("r1"), 2));
  CHECK_TEXT(get(k, &other, "r1", 2), "hello mine");
  CHECK_TEXT(get_item(k, &other, "m1", 2), "mine");
  CHECK_TEXT(get_item(k, &me, "m1", 2), "-");
  kept_free(k);
}

TEST(equal_texts_are_one_and_a_conversation_costs_its_length) {
  struct kept *k = store_of(ROOM);
  struct kept_list list = {0};
  CHECK(put(k, &me, "r1", "hello", "m1", "good day", 1));
  uint64_t first = figures_of(k).bytes;
  CHECK(kept_get(k, &me, SLICE("r1"), 2, &list));
  struct kept_text in = text_of("", "and?"), out = text_of("m2", "good night");
  kept_hold(k, &me, &in, 1, &list);
  CHECK(kept_put(k, &me, SLICE("r2"), &list, (struct kept_texts){&out, 1}, unframed, 2));
  CHECK_INT(figures_of(k).items, 4);
  CHECK(figures_of(k).bytes < 2 * first + 2 * sizeof(void *) + sizeof "and?" + sizeof "good night");
  CHECK_TEXT(get(k, &me, "r2", 3), "hello good day and? good night");
  /* Sent again as it is, the item that has an id is found, too. */
  in = text_of("", "good day");
  kept_hold(k, &me, &in, 1, &list);
  CHECK(kept_put(k, &me, SLICE("r3"), &list, unframed, unframed, 3));
  CHECK_INT(figures_of(k).items, 4);
  CHECK(kept_forget(k, &me, SLICE("r1"), 4));
  CHECK(kept_forget(k, &me, SLICE("r2"), 4));
  CHECK_TEXT(get_item(k, &me, "m1", 4), "good day");
  CHECK_TEXT(get_item(k, &me, "m2", 4), "-");
  CHECK_INT(figures_of(k).items, 1);
  CHECK(kept_forget(k, &me, SLICE("r3"), 4));
  CHECK_INT(figures_of(k).bytes + figures_of(k).items + figures_of(k).answers, 0);
  kept_free(k);
}

TEST(what_was_sent_first_gets_its_id_when_it_is_answered) {
  struct kept *k = store_of(ROOM);
  CHECK(put(k, &me, "r1", "same", "m1", "other", 1));
  CHECK(put(k, &me, "r2", "x", "m2", "same", 1));
  CHECK_INT(figures_of(k).items, 3);
  CHECK_TEXT(get_item(k, &me, "m2", 2), "same");
  kept_free(k);
}

TEST(an_answer_of_the_same_id_gives_way) {
  struct kept *k = store_of(ROOM);
  CHECK(put(k, &me, "r1", "a", "m1", "one", 1));
  CHECK(put(k, &me, "r1", "a", "m2", "two", 2));
  CHECK_TEXT(get(k, &me, "r1", 3), "a two");
  CHECK_TEXT(get_item(k, &me, "m1", 3), "-");
  CHECK_INT(figures_of(k).answers, 1);
  CHECK_INT(figures_of(k).items, 2);
  kept_free(k);
}

TEST(what_was_not_used_for_longest_makes_room) {
  struct kept *k = store_of(ROOM);
  CHECK(put(k, &me, "r1", "a1", "m1", "b1", 1));
  uint64_t one = figures_of(k).bytes;
  kept_limit(k, 3 * one, MINUTE);
  CHECK(put(k, &me, "r2", "a2", "m2", "b2", 2));
  CHECK(put(k, &me, "r3", "a3", "m3", "b3", 3));
  CHECK_INT(figures_of(k).bytes, 3 * one);
  CHECK_INT(figures_of(k).evicted, 0);
  CHECK_TEXT(get(k, &me, "r1", 4), "a1 b1");
  CHECK_TEXT(get_item(k, &me, "m2", 5), "b2");
  CHECK(put(k, &me, "r4", "a4", "m4", "b4", 6));
  CHECK_TEXT(get(k, &me, "r3", 7), "-");
  CHECK_TEXT(get_item(k, &me, "m3", 7), "-");
  CHECK(put(k, &me, "r5", "a5", "m5", "b5", 8));
  CHECK_TEXT(get(k, &me, "r1", 9), "-");
  CHECK_TEXT(get(k, &me, "r2", 9), "a2 b2");
  CHECK_INT(figures_of(k).bytes, 3 * one);
  CHECK_INT(figures_of(k).evicted, 2);
  /* Larger than all: it is not kept, and drives nobody out. */
  char *large = mem_zero(3 * one);
  memset(large, 'x', 3 * one - 1);
  CHECK(!put(k, &me, "r6", large, "m6", "b6", 10));
  CHECK_TEXT(get(k, &me, "r6", 10), "-");
  CHECK_INT(figures_of(k).answers, 3);
  mem_free(large);
  kept_limit(k, 2 * one, MINUTE);
  CHECK_INT(figures_of(k).answers, 2);
  CHECK_TEXT(get(k, &me, "r2", 11), "a2 b2");
  kept_limit(k, 0, MINUTE);
  CHECK_INT(figures_of(k).bytes + figures_of(k).items + figures_of(k).answers, 0);
  CHECK(!put(k, &me, "r7", "a", "m7", "b", 12));
  kept_free(k);
}

TEST(it_is_over_a_time_after_its_last_use) {
  struct kept *k = store_of(ROOM);
  CHECK(put(k, &me, "r1", "a1", "m1", "b1", 1));
  CHECK(put(k, &me, "r2", "a2", "m2", "b2", 1));
  CHECK_TEXT(get(k, &me, "r1", MINUTE), "a1 b1");
  CHECK_TEXT(get_item(k, &me, "m2", 1 + MINUTE), "-");
  CHECK_TEXT(get(k, &me, "r2", 1 + MINUTE), "-");
  CHECK_INT(figures_of(k).answers, 1);
  CHECK_TEXT(get_item(k, &me, "m1", 2 * MINUTE - 1), "b1");
  CHECK(kept_expire(k, 3 * MINUTE - 2));
  CHECK(!kept_expire(k, 3 * MINUTE - 1));
  CHECK_INT(figures_of(k).bytes + figures_of(k).items + figures_of(k).answers, 0);
  CHECK_INT(figures_of(k).evicted, 0);
  char id[8];
  for (int i = 0; i < 1000; i++) {
    snprintf(id, sizeof id, "r%d", i);
    CHECK(put(k, &me, id, "a", "m", "b", 5));
  }
  CHECK(!kept_expire(k, 6 * MINUTE));
  CHECK_INT(figures_of(k).answers, 0);
  kept_free(k);
}

TEST(a_shared_item_lives_as_long_as_the_last_answer_that_lists_it) {
  struct kept *k = store_of(ROOM);
  CHECK(put(k, &me, "old", "a", "m1", "shared", 1));
  CHECK(put(k, &me, "new", "shared", "m2", "b", 2));
  CHECK_TEXT(get(k, &me, "old", 10), "a shared");
  /* "new" is over, "old" was used since. */
  CHECK_TEXT(get_item(k, &me, "m1", 3 + MINUTE), "shared");
  CHECK(kept_forget(k, &me, SLICE("old"), 4 + MINUTE));
  CHECK_TEXT(get_item(k, &me, "m1", 4 + MINUTE), "-");
  kept_free(k);
  k = store_of(ROOM);
  CHECK(put(k, &me, "old", "a", "m1", "shared", 1));
  CHECK(put(k, &me, "new", "shared", "m2", "b", 2));
  CHECK(kept_forget(k, &me, SLICE("new"), 3));
  CHECK_TEXT(get_item(k, &me, "m1", 4), "shared");
  kept_free(k);
}

TEST(what_is_held_stays_readable_and_counts_until_it_is_released) {
  struct kept *k = store_of(ROOM);
  struct kept_list list = {0};
  CHECK(put(k, &me, "r1", "a", "m1", "b", 1));
  CHECK(kept_get(k, &me, SLICE("r1"), 2, &list));
  CHECK(kept_forget(k, &me, SLICE("r1"), 2));
  CHECK_INT(figures_of(k).answers, 0);
  CHECK_INT(figures_of(k).items, 2);
  CHECK_TEXT(get_item(k, &me, "m1", 2), "-");
  CHECK_SLICE(kept_item_text(list.items[1]), "b");
  kept_release(k, &list);
  CHECK_INT(figures_of(k).bytes + figures_of(k).items, 0);
  /* A copy that is part of no answer is the holder's own. */
  struct kept_text twice[] = {text_of("", "x"), text_of("", "x")};
  kept_hold(k, &me, twice, 2, &list);
  CHECK_INT(figures_of(k).items, 0);
  kept_release(k, &list);
  kept_hold(k, &me, twice, 2, &list);
  CHECK(kept_put(k, &me, SLICE("r2"), &list, unframed, unframed, 3));
  CHECK_INT(figures_of(k).items, 1);
  CHECK_TEXT(get(k, &me, "r2", 3), "x x");
  kept_free(k);
}

static const char *get_framed(struct kept *k, const struct kept_tenant *who, const char *id, uint64_t now) {
  struct kept_list list = {0}, own = {0};
  if (!kept_get_framed(k, who, slice_text(id), now, &list, &own)) return "-";
  CHECK_INT(own.count, 1);
  CHECK_SLICE(kept_item_text(own.items[0]), "good day");
  kept_release(k, &own);
  return line_of(k, &list);
}

TEST(a_frame_is_had_with_what_is_the_answers_own_and_is_shared_too) {
  struct kept *k = store_of(ROOM);
  struct kept_text in = text_of("", "hello"), out = text_of("m1", "good day");
  struct kept_text frames[2][2] = {{text_of("", "id 1"), text_of("", "the tools of all")},
                                   {text_of("", "id 2"), text_of("", "the tools of all")}};
  for (unsigned i = 0; i < 2; i++) {
    struct kept_list list = {0};
    kept_hold(k, &me, &in, 1, &list);
    CHECK(kept_put(k, &me, slice_text(i == 0 ? "r1" : "r2"), &list, (struct kept_texts){&out, 1},
                   (struct kept_texts){frames[i], 2}, 1));
  }
  CHECK(put(k, &me, "r3", "hello", "m3", "good night", 1));
  CHECK_INT(figures_of(k).items, 6);
  CHECK_TEXT(get_framed(k, &me, "r1", 2), "id 1 the tools of all");
  CHECK_TEXT(get_framed(k, &me, "r2", 2), "id 2 the tools of all");
  CHECK_TEXT(get_framed(k, &me, "r3", 2), "-");
  CHECK_TEXT(get_framed(k, &other, "r1", 2), "-");
  CHECK_TEXT(get(k, &me, "r1", 2), "hello good day");
  /* To be had is to be used. */
  CHECK_TEXT(get_framed(k, &me, "r1", MINUTE), "id 1 the tools of all");
  CHECK_TEXT(get_framed(k, &me, "r2", MINUTE + 2), "-");
  CHECK_TEXT(get_framed(k, &me, "r1", MINUTE + 2), "id 1 the tools of all");
  CHECK(kept_forget(k, &me, SLICE("r1"), MINUTE + 2));
  kept_expire(k, 3 * MINUTE);
  CHECK_INT(figures_of(k).bytes + figures_of(k).items + figures_of(k).answers, 0);
  kept_free(k);
}

/* ---- threads ------------------------------------------------------------------------------------------------ */

enum { THREADS = 4, ROUNDS = 400, ANSWERS = 16 };

struct worker {
  pthread_t thread;
  struct kept *k;
  struct kept_tenant who;
  unsigned number, found, wrong;
};

/* What an answer of that name holds, in any round. */
static bool is_whole(const struct kept_list *list, const char *id) {
  if (list->count != 2) return false;
  struct slice input = kept_item_text(list->items[0]), output = kept_item_text(list->items[1]);
  return slice_eq(input, SLICE("a text that all have in common")) && slice_eq(output, slice_text(id));
}

static void *work(void *owner) {
  struct worker *w = owner;
  for (unsigned i = 0; i < ROUNDS; i++) {
    char id[16], theirs[16];
    struct kept_list list = {0};
    snprintf(id, sizeof id, "r%u", (i * 7 + w->number) % ANSWERS);
    snprintf(theirs, sizeof theirs, "r%u", i % ANSWERS);
    struct kept_text in = text_of("", "a text that all have in common"), out = text_of(id, id);
    kept_hold(w->k, &w->who, &in, 1, &list);
    kept_put(w->k, &w->who, slice_text(id), &list, (struct kept_texts){&out, 1}, unframed, i);
    if (kept_get(w->k, &w->who, slice_text(theirs), i, &list)) {
      w->found++;
      if (!is_whole(&list, theirs)) w->wrong++;
    }
    kept_release(w->k, &list);
    if (kept_get_item(w->k, &w->who, slice_text(theirs), i, &list) &&
        !slice_eq(kept_item_text(list.items[0]), slice_text(theirs)))
      w->wrong++;
    kept_release(w->k, &list);
    if (i % 16 == 0) kept_forget(w->k, &w->who, slice_text(id), i);
    if (i % 64 == 0) kept_expire(w->k, i);
  }
  return NULL;
}

TEST(many_threads_share_it) {
  struct kept *k = store_of(12 << 10);
  struct worker workers[THREADS] = {0};
  unsigned found = 0;
  for (unsigned i = 0; i < THREADS; i++) {
    workers[i].k = k;
    workers[i].who = i % 2 == 0 ? me : other;
    workers[i].number = i;
    pthread_create(&workers[i].thread, NULL, work, &workers[i]);
  }
  for (unsigned i = 0; i < THREADS; i++) {
    pthread_join(workers[i].thread, NULL);
    CHECK_INT(workers[i].wrong, 0);
    found += workers[i].found;
  }
  CHECK(found > 0);
  CHECK(figures_of(k).bytes <= 12 << 10);
  kept_limit(k, 0, MINUTE);
  CHECK_INT(figures_of(k).bytes + figures_of(k).items + figures_of(k).answers, 0);
  kept_free(k);
}

UNIT_MAIN()
