/* recover: what a route may do when a stream breaks off after the client has read some of it (`recover`): another
 * attempt goes on in the same answer, where the first one's words allow it.
 *
 *   broken ─▶ may go on? ─▶ retry.h: the next target, or the same ─▶ content ─▶ the client's stream goes on
 *                └─▶ no                     └─▶ nobody is left ───────────────▶ the terminal error, as without this
 *
 * restart: the answer starts over, behind a notice. continue: the text so far is given to a target that can go on from
 * it (prefill). Streams of such a route go through the normal form even within one dialect, so that one writer makes
 * the client's stream whoever speaks (lua/gw/recover.lua, which knows what was said); and the request's body is kept
 * until the answer is complete. One worker's thread. It chooses no target and reads no stream. */
#ifndef MOONGATE_GATE_RECOVER_H
#define MOONGATE_GATE_RECOVER_H

#include <stdbool.h>
#include <stdint.h>

struct attempt;
struct request;
struct target;

enum recover_mode { RECOVER_NONE, RECOVER_RESTART, RECOVER_CONTINUE };
const char *recover_mode_name(enum recover_mode mode); /* "restart" */

enum { RECOVERIES_MAX = 2 }; /* of a request */

/* Of a request. */
struct recover {
  uint8_t breaks; /* how often its answer has broken off and was to go on */
  uint8_t begun;  /* how often another attempt was there to do it */
};

/* a is new: says whether its stream may be gone on with, and whether it goes on with one. */
void recover_prepare(struct attempt *a);
/* What is left of the request's time is all that a has, which goes on with a stream. */
void recover_limit(struct attempt *a);
/* a has failed, and the client has read some of the answer: whether another attempt may go on. */
bool recover_begin(struct request *r, struct attempt *a);
/* Whether t can go on with a text that it is given. */
bool recover_can_continue(const struct target *t);
/* Whether t can do what the request needs now. */
bool recover_takes(const struct request *r, const struct target *t);
/* Whether the request's body may still be needed although a's stream has begun. */
bool recover_keeps_body(const struct attempt *a);
/* Tokens that the client has got of attempts that broke off. */
uint64_t recover_spoken_tokens(const struct request *r);
/* The request ends: counts. */
void recover_end(const struct request *r);

#endif
