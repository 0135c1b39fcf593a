/* api_floats: vectors between JSON text and base64. The VM's thread. Raw JSON is read as it stands, number by number:
 * a batch of embeddings is megabytes, and a table of its numbers would be ten times that. */
#include "script/api/api_floats.h"

#include <openssl/evp.h>
#include <string.h>

#include "script/api/api_json.h"
#include "script/guard.h"
#include "wire/json.h"

enum { FLOAT_BYTES = 4, BASE64_BLOCK = 3, BASE64_TEXT = 4, NUMBER_BYTES_MAX = 25, SPARE_MAX_BYTES = 1 << 20 };

/* The VM's buffer, empty. What a throw leaves in it is the next caller's. */
static struct buf *scratch(lua_State *L) {
  struct buf *out = &vm_of(L)->out;
  out->len = 0;
  return out;
}

static void give_back(struct buf *out) {
  if (out->cap > SPARE_MAX_BYTES) buf_done(out);
}

static void put_float(struct buf *out, double number) {
  float narrow = (float)number;
  uint32_t bits;
  memcpy(&bits, &narrow, sizeof bits);
  char bytes[FLOAT_BYTES] = {(char)bits, (char)(bits >> 8), (char)(bits >> 16), (char)(bits >> 24)};
  buf_append(out, bytes, sizeof bytes);
}

static bool is_blank(char c) {
  return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* Without the blanks of JSON at both ends. */
static struct slice trim(struct slice s) {
  while (s.len > 0 && is_blank(s.ptr[0])) s = slice_from(s, 1);
  while (s.len > 0 && is_blank(s.ptr[s.len - 1])) s.len--;
  return s;
}

/* The bytes of a JSON list's numbers. False when it is anything else. */
static bool put_floats_of_text(struct buf *out, struct slice text) {
  text = trim(text);
  if (text.len < 2 || text.ptr[0] != '[' || text.ptr[text.len - 1] != ']') return false;
  text = trim(slice_of(text.ptr + 1, text.len - 2));
  while (text.len > 0) {
    ptrdiff_t comma = slice_find_byte(text, ',');
    size_t len = comma < 0 ? text.len : (size_t)comma;
    double number;
    if (!json_to_double(trim(slice_of(text.ptr, len)), &number)) return false;
    put_float(out, number);
    text = slice_from(text, comma < 0 ? text.len : len + 1);
  }
  return true;
}

static void put_floats_of_table(lua_State *L, struct buf *out) {
  lua_Integer count = (lua_Integer)lua_rawlen(L, 1);
  for (lua_Integer i = 1; i <= count; i++) {
    lua_rawgeti(L, 1, i); /* … element */
    int is_number;
    lua_Number number = lua_tonumberx(L, -1, &is_number);
    if (!is_number) luaL_error(L, "%s: element %d is no number", guard_name(L), (int)i);
    put_float(out, number);
    lua_pop(L, 1); /* … */
  }
}

static int l_to_base64(lua_State *L) {
  guard_check(L);
  struct slice raw = api_json_raw(L, 1);
  struct buf *out = scratch(L);
  if (raw.ptr == NULL) {
    luaL_checktype(L, 1, LUA_TTABLE);
    put_floats_of_table(L, out);
  } else if (!put_floats_of_text(out, raw)) {
    return luaL_error(L, "%s: not a list of numbers", guard_name(L));
  }
  size_t text_bytes = (out->len + BASE64_BLOCK - 1) / BASE64_BLOCK * BASE64_TEXT;
  luaL_Buffer made;
  char *text = luaL_buffinitsize(L, &made, text_bytes + 1); /* … made */
  int written = out->len > 0 ? EVP_EncodeBlock((unsigned char *)text, (unsigned char *)out->ptr, (int)out->len) : 0;
  luaL_pushresultsize(&made, (size_t)written); /* … text */
  give_back(out);
  return 1;
}

/* The bytes of base64 without line ends, into bytes (3 for every 4 of text). Their number, or -1. */
static ptrdiff_t decode(struct slice text, unsigned char *bytes) {
  size_t padding = 0;
  if (text.len == 0) return 0;
  if (text.len % BASE64_TEXT != 0) return -1;
  while (padding < 2 && text.ptr[text.len - 1 - padding] == '=') padding++;
  /* OpenSSL passes over blanks at the ends, which count as text here. */
  if (is_blank(text.ptr[0]) || is_blank(text.ptr[text.len - 1])) return -1;
  int len = EVP_DecodeBlock(bytes, (const unsigned char *)text.ptr, (int)text.len);
  return len < 0 ? -1 : len - (ptrdiff_t)padding;
}

static double float_at(const unsigned char *at) {
  uint32_t bits = (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
  float narrow;
  memcpy(&narrow, &bits, sizeof narrow);
  return (double)narrow;
}

static int l_from_base64(lua_State *L) {
  guard_check(L);
  struct slice text;
  text.ptr = luaL_checklstring(L, 1, &text.len);
  unsigned char *bytes = lua_newuserdatauv(L, text.len + BASE64_TEXT, 0); /* … bytes */
  ptrdiff_t len = decode(text, bytes);
  if (len < 0 || len % FLOAT_BYTES != 0) {
    lua_pushnil(L); /* … bytes nil */
    return 1;
  }
  struct buf *out = scratch(L);
  buf_reserve(out, (size_t)len / FLOAT_BYTES * NUMBER_BYTES_MAX + 2);
  buf_byte(out, '[');
  for (ptrdiff_t i = 0; i < len; i += FLOAT_BYTES) {
    if (i > 0) buf_byte(out, ',');
    json_put_double(out, float_at(bytes + i));
  }
  buf_byte(out, ']');
  api_json_push_raw(L, buf_view(out)); /* … bytes raw */
  give_back(out);
  return 1;
}

int api_floats_open(lua_State *L) {
  static const luaL_Reg functions[] = {{"from_base64", l_from_base64}, {"to_base64", l_to_base64}, {NULL, NULL}};
  lua_createtable(L, 0, 2); /* gw floats */
  guard_add(L, "gw.floats.", functions);
  lua_setfield(L, 1, "floats"); /* gw */
  return 0;
}
