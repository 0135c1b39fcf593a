/* pattern: compiler and matcher. Any thread; nothing is allocated.
 *
 * Patterns have no alternatives, so every item is passed on the way to a match, in order: captures need no undoing, and
 * recursion is only needed where an item may repeat; its depth is at most the number of such items. */
#include "script/stdlib/pattern.h"

#include <string.h>

/* ---- sets of bytes ---- */

static void set_add(struct pattern_set *set, unsigned char byte) {
  set->bits[byte >> 6] |= UINT64_C(1) << (byte & 63);
}

static bool set_has(const struct pattern_set *set, unsigned char byte) {
  return set->bits[byte >> 6] >> (byte & 63) & 1;
}

static void set_negate(struct pattern_set *set) {
  for (int i = 0; i < 4; i++) set->bits[i] = ~set->bits[i];
}

/* Adds the class of a letter (%a, or %A for all others); false when the letter names none. */
static bool set_add_class(struct pattern_set *set, unsigned char letter) {
  static const struct {
    char letter;
    uint64_t bits[2]; /* ASCII; no other byte belongs to a class */
  } classes[] = {
      {'a', {0x0000000000000000, 0x07fffffe07fffffe}}, {'c', {0x00000000ffffffff, 0x8000000000000000}},
      {'d', {0x03ff000000000000, 0x0000000000000000}}, {'g', {0xfffffffe00000000, 0x7fffffffffffffff}},
      {'l', {0x0000000000000000, 0x07fffffe00000000}}, {'p', {0xfc00fffe00000000, 0x78000001f8000001}},
      {'s', {0x0000000100003e00, 0x0000000000000000}}, {'u', {0x0000000000000000, 0x0000000007fffffe}},
      {'w', {0x03ff000000000000, 0x07fffffe07fffffe}}, {'x', {0x03ff000000000000, 0x0000007e0000007e}},
      {'z', {0x0000000000000001, 0x0000000000000000}},
  };
  bool negated = letter >= 'A' && letter <= 'Z';
  char lower = (char)(negated ? letter + 32 : letter);
  for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
    if (classes[i].letter != lower) continue;
    uint64_t bits[4] = {classes[i].bits[0], classes[i].bits[1], 0, 0};
    for (int word = 0; word < 4; word++) set->bits[word] |= negated ? ~bits[word] : bits[word];
    return true;
  }
  return false;
}

/* ---- compiler ---- */

struct compiler {
  struct pattern *p;
  struct slice text;
  size_t at;
  uint8_t open[PATTERN_CAPTURES_MAX]; /* captures not closed yet, innermost last */
  unsigned open_count;
  uint32_t closed; /* bit of each closed capture */
  const char *wrong;
};

static struct pattern_item *add_item(struct compiler *c, enum pattern_kind kind) {
  static struct pattern_item none;
  if (c->p->item_count == PATTERN_ITEMS_MAX - 1) {
    c->wrong = "pattern too complex";
    return &none;
  }
  struct pattern_item *item = &c->p->items[c->p->item_count++];
  *item = (struct pattern_item){.kind = (uint8_t)kind};
  return item;
}

/* Index of a fresh empty set. */
static uint8_t add_set(struct compiler *c) {
  if (c->p->set_count == PATTERN_SETS_MAX) {
    c->wrong = "pattern too complex";
    return 0;
  }
  c->p->sets[c->p->set_count] = (struct pattern_set){{0}};
  return c->p->set_count++;
}

static unsigned char byte_at(const struct compiler *c, size_t at) {
  return (unsigned char)c->text.ptr[at];
}

