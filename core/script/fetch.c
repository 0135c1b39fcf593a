/* fetch: see the header. The upstream's key goes from the config to the socket without passing through Lua; headers
 * that would replace it, or that belong to HTTP itself, are refused. */
#include "script/fetch.h"

#include <stdio.h>

#include "base/memory.h"
#include "base/secret.h"
#include "io/upcall.h"
#include "wire/url.h"

struct fetch {
  const struct script_upstream *to;
  struct upcall *call; /* NULL before the start and after the end */
  struct buf method, target, headers, body;
  struct iovec part;
  uint32_t timeout_ms;
  unsigned status;
  struct buf answer_headers; /* "name: value\n", names in lower case */
  struct buf answer;
  char error[192]; /* "" unless it failed */
  void (*done)(void *owner);
  void *owner;
};

void fetch_free(struct fetch *f) {
  if (f == NULL) return;
  if (f->call != NULL) upcall_cancel(f->call);
  struct buf *bufs[] = {&f->method, &f->target, &f->headers, &f->body, &f->answer_headers, &f->answer};
  for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++) buf_done(bufs[i]);
  mem_free(f);
}

const struct script_upstream *fetch_upstream(const struct fetch *f) {
  return f->to;
}

uint32_t fetch_timeout_ms(const struct fetch *f) {
  return f->timeout_ms;
}

/* ---- the request ---- */

/* A string member of the table, or `otherwise`; leaves it on the stack. */
static struct slice text_member(lua_State *L, int table, const char *name, struct slice otherwise) {
  struct slice text = otherwise;
  int kind = lua_getfield(L, table, name); /* … text */
  if (kind != LUA_TNIL && kind != LUA_TSTRING) {
    luaL_error(L, "gw.fetch: %s must be a string, not a %s", name, lua_typename(L, kind));
  }
  if (kind == LUA_TSTRING) text.ptr = lua_tolstring(L, -1, &text.len);
  return text;
}

static void read_target(lua_State *L, struct fetch *f, struct slice path) {
  struct url url;
  if (path.len == 0 || *path.ptr != '/') luaL_error(L, "gw.fetch: path must begin with '/'");
  for (size_t i = 0; i < path.len; i++) {
    if (path.ptr[i] <= ' ' || path.ptr[i] >= 0x7f || path.ptr[i] == '#') {
      luaL_error(L, "gw.fetch: path must be escaped: byte %d is not allowed in a URL", (int)i + 1);
    }
  }
  if (url_parse(slice_text(f->to->base_url), &url, NULL)) buf_slice(&f->target, url.path);
  buf_slice(&f->target, path);
}

/* The name of the header that carries the upstream's key, or empty. */
static struct slice key_name(const struct fetch *f) {
  struct slice line = secret_view(f->to->key.line);
  ptrdiff_t colon = slice_find_byte(line, ':');
  return slice_of(line.ptr, colon > 0 ? (size_t)colon : 0);
}

static void read_header(lua_State *L, struct fetch *f, struct slice name, struct slice value) {
  static const struct slice ours[] = {
      SLICE_INIT("host"),       SLICE_INIT("content-length"),  SLICE_INIT("transfer-encoding"),
      SLICE_INIT("connection"), SLICE_INIT("accept-encoding"), SLICE_INIT("upgrade"),
      SLICE_INIT("te"),         SLICE_INIT("trailer"),         SLICE_INIT("expect"),
  };
  bool taken = slice_eq_nocase(name, key_name(f));
  for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) taken = taken || slice_eq_nocase(name, ours[i]);
  if (taken) luaL_error(L, "gw.fetch: the header %s is set by the gateway", name.ptr);
  if (!http_is_token(name)) luaL_error(L, "gw.fetch: \"%s\" is no header name", name.ptr);
  if (!http_is_field_value(value)) luaL_error(L, "gw.fetch: the value of header %s is not allowed in HTTP", name.ptr);
  buf_slice(&f->headers, name);
  buf_slice(&f->headers, SLICE(": "));
  buf_slice(&f->headers, value);
  buf_slice(&f->headers, SLICE("\r\n"));
}

static void read_headers(lua_State *L, int table, struct fetch *f) {
  buf_slice(&f->headers, SLICE("accept-encoding: identity\r\n"));
  int kind = lua_getfield(L, table, "headers"); /* … headers */
  if (kind == LUA_TNIL) return;
  luaL_argcheck(L, kind == LUA_TTABLE, 2, "headers must be a table");
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) { /* … headers name value */
    struct slice name, value;
    if (lua_type(L, -2) != LUA_TSTRING || !lua_isstring(L, -1)) {
      luaL_error(L, "gw.fetch: headers must be { [name] = value } with strings");
    }
    name.ptr = lua_tolstring(L, -2, &name.len);
    value.ptr = lua_tolstring(L, -1, &value.len);
    read_header(L, f, name, value);
  }
}

static void check_members(lua_State *L, int table) {
  static const char *const known[] = {"method", "path", "headers", "body", "timeout_ms"};
  for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) { /* … key value */
    bool fine = false;
    for (size_t i = 0; i < sizeof known / sizeof *known && lua_type(L, -2) == LUA_TSTRING; i++) {
      fine = fine || strcmp(lua_tostring(L, -2), known[i]) == 0;
    }
    if (!fine) {
      luaL_error(L, "gw.fetch: unknown field '%s'; there are method, path, headers, body, timeout_ms",
                 lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : luaL_typename(L, -2));
    }
  }
}

