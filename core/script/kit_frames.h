/* kit_frames: bytes of a stream, cut anyhow, into events, by the same readers that serve. Main thread. Throws. */
#ifndef MOONGATE_SCRIPT_KIT_FRAMES_H
#define MOONGATE_SCRIPT_KIT_FRAMES_H

#include <lua.h>

/* frames(framing, bytes, sizes): see kit.h. */
int l_kit_frames(lua_State *L);
/* uncut(framing, bytes): see kit.h. */
int l_kit_uncut(lua_State *L);

#endif