/* From behind the [ to behind the ]. */
static uint8_t compile_set(struct compiler *c) {
  uint8_t number = add_set(c);
  struct pattern_set *set = &c->p->sets[number];
  size_t len = c->text.len;
  bool negated = c->at < len && byte_at(c, c->at) == '^';
  if (negated) c->at++;
  for (bool first = true;; first = false) {
    if (c->at >= len) {
      c->wrong = "malformed pattern (missing ']')";
      return number;
    }
    unsigned char byte = byte_at(c, c->at++);
    if (byte == ']' && !first) break;
    if (byte == '%') {
      if (c->at >= len) {
        c->wrong = "malformed pattern (missing ']')";
        return number;
      }
      byte = byte_at(c, c->at++);
      if (!set_add_class(set, byte)) set_add(set, byte);
    } else if (c->at + 1 < len && byte_at(c, c->at) == '-' && byte_at(c, c->at + 1) != ']') {
      unsigned last = byte_at(c, c->at + 1);
      for (unsigned each = byte; each <= last; each++) set_add(set, (unsigned char)each);
      c->at += 2;
      /* A range that ends in % ends there, but the byte behind the % still cannot close the set. */
      if (last == '%' && c->at < len) set_add(set, byte_at(c, c->at++));
    } else {
      set_add(set, byte);
    }
  }
  if (negated) set_negate(set);
  return number;
}

static void compile_open(struct compiler *c) {
  if (c->p->capture_count == PATTERN_CAPTURES_MAX) {
    c->wrong = "too many captures";
    return;
  }
  uint8_t number = c->p->capture_count++;
  if (c->at < c->text.len && byte_at(c, c->at) == ')') {
    c->at++;
    c->closed |= 1u << number;
    add_item(c, PATTERN_POSITION)->number = number;
  } else {
    c->open[c->open_count++] = number;
    add_item(c, PATTERN_OPEN)->number = number;
  }
}

static void compile_close(struct compiler *c) {
  if (c->open_count == 0) {
    c->wrong = "invalid pattern capture";
    return;
  }
  uint8_t number = c->open[--c->open_count];
  c->closed |= 1u << number;
  add_item(c, PATTERN_CLOSE)->number = number;
}

static void compile_balance(struct compiler *c) {
  if (c->text.len - c->at < 2) {
    c->wrong = "malformed pattern (missing arguments to '%b')";
    return;
  }
  struct pattern_item *item = add_item(c, PATTERN_BALANCE);
  item->first = byte_at(c, c->at);
  item->second = byte_at(c, c->at + 1);
  c->at += 2;
}

static void compile_frontier(struct compiler *c) {
  if (c->at >= c->text.len || byte_at(c, c->at) != '[') {
    c->wrong = "missing '[' after '%f' in pattern";
    return;
  }
  c->at++;
  uint8_t number = compile_set(c);
  add_item(c, PATTERN_FRONTIER)->number = number;
}

static void compile_back(struct compiler *c, unsigned char digit) {
  unsigned number = (unsigned)digit - '1';
  if (digit == '0' || !(c->closed >> number & 1)) {
    c->wrong = "invalid capture index in pattern";
    return;
  }
  add_item(c, PATTERN_BACK)->number = (uint8_t)number;
}

static char take_repeat(struct compiler *c) {
  if (c->at >= c->text.len || memchr("*+-?", byte_at(c, c->at), 4) == NULL) return 0;
  return (char)byte_at(c, c->at++);
}

/* A single byte that stands for itself, and its repeat; runs of them become one item. */
static void compile_byte(struct compiler *c, unsigned char byte) {
  struct pattern *p = c->p;
  struct pattern_item *last = p->item_count > 0 ? &p->items[p->item_count - 1] : NULL;
  uint32_t from = (uint32_t)(c->at - 1);
  char repeat = take_repeat(c);
  if (repeat == 0 && last != NULL && last->kind == PATTERN_TEXT && last->from + last->len == from) {
    last->len++;
    return;
  }
  if (repeat == 0 && (unsigned char)c->text.ptr[from] == byte) {
    struct pattern_item *item = add_item(c, PATTERN_TEXT);
    item->from = from;
    item->len = 1;
    return;
  }
  struct pattern_item *item = add_item(c, PATTERN_BYTE);
  item->first = byte;
  item->repeat = repeat;
}

