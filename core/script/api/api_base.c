/* api_base: the small functions of gw that need no request. The VM's thread. */
#include "script/api/api_base.h"

#include <openssl/sha.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "script/guard.h"
#include "script/stdlib/sandbox.h"
#include "wire/aws_events.h"

enum { ID_PREFIX_MAX = 16, ID_RANDOM = 24, NAME_MAX_BYTES = 64 };

/* Is a line allowed now? Lines that were not are told with the next one that is. */
static bool may_log(struct vm *vm) {
  uint64_t now_ns = clock_ns();
  if (vm->log_filled_ns == 0) vm->log_tokens = API_BASE_LOG_BURST;
  else vm->log_tokens += (double)(now_ns - vm->log_filled_ns) * 1e-9 * API_BASE_LOG_PER_S;
  if (vm->log_tokens > API_BASE_LOG_BURST) vm->log_tokens = API_BASE_LOG_BURST;
  vm->log_filled_ns = now_ns;
  if (vm->log_tokens < 1) {
    vm->log_dropped++;
    return false;
  }
  vm->log_tokens -= 1;
  return true;
}

static void put_line(struct vm *vm, enum log_level level, struct slice place, struct slice text) {
  if (vm->doors.log != NULL) vm->doors.log(vm->doors.owner, level, place, text);
  else log_write(level, "script", "%.*s%.*s", (int)place.len, place.ptr, (int)text.len, text.ptr);
}

static int log_at(lua_State *L, enum log_level level) {
  struct vm *vm = vm_of(L);
  guard_check(L);
  if (!may_log(vm)) return 0;
  char text[API_BASE_LOG_MAX_BYTES];
  size_t len = 0;
  for (int i = 1, count = lua_gettop(L); i <= count && len < sizeof text; i++) {
    size_t part_len;
    const char *part = sandbox_tostring(L, i, &part_len); /* … part */
    if (i > 1) text[len++] = ' ';
    if (part_len > sizeof text - len) part_len = sizeof text - len;
    memcpy(text + len, part, part_len);
    len += part_len;
    lua_pop(L, 1); /* … */
  }
  luaL_where(L, 1); /* … place */
  struct slice place = slice_text(lua_tostring(L, -1));
  if (vm->log_dropped > 0) {
    char told[64];
    int told_len = snprintf(told, sizeof told, "%llu lines dropped", (unsigned long long)vm->log_dropped);
    vm->log_dropped = 0;
    put_line(vm, LOG_WARN, place, slice_of(told, (size_t)told_len));
  }
  put_line(vm, level, place, slice_of(text, len));
  return 0;
}

static int l_log_info(lua_State *L) {
  return log_at(L, LOG_INFO);
}

static int l_log_warn(lua_State *L) {
  return log_at(L, LOG_WARN);
}

static int l_log_error(lua_State *L) {
  return log_at(L, LOG_ERROR);
}

static int l_gw_now_ms(lua_State *L) {
  guard_check(L);
  const struct vm_doors *doors = &vm_of(L)->doors;
  lua_pushinteger(L, doors->now_ms ? doors->now_ms(doors->owner) : clock_wall_ms()); /* … ms */
  return 1;
}

static int l_gw_random(lua_State *L) {
  guard_check(L);
  lua_pushnumber(L, (double)(random_u64() >> 11) * 0x1p-53); /* … number */
  return 1;
}

static int l_gw_id(lua_State *L) {
  guard_check(L);
  size_t len;
  const char *prefix = luaL_optlstring(L, 1, "", &len);
  luaL_argcheck(L, len <= ID_PREFIX_MAX, 1, "longer than 16 bytes");
  char id[ID_PREFIX_MAX + ID_RANDOM];
  memcpy(id, prefix, len);
  random_text(id + len, ID_RANDOM);
  lua_pushlstring(L, id, len + ID_RANDOM); /* … id */
  return 1;
}

static int l_gw_hash(lua_State *L) {
  static const char digits[] = "0123456789abcdef";
  guard_check(L);
  size_t len;
  const char *text = luaL_checklstring(L, 1, &len);
  lua_Integer wanted = luaL_optinteger(L, 2, 16);
  luaL_argcheck(L, wanted >= 1 && wanted <= 2 * SHA256_DIGEST_LENGTH, 2, "from 1 to 64");
  unsigned char digest[SHA256_DIGEST_LENGTH];
  char hex[2 * SHA256_DIGEST_LENGTH];
  SHA256((const unsigned char *)text, len, digest);
  for (size_t i = 0; i < sizeof digest; i++) {
    hex[2 * i] = digits[digest[i] >> 4];
    hex[2 * i + 1] = digits[digest[i] & 15];
  }
  lua_pushlstring(L, hex, (size_t)wanted); /* … hex */
  return 1;
}

static int l_gw_count(lua_State *L) {
  guard_check(L);
  const struct vm_doors *doors = &vm_of(L)->doors;
  struct slice name;
  name.ptr = luaL_checklstring(L, 1, &name.len);
  lua_Integer by = luaL_optinteger(L, 2, 1);
  luaL_argcheck(L, by >= 0, 2, "counters only grow");
  luaL_argcheck(L,
                name.len > 0 && name.len <= NAME_MAX_BYTES &&
                    strspn(name.ptr, "abcdefghijklmnopqrstuvwxyz_0123456789") == name.len,
                1, "1 to 64 characters of a-z, 0-9 and _");
  if (doors->count != NULL) doors->count(doors->owner, name, by);
  return 0;
}

static int l_gw_aws_event(lua_State *L) {
  guard_check(L);
  struct slice name, text;
  name.ptr = luaL_checklstring(L, 1, &name.len);
  text.ptr = luaL_checklstring(L, 2, &text.len);
  luaL_argcheck(L, name.len > 0 && name.len <= NAME_MAX_BYTES, 1, "1 to 64 bytes");
  bool is_exception = slice_ends(name, SLICE("Exception"));
  luaL_Buffer made;
  /* Lua owns the memory: a C buffer would be lost when pushing the string throws. */
  struct buf message = {0};
  size_t bytes = aws_events_json_bytes(is_exception, name, text);
  message.ptr = luaL_buffinitsize(L, &made, bytes + BUF_SLACK); /* … made */
  message.cap = bytes + BUF_SLACK;
  aws_events_put_json(&message, is_exception, name, text);
  luaL_pushresultsize(&made, message.len); /* … text */
  return 1;
}

int api_base_open(lua_State *L) {
  static const luaL_Reg log[] = {{"error", l_log_error}, {"info", l_log_info}, {"warn", l_log_warn}, {NULL, NULL}};
  static const luaL_Reg gw[] = {
      {"aws_event", l_gw_aws_event}, {"count", l_gw_count},   {"hash", l_gw_hash}, {"id", l_gw_id},
      {"now_ms", l_gw_now_ms},       {"random", l_gw_random}, {NULL, NULL},
  };
  static const luaL_Reg base[] = {{"print", l_log_info}, {NULL, NULL}};
  lua_settop(L, 1);
  guard_add(L, "gw.", gw);
  lua_createtable(L, 0, 3); /* gw log */
  guard_add(L, "gw.log.", log);
  lua_setfield(L, 1, "log"); /* gw */
  vm_push(L, VM_TEMPLATE);   /* gw template */
  guard_add(L, "", base);
  lua_pop(L, 1); /* gw */
  return 0;
}
