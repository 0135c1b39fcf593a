/* api_json: gw.json.*, and its C side for the request and translation code. The VM's thread.
 *
 * Decoded documents: objects are tables; arrays are tables with the array metatable; null is gw.json.null (a light
 * userdata, api_json_null); integers that fit 64 bits are integers, other numbers floats. A raw value is a full
 * userdata that holds its own copy of the bytes: {size, bytes}. All functions here throw unless said otherwise. */
#ifndef MOONGATE_SCRIPT_API_JSON_H
#define MOONGATE_SCRIPT_API_JSON_H

#include "base/bytes.h"
#include "script/vm.h"
#include "wire/json.h"

/* Adds gw.json to the gw table at index 1. By vm_new. */
int api_json_open(lua_State *L);

/* Pushes gw.json.null. */
void api_json_push_null(lua_State *L);          /* … null */
bool api_json_is_null(lua_State *L, int index); /* does not throw */

/* Decodes text, which must have JSON_PADDING readable bytes behind it, and pushes the value. raw: stack index of the
 * set of keys whose arrays and objects stay raw, or 0. False when it is not JSON: pushes the message instead. */
bool api_json_decode(lua_State *L, struct slice text, int raw); /* … value or message */

/* Pushes one value of a text that is known to be valid, nil for null; a string is decoded, nothing in it stays raw. */
void api_json_push_value(lua_State *L, struct slice raw, enum json_kind kind); /* … value */

/* Appends the value's JSON to out, which the caller owns in a place that survives a throw (an arena's or VM's buf). */
void api_json_encode(lua_State *L, int index, struct buf *out);

/* Frees a reused buffer of the VM that has grown beyond what is worth keeping. */
void api_json_trim(struct buf *reused);

/* Pushes a raw value holding a copy of json, which is trusted to be JSON. */
void api_json_push_raw(lua_State *L, struct slice json); /* … raw */
/* The bytes of a raw value, borrowed while it is referenced; ptr NULL when the value is not raw. Does not throw. */
struct slice api_json_raw(lua_State *L, int index);

/* Gives the table at the top the array metatable. */
void api_json_mark_array(lua_State *L);
/* By the array metatable or a first element. Does not throw. */
bool api_json_is_array(lua_State *L, int index);

#endif