static void compile_escape(struct compiler *c) {
  if (c->at >= c->text.len) {
    c->wrong = "malformed pattern (ends with '%')";
    return;
  }
  unsigned char letter = byte_at(c, c->at++);
  struct pattern_set set = {{0}};
  if (letter == 'b') {
    compile_balance(c);
  } else if (letter == 'f') {
    compile_frontier(c);
  } else if (letter >= '0' && letter <= '9') {
    compile_back(c, letter);
  } else if (set_add_class(&set, letter)) {
    uint8_t number = add_set(c);
    c->p->sets[number] = set;
    struct pattern_item *item = add_item(c, PATTERN_SET);
    item->number = number;
    item->repeat = take_repeat(c);
  } else {
    compile_byte(c, letter);
  }
}

static void compile_next(struct compiler *c) {
  unsigned char byte = byte_at(c, c->at++);
  if (byte == '(') {
    compile_open(c);
  } else if (byte == ')') {
    compile_close(c);
  } else if (byte == '%') {
    compile_escape(c);
  } else if (byte == '$' && c->at == c->text.len) {
    add_item(c, PATTERN_END);
  } else if (byte == '[') {
    uint8_t number = compile_set(c);
    struct pattern_item *item = add_item(c, PATTERN_SET);
    item->number = number;
    item->repeat = take_repeat(c);
  } else if (byte == '.') {
    struct pattern_item *item = add_item(c, PATTERN_ANY);
    item->repeat = take_repeat(c);
  } else {
    compile_byte(c, byte);
  }
}

const char *pattern_compile(struct pattern *p, struct slice text, bool anchors) {
  struct compiler c = {.p = p, .text = text};
  p->text = text.ptr;
  p->item_count = 0;
  p->set_count = p->capture_count = 0;
  p->is_anchored = anchors && text.len > 0 && text.ptr[0] == '^';
  if (text.len > UINT32_MAX) return "pattern too complex";
  c.at = p->is_anchored;
  while (c.at < text.len && c.wrong == NULL) compile_next(&c);
  if (c.wrong == NULL && c.open_count > 0) c.wrong = "unfinished capture";
  p->items[p->item_count++] = (struct pattern_item){.kind = PATTERN_DONE};
  return c.wrong;
}

/* ---- matcher ---- */

/* False when the budget is used up. */
static bool spend(struct pattern_match *m, uint64_t steps) {
  if (m->steps_left <= steps || *m->stop) {
    m->steps_left = 0;
    return false;
  }
  m->steps_left -= steps;
  return true;
}

static bool one(const struct pattern *p, const struct pattern_item *item, unsigned char byte) {
  if (item->kind == PATTERN_SET) return set_has(&p->sets[item->number], byte);
  return item->kind == PATTERN_ANY || item->first == byte;
}

static bool fits(const struct pattern *p, const struct pattern_match *m, const struct pattern_item *item,
                 const char *at) {
  return at < m->end && one(p, item, (unsigned char)*at);
}

/* The end of the balanced text at `at`, or NULL. */
static const char *balanced(struct pattern_match *m, const struct pattern_item *item, const char *at) {
  if (at >= m->end || (unsigned char)*at != item->first) return NULL;
  size_t depth = 1;
  const char *from = at;
  while (++at < m->end) {
    unsigned char byte = (unsigned char)*at;
    if (byte == item->second) {
      if (--depth == 0) break;
    } else if (byte == item->first) {
      depth++;
    }
  }
  if (!spend(m, (uint64_t)(at - from) / 4 + 1)) return NULL;
  return at < m->end ? at + 1 : NULL;
}

static bool at_frontier(const struct pattern *p, const struct pattern_match *m, const struct pattern_item *item,
                        const char *at) {
  const struct pattern_set *set = &p->sets[item->number];
  unsigned char before = at == m->subject ? 0 : (unsigned char)at[-1];
  unsigned char here = at == m->end ? 0 : (unsigned char)*at;
  return !set_has(set, before) && set_has(set, here);
}

static const char *follow(const struct pattern *p, struct pattern_match *m, const char *at,
                          const struct pattern_item *item);

