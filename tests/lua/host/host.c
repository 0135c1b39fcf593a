/* host: the interpreter of the Lua specs: as lua5.4, but on the gateway's own VM, so that `gw` is the real one and
 * pieces can be run as hooks in the real sandbox. Main thread.
 *
 *     lua_host SCRIPT [ARGUMENT…]
 *
 * The script itself (busted) sees the whole standard library; what host.run is given sees what policies see. The
 * global host has
 *
 *   host.run(hook, text)   runs the text as a script file's body, under the limits of the hook. It gets req and
 *                          attempt in hooks that have a request. Returns its outcome ("done", "waiting", "failed",
 *                          "killed", "out of memory"), then for "done" what it returned as a text, else message,
 *                          file, line
 *   host.load(path)        the value that a file of the project returns, loaded as the gateway loads it
 *   host.carrier(dialect)  what the gateway keeps of a translated stream of that dialect's provider: carry(stream,
 * name, data) gives what the client gets for the event, as stream:event does, and whether it went there without Lua.
 * carry(stream): nothing more comes before stream:finish host.api               the table of lua/gw/api.lua host.tools
 * see core/script/kit.h */
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/must.h"
#include "gate/request.h"
#include "io/upcall.h"
#include "script/api/api_request.h"
#include "script/kit.h"
#include "script/load.h"
#include "script/run.h"
#include "script/script.h"
#include "script/translation/passage.h"

enum { MEMORY_MAX_BYTES = 1 << 30, RESULT_MAX_BYTES = 4096 };

/* One run of host.run. */
struct piece {
  struct script_call call; /* first: owner of the run */
  struct slice text;
  struct attempt *attempt; /* NULL in hooks without a request */
  char result[RESULT_MAX_BYTES];
};

static struct script *script;
static struct request *request;
static const char *root;

static char *text_of(const char *text) {
  return mem_text(text, strlen(text));
}

/* One provider "p", one route "r" to p/one and p/two, pool "all", upstream "svc". */
static struct config *make_config(void) {
  static const struct slice models[] = {SLICE_INIT("one"), SLICE_INIT("two")};
  struct config *c = kit_config(NULL, models, 2);
  struct route *r = c->routes[0];
  r->pool_count = 1;
  r->pools = mem_new(struct pool);
  r->pools[0] = (struct pool){text_of("all"), mem_alloc(sizeof(struct target *)), 1};
  r->pools[0].targets[0] = r->targets[0];
  c->upstreams = mem_new(struct script_upstream);
  c->upstreams[c->upstream_count++] =
      (struct script_upstream){.name = text_of("svc"), .base_url = text_of("http://127.0.0.1:9")};
  return c;
}

static void make_request(struct config *c, struct buf *body) {
  static struct http_head head;
  request = mem_new(struct request);
  arena_init(&request->arena);
  buf_text(body, "{\"model\":\"r\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}");
  memset(request->id, 'x', sizeof request->id);
  request->endpoint = endpoint_of(&(struct http_head){.path = SLICE("/v1/chat/completions")});
  request->dialect = dialect_of(DIALECT_OPENAI_CHAT);
  request->head = &head;
  request->body = buf_view(body);
  request->body_bytes = body->len;
  request->route = c->routes[0];
  request->route_name = SLICE("r");
  request->asked.model = SLICE("r");
}

static int enter_piece(lua_State *L, void *owner) {
  struct piece *p = owner;
  sandbox_load(L, p->text, "piece.lua", script_files_modules(script->files)); /* chunk */
  if (p->call.request == NULL) return 0;
  api_request_push(L, p->call.request);                     /* chunk req */
  api_request_push_attempt(L, p->call.request, p->attempt); /* chunk req attempt */
  return 2;
}

static void leave_piece(lua_State *L, void *owner) {
  struct piece *p = owner;
  if (lua_gettop(L) > 0) snprintf(p->result, sizeof p->result, "%s", sandbox_tostring(L, 1, NULL));
}

static int l_host_run(lua_State *L) {
  static const struct run_task task = {enter_piece, leave_piece};
  enum run_hook hook = kit_check_hook(L, 1);
  bool has_request = hook != RUN_LOAD && hook != RUN_SETUP;
  struct target *target = request->route->targets[0];
  struct attempt attempt = {.request = request, .target = target, .number = 1};
  struct script_request *state = has_request ? script_request_of(script, request) : NULL;
  struct piece piece = {.call = {script, request->route, state}, .attempt = &attempt};
  struct run_report report = {.line = 0};
  piece.text.ptr = luaL_checklstring(L, 2, &piece.text.len);
  struct run_slot *slot = run_take(script->vm);
  enum run_outcome outcome = run_start(slot, hook, &task, &piece, &report);
  run_release(slot);
  script_request_end(script, request);
  int count = kit_push_outcome(L, outcome, &report); /* … outcome [message file line] */
  if (outcome != RUN_DONE) return count;
  lua_pushstring(L, piece.result); /* … outcome result */
  return count + 1;
}

static int l_host_load(lua_State *L) {
  struct err e;
  const struct script_file *file = script_files_root(script->files, luaL_checkstring(L, 1), &e);
  if (file == NULL) return luaL_error(L, "%s", e.text);
  sandbox_load(L, file->text, file->name, script_files_modules(script->files)); /* path chunk */
  lua_call(L, 0, 1);                                                            /* path value */
  return 1;
}

struct carrier {
  const struct dialect *dialect;
  struct passage passage;
  struct buf event, out;
};

