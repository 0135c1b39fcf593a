/* pattern: Lua's text patterns with a bound on the work of a match. Pure: bytes in, positions out; any thread.
 *
 * Semantics of Lua 5.4 in the C locale. A pattern is compiled to a list of items, then matched by backtracking; each
 * step costs one of a budget, because no watchdog can interrupt a match, and `.-.-.-b` on 2,000 bytes takes 10^13
 * steps. One difference: a malformed pattern is always an error, not only when matching comes to the malformed part. */
#ifndef MOONGATE_SCRIPT_PATTERN_H
#define MOONGATE_SCRIPT_PATTERN_H

#include <lua.h>
#include <signal.h>

#include "base/bytes.h"

enum {
  PATTERN_ITEMS_MAX = 256,
  PATTERN_SETS_MAX = 32,
  PATTERN_CAPTURES_MAX = 32,
  PATTERN_STEPS = 2000000,   /* of one call; about 10 ms */
  PATTERN_STEPS_PER_BYTE = 8 /* of the subject, on top */
};

enum pattern_kind {
  PATTERN_DONE,     /* the end of the list */
  PATTERN_TEXT,     /* len bytes of the pattern from `from` on */
  PATTERN_BYTE,     /* one byte */
  PATTERN_ANY,      /* . */
  PATTERN_SET,      /* %a, [a-z] */
  PATTERN_OPEN,     /* ( */
  PATTERN_POSITION, /* () */
  PATTERN_CLOSE,    /* ) */
  PATTERN_BALANCE,  /* %bxy */
  PATTERN_FRONTIER, /* %f[set] */
  PATTERN_BACK,     /* %1 */
  PATTERN_END       /* $ at the end */
};

struct pattern_item {
  uint8_t kind;
  char repeat;          /* 0, or one of * + - ? (BYTE, ANY, SET) */
  unsigned char first;  /* BYTE; BALANCE: x */
  unsigned char second; /* BALANCE: y */
  uint8_t number;       /* of a set (SET, FRONTIER) or a capture */
  uint32_t from, len;   /* TEXT */
};

struct pattern_set {
  uint64_t bits[4];
};

struct pattern {
  const char *text; /* the pattern itself, borrowed */
  uint16_t item_count;
  uint8_t set_count, capture_count;
  bool is_anchored; /* began with ^ */
  struct pattern_set sets[PATTERN_SETS_MAX];
  struct pattern_item items[PATTERN_ITEMS_MAX]; /* last: a copy may be cut behind item_count */
};

struct pattern_capture {
  const char *start;
  ptrdiff_t len; /* PATTERN_IS_POSITION for () */
};

enum { PATTERN_IS_POSITION = -1 };

struct pattern_match {
  const char *subject, *end;
  uint64_t steps_left;               /* 0: given up, the result means nothing */
  const volatile sig_atomic_t *stop; /* gives up when it becomes true */
  struct pattern_capture captures[PATTERN_CAPTURES_MAX];
};

/* Compiles; returns NULL, or what is wrong with the pattern. anchors: a ^ in front anchors (else it is a plain byte).
 */
const char *pattern_compile(struct pattern *p, struct slice text, bool anchors);

void pattern_match_init(struct pattern_match *m, struct slice subject, const volatile sig_atomic_t *stop);

/* Matches at `at` exactly; returns the end of the match or NULL. */
const char *pattern_match_at(const struct pattern *p, struct pattern_match *m, const char *at);
/* The first match from `at` on: sets *start and returns its end, or NULL. */
const char *pattern_search(const struct pattern *p, struct pattern_match *m, const char *at, const char **start);

/* Adds find, match, gmatch, gsub to the table at the top. Throws. */
void pattern_open(lua_State *L);

#endif