/* As many as fit, then fewer until the rest matches. */
static const char *most(const struct pattern *p, struct pattern_match *m, const char *at,
                        const struct pattern_item *item) {
  const char *least = at;
  while (fits(p, m, item, at)) at++;
  if (!spend(m, (uint64_t)(at - least) / 4 + 1)) return NULL;
  if (item->repeat == '+') least++;
  for (; at >= least; at--) {
    const char *end = follow(p, m, at, item + 1);
    if (end != NULL || m->steps_left == 0) return end;
  }
  return NULL;
}

/* As few as the rest needs to match. */
static const char *fewest(const struct pattern *p, struct pattern_match *m, const char *at,
                          const struct pattern_item *item) {
  for (;;) {
    const char *end = follow(p, m, at, item + 1);
    if (end != NULL || m->steps_left == 0) return end;
    if (!fits(p, m, item, at)) return NULL;
    at++;
  }
}

/* Matches the items from `item` on at `at`. */
static const char *follow(const struct pattern *p, struct pattern_match *m, const char *at,
                          const struct pattern_item *item) {
  for (;; item++) {
    if (!spend(m, 1)) return NULL;
    switch ((enum pattern_kind)item->kind) {
    case PATTERN_DONE: return at;
    case PATTERN_TEXT:
      if ((size_t)(m->end - at) < item->len || memcmp(at, p->text + item->from, item->len) != 0) return NULL;
      at += item->len;
      break;
    case PATTERN_OPEN:
    case PATTERN_POSITION:
      m->captures[item->number].start = at;
      m->captures[item->number].len = PATTERN_IS_POSITION;
      break;
    case PATTERN_CLOSE: m->captures[item->number].len = at - m->captures[item->number].start; break;
    case PATTERN_BALANCE:
      if ((at = balanced(m, item, at)) == NULL) return NULL;
      break;
    case PATTERN_FRONTIER:
      if (!at_frontier(p, m, item, at)) return NULL;
      break;
    case PATTERN_BACK: {
      const struct pattern_capture *same = &m->captures[item->number];
      if (same->len < 0 || m->end - at < same->len || memcmp(at, same->start, (size_t)same->len) != 0) return NULL;
      if (!spend(m, (uint64_t)same->len / 16 + 1)) return NULL;
      at += same->len;
      break;
    }
    case PATTERN_END:
      if (at != m->end) return NULL;
      break;
    case PATTERN_BYTE:
    case PATTERN_ANY:
    case PATTERN_SET:
      if (item->repeat == '*' || item->repeat == '+') return most(p, m, at, item);
      if (item->repeat == '-') return fewest(p, m, at, item);
      if (item->repeat == '?') {
        if (!fits(p, m, item, at)) break;
        const char *end = follow(p, m, at + 1, item + 1);
        if (end != NULL || m->steps_left == 0) return end;
        break;
      }
      if (!fits(p, m, item, at)) return NULL;
      at++;
      break;
    }
  }
}

void pattern_match_init(struct pattern_match *m, struct slice subject, const volatile sig_atomic_t *stop) {
  m->subject = subject.ptr;
  m->end = subject.ptr + subject.len;
  m->steps_left = PATTERN_STEPS + (uint64_t)subject.len * PATTERN_STEPS_PER_BYTE;
  m->stop = stop;
}

const char *pattern_match_at(const struct pattern *p, struct pattern_match *m, const char *at) {
  return follow(p, m, at, p->items);
}

const char *pattern_search(const struct pattern *p, struct pattern_match *m, const char *at, const char **start) {
  const struct pattern_item *first = p->items;
  for (;; at++) {
    if (!p->is_anchored && first->kind == PATTERN_TEXT) {
      const char *from = at;
      at = memchr(from, p->text[first->from], (size_t)(m->end - from));
      if (at == NULL || !spend(m, (uint64_t)(at - from) / 16 + 1)) return NULL;
    }
    const char *end = follow(p, m, at, first);
    if (end != NULL) {
      *start = at;
      return end;
    }
    if (p->is_anchored || at >= m->end || m->steps_left == 0) return NULL;
  }
}
