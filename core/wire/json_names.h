/* json_names: a few key names, for looking many keys up. Filled once, then read by any thread; holds views of the names.
 * Keys are compared as they stand: one with an escape is never found. */
#ifndef MOONGATE_WIRE_JSON_NAMES_H
#define MOONGATE_WIRE_JSON_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

enum { JSON_NAMES_MAX = 64, JSON_NAME_SLOTS = 256 };

/* `{0}` is empty. */
struct json_names {
  struct slice names[JSON_NAMES_MAX];
  uint8_t slots[JSON_NAME_SLOTS]; /* a name's number from 1 on, where its hash points or behind; 0: nobody's */
  size_t count;
};

static inline uint8_t json_name_hash(struct slice key) {
  unsigned first = (unsigned char)key.ptr[0], last = (unsigned char)key.ptr[key.len - 1];
  return (uint8_t)(first * 7 + last * 31 + (unsigned)key.len * 13);
}

static inline bool json_names_have(const struct json_names *n, struct slice key) {
  if (key.len == 0) return false;
  for (uint8_t at = json_name_hash(key); n->slots[at] != 0; at++)
    if (slice_eq(n->names[n->slots[at] - 1], key)) return true;
  return false;
}

/* false: there is no room, or the name is empty. */
static inline bool json_names_add(struct json_names *n, struct slice name) {
  if (name.len == 0 || n->count == JSON_NAMES_MAX) return false;
  uint8_t at = json_name_hash(name);
  while (n->slots[at] != 0) at++;
  n->names[n->count++] = name;
  n->slots[at] = (uint8_t)n->count;
  return true;
}

#endif
