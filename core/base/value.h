/* value: plain data (what JSON or a Lua table without functions can hold) with the place each part came from. Config
 * files, script options and simulator scenarios are read into it by script/ and checked by their owners. One thread at
 * a time; the tree owns everything below it. */
#ifndef MOONGATE_BASE_VALUE_H
#define MOONGATE_BASE_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

enum value_kind {
  VALUE_NIL,
  VALUE_BOOL,
  VALUE_INTEGER,
  VALUE_NUMBER,
  VALUE_TEXT,
  VALUE_SECRET,
  VALUE_LIST,
  VALUE_TABLE
};

struct value_field;

struct value {
  enum value_kind kind;
  int line; /* in the file the tree was read from; 0 when not known */
  bool boolean;
  int64_t integer;     /* VALUE_INTEGER */
  double number;       /* VALUE_NUMBER, and VALUE_INTEGER as a double */
  struct slice text;   /* VALUE_TEXT, zero-terminated. VALUE_SECRET: the reference ("env NAME"), not the secret */
  struct slice secret; /* VALUE_SECRET: the bytes; wiped by value_free. ptr NULL when the reference is unset */
  struct value *items; /* VALUE_LIST */
  struct value_field *fields; /* VALUE_TABLE, in the order of their lines, then of their keys */
  uint32_t count;             /* of items or fields */
};

struct value_field {
  struct slice key; /* zero-terminated */
  struct value value;
};

const char *value_kind_name(enum value_kind kind); /* "a string", "a list", … for messages */
/* The field of a table, or NULL (also when v is NULL or no table). */
const struct value *value_get(const struct value *v, const char *key);
struct value *value_new(void);
void value_free(struct value *v); /* the whole tree and v itself */
/* The new element is nil, and valid until the next one is added. A nil `list` (`table`) becomes an empty one first. */
struct value *value_add_item(struct value *list);
struct value *value_add_field(struct value *table, struct slice key);
void value_set_text(struct value *v, struct slice text);
void value_set_secret(struct value *v, struct slice reference, struct slice secret);

/* Equal in everything but lines; secrets by their bytes. */
bool value_same(const struct value *a, const struct value *b);

#endif