static int l_carrier_gc(lua_State *L) {
  struct carrier *c = lua_touserdata(L, 1);
  passage_done(&c->passage);
  buf_done(&c->event);
  buf_done(&c->out);
  return 0;
}

static int l_carrier_carry(lua_State *L) {
  struct carrier *c = lua_touserdata(L, lua_upvalueindex(1));
  struct stream_event e = {.has_data = lua_gettop(L) > 1};
  if (!e.has_data) {
    passage_tell(L, &c->passage);
    return 0;
  }
  e.name.ptr = luaL_checklstring(L, 2, &e.name.len);
  e.data.ptr = luaL_checklstring(L, 3, &e.data.len);
  c->event.len = c->out.len = 0;
  buf_slice(&c->event, e.data); /* with room behind it */
  e.data = buf_view(&c->event);
  if (passage_take(&c->passage, c->dialect, &e, &c->out)) {
    lua_pushlstring(L, c->out.ptr, c->out.len); /* … text */
    lua_pushboolean(L, true);                   /* … text is_passed */
    return 2;
  }
  lua_pushvalue(L, 1); /* … stream */
  passage_tell(L, &c->passage);
  lua_getfield(L, -1, "event");                                     /* … stream event */
  lua_insert(L, -2);                                                /* … event stream */
  lua_pushvalue(L, 2);                                              /* … event stream name */
  lua_pushvalue(L, 3);                                              /* … event stream name data */
  lua_call(L, 3 + passage_push(L, &c->passage, c->dialect, &e), 2); /* … text stencil */
  passage_open(L, lua_gettop(L), &c->passage);
  lua_pushboolean(L, false); /* … text stencil is_passed */
  lua_replace(L, -2);        /* … text is_passed */
  return 2;
}

static int l_host_carrier(lua_State *L) {
  size_t len;
  const char *name = luaL_checklstring(L, 1, &len);
  struct carrier *c = lua_newuserdatauv(L, sizeof *c, 0); /* … carrier */
  memset(c, 0, sizeof *c);
  c->dialect = dialect_named(slice_of(name, len));
  must(c->dialect != NULL);
  lua_createtable(L, 0, 1); /* … carrier metatable */
  lua_pushcfunction(L, l_carrier_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);                 /* … carrier */
  lua_pushcclosure(L, l_carrier_carry, 1); /* … carry */
  return 1;
}

/* The standard library beside the sandbox; strings keep the sandbox's methods, which scripts reach through them. */
static void open_libraries(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"carrier", l_host_carrier}, {"load", l_host_load}, {"run", l_host_run}, {NULL, NULL}};
  lua_pushliteral(L, "");  /* "" */
  lua_getmetatable(L, -1); /* "" metatable */
  luaL_openlibs(L);
  lua_setmetatable(L, -2);      /* "" */
  vm_push(L, VM_TEMPLATE);      /* "" template */
  lua_getfield(L, -1, "gw");    /* "" template gw */
  lua_setglobal(L, "gw");       /* "" template */
  luaL_newlib(L, functions);    /* "" template host */
  kit_push_tools(L);            /* "" template host tools */
  lua_setfield(L, -2, "tools"); /* "" template host */
  vm_push(L, VM_API);           /* "" template host api */
  lua_setfield(L, -2, "api");   /* "" template host */
  lua_pushstring(L, root);      /* "" template host root */
  lua_setfield(L, -2, "root");  /* "" template host */
  lua_setglobal(L, "host");     /* "" template */
  lua_pop(L, 2);
}

static int l_host_traceback(lua_State *L) {
  luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1); /* error text traceback */
  return 1;
}

static int run_script(lua_State *L, int argc, char **argv) {
  lua_createtable(L, argc, 1); /* arg */
  for (int i = 0; i < argc; i++) {
    lua_pushstring(L, argv[i]); /* arg text */
    lua_rawseti(L, -2, i - 1);  /* arg */
  }
  lua_setglobal(L, "arg");
  lua_pushcfunction(L, l_host_traceback);    /* traceback */
  if (luaL_loadfile(L, argv[1]) != LUA_OK) { /* traceback chunk */
    fprintf(stderr, "%s\n", lua_tostring(L, -1));
    return 1;
  }
  for (int i = 2; i < argc; i++) lua_pushstring(L, argv[i]); /* traceback chunk argument… */
  if (lua_pcall(L, argc - 2, 0, 1) == LUA_OK) return 0;
  fprintf(stderr, "%s\n", lua_tostring(L, -1));
  return 1;
}

int main(int argc, char **argv) {
  struct err e = {""};
  struct buf body = {0};
  if (argc < 2) {
    fprintf(stderr, "usage: lua_host SCRIPT [ARGUMENT…]\n");
    return 64;
  }
  root = getenv("MOONGATE_ROOT") ? getenv("MOONGATE_ROOT") : ".";
  upcall_library_init();
  must(load_start(&e));
  load_enter_thread();
  struct config *c = make_config();
  struct sources *sources = sources_new();
  struct script_files *files = script_files_new(root, NULL, sources);
  script = script_new(c, files, root, 1, &e);
  if (script == NULL) {
    fprintf(stderr, "%s\n", e.text);
    return 1;
  }
  make_request(c, &body);
  script->vm->memory.max_bytes = MEMORY_MAX_BYTES;
  open_libraries(script->vm->L);
  int status = run_script(script->vm->L, argc, argv);
  load_leave_thread();
  load_stop();
  return status;
}
