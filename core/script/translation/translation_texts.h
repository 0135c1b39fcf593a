/* translation_texts: the part of translation.h for bodies that hold nothing but texts. The worker's thread. */
#ifndef MOONGATE_SCRIPT_TRANSLATION_TEXTS_H
#define MOONGATE_SCRIPT_TRANSLATION_TEXTS_H

#include <lua.h>

#include "gate/hooks.h"

struct text_frame;

/* The provider's body of such a request (text_request.h). HOOK_ABSENT: it is another kind, and nothing was done. */
enum hook_verdict translation_texts_build(struct script *s, struct attempt *a, struct fault *f);
/* The client's body of an answer that holds one text (text_answer.h): *out in the request's arena. HOOK_ABSENT: it is
 * another kind, and nothing was done. */
enum hook_verdict translation_texts_answer(struct script *s, struct attempt *a, struct slice body, struct slice *out,
                                           struct fault *f);
/* Tells the new hop at the top what translate.request would have told it of a request. Throws. */
void translation_texts_complete(lua_State *L, const struct text_frame *frame);

#endif
