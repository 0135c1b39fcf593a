/* plain_table: recursive, to a bounded depth. The state's thread. */
#include "script/plain_table.h"

#include <lauxlib.h>
#include <stdlib.h>

enum { DEPTH_MAX = 32 };

struct reader {
  lua_State *L;
  const struct plain_source *source;
  struct buf path; /* keys joined by '\x1f' */
  struct err *e;
  unsigned depth;
};

static bool read_value(struct reader *r, int index, struct value *out);

static bool fault(struct reader *r, const char *what) {
  struct buf shown = {0};
  for (size_t i = 0; i < r->path.len; i++) buf_byte(&shown, r->path.ptr[i] == '\x1f' ? '.' : r->path.ptr[i]);
  err_set(r->e, "%s:%d: %.*s %s", r->source->name, keylines_of(r->source->lines, buf_view(&r->path)), (int)shown.len,
          shown.len ? shown.ptr : "", what);
  buf_done(&shown);
  return false;
}

/* Whether the table's keys are exactly 1 … n, n > 0. */
static bool is_list(lua_State *L, int index) {
  lua_Unsigned length = lua_rawlen(L, index), count = 0;
  if (length == 0) return false;
  for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) count++;
  return count == length;
}

static bool read_below(struct reader *r, struct slice key, struct value *out) {
  size_t base = r->path.len;
  if (base > 0) buf_byte(&r->path, '\x1f');
  buf_slice(&r->path, key);
  bool fine = read_value(r, lua_gettop(r->L), out);
  if (fine) r->path.len = base;
  return fine;
}

static bool read_list(struct reader *r, int index, struct value *out) {
  out->kind = VALUE_LIST;
  lua_Unsigned length = lua_rawlen(r->L, index);
  for (lua_Unsigned i = 1; i <= length; i++) {
    char digits[20];
    lua_rawgeti(r->L, index, (lua_Integer)i); /* … item */
    if (!read_below(r, slice_of(digits, digits_u64(digits, i)), value_add_item(out))) return false;
    lua_pop(r->L, 1); /* … */
  }
  return true;
}

static int by_line(const void *a, const void *b) {
  const struct value_field *x = a, *y = b;
  if (x->value.line != y->value.line) return x->value.line < y->value.line ? -1 : 1;
  return slice_compare(x->key, y->key);
}

static bool read_fields(struct reader *r, int index, struct value *out) {
  out->kind = VALUE_TABLE;
  for (lua_pushnil(r->L); lua_next(r->L, index) != 0; lua_pop(r->L, 1)) { /* … key value */
    char digits[24];
    struct slice key;
    if (lua_type(r->L, -2) == LUA_TSTRING) {
      key.ptr = lua_tolstring(r->L, -2, &key.len);
    } else if (lua_isinteger(r->L, -2) && lua_tointeger(r->L, -2) > 0) {
      key = slice_of(digits, digits_u64(digits, (uint64_t)lua_tointeger(r->L, -2)));
    } else {
      return fault(r, "has a key that is neither a name nor a position");
    }
    if (memchr(key.ptr, '\x1f', key.len) != NULL || memchr(key.ptr, '\0', key.len) != NULL)
      return fault(r, "has a key with a control character");
    if (!read_below(r, key, value_add_field(out, key))) return false;
  }
  if (out->count > 1) qsort(out->fields, out->count, sizeof *out->fields, by_line);
  return true;
}

static bool read_value(struct reader *r, int index, struct value *out) {
  lua_State *L = r->L;
  out->line = keylines_of(r->source->lines, buf_view(&r->path));
  switch (lua_type(L, index)) {
  case LUA_TNIL: return true;
  case LUA_TBOOLEAN:
    out->kind = VALUE_BOOL;
    out->boolean = lua_toboolean(L, index);
    return true;
  case LUA_TNUMBER:
    out->kind = lua_isinteger(L, index) ? VALUE_INTEGER : VALUE_NUMBER;
    out->integer = lua_isinteger(L, index) ? lua_tointeger(L, index) : 0;
    out->number = lua_tonumber(L, index);
    return true;
  case LUA_TSTRING: {
    size_t len;
    const char *text = lua_tolstring(L, index, &len);
    if (memchr(text, '\0', len) != NULL) return fault(r, "holds a zero byte");
    value_set_text(out, slice_of(text, len));
    return true;
  }
  case LUA_TFUNCTION:
    if (!r->source->functions_are_true) return fault(r, "is a function; this file holds plain values only");
    out->kind = VALUE_BOOL;
    out->boolean = true;
    return true;
  case LUA_TTABLE: break;
  default: return fault(r, "is not a plain value");
  }
  if (luaL_getmetafield(L, index, PLAIN_SECRET) != LUA_TNIL) { /* … mark */
    struct slice reference, bytes = {NULL, 0};
    lua_pop(L, 1);            /* … */
    lua_rawgeti(L, index, 1); /* … reference */
    lua_rawgeti(L, index, 2); /* … reference bytes */
    reference.ptr = lua_tolstring(L, -2, &reference.len);
    if (lua_type(L, -1) == LUA_TSTRING) bytes.ptr = lua_tolstring(L, -1, &bytes.len);
    value_set_secret(out, reference, bytes);
    lua_pop(L, 2); /* … */
    return true;
  }
  if (++r->depth > DEPTH_MAX || !lua_checkstack(L, 8)) return fault(r, "nests too deep, or contains itself");
  bool fine = is_list(L, index) ? read_list(r, index, out) : read_fields(r, index, out);
  r->depth--;
  return fine;
}

bool plain_table_read(lua_State *L, int index, const struct plain_source *source, struct value *out, struct err *e) {
  struct reader r = {.L = L, .source = source, .e = e};
  bool fine = read_value(&r, lua_absindex(L, index), out);
  buf_done(&r.path);
  return fine;
}
