/* keys: does the time of a key's look-up tell how much of a guess is right? Two kinds of wrong keys, taken at random
 * one by one: a true key with its end replaced, and one with its beginning replaced. Welch's t of their times says
 * whether the two differ, over all samples and over those that nothing disturbed (the method is dudect's: Reparaz,
 * Balasch, Verbauwhede, "Dude, is my code constant time?", 2017). Below 4.5 nothing is to be seen; a comparison that
 * stops at the first difference is measured beside it, to show that it would be. `bench_keys [samples of each kind]`.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/must.h"
#include "base/random.h"
#include "gate/key.h"

enum { KEYS = 200, KEY_BYTES = 48, WRONG_BYTES = 8, BOUNDS = 5 };
enum kind { RIGHT_START, WRONG_START, KINDS };

static char keys[KEYS][KEY_BYTES];

struct sample {
  uint32_t ns;
  enum kind kind;
};

/* Mean and variance as they come (Welford). */
struct moments {
  double count, mean, squares;
};

static void moments_add(struct moments *m, double value) {
  double off = value - m->mean;
  m->count++;
  m->mean += off / m->count;
  m->squares += off * (value - m->mean);
}

static double welch_t(const struct moments m[KINDS]) {
  double spread = 0;
  for (int kind = 0; kind < KINDS; kind++) spread += m[kind].squares / (m[kind].count - 1) / m[kind].count;
  return spread > 0 ? (m[RIGHT_START].mean - m[WRONG_START].mean) / sqrt(spread) : 0;
}

static int by_time(const void *a, const void *b) {
  const struct sample *one = a, *other = b;
  return (one->ns > other->ns) - (one->ns < other->ns);
}

static void fill(char *at, size_t len) {
  static const char letters[] = "abcdefghijklmnopqrstuvwxyz012345"; /* 32: no bias */
  random_bytes(at, len);
  for (size_t i = 0; i < len; i++) at[i] = letters[at[i] & 31];
}

/* What is measured: looks a guess at key `index` up. */
typedef bool look_up(const struct key_table *t, unsigned index, struct slice guess);

static bool in_table(const struct key_table *t, unsigned index, struct slice guess) {
  (void)index;
  return key_table_find(t, guess) != NULL;
}

/* Stops at the first difference. A loop of its own: memcmp compares 32 bytes at once. */
__attribute__((noinline)) static bool byte_by_byte(const struct key_table *t, unsigned index, struct slice guess) {
  (void)t;
  for (size_t i = 0; i < guess.len; i++)
    if (((const volatile char *)keys[index])[i] != guess.ptr[i]) return false;
  return true;
}

static void measure(const char *name, look_up *found, const struct key_table *t, unsigned count) {
  static const double shares[BOUNDS] = {0.5, 0.75, 0.9, 0.99, 1};
  struct sample *samples = mem_alloc(count * sizeof *samples);
  unsigned hits = 0;
  for (unsigned i = 0; i < count; i++) {
    char guess[KEY_BYTES];
    uint32_t random;
    random_bytes(&random, sizeof random);
    unsigned index = (random >> 1) % KEYS;
    enum kind kind = random & 1 ? RIGHT_START : WRONG_START;
    memcpy(guess, keys[index], KEY_BYTES);
    fill(kind == RIGHT_START ? guess + KEY_BYTES - WRONG_BYTES : guess, WRONG_BYTES);
    uint64_t from_ns = clock_ns();
    hits += found(t, index, slice_of(guess, KEY_BYTES));
    samples[i] = (struct sample){(uint32_t)(clock_ns() - from_ns), kind};
  }
  must(hits == 0);
  qsort(samples, count, sizeof *samples, by_time);
  printf("%-28s", name);
  struct moments m[KINDS] = {{0}};
  for (unsigned i = 0, bound = 0; i < count; i++) {
    moments_add(&m[samples[i].kind], samples[i].ns);
    if (i + 1 < (unsigned)(shares[bound] * count)) continue;
    printf("  %6.2f", welch_t(m));
    bound++;
  }
  printf("   means %.1f and %.1f ns\n", m[RIGHT_START].mean, m[WRONG_START].mean);
  mem_free(samples);
}

int main(int argc, char **argv) {
  unsigned count = 2 * (argc > 1 ? (unsigned)atoi(argv[1]) : 1000000);
  struct key_table *t = key_table_new();
  for (unsigned i = 0; i < KEYS; i++) {
    const struct key *twin;
    fill(keys[i], KEY_BYTES);
    struct key key = {.name = mem_text(keys[i], 8)};
    must(key_table_add(t, key, slice_of(keys[i], KEY_BYTES), &twin));
  }
  printf("t of right start against wrong start, of the fastest 50, 75, 90, 99 and 100 %% of %u samples:\n", count);
  measure("key_table_find", in_table, t, count);
  measure("stops at first difference", byte_by_byte, t, count);
  key_table_free(t);
}
