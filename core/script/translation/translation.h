/* translation: the C side of lua/gw/translate.lua: bodies, streams and errors carried between two dialects, and the
 * adapter hooks that run on the way. The worker's thread. Signatures and verdicts as in gate/hooks.h.
 *
 *   build ─▶ the hop, a Lua table, kept in the attempt's state ─▶ answer | event… finish ─▶ translation_forget
 *
 * The client's body is decoded once per request, whatever the number of attempts. Made bytes go into the request's
 * arena or straight into the caller's buffer. */
#ifndef MOONGATE_SCRIPT_TRANSLATION_H
#define MOONGATE_SCRIPT_TRANSLATION_H

#include "gate/hooks.h"

enum hook_verdict translation_build(struct script *s, struct attempt *a, struct fault *f);
enum hook_verdict translation_answer(struct script *s, struct attempt *a, struct slice body, struct slice *out,
                                     struct fault *f);
enum hook_verdict translation_event(struct script *s, struct attempt *a, const struct stream_event *e, struct buf *out,
                                    struct fault *f);
enum hook_verdict translation_finish(struct script *s, struct attempt *a, struct buf *out, struct fault *f);
enum hook_verdict translation_error(struct script *s, struct attempt *a, struct slice body, unsigned *status,
                                    struct slice *out, struct fault *f);
void translation_forget(struct script *s, struct attempt *a);

#endif