void fetch_read(lua_State *L, int index, const struct script_upstream *to, struct fetch **slot) {
  index = lua_absindex(L, index);
  luaL_checktype(L, index, LUA_TTABLE);
  luaL_checkstack(L, 12, NULL);
  fetch_free(*slot);
  struct fetch *f = *slot = mem_new(struct fetch);
  f->to = to;
  check_members(L, index);
  struct slice body = text_member(L, index, "body", slice_of(NULL, 0));
  struct slice method = text_member(L, index, "method", body.ptr ? SLICE("POST") : SLICE("GET"));
  if (!http_is_token(method)) luaL_error(L, "gw.fetch: \"%s\" is no HTTP method", method.ptr);
  if (body.len > FETCH_REQUEST_MAX_BYTES) luaL_error(L, "gw.fetch: the body is larger than 1 MiB");
  buf_slice(&f->method, method);
  buf_slice(&f->body, body);
  read_target(L, f, text_member(L, index, "path", SLICE("/")));
  read_headers(L, index, f);
  if (lua_getfield(L, index, "timeout_ms") != LUA_TNIL) { /* … timeout_ms */
    lua_Number ms = lua_isnumber(L, -1) ? lua_tonumber(L, -1) : -1;
    if (!(ms >= 1 && ms <= 3600000)) luaL_error(L, "gw.fetch: timeout_ms must be a number from 1 to 3,600,000");
    f->timeout_ms = (uint32_t)ms;
  }
}

/* ---- the call ---- */

static void finish(struct fetch *f) {
  f->done(f->owner); /* may free f */
}

static void on_head(void *owner, const struct http_head *head) {
  struct fetch *f = owner;
  f->status = head->status;
  for (unsigned i = 0; i < head->header_count; i++) {
    const struct http_header *h = &head->headers[i];
    for (size_t k = 0; k < h->name.len; k++) {
      char c = h->name.ptr[k];
      buf_byte(&f->answer_headers, c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c);
    }
    buf_byte(&f->answer_headers, ':');
    buf_slice(&f->answer_headers, h->value);
    buf_byte(&f->answer_headers, '\n');
  }
}

void fetch_stop(struct fetch *f, const char *why) {
  if (f->call != NULL) upcall_cancel(f->call);
  f->call = NULL;
  snprintf(f->error, sizeof f->error, "%s", why);
}

static void on_body(void *owner, struct slice bytes) {
  struct fetch *f = owner;
  if (f->answer.len + bytes.len > FETCH_ANSWER_MAX_BYTES) {
    fetch_stop(f, "the answer is larger than 1 MiB");
    finish(f);
    return;
  }
  buf_slice(&f->answer, bytes);
}

static void on_end(void *owner) {
  struct fetch *f = owner;
  f->call = NULL;
  finish(f);
}

static void on_fail(void *owner, const struct upcall_fault *fault) {
  struct fetch *f = owner;
  f->call = NULL;
  snprintf(f->error, sizeof f->error, "%s", fault->text[0] ? fault->text : "the call failed");
  finish(f);
}

void fetch_start(struct fetch *f, struct upstream *u, void (*done)(void *owner), void *owner) {
  static const struct upcall_events events = {on_head, on_body, on_end, on_fail};
  f->done = done;
  f->owner = owner;
  f->part = (struct iovec){f->body.ptr, f->body.len};
  struct upcall_request request = {
      .method = buf_view(&f->method),
      .target = buf_view(&f->target),
      .headers = buf_view(&f->headers),
      .secret_line = secret_view(f->to->key.line),
      .body = &f->part,
      .body_parts = f->body.len > 0 ? 1 : 0,
  };
  f->call = upcall_start(u, &request, &events, f);
}

/* ---- the answer ---- */

/* { [name] = value }; a header that came more than once has its values joined by ", ". */
static void push_headers(lua_State *L, struct slice lines) {
  lua_createtable(L, 0, 8); /* … headers */
  while (lines.len > 0) {
    size_t end = (size_t)slice_find_byte(lines, '\n');
    size_t colon = (size_t)slice_find_byte(lines, ':');
    lua_pushlstring(L, lines.ptr, colon);                        /* … headers name */
    lua_pushvalue(L, -1);                                        /* … headers name name */
    if (lua_rawget(L, -3) != LUA_TNIL) lua_pushliteral(L, ", "); /* … headers name old ", " */
    else lua_pushliteral(L, "");                                 /* … headers name nil "" */
    lua_pushlstring(L, lines.ptr + colon + 1, end - colon - 1);  /* … headers name old between value */
    if (lua_isnil(L, -3)) {
      lua_replace(L, -3); /* … headers name value between */
      lua_pop(L, 1);      /* … headers name value */
    } else {
      lua_concat(L, 3); /* … headers name values */
    }
    lua_rawset(L, -3); /* … headers */
    lines = slice_from(lines, end + 1);
  }
}

int fetch_push(lua_State *L, struct fetch *f) {
  luaL_checkstack(L, 10, NULL);
  if (f->error[0]) {
    lua_pushnil(L);              /* … nil */
    lua_pushstring(L, f->error); /* … nil message */
    return 2;
  }
  lua_createtable(L, 0, 3);                                              /* … answer */
  lua_pushinteger(L, f->status);                                         /* … answer status */
  lua_setfield(L, -2, "status");                                         /* … answer */
  push_headers(L, buf_view(&f->answer_headers));                         /* … answer headers */
  lua_setfield(L, -2, "headers");                                        /* … answer */
  lua_pushlstring(L, f->answer.ptr ? f->answer.ptr : "", f->answer.len); /* … answer body */
  lua_setfield(L, -2, "body");                                           /* … answer */
  return 1;
}
