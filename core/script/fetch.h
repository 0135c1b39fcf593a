/* fetch: the HTTP call behind gw.fetch: its request read from Lua, the call, its answer given back. The worker's
 * thread. It knows no coroutine; api_wait.c does. */
#ifndef MOONGATE_SCRIPT_FETCH_H
#define MOONGATE_SCRIPT_FETCH_H

#include "gate/config.h"
#include "script/vm.h"

struct fetch;
struct upstream;

enum { FETCH_ANSWER_MAX_BYTES = 1 << 20, FETCH_REQUEST_MAX_BYTES = 1 << 20 };

/* Reads { method=, path=, headers=, body=, timeout_ms= } at index. *slot holds the new fetch (an old one there is
 * freed), also when this throws: the caller frees it. */
void fetch_read(lua_State *L, int index, const struct script_upstream *to, struct fetch **slot);
const struct script_upstream *fetch_upstream(const struct fetch *f);
/* 0: none was given. */
uint32_t fetch_timeout_ms(const struct fetch *f);
/* Starts the call; done(owner) is called once, later. */
void fetch_start(struct fetch *f, struct upstream *u, void (*done)(void *owner), void *owner);
/* Ends a running call; fetch_push then gives the text as the error. */
void fetch_stop(struct fetch *f, const char *why);
/* Pushes { status=, headers=, body= }, or nil and a message; returns how many. Throws. */
int fetch_push(lua_State *L, struct fetch *f);
void fetch_free(struct fetch *f); /* NULL is fine */

#endif
